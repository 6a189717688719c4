"""Rows back into tables: what a manifest said, it says again, with other hints."""

from __future__ import annotations

from blake3 import blake3

from sxeslake.format.manifest import NO_DIGEST, Blob, Hint, Manifest, ManifestBuilder, ManifestRow, footer_bytes
from sxeslake.format.rows import by_path, tables_of
from sxeslake.model import Member

PACK, OTHER = "a" * 32, "b" * 32


def digest(word: str) -> bytes:
    return blake3(word.encode()).digest()


def blob(word: str, size: int) -> Blob:
    return Blob(digest(word), size, Hint(PACK, 24, 100, 5))


ROWS = [
    ManifestRow(Member("data", "directory", 0, 7, 16, None, 5), 2, NO_DIGEST, ()),
    ManifestRow(
        Member("data/large", "file", 30, None, None, 9, 6, b"\xff"), 0, digest("whole"), (blob("x", 20), blob("y", 10))
    ),
    ManifestRow(Member("data/none", "file", 0, 8, None, 0), 3, digest(""), ()),
    ManifestRow(Member("data/small", "file", 4, 9, 32, 3), 1, digest("small"), (blob("small", 4),)),
]


def written(hints: dict[bytes, Hint]) -> list[ManifestRow]:
    builder = ManifestBuilder()
    builder.add(tables_of(by_path(ROWS), lambda item: hints.get(item.digest), builder, None))
    data = builder.finish()
    manifest = Manifest("c" * 32, len(data), data[-footer_bytes(data) :])
    return list(manifest.rows(manifest.table([0], [(0, data)])))


def test_rows_come_back_with_their_new_hints() -> None:
    new = {digest(word): Hint(OTHER, 500, 60, place) for place, word in enumerate(("x", "y", "small"))}
    found = written(new)
    assert [(row.member, row.ordinal, row.digest) for row in found] == [
        (row.member, row.ordinal, row.digest) for row in ROWS
    ]
    assert [item.hint for row in found for item in row.blobs] == [
        new[item.digest] for row in ROWS for item in row.blobs
    ]


def test_a_blob_that_stands_nowhere_has_a_hint_that_no_frame_fits() -> None:
    found = written({})
    assert [item.digest for row in found for item in row.blobs] == [item.digest for row in ROWS for item in row.blobs]
    assert all(item.hint is None or item.hint.frame_length == 0 for row in found for item in row.blobs)
