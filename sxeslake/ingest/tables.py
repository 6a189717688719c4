"""An absorbed archive as the rows of a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sxeslake.archive.sxes.layout import DATA
from sxeslake.archive.sxes.listing import Place
from sxeslake.format.manifest import CHUNK, LISTED, ROW_GROUP, SCHEMA, ManifestBuilder, digest_column
from sxeslake.ingest.absorb import Absorbed
from sxeslake.ingest.blobtable import BlobTable


def tables_of(taken: Absorbed, order: Sequence[int], table: BlobTable, manifest: ManifestBuilder) -> Iterator[pa.Table]:
    """The member table of one archive, sorted by path, a row group at a time, with a hint for every blob."""
    listing = taken.metadata.listing
    if listing is not None:
        manifest.outline(listing.outline)
    last = ""
    for start in range(0, len(order), ROW_GROUP):
        rows = _rows(taken, order[start : start + ROW_GROUP], table, manifest)
        if listing is not None:
            rows, last = _with_places(rows, listing.places, last)
        yield rows


def _rows(taken: Absorbed, numbers: Sequence[int], table: BlobTable, manifest: ManifestBuilder) -> pa.Table:
    members = [taken.members[number] for number in numbers]
    places = [_place(taken, number, table, manifest) for number in numbers]
    is_folder = [member.kind == "directory" for member in members]
    columns: dict[str, Any] = {
        "path": [member.path for member in members],
        "ordinal": list(numbers),
        "directory": is_folder,
        "size": [member.size for member in members],
        "modified_ns": [member.modified_ns for member in members],
        "attributes": [member.attributes for member in members],
        "dos_time": [member.dos_time for member in members],
        "raw_name": [member.raw_name for member in members],
        "crc32": [None if folder else taken.crcs[number] for number, folder in zip(numbers, is_folder, strict=True)],
        "blake3": digest_column(np.frombuffer(taken.digests, np.uint8).reshape(-1, 32)[list(numbers)]),
        "chunks": [_chunks(taken.chunks.get(number), table, manifest) for number in numbers],
    }
    for at, name in enumerate(("pack", "frame_offset", "frame_length", "blob_offset")):
        columns[name] = [place[at] for place in places]
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _with_places(rows: pa.Table, places: Mapping[str, Place], last: str) -> tuple[pa.Table, str]:
    """The rows with the place of each position beside the first row of its folder; `last` is the folder before."""
    listed: list[Place | None] = []
    for path in rows["path"].to_pylist():
        root, _, rest = path.partition("/")
        uuid = rest.partition("/")[0] if root == DATA else ""
        listed.append(places.get(uuid) if uuid != last else None)
        last = uuid
    for at, field in enumerate(LISTED):
        rows = rows.append_column(field, pa.array([place and place[at] for place in listed], field.type))
    return rows, last


_NONE = (None, None, None, None)


def _place(
    taken: Absorbed, number: int, table: BlobTable, manifest: ManifestBuilder
) -> tuple[int | None, int | None, int | None, int | None]:
    blob = taken.first_blob[number]
    if blob < 0:
        return _NONE
    hint = table.hint(blob)
    return manifest.pack_index(hint.pack), hint.frame_offset, hint.frame_length, hint.blob_offset


def _chunks(blobs: Sequence[int] | None, table: BlobTable, manifest: ManifestBuilder) -> bytes | None:
    if blobs is None:
        return None
    packed = bytearray()
    for blob in blobs:
        hint = table.hint(blob)
        place = (manifest.pack_index(hint.pack), hint.frame_offset, hint.frame_length, hint.blob_offset)
        packed += CHUNK.pack(table.digest(blob), table.sizes[blob], *place, 0)
    return bytes(packed)
