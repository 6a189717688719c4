"""How members are called in a folder: beside each other, and by the bytes that a name had where it came from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from sxeslake.archive.names import NameBatch, distinct_paths, normal_key
from sxeslake.vault.log.state import Version

_ROWS = 8192  # half a million names never stand in memory

Renamed = list[tuple[str, str]]


def has_raw_names(version: Version) -> bool:
    """Whether names that are not UTF-8 get their own bytes in a folder: where they come from one."""
    return version.archive.source.get("container") == "folder"


def name_batches(table: pa.Table) -> Iterator[NameBatch]:
    """The names of some rows."""
    for start in range(0, table.num_rows, _ROWS):
        piece = table.slice(start, _ROWS)
        yield NameBatch(piece["path"].to_pylist(), piece["directory"].to_pylist())


def apart(table: pa.Table) -> tuple[pa.Table, Renamed]:
    """The rows with paths that a folder can hold beside each other, and which of them got another one."""
    if not _may_collide(table):
        return table, []
    ordered = table.take(pa.array(np.argsort(table["ordinal"].to_numpy(), kind="stable")))
    paths = ordered["path"].to_pylist()
    others = distinct_paths(list(zip(paths, ordered["directory"].to_pylist(), strict=True)))
    if not others:
        return table, []
    renamed = [(paths[place], other) for place, other in others.items()]
    for place, other in others.items():
        paths[place] = other
    column = ordered.schema.get_field_index("path")
    return ordered.set_column(column, ordered.schema.field(column), pa.array(paths, pa.string())), renamed


def _may_collide(table: pa.Table) -> bool:
    """Whether a file has the name of another or of a folder; by hashes: cheap for half a million members."""
    files, folders = set[int](), set[int]()
    for batch in name_batches(table):
        for path, is_directory in zip(batch.paths, batch.directory, strict=True):
            key = normal_key(path)
            if is_directory:
                folders.add(hash(key))
            elif hash(key) in files:
                return True
            else:
                files.add(hash(key))
            while (key := key.rpartition("/")[0]) and hash(key) not in folders:
                folders.add(hash(key))
    return not files.isdisjoint(folders)
