"""A search accounts for everything that it finds: an archive, another file, or a row that says why it was not read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.small_lakes import zip_of

from sxeslake.archive.file_facts import Links
from sxeslake.errors import NotFoundError
from sxeslake.ingest.discovery import Found, find

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes pipes, sockets and links")


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user who may not read everything; root becomes one for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(path.parent, os.O_RDONLY)
        try:
            made.bind(f"/proc/self/fd/{here}/{path.name}")  # the path itself can be too long for a socket
        finally:
            os.close(here)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "a pipe"),
    "socket": (_socket, "a socket"),
    "link to a device": (lambda path: path.symlink_to("/dev/zero"), "a device"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "a link to nowhere, which is not there"),
    "link to itself": (lambda path: path.symlink_to(path.name), "levels of symbolic links"),
}


def missed(found: Found) -> dict[str, tuple[str, str]]:
    return {passed.path.name: (passed.status, passed.reason) for passed in found.passed_over}


@pytest.mark.parametrize("links", ["keep", "follow"])
@pytest.mark.parametrize("name", ["odd.zip", "odd.txt", "metadata.json"])
@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_a_row(tmp_path: Path, kind: str, name: str, links: Links) -> None:
    make, reason = ODD[kind]
    make(tmp_path / name)
    good = zip_of(tmp_path / "z.zip", {"x": b"1"})
    found = find([tmp_path], links=links)
    assert [candidate.path for candidate in found.archives] == [good]
    ((status, said),) = missed(found).values()
    assert (status, reason in said) == ("unreadable", True), said
    named = find([tmp_path / name], links=links)
    assert (named.archives, [passed.status for passed in named.passed_over]) == ([], ["unreadable"])


def test_a_name_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", zip_of(tmp_path / "a.zip", {}) / "below a file"):
        with pytest.raises(NotFoundError, match="no such file"):
            find([path])


def test_what_may_not_be_read_is_a_row() -> None:
    with TemporaryDirectory() as made:  # the folders of pytest are closed to other users
        root = Path(made)
        names = ["a.zip", "c.zip", "b.zip", "notes.txt", "private"]
        for path in ("a.zip", "private/b.zip", "listed/c.zip", "notes.txt"):
            zip_of(root / path, {"x": b"1"})
        root.chmod(0o755)
        for path, mode in {"a.zip": 0, "notes.txt": 0, "private": 0, "listed": 0o444}.items():
            (root / path).chmod(mode)
        with without_rights():
            found = find([root, root / "private" / "b.zip"])
        for path in ("private", "listed"):
            (root / path).chmod(0o700)
    assert (found.archives, found.unrecognised) == ([], [])
    assert missed(found) == dict.fromkeys(names, ("unreadable", "no permission to read it"))


def linked_tree(tmp_path: Path) -> Path:
    """A folder with links of each kind: to an archive and a folder, inside and outside; and a loop."""
    root = tmp_path / "in"
    zip_of(root / "sub" / "a.zip", {"x": b"1"})
    zip_of(tmp_path / "out" / "b.zip", {"x": b"2"})
    (root / "notes.txt").write_text("x")
    for name, target in {
        "file-in.zip": "sub/a.zip", "folder-in": "sub", "loop": ".", "sub/up": "../..",
        "file-out.zip": "../out/b.zip", "folder-out": "../out", "text-out.txt": "../out/b.zip",
    }.items():  # fmt: skip
        (root / name).symlink_to(target)
    return root


def test_links_out_of_the_folder_are_rows_and_not_followed(tmp_path: Path) -> None:
    found = find([linked_tree(tmp_path)])
    assert [candidate.name for candidate in found.archives] == ["file-in", "sub/a"]
    assert [passed.path.name for passed in found.missed] == ["file-out.zip", "folder-out", "text-out.txt", "up"]
    assert {passed.status for passed in found.missed} == {"skipped"}
    assert {name for name, (status, _) in missed(found).items() if status == "link"} == {"folder-in", "loop"}


def test_links_are_followed_on_request_and_each_folder_is_searched_once(tmp_path: Path) -> None:
    root = linked_tree(tmp_path)
    found = find([root], links="follow")
    names = [candidate.name for candidate in found.archives]
    assert names == ["file-in", "file-out", "sub/a", "folder-out/b"]
    assert found.missed == []
    assert {path.name for path in found.unrecognised} == {"notes.txt", "text-out.txt"}


def test_links_are_skipped_on_request(tmp_path: Path) -> None:
    found = find([linked_tree(tmp_path)], links="skip")
    assert [candidate.name for candidate in found.archives] == ["sub/a"]
    assert (found.missed, len(found.passed_over)) == ([], 7)


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    root = linked_tree(tmp_path)
    found = find([root / "file-out.zip", root / "folder-out"], links="skip")
    assert [candidate.name for candidate in found.archives] == ["b", "b"]


def test_a_link_into_another_folder_that_is_searched_is_none_out(tmp_path: Path) -> None:
    root = linked_tree(tmp_path)
    found = find([root, tmp_path / "out"])
    assert [passed.path.name for passed in found.missed] == ["up"]


def test_a_folder_that_is_reached_twice_is_searched_once(tmp_path: Path) -> None:
    zip_of(tmp_path / "in" / "sub" / "a.zip", {"x": b"1"})
    found = find([tmp_path / "in", tmp_path / "in" / "sub", tmp_path / "in"])
    assert [candidate.name for candidate in found.archives] == ["sub/a"]
    assert [passed.status for passed in found.passed_over] == ["link", "link"]


def test_a_path_too_long_for_a_name_is_shortened(tmp_path: Path) -> None:
    deep = zip_of(tmp_path.joinpath(*["d" * 200] * 3) / "a.zip", {"x": b"1"})
    (candidate,) = find([tmp_path]).archives
    assert candidate.path == deep
    assert candidate.name.endswith("d" * 100 + "/a"), "the start is replaced by a digest"
    assert len(candidate.name.encode()) <= 512
