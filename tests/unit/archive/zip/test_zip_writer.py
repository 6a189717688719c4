"""Writing zips: what is read again, what stays the same, what is refused."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from pathlib import Path

import pytest

from sxeslake.archive.container import create_writer, open_container
from sxeslake.archive.zip import records as zip_records
from sxeslake.archive.zip import writer as zip_writer
from sxeslake.errors import InputError, UnsafeNameError, UsageError
from sxeslake.model import Member

NOISE = random.Random(2).randbytes(50_000)
TEXT = b"0.125 0.250 " * 5000
MOMENT = 1_600_000_000_123_456_700

MEMBERS = [
    (Member("data", "directory", modified_ns=MOMENT, attributes=0x10, dos_time=0x5177_7AD9), b""),
    (Member("data/text", "file", len(TEXT), modified_ns=MOMENT, attributes=0x20, dos_time=0x5177_7AD9), TEXT),
    (Member("data/noise", "file", len(NOISE), attributes=0o100640 << 16 | 0x8000 | 0x20, dos_time=0x5177_7AD9), NOISE),
    (Member("empty", "file", dos_time=0x21_0000), b""),
    (Member("ä/ö", "file", 1, dos_time=0x21_0000), b"x"),
    (Member("folder", "directory", attributes=0o040750 << 16 | 0x8010, dos_time=0x21_0000), b""),
    (Member("back\\slash", "file", 1, dos_time=0x21_0000), b"x"),
    (Member(".", "directory", dos_time=0x21_0000), b""),
]


def _written(
    members: list[tuple[Member, bytes]], *, level: int = 1, threads: int | None = None, cut: int = 1 << 20
) -> bytes:
    out = io.BytesIO()
    writer = create_writer(out, "zip", level=level, threads=threads)
    for member, data in members:
        writer.add(member, (data[at : at + cut] for at in range(0, len(data), cut)))
    writer.close()
    return out.getvalue()


def _read_again(tmp_path: Path, archive: bytes) -> list[tuple[Member, bytes]]:
    (tmp_path / "x.zip").write_bytes(archive)
    with open_container(tmp_path / "x.zip") as reader:
        found: dict[int, bytes] = {}
        for job in reader.jobs():
            for piece in job():
                found[piece.member] = found.get(piece.member, b"") + piece.data
        return [(member, found.get(index, b"")) for index, member in enumerate(reader.members)]


def _bare(member: Member) -> tuple[object, ...]:
    """All but the CRC-32, which the writer computes."""
    return (
        member.path,
        member.kind,
        member.size,
        member.modified_ns,
        member.attributes,
        member.dos_time,
        member.raw_name,
    )


@pytest.mark.parametrize("level", range(10))
def test_everything_is_read_again(tmp_path: Path, level: int) -> None:
    found = _read_again(tmp_path, _written(MEMBERS, level=level))
    assert [(_bare(member), data) for member, data in found] == [(_bare(member), data) for member, data in MEMBERS]


def test_level_0_copies_and_noise_is_stored_at_any_level() -> None:
    for level, methods in ((0, {0}), (1, {0, 8}), (6, {0, 8})):
        with zipfile.ZipFile(io.BytesIO(_written(MEMBERS, level=level))) as judge:
            assert {info.compress_type for info in judge.infolist()} == methods
            assert judge.getinfo("data/noise").compress_type == 0
            assert judge.testzip() is None


@pytest.mark.parametrize("level", [0, 1, 3, 6])
def test_the_same_members_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch, level: int) -> None:
    monkeypatch.setattr(zip_writer, "LARGE_BYTES", 100_000)
    monkeypatch.setattr(zip_writer, "BLOCK_BYTES", 30_000)
    members = [*MEMBERS, (Member("large", "file", 60 * 5000), TEXT[:60] * 5000)]
    whole = _written(members, level=level, threads=1)
    assert whole == _written(members, level=level, threads=4, cut=777)


@pytest.mark.parametrize("level", [0, 1, 6])
@pytest.mark.parametrize("content", [TEXT * 100, NOISE * 100, TEXT * 50 + NOISE * 50], ids=["text", "noise", "mixed"])
def test_large_members_have_their_sizes_in_the_local_header(tmp_path: Path, level: int, content: bytes) -> None:
    members = [(Member("a", "file", 1), b"a"), (Member("large", "file", len(content)), content), MEMBERS[1]]
    archive = _written(members, level=level)
    assert [data for _, data in _read_again(tmp_path, archive)] == [b"a", content, TEXT]
    with zipfile.ZipFile(io.BytesIO(archive)) as judge:
        info = judge.getinfo("large")
        assert judge.testzip() is None
    assert info.flag_bits & 8 == 0
    sizes = struct.unpack_from("<LLL", archive, info.header_offset + 14)
    assert sizes == (info.CRC, info.compress_size, info.file_size)


def test_zip64_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert b"PK\6\6" not in _written(MEMBERS)
    monkeypatch.setattr(zip_records, "MAX_32", 100_000)  # as if 4 GiB were reached after 100 kB
    monkeypatch.setattr(zip_writer, "LARGE_BYTES", 60_000)
    crowd = [*MEMBERS[:5], (Member("large", "file", 250_000), NOISE * 5), (Member("last", "file", 1), b"x")]
    archive = _written(crowd, level=0)
    assert b"PK\6\6" in archive
    # a reader sees 100,000 where the format has 0xFFFFFFFF: put that in
    archive = archive.replace(struct.pack("<L", 100_000), b"\xff" * 4)
    assert [data for _, data in _read_again(tmp_path, archive)] == [data for _, data in crowd]


def test_many_members_need_a_zip64_end(tmp_path: Path) -> None:
    members = [(Member(f"{number:05}", "file", 1), b"x") for number in range(65_536)]
    archive = _written(members, level=0)
    with zipfile.ZipFile(io.BytesIO(archive)) as judge:
        assert len(judge.infolist()) == 65_536
    (tmp_path / "x.zip").write_bytes(archive)
    with open_container(tmp_path / "x.zip") as reader:
        assert len(reader.members) == 65_536


@pytest.mark.parametrize(
    ("path", "raw", "attributes"),
    [
        ("ä", b"\x84", 0x20),
        ("テ/ス", b"\x83\x65/\x83\x58", 0x20),
        ("é", "é".encode(), None),
        ("data/x", b"data\\x", 0x20),
        ("a/b", b"./a//b", 0o100644 << 16 | 0x8000),
    ],
)
def test_raw_names_keep_their_bytes_and_their_path(
    tmp_path: Path, path: str, raw: bytes, attributes: int | None
) -> None:
    archive = _written([(Member(path, "file", 1, raw_name=raw, attributes=attributes, dos_time=0x21_0000), b"x")])
    found = _read_again(tmp_path, archive)[0][0]
    assert (found.path, found.raw_name, found.attributes) == (path, raw, attributes)
    assert archive[6:8] == b"\0\0"  # no claim that the name is UTF-8
    assert raw in archive


def test_a_folder_by_attribute_stays_one_without_it(tmp_path: Path) -> None:
    found = _read_again(tmp_path, _written([(Member("d", "directory", raw_name=b"d"), b"")]))
    assert found[0][0].kind == "directory"


@pytest.mark.parametrize(
    ("modified_ns", "clock", "again"),
    [
        (None, (1980, 1, 1, 0, 0, 0), None),
        (MOMENT, (2020, 9, 13, 12, 26, 40), MOMENT),
        (-1, (1980, 1, 1, 0, 0, 0), -100),
        (1 << 62, (2107, 12, 31, 23, 59, 58), (1 << 62) - 4),  # cut to 100 ns
        (-(1 << 80), (1980, 1, 1, 0, 0, 0), None),
    ],
)
def test_a_wall_clock_is_made_from_utc(
    tmp_path: Path, modified_ns: int | None, clock: tuple[int, ...], again: int | None
) -> None:
    archive = _written([(Member("x", "file", 1, modified_ns=modified_ns), b"x")])
    with zipfile.ZipFile(io.BytesIO(archive)) as judge:
        assert judge.infolist()[0].date_time == clock
    assert _read_again(tmp_path, archive)[0][0].modified_ns == again


def test_comment(tmp_path: Path) -> None:
    out = io.BytesIO()
    create_writer(out, "zip", comment=b"from the lake").close()
    (tmp_path / "x.zip").write_bytes(out.getvalue())
    with open_container(tmp_path / "x.zip") as reader:
        assert reader.comment == b"from the lake"
    with pytest.raises(UsageError, match="comment"):
        create_writer(out, "zip", comment=bytes(70_000))


@pytest.mark.parametrize("size", [3, 5 << 20])
def test_a_size_that_does_not_hold_is_refused(size: int) -> None:
    writer = zip_writer.ZipWriter(io.BytesIO())
    for data in (b"12", b"1" * (size + 1)):
        with pytest.raises(InputError, match="announced"):
            writer.add(Member("x", "file", size), [data])
    writer.abort()


@pytest.mark.parametrize(
    "member",
    [
        Member("../x", "file"),
        Member("/x", "file"),
        Member("x", "file", raw_name=b"../x"),
        Member("x", "file", raw_name=b"/x"),
        Member("x\ud800", "file"),
    ],
)
def test_unsafe_names_are_not_written(member: Member) -> None:
    with zip_writer.ZipWriter(io.BytesIO()) as writer, pytest.raises(UnsafeNameError):
        writer.add(member, [])


def test_levels_are_0_to_9() -> None:
    with pytest.raises(UsageError, match="level 10"):
        create_writer(io.BytesIO(), "zip", level=10)


def test_the_archive_may_begin_behind_something(tmp_path: Path) -> None:
    out = io.BytesIO(b"#!stub")
    out.seek(0, 2)
    content = NOISE * 100
    writer = create_writer(out, "zip")
    writer.add(Member("large", "file", len(content)), [content])
    writer.close()
    assert out.getvalue().startswith(b"#!stub")
    assert [data for _, data in _read_again(tmp_path, out.getvalue())] == [content]
