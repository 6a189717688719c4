"""From a condition to a file on one's own disk, with a mouse, with the keyboard alone, and on a narrow window."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from support.web_pages import Visitor, visitor

from sxeslake.archive import open_group

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_MAP = "2019%2Fchalcopyrite+map@2"


def _drag(seen: Visitor, css: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over an element, from one share of its width and height to another."""
    place = seen.page.locator(css).first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    mouse = seen.page.mouse
    points = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    mouse.move(*points[0])
    mouse.down()
    mouse.move(*points[1], steps=6)
    mouse.up()


def test_from_a_condition_to_an_archive_on_disk(served_lake: str, chrome: Browser, tmp_path: Path) -> None:
    with visitor(chrome, served_lake, accept_downloads=True) as seen:
        page = seen.page
        seen.go("find")
        page.get_by_role("link", name=re.compile(r"^5\s*\d+$")).click()  # a bar of the histogram of voltages
        seen.until("location.search.includes('kv=5')")
        seen.until("document.querySelectorAll('.chip').length === 1")
        page.get_by_role("link", name="map", exact=True).first.click()
        seen.until("document.querySelector('#sum-plot .u-over') && document.querySelector('#map-image').naturalWidth")
        before = page.locator("#map-scale").get_attribute("src")

        _drag(seen, "#sum-plot .u-over", (0.5, 0.5), (0.6, 0.5))  # a region of the spectrum
        seen.until("document.querySelector('[name=low]').value && location.search.includes('high=')")
        seen.until(f"document.querySelector('#map-scale').getAttribute('src') !== {before!r}")
        low, high = (float(page.locator(f"[name={name}]").input_value()) for name in ("low", "high"))
        assert 80 < low < high < 900
        seen.settle()
        page.reload()  # the address has it all
        seen.settle()
        assert float(page.locator("[name=low]").input_value()) == low

        _drag(seen, "#map-canvas", (0.05, 0.05), (0.45, 0.95))  # a part of the stage
        seen.until("document.querySelector('#selection .take').textContent.includes(' 12 positions')")
        seen.until("document.querySelector('#sum-head').textContent === 'Sum spectrum of 12 positions'")
        with page.expect_download() as coming:
            page.locator("#selection").get_by_role("link", name="plzip").click()
        out = tmp_path / coming.value.suggested_filename
        coming.value.save_as(out)
        with open_group(out) as archive:
            assert len(archive.positions) == 12
            assert all(position.qlw.size for position in archive.positions)

        page.locator("#selection table").get_by_role("link").nth(1).click()  # the first one is the standard
        page.get_by_role("link", name="Compare with own standards").click()
        seen.until("document.querySelectorAll('.u-legend .u-series').length === 3")
        assert "CuFeS2" in page.locator(".table table").first.inner_text()
        seen.settle()


def test_the_keyboard_is_enough(served_lake: str, chrome: Browser) -> None:
    with visitor(chrome, served_lake) as seen:
        page, press = seen.page, seen.page.keyboard.press
        seen.go("find")
        press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "skip"
        press("Enter")
        _tab_to(seen, "document.activeElement.name === 'text'")
        page.keyboard.type("grain boundary")
        press("Enter")
        seen.until("location.search.includes('text=grain')")
        seen.settle()
        _tab_to(seen, "document.activeElement.textContent === 'map' && document.activeElement.closest('table')")
        press("Enter")
        seen.until("document.querySelector('#map-image')?.naturalWidth && document.querySelector('#sum-plot canvas')")
        _tab_to(seen, "document.activeElement.id === 'map-canvas'")
        press("ArrowRight")
        press("ArrowRight")
        seen.until("/^Position 2: .* counts; stage/.test(document.querySelector('#map-reading').textContent)")
        seen.settle()
        press("Enter")
        seen.until("location.pathname.endsWith('/position')")
        assert page.locator("h1").inner_text().startswith("Position 2019/chalcopyrite map@2:2")
        _tab_to(seen, "document.activeElement.textContent === 'Compare with own standards'")
        press("Enter")
        seen.until("document.querySelectorAll('.u-legend .u-series').length === 3")
        seen.settle()


def _tab_to(seen: Visitor, expression: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(120):
        if seen.page.evaluate(f"() => Boolean({expression})"):
            return
        seen.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes there: {expression}")


def test_going_back_shows_what_was_there(served_lake: str, chrome: Browser) -> None:
    with visitor(chrome, served_lake) as seen:
        seen.go("find")
        seen.page.get_by_role("link", name=re.compile("^JS300N")).click()
        seen.until("document.querySelectorAll('.chip').length === 1")
        seen.page.go_back()
        seen.until("document.querySelectorAll('.chip').length === 0")
        seen.settle()


def test_without_scripts_the_pages_show_drawings(served_lake: str, chrome: Browser) -> None:
    with visitor(chrome, served_lake, java_script_enabled=False) as seen:
        for address, drawing in (
            (f"analysis?of={_MAP}&analysis=1", "Sum spectrum of the selected positions"),
            (f"position?of={_MAP}:2", "Spectrum of 2019/chalcopyrite map@2:2"),
        ):
            seen.go(address)
            assert seen.page.get_by_alt_text(drawing).is_visible()
            assert not seen.page.locator("#map-tools:visible, #sum-reading:visible").count()
