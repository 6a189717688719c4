"""An absorbed archive as the rows of a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sxeslake.format.manifest import CHUNK, SCHEMA, ManifestBuilder, digest_column
from sxeslake.ingest.absorb import Absorbed, crc_of
from sxeslake.ingest.blobtable import BlobTable


def rows_of(taken: Absorbed, order: Sequence[int], table: BlobTable, manifest: ManifestBuilder) -> pa.Table:
    """The member table of one archive, sorted by path, with a hint for every blob."""
    members = [taken.members[number] for number in order]
    places = [_place(taken, number, table, manifest) for number in order]
    digests = np.frombuffer(taken.digests, np.uint8).reshape(-1, 32)[list(order)]
    columns: dict[str, Any] = {
        "path": [member.path for member in members],
        "ordinal": pa.array(np.asarray(order, np.uint32)),
        "directory": [member.kind == "directory" for member in members],
        "size": [member.size for member in members],
        "modified_ns": [member.modified_ns for member in members],
        "attributes": [member.attributes for member in members],
        "dos_time": [member.dos_time for member in members],
        "raw_name": [member.raw_name for member in members],
        "crc32": [crc_of(taken, number) for number in order],
        "blake3": digest_column(digests),
    }
    for at, name in enumerate(("pack", "frame_offset", "frame_length", "blob_offset")):
        columns[name] = [place[at] for place in places]
    columns["chunks"] = [_chunks(taken.chunks.get(number), table, manifest) for number in order]
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


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

