"""The layout of a copied zip, without the zip: any run of it is what the writer writes there."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Sequence

import numpy as np
import pytest

from sxeslake.archive.zip import records as zip_records
from sxeslake.archive.zip import writer as zip_writer
from sxeslake.archive.zip.layout import Columns, StoredZip
from sxeslake.errors import UnsafeNameError, UsageError
from sxeslake.model import Member

Contents = Sequence[tuple[Member, bytes]]


def written(contents: Contents, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zip_writer.ZipWriter(out, level=0, comment=comment) as writer:
        for member, data in contents:
            writer.add(member, [data])
    return out.getvalue()


def layout(contents: Contents, comment: bytes = b"") -> StoredZip:
    members = [member for member, _ in contents]
    columns = Columns(
        path_bytes=np.array([len(member.path.encode()) for member in members], np.int64),
        folder=np.array([member.kind == "directory" for member in members], np.bool_),
        size=np.array([member.size for member in members], np.int64),
        modified_ns=np.array([member.modified_ns or 0 for member in members], np.int64),
        timed=np.array([member.modified_ns is not None for member in members], np.bool_),
        raw_named=np.array([member.raw_name is not None for member in members], np.bool_),
    )
    return StoredZip(columns, lambda first, last: members[first:last], comment)


def run(made: StoredZip, contents: Contents, start: int, end: int) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else contents[part.place][1][part.start : part.end]
        for part in made.parts(start, end)
    )


def crowd(seed: int, count: int = 600, largest: int = 5000) -> Contents:
    """Members of every kind: folders, names in all bytes, times at the ends of every calendar."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        is_folder = chance.random() < 0.1
        data = b"" if is_folder else chance.randbytes(chance.choice([0, 1, 50, largest]))
        name = chance.choice(["a", "ä/", "日本"]) + str(number)
        member = Member(
            name,
            "directory" if is_folder else "file",
            len(data),
            chance.choice([None, 0, -1, 1 << 62, -(1 << 62), 1_600_000_000_123_456_789]),
            chance.choice([None, 0x20, 0x81A4_8020]),
            zlib.crc32(data),
            chance.choice([None, 0x5060_7080]),
            name.encode("cp932", "replace") if chance.random() < 0.1 else None,
        )
        found.append((member, data))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_any_run_is_what_the_writer_writes(seed: int) -> None:
    contents = crowd(seed)
    whole, made = written(contents, b"a comment"), layout(contents, b"a comment")
    assert made.size == len(whole)
    assert run(made, contents, 0, made.size + 10) == whole
    chance = random.Random(seed)
    for _ in range(400):
        start = chance.randrange(len(whole))
        end = start + chance.choice([0, 1, 40, 100, 5000, 100_000])
        assert run(made, contents, start, end) == whole[start:end]


def test_large_members_and_empty_archives() -> None:
    data = random.Random(1).randbytes(5 << 20)
    large = [(Member("large", "file", len(data), crc32=zlib.crc32(data)), data), *crowd(1, 3)]
    empty: Contents = []
    for contents in (large, empty):
        assert run(layout(contents), contents, 0, 1 << 40) == written(contents)


def test_beyond_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_records, "MAX_32", 250_000)  # as if 4 GiB were reached after 250 kB
    monkeypatch.setattr(zip_writer, "LARGE_BYTES", 60_000)
    data = random.Random(2).randbytes(260_000)
    contents = [*crowd(2, 40), (Member("wide", "file", len(data), crc32=zlib.crc32(data)), data), *crowd(3, 40)]
    whole = written(contents)
    assert b"PK\6\6" in whole
    assert run(layout(contents), contents, 0, len(whole)) == whole


def test_a_run_within_data_asks_for_no_member() -> None:
    data = random.Random(1).randbytes(1000)
    contents = [(Member("a", "file", 1000, crc32=zlib.crc32(data)), data)]
    made = layout(contents)

    def none(first: int, last: int) -> Sequence[Member]:
        raise AssertionError("no header was asked for")

    made._members = none
    assert run(made, contents, 100, 200) == written(contents)[100:200]


def test_what_no_zip_may_hold() -> None:
    contents = [(Member("../evil", "file", 0, crc32=0), b"")]
    with pytest.raises(UnsafeNameError):
        run(layout(contents), contents, 0, 100)
    with pytest.raises(UsageError, match="comment"):
        layout([], bytes(70_000))
