"""Reading 7z: pieces and jobs, random access, damage, limits, what is refused."""

from __future__ import annotations

import contextlib
import io
import random
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import py7zr
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sxeslake.archive.sevenzip import reader as sevenzip_reader
from sxeslake.archive.sevenzip.coders import open_folder
from sxeslake.archive.sevenzip.format import (
    SIGNATURE,
    FileColumns,
    FolderCoder,
    FolderCoders,
    StartHeader,
    Streams,
    start_header,
)
from sxeslake.archive.sevenzip.methods import COPY
from sxeslake.archive.sevenzip.reader import SevenZipReader
from sxeslake.archive.sevenzip.serialiser import header_parts
from sxeslake.archive.sevenzip.writer import SevenZipWriter
from sxeslake.errors import (
    DamagedArchiveError,
    EncryptedArchiveError,
    InputError,
    LimitExceededError,
    NotAnArchiveError,
    UnsafeNameError,
)
from sxeslake.machine.concurrency import in_order
from sxeslake.model import MIB, Limits, Member, Piece

CONTENTS = {
    "metadata.json": b"{}",
    "data/a/xes.data": random.Random(1).randbytes(139_332),
    "data/a/qlw.data": random.Random(2).randbytes(32_760),
    "data/b/state.json": b'{"stage":{"x":1}}' * 30,
}


def written(contents: dict[str, bytes], *, level: int = 1) -> bytes:
    """An archive of these files."""
    out = io.BytesIO()
    writer = SevenZipWriter(out, level=level, threads=2)
    for path, data in contents.items():
        writer.add(Member(path, "file", len(data)), (data,))
    writer.close()
    return out.getvalue()


def stored(body: bytes, streams: Streams, files: FileColumns) -> bytes:
    """An archive with exactly this header, right or wrong."""
    header = b"".join(header_parts(streams, files))
    return start_header(StartHeader(len(body), len(header), zlib.crc32(header))) + body + header


def one_folder(contents: list[bytes], **changed: object) -> Streams:
    """The columns of one Copy folder that holds these contents; `changed` are columns that lie."""
    sizes = np.array([len(each) for each in contents], np.int64)
    total = np.array([sizes.sum()], np.int64)
    streams = Streams(
        pack_sizes=total,
        recipes=[FolderCoders((FolderCoder(COPY),))],
        coder_sizes=total,
        folder_sizes=total,
        folder_crcs=np.zeros(1, np.uint32),
        folder_has_crc=np.zeros(1, np.bool_),
        stream_starts=np.array([0, len(contents)], np.int64),
        sizes=sizes,
        crcs=np.array([zlib.crc32(each) for each in contents], np.uint32),
        has_crc=np.ones(len(contents), np.bool_),
    )
    for name, value in changed.items():
        setattr(streams, name, value)
    return streams


def filled(*paths: str, attributes: int | None = None) -> FileColumns:
    """Columns of files that all have content."""
    encoded = [path.encode("utf-16-le", "surrogatepass") for path in paths]
    return FileColumns(
        count=len(paths),
        names=memoryview(b"".join(each + b"\x00\x00" for each in encoded)),
        empty=np.zeros(len(paths), np.bool_),
        directory=np.zeros(len(paths), np.bool_),
        attributes=None if attributes is None else np.full(len(paths), attributes, np.uint32),
        has_attributes=None if attributes is None else np.ones(len(paths), np.bool_),
    )


def pieces_of(reader: SevenZipReader, chunk_bytes: int = 4 * MIB) -> list[Piece]:
    return [piece for job in reader.jobs(chunk_bytes) for piece in job()]


def read_all(path: Path) -> dict[str, bytes]:
    """Every member, by jobs and one by one: both must agree."""
    with SevenZipReader(path) as reader:
        contents = {member.path: b"" for member in reader.members if member.kind == "file"}
        for piece in pieces_of(reader, 1000):
            name = reader.members[piece.member].path
            assert len(contents[name]) == piece.offset
            contents[name] += piece.data
        for index, member in enumerate(reader.members):
            if member.kind == "file":
                assert reader.read(index) == contents[member.path]
        return contents


