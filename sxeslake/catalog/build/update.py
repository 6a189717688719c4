"""Growing a snapshot: new versions projected into parts, events into rows, small parts merged into larger ones."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Final

import pyarrow as pa

from sxeslake.batching import batches
from sxeslake.catalog.build.documents import DocumentReader
from sxeslake.catalog.build.parts import (
    MERGE_WIDTH,
    PART_ROWS,
    ROW_GROUP,
    merged,
    merges,
    raw_bytes,
    read_part,
    write_part,
)
from sxeslake.catalog.build.projection import bytes_of_documents, projected
from sxeslake.catalog.build.rows import Same, hex_of, table_of, table_of_rows
from sxeslake.catalog.model import (
    PLACES_PER_ENTRY,
    CatalogHead,
    CatalogSource,
    Changes,
    Document,
    MakeProgress,
    PackHeader,
    VersionHeader,
    VersionMembers,
    no_progress,
)
from sxeslake.catalog.schema.lake_tables import ANNOTATIONS, BLOBS, PACKS
from sxeslake.catalog.schema.tables import BY_NAME
from sxeslake.catalog.store.cache import Cache, Fetch
from sxeslake.catalog.store.snapshot import Snapshot, TablePart
from sxeslake.closing import Finishing
from sxeslake.model import DOCUMENT_BYTES, MIB

_LOG = logging.getLogger(__name__)

FLUSH_BYTES: Final = 32 * MIB
"""So much is gathered before parts are written: it bounds what a long sync takes, and what an interruption costs."""
FLUSH_S: Final = 15.0
"""… and so long is nothing written at most, where small archives come slowly."""
_TOGETHER: Final = 256
"""So many tables that wait become one: small ones take a hundred times the bytes that they hold."""
INLINE_MERGE_ROWS: Final = 65_536
"""Larger merges wait for a checkpoint, so that a sync before a query stays short …"""
PATIENCE: Final = 4
"""… unless so many times more parts than usual have gathered: somebody who never publishes merges too."""
_ENCODERS: Final = 2  # each has a copy of its rows
_AHEAD: Final = 2  # batches that are read while one is projected
_BLOBS_TOGETHER: Final = 4096
_VERSIONS_TOGETHER: Final = 256
_READ_AHEAD_ROWS: Final = 32_768
"""An archive of so many members is read ahead whole; a larger one is read as it is used …"""
_READ_AHEAD_BYTES: Final = 32 * MIB
"""… and so is one with more of documents than this."""

SHOWN_FROM: Final = 16
"""New archives from which on somebody who waits wants to see that it goes on."""

Batch = Sequence[tuple[VersionHeader, pa.Table, Iterable[Document]]]
"""Versions with their members and documents."""


def grown(
    source: CatalogSource,
    cache: Cache,
    start: Snapshot,
    progress: MakeProgress = no_progress,
    document_bytes: int = DOCUMENT_BYTES,
) -> Iterator[Snapshot]:
    """Snapshots with more and more of what is new; the last one has all of it.

    Whoever goes on from any of them, after an interruption perhaps, makes nothing twice: each is that of a commit,
    with some whole versions of the next ones.
    """
    head = source.head()
    with _collector_paused(), _Writer(cache) as writer:
        growth = _Growth(source, cache, start, head, writer, progress, document_bytes)
        while growth.snapshot.head.number < head.number:
            yield from growth.add(source.changes_since(growth.snapshot.head.number))
        yield growth.written()


@contextmanager
def _collector_paused() -> Iterator[None]:
    """No search for cycles meanwhile: millions of small values hold none, and looking takes a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Growth:
    """A snapshot, and the rows that wait to become parts of it."""

    def __init__(
        self, source: CatalogSource, cache: Cache, start: Snapshot, head: CatalogHead, writer: _Writer,
        progress: MakeProgress, document_bytes: int,
    ) -> None:  # fmt: skip
        self.snapshot = start
        self._source, self._cache, self._head, self._progress = source, cache, head, progress
        self._writer, self._reader = writer, DocumentReader(document_bytes)
        self._known: set[object] | None = None
        self._changes = Changes(start.head)

    def add(self, changes: Changes) -> Iterator[Snapshot]:
        """Take in what some commits say; a snapshot whenever much has gathered."""
        self._changes = changes
        versions = [*changes.versions, *_returned(self._source, self.snapshot, changes)]
        if versions and self._known is None:
            self._known = _column(self._cache, self.snapshot, "archives", "archive_id")
        wanted = {each.archive_id: each for each in versions if each.archive_id not in (self._known or ())}
        new = [each for number, each in wanted.items() if number not in changes.hidden]
        at_head = changes.head.number >= self._head.number
        left = len(new)
        for archives in self._shown(new, _loaded(self._source, new, self._reader.limit)):
            left -= len(archives)
            for name, rows, more in projected(archives, self._reader):
                self._writer.add(name, rows)
                if not more and (self._writer.is_full or (at_head and not left)):  # all is written soon in any case
                    self._writer.begin(name)
            if self._writer.is_full:
                yield self.written()
        _add_events(self._source, self._writer, changes)
        _LOG.info(
            "to commit %d: %d versions are read, %d are there, %d hidden",
            changes.head.number, len(new), len(versions) - len(wanted), len(wanted) - len(new),
        )  # fmt: skip
        skipped = (self.snapshot.skipped | wanted.keys()) & changes.hidden
        self.snapshot = replace(self.snapshot, head=changes.head, skipped=frozenset(skipped))

    def written(self) -> Snapshot:
        """The snapshot with all rows so far."""
        snapshot = replace(self.snapshot, parts=(*self.snapshot.parts, *self._writer.finish()))
        self.snapshot = _with_hidden(self._cache, snapshot, self._changes)
        return self.snapshot

    def _shown(self, headers: Sequence[VersionHeader], batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same, with progress where it takes a while."""
        progress = self._progress() if len(headers) >= SHOWN_FROM else None
        if progress is None:
            yield from batches
            return
        progress.start(f"catalogue, to commit {self._changes.head.number:,}", sum(each.bytes_raw for each in headers))
        try:
            for batch in batches:
                yield batch
                progress.advance(sum(header.bytes_raw for header, _, _ in batch))
        finally:
            progress.finish()


def _returned(source: CatalogSource, start: Snapshot, changes: Changes) -> list[VersionHeader]:
    """Versions that were forgotten when the catalogue passed them, and are restored now."""
    back = start.skipped - changes.hidden
    found: dict[int, VersionHeader] = {}
    for archive_id in sorted(back):
        if archive_id not in found:  # what follows it is read with it
            versions = source.changes_since(archive_id // PLACES_PER_ENTRY - 1).versions
            found |= {each.archive_id: each for each in versions if each.archive_id in back}
    return list(found.values())


def _add_events(source: CatalogSource, writer: _Writer, changes: Changes) -> None:
    """Annotations, packs and their blobs."""
    if changes.annotations:
        writer.add("annotations", table_of_rows(ANNOTATIONS, [asdict(each) for each in changes.annotations]))
    packs = [pack for pack in changes.packs if pack.pack_id not in changes.dead_packs]
    if packs:
        writer.add("packs", table_of_rows(PACKS, [asdict(pack) for pack in packs]))
    for pack in packs:
        writer.add("blobs", _blob_table(pack, source.blobs(pack)))


def _blob_table(pack: PackHeader, blobs: pa.Table) -> pa.Table:
    columns = {
        "blake3": hex_of(blobs["blake3"]),
        "pack_id": Same(pack.pack_id),
        "bytes_raw": blobs["bytes_raw"],
        "bytes_stored": blobs["bytes_stored"],
        "codec": blobs["codec"],
        "log_number": Same(pack.log_number),
    }
    return table_of(BLOBS, blobs.num_rows, columns)


def _with_hidden(cache: Cache, snapshot: Snapshot, changes: Changes) -> Snapshot:
    """Hide what is forgotten or dead, as far as the parts have rows of it: the lists stay short."""
    hidden, dead = changes.hidden, changes.dead_packs
    if hidden:
        said_of = _column(cache, snapshot, "annotations", "archive_id")  # also of versions that were never read
        hidden = hidden & (_column(cache, snapshot, "archives", "archive_id") | said_of)
    if dead:
        dead = dead & _column(cache, snapshot, "packs", "pack_id")
    return replace(snapshot, hidden=frozenset(hidden), dead_packs=frozenset(dead))


def _loaded(source: CatalogSource, headers: Sequence[VersionHeader], limit: int) -> Iterator[Batch]:
    """Members and documents of the versions, small ones together, read a little ahead of the projection."""
    with ThreadPoolExecutor(_AHEAD, "sxeslake-catalog") as pool:
        pending: list[Future[list[Batch]]] = []
        for batch in _batches(headers):
            pending.append(pool.submit(_load, source, batch, limit))
            if len(pending) > _AHEAD:
                yield from pending.pop(0).result()
        while pending:
            yield from pending.pop(0).result()


def _batches(headers: Sequence[VersionHeader]) -> Iterator[list[VersionHeader]]:
    """Runs of versions that together have some thousand blobs, which is about what they have of rows."""
    return batches(headers, lambda header: header.blobs, _BLOBS_TOGETHER, _VERSIONS_TOGETHER)


def rows_of(
    source: CatalogSource, cache: Cache, headers: Sequence[VersionHeader], document_bytes: int = DOCUMENT_BYTES
) -> list[TablePart]:
    """Parts with the rows of some versions, made again from their members and documents."""
    reader = DocumentReader(document_bytes)
    parts: list[TablePart] = []
    with _Writer(cache) as writer:
        for batch in _batches(headers):
            for archives in _load(source, batch, document_bytes):
                for name, rows, _ in projected(archives, reader):
                    writer.add(name, rows)
            parts += writer.finish()
    return parts


def _load(source: CatalogSource, headers: Sequence[VersionHeader], limit: int) -> list[Batch]:
    """The versions with what was read of them: one batch, or more where their documents are long."""
    versions = list(map(VersionMembers, headers, source.members(headers)))
    sized = [(version, bytes_of_documents(version.table, limit)) for version in versions]
    loaded: list[Batch] = []
    for run in batches(sized, lambda item: item[1], _READ_AHEAD_BYTES):
        small = [version.table.num_rows <= _READ_AHEAD_ROWS and size <= _READ_AHEAD_BYTES for version, size in run]
        together = [version for (version, _), is_small in zip(run, small, strict=True) if is_small]
        read = map(list, source.documents(together))
        loaded.append(
            [
                (*version, next(read) if is_small else next(iter(source.documents([version]))))
                for (version, _), is_small in zip(run, small, strict=True)
            ]
        )
    return loaded


class _Writer(Finishing):
    """Gathers rows of all tables and writes parts of a good size, in threads: Parquet is made outside Python's lock."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._waiting: dict[str, list[pa.Table]] = {}
        self._bytes = 0
        self._encoders = ThreadPoolExecutor(_ENCODERS, "sxeslake-catalog")
        self._parts: list[Future[TablePart]] = []
        self._began = False  # with a part of a version
        self._written_at = time.monotonic()

    @property
    def is_full(self) -> bool:
        """Whether it is time to write."""
        late = self._bytes > 0 and time.monotonic() - self._written_at >= FLUSH_S
        return late or self._bytes >= FLUSH_BYTES or self._began

    def add(self, name: str, rows: pa.Table) -> None:
        """Take rows of one table."""
        if rows.num_rows == 0:
            return
        waiting = self._waiting.setdefault(name, [])
        waiting.append(rows)
        self._bytes += rows.nbytes
        if len(waiting) >= _TOGETHER:
            self._waiting[name] = [pa.concat_tables(waiting).combine_chunks()]
        if self._bytes >= 2 * FLUSH_BYTES:  # amid a very large archive
            self._began = True
            self._write()

    def begin(self, name: str) -> None:
        """Begin to write what waits of one table."""
        rows = self._waiting.pop(name, [])
        if not rows:
            return
        whole = pa.concat_tables(rows)
        count = _part_rows(whole)
        for start in range(0, whole.num_rows, count):
            part = whole.slice(start, count)
            self._parts.append(self._encoders.submit(write_part, self._cache, BY_NAME[name], part))

    def finish(self) -> list[TablePart]:
        """Write what waits; all parts since the last time."""
        self._write()
        parts, self._parts, self._began = [future.result() for future in self._parts], [], False
        return parts

    def abort(self) -> None:
        """Stop the threads."""
        self._encoders.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Stop the threads; everything is written."""
        self._encoders.shutdown()

    def _write(self) -> None:
        """Write what waits."""
        for name in list(self._waiting):
            self.begin(name)
        futures.wait(self._parts)
        self._bytes, self._written_at = 0, time.monotonic()
        _LOG.debug("%d parts written", len(self._parts))
        pa.default_memory_pool().release_unused()


def _part_rows(table: pa.Table) -> int:
    """So many rows of a table make a part: writing one takes several times its bytes."""
    fitting = int(table.num_rows * FLUSH_BYTES / max(table.nbytes, 1))
    return min(PART_ROWS, max(ROW_GROUP, fitting))


def compacted(
    cache: Cache, snapshot: Snapshot, *, most_rows: int = INLINE_MERGE_ROWS, fetch: Fetch | None = None
) -> Snapshot:
    """Merge small parts until none are due. Without `fetch`, parts that are not here are left alone."""
    weights: dict[str, int] = {}

    def weigh(part: TablePart) -> int:
        if part.name not in weights:
            if fetch is not None:
                cache.need([part], fetch)
            weights[part.name] = raw_bytes(cache.path(part))
        return weights[part.name]

    while True:
        here = [part for part in snapshot.parts if fetch is not None or cache.has(part)]
        due = merges(here, most_rows=most_rows, weigh=weigh) or merges(here, width=MERGE_WIDTH * PATIENCE, weigh=weigh)
        if not due:
            return snapshot
        if fetch is not None:
            cache.need((part for group in due for part in group), fetch)
        snapshot = replace(snapshot, parts=_merged_parts(cache, snapshot, due))


def _merged_parts(cache: Cache, snapshot: Snapshot, due: Iterable[Sequence[TablePart]]) -> tuple[TablePart, ...]:
    parts = list(snapshot.parts)
    for group in due:
        spec = BY_NAME[group[0].table]
        rows = merged(spec, [str(cache.path(part)) for part in group], snapshot.dead_packs)
        gone = {part.name for part in group}
        parts = [part for part in parts if part.name not in gone]
        _LOG.debug("%d parts of %s merged into one of %d rows", len(group), spec.name, rows.num_rows)
        if rows.num_rows:
            parts.append(write_part(cache, spec, rows))
    return tuple(parts)


def _column(cache: Cache, snapshot: Snapshot, table: str, column: str) -> set[object]:
    """All values of one column of a small table."""
    found: set[object] = set()
    for part in snapshot.of([table]):
        found.update(read_part(cache.path(part), [column])[column].to_pylist())
    return found
