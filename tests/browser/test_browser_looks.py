"""Every page by day, by night and on a narrow window: no serious fault for anyone, nothing wider than the window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.web_pages import visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_MAP = "2019%2Fchalcopyrite+map@2"
_PAGES = (
    "find", "find?kv=5&kind=map", "find?kv=300", f"archive?of={_MAP}",
    f"analysis?of={_MAP}&analysis=1&low=500&high=520",
    f"position?of={_MAP}:3", f"compare?p={_MAP}:3&p={_MAP}:4&standards=1", "compare", "questions",
    "question?q=maps-by-beam-condition&kv=5", "sql?sql=SELECT+sample,+kind+FROM+analyses", "sql?sql=SELECT+no",
    "overview",
)  # fmt: skip
_LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 340, "height": 700}},
}


@pytest.mark.parametrize("look", _LOOKS)
def test_axe_finds_no_serious_fault_and_nothing_is_too_wide(served_lake: str, chrome: Browser, look: str) -> None:
    faults: dict[str, list[str]] = {}
    with visitor(chrome, served_lake, **_LOOKS[look]) as seen:
        for address in _PAGES:
            seen.go(address)
            found = seen.faults()
            wide = seen.page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth")
            faults[address] = found + ([f"{wide} pixels too wide"] if wide > 0 else [])
    assert not any(faults.values()), faults


def test_pages_of_errors_are_pages_too(served_lake: str, chrome: Browser) -> None:
    with visitor(chrome, served_lake) as seen:
        for address, words in (
            ("archive?of=nothing", "Not found"),
            ("nowhere", "Not found"),
            ("position", "This address cannot be understood"),
        ):
            seen.go(address)
            assert seen.page.locator("h1").inner_text() == words
            assert not seen.faults()
            assert seen.page.locator("main a").count() == 1
        assert len(seen.told) == 3  # Chromium writes failed answers to the console
        assert all("Failed to load resource" in text for text in seen.told)
        seen.told.clear()


def test_paper_shows_the_content_without_what_is_pressed(served_lake: str, chrome: Browser) -> None:
    with visitor(chrome, served_lake) as seen:
        seen.go(f"analysis?of={_MAP}&analysis=1")
        seen.page.emulate_media(media="print")
        assert seen.page.locator("#map-image").is_visible()
        assert not seen.page.locator("nav").is_visible()
        assert not seen.page.locator("#map-tools").is_visible()
