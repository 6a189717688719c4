"""A long sync: it saves on its way, goes on where it was interrupted, and says how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.catalog_source import MemorySource, group, state
from support.internals import vault_of
from support.small_lakes import group as small_group
from support.small_lakes import zip_of

from sxeslake.catalog.build import update as extend
from sxeslake.catalog.model import CatalogHead, Changes, Document, VersionHeader, VersionMembers
from sxeslake.catalog.store import source as vault_source
from sxeslake.catalog.store import vault_rows
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.database import Database
from sxeslake.catalog.store.snapshot import Snapshot
from sxeslake.catalog.store.sync import rebuild, sync
from sxeslake.lake import init
from sxeslake.storage.memory import MemoryStore


class Slow(MemorySource):
    """A source that tells two commits at a time, and can be interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.stop_after: int | None = None

    def changes_since(self, number: int) -> Changes:
        whole, last = super().changes_since(number), min(number + 2, self.number)
        return replace(
            whole,
            head=CatalogHead(last, self.entry_hash(last)),
            versions=[each for each in whole.versions if each.log_number <= last],
            packs=[each for each in whole.packs if each.log_number <= last],
            annotations=[each for each in whole.annotations if each.log_number <= last],
        )

    def members(self, headers: Sequence[VersionHeader]) -> list[pa.Table]:
        if self.stop_after is not None and self.reads >= self.stop_after:
            raise KeyboardInterrupt
        return super().members(headers)


@pytest.fixture
def source() -> Slow:
    made = Slow()
    for number in range(6):
        made.commit({f"s{number}{letter}": group({"p": state(number)}, seed=letter) for letter in "abc"})
    made.annotate("s0a", "role", "standard")
    made.add_pack("11" * 16)
    return made


@pytest.fixture
def store(request: pytest.FixtureRequest) -> MemoryStore:
    return MemoryStore(request.node.name)


