"""The log in checkpoints: cold clients read segments, and believe only what the chain proves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.entries import archive, chain, put
from support.small_lakes import flip, own_store

from sxeslake.format import checkpoint, keys
from sxeslake.format.lakefile import LakeParameters
from sxeslake.storage import Store
from sxeslake.vault.log import reader as log
from sxeslake.vault.log import segments
from sxeslake.vault.log.state import LogState

LAKE = LakeParameters("2f" * 16, "2026-11-23T02:34:57Z").dump()


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    store = own_store(request)
    store.create(keys.LAKE, LAKE)
    return store


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LogState]:
    with closing(LogState(tmp_path / "state.sqlite")) as state:
        yield state


def long_log(store: Store, state: LogState, count: int) -> None:
    put(store, chain(*({"archives": (archive("a", number),)} for number in range(1, count + 1))))
    log.sync(store, state)


def fold_cold(store: Store, folder: Path) -> tuple[LogState, int]:
    cold = LogState(folder / "cold.sqlite")
    before = store.counters.requests.get("GET", 0)
    log.sync(store, cold)
    return cold, store.counters.requests.get("GET", 0) - before


def test_a_cold_client_reads_segments(store: Store, state: LogState, tmp_path: Path) -> None:
    long_log(store, state, 300)
    segments.publish(store, state)
    put(store, chain({}, {}, head=state.head()))
    cold, requests = fold_cold(store, tmp_path)
    log.sync(store, state)
    assert cold.head() == state.head()
    assert len(cold.versions()) == 300
    assert list(cold.log()) == list(state.log())
    assert requests < 10


def test_publishing_costs_what_is_new(store: Store, state: LogState) -> None:
    long_log(store, state, 200)
    first = segments.publish(store, state)
    assert first is not None
    assert (first.number, first.segments) == (200, 1)
    again = segments.publish(store, state)
    assert again == segments.PublishedLog(200, 0, 0)
    put(store, chain({}, head=state.head()))
    log.sync(store, state)
    more = segments.publish(store, state)
    assert more is not None
    assert more.bytes < first.bytes / 4
    index = segments.newest(store)
    assert index is not None
    assert [(part.first, part.last, part.home) for part in index.segments] == [(1, 200, 200), (201, 201, 201)]


def test_segments_stay_few(store: Store, state: LogState) -> None:
    for _ in range(40):
        put(store, chain({}, head=state.head()))
        log.sync(store, state)
        segments.publish(store, state)
    index = segments.newest(store)
    assert index is not None
    assert (index.number, index.segments[-1].last) == (40, 40)
    assert len(index.segments) <= 6


def test_full_segments_are_cut(store: Store, state: LogState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SEGMENT_ENTRIES", 64)
    long_log(store, state, 150)
    segments.publish(store, state)
    index = segments.newest(store)
    assert index is not None
    assert [part.entries for part in index.segments] == [64, 64, 22]
    assert [record.entry.number for record in segments.entries(store, index, after=100)] == list(range(101, 151))


def test_an_empty_log_has_no_checkpoint(store: Store, state: LogState) -> None:
    assert segments.publish(store, state) is None


def test_damaged_checkpoints_are_passed_over(store: Store, state: LogState, tmp_path: Path) -> None:
    long_log(store, state, 100)
    segments.publish(store, state)
    for number, info in enumerate(sorted(store.list(keys.CHECKPOINT_PREFIX))):
        good = store.get(info.key)
        for at in (0, 12, 80, info.size // 2, info.size - 1):
            flip(store, info.key, at)
            folder = tmp_path / f"{number}-{at}"
            folder.mkdir()
            cold, requests = fold_cold(store, folder)
            assert (cold.head(), requests >= 100) == (state.head(), True)
            store.replace(info.key, good)


def test_a_checkpoint_of_another_log_is_not_believed(store: Store, state: LogState, tmp_path: Path) -> None:
    long_log(store, state, 100)
    segments.publish(store, state)
    for number in range(1, 101):
        store.delete([keys.log_key(number)])
    others = chain(*({"message": "another log"} for _ in range(120)))
    put(store, others)
    cold, _ = fold_cold(store, tmp_path)
    assert cold.head() == (120, others[-1].digest)
    assert cold.versions() == []


def test_an_entry_is_found_in_whichever_checkpoint_has_it(store: Store, state: LogState) -> None:
    long_log(store, state, 10)
    segments.publish(store, state)
    found = segments.find(store, 7)
    assert found is not None
    assert found.data == store.get(keys.log_key(7))
    assert segments.find(store, 11) is None
