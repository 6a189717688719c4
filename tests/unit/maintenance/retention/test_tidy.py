"""Samples that are copies are joined; every path comes back all the same, and what somebody marked stays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_lakes import group, new_lake, own_store, zip_of

from sxeslake.lake import Lake


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    """One file under three names, as older versions ingested it, and another file."""
    with new_lake(own_store(request)) as opened:
        first = zip_of(tmp_path / "in" / "map.plzip", group(1))
        opened.ingest(first)
        (tmp_path / "in" / "copies").mkdir()
        for name in ("b", "c"):
            copy = Path(shutil.copy(first, tmp_path / "in" / "copies" / f"{name}.plzip"))
            opened.ingest(copy, sample=f"copies/{name}")
        opened.ingest(zip_of(tmp_path / "in" / "other.plzip", group(2)))
        yield opened


def test_copies_are_joined_and_every_path_comes_back(lake: Lake, tmp_path: Path) -> None:
    assert [row.sample for row in lake.tidy(dry_run=True).joined] == ["copies/b", "copies/c"]
    assert len(lake.ls()) == 4
    report = lake.tidy()
    assert [(row.sample, row.into) for row in report.joined] == [("copies/b", "map"), ("copies/c", "map")]
    assert [row.sample for row in lake.ls()] == ["map", "other"]
    assert [path.name for path in lake.show("map").paths] == ["map.plzip", "b.plzip", "c.plzip"]
    assert lake.tidy().commit is None
    lake.pull_share(tmp_path / "back")
    for path in (tmp_path / "in").rglob("*.plzip"):
        assert (tmp_path / "back" / path.relative_to(tmp_path / "in")).read_bytes() == path.read_bytes()
    assert lake.ingest(tmp_path / "in").commit is None


def test_what_somebody_marked_stays(lake: Lake) -> None:
    lake.tag("copies/b", "paper")
    lake.annotate("copies/c", role="standard")
    report = lake.tidy()
    assert [(row.sample, row.kept_because) for row in report.kept] == [
        ("copies/b", "tagged paper"), ("copies/c", "annotated"),
    ]  # fmt: skip
    assert (report.joined, report.commit) == ([], None)
