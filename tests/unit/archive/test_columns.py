"""Members as columns: what each reader gives in batches is what it gives one by one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.archive import columns, names
from sxeslake.archive.columns import ABSENT, Columnar, MemberColumns
from sxeslake.archive.container import create_writer, open_container
from sxeslake.archive.folder import FolderReader
from sxeslake.archive.zip import directory as zip_directory
from sxeslake.machine.concurrency import in_order
from sxeslake.model import Member

MOMENT = 1_700_000_000_123_456_700
MEMBERS = [
    Member("folder", "directory", modified_ns=MOMENT),
    Member("folder/ä.json", "file", 3, MOMENT, 0x20),
    Member("no time", "file", 3, dos_time=0x5177_7AD8),
    Member("before 1970", "file", 3, -12_300, attributes=0o100644 << 16 | 0x8000),
    Member("empty", "file", 0, MOMENT),
    *(Member(f"data/{number:04d}/info.json", "file", 3, MOMENT + 100 * number) for number in range(60)),
    Member("Z", "file", 3, MOMENT),
]
SHIFTED_JIS = Member("測定.dat", "file", 3, dos_time=0x5177_7AD8, raw_name="測定.dat".encode("cp932"))


def written(path: Path, members: Sequence[Member]) -> Path:
    with path.open("wb") as out:
        writer = create_writer(out, "zip" if path.suffix == ".zip" else "7z")
        for member in members:
            writer.add(member, [b"abc"] if member.size else [])
        writer.close()
    return path


def by_infozip(path: Path) -> Path:
    """A zip with Unix seconds, folders told by attributes and names in code page 437."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b/", b"")
        archive.writestr("é.txt", b"abc")
        info = zipfile.ZipInfo("a", (2020, 11, 23, 15, 22, 50))
        info.extra, info.create_system = b"UT\5\0\1\x00\xc0\xbb\x5f", 3
        archive.writestr(info, b"xyz")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\x82x"))
    return path


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("name", ["a.zip", "a.7z", "odd.zip", "infozip.zip", "folder"])
def test_batches_are_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, large: bool) -> None:
    if large:  # several batches, and a directory that is not held
        monkeypatch.setattr(columns, "BATCH", 16)
        monkeypatch.setattr(zip_directory, "BATCH", 16)
        monkeypatch.setattr(zip_directory, "HELD_BYTES", 0)
    path = tmp_path / name
    if name == "infozip.zip":
        by_infozip(path)
    elif name == "folder":
        (path / "data").mkdir(parents=True)
        for number in range(20):
            (path / "data" / f"{number}.json").write_bytes(b"abc")
    else:
        written(path, [*MEMBERS, SHIFTED_JIS] if name == "odd.zip" else MEMBERS)
    with open_container(path) if path.is_file() else FolderReader(path) as archive:
        members = [archive.members[number] for number in range(len(archive.members))]
        assert list(archive.members) == members
        assert isinstance(archive.members, Columnar) == (name != "folder")
        found = MemberColumns(archive.members)
        contents = {piece.member: piece.data for pieces in in_order(archive.jobs()) for piece in pieces}
        assert list(contents) == sorted(contents)
        assert all(archive.read(number) == data for number, data in contents.items())
    assert list(found) == members == found[0 : len(members)]
    assert [contents.get(number, b"") for number in range(len(members))] == [
        b"" if not member.size else contents[number] for number, member in enumerate(members)
    ]
    paths = [member.path for member in members]
    assert list(found.all_paths()) == paths
    assert found.paths_at(range(len(paths) - 1, -1, -1)) == paths[::-1]
    assert found.paths(0, 0) == []
    fields = [(m.path, m.kind == "directory", m.size, m.modified_ns, m.attributes, m.dos_time) for m in members]
    assert [tuple(None if value == ABSENT else value for value in row[:6]) for row in found.fields()] == fields


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), unique=True, max_size=40))
def test_the_order_is_that_of_utf8(paths: list[str]) -> None:
    found = MemberColumns([Member(path, "file") for path in paths])
    assert [paths[at] for at in found.order().tolist()] == sorted(paths, key=str.encode)


def test_what_is_sorted_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BATCH", 4)
    found = MemberColumns([Member(f"{number:02d}", "file") for number in range(11)])
    assert found.order().tolist() == list(range(11))
    swapped = MemberColumns([Member(f"{number ^ 4:02d}", "file") for number in range(11)])
    assert swapped.order().tolist() != list(range(11))


NAMES = st.text(st.sampled_from("ab./\\:ä\0"), max_size=6)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_plain_together_is_plain_each(listed: list[str]) -> None:
    text = "\0".join(listed)
    assert names.all_plain(text) == all(names.is_plain(name) for name in text.split("\0"))


def test_a_header_that_tells_another_name_is_found_in_a_large_archive_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_directory, "HELD_BYTES", 0)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("one", b"1")
        archive.writestr("two", b"2")
    path = tmp_path / "x.zip"
    path.write_bytes(out.getvalue().replace(b"two", b"owt", 1))
    with open_container(path) as opened:
        assert not opened.notes
        assert [piece.data for pieces in in_order(opened.jobs()) for piece in pieces] == [b"1", b"2"]
        assert [note.split(":")[0] for note in opened.notes] == ["two"]
