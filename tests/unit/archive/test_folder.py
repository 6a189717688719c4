"""A folder as a container, both ways."""

from __future__ import annotations

import calendar
import os
import socket
import stat
import time
from pathlib import Path
from typing import Literal

import pytest

from sxeslake.archive.container import open_container
from sxeslake.archive.folder import FolderReader, FolderWriter
from sxeslake.errors import AlreadyExistsError, InputError, LimitExceededError, UnsafeNameError
from sxeslake.model import Limits, Member, Piece

MOMENT = 1_600_000_000_123_456_700


def _contents(reader: FolderReader, chunk_bytes: int = 4 << 20) -> list[Piece]:
    return [piece for job in reader.jobs(chunk_bytes) for piece in job()]


def test_members_come_sorted_with_sizes_times_and_modes(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"hello")
    (tmp_path / "b" / "x").chmod(0o640)
    (tmp_path / "a").write_bytes(b"")
    os.utime(tmp_path / "b" / "x", ns=(MOMENT, MOMENT))
    with open_container(tmp_path) as reader:
        assert reader.kind == "folder"
        assert [(member.path, member.kind, member.size) for member in reader.members] == [
            ("a", "file", 0),
            ("b", "directory", 0),
            ("b/x", "file", 5),
        ]
        member = reader.members[2]
        assert member.modified_ns == MOMENT
        assert member.attributes is not None
        assert member.attributes >> 16 == stat.S_IFREG | 0o640
        assert reader.read(2) == b"hello"
        assert reader.read(0) == reader.read(1) == b""