@pytest.mark.parametrize("level", [0, 1, 5])
def test_contents_come_back(level: int, tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(written(CONTENTS, level=level))
    assert read_all(path) == CONTENTS
    with SevenZipReader(path) as reader:
        assert [member.path for member in reader.members] == list(CONTENTS)
        assert reader.members[1] == list(reader.members)[1] == reader.members[-3] == reader.members[:][1]
        assert [member.path for member in reader.members[::-2]] == list(CONTENTS)[::-2]
        assert reader.members[1].crc32 == zlib.crc32(CONTENTS["data/a/xes.data"])
        with pytest.raises(IndexError):
            reader.members[4]


def test_a_name_that_is_flipped_in_the_header_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    whole = stored(b"abc", one_folder([b"abc"]), filled("name"))
    path.write_bytes(whole.replace("name".encode("utf-16-le"), "game".encode("utf-16-le")))
    with pytest.raises(DamagedArchiveError, match="the 7z header fails its CRC"):
        SevenZipReader(path)


def test_large_members_are_cut_at_multiples_and_small_ones_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(written(CONTENTS))
    with SevenZipReader(path) as reader:
        found = [(piece.member, piece.offset, len(piece.data)) for piece in pieces_of(reader, 65_536)]
    assert found == [(0, 0, 2), (1, 0, 65_536), (1, 65_536, 65_536), (1, 131_072, 8_260), (2, 0, 32_760), (3, 0, 510)]


def test_small_folders_are_jobs_of_their_own_and_large_ones_are_streamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {f"{index}": bytes((index,)) * (3 * MIB) for index in range(6)}  # each fills a block of the writer
    path = tmp_path / "x.7z"
    path.write_bytes(written(contents))
    with SevenZipReader(path) as reader:
        in_parallel = list(reader.jobs())
        monkeypatch.setattr(sevenzip_reader, "WHOLE_FOLDER_BYTES", MIB)
        one_by_one = [piece for job in reader.jobs() for piece in job()]
        assert [len(job()) for job in in_parallel] == [2, 2, 2]  # two folders of 3 MiB reach the 4 MiB of a job
        assert one_by_one == [piece for pieces in in_order(in_parallel, threads=2) for piece in pieces]
    assert [piece.data for piece in one_by_one] == list(contents.values())


def test_members_are_read_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(written(CONTENTS))
    order = [3, 0, 2, 2, 1, 3, 0]
    for whole in (0, 16 * MIB):
        monkeypatch.setattr(sevenzip_reader, "WHOLE_FOLDER_BYTES", whole)
        with SevenZipReader(path) as reader:
            assert [reader.read(index) for index in order] == [list(CONTENTS.values())[index] for index in order]


def test_reading_in_ascending_order_decodes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(written(CONTENTS))
    opened: list[int] = []

    def counted(*args: Any) -> object:
        opened.append(1)
        return open_folder(*args)

    monkeypatch.setattr(sevenzip_reader, "open_folder", counted)
    with SevenZipReader(path) as reader:
        for index in range(4):
            reader.read(index)
    assert len(opened) == 1


def test_a_program_may_stand_before_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.exe"
    decoy = SIGNATURE + bytes(40)
    path.write_bytes(b"MZ" + bytes(70_000) + decoy + b"\x7fstub" + written(CONTENTS))
    assert read_all(path) == CONTENTS
    path.write_bytes(b"#!" + bytes(70_000) + written(CONTENTS))
    with pytest.raises(NotAnArchiveError):
        SevenZipReader(path)


@pytest.mark.parametrize("data", [b"", b"7z", b"PK\x03\x04" + bytes(100), b"MZ" + bytes(5000), b"\x7fELF" + SIGNATURE])
def test_what_is_no_archive_is_said(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(data)
    with pytest.raises(NotAnArchiveError, match=r"x\.7z"):
        SevenZipReader(path)


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.7z: cannot be read"):
        SevenZipReader(tmp_path / "absent.7z")


def test_an_archive_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    whole = written(CONTENTS)
    path = tmp_path / "x.7z"
    for size in [6, 20, 31, 32, 1000, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedArchiveError, match=r"x\.7z.*cut off"):
            SevenZipReader(path)


def test_a_changed_byte_is_found_and_the_member_named(tmp_path: Path) -> None:
    damaged = bytearray(written(CONTENTS, level=0))
    damaged[32 + 2 + 100] ^= 1
    path = tmp_path / "x.7z"
    path.write_bytes(damaged)
    with SevenZipReader(path) as reader:
        assert reader.read(0) == b"{}"
        for call in (lambda: reader.read(1), lambda: pieces_of(reader)):
            with pytest.raises(DamagedArchiveError, match=r"x\.7z: 'data/a/xes\.data': CRC-32 is"):
                call()
        assert reader.read(3) == CONTENTS["data/b/state.json"]


@pytest.mark.parametrize("piece_bytes", [100, 4 * MIB])
def test_a_crc_that_stands_with_the_folder_is_checked(piece_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    lie: dict[str, object] = {"folder_crcs": np.array([1], np.uint32), "folder_has_crc": np.ones(1, np.bool_)}
    for contents in ([b"abc" * 100], [b"abc" * 100, b"de"]):
        names = [str(index) for index in range(len(contents))]
        path.write_bytes(stored(b"".join(contents), one_folder(contents, **lie), filled(*names)))
        with SevenZipReader(path) as reader, pytest.raises(DamagedArchiveError, match="CRC"):
            pieces_of(reader, piece_bytes)


def test_sizes_that_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    no_crc = np.zeros(1, np.bool_)
    for size, message in ((99, "more than the archive declares"), (101, "ends 1 bytes early")):
        column = np.array([size], np.int64)
        lie = one_folder([bytes(100)], coder_sizes=column, folder_sizes=column, sizes=column, has_crc=no_crc)
        path.write_bytes(stored(bytes(100), lie, filled("a")))
        with SevenZipReader(path) as reader, pytest.raises(DamagedArchiveError, match=message):
            pieces_of(reader)


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        ("../x", None),
        ("/etc/passwd", None),
        ("C:/x", None),
        ("a\ud800", None),
        ("device", 0x21A48000),
        ("socket", 0xC1A48000),
    ],
)
def test_unsafe_members_are_refused(path: str, attributes: int | None, tmp_path: Path) -> None:
    file = tmp_path / "x.7z"
    file.write_bytes(stored(b"abc", one_folder([b"abc"]), filled(path, attributes=attributes)))
    with pytest.raises(UnsafeNameError, match=r"x\.7z"):
        SevenZipReader(file)


def test_members_of_one_name_keep_their_order(tmp_path: Path) -> None:
    file = tmp_path / "x.7z"
    file.write_bytes(stored(b"abc", one_folder([b"a", b"bc"]), filled("a/b", "a/b")))
    with SevenZipReader(file) as reader:
        assert [(member.path, reader.read(place)) for place, member in enumerate(reader.members)] == [
            ("a/b", b"a"),
            ("a/b", b"bc"),
        ]


def test_a_single_member_without_a_name_bears_the_archives(tmp_path: Path) -> None:
    header = b"".join(header_parts(one_folder([b"abc"]), filled("")))
    at = header.index(b"\x11\x03\x00\x00\x00")  # the names: external byte, one empty name
    header = header[:at] + header[at + 5 :]
    file = tmp_path / "sample.7z"
    file.write_bytes(start_header(StartHeader(3, len(header), zlib.crc32(header))) + b"abc" + header)
    assert read_all(file) == {"sample": b"abc"}


def test_limits_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(written({"zeros": bytes(3 * MIB), "more": bytes(MIB)}))
    for limits in (Limits(members=1), Limits(raw_bytes=4 * MIB - 1), Limits(ratio=10, ratio_floor_bytes=MIB)):
        with pytest.raises(LimitExceededError, match=r"x\.7z"):
            SevenZipReader(path, limits=limits)
    with SevenZipReader(path, limits=Limits(members=2, raw_bytes=4 * MIB)) as reader:
        assert len(reader.members) == 2


def test_a_header_that_unpacks_to_far_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.7z"
    path.write_bytes(written({f"{index:09}": b"x" for index in range(3000)}))
    monkeypatch.setattr("sxeslake.archive.sevenzip.opening.HEADER_RATIO_FLOOR_BYTES", 10_000)
    monkeypatch.setattr("sxeslake.archive.sevenzip.opening.HEADER_RATIO", 2)
    with pytest.raises(LimitExceededError, match="header unpack"):
        SevenZipReader(path)


@pytest.mark.parametrize("header", [False, True])
def test_encryption_is_said_on_opening(header: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.7z"
    with py7zr.SevenZipFile(path, "w", password="secret", header_encryption=header) as archive:
        archive.writestr(b"abc", "a")
    with pytest.raises(EncryptedArchiveError, match=r"x\.7z"):
        SevenZipReader(path)


def test_times_beyond_64_bits_of_nanoseconds_are_unknown(tmp_path: Path) -> None:
    files = filled("a", "b", "c")
    files.modified = np.array([2**64 - 1, 0, 133_444_736_000_000_001], np.uint64)
    files.has_modified = np.ones(3, np.bool_)
    path = tmp_path / "x.7z"
    path.write_bytes(stored(b"abc", one_folder([b"a", b"b", b"c"]), files))
    with SevenZipReader(path) as reader:
        assert [member.modified_ns for member in reader.members] == [None, None, 1_700_000_000_000_000_100]


def reads(path: Path) -> None:
    """Everything a reader offers."""
    with SevenZipReader(path) as reader:
        list(reader.members)
        pieces_of(reader)
        for index in range(min(3, len(reader.members))):
            reader.read(index)


def changed(data: bytes, changes: Iterable[tuple[int, int]]) -> bytes:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    return bytes(damaged)


@settings(max_examples=150, deadline=2000)
@given(
    level=st.sampled_from([0, 1, 4]),
    body_changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3),
    header_changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=3),
    raw_changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=1),
)
@example(level=4, body_changes=[], header_changes=[], raw_changes=[])
def test_damage_never_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
    level: int,
    body_changes: list[tuple[int, int]],
    header_changes: list[tuple[int, int]],
    raw_changes: list[tuple[int, int]],
) -> None:
    """Header changes bear a right CRC, so that they reach the parser."""
    whole = written({name: data[:2000] for name, data in CONTENTS.items()}, level=level)
    offset = int.from_bytes(whole[12:20], "little")
    body, header = changed(whole[32 : 32 + offset], body_changes), changed(whole[32 + offset :], header_changes)
    start = start_header(StartHeader(len(body), len(header), zlib.crc32(header)))
    path = tmp_path_factory.mktemp("damage") / "x.7z"
    path.write_bytes(changed(start + body + header, raw_changes))
    if not (body_changes or header_changes or raw_changes):
        assert read_all(path) == {name: data[:2000] for name, data in CONTENTS.items()}
    with contextlib.suppress(InputError):
        reads(path)
