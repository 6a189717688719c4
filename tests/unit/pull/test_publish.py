"""What a pull that was killed left is removed by the next one to the same place; what is being written is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sxeslake.archive.base import ArchiveWriter
from sxeslake.model import ContainerKind, Member
from sxeslake.pull.publish import Publisher

fcntl = pytest.importorskip("fcntl", reason="no file locks here")


def fill(writer: ArchiveWriter) -> None:
    writer.add(Member("a.txt", "file", size=1), [b"1"])
    writer.close()


def left_behind(place: Path, *, seconds_ago: float = 60, inside: str | None = None) -> Path:
    """A half-written archive, or a folder with something in it."""
    if inside is None:
        place.write_bytes(b"half")
    else:
        (place / inside).mkdir(parents=True)
    then = time.time() - seconds_ago
    os.utime(place, (then, then))
    return place


@pytest.mark.parametrize(("name", "container"), [("x [1].plzip", "zip"), ("x [1].pl7z", "7z"), ("x [1]", "folder")])
def test_what_was_left_is_removed(tmp_path: Path, name: str, container: ContainerKind) -> None:
    file = left_behind(tmp_path / f".{name}.abc_1234.partial")
    folder = left_behind(tmp_path / f".{name}.12345678.partial", inside="whole")
    Publisher().to_path(tmp_path / name, container, fill)
    assert not file.exists()
    assert not folder.exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_may_be_somebody_s_stays(tmp_path: Path) -> None:
    young = left_behind(tmp_path / ".x.zip.aaaaaaaa.partial", seconds_ago=0)
    other = left_behind(tmp_path / ".y.zip.aaaaaaaa.partial")
    alike = left_behind(tmp_path / ".x.zip.notes.partial")
    only_copy = left_behind(tmp_path / ".x.zip.bbbbbbbb.partial", inside="old")
    link = tmp_path / ".x.zip.cccccccc.partial"
    link.symlink_to(other)
    written = left_behind(tmp_path / ".x.zip.dddddddd.partial")
    with written.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        Publisher().to_path(tmp_path / "x.zip", "zip", fill)
    assert all(path.exists() for path in (young, other, alike, only_copy, link, written))


@pytest.mark.parametrize(("out", "container"), [("x.zip", "zip"), ("x", "folder")])
def test_what_is_written_is_locked(tmp_path: Path, out: str, container: ContainerKind) -> None:
    """A second pull to the same place, begun meanwhile, leaves the first one's half alone."""

    def slowly(writer: ArchiveWriter) -> None:
        (half,) = tmp_path.glob(".x*.partial")
        os.utime(half, (0, 0))
        Publisher(force=True).to_path(tmp_path / out, container, fill)
        assert half.exists()
        fill(writer)

    Publisher(force=True).to_path(tmp_path / out, container, slowly)
    assert [path.name for path in tmp_path.iterdir()] == [out]
