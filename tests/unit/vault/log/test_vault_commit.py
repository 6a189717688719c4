"""Commits: one winner a number, a lost reply is found out, what died is never referred to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.entries import archive, chain, manifest, named, pack, put
from support.faults import FaultyStore
from support.small_lakes import own_store

from sxeslake.errors import (
    ConflictError,
    DamagedLakeError,
    DeadObjectsError,
    InputError,
    ReadOnlyError,
    UnreachableError,
)
from sxeslake.format import keys, logentry
from sxeslake.format.lakefile import LakeParameters
from sxeslake.format.logentry import Entry
from sxeslake.storage import Store
from sxeslake.vault.log.commit import blank_entry, commit
from sxeslake.vault.log.state import Head, LogState
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LogState]:
    opened = LogState(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def building(entry: Entry) -> Callable[[Head], Entry]:
    return lambda head: replace(entry, number=head.number + 1, previous=head.digest)


def log_of(store: Store) -> list[str]:
    return sorted(info.key for info in store.list("log/"))


def test_a_commit_is_the_next_entry(store: Store, state: LogState) -> None:
    record = commit(store, state, building(blank_entry("test 1", "hello")))
    assert record is not None
    assert store.get(keys.log_key(1)) == record.data
    assert state.head() == Head(1, record.digest)
    assert record.entry.message == "hello"


def test_nothing_to_say_is_no_commit(store: Store, state: LogState) -> None:
    assert commit(store, state, lambda _: None) is None
    assert log_of(store) == []


def test_after_a_lost_race_the_entry_is_built_anew(store: Store, state: LogState) -> None:
    put(store, chain({"message": "theirs"}, {"message": "theirs too"}))
    entry, heads = blank_entry("test"), []

    def build(head: Head) -> Entry:
        heads.append(head.number)
        return building(entry)(head)

    record = commit(store, state, build)
    assert record is not None
    assert (heads, record.entry.number, record.entry.transaction) == ([0, 2], 3, entry.transaction)


def test_the_reason_may_be_gone_after_a_lost_race(store: Store, state: LogState) -> None:
    put(store, chain({"message": "theirs"}))
    assert commit(store, state, lambda head: building(blank_entry("t"))(head) if head.number == 0 else None) is None
    assert len(log_of(store)) == 1


def test_a_lost_reply_is_found_out(store: Store, state: LogState) -> None:
    faulty = FaultyStore(store)
    faulty.plan("lost reply", "create", "log/")
    record = commit(faulty, state, building(blank_entry("test")))
    assert record is not None
    assert (record.entry.number, len(log_of(store)), state.head().number) == (1, 1, 1)


def test_a_reply_that_says_taken_after_success_is_found_out(store: Store, state: LogState) -> None:
    """A client library repeats a PUT whose reply was lost, and is told that the key is taken: by itself."""
    entry = blank_entry("test")
    data, _ = logentry.dump(building(entry)(Head(0, None)))
    store.create(keys.log_key(1), data)
    record = commit(store, state, building(entry))
    assert record is not None
    assert (record.data, len(log_of(store)), state.head().number) == (data, 1, 1)


def test_a_put_that_never_arrived_is_an_error(store: Store, state: LogState) -> None:
    faulty = FaultyStore(store)
    faulty.plan("error", "create", "log/")
    with pytest.raises(UnreachableError):
        commit(faulty, state, building(blank_entry("test")))
    assert (log_of(store), state.head().number) == ([], 0)


def test_a_lost_put_and_a_lost_race_at_once(store: Store, state: LogState) -> None:
    put(store, chain({"message": "theirs"}))
    faulty = FaultyStore(store)
    faulty.plan("error", "create", "log/")
    record = commit(faulty, state, building(blank_entry("test")))
    assert record is not None
    assert record.entry.number == 2


def test_a_body_goes_first(store: Store, state: LogState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 600)
    ids = tuple(named(number) for number in range(50))
    faulty = FaultyStore(store)
    faulty.plan("error", "create", "log/0")
    entry = replace(blank_entry("test"), condemned_packs=ids)
    with pytest.raises(UnreachableError):
        commit(faulty, state, building(entry))
    assert [key for key in log_of(store) if not key.startswith(keys.BODY_PREFIX)] == []
    record = commit(store, state, building(entry))  # the body is there already
    assert record is not None
    assert state.condemned("packs", ids) == set(ids)
    assert len(log_of(store)) == 2


def test_condemned_objects_are_never_referred_to(store: Store, state: LogState) -> None:
    put(
        store,
        chain(
            {"packs": (pack(1), pack(2)), "manifests": (manifest(3),)},
            {"condemned_packs": (named(1), named(8)), "condemned_manifests": (named(3), named(9))},
        ),
    )
    for number in (1, 8):
        store.create(keys.pack_key(named(number)), b"not deleted yet")
    for number in (3, 9):
        store.create(keys.manifest_key(named(number)), b"not deleted yet")
    commit(store, state, lambda _: None)
    blank = blank_entry("test")
    needing = archive("a", manifest_id=named(3))
    for dead in (
        replace(blank, packs=(pack(8),)),
        replace(blank, manifests=(manifest(9),)),
        replace(blank, archives=(needing,)),
        replace(blank, archives=(replace(needing, manifest=named(9), needs=(named(1),)),)),
        replace(blank, replaced={named(2): (named(1),)}),
    ):
        with pytest.raises(DeadObjectsError, match="collected meanwhile"):
            commit(store, state, building(dead))
    assert len(log_of(store)) == 2


def test_what_dies_during_a_lost_race_is_noticed(store: Store, state: LogState) -> None:
    added, condemned = chain({"packs": (pack(1),)}, {"condemned_packs": (named(1),)})
    put(store, [added])
    store.create(keys.manifest_key(named(5)), b"ours")
    entry = replace(
        blank_entry("t"), manifests=(manifest(5),), archives=(archive("a", manifest_id=named(5), needs=(named(1),)),)
    )
    state.apply([added])

    def build(head: Head) -> Entry:
        if head.number == 1:
            put(store, [condemned])  # the collector is faster
        return building(entry)(head)

    with pytest.raises(DeadObjectsError):
        commit(store, state, build)
    assert len(log_of(store)) == 2


def test_packs_of_nobody_are_not_needed(store: Store, state: LogState) -> None:
    """A pack that no entry ever added is no pack of the lake, even if its object is there."""
    store.create(keys.pack_key(named(1)), b"an orphan")
    store.create(keys.manifest_key(named(5)), b"ours")
    entry = replace(
        blank_entry("t"), manifests=(manifest(5),), archives=(archive("a", manifest_id=named(5), needs=(named(1),)),)
    )
    with pytest.raises(DeadObjectsError):
        commit(store, state, building(entry))


@pytest.mark.parametrize("kind", ["packs", "manifests"])
def test_own_objects_are_asked_for(store: Store, state: LogState, kind: str) -> None:
    adding = (
        replace(blank_entry("t"), packs=(pack(1),))
        if kind == "packs"
        else replace(blank_entry("t"), manifests=(manifest(1),))
    )
    with pytest.raises(DeadObjectsError):
        commit(store, state, building(adding))
    store.create(keys.pack_key(named(1)) if kind == "packs" else keys.manifest_key(named(1)), b"ours")
    assert commit(store, state, building(adding)) is not None


def test_eight_writers_have_one_winner_a_number(store: Store, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        own = LogState(tmp_path / f"{writer}.sqlite")
        try:
            for _ in range(5):
                commit(store, own, building(blank_entry(f"writer {writer}")))
        except BaseException as error:
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert log_of(store) == [keys.log_key(number) for number in range(1, 41)]
    reader = LogState(tmp_path / "reader.sqlite")
    commit(store, reader, lambda _: None)
    assert commit(store, reader, lambda head: None if head.number == 0 else building(blank_entry("r"))(head)) is None
    reader.close()


def test_losing_for_ever_ends(store: Store, state: LogState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sxeslake.vault.log.commit._BACK_OFF_S", 0)
    monkeypatch.setattr("sxeslake.vault.log.commit._ATTEMPTS", 5)

    def build(head: Head) -> Entry:
        put(store, chain({"message": "faster"}, head=head))
        return building(blank_entry("slow"))(head)

    with pytest.raises(ConflictError, match="other commits came first"):
        commit(store, state, build)
    assert len(log_of(store)) == 5


def test_a_newer_lake_is_not_written(store: Store) -> None:
    store.create(keys.LAKE, LakeParameters("a" * 32, "2030-01-01T00:00:00Z", format=2).dump())
    vault = Vault(store, None)
    with pytest.raises(ReadOnlyError, match="format 2"):
        vault.commit(building(blank_entry("test")))
    assert log_of(store) == []
    vault.close()


def test_a_message_that_is_no_text_is_kept_readable() -> None:
    assert blank_entry("t", "caf\udce9").message == "caf\\udce9"


def test_what_readers_would_pass_over_is_not_committed(store: Store, state: LogState) -> None:
    """A commit that every reader ignores must not look like a success."""
    store.create(keys.manifest_key(named(0)), b"a manifest")
    for odd in (
        replace(
            blank_entry("t"),
            manifests=(manifest(0),),
            archives=(replace(archive("a", 1), source={"modified_ns": 2**63}),),
        ),
        replace(blank_entry("t"), manifests=(manifest(0),), archives=(replace(archive("a", 1), sample="../up"),)),
        replace(blank_entry("t"), time="yesterday"),
    ):
        with pytest.raises(InputError, match="breaks a rule of the log"):
            commit(store, state, building(odd))
    assert (log_of(store), state.head().number) == ([], 0)


def test_a_cache_that_another_process_moves_on_is_a_lost_race(store: Store, state: LogState, tmp_path: Path) -> None:
    """Processes share the folded state: it can know the winner's commit before this one has tried its own."""
    store.create(keys.manifest_key(named(0)), bytes(700))
    other = LogState(tmp_path / "state.sqlite")
    entry, heads = blank_entry("test"), []

    def build(head: Head) -> Entry:
        heads.append(head.number)
        if len(heads) == 1:
            theirs = chain({"archives": (archive("a", manifest_id=named(0)),)}, head=head)
            put(store, theirs)
            other.apply(theirs)
        number = state.next_version("a") if len(heads) > 1 else 1
        return replace(building(entry)(head), archives=(archive("a", number, manifest_id=named(0)),))

    record = commit(store, state, build)
    assert record is not None
    assert (heads, record.entry.number, record.entry.archives[0].version) == ([0, 1], 2, 2)
    other.close()


