"""Writing and merging parts: rows that are asked for together lie together, so that most of a table is never read."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from blake3 import blake3

from sxeslake.catalog.schema.registry import Table
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.snapshot import TablePart
from sxeslake.model import MIB

ROW_GROUP: Final = 16_384
"""Rows that share statistics: some maps' worth, so that a condition rules out nearly all groups of other maps."""
PART_ROWS: Final = 262_144
"""Rows of a full part, which is never merged again: it bounds the memory and the time of any merge."""
PART_BYTES: Final = 64 * MIB
"""Raw bytes of a full part: few rows may hold long documents."""
MERGE_WIDTH: Final = 8
"""So many parts of a size class become one: each row is written again log8(rows) times in its life."""
_SMALLEST_CLASS: Final = 64
_LEVEL: Final = 1  # of zstd: 3 takes nearly twice as long for the same bytes, still higher ones gain 4 %


def encode_part(spec: Table, table: pa.Table) -> bytes:
    """The Parquet file of a part, its rows clustered."""
    table = table.select([field.name for field in spec.arrow]).cast(spec.arrow)
    buffer = io.BytesIO()
    pq.write_table(
        _clustered(spec, table),
        buffer,
        row_group_size=_group_rows(table),
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=_repeating(spec),
        column_encoding={name: "DELTA_BYTE_ARRAY" for name in _PATHS if name in spec.arrow.names},
        write_statistics=_searched(spec),
        store_schema=False,
    )
    return buffer.getvalue()


def _group_rows(table: pa.Table) -> int:
    """Rows of a row group, which a query reads at once; few where they are long."""
    return max(1, min(ROW_GROUP, int(table.num_rows * PART_BYTES // max(table.nbytes, 1))))


def raw_bytes(file: Path) -> int:
    """What the rows of a part take in memory, about."""
    metadata: Any = pq.read_metadata(file)
    return sum(int(metadata.row_group(number).total_byte_size) for number in range(int(metadata.num_row_groups)))


def write_part(cache: Cache, spec: Table, table: pa.Table) -> TablePart:
    """Write rows as a new part."""
    data = encode_part(spec, table)
    part = TablePart(spec.name, blake3(data).hexdigest(), len(data), table.num_rows)
    cache.put(part, data)
    return part


_PATHS: Final = frozenset({"path"})  # sorted, and alike from row to row
_UNIQUE: Final = _PATHS | {
    "position_uuid", "content_id", "json", "blake3", "info_json", "state_json", "owner_id", "stage_x_mm", "stage_y_mm",
    "ordinal",
}  # fmt: skip
_UNSEARCHED: Final = frozenset({"json", "info_json", "state_json", "problem", "comment"})


def _repeating(spec: Table) -> list[str]:
    """Columns for which Parquet tries a dictionary: all but those whose values never repeat."""
    return [column.name for column in spec.stored if column.name not in _UNIQUE]


def _searched(spec: Table) -> list[str]:
    """Columns with statistics: long texts gain nothing from a minimum and a maximum."""
    return [column.name for column in spec.stored if column.name not in _UNSEARCHED and "[]" not in column.type]


def _clustered(spec: Table, table: pa.Table) -> pa.Table:
    """Rows ordered by the table's cluster; positions of one analysis stay together, whatever the current's drift."""
    if table.num_rows < 2 or not spec.cluster:
        return table
    keys = pa.table({name: _cluster_key(table, name) for name in spec.cluster})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in spec.cluster])
    in_order = np.array_equal(order.to_numpy(), np.arange(table.num_rows, dtype=np.uint64))
    return table if in_order else table.take(order)


def _cluster_key(table: pa.Table, name: str) -> pa.Array | pa.ChunkedArray:
    column = table[name]
    if name == "blake3":
        return _leading_bits(column)
    if name != "probe_current_na" or "position_uuid" not in table.column_names:
        return column
    groups = pc.binary_join_element_wise(
        table["archive_id"].cast(pa.string()), table["analysis_uuid"].fill_null(""), "/"
    )
    codes = groups.combine_chunks().dictionary_encode()
    values = column.fill_null(np.inf).to_numpy()
    smallest = np.full(len(codes.dictionary), np.inf)
    index = codes.indices.to_numpy()
    np.minimum.at(smallest, index, values)
    return pa.array(smallest[index])


def _leading_bits(digests: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Hexadecimal digests by their first 32 bits: numbers are sorted in a tenth of the time of texts."""
    try:
        whole = digests.combine_chunks().cast(pa.binary()).cast(pa.binary(64))
    except pa.ArrowInvalid:
        return digests
    signs = np.frombuffer(whole.buffers()[1], np.uint8).reshape(-1, 64)[whole.offset : whole.offset + len(whole), :8]
    return pa.array(np.ascontiguousarray(signs).view(">u8").ravel().astype(np.uint64))


def _weightless(_: TablePart) -> int:
    return 0


def merges(
    parts: Sequence[TablePart],
    *,
    most_rows: int = PART_ROWS,
    width: int = MERGE_WIDTH,
    weigh: Callable[[TablePart], int] = _weightless,
) -> list[list[TablePart]]:
    """Which parts to merge now: of each table and size class, every `width` together, up to a full part.

    Pure. `most_rows` bounds one merge; larger ones wait until somebody publishes a checkpoint. `weigh` says the raw
    bytes of a part; it is asked only where there are parts enough.
    """
    classes: dict[tuple[str, int], list[TablePart]] = defaultdict(list)
    for part in parts:
        if part.rows < PART_ROWS // 2:
            classes[part.table, _size_class(part.rows)].append(part)
    found: list[list[TablePart]] = []
    for members in classes.values():
        if len(members) >= width:
            light = [(part, weight) for part in members if (weight := weigh(part)) < PART_BYTES]
            if len(light) >= width:
                found += [group for group in _groups(light) if sum(part.rows for part in group) <= most_rows]
    return found


def _size_class(rows: int) -> int:
    number = 0
    while rows > _SMALLEST_CLASS:
        rows //= MERGE_WIDTH
        number += 1
    return number


def _groups(parts: Iterable[tuple[TablePart, int]]) -> list[list[TablePart]]:
    """Runs of parts that fit into one full part; a run of one is left alone."""
    groups: list[list[TablePart]] = [[]]
    rows = size = 0
    for part, weight in parts:
        if rows + part.rows > PART_ROWS or size + weight > 2 * PART_BYTES:
            groups.append([])
            rows = size = 0
        groups[-1].append(part)
        rows += part.rows
        size += weight
    return [group for group in groups if len(group) > 1]


def read_part(file: str | Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a part; by the plain reader, for that of datasets takes long to load."""
    with pq.ParquetFile(file) as opened:
        return opened.read(list(columns))


def merged(spec: Table, files: Sequence[str], dead_packs: frozenset[str]) -> pa.Table:
    """The rows of some parts in one table; rows of dead packs, whose ids never come back, are left out."""
    names = [field.name for field in spec.arrow]
    tables = [read_part(file, names).cast(spec.arrow) for file in files]
    table = pa.concat_tables(tables)
    if spec.retire == "pack_id" and dead_packs:
        dead = pa.array(sorted(dead_packs), pa.string())
        table = table.filter(pc.invert(pc.is_in(table["pack_id"], value_set=dead)))
    return table
