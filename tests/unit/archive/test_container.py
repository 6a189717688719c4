"""Which reader a path gets, ranged reads, and what a large archive costs to open."""

from __future__ import annotations

import io
import os
import struct
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from sxeslake.archive.base import SEVENZIP_MAGIC
from sxeslake.archive.container import open_container, sniff
from sxeslake.archive.ranged_file import RangedFile, open_regular
from sxeslake.archive.zip.reader import ZipReader
from sxeslake.errors import InputError, NotAnArchiveError


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", "b")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (_zip(), "zip"),
        (b"PK\5\6" + bytes(18), "zip"),
        (b"#!/bin/sh" + _zip(), "zip"),
        (SEVENZIP_MAGIC + bytes(26), "7z"),
    ],
)
def test_content_tells_not_the_suffix(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    assert sniff(path) == kind
    assert sniff(tmp_path) == "folder"


@pytest.mark.parametrize(("data", "words"), [(b"", "empty file"), (b"PK", "neither"), (bytes(100_000), "neither")])
def test_what_is_no_archive(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.plzip"
    path.write_bytes(data)
    with pytest.raises(NotAnArchiveError, match=words):
        open_container(path)


def test_a_pipe_is_no_archive(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAnArchiveError, match="neither a file nor a folder"):
        sniff(tmp_path / "pipe")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.zip: cannot be read"):
        open_container(tmp_path / "nowhere.zip")


@pytest.mark.parametrize("has_pread", [True, False])
def test_many_threads_read_ranges_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_pread: bool) -> None:
    if not has_pread:
        monkeypatch.delattr(os, "pread", raising=False)
    (tmp_path / "x").write_bytes(b"".join(struct.pack("<L", number) for number in range(50_000)))
    file = RangedFile(tmp_path / "x")
    wrong: list[int] = []

    def read(start: int) -> None:
        wrong.extend(
            number for number in range(start, 50_000, 97) if file.read(4 * number, 4) != struct.pack("<L", number)
        )

    threads = [threading.Thread(target=read, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert file.read(199_998, 10) == struct.pack("<L", 49_999)[2:]
    file.close()
    with pytest.raises(InputError):
        file.read(0, 1)


def test_opening_costs_little_for_each_member(tmp_path: Path) -> None:
    """A map of 100,000 positions has 500,000 members: 250 bytes each are 125 MB, a Python object each a gigabyte."""
    count = 20_000
    name = "data/{:08x}-1234-5678-9abc-123456789abc/xes.data"
    local, central = bytearray(), bytearray()
    for number in range(count):
        raw = name.format(number).encode()
        central += struct.pack(
            "<4sHHHHLLLLHHHHHLL", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, len(raw), 36, 0, 0, 0, 32, len(local)
        )  # fmt: skip
        central += raw + struct.pack("<HHLHHQQQ", 10, 32, 0, 1, 24, 1 << 56, 0, 0)
        local += struct.pack("<4sHHHLLLLHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, len(raw), 0) + raw
    end = struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, count, count, len(central), len(local), 0)
    (tmp_path / "x.zip").write_bytes(bytes(local + central) + end)
    tracemalloc.start()
    try:
        with ZipReader(tmp_path / "x.zip") as reader:
            held, most = tracemalloc.get_traced_memory()
            assert reader.members[count - 1].path == name.format(count - 1)
    finally:
        tracemalloc.stop()
    assert held < 250 * count
    assert most < 450 * count  # while names are compared; here each has a folder of its own, the worst case


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """Whoever opens a path that was a file a moment ago must not hang on what is there now."""
    os.mkfifo(tmp_path / "p.zip")
    for path in (tmp_path / "p.zip", tmp_path):
        with pytest.raises(InputError, match="not a regular file"):
            open_regular(path)
    with pytest.raises(InputError, match="not a regular file"):
        RangedFile(tmp_path / "p.zip")
