"""A flipped bit in any region of any kind of object: found, the archives named, never data, mended from the sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from support.small_lakes import flip, group, new_vault, objects, own_store, zip_of

from sxeslake.errors import SxeslakeError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.vault import Vault

Members = dict[str, dict[str, bytes]]
PLACES = 5  # a region, and its two ends


class Small:
    """A lake of three archives in two commits, one of them from a checkpointed log."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        shared = group(1)
        self.sources = [
            zip_of(folder / "a.plzip", shared),
            zip_of(folder / "b.plzip", group(2, positions=3)),
            zip_of(folder / "c.plzip", {**shared, "note.txt": b"x" * 300}),
        ]
        with Lake(new_vault(store)) as lake:
            lake.ingest(self.sources[:2])
            lake.ingest(self.sources[2])
            names = [f"{row.sample}@{row.version}" for row in lake.ls(all_versions=True)]
            self.members = {name: read_all(lake, name) for name in names}
        self.good = objects(store)

    def restore(self) -> None:
        """As it was."""
        self.store.delete([key for key in objects(self.store) if key not in self.good])
        for key, data in self.good.items():
            if self.store.size(key) is None or self.store.get(key) != data:
                self.store.replace(key, data)


def read_all(lake: Lake, name: str) -> dict[str, bytes]:
    return {row.path: lake.read(name, row.path) for row in lake.members(name) if row.kind == "file"}


@pytest.fixture
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Small:
    return Small(own_store(request), tmp_path)


def regions(key: str, size: int) -> Iterator[tuple[int, int]]:
    """Head, middle and tail of an object; a pack's and a manifest's last 100 bytes are footers' ends."""
    yield 0, min(32, size)
    if size > 160:
        yield 32, size - 100
    yield max(0, size - 100), size


def cold(store: Store) -> Lake:
    """A client that has no cache."""
    return Lake(Vault(store, None, tolerant=True))


@pytest.mark.parametrize("prefix", [keys.PACK_PREFIX, keys.MANIFEST_PREFIX, keys.LOG_PREFIX, keys.LAKE])
def test_each_region_is_found_named_never_returned_and_mended(small: Small, prefix: str) -> None:
    dice = Random(4)
    for key in sorted(key for key in small.good if key.startswith(prefix)):
        size = len(small.good[key])
        for start, end in regions(key, size):
            for at in sorted([*dice.sample(range(start, end), min(PLACES, end - start)), start, end - 1]):
                flip(small.store, key, at, 1 << dice.randrange(8))
                check(small, key, at)
                small.restore()


def check(small: Small, key: str, at: int) -> None:
    with cold(small.store) as lake:
        found = lake.verify(data=True)
        assert not found.ok, (key, at)
        (problem,) = [problem for problem in found.problems if problem.object == key][:1]
        assert problem.affects, (key, at, problem)
        assert set(problem.affects) <= small.members.keys()
        assert_never_wrong(lake, small.members)
        mended = lake.repair(small.sources)
        assert mended.ok, (key, at, mended.lost)
    with Lake(Vault(small.store, None)) as again:
        assert again.verify(data=True).problems == [], (key, at)
        for name, members in small.members.items():
            assert read_all(again, name) == members


def assert_never_wrong(lake: Lake, truth: Members) -> None:
    for name, members in truth.items():
        for path, data in members.items():
            with suppress(SxeslakeError):
                assert lake.read(name, path) == data


@pytest.mark.parametrize("prefix", [keys.PACK_PREFIX, keys.MANIFEST_PREFIX])
def test_a_lost_object_is_made_anew_from_the_sources(small: Small, prefix: str) -> None:
    for key in sorted(key for key in small.good if key.startswith(prefix)):
        for damage in (b"", small.good[key][: len(small.good[key]) // 2], small.good[key] + b"!", None):
            small.store.delete([key])
            if damage is not None:
                small.store.create(key, damage)
            check(small, key, -1)
            small.restore()


def test_without_an_offer_the_rest_stays_readable_and_what_is_lost_is_listed(small: Small, tmp_path: Path) -> None:
    (key,) = [key for key in small.good if key.startswith(keys.PACK_PREFIX) and b"SXf1" in small.good[key][24:]][:1]
    flip(small.store, key, 70)
    with cold(small.store) as lake:
        report = lake.repair()
        assert not report.ok
        lost = {(item.archive, str(item.member)) for item in report.lost}
        assert lost <= {(name, path) for name, members in small.members.items() for path in members}
        for name, members in small.members.items():
            gone = sorted(path for archive, path in lost if archive == name)
            pulled = lake.pull(name, tmp_path / f"{name}.zip", skip_damaged=True)
            assert sorted(pulled.damaged) == gone
            for path, data in members.items():
                if path not in gone:
                    assert lake.read(name, path) == data


def test_a_dry_run_changes_nothing(small: Small) -> None:
    for prefix in (keys.PACK_PREFIX, keys.MANIFEST_PREFIX, keys.LOG_PREFIX, keys.LAKE):
        key = min(key for key in small.good if key.startswith(prefix))
        flip(small.store, key, len(small.good[key]) // 2)
        before = objects(small.store)
        with cold(small.store) as lake:
            report = lake.repair(small.sources, dry_run=True)
        assert (report.ok, objects(small.store) == before) == (True, True), prefix
        assert any(item.object == key for item in report.mended), prefix
        small.restore()


def test_nothing_wrong_is_nothing_to_do(small: Small) -> None:
    with cold(small.store) as lake:
        report = lake.repair(small.sources)
    assert (report.ok, report.problems, report.mended, report.commit) == (True, 0, [], None)
    assert objects(small.store) == small.good
