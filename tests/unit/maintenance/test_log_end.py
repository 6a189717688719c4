"""The log's end is known: entries lost singly or in runs, a rolled back bucket, forks. Nothing is overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import group, objects, own_store, zip_of

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys, logentry
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.log import commit as committing
from sxeslake.vault.vault import Vault, create_lake

COUNT = 6
NAMES = [f"s{number}" for number in range(1, COUNT + 1)]


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@contextmanager
def opened(store: Store, cache: Path | None = None, *, tolerant: bool = False) -> Iterator[Lake]:
    """A lake as a client opens it; the store outlives it."""
    vault = Vault(store, cache, tolerant=tolerant)
    try:
        yield Lake(vault)
    finally:
        vault._release()


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Path:
    """A lake of six commits, and the cache of a client that has read them all."""
    create_lake(store, {})
    cache = tmp_path / "cache"
    with opened(store, cache) as lake:
        for number, name in enumerate(NAMES, 1):
            lake.ingest(zip_of(tmp_path / f"{name}.plzip", group(number)))
    return cache


def entries(store: Store) -> dict[str, bytes]:
    return {key: data for key, data in objects(store).items() if key.startswith(keys.LOG_PREFIX)}


def names(lake: Lake) -> list[str]:
    return [row.sample for row in lake.ls()]


def lose(store: Store, *numbers: int) -> None:
    store.delete([keys.log_key(number) for number in numbers])


RUNS = [(1,), (2,), (1, 2), (3, 4), (2, 3, 4), (1, 2, 3, 4, 5), (2, 5)]


@pytest.mark.parametrize("lost", RUNS)
def test_a_newcomer_sees_that_entries_are_lost(
    store: Store, filled: Path, tmp_path: Path, lost: tuple[int, ...]
) -> None:
    """What is left is read, nothing is written, and no object is touched."""
    lose(store, *lost)
    before = objects(store)
    with opened(store) as cold:
        told: list[str] = []
        cold.tell_trouble(told.append)
        for number in lost:
            assert any(keys.log_key(number) in line for line in told)
        left = [name for number, name in enumerate(NAMES, 1) if number not in lost]
        assert names(cold) == left
        cold.pull(left[-1], tmp_path / "out.plzip")
        with pytest.raises(DamagedLakeError, match="missing") as refused:
            cold.ingest(zip_of(tmp_path / "new.plzip", group(50)))
        assert "repair" in str(refused.value)
        with pytest.raises(DamagedLakeError):
            cold.gc(grace="0")
    assert objects(store) == before


@pytest.mark.parametrize("lost", [*RUNS, (6,), (5, 6), (4, 5, 6), (1, 2, 3, 4, 5, 6)])
def test_who_has_read_them_puts_them_back(store: Store, filled: Path, tmp_path: Path, lost: tuple[int, ...]) -> None:
    whole = entries(store)
    lose(store, *lost)
    with opened(store, filled) as warm:
        assert names(warm) == NAMES, "what this machine has read stays readable"
        if 6 in lost:  # the head itself: seen at once
            with pytest.raises(DamagedLakeError, match="has read"):
                warm.ingest(zip_of(tmp_path / "new.plzip", group(50)))
    with opened(store, filled, tolerant=True) as warm:
        assert {problem.object for problem in warm.verify().problems} == {keys.log_key(number) for number in lost}
        assert warm.repair().ok
        assert names(warm) == NAMES
    assert entries(store) == whole
    with opened(store) as cold:
        assert names(cold) == NAMES
        assert cold.verify(data=True).problems == []


@pytest.mark.parametrize("at", [64, 128])
def test_now_and_then_a_commit_looks_further(
    store: Store, filled: Path, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries far behind the head do not show one place ahead; a listing finds them."""
    monkeypatch.setattr(committing, "_LISTED_EVERY", at // 64 * 7)
    with opened(store, filled) as warm:
        store.create(keys.log_key(11), b"an entry")
        before = entries(store)
        if at == 64:
            with pytest.raises(DamagedLakeError, match="log entries 7 to 10 are missing, and later ones are there"):
                warm.ingest(zip_of(tmp_path / "new.plzip", group(50)))
            assert entries(store) == before
        else:
            assert warm.ingest(zip_of(tmp_path / "new.plzip", group(50))).commit == 7


def test_an_object_far_away_is_no_part_of_the_log(store: Store, filled: Path, tmp_path: Path) -> None:
    store.create(keys.log_key(10**15), b"nonsense")
    with opened(store) as cold:
        assert names(cold) == NAMES
        assert cold.ingest(zip_of(tmp_path / "new.plzip", group(50))).commit == 7
        assert [problem.object for problem in cold.verify().problems] == [keys.log_key(10**15)]
        assert cold.repair().ok
        assert cold.verify().problems == []


@pytest.mark.parametrize("left", [0, 1, 3, 5])
def test_a_rollback_under_an_open_client_is_said_before_it_writes(
    store: Store, filled: Path, tmp_path: Path, left: int
) -> None:
    with opened(store, filled) as open_all_the_time:
        lose(store, *range(left + 1, COUNT + 1))
        before = entries(store)
        with pytest.raises(DamagedLakeError):
            vault_of(open_all_the_time).commit(
                lambda head: logentry.Entry(head.number + 1, head.digest, "t", "2026-01-01T00:00:00Z", "w", "h", "t")
            )
        with pytest.raises(DamagedLakeError):
            open_all_the_time.ingest(zip_of(tmp_path / "new.plzip", group(50)))
        assert names(open_all_the_time) == NAMES
        assert entries(store) == before


@pytest.mark.parametrize("left", [1, 3, 5])
def test_commits_of_both_sides_of_a_fork_are_in_the_lake_in_the_end(
    store: Store, filled: Path, tmp_path: Path, left: int
) -> None:
    """A bucket is rolled back, somebody else writes on; who has read the lost commits brings them back."""
    lose(store, *range(left + 1, COUNT + 1))
    with opened(store, tmp_path / "other") as other:
        for number in (70, 71):
            other.ingest(zip_of(tmp_path / f"n{number}.plzip", group(number)))
        other.ingest(zip_of(tmp_path / "n72.plzip", group(72)), sample="s6")
        theirs = entries(store)
        assert len(theirs) == left + 3
    with opened(store, filled) as warm:
        told: list[str] = []
        warm.tell_trouble(told.append)
        assert told, "that entries are gone which this machine has read is said"
        assert "n70" in names(warm)
    with opened(store, filled, tolerant=True) as warm:
        report = warm.repair()
        assert report.ok, report.lost
        assert {key: data for key, data in entries(store).items() if key in theirs} == theirs
        assert names(warm) == sorted([*NAMES, "n70", "n71"])
        assert len(warm.ls("s6", all_versions=True)) == 2
        assert warm.verify(data=True).problems == []
        warm.tell_trouble(told.clear)  # type: ignore[arg-type]
    with opened(store) as cold:
        assert names(cold) == sorted([*NAMES, "n70", "n71"])
        for name in NAMES[:5]:
            cold.pull(name, tmp_path / "out" / f"{name}.plzip")
        cold.gc(grace="0")
        assert cold.verify(data=True).problems == []


@pytest.mark.parametrize("lost", [(3, 4), (2, 3, 4)])
def test_a_commit_in_a_hole_is_never_overwritten(
    store: Store, filled: Path, tmp_path: Path, lost: tuple[int, ...]
) -> None:
    """An older client has written into the hole; its entry is proved, and stays as it is."""
    whole = entries(store)
    lose(store, 5, 6, *lost)
    with opened(store) as other:
        other.ingest(zip_of(tmp_path / "hole.plzip", group(90)))
    theirs = store.get(keys.log_key(lost[0]))
    for number in (5, 6):
        store.create(keys.log_key(number), whole[keys.log_key(number)])
    with opened(store, filled, tolerant=True) as warm:
        assert warm.repair().ok
        assert store.get(keys.log_key(lost[0])) == theirs
    with opened(store) as cold:
        assert names(cold) == sorted([*NAMES, "hole"])
        assert cold.verify(data=True).problems == []


def test_without_a_cache_a_hole_with_a_commit_is_repaired_as_far_as_it_goes(
    store: Store, filled: Path, tmp_path: Path
) -> None:
    whole = entries(store)
    lose(store, 3, 4, 5, 6)
    with opened(store) as other:
        other.ingest(zip_of(tmp_path / "hole.plzip", group(90)))
    theirs = store.get(keys.log_key(3))
    for number in (5, 6):
        store.create(keys.log_key(number), whole[keys.log_key(number)])
    with opened(store, tolerant=True) as cold:
        assert not cold.repair().ok
        assert store.get(keys.log_key(3)) == theirs
    with opened(store) as cold:
        assert names(cold) == ["hole", "s1", "s2", "s5", "s6"]
        assert cold.verify(data=True).problems == []
        found = [cold.ingest(tmp_path / f"{name}.plzip").archives[0] for name in ("s3", "s4")]
        assert [(row.status, row.blobs_new) for row in found] == [("added", 0), ("added", 0)]
