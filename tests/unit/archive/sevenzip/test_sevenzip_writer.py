"""Writing 7z: what goes in comes back, in order, in the same bytes each time."""

from __future__ import annotations

import io
import random
import tracemalloc
from pathlib import Path
from typing import Any

import py7zr
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.archive.sevenzip import writer as sevenzip_writer
from sxeslake.archive.sevenzip.reader import SevenZipReader
from sxeslake.archive.sevenzip.writer import SevenZipWriter
from sxeslake.errors import UnsafeNameError, UsageError
from sxeslake.model import KIB, MIB, Member

NOON = 1_700_000_000_123_456_700
Entry = tuple[Member, bytes]


def write(entries: list[Entry], *, level: int = 1, threads: int | None = 2, step: int = 1 << 30) -> bytes:
    """An archive of these members, their data handed over in steps."""
    out = io.BytesIO()
    writer = SevenZipWriter(out, level=level, threads=threads)
    for member, data in entries:
        writer.add(member, (data[start : start + step] for start in range(0, len(data), step)))
    writer.close()
    return out.getvalue()


def read(path: Path) -> list[Entry]:
    with SevenZipReader(path) as reader:
        contents = [b""] * len(reader.members)
        for job in reader.jobs():
            for piece in job():
                contents[piece.member] += piece.data
        return list(zip(reader.members, contents, strict=True))


def entry(path: str, data: bytes = b"", **properties: Any) -> Entry:
    return Member(path, "file", len(data), **properties), data


def folder(path: str, **properties: Any) -> Entry:
    return Member(path, "directory", **properties), b""


MIXED: list[Entry] = [
    entry("z/last-name-first.bin", random.Random(1).randbytes(5000), modified_ns=NOON, attributes=0x20),
    folder("z", modified_ns=NOON, attributes=0x10),
    entry("empty", modified_ns=NOON + 100),
    entry("測定/炭素.data", b"C K" * 100, attributes=0x81A4_8020),
    folder("empty folder"),
    entry("no time, no attributes", b"x"),
]


