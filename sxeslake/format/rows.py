"""Rows of a manifest back into tables: for member tables that are rewritten, with other hints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from sxeslake.archive.sxes.documents.listing import ListPlace, PositionListing
from sxeslake.format.manifest import CHUNK, LISTED, SCHEMA, Blob, Hint, ManifestBuilder, ManifestRow
from sxeslake.format.rowgroups import arranged, position_of

HintOf = Callable[[Blob], Hint | None]
_NOWHERE = (None, None, None, None)


def by_path(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Rows in the order of a manifest: by the UTF-8 bytes of their paths."""
    return sorted(rows, key=lambda row: row.member.path.encode())


def tables_of(
    rows: Sequence[ManifestRow], hint_of: HintOf, manifest: ManifestBuilder, listing: PositionListing | None
) -> Iterator[pa.Table]:
    """One archive's rows, which are sorted by path, a row group at a time; `listing`: of a large group.

    A blob without a hint is looked up by its readers.
    """
    groups, runs = arranged([row.member.path for row in rows], listing)
    if listing is not None and runs is not None:
        manifest.outline(listing.outline, runs)
    for group in groups:
        table = _table([rows[at] for at in group], hint_of, manifest)
        yield table if listing is None or runs is None else with_places(table, listing.places)


def with_places(table: pa.Table, places: Mapping[str, ListPlace]) -> pa.Table:
    """The rows of a group with the place of each position beside the first row of its folder."""
    listed: list[ListPlace | None] = []
    last: str | None = None
    for path in table["path"].to_pylist():
        uuid = position_of(path)
        listed.append(places.get(uuid) if uuid is not None and uuid != last else None)
        last = uuid
    for at, field in enumerate(LISTED):
        table = table.append_column(field, pa.array([place and place[at] for place in listed], field.type))
    return table


def _table(rows: Sequence[ManifestRow], hint_of: HintOf, manifest: ManifestBuilder) -> pa.Table:
    members = [row.member for row in rows]
    columns: dict[str, Any] = {
        "path": [member.path for member in members],
        "ordinal": [row.ordinal for row in rows],
        "directory": [member.kind == "directory" for member in members],
        "size": [member.size for member in members],
        "modified_ns": [member.modified_ns for member in members],
        "attributes": [member.attributes for member in members],
        "dos_time": [member.dos_time for member in members],
        "raw_name": [member.raw_name for member in members],
        "crc32": [member.crc32 for member in members],
        "blake3": [row.digest for row in rows],
    }
    places = [_place(row, hint_of, manifest) for row in rows]
    for at, name in enumerate(("pack", "frame_offset", "frame_length", "blob_offset")):
        columns[name] = [place[at] for place in places]
    columns["chunks"] = [_chunks(row, hint_of, manifest) for row in rows]
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _is_chunked(row: ManifestRow) -> bool:
    return len(row.blobs) > 1 or any(blob.digest != row.digest for blob in row.blobs)


def _place(
    row: ManifestRow, hint_of: HintOf, manifest: ManifestBuilder
) -> tuple[int | None, int | None, int | None, int | None]:
    if not row.blobs or _is_chunked(row):
        return _NOWHERE
    hint = hint_of(row.blobs[0])
    if hint is None:
        return _NOWHERE
    return manifest.pack_index(hint.pack), hint.frame_offset, hint.frame_length, hint.blob_offset


def _chunks(row: ManifestRow, hint_of: HintOf, manifest: ManifestBuilder) -> bytes | None:
    if not _is_chunked(row):
        return None
    packed = bytearray()
    for blob in row.blobs:
        # A chunk has to name some pack: a frame of no bytes there is no frame, and readers look elsewhere.
        hint = hint_of(blob) or (blob.hint or Hint("0" * 32, 0, 0, 0))._replace(frame_offset=0, frame_length=0)
        place = (manifest.pack_index(hint.pack), hint.frame_offset, hint.frame_length, hint.blob_offset)
        packed += CHUNK.pack(blob.digest, blob.size, *place, 0)
    return bytes(packed)
