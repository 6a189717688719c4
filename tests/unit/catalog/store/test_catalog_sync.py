"""Keeping up with the log: incremental, forgetful, shared, and rebuilt from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.catalog_source import MemorySource, group, state

from sxeslake.catalog.build.parts import MERGE_WIDTH
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.checkpoint import needed_keys, newest, published_numbers
from sxeslake.catalog.store.database import Database
from sxeslake.catalog.store.snapshot import Snapshot, manifest_key
from sxeslake.catalog.store.sync import CHECKPOINT_AHEAD, checkpoint, rebuild, sync
from sxeslake.errors import DamagedLakeError
from sxeslake.storage.memory import MemoryStore


@pytest.fixture
def store(request: pytest.FixtureRequest) -> MemoryStore:
    return MemoryStore(f"catalog-{request.node.name}")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache.at(tmp_path / "catalog")


@pytest.fixture
def cold() -> Iterator[Cache]:
    made = Cache.temporary()
    yield made
    made.close()


def ask(sql: str, snapshot: Snapshot, cache: Cache, store: MemoryStore) -> list[dict[str, Any]]:
    database = Database(snapshot, cache, store.get)
    try:
        return list(database.table(sql).to_pylist())
    finally:
        database.close()


def samples(snapshot: Snapshot, cache: Cache, store: MemoryStore) -> list[tuple[str, int]]:
    rows = ask("SELECT sample, count(*) AS n FROM positions GROUP BY 1 ORDER BY 1", snapshot, cache, store)
    return [(row["sample"], row["n"]) for row in rows]


def test_an_empty_lake_has_empty_tables(cache: Cache, store: MemoryStore) -> None:
    snapshot = sync(MemorySource(), cache, store)
    assert snapshot.parts == ()
    assert ask("SELECT probe_current_na FROM positions", snapshot, cache, store) == []
    assert ask("SELECT session, acquired_at FROM analyses", snapshot, cache, store) == []


def test_a_sync_reads_only_what_is_new(cache: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    source.commit({"alpha": group({"a": state()}), "beta": group({"b": state(), "c": state(2)})})
    assert samples(sync(source, cache, store), cache, store) == [("alpha", 1), ("beta", 2)]
    assert source.reads == 2
    source.commit({"gamma": group({"d": state()})})
    assert samples(sync(source, cache, store), cache, store) == [("alpha", 1), ("beta", 2), ("gamma", 1)]
    assert source.reads == 3
    assert sync(source, cache, store) == cache.load()
    assert source.reads == 3


def test_forgotten_versions_vanish_and_come_back(cache: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    first, second = source.commit({"alpha": group({"a": state()}), "beta": group({"b": state()})})
    sync(source, cache, store)
    source.hidden = {first.archive_id}
    source.commit()
    snapshot = sync(source, cache, store)
    assert samples(snapshot, cache, store) == [("beta", 1)]
    for table in ("archives", "analyses", "documents", "members", "conditions"):
        rows = ask(f"SELECT DISTINCT sample FROM {table}", snapshot, cache, store)
        assert rows == [{"sample": "beta"}], table
    source.hidden = set()
    source.commit()
    assert samples(sync(source, cache, store), cache, store) == [("alpha", 1), ("beta", 1)]
    assert second.archive_id not in source.hidden


def test_a_version_restored_after_a_rebuild_left_it_out_is_read_again(cache: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    (first,) = source.commit({"alpha": group({"a": state()})})
    source.hidden = {first.archive_id}
    source.commit()
    assert samples(rebuild(source, cache), cache, store) == []
    source.hidden = set()
    source.commit()
    assert samples(sync(source, cache, store), cache, store) == [("alpha", 1)]
    source.commit()
    assert samples(sync(source, cache, store), cache, store) == [("alpha", 1)], "and only once"


def test_annotations_keep_their_history_and_say_what_is_current(cache: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    source.annotate("alpha", "material", "steel")
    source.annotate("alpha", "mount", "epoxy")
    sync(source, cache, store)
    source.annotate("alpha", "material", "iron")
    snapshot = sync(source, cache, store)
    rows = ask("SELECT key, value, is_current FROM annotations ORDER BY log_number", snapshot, cache, store)
    assert [tuple(row.values()) for row in rows] == [
        ("material", "steel", False),
        ("mount", "epoxy", True),
        ("material", "iron", True),
    ]


def test_blobs_of_dead_packs_are_hidden_at_once_and_dropped_when_merged(cache: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    for number in range(MERGE_WIDTH - 1):
        source.add_pack(f"{number:032x}")
        sync(source, cache, store)
    source.dead_packs = {f"{0:032x}"}
    source.commit()
    snapshot = sync(source, cache, store)
    count = "SELECT count(*) AS n, count(DISTINCT pack_id) AS packs FROM blobs"
    assert ask(count, snapshot, cache, store) == [{"n": 2 * (MERGE_WIDTH - 2), "packs": MERGE_WIDTH - 2}]
    source.add_pack("f" * 32)
    snapshot = sync(source, cache, store)
    assert [part.rows for part in snapshot.of(["blobs"])] == [2 * (MERGE_WIDTH - 1)]
    assert ask(count, snapshot, cache, store) == [{"n": 2 * (MERGE_WIDTH - 1), "packs": MERGE_WIDTH - 1}]


def test_many_commits_leave_few_parts_and_the_rows_of_a_rebuild(cache: Cache, cold: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    for number in range(30):
        source.commit({f"s{number:02d}": group({"a": state(number), "b": state(number, 9)}, seed=str(number))})
        snapshot = sync(source, cache, store)
    assert all(len(snapshot.of([name])) < 2 * MERGE_WIDTH for name in ("positions", "documents", "members"))
    again = rebuild(source, cold)
    for table in ("positions", "analyses", "archives", "documents", "members", "conditions", "backgrounds"):
        sql = f"SELECT * FROM {table} ORDER BY ALL"
        assert ask(sql, snapshot, cache, store) == ask(sql, again, cold, store), table


def test_a_cold_client_downloads_the_tables_it_asks_and_nothing_else(
    cache: Cache, cold: Cache, store: MemoryStore
) -> None:
    source = MemorySource()
    source.commit({f"s{n}": group({f"p{m}": state(m) for m in range(50)}, seed=str(n)) for n in range(20)})
    published = checkpoint(store, cache, sync(source, cache, store))
    assert published.parts == len(published.snapshot.parts)
    reads = source.reads
    snapshot = sync(source, cold, store)
    assert source.reads == reads, "nothing was projected again"
    database = Database(snapshot, cold, store.get)
    assert database.table("SELECT kind, positions FROM analyses WHERE kind = 'line'").num_rows == 20
    assert database.bytes_fetched == sum(part.bytes for part in snapshot.of(["analyses"]))
    assert not any(cold.has(part) for part in snapshot.of(["documents", "positions", "members"]))
    assert database.table("SELECT count(*) AS n FROM positions").to_pylist() == [{"n": 1000}]
    database.close()


def test_publishing_costs_what_is_new_and_old_parts_are_named_where_they_lie(
    cache: Cache, cold: Cache, store: MemoryStore
) -> None:
    source = MemorySource()
    source.commit({f"s{n}": group({f"p{m}": state(m) for m in range(100)}, seed=str(n)) for n in range(30)})
    first = checkpoint(store, cache, sync(source, cache, store))
    source.commit({"new": group({"p": state()})})
    second = checkpoint(store, cache, sync(source, cache, store))
    assert second.bytes < first.bytes / 2
    assert {part.home for part in second.snapshot.parts} == {1, 2}
    assert published_numbers(store) == [2, 1]
    assert {info.key for info in store.list("checkpoints/")} == needed_keys([first.snapshot, second.snapshot])
    assert checkpoint(store, cache, second.snapshot).parts == 0
    assert samples(sync(source, cold, store), cold, store)[0] == ("new", 1)


def test_checkpoints_broken_or_of_another_log_are_passed_over(cache: Cache, cold: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    for number in range(3):
        source.commit({f"s{number}": group({"p": state()})})
        checkpoint(store, cache, sync(source, cache, store))
    found = newest(store, source.entry_hash, at_most=3)
    assert found is not None
    assert found.head.number == 3
    store.replace(manifest_key(3), b"{")
    found = newest(store, source.entry_hash, at_most=3)
    assert found is not None
    assert found.head.number == 2
    assert newest(store, lambda number: "f" * 64, at_most=3) is None
    assert samples(sync(source, cold, store), cold, store) == [("s0", 1), ("s1", 1), ("s2", 1)]


def test_a_damaged_part_in_the_bucket_is_named(cache: Cache, cold: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    source.commit({"alpha": group({"a": state()})})
    part = checkpoint(store, cache, sync(source, cache, store)).snapshot.of(["positions"])[0]
    store.replace(part.key, store.get(part.key)[:-1] + b"?")
    with pytest.raises(DamagedLakeError, match="hash") as caught:
        samples(sync(source, cold, store), cold, store)
    assert caught.value.where == part.key


def test_a_part_that_a_clean_up_took_is_said_with_a_way_out(cache: Cache, cold: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    source.commit({"alpha": group({"a": state()})})
    part = checkpoint(store, cache, sync(source, cache, store)).snapshot.of(["positions"])[0]
    store.delete([part.key])
    snapshot = sync(source, cold, store)
    with pytest.raises(DamagedLakeError, match="gone from its checkpoint") as caught:
        samples(snapshot, cold, store)
    assert caught.value.hint is not None
    assert samples(rebuild(source, cold), cold, store) == [("alpha", 1)]


def test_a_cache_of_another_log_is_not_believed(cache: Cache, store: MemoryStore) -> None:
    other = MemorySource()
    for number in range(4):
        other.commit({f"other{number}": group({"a": state()})})
    sync(other, cache, store)
    source = MemorySource()
    source.commit({"mine": group({"a": state()})})
    assert samples(sync(source, cache, store), cache, store) == [("mine", 1)]
    saved = cache.load()
    assert saved is not None
    assert saved.head == source.head(), "and it does not stay"


def test_far_behind_a_checkpoint_is_taken_near_the_log_is_read(cache: Cache, cold: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    source.commit({"first": group({"a": state()})})
    sync(source, cold, store)
    source.commit({"near": group({"a": state()})})
    checkpoint(store, cache, sync(source, cache, store))
    reads = source.reads
    sync(source, cold, store)
    assert source.reads == reads + 1
    for _ in range(CHECKPOINT_AHEAD):
        source.commit()
    source.commit({"far": group({"a": state()})})
    checkpoint(store, cache, sync(source, cache, store))
    reads = source.reads
    assert len(samples(sync(source, cold, store), cold, store)) == 3
    assert source.reads == reads


def test_many_at_once_share_one_cache(cache: Cache, store: MemoryStore) -> None:
    source = MemorySource()
    source.commit({f"s{n}": group({"a": state()}) for n in range(5)})

    def work(number: int) -> int:
        if number % 4 == 0:
            source.commit({f"more{number}": group({"a": state()})})
        mine = Cache.at(cache.folder)
        return len(samples(sync(source, mine, store), mine, store))

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(work, range(16)))
    assert min(counts) >= 5
    assert len(samples(sync(source, cache, store), cache, store)) == 9
