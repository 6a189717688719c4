"""A sample under another name: everything that is known of it goes with it, and no byte moves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.small_lakes import group, new_lake, objects, own_store, zip_of

from sxeslake.errors import AlreadyExistsError, SampleNotFoundError, UsageError
from sxeslake.lake import Lake


@pytest.fixture
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(own_store(request))


@pytest.fixture
def lake(store: FaultyStore, tmp_path: Path) -> Iterator[Lake]:
    with new_lake(store) as opened:
        for seed in (1, 2):
            opened.ingest(zip_of(tmp_path / "in" / "old.plzip", group(seed)))
        shutil.copy(tmp_path / "in" / "old.plzip", tmp_path / "in" / "copy.plzip")
        opened.ingest(tmp_path / "in" / "copy.plzip")
        opened.tag("old@1", "paper")
        opened.hold("old@2")
        opened.annotate("old", role="standard")
        opened.annotate("old@2", mount="M3")
        yield opened


def test_all_that_is_known_goes_with_the_name(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    before = {version: lake.show(f"old@{version}") for version in (1, 2)}
    data = {key: value for key, value in objects(store).items() if not key.startswith("log/")}
    report = lake.rename("old", "2018/new")
    assert (report.versions, report.to) == ([1, 2], "2018/new")
    assert {key: value for key, value in objects(store).items() if not key.startswith("log/")} == data
    with pytest.raises(SampleNotFoundError):
        lake.show("old")
    for version, was in before.items():
        now = lake.show(f"2018/new@{version}")
        for name in ("ingested_at", "who", "source", "tags", "held", "content_id", "paths"):
            assert getattr(now, name) == getattr(was, name), name
        assert [(said.key, said.value) for said in now.annotations] == [(s.key, s.value) for s in was.annotations]
    assert lake.pull("2018/new@paper", tmp_path / "out.plzip").version == 1
    lake.gc(grace="0")
    assert lake.pull("2018/new", tmp_path / "two.plzip").exact
    assert (tmp_path / "two.plzip").read_bytes() == (tmp_path / "in" / "old.plzip").read_bytes()
    assert lake.verify(data=True).ok
    assert lake.ingest(tmp_path / "in").commit is None


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_name_that_is_taken_is_refused(lake: Lake, tmp_path: Path, forgotten: bool) -> None:
    lake.ingest(zip_of(tmp_path / "other.plzip", group(5)))
    if forgotten:
        lake.forget("other")
    with pytest.raises(AlreadyExistsError):
        lake.rename("old", "other")


@pytest.mark.parametrize("name", ["a@2", "", "a//b", "../x"])
def test_a_name_that_is_none_is_refused(lake: Lake, name: str) -> None:
    with pytest.raises(UsageError):
        lake.rename("old", name)


def test_a_drill_finds_what_does_not_come_back(lake: Lake, store: FaultyStore) -> None:
    report = lake.drill(percent=100, seed=1)
    assert (report.ok, [row.status for row in report.files]) == (True, ["exact", "exact"])
    assert len(lake.drill(percent=1).files) == 1
    pack = next(key for key in objects(store) if key.startswith("packs/"))
    store.delete([pack])
    report = lake.drill(percent=100)
    assert (report.ok, "failed" in [row.status for row in report.files]) == (False, True)


@pytest.mark.parametrize("name", ["a\u202eb", "a\x85", "a\u2028b", "a@b", "a//b", "..", "\x1b[2J", ""])
def test_a_name_that_ingest_refuses_is_refused(lake: Lake, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a sample"):
        lake.rename("old", name)
    if name:
        with pytest.raises(UsageError, match="cannot be the name of a sample"):
            lake.ingest(tmp_path / "in" / "old.plzip", sample=name)
