"""Parts: clustering, merging, the list of them, and the cache they lie in."""

from __future__ import annotations

import errno
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sxeslake.catalog.build.parts import MERGE_WIDTH, PART_ROWS, encode_part, merges, read_part, write_part
from sxeslake.catalog.build.rows import table_of
from sxeslake.catalog.model import CatalogHead
from sxeslake.catalog.schema import tables
from sxeslake.catalog.store.cache import GRACE_S, Cache
from sxeslake.catalog.store.snapshot import MANIFEST_NAME, Snapshot, TablePart, load_snapshot
from sxeslake.errors import DamagedLakeError
from sxeslake.vault.local import private


def part(rows: int, table: str = "positions", number: int = 0) -> TablePart:
    return TablePart(table, f"{number:064x}", 10, rows)


def archives(*ids: int) -> pa.Table:
    return table_of(tables.ARCHIVES, len(ids), {"archive_id": list(ids)})


def test_positions_are_ordered_by_condition_and_analyses_stay_together() -> None:
    columns: dict[str, list[Any]] = {
        "archive_id": [1, 2, 1, 2],
        "analysis_uuid": ["a", "b", "a", "b"],
        "position_number": [2, 2, 1, 1],
        "grating": ["G"] * 4,
        "accelerating_voltage_kv": [5.0] * 4,
        "probe_current_na": [100.0, 100.1, 100.2, 99.0],
    }
    data = encode_part(tables.POSITIONS, table_of(tables.POSITIONS, 4, columns))
    read = pq.read_table(pa.BufferReader(data))
    assert read["archive_id"].to_pylist() == [2, 2, 1, 1]
    assert read["position_number"].to_pylist() == [1, 2, 1, 2]
    assert read.column_names == tables.POSITIONS.arrow.names


def test_eight_parts_of_a_size_become_one_and_seven_wait() -> None:
    parts = [part(100, number=n) for n in range(MERGE_WIDTH)]
    assert merges(parts[:-1]) == []
    assert merges(parts) == [parts]
    assert merges([*parts[:-1], part(100, "documents")]) == []


def test_full_parts_are_left_alone_and_large_merges_wait_when_asked() -> None:
    assert merges([part(PART_ROWS, number=n) for n in range(20)]) == []
    large = [part(PART_ROWS // 16, number=n) for n in range(MERGE_WIDTH)]
    assert merges(large) == [large]
    assert merges(large, most_rows=PART_ROWS // 4) == []


def test_the_number_of_parts_stays_bounded_and_each_row_is_rewritten_few_times() -> None:
    parts: list[TablePart] = []
    written = 0
    for number in range(2000):
        parts.append(part(100, number=number))
        while due := merges(parts):
            for group in due:
                rows = sum(each.rows for each in group)
                parts = [each for each in parts if each not in group] + [part(rows, number=10_000 + written)]
                written += rows
    assert sum(each.rows for each in parts) == 200_000
    assert len(parts) <= 6 * MERGE_WIDTH
    assert written <= 6 * 200_000


def test_a_snapshot_survives_its_text_and_hostile_names_do_not() -> None:
    snapshot = Snapshot(
        CatalogHead(3, "a" * 64), (part(1), replace(part(2), home=2)), frozenset({7}), frozenset({8}), frozenset({"p"})
    )
    text = snapshot.dump()
    assert load_snapshot(text, where="x") == snapshot
    assert replace(part(2), home=2).key.startswith("checkpoints/00000000000000000002/catalog/positions/")
    for path, value in (("table", "../x"), ("blake3", "../../etc/passwd"), ("rows", "many")):
        values = json.loads(text)
        values["parts"][0][path] = value
        with pytest.raises(DamagedLakeError, match="list of parts"):
            load_snapshot(json.dumps(values).encode(), where="x")
    assert load_snapshot(text.replace(b'"format":1', b'"format":2'), where="x") is None


def test_the_cache_keeps_the_newer_snapshot_and_rebuilds_win(tmp_path: Path) -> None:
    cache = Cache.at(tmp_path / "c")
    assert cache.load() is None
    new, old = Snapshot(CatalogHead(5, "5" * 64)), Snapshot(CatalogHead(4, "4" * 64))
    cache.save(new)
    cache.save(old)
    assert cache.load() == new
    cache.save(old, force=True)
    assert cache.load() == old
    path = tmp_path / "c" / MANIFEST_NAME
    data = path.read_bytes()
    for damaged in (b"{", b"", data[:-1], data.replace(b'"hidden":[]', b'"hidden":[1]'), old.dump()):
        path.write_bytes(damaged)
        assert cache.load() is None
    path.write_bytes(data)
    assert cache.load() == old


def test_a_full_disk_keeps_no_part_from_being_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache.at(tmp_path / "c")
    first = write_part(cache, tables.ARCHIVES, archives(1))
    cache.save(Snapshot(CatalogHead(1, "1" * 64), (first,)))
    real = private.write

    def full(path: Path, data: bytes) -> None:
        if path.is_relative_to(tmp_path / "c"):
            real(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(private, "write", full)
    second = write_part(cache, tables.ARCHIVES, archives(2))
    snapshot = Snapshot(CatalogHead(2, "2" * 64), (first, second))
    cache.save(snapshot)
    assert cache.load() == snapshot
    assert cache.is_whole(snapshot)
    assert read_part(cache.path(second), ["archive_id"]).num_rows == 1
    other = Cache(tmp_path / "c").load()
    assert other == Snapshot(CatalogHead(1, "1" * 64), (first,)), "others keep what they had"
    assert not [path for path in (tmp_path / "c").rglob(".*") if path.is_file()]


def test_parts_that_no_longer_count_go_after_a_grace_period(tmp_path: Path) -> None:
    cache = Cache.at(tmp_path)
    first, second = write_part(cache, tables.ARCHIVES, archives(1)), write_part(cache, tables.ARCHIVES, archives(2))
    cache.save(Snapshot(CatalogHead(1, "1" * 64), (first,)))
    long_ago = time.time() - 2 * GRACE_S
    os.utime(cache.path(first), (long_ago, long_ago))
    cache.save(Snapshot(CatalogHead(2, "2" * 64), (second,)))
    assert cache.has(first), "a reader may still use the old list"
    os.utime(cache.path(first), (long_ago, long_ago))
    cache.save(Snapshot(CatalogHead(3, "3" * 64), (second,)))
    assert not cache.has(first)
    assert cache.has(second)


def test_downloads_are_proved_and_what_is_here_is_not_fetched(tmp_path: Path) -> None:
    theirs, mine = Cache.at(tmp_path / "a"), Cache.at(tmp_path / "b")
    made = replace(write_part(theirs, tables.ARCHIVES, archives(1)), home=1)
    store = {made.key: theirs.path(made).read_bytes()}
    assert mine.need([made], store.__getitem__) == made.bytes
    assert mine.need([made], dict[str, bytes]().__getitem__) == 0
    other = replace(made, blake3="0" * 64)
    with pytest.raises(DamagedLakeError, match="does not agree with its hash"):
        mine.need([other], lambda _: store[made.key])
    with pytest.raises(DamagedLakeError, match="is gone"):
        mine.need([replace(other, home=None)], store.__getitem__)
    assert not list((tmp_path / "b").rglob(".*")), "no temporary files stay"


def test_who_may_not_write_gets_a_temporary_cache(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    cache = Cache.at(blocked / "catalog")
    part_ = write_part(cache, tables.ARCHIVES, archives(1))
    folder = cache.folder
    assert cache.has(part_)
    cache.close()
    assert not folder.exists()
