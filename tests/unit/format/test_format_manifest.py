"""Manifests: rows come back, one is found without the others, and hostile files are damage."""

from __future__ import annotations

import io
import json
import sys
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sxeslake.errors import DamagedLakeError, LimitExceededError
from sxeslake.format.manifest import (
    CHUNK,
    NO_DIGEST,
    SCHEMA,
    Manifest,
    ManifestBuilder,
    ManifestRow,
    RowRange,
    SparseFile,
    footer_bytes,
)
from sxeslake.format.rowgroups import ROW_GROUP

ID = "ab" * 16
PACKS = ["0" * 32, "1" * 32]


def row(path: str, ordinal: int = 0, **values: Any) -> dict[str, Any]:
    """A file of 3 bytes, in one blob."""
    return {
        "path": path,
        "ordinal": ordinal,
        "directory": False,
        "size": 3,
        "modified_ns": None,
        "attributes": None,
        "dos_time": None,
        "raw_name": None,
        "crc32": 7,
        "blake3": bytes([ordinal % 256]) * 32,
        "pack": 0,
        "frame_offset": 24,
        "frame_length": 90,
        "blob_offset": 3 * ordinal,
        "chunks": None,
        **values,
    }


def folder(path: str, ordinal: int = 0) -> dict[str, Any]:
    hintless = dict.fromkeys(("pack", "frame_offset", "frame_length", "blob_offset", "crc32"))
    return row(path, ordinal, directory=True, size=0, blake3=NO_DIGEST, **hintless)


def tables(rows: list[dict[str, Any]]) -> list[pa.Table]:
    """A table a row group."""
    parts = [rows[start : start + ROW_GROUP] for start in range(0, len(rows), ROW_GROUP)]
    return [pa.Table.from_pylist(part, schema=SCHEMA) for part in parts]


def built(*archives: list[dict[str, Any]]) -> tuple[bytes, list[RowRange]]:
    builder = ManifestBuilder()
    ranges = [builder.add(tables(rows)) for rows in archives]
    for pack in PACKS:
        builder.pack_index(pack)
    return builder.finish(), ranges


def opened(data: bytes) -> Manifest:
    return Manifest(ID, len(data), data[-footer_bytes(data) :])


def rows_of(data: bytes, where: RowRange, by: Literal["path", "archive"] | None = None) -> list[ManifestRow]:
    manifest = opened(data)
    groups = range(where.first_group, where.first_group + where.groups)
    runs = [(start, data[start:end]) for start, end in map(manifest.group_bytes, groups)]
    return list(manifest.rows(manifest.table(groups, runs), by))


def foreign(schema: pa.Schema, rows: list[dict[str, Any]], packs: object = PACKS) -> bytes:
    """Parquet with any schema and any metadata."""
    buffer = io.BytesIO()
    metadata = {b"sxeslake": json.dumps({"packs": packs}).encode()}
    pq.write_table(pa.Table.from_pylist(rows, schema=schema.with_metadata(metadata)), buffer)
    return buffer.getvalue()


def test_rows_come_back_by_path_and_in_archive_order() -> None:
    times = {"modified_ns": -5, "dos_time": 2**32 - 1, "attributes": 2**32 - 1, "raw_name": b"\x89\xb7"}
    data, (where,) = built([row("a", 2), row("b", 0, **times), folder("c", 1)])
    found = rows_of(data, where)
    assert [one.member.path for one in found] == ["a", "b", "c"]
    assert [one.member.path for one in rows_of(data, where, "archive")] == ["b", "c", "a"]
    member = found[1].member
    assert (member.modified_ns, member.dos_time, member.attributes, member.raw_name) == tuple(times.values())
    assert found[0].blobs[0].hint == (PACKS[0], 24, 90, 6)
    assert (found[2].member.kind, found[2].blobs, found[2].digest) == ("directory", (), NO_DIGEST)


def test_an_empty_file_has_no_blob() -> None:
    data, (where,) = built([row("empty", size=0, pack=None)])
    assert rows_of(data, where)[0].blobs == ()


def test_a_large_member_is_its_chunks() -> None:
    chunks = b"".join(CHUNK.pack(bytes([n]) * 32, 2, n, 24, 90, n, 0) for n in range(2))
    data, (where,) = built([row("large", size=4, chunks=chunks, pack=None)])
    blobs = rows_of(data, where)[0].blobs
    assert [(blob.digest[0], blob.size, blob.hint) for blob in blobs] == [
        (0, 2, (PACKS[0], 24, 90, 0)),
        (1, 2, (PACKS[1], 24, 90, 1)),
    ]


def test_archives_stand_in_row_groups_of_their_own() -> None:
    many = [row(f"{number:06}", number) for number in range(ROW_GROUP + 10)]
    data, ranges = built([row("x")], many, [], [row("y")])
    assert [(where.first_group, where.groups, where.rows) for where in ranges] == [
        (0, 1, 1),
        (1, 2, ROW_GROUP + 10),
        (3, 0, 0),
        (3, 1, 1),
    ]
    assert [one.member.path for one in rows_of(data, ranges[1])] == [one["path"] for one in many]
    assert rows_of(data, ranges[2]) == []
    assert [one.member.path for one in rows_of(data, ranges[3])] == ["y"]


def test_one_path_needs_one_row_group() -> None:
    many = [row(f"data/{number:06}/xes.data", number) for number in range(3 * ROW_GROUP)]
    data, (where,) = built(many)
    finder = opened(data).row_groups(where)
    for number, group in ((0, 0), (ROW_GROUP - 1, 0), (ROW_GROUP, 1), (3 * ROW_GROUP - 1, 2)):
        path = many[number]["path"]
        assert finder.at([path]) == finder.between(path, path) == finder.beginning(path) == [group]
    assert finder.beginning("data/") == finder.between("data/", "data/\U0010ffff") == [0, 1, 2]
    assert finder.holding(["data"]) == [0, 1, 2]
    assert (finder.at(["data"]), finder.between("e", "f")) == ([], [])


