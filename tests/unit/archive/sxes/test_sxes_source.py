"""Sources of members: a container found by bisection, and edits laid over any source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import ContainerSource, MemberSource, open_container
from sxeslake.archive.sxes.source import EditedSource
from sxeslake.archive.synthetic import write_archive
from sxeslake.errors import MemberNotFoundError
from sxeslake.model import Member

PATHS = ["z", "a/b/c", "a/b", "a.txt", "a/b2", "ä/x", "a/b/a"]


@pytest.fixture(params=["x.plzip", "x.pl7z"])
def container_source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ContainerSource]:
    members: list[tuple[Member, bytes]] = [
        (Member(path, "file", len(path)), path.encode()[: len(path)]) for path in PATHS if path != "a/b"
    ]
    members.insert(3, (Member("a/b", "directory"), b""))
    path = write_archive(tmp_path / request.param, members)
    with open_container(path) as container:
        yield ContainerSource(container, path.name)


def test_a_container_is_a_source(container_source: ContainerSource) -> None:
    assert isinstance(container_source, MemberSource)
    assert isinstance(CountingSource({}), MemberSource)


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "a/b/", "z", "zz", "ä/", "\U0010fffe"])
def test_children_are_all_that_start_so_in_order(container_source: ContainerSource, prefix: str) -> None:
    found = [member.path for member in container_source.children(prefix)]
    assert found == sorted(path for path in PATHS if path.startswith(prefix))


def test_files_are_read_and_others_are_not_there(container_source: ContainerSource) -> None:
    assert container_source.read("a/b/c") == b"a/b/c"
    assert dict(container_source.read_many(["z", "a/b", "nix", "a.txt"])) == {"z": b"z", "a.txt": b"a.txt"}
    for path in ("a/b", "nix", "a/b/", ""):
        with pytest.raises(MemberNotFoundError):
            container_source.read(path)


def test_edits_lie_over_the_base() -> None:
    base = sxes_source(nx=1, ny=1)
    edited = EditedSource(base, "edited")
    assert not edited.changed
    folder = next(path for path in base.contents if path.startswith("data/")).rpartition("/")[0] + "/"
    edited.write(folder + "new.data", b"new")
    edited.write(folder + "info.json", b"{}")
    edited.remove(folder + "sum.data")
    assert edited.changed
    names = [member.path[len(folder) :] for member in edited.children(folder)]
    assert names == ["info.json", "new.data", "qlw.data", "state.json", "xes.data"]
    assert [member.path for member in edited.children("")] == sorted(
        {*base.contents, folder + "new.data"} - {folder + "sum.data"}
    )
    assert dict(edited.read_many([folder + "sum.data", folder + "info.json", folder + "info.json"])) == {
        folder + "info.json": b"{}"
    }
    with pytest.raises(MemberNotFoundError):
        edited.read(folder + "sum.data")
    assert (edited.has(folder + "sum.data"), edited.has(folder + "new.data"), edited.has("metadata.json")) == (
        False,
        True,
        True,
    )
    edited.remove_folder(folder)
    assert edited.children(folder) == []
    edited.write(folder + "sum.data", b"back")
    assert edited.read(folder + "sum.data") == b"back"
    edited.close()


def test_stamps_change_with_the_member_and_never_return() -> None:
    edited = EditedSource(CountingSource({"a": b"1", "b": b"2"}), "x")
    before = edited.stamp("a")
    edited.write("a", b"3")
    changed = edited.stamp("a")
    assert before != changed
    assert edited.stamp("b") == before
    later = edited.successor(CountingSource({"a": b"3"}))
    assert later.stamp("a") not in {before, changed}


def test_what_is_borrowed_stays_what_it_was() -> None:
    theirs = EditedSource(CountingSource({"a": b"base", "b": b"base"}), "theirs")
    theirs.write("b", b"edited")
    ours = EditedSource(None, "ours")
    for member in theirs.children(""):
        ours.borrow("their/" + member.path, theirs, member)
    theirs.write("a", b"later")
    theirs.write("b", b"later")
    third = EditedSource(None, "third")
    for member in ours.children(""):
        third.borrow(member.path, ours, member)
    assert dict(third.read_many(["their/a", "their/b"])) == {"their/a": b"base", "their/b": b"edited"}
    assert [third.read(path) for path in ("their/a", "their/b")] == [b"base", b"edited"]
