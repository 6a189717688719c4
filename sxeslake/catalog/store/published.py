"""Whether a published catalogue says what the archives say: a client that takes it would answer from it.

Its parts agree with their own hashes, and its list with the log's. Only the archives tell whether rows are right: all
of them are projected again, or a few at random.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sxeslake.catalog.build.update import grown, rows_of
from sxeslake.catalog.model import CatalogSource, VersionHeader
from sxeslake.catalog.schema.tables import TABLES
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.checkpoint import newest
from sxeslake.catalog.store.comparison import TableDigest, compare, extent, extents
from sxeslake.catalog.store.database import Database
from sxeslake.catalog.store.snapshot import Snapshot
from sxeslake.catalog.store.sync import rebuild
from sxeslake.model import MIB
from sxeslake.storage.interface import Store

SAMPLE: Final = 8
"""Versions that are projected again where not all of them are."""
_SAMPLE_BYTES: Final = 64 * MIB  # parts that are not here yet: more is not fetched for a sample

Open = Callable[[Snapshot, Cache], Database]


def current(source: CatalogSource, store: Store) -> Snapshot | None:
    """The published catalogue that a client without one would start from."""
    return newest(store, source.entry_hash, at_most=source.head().number)


def wrong_tables(
    source: CatalogSource,
    store: Store,
    snapshot: Snapshot,
    taken: Cache,
    made: Cache,
    opened: Open,
    *,
    document_bytes: int,
) -> list[str]:
    """The tables that are not what all archives give; `taken` and `made` are empty folders."""
    taken.need(snapshot.of(["archives", "annotations", "packs"]), store.get)
    *_, now = grown(source, taken, snapshot, document_bytes=document_bytes)
    fresh = rebuild(source, made, document_bytes=document_bytes)
    proof = compare(_extents(opened(now, taken)), _extents(opened(fresh, made)), now.head.number)
    return [table.table for table in proof.tables if not table.equal]


def wrong_in_sample(
    source: CatalogSource,
    snapshot: Snapshot,
    local: Cache,
    made: Cache,
    opened: Open,
    chance: random.Random,
    *,
    document_bytes: int,
) -> list[str]:
    """The tables that differ for some versions; `local` may have parts already."""
    if sum(part.bytes for part in snapshot.parts if not local.has(part)) > _SAMPLE_BYTES:
        return []
    chosen = _sample(source, snapshot, chance)
    if not chosen:
        return []
    fresh = Snapshot(snapshot.head, tuple(rows_of(source, made, chosen, document_bytes)))
    ids = [header.archive_id for header in chosen]
    published, ours = _extents_of(opened(snapshot, local), ids), _extents_of(opened(fresh, made), ids)
    return [table for table, extent in ours.items() if published[table] != extent]


def _sample(source: CatalogSource, snapshot: Snapshot, chance: random.Random) -> list[VersionHeader]:
    """Some versions that the published catalogue shows."""
    found: dict[int, VersionHeader] = {}
    for _ in range(SAMPLE):
        changes = source.changes_since(chance.randrange(snapshot.head.number))
        there = [
            each
            for each in changes.versions
            if each.log_number <= snapshot.head.number
            and each.archive_id not in changes.hidden | snapshot.hidden | snapshot.skipped
        ]
        if there:
            header = there[chance.randrange(len(there))]
            found[header.archive_id] = header
    return [found[archive_id] for archive_id in sorted(found)]


def _extents(database: Database) -> dict[str, TableDigest]:
    try:
        return extents(database)
    finally:
        database.close()


def _extents_of(database: Database, archive_ids: Sequence[int]) -> Mapping[str, TableDigest]:
    """The extents of the rows of some versions, for each table that has such rows; annotations have no archive."""
    found = {}
    ids = ", ".join(map(str, archive_ids))
    try:
        for table in TABLES:
            names = {column.name for column in table.columns}
            if "archive_id" in names and table.name != "annotations":
                found[table.name] = extent(database, table.name, f"archive_id IN ({ids})")
    finally:
        database.close()
    return found
