"""An absorbed archive as the rows of a manifest: columns to columns, for there may be 600,000 of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from sxeslake.archive.columns import ABSENT, Numbers
from sxeslake.format.manifest import CHUNK, SCHEMA, ManifestBuilder, digest_column
from sxeslake.format.rowgroups import arranged
from sxeslake.format.rows import with_places
from sxeslake.ingest.absorb import Absorbed
from sxeslake.ingest.blobtable import BlobTable


def tables_of(taken: Absorbed, order: Numbers, table: BlobTable, manifest: ManifestBuilder) -> Iterator[pa.Table]:
    """The member table of one archive, a row group at a time, with a hint for every blob; `order` is by path."""
    listing = taken.metadata.listing
    groups, runs = arranged(taken.members.paths_at(order), listing)
    if listing is not None and runs is not None:
        manifest.outline(listing.outline, runs)
    for group in groups:
        numbers = order[np.asarray(group, np.int64)]
        rows = _rows(taken, numbers, table, manifest)
        yield rows if listing is None or runs is None else with_places(rows, listing.places)


def _rows(taken: Absorbed, numbers: Numbers, table: BlobTable, manifest: ManifestBuilder) -> pa.Table:
    members = taken.members
    directory = members.directory[numbers]
    columns: dict[str, pa.Array] = {
        "path": pa.array(members.paths_at(numbers), pa.string()),
        "ordinal": pa.array(numbers.astype(np.uint32)),
        "directory": pa.array(directory),
        "size": pa.array(members.sizes[numbers].astype(np.uint64)),
        "modified_ns": _known(members.modified_ns[numbers], np.int64),
        "attributes": _known(members.attributes[numbers], np.uint32),
        "dos_time": _known(members.dos_time[numbers], np.uint32),
        "raw_name": _few(members.raw_names, numbers),
        "crc32": pa.array(taken.crcs[numbers], mask=directory),
        "blake3": digest_column(taken.digests[numbers]),
        "chunks": _few(
            {number: _chunks(taken.chunks[number], table, manifest)
             for number in numbers.tolist() if number in taken.chunks} if taken.chunks else {}, numbers,
        ),
    }  # fmt: skip
    blobs = taken.first_blob[numbers]
    there = blobs >= 0
    for name, found in zip(_PLACE, table.places(blobs[there], manifest.pack_index), strict=True):
        spread = np.zeros(len(numbers), found.dtype)
        spread[there] = found
        columns[name] = pa.array(spread.astype(SCHEMA.field(name).type.to_pandas_dtype()), mask=~there)
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


_PLACE = ("pack", "frame_offset", "frame_length", "blob_offset")


def _known(values: Numbers, dtype: type[np.int64 | np.uint32]) -> pa.Array:
    absent = values == ABSENT
    return pa.array(np.where(absent, 0, values).astype(dtype), mask=absent)


def _few(values: Mapping[int, bytes], numbers: Numbers) -> pa.Array:
    """A column of bytes that most members do not have."""
    if not values:
        return pa.nulls(len(numbers), pa.binary())
    return pa.array([values.get(number) for number in numbers.tolist()], pa.binary())


def _chunks(blobs: Sequence[int], table: BlobTable, manifest: ManifestBuilder) -> bytes:
    packed = bytearray()
    for blob in blobs:
        hint = table.hint(blob)
        place = (manifest.pack_index(hint.pack), hint.frame_offset, hint.frame_length, hint.blob_offset)
        packed += CHUNK.pack(table.digest(blob), table.sizes[blob], *place, 0)
    return bytes(packed)