def test_what_the_log_has_is_never_committed_again(store: Store, state: LogState) -> None:
    put(store, chain({"archives": (archive("a", manifest_id=named(0)),)}))
    again = replace(blank_entry("test"), archives=(archive("a", manifest_id=named(0)),))
    with pytest.raises(ConflictError, match="a@1, which is there already"):
        commit(store, state, lambda head: building(again)(head) if head.number else building(blank_entry("t"))(head))
    assert len(log_of(store)) == 1


@pytest.mark.parametrize("damage", ["missing", "cut short", "grown"])
@pytest.mark.parametrize("kind", ["pack", "manifest"])
def test_no_commit_is_the_first_to_need_what_the_bucket_has_lost(
    store: Store, state: LogState, kind: str, damage: str
) -> None:
    """Whatever makes the entry: packs and manifests of others are there, in the size that the log names."""
    theirs = chain({"packs": (pack(1),), "manifests": (manifest(2),)})
    put(store, theirs)
    state.apply(theirs)
    sizes = {keys.pack_key(named(1)): 500, keys.manifest_key(named(2)): 700}
    lost = keys.pack_key(named(1)) if kind == "pack" else keys.manifest_key(named(2))
    for key, size in sizes.items():
        store.create(key, bytes(size))
    if damage == "missing":
        store.delete([lost])
    else:
        store.replace(lost, bytes(sizes[lost] + (1 if damage == "grown" else -1)))
    new = replace(blank_entry("test"), archives=(archive("a", manifest_id=named(2), needs=(named(1),)),))
    with pytest.raises(DamagedLakeError, match="missing or cut short") as refusal:
        commit(store, state, building(new))
    assert refusal.value.where == lost
    assert state.head().number == 1
    store.replace(lost, bytes(sizes[lost]))
    assert commit(store, state, building(new)) is not None