@pytest.mark.parametrize("level", range(10))
def test_members_come_back_with_order_times_and_attributes(level: int, tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(write(MIXED, level=level))
    found = read(path)
    assert [data for _, data in found] == [data for _, data in MIXED]
    for (member, _), (expected, _) in zip(found, MIXED, strict=True):
        assert (member.path, member.kind, member.size) == (expected.path, expected.kind, expected.size)
        assert member.modified_ns == expected.modified_ns
    assert [member.attributes for member, _ in found] == [0x20, 0x10, 0x20, 0x81A4_8020, 0x10, 0x20]


def test_attributes_are_left_out_where_nobody_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(write([entry("a", b"x"), entry("b")]))
    assert [member.attributes for member, _ in read(path)] == [None, None]


safe_text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:."), max_size=9)
contents = st.binary(max_size=50) | st.integers(0, 200_000).map(lambda size: random.Random(size).randbytes(size))
times = st.none() | st.integers(-(2**63) // 100 + 1, 2**63 // 100).map(lambda ticks: ticks * 100)


@settings(max_examples=60, deadline=None)
@given(
    level=st.sampled_from([0, 1, 3, 4]),
    rows=st.lists(st.tuples(safe_text, contents, times, st.sampled_from([0, 0x20, 0x21, 0x81A4_8000])), max_size=12),
)
def test_any_members_come_back(
    tmp_path_factory: pytest.TempPathFactory, level: int, rows: list[tuple[str, bytes, int | None, int]]
) -> None:
    entries: list[Entry] = [
        (Member(f"{index}-{name}", "file", len(content), modified, attributes), content)
        for index, (name, content, modified, attributes) in enumerate(rows)
    ]
    path = tmp_path_factory.mktemp("any") / "x.7z"
    path.write_bytes(write(entries, level=level))
    found = read(path)
    assert [content for _, content in found] == [content for _, content in entries]
    kept = [(member.path, member.modified_ns, member.attributes) for member, _ in found]
    assert kept == [(member.path, member.modified_ns, member.attributes) for member, _ in entries]


def test_an_empty_archive_is_32_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(write([]))
    assert path.stat().st_size == 32
    assert read(path) == []


@pytest.mark.parametrize("level", [0, 1, 2, 4])
def test_the_bytes_depend_on_the_members_only(level: int) -> None:
    entries = [entry(f"{index}", random.Random(index).randbytes(100) * 9000, modified_ns=NOON) for index in range(12)]
    once = write(entries, level=level, threads=1)
    assert once == write(entries, level=level, threads=3, step=77_777)


@pytest.mark.parametrize("level", [0, 1, 4])
def test_a_member_larger_than_a_block_has_a_folder_of_its_own(
    level: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sevenzip_writer._method
    monkeypatch.setattr(sevenzip_writer, "_method", lambda *args: real(*args)._replace(block_bytes=64 * KIB))
    large = random.Random(3).randbytes(1000) * 200  # 200,000 bytes: three blocks and a bit
    exact = random.Random(4).randbytes(500) * 256 + bytes(3072)  # two blocks to the byte
    entries = [entry("small", b"abc"), entry("large", large), entry("exact", exact), entry("after", b"def")]
    path = tmp_path / "x.7z"
    path.write_bytes(write(entries, level=level, step=50_000))
    assert len(exact) == 128 * KIB
    assert [data for _, data in read(path)] == [data for _, data in entries]
    with path.open("rb") as file, py7zr.SevenZipFile(file) as archive:
        assert len(archive.header.main_streams.unpackinfo.folders) == 4


def test_a_large_member_is_not_held_in_memory(tmp_path: Path) -> None:
    size = 64 * MIB
    tracemalloc.start()
    try:
        with (tmp_path / "x.7z").open("wb") as out:
            writer = SevenZipWriter(out, level=0, threads=1)
            writer.add(Member("zeros", "file", size), (bytes(MIB) for _ in range(64)))
            writer.close()
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()
    with SevenZipReader(tmp_path / "x.7z") as reader:
        assert sum(len(piece.data) for job in reader.jobs() for piece in job()) == size


def test_an_empty_member_begins_a_folder_unless_there_is_one_only() -> None:
    small = [entry("a", b"a"), entry("empty"), entry("b", b"b"), folder("c"), folder("d"), entry("e", b"e")]
    large = [*small, entry("f", bytes(3 * MIB)), entry("g", bytes(3 * MIB))]
    for entries, counts in ((small, [3]), (large, [1, 1, 2, 1])):
        with py7zr.SevenZipFile(io.BytesIO(write(entries))) as archive:
            assert archive.header.main_streams.substreamsinfo.num_unpackstreams_folders == counts


def test_a_large_header_is_packed(tmp_path: Path) -> None:
    entries = [entry(f"data/{index:08}/state.json", b"x", modified_ns=NOON) for index in range(5000)]
    path = tmp_path / "x.7z"
    path.write_bytes(write(entries))
    assert path.stat().st_size < 100_000  # the plain header alone has 350,000 bytes
    assert [member.path for member, _ in read(path)] == [member.path for member, _ in entries]


def test_a_zips_wall_clock_is_taken_as_utc(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(write([entry("a", b"x", dos_time=(43 << 9 | 11 << 5 | 14) << 16 | 22 << 11 | 13 << 5 | 10)]))
    assert read(path)[0][0].modified_ns == 1_700_000_000_000_000_000  # 2023-11-14 22:13:20


def test_the_archive_may_begin_inside_a_file(tmp_path: Path) -> None:
    out = io.BytesIO(b"MZ program")
    out.seek(0, io.SEEK_END)
    writer = SevenZipWriter(out, level=1, threads=1)
    writer.add(Member("a", "file", 3), (b"abc",))
    writer.close()
    assert out.tell() == len(out.getvalue())
    path = tmp_path / "x.exe"
    path.write_bytes(out.getvalue())
    assert read(path)[0][1] == b"abc"


@pytest.mark.parametrize("size", [0, 2, 4, 5 * MIB])
def test_a_member_of_another_size_than_announced_is_refused(size: int) -> None:
    writer = SevenZipWriter(io.BytesIO(), level=1, threads=1)
    with pytest.raises(UsageError, match="'a' was announced"):
        writer.add(Member("a", "file", size), (b"abc",))
    if size == 5 * MIB:
        with pytest.raises(UsageError, match="'b' was announced"):
            writer.add(Member("b", "file", size), (bytes(MIB) for _ in range(6)))


def test_names_that_are_no_text_and_levels_that_are_none_are_refused() -> None:
    with pytest.raises(UnsafeNameError):
        SevenZipWriter(io.BytesIO(), level=1).add(Member("\ud800", "file", 1), (b"x",))
    with pytest.raises(UsageError):
        SevenZipWriter(io.BytesIO(), level=10)
