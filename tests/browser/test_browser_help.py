"""The documentation below `/help` in a real browser: its search works, and its policy refuses none of its scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.web_pages import visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUILT = Path(__file__).parents[2] / "build" / "docs" / "index.html"


@pytest.mark.skipif(not BUILT.is_file(), reason="the documentation is not built: make docs")
def test_help_is_found_and_searched(served_lake: str, chrome: Browser) -> None:
    with visitor(chrome, served_lake) as visit:
        visit.page.goto(f"{served_lake}find")
        visit.page.click("header >> text=Help")
        visit.page.wait_for_url("**/help/")
        visit.page.goto(f"{served_lake}../help/search.html?q=deduplication")
        visit.page.wait_for_selector("#search-results li a")
        visit.page.click("#search-results li a >> nth=0")
        visit.page.wait_for_selector("h1")
        assert "/help/" in visit.page.url
        assert visit.page.evaluate("document.documentElement.dataset.theme") in ("light", "dark")
        assert visit.told == []
