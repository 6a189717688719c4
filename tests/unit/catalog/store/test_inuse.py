"""The values that a shell completes, kept beside the local catalogue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from sxeslake.catalog.store import inuse
from sxeslake.catalog.store.database import Database


class Analyses:
    """A database that has these values, and counts how often it is asked."""

    def __init__(self, rows: list[tuple[str, str]]) -> None:
        self.answer = rows
        self.asked = 0

    def has_here(self, table: str) -> bool:
        return table == "analyses"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        assert "FROM analyses" in sql
        self.asked += 1
        return list(self.answer)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    folder = tmp_path / "catalog"
    folder.mkdir()
    (folder / "parts.json").write_text("{}")
    return folder / "parts.json"


def test_values_are_read_again_once_the_catalogue_is_newer(tmp_path: Path, catalogue: Path) -> None:
    """An unchanged catalogue costs no query; a newer one replaces the values."""
    analyses = Analyses([("grating", "JS2000"), ("kind", "map")])
    database = cast(Database, analyses)
    os.utime(catalogue, ns=(1, 1))
    for _ in range(3):
        inuse.note(database, catalogue.parent, catalogue)
    assert analyses.asked == 1
    assert inuse.values_in(tmp_path) == {"grating": ["JS2000"], "kind": ["map"]}

    analyses.answer = [("grating", "JS300N")]
    later = (catalogue.parent / "values.json").stat().st_mtime_ns + 1
    os.utime(catalogue, ns=(later, later))
    inuse.note(database, catalogue.parent, catalogue)
    assert analyses.asked == 2
    assert inuse.values_in(tmp_path) == {"grating": ["JS300N"]}
