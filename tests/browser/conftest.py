"""The web page as a real browser sees it: a small facility, served by the command, and Debian's Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import web_pages

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with maps of 6 × 4 positions; position 1 of the copper map is a standard."""
    web_pages.chromium()  # before the work: without it there is nothing to do
    folder = tmp_path_factory.mktemp("facility")
    synthetic_facility(folder / "archives", nx=6, ny=4)
    with sxeslake.init(str(folder / "epma")) as lake:
        lake.ingest(folder / "archives")
        ref = "2019/chalcopyrite map@2"
        (first,) = lake.measured(ref, positions="1")
        lake.annotate(ref, role="standard", material="CuFeS2", position=first.position_uuid)
    return folder / "epma"


@pytest.fixture(scope="session")
def served_lake(facility: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of that lake's pages."""
    env = {"SXESLAKE_CACHE": str(tmp_path_factory.mktemp("cache"))}
    with web_pages.served("serve", "--lake", str(facility), env=env) as address:
        yield f"{address}epma/"


@pytest.fixture
def chrome() -> Iterator[Browser]:
    """A browser for one test; Playwright keeps a loop running, which other tests must not meet."""
    with web_pages.browser() as started:
        yield started
