"""Names, comments, operators and annotations that would do harm are text in a real browser, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from support import web_pages
from support.part_lakes import Session, Spot, contents
from support.small_lakes import zip_of
from support.web_pages import visitor

import sxeslake

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_HOSTILE = {
    "markup": "<script>document.title='taken'</script><b id=taken>x</b><img src=x onerror=alert(1)>",
    "quotes": "\" onmouseover='x' `y` </title> & {{ 7*7 }} <!-- ' %2e",
    "marks": "gnp\u202etxt\u2066 \u200b\u0007end",
    "length": "lång" * 1000,
}
_WIDE = """() => document.scrollingElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('main *')]
  .filter((one) => one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 80))"""
_SPELT = '{"\u202e": true, "\u2066": true, "\u200b": true}'


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The pages of a lake with an archive for each such name, and the samples in it."""
    web_pages.chromium()
    folder = tmp_path_factory.mktemp("hostile")
    samples = []
    with sxeslake.init(str(folder / "epma")) as lake:
        for number, (kind, text) in enumerate(_HOSTILE.items(), 1):
            session = Session(
                number, [Spot(10 * number, 1, comment=text), Spot(10 * number + 1, 2, comment=text)], name=text,
                more={"operator": text, "comment": text, "instrument": text},
            )  # fmt: skip
            archive = zip_of(folder / f"{kind}.plzip", contents([session]))
            name = text.replace("/", "|")[:200] if text.isprintable() else None
            (added,) = lake.ingest(archive, sample=name, message=text[:200]).archives
            assert added.sample is not None, added.error
            lake.annotate(added.sample, {"material": text[:1000].replace("\u0007", "")})
            samples.append(added.sample)
    words = ("serve", "--lake", str(folder / "epma"))
    with web_pages.served(*words, env={"SXESLAKE_CACHE": str(folder / "cache")}) as address:
        yield f"{address}epma/", samples


@pytest.mark.parametrize("number", range(len(_HOSTILE)), ids=list(_HOSTILE))
def test_it_is_text_on_every_page(hostile: tuple[str, list[str]], chrome: Browser, number: int) -> None:
    base, samples = hostile
    sample, text = samples[number], list(_HOSTILE.values())[number]
    pages = [
        "find", f"archive?{urlencode({'of': sample})}", f"analysis?{urlencode({'of': sample})}",
        f"position?{urlencode({'of': f'{sample}@1:1'})}",
        f"compare?{urlencode({'p': [f'{sample}@1:1', f'{sample}@1:2']}, doseq=True)}",
        f"find?{urlencode({'operator': text})}", "question?q=analyses-by-condition", "overview",
        f"sql?{urlencode({'sql': 'SELECT * FROM analyses'})}",
    ]  # fmt: skip
    with visitor(chrome, base) as seen:
        for address in pages:
            seen.go(address)
            page = seen.page
            assert "sxeslake" in page.title()
            assert not page.locator("#taken, main script, [onmouseover], [onerror]").count(), address
            marks = page.evaluate(f"() => [...document.body.innerText].filter((one) => ({_SPELT})[one])")
            assert not marks, address
            wide = page.evaluate(_WIDE)
            assert not wide, (address[:40], wide)
            page.locator("main").hover()
        seen.go(pages[1])
        told = seen.page.locator("body").inner_text()
        assert (text[:200] if text.isprintable() else r"gnp\u202etxt") in told
        seen.told[:] = [each for each in seen.told if "status of 422" not in each]  # these spectra have odd lengths
