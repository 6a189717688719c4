"""Which files make up an open table: the catalogue's parts, without the rows of forgotten versions and dead packs.

A part of which every row counts is a file as it is, under the same hash. Another is written again without the rows that
do not count; its name says which part it is of and which rows it lacks, so that it is known without being made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from sxeslake.catalog.build.parts import encode_part, read_part
from sxeslake.catalog.schema.registry import Table
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.snapshot import Snapshot, TablePart

NAME: Final = re.compile(r"[0-9a-f]{64}(?:-[0-9a-f]{16})?\.parquet")
"""How files of open tables are called; others in their folders are not touched."""

Retired = frozenset[int | str]
"""Versions or packs whose rows do not count."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """One file of an open table: a part, perhaps without some of its rows."""

    part: TablePart
    rows: int
    without: Retired = frozenset()

    @property
    def name(self) -> str:
        """`ab12….parquet`, or `ab12…-cd34….parquet` of a part without some rows."""
        if not self.without:
            return f"{self.part.blake3}.parquet"
        lacking = blake3(",".join(sorted(map(str, self.without))).encode()).hexdigest()[:16]
        return f"{self.part.blake3}-{lacking}.parquet"

    @property
    def bytes(self) -> int | None:
        """Its size, where that is known without making it."""
        return None if self.without else self.part.bytes


def table_files(table: Table, snapshot: Snapshot, cache: Cache) -> list[TableFile]:
    """The files of a table at a snapshot; all of its parts are in the cache if rows are retired."""
    parts, retired = snapshot.of([table.name]), _retired(table, snapshot)
    if table.retire is None or not retired:
        return [TableFile(part, part.rows) for part in parts]
    found = []
    for part in parts:
        ids = read_part(cache.path(part), [table.retire])[table.retire]
        lacking = retired.intersection(pc.unique(ids).to_pylist())
        rows = part.rows - int(pc.sum(_is_retired(ids, lacking)).as_py() or 0)
        if rows:
            found.append(TableFile(part, rows, lacking))
    return found


def content(table: Table, file: TableFile, cache: Cache) -> bytes:
    """The bytes of a file; its part is in the cache."""
    if not file.without:
        return cache.read(file.part)
    assert table.retire is not None
    rows = read_part(cache.path(file.part), table.arrow.names)
    return encode_part(table, rows.filter(pc.invert(_is_retired(rows[table.retire], file.without))))


def _retired(table: Table, snapshot: Snapshot) -> Retired:
    return frozenset(snapshot.hidden if table.retire == "archive_id" else snapshot.dead_packs)


def _is_retired(ids: pa.ChunkedArray, retired: Iterable[int | str]) -> pa.ChunkedArray:
    """True for each row that does not count; rows without an id, such as annotations of whole samples, do."""
    return pc.is_in(ids, value_set=pa.array(sorted(retired, key=str), ids.type))
