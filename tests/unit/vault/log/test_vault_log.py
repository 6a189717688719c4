"""Finding the head of the log and folding it: no listing, few requests, no trust."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from support.entries import archive, chain, put
from support.faults import FaultyStore
from support.small_lakes import own_store

from sxeslake.errors import AccessDeniedError, DamagedLakeError, UnreachableError
from sxeslake.format import keys, logentry
from sxeslake.storage import Store
from sxeslake.vault.log import reader as log
from sxeslake.vault.log.state import Head, LogRecord, LogState


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LogState]:
    opened = LogState(tmp_path / "state.sqlite")
    yield opened
    opened.close()


@pytest.mark.parametrize("length", [*range(20), 63, 64, 65])
def test_the_head_is_found_from_anywhere(store: Store, length: int) -> None:
    for number in range(1, length + 1):
        store.create(keys.log_key(number), b"")
    for known in range(length + 1):
        assert log.find_head(store, known) == length


def test_the_head_costs_few_requests(store: Store) -> None:
    for number in range(1, 2001):
        store.create(keys.log_key(number), b"")
    before = store.counters.total
    assert log.find_head(store, 0) == 2000
    assert store.counters.total - before <= 24
    before = store.counters.total
    assert log.find_head(store, 2000) == 2000
    assert store.counters.total - before == 1
    assert store.counters.requests.get("LIST", 0) == 0


def test_a_refusal_is_not_the_end_of_the_log(store: Store) -> None:
    class Refusing(FaultyStore):
        def size(self, key: str) -> int | None:
            raise AccessDeniedError("s3:ListBucket is missing")

    with pytest.raises(AccessDeniedError, match="ListBucket"):
        log.find_head(Refusing(store), 0)


def test_silence_is_not_the_end_of_the_log(store: Store) -> None:
    faulty = FaultyStore(store)
    faulty.plan("error", "size")
    with pytest.raises(UnreachableError):
        log.find_head(faulty, 0)


def test_a_long_log_is_folded_in_order(store: Store, state: LogState) -> None:
    records = chain(*({"archives": (archive("a", number),)} for number in range(1, 601)))
    put(store, records)
    log.sync(store, state)
    assert state.head() == Head(600, records[-1].digest)
    assert state.next_version("a") == 601


def test_new_entries_are_folded_onto_old_ones(store: Store, state: LogState) -> None:
    records = chain({}, {}, {})
    put(store, records[:1])
    log.sync(store, state)
    put(store, records[1:])
    log.sync(store, state)
    log.sync(store, state)
    assert state.head().number == 3


def test_a_body_is_read_with_its_entry(store: Store, state: LogState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 600)
    (record,) = chain({"archives": tuple(archive("a", number) for number in range(1, 30))})
    assert record.body is not None
    put(store, [record])
    digest, _ = logentry.body_of(record.data, where="test") or ("", 0)
    store.create(keys.body_key(digest), record.body)
    log.sync(store, state)
    assert len(state.versions()) == 29
    store.replace(keys.body_key(digest), record.body.replace(b"plzip", b"plzap"))
    with pytest.raises(DamagedLakeError, match="body"):
        log.read_entry(store, 1)


def test_a_lake_restored_from_a_backup_is_folded_anew(store: Store, state: LogState) -> None:
    put(store, chain({"archives": (archive("new"),)}, {}))
    log.sync(store, state)
    store.delete([keys.log_key(1), keys.log_key(2)])
    put(store, chain({"archives": (archive("old"),)}))
    log.sync(store, state)
    assert (state.head().number, state.samples()) == (1, ["old"])


def test_a_backup_that_went_on_is_folded_anew(store: Store, state: LogState) -> None:
    put(store, chain({"archives": (archive("new"),)}, {}))
    log.sync(store, state)
    store.delete([keys.log_key(1), keys.log_key(2)])
    put(store, chain({"archives": (archive("old"),)}, {}, {}))
    log.sync(store, state)
    assert (state.head().number, state.samples()) == (3, ["old"])


def test_an_entry_under_another_number_is_refused(store: Store, state: LogState) -> None:
    first, second = chain({}, {})
    put(store, [first])
    store.create(keys.log_key(2), first.data)
    with pytest.raises(DamagedLakeError, match="states the number 1"):
        log.sync(store, state)
    store.replace(keys.log_key(2), second.data)
    log.sync(store, state)
    assert state.head().number == 2


def test_a_damaged_entry_is_not_folded(store: Store, state: LogState) -> None:
    records = chain({}, {"message": "whole"}, {})
    put(store, records)
    store.replace(keys.log_key(2), records[1].data.replace(b"whole", b"WHALE"))
    with pytest.raises(DamagedLakeError, match=r"log/0+2\.json.*hash"):
        log.sync(store, state)


def test_a_flipped_bit_is_put_right_on_the_way(store: Store, state: LogState) -> None:
    records = chain({}, {"message": "whole"}, {})
    put(store, records)
    store.replace(keys.log_key(2), records[1].data.replace(b"whole", b"whnle"))
    log.sync(store, state)
    assert state.head() == (3, records[2].digest)
    assert state.select("SELECT data FROM entries WHERE number = 2") == [(records[1].data,)]


def test_what_was_folded_outlives_damage_in_the_bucket(store: Store, state: LogState) -> None:
    records = chain({"archives": (archive("a"),)}, {"message": "whole"})
    put(store, records)
    log.sync(store, state)
    store.replace(keys.log_key(2), records[1].data.replace(b"whole", b"whale"))
    log.sync(store, state)
    assert (state.head().number, state.samples()) == (2, ["a"])


@pytest.mark.parametrize("fault", ["truncated", "wrong bytes"])
def test_no_fault_of_a_read_is_believed(store: Store, state: LogState, fault: str) -> None:
    (record,) = chain({"message": "x" * 500})
    put(store, [record])
    for seed in range(20):
        faulty = FaultyStore(store, seed=seed)
        for _ in range(3):
            faulty.plan(fault, "get", "log/")  # type: ignore[arg-type]
        with suppress(DamagedLakeError):
            log.sync(faulty, state)
        assert state.select("SELECT data FROM entries") in ([], [(record.data,)])
        state.forget_everything()
    log.sync(store, state)
    assert state.head().number == 1


@pytest.mark.parametrize("limit", [1, 3000])
def test_a_long_log_is_folded_in_parts(
    store: Store, state: LogState, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    records = chain(*({"archives": (archive("a", number),)} for number in range(1, 12)))
    put(store, records)
    monkeypatch.setattr(log, "_AT_ONCE_BYTES", limit)
    parts: list[int] = []
    real = state.apply

    def apply(some: Sequence[LogRecord]) -> None:
        parts.append(len(some))
        real(some)

    monkeypatch.setattr(state, "apply", apply)
    log.sync(store, state)
    assert state.head() == Head(11, records[-1].digest)
    assert parts == [1] * 11 if limit == 1 else sum(parts) == 11 and 1 < len(parts) < 11
