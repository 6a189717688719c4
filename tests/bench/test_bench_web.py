"""The load test of the web page works: a small lake, a few clients, some seconds; no page fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.web_load import addresses, load


@pytest.mark.skipif(sys.platform == "win32", reason="the server is ended by a signal of POSIX")
def test_a_few_clients_for_some_seconds(tmp_path: Path) -> None:
    found = load(tmp_path, archives=40, real=30, clients=3, seconds=3)
    assert found.failed == 0, found.line()
    assert found.requests > 20
    assert found.first_ms > 0
    assert found.memory[-1] < 600
    assert "40 archives: first page" in found.line()


def test_every_kind_of_page_is_asked_for() -> None:
    asked = {page for page, _ in (pair for pair, _ in zip(addresses(1, 10), range(400), strict=False))}
    assert {"find", "archive", "analysis", "position", "compare", "question", "overview"} <= asked