@pytest.fixture
def caches(tmp_path: Path) -> tuple[Cache, Cache]:
    return Cache.at(tmp_path / "one"), Cache.at(tmp_path / "other")


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are written after every version."""
    monkeypatch.setattr(extend, "FLUSH_BYTES", 1)
    monkeypatch.setattr(extend, "_VERSIONS_TOGETHER", 1)
    monkeypatch.setattr(extend, "_AHEAD", 1)


def rows(snapshot: Snapshot, cache: Cache, store: MemoryStore) -> dict[str, list[dict[str, Any]]]:
    database = Database(snapshot, cache, store.get)
    tables = ("archives", "members", "documents", "positions", "analyses", "annotations", "packs", "blobs")
    found = {table: database.table(f"SELECT * FROM {table} ORDER BY ALL").to_pylist() for table in tables}
    database.close()
    return found


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("reads", [1, 4, 7, 17])
def test_an_interrupted_sync_goes_on_where_it_stopped(
    source: Slow, caches: tuple[Cache, Cache], store: MemoryStore, reads: int
) -> None:
    source.stop_after = reads
    with pytest.raises(KeyboardInterrupt):
        sync(source, caches[0], store)
    saved = caches[0].load()
    assert saved is not None
    assert sum(part.rows for part in saved.of(["archives"])) == reads
    assert saved.head.number < source.number
    source.stop_after = None
    snapshot = sync(source, caches[0], store)
    assert source.reads == 18, "nothing was read twice"
    assert snapshot.head == source.head()
    again = rebuild(source, caches[1])
    assert rows(snapshot, caches[0], store) == rows(again, caches[1], store)


def test_a_slow_sync_saves_now_and_then(
    source: Slow, caches: tuple[Cache, Cache], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extend, "_VERSIONS_TOGETHER", 1)
    monkeypatch.setattr(extend, "_AHEAD", 1)
    monkeypatch.setattr(extend, "FLUSH_S", 0.0)
    source.stop_after = 5
    with pytest.raises(KeyboardInterrupt):
        sync(source, caches[0], store)
    saved = caches[0].load()
    assert saved is not None
    assert sum(part.rows for part in saved.of(["archives"])) == 5


@pytest.mark.usefixtures("one_by_one")
def test_versions_forgotten_and_restored_around_an_interruption(
    source: Slow, caches: tuple[Cache, Cache], store: MemoryStore
) -> None:
    early, late = source.headers[1], source.headers[14]
    source.hidden = {early.archive_id, late.archive_id}
    source.stop_after = 8
    with pytest.raises(KeyboardInterrupt):
        sync(source, caches[0], store)
    source.stop_after = None
    source.hidden = {source.headers[2].archive_id}
    source.commit()
    snapshot = sync(source, caches[0], store)
    listed = {row["archive_id"] for row in rows(snapshot, caches[0], store)["archives"]}
    assert listed == {each.archive_id for each in source.headers} - source.hidden


def test_many_small_archives_are_projected_together(
    source: Slow, caches: tuple[Cache, Cache], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = sync(source, caches[0], store)
    monkeypatch.setattr(extend, "_VERSIONS_TOGETHER", 1)
    monkeypatch.setattr(extend, "_TOGETHER", 2)
    apart = sync(source, caches[1], store)
    assert rows(together, caches[0], store) == rows(apart, caches[1], store)


class Shown:
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.totals: list[int] = []
        self.done = 0
        self.running = False

    def start(self, task: str, total_bytes: int | None) -> None:
        self.tasks.append(task)
        self.totals.append(total_bytes or 0)
        self.running = True

    def advance(self, done_bytes: int) -> None:
        self.done += done_bytes

    def finish(self) -> None:
        self.running = False


def test_a_long_sync_is_shown_and_a_short_one_is_not(caches: tuple[Cache, Cache], store: MemoryStore) -> None:
    source, shown = MemorySource(), Shown()
    source.commit({f"s{number}": group({"p": state(number)}) for number in range(extend.SHOWN_FROM)})
    sync(source, caches[0], store, lambda: shown)
    assert shown.tasks == ["catalogue, to commit 1"]
    assert shown.done == sum(shown.totals) == 200 * extend.SHOWN_FROM
    assert not shown.running
    source.commit({"one": group({"p": state()})})
    sync(source, caches[0], store, lambda: shown)
    assert len(shown.tasks) == 1


def test_a_bar_ends_with_the_sync_that_is_interrupted(
    source: Slow, caches: tuple[Cache, Cache], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extend, "SHOWN_FROM", 1)
    source.stop_after, shown = 4, Shown()
    with pytest.raises(KeyboardInterrupt):
        sync(source, caches[0], store, lambda: shown)
    assert shown.tasks
    assert not shown.running


def test_documents_of_a_very_large_archive_are_written_as_they_are_read(
    caches: tuple[Cache, Cache], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lazy(MemorySource):
        def documents(self, versions: Sequence[VersionMembers]) -> Iterator[Iterable[Document]]:
            return map(iter, super().documents(versions))

    source = Lazy()
    source.commit({"large": group({f"p{number}": state(number) for number in range(60)})})
    whole = sync(source, caches[0], store)
    monkeypatch.setattr("sxeslake.catalog.build.documents._BLOCK", 7)
    monkeypatch.setattr("sxeslake.catalog.build.projection._TEXT_BYTES", 2000)
    monkeypatch.setattr(extend, "_READ_AHEAD_ROWS", 10)
    monkeypatch.setattr(extend, "FLUSH_BYTES", 5000)
    pieces = sync(source, caches[1], store)
    assert len(pieces.of(["documents"])) > len(whole.of(["documents"]))
    assert rows(pieces, caches[1], store) == rows(whole, caches[0], store)


def test_a_vault_is_read_some_commits_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with init(str(tmp_path / "lake")) as lake:
        for number in range(5):
            path = zip_of(tmp_path / "a.plzip", small_group(number, comment=str(number)) | {"empty.json": b""})
            lake.ingest(path, sample=f"s{number}")
        lake.forget(["s1"])
        whole = lake.query("find-text", {"text": "s"}).rows()
        monkeypatch.setattr(vault_source, "_COMMITS_AT_ONCE", 1)
        monkeypatch.setattr(vault_rows, "_ROWS_AT_ONCE", 1)
        monkeypatch.setattr(vault_rows, "_BYTES_AT_ONCE", 1)
        assert lake.rebuild_catalog().equal
        assert lake.query("find-text", {"text": "s"}).rows() == whole
        assert lake.sql("SELECT count(*) AS n FROM documents WHERE NOT readable").rows() == [{"n": 4}]


def test_versions_read_together_say_what_each_says_alone(tmp_path: Path) -> None:
    """Of two commits, one of them with a version between those that are wanted."""
    long = b'{"text": "' + b"long " * 1_000_000 + b'"}'  # several blobs
    with init(str(tmp_path / "lake")) as lake:
        for commit in range(2):
            folder = tmp_path / str(commit)
            folder.mkdir()
            for number in range(4):
                files = small_group(10 * commit + number) | {"empty.json": b""}
                zip_of(folder / f"s{commit}{number}.plzip", files | ({"long.json": long} if number == 2 else {}))
            lake.ingest(folder)
        source = vault_source.VaultSource(vault_of(lake))
        headers = [each for each in source.changes_since(0).versions if each.sample != "s11"]
        assert len(headers) == 7
        tables = source.members(headers)
        assert tables == [table for header in headers for table in source.members([header])]
        versions = list(map(VersionMembers, headers, tables))
        together = list(map(list, source.documents(versions)))
        alone = [list(documents) for version in versions for documents in source.documents([version])]
        assert list(map(sorted, together)) == list(map(sorted, alone))
        assert {len(documents) for documents in together} == {len(alone[0]), len(alone[0]) + 1}
        assert sum(dict(documents).get("long.json") == long for documents in together) == 2
