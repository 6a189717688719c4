"""Growing a snapshot: new versions projected into parts, events into rows, small parts merged into larger ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from sxeslake.catalog import tables
from sxeslake.catalog.cache import Cache, Fetch
from sxeslake.catalog.model import PLACES_PER_ENTRY, CatalogSource, Changes, Document, PackHeader, VersionHeader
from sxeslake.catalog.parts import MERGE_WIDTH, PART_ROWS, merged, merges, write_part
from sxeslake.catalog.project import projected
from sxeslake.catalog.rows import Same, hex_of, table_of, table_of_rows
from sxeslake.catalog.snapshot import Part, Snapshot

FLUSH_ROWS: Final = 524_288
"""So many new rows of all tables are gathered before parts are written: it bounds the memory of a long sync."""
INLINE_MERGE_ROWS: Final = 65_536
"""Larger merges wait for a checkpoint, so that a sync before a query stays short …"""
PATIENCE: Final = 4
"""… unless so many times more parts than usual have gathered: somebody who never publishes merges too."""
_ENCODERS: Final = 4
_AHEAD: Final = 2  # archives that are read while one is projected
_READ_AHEAD_ROWS: Final = 32_768
"""An archive of so many members is read ahead whole; a larger one is read as it is used."""

Loaded = tuple[pa.Table, Iterable[Document]]


def extended(source: CatalogSource, cache: Cache, start: Snapshot, changes: Changes) -> Snapshot:
    """The snapshot with everything that is new; what is there already is not made twice."""
    versions = [*changes.versions, *_returned(source, start, changes)]
    known = _column(cache, start, "archives", "archive_id") if start.parts and versions else set()
    wanted = {each.archive_id: each for each in versions if each.archive_id not in known}
    new = [each for number, each in wanted.items() if number not in changes.hidden]
    writer = _Writer(cache)
    for header, (members, documents) in _loaded(source, new):
        for name, rows in projected(header, members, documents):
            writer.add(name, rows)
    _add_events(source, writer, changes)
    parts = (*start.parts, *writer.finish())
    skipped = (start.skipped | wanted.keys()) & changes.hidden
    return _with_hidden(cache, replace(start, head=changes.head, parts=parts, skipped=skipped), changes)


def _returned(source: CatalogSource, start: Snapshot, changes: Changes) -> list[VersionHeader]:
    """Versions that were forgotten when the catalogue passed them, and are restored now."""
    back = start.skipped - changes.hidden
    if not back:
        return []
    before = min(back) // PLACES_PER_ENTRY - 1
    return [each for each in source.changes_since(before).versions if each.archive_id in back]


def _add_events(source: CatalogSource, writer: _Writer, changes: Changes) -> None:
    """Annotations, packs and their blobs."""
    if changes.annotations:
        writer.add("annotations", table_of_rows(tables.ANNOTATIONS, [asdict(each) for each in changes.annotations], {}))
    packs = [pack for pack in changes.packs if pack.pack_id not in changes.dead_packs]
    if packs:
        writer.add("packs", table_of_rows(tables.PACKS, [asdict(pack) for pack in packs], {}))
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
    return table_of(tables.BLOBS, blobs.num_rows, columns)


def _with_hidden(cache: Cache, snapshot: Snapshot, changes: Changes) -> Snapshot:
    """Hide what is forgotten or dead, as far as the parts have rows of it: the lists stay short."""
    hidden, dead = changes.hidden, changes.dead_packs
    if hidden:
        said_of = _column(cache, snapshot, "annotations", "archive_id")  # also of versions that were never read
        hidden = hidden & (_column(cache, snapshot, "archives", "archive_id") | said_of)
    if dead:
        dead = dead & _column(cache, snapshot, "packs", "pack_id")
    return replace(snapshot, hidden=frozenset(hidden), dead_packs=frozenset(dead))


def _loaded(source: CatalogSource, headers: Sequence[VersionHeader]) -> Iterator[tuple[VersionHeader, Loaded]]:
    """Members and documents of each version, read a little ahead of the projection."""
    with ThreadPoolExecutor(_AHEAD, "sxeslake-catalog") as pool:
        pending: list[tuple[VersionHeader, Future[Loaded]]] = []
        for header in headers:
            pending.append((header, pool.submit(_load, source, header)))
            if len(pending) > _AHEAD:
                first, future = pending.pop(0)
                yield first, future.result()
        for header, future in pending:
            yield header, future.result()


def _load(source: CatalogSource, header: VersionHeader) -> Loaded:
    members, documents = source.members(header), source.documents(header)
    return members, documents if members.num_rows > _READ_AHEAD_ROWS else list(documents)


class _Writer:
    """Gathers rows of all tables and writes parts of a good size."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._waiting: dict[str, list[pa.Table]] = {}
        self._rows = 0
        self._parts: list[Part] = []

    def add(self, name: str, rows: pa.Table) -> None:
        """Take rows of one table."""
        if rows.num_rows:
            self._waiting.setdefault(name, []).append(rows)
            self._rows += rows.num_rows
        if self._rows >= FLUSH_ROWS:
            self.finish()

    def finish(self) -> list[Part]:
        """Write what waits; all parts so far."""
        slices = [
            (tables.BY_NAME[name], whole.slice(start, PART_ROWS))
            for name, rows in self._waiting.items()
            for whole in [pa.concat_tables(rows)]
            for start in range(0, whole.num_rows, PART_ROWS)
        ]
        with ThreadPoolExecutor(_ENCODERS, "sxeslake-catalog") as pool:  # Parquet is written outside Python's lock
            self._parts += pool.map(lambda item: write_part(self._cache, *item), slices)
        self._waiting, self._rows = {}, 0
        return self._parts


def compacted(
    cache: Cache, snapshot: Snapshot, *, most_rows: int = INLINE_MERGE_ROWS, fetch: Fetch | None = None
) -> Snapshot:
    """Merge small parts until none are due. Without `fetch`, parts that are not here are left alone."""
    while True:
        here = [part for part in snapshot.parts if fetch is not None or cache.has(part)]
        due = merges(here, most_rows=most_rows) or merges(here, width=MERGE_WIDTH * PATIENCE)
        if not due:
            return snapshot
        if fetch is not None:
            cache.need((part for group in due for part in group), fetch)
        snapshot = replace(snapshot, parts=_merged_parts(cache, snapshot, due))


def _merged_parts(cache: Cache, snapshot: Snapshot, due: Iterable[Sequence[Part]]) -> tuple[Part, ...]:
    parts = list(snapshot.parts)
    for group in due:
        spec = tables.BY_NAME[group[0].table]
        rows = merged(spec, [str(cache.path(part)) for part in group], snapshot.dead_packs)
        gone = {part.name for part in group}
        parts = [part for part in parts if part.name not in gone]
        if rows.num_rows:
            parts.append(write_part(cache, spec, rows))
    return tuple(parts)


def _column(cache: Cache, snapshot: Snapshot, table: str, column: str) -> set[object]:
    """All values of one column of a small table."""
    found: set[object] = set()
    for part in snapshot.of([table]):
        found.update(pq.read_table(cache.path(part), columns=[column], partitioning=None)[column].to_pylist())
    return found
