"""Manifests: any rows come back; a flipped byte of a row group is noticed or changes nothing."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.errors import DamagedLakeError
from sxeslake.format.manifest import CHUNK, SCHEMA, Manifest, ManifestBuilder, ManifestRow, RowRange, footer_bytes

PACKS = [f"{number:032x}" for number in range(4)]
U32 = st.integers(0, 2**32 - 1)
DIGEST = st.binary(min_size=32, max_size=32)
PLACE = st.tuples(st.integers(0, len(PACKS) - 1), U32, U32, U32)
CHUNKS = st.lists(st.tuples(DIGEST, st.integers(1, 2**32 - 1), PLACE), min_size=1, max_size=3)
PATHS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A file of no, one or several blobs, or a folder, with any values that its columns hold."""
    place = draw(st.none() | PLACE)
    chunks = draw(st.none() | CHUNKS)
    directory = draw(st.booleans())
    size = 0 if directory else draw(st.integers(0, 2**63)) if chunks is None else sum(size for _, size, _ in chunks)
    packed = None if chunks is None else b"".join(CHUNK.pack(digest, size, *place, 0) for digest, size, place in chunks)
    hint = dict(zip(("pack", "frame_offset", "frame_length", "blob_offset"), place or (None,) * 4, strict=True))
    return {
        "path": draw(PATHS),
        "directory": directory,
        "size": size,
        "modified_ns": draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
        "attributes": draw(st.none() | U32),
        "dos_time": draw(st.none() | U32),
        "raw_name": draw(st.none() | st.binary(max_size=9)),
        "crc32": draw(st.none() | U32),
        "blake3": draw(DIGEST),
        **hint,
        "chunks": packed,
    }


ARCHIVES = st.lists(
    st.lists(rows(), max_size=6, unique_by=lambda row: row["path"]).map(
        lambda some: [
            row | {"ordinal": len(some) - 1 - at}
            for at, row in enumerate(sorted(some, key=lambda row: row["path"].encode()))
        ]
    ),
    min_size=1,
    max_size=3,
)


def built(archives: list[list[dict[str, Any]]]) -> tuple[bytes, list[RowRange]]:
    builder = ManifestBuilder()
    for pack in PACKS:
        builder.pack_index(pack)
    ranges = [builder.add([pa.Table.from_pylist(some, schema=SCHEMA)] if some else []) for some in archives]
    return builder.finish(), ranges


def read(manifest: Manifest, data: bytes, where: RowRange) -> list[ManifestRow]:
    groups = range(where.first_group, where.first_group + where.groups)
    runs = [(start, data[start:end]) for start, end in map(manifest.group_bytes, groups)]
    return list(manifest.rows(manifest.table(groups, runs)))


def plain(row: ManifestRow) -> dict[str, Any]:
    """A row as the test wrote it, without its hints."""
    member = row.member
    return {
        "path": member.path,
        "directory": member.kind == "directory",
        "size": member.size,
        "modified_ns": member.modified_ns,
        "attributes": member.attributes,
        "dos_time": member.dos_time,
        "raw_name": member.raw_name,
        "crc32": member.crc32,
        "blake3": row.digest,
        "ordinal": row.ordinal,
    }


@settings(max_examples=40)
@given(ARCHIVES)
def test_rows_come_back(archives: list[list[dict[str, Any]]]) -> None:
    data, ranges = built(archives)
    manifest = Manifest("ab" * 16, len(data), data[-footer_bytes(data) :])
    for some, where in zip(archives, ranges, strict=True):
        found = read(manifest, data, where)
        assert [plain(row) for row in found] == [{key: row[key] for key in plain(found[0])} for row in some]
        for row, wanted in zip(found, some, strict=True):
            assert sum(blob.size for blob in row.blobs) == wanted["size"]
            if wanted["size"]:
                assert row.blobs[0].hint is None or row.blobs[0].hint.pack in PACKS
                assert manifest.row_groups(where).at([row.member.path]) == [where.first_group]


@settings(max_examples=50)
@given(ARCHIVES, st.data())
def test_a_flipped_byte_of_a_row_group_gives_no_other_rows(
    archives: list[list[dict[str, Any]]], draw: st.DataObject
) -> None:
    data, ranges = built(archives)
    footer = footer_bytes(data)
    manifest = Manifest("ab" * 16, len(data), data[-footer:])
    body = bytearray(data)
    body[draw.draw(st.integers(0, len(data) - footer - 1))] ^= draw.draw(st.integers(1, 255))
    for where in ranges:
        whole = read(manifest, data, where)
        try:
            assert read(manifest, bytes(body), where) == whole
        except DamagedLakeError:
            continue
