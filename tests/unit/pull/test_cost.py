"""A dry run says what a pull then fetches: within 10 %, of every part, with and without what is here already."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.internals import vault_of
from support.seaweed import Seaweed

from sxeslake.archive import synthetic_map
from sxeslake.lake import Lake, init, open_lake

PARTS: dict[str, dict[str, Any]] = {
    "all": {"members": ["*"]},
    "some": {"positions": ["1..10"]},
    "scattered": {"positions": ["1", "26", "51", "76"]},
    "spectra": {"types": ["qlw"]},
    "images and spectra of a few": {"positions": ["5..9"], "types": ["xes"]},
}
Open = Callable[[], Lake]


class Told:
    """What a progress was told."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.done = 0

    def start(self, task: str, total_bytes: int | None) -> None:
        self.total = total_bytes

    def advance(self, done_bytes: int) -> None:
        assert done_bytes > 0
        self.done += done_bytes

    def finish(self) -> None:
        pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("map") / "map.plzip"
    with zipfile.ZipFile(path, "w") as packed:
        for member, data in synthetic_map(1, 10, 10):
            packed.writestr(member.path, data)
    return path


@pytest.fixture
def local(archive: Path, tmp_path: Path) -> Open:
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(archive, exact="never")
    return lambda: open_lake(str(tmp_path / "lake"))


@pytest.fixture
def remote(archive: Path, s3_server: Seaweed, tmp_path: Path) -> Open:
    url = f"s3://lake/{tmp_path.name}"
    with init(url, storage_options=s3_server.options()) as lake:
        lake.ingest(archive, exact="never")
    return lambda: open_lake(url, storage_options=s3_server.options())


def planned(again: Open, part: dict[str, Any]) -> tuple[int, int]:
    """What a dry run says, and what it has read itself."""
    with again() as lake:
        report = lake.pull_part("map", **part, dry_run=True)
        assert report.bytes_fetch is not None
        return report.bytes_fetch, vault_of(lake).store.counters.bytes_in


def fetched(again: Open, part: dict[str, Any], out: Path, planning: int) -> tuple[int, Told]:
    """What a pull fetches beyond planning, and what its progress was told."""
    told = Told()
    with again() as lake:
        lake.pull_part("map", **part, out=out, progress=told)
        return vault_of(lake).store.counters.bytes_in - planning, told


def agrees(said: int, was: int) -> bool:
    return abs(said - was) <= 0.1 * was


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_part_of_a_local_lake(local: Open, tmp_path: Path, part: dict[str, Any]) -> None:
    said, planning = planned(local, part)
    was, told = fetched(local, part, tmp_path / "part.plzip", planning)
    assert was > 10_000
    assert agrees(said, was), (said, was)
    assert told.total == said
    assert agrees(told.done, was), (told.done, was)


@pytest.mark.s3
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_part_over_s3(remote: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any]) -> None:
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "a machine that has read nothing"))
    said, planning = planned(remote, part)
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "another"))
    was, told = fetched(remote, part, tmp_path / "part.plzip", planning)
    assert was > 10_000
    assert agrees(said, was), (said, was)
    assert agrees(told.done, was), (told.done, was)
    warm, planning = planned(remote, part)
    moved, told = fetched(remote, part, tmp_path / "again.plzip", planning)
    assert (warm, moved, told.done) == (0, 0, 0)
    wider, planning = planned(remote, PARTS["all"])  # of which a part is here
    was, _ = fetched(remote, PARTS["all"], tmp_path / "all.plzip", planning)
    assert agrees(wider, was) or was < 10_000, (wider, was)


def test_a_whole_archive(local: Open, tmp_path: Path) -> None:
    said, _ = planned(local, PARTS["all"])
    told = Told()
    with local() as lake:
        lake.pull("map", tmp_path / "whole.plzip", progress=told)
    assert told.total is not None
    assert agrees(said, told.total)
    assert agrees(told.done, told.total), (told.done, told.total)