def test_large_files_are_cut_at_multiples_of_the_chunk(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(range(250)))
    (tmp_path / "small").write_bytes(b"s")
    (tmp_path / "zero").write_bytes(b"")
    pieces = _contents(FolderReader(tmp_path), 100)
    assert [(piece.member, piece.offset, len(piece.data)) for piece in pieces] == [
        (0, 0, 100),
        (0, 100, 100),
        (0, 200, 50),
        (1, 0, 1),
    ]
    assert b"".join(piece.data for piece in pieces[:3]) == bytes(range(250))


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ("keep", {"in/away": b"/etc/hostname", "in/dir": b"..", "in/gone": b"nothing", "in/near": b"x"}),
        ("skip", {}),
        ("follow", {"in/near": b"content"}),
    ],
)
def test_links_are_kept_skipped_or_followed(
    tmp_path: Path, links: Literal["keep", "skip", "follow"], expected: dict[str, bytes]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x").write_bytes(b"content")
    for name, target in (("near", "x"), ("dir", ".."), ("gone", "nothing"), ("away", "/etc/hostname")):
        (tmp_path / "in" / name).symlink_to(target)
    with FolderReader(tmp_path, links=links) as reader:
        found = _by_path(reader)
        assert found.pop("in/x") == b"content"
        found.pop("in/away", None) if links == "follow" else None  # whatever this machine has there
        assert found == expected
        left_out = {text.split(":")[0] for text in reader.left_out} - {"in/away"}
        assert left_out == ({"in/gone", "in/dir"} if links == "follow" else set())
        assert len(reader.notes) == (4 if links == "skip" else 0)


def test_what_is_no_file_is_left_out_and_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    (tmp_path / "a.csv").write_bytes(b"1,2")
    with FolderReader(tmp_path) as reader:
        assert _by_path(reader) == {"a.csv": b"1,2"}
        assert sorted(text.split(":")[0] for text in reader.left_out) == ["pipe", "socket"]


def test_names_that_are_not_utf8_come_back_byte_for_byte(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    names = ["試料.txt".encode("cp932"), "表面.txt".encode("cp932"), b"caf\xe9/x", b"plain", "Größe".encode()]
    for name in names:
        place = Path(os.fsdecode(os.fsencode(source) + b"/" + name))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(name)
    with FolderReader(source) as reader, FolderWriter(target, raw_names=True) as writer:
        for index, member in enumerate(reader.members):
            writer.add(member, [reader.read(index)])
    found = {os.fsencode(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found == {name: name for name in names}
    assert any("not UTF-8" in note for note in reader.notes)


def _by_path(reader: FolderReader) -> dict[str, bytes]:
    return {member.path: reader.read(at) for at, member in enumerate(reader.members) if member.kind == "file"}


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()
    with pytest.raises(LimitExceededError):
        open_container(tmp_path, limits=Limits(members=4))


def test_a_file_that_grew_since_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    reader = FolderReader(tmp_path)
    (tmp_path / "x").write_bytes(b"123456")
    with pytest.raises(InputError, match="changed"):
        reader.read(0)


def test_names_that_are_not_utf8_keep_their_bytes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\x83\x65"
    os.mkdir(folder)  # noqa: PTH102  (a path of bytes)
    Path(os.fsdecode(folder + b"/\x83\x58.txt")).write_bytes(b"te")
    reader = FolderReader(tmp_path, encoding="cp932")
    assert [member.path for member in reader.members] == ["テ", "テ/ス.txt"]
    assert [member.raw_name for member in reader.members] == [b"\x83\x65/", b"\x83\x65/\x83\x58.txt"]
    assert reader.read(1) == b"te"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "from" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "from" / "deep" / "er" / "ä").write_bytes(b"content")
    (tmp_path / "from" / "run").write_bytes(b"#!")
    (tmp_path / "from" / "run").chmod(0o750)
    for path in ("deep/er/ä", "run", "deep/er", "deep"):
        os.utime(tmp_path / "from" / path, ns=(MOMENT, MOMENT))
    first = FolderReader(tmp_path / "from")
    with FolderWriter(tmp_path / "to") as writer:
        for index, member in enumerate(first.members):
            writer.add(member, [first.read(index)])
    second = FolderReader(tmp_path / "to")
    assert list(first.members) == list(second.members)
    assert _contents(first) == _contents(second)


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", "C:/out", "a\\..\\..\\out"])
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    writer = FolderWriter(tmp_path / "target")
    with pytest.raises(UnsafeNameError):
        writer.add(Member(path, "file", 1), [b"x"])
    assert [entry.name for entry in tmp_path.rglob("*")] == ["target"]


def test_a_link_in_the_target_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    writer = FolderWriter(tmp_path / "target")
    (tmp_path / "target" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeNameError, match="not a folder"):
        writer.add(Member("link/x", "file", 1), [b"x"])
    with pytest.raises(AlreadyExistsError):
        writer.add(Member("link", "file", 1), [b"x"])
    assert not list((tmp_path / "outside").iterdir())


def test_links_and_dangerous_bits_are_not_written(tmp_path: Path) -> None:
    with FolderWriter(tmp_path) as writer:
        for path, target in (("l", b"/x"), ("d/l", b"../../x"), ("d/m", b"../d/../../x"), ("n", b"c:x"), ("o", b"..")):
            writer.add(Member(path, "file", len(target), attributes=(stat.S_IFLNK | 0o777) << 16 | 0x8000), [target])
            assert (tmp_path / path).read_bytes() == target
            assert not (tmp_path / path).is_symlink()
        assert writer.unlinked == ["l", "d/l", "d/m", "n", "o"]
        writer.add(Member("s", "file", 1, attributes=(stat.S_IFREG | 0o6755) << 16 | 0x8000), [b"x"])
        writer.add(Member("d", "directory", attributes=(stat.S_IFDIR | 0o3000) << 16 | 0x8000), [])
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) & 0o7700 == 0o700


def test_a_member_that_is_cut_short_leaves_no_file(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path)
    with pytest.raises(InputError, match="announced"):
        writer.add(Member("x", "file", 5), [b"123"])
    assert not list(tmp_path.iterdir())


def test_names_for_windows_are_escaped_and_told(tmp_path: Path) -> None:
    paths = ["aa:b/con", "AA:b/x", "Read.me", "read.me", "READ.ME", "plain"]
    with FolderWriter(tmp_path, escape=True) as writer:
        for path in paths:
            writer.add(Member(path, "file", 1), [b"x"])
    assert writer.renamed == {
        "aa:b/con": "aa%3Ab/%63on",
        "AA:b/x": "%41A%3Ab/x",
        "read.me": "%72ead.me",
        "READ.ME": "%52EAD.ME",
    }
    there = [member.path for member in FolderReader(tmp_path).members if member.kind == "file"]
    assert len({path.casefold() for path in there}) == len(paths)


def test_a_zip_clock_is_local_time(tmp_path: Path) -> None:
    with FolderWriter(tmp_path) as writer:
        writer.add(Member("x", "file", 1, dos_time=0x5177_7AD9), [b"x"])  # 2020-11-23 15:22:50
    assert time.localtime((tmp_path / "x").stat().st_mtime)[:6] == (2020, 11, 23, 15, 22, 50)


@pytest.mark.parametrize("year", [1600, 2300])
def test_a_time_that_64_bits_do_not_hold_is_left_out_and_said(tmp_path: Path, year: int) -> None:
    moment = calendar.timegm((year, 1, 1, 0, 0, 0)) * 10**9
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
    os.utime(tmp_path / "b", ns=(moment, moment))
    if (tmp_path / "b").stat().st_mtime_ns != moment:
        pytest.skip("this disk holds no such time")
    with FolderReader(tmp_path) as reader:
        assert [member.modified_ns is None for member in reader.members] == [False, True]
        assert [note.split(":")[0] for note in reader.notes] == ["b"]
