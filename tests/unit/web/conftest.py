"""A small facility in memory, with a standard, and clients of its web page."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.lake import Lake
from sxeslake.web.app import create_app

MAP = "2019/chalcopyrite map@2"


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Maps of 4 × 3 positions; position 1 of the copper map is a standard."""
    archives = tmp_path_factory.mktemp("facility")
    synthetic_facility(archives, nx=4, ny=3)
    with sxeslake.init(f"memory://{uuid4().hex}") as made:
        made.ingest(archives)
        (first,) = made.measured(MAP, positions="1")
        made.annotate(MAP, role="standard", material="CuFeS2", position=first.position_uuid)
        made.annotate("2020/steel carbide", operator_note="repolished")
        yield made


@pytest.fixture
def client(lake: Lake) -> TestClient:
    """Asks for pages of the lake `epma`."""
    return TestClient(create_app({"epma": lake}), base_url="http://localhost/epma/", follow_redirects=False)