def test_paths_are_found_by_their_bytes_not_by_their_length() -> None:
    paths = sorted(("Größe/日本.txt", "\U0001f52c", "～", "z" * 300, "z" * 300 + "a"), key=str.encode)
    data, (where,) = built([row(path, number) for number, path in enumerate(paths)])
    for path in paths:
        assert opened(data).row_groups(where).at([path]) == [0]


def test_a_sparse_file_is_zeros_where_nothing_is() -> None:
    file = SparseFile(20, [(5, b"abc"), (10, b"de")])
    assert file.read() == b"\0" * 5 + b"abc\0\0de" + b"\0" * 8
    assert (file.seek(6), file.read(2), file.seek(-9, 2), file.read(3)) == (6, b"bc", 11, b"e\0\0")
    assert (file.seek(30), file.read(5)) == (30, b"")


def test_every_flipped_byte_is_damage_or_changes_nothing() -> None:
    data, (where,) = built([row("a", 1), row("b", 0, modified_ns=5), folder("c", 2)])
    whole = rows_of(data, where)
    for at in range(4, len(data) - footer_bytes(data)):  # footers are proved by the log
        damaged = bytearray(data)
        damaged[at] ^= 0x04
        try:
            assert rows_of(bytes(damaged), where) == whole, f"byte {at} gives other rows"
        except DamagedLakeError:
            continue


@pytest.mark.parametrize(
    "columns",
    [
        pa.schema([pa.field("path", pa.string(), nullable=False)]),
        SCHEMA.remove(3),
        SCHEMA.set(0, pa.field("path", pa.int32(), nullable=False)),
        SCHEMA.set(3, pa.field("size", pa.uint64())),  # sizes may be null
        SCHEMA.set(9, pa.field("blake3", pa.binary(16), nullable=False)),
    ],
)
def test_other_columns_are_damage(columns: pa.Schema) -> None:
    with pytest.raises(DamagedLakeError, match="columns"):
        opened(foreign(columns, []))


def test_later_columns_are_passed_over() -> None:
    data = foreign(SCHEMA.append(pa.field("colour", pa.string())), [row("a") | {"colour": "blue"}])
    assert rows_of(data, RowRange(0, 1, 1))[0].member.path == "a"


@pytest.mark.parametrize("packs", [None, 5, [5], ["../../x"], ["a" * 31], {"a": "b"}])
def test_hostile_pack_lists_are_damage(packs: object) -> None:
    with pytest.raises(DamagedLakeError):
        opened(foreign(SCHEMA, [], packs))


@pytest.mark.parametrize(
    "hostile",
    [
        row("a", pack=2),  # a pack that is not listed
        row("a", size=4, chunks=b"\0" * 55),
        row("a", size=4, chunks=CHUNK.pack(b"", 3, 0, 0, 0, 0, 0)),  # 3 are not 4
        row("a", size=4, chunks=CHUNK.pack(b"", 4, 9, 0, 0, 0, 0)),
        row("a", size=4, chunks=b""),
    ],
)
def test_hostile_rows_are_damage(hostile: dict[str, Any]) -> None:
    data, (where,) = built([hostile])
    with pytest.raises(DamagedLakeError):
        rows_of(data, where)


def test_half_a_hint_is_no_hint() -> None:
    data, (where,) = built([row("a", frame_length=None)])
    assert rows_of(data, where)[0].blobs[0].hint is None


def test_a_path_that_is_no_text_is_damage() -> None:
    (rows,) = tables([row("abc")])
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 3], "<i4")), pa.py_buffer(b"a\xffc"))
    builder = ManifestBuilder()
    builder.pack_index(PACKS[0])
    where = builder.add([rows.set_column(0, SCHEMA.field(0), bad)])
    with pytest.raises(DamagedLakeError):
        rows_of(builder.finish(), where)


def test_row_groups_that_are_not_there_are_damage() -> None:
    data, _ = built([row("a")])
    manifest = opened(data)
    for group in (1, 2**31):
        with pytest.raises(DamagedLakeError):
            manifest.group_bytes(group)
        with pytest.raises(DamagedLakeError):
            manifest.table([group], [(0, data)])
        with pytest.raises(DamagedLakeError):
            manifest.bounds(group)


@pytest.mark.parametrize("footer", [b"", b"PAR1", b"\0\0\0\0PAR1", b"\xff\xff\xff\xffPAR1", b"x" * 500])
def test_what_is_no_footer_is_damage(footer: bytes) -> None:
    with pytest.raises(DamagedLakeError):
        Manifest(ID, 5000, footer)


def test_a_commit_of_too_many_packs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows number their packs in 16 bits: one more than fits must not wrap."""
    monkeypatch.setattr("sxeslake.format.manifest.MAX_PACKS", 2)
    builder = ManifestBuilder()
    assert [builder.pack_index(pack) for pack in ("a" * 32, "b" * 32, "a" * 32)] == [0, 1, 0]
    with pytest.raises(LimitExceededError, match="more than 2 packs"):
        builder.pack_index("c" * 32)


def test_a_manifest_is_freed_with_its_last_reference() -> None:
    data, _ = built(*([row(f"a{number}")] for number in range(300)))
    manifest = opened(data)
    manifest.table(range(300), [(0, data)])
    assert manifest.row_groups(RowRange(0, 300, 300)).between("a7", "a7")
    references = sys.getrefcount(manifest._meta)  # of the manifest, and of this call
    assert references == 2, "more would be a cycle: megabytes that wait for Python's own collector"
