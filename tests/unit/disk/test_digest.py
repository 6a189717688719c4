"""Files that are hashed and synced beside their writer."""

from __future__ import annotations

import errno
import hashlib
import os
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.disk import digest
from sxeslake.disk.digest import DigestedFile

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(max_size=40)),
        st.tuples(st.just("patch"), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("truncate"), st.just(b"")),
    ),
    max_size=12,
)


def take(file: BinaryIO, steps: list[tuple[str, bytes]]) -> None:
    for step, data in steps:
        if step == "append":
            file.seek(0, SEEK_END)
            file.write(data)
        elif step == "patch":
            end = file.tell()
            file.seek(0)
            file.write(data)
            file.seek(max(end, len(data)))
        else:
            file.seek(file.tell() // 2)
            file.truncate()


@settings(deadline=None, max_examples=60)
@given(STEPS, st.booleans())
def test_the_digest_is_that_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]], synced: bool
) -> None:
    path = tmp_path_factory.mktemp("digest") / "file"
    with path.open("x+b") as file, DigestedFile(file, synced=synced) as digested:
        take(digested.as_file(), steps)
        found = digested.digest()
    content = path.read_bytes()
    assert found == (hashlib.sha256(content).hexdigest(), len(content))


def test_what_stood_before_counts(tmp_path: Path) -> None:
    with (tmp_path / "file").open("x+b") as file:
        file.write(b"before")
        with DigestedFile(file) as digested:
            assert digested.tell() == 6
            digested.write(b" and after")
            assert digested.digest() == (hashlib.sha256(b"before and after").hexdigest(), 16)


def test_a_disk_that_fails_is_told_although_the_last_sync_would_end_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fsync(handle: int) -> None:  # the system tells of a lost write once
        calls.append(handle)
        if len(calls) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(digest, "_SYNC_BYTES", 4)
    monkeypatch.setattr("sxeslake.disk.digest.os.fsync", fsync)
    with (tmp_path / "file").open("x+b") as file, DigestedFile(file, synced=True) as digested:
        digested.write(b"more than four bytes")
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            digested.digest()
    assert calls


def test_nothing_is_synced_that_goes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_SYNC_BYTES", 1)
    monkeypatch.setattr("sxeslake.disk.digest.os.fsync", lambda _: pytest.fail("a temporary file needs no sync"))
    with (tmp_path / "file").open("x+b") as file, DigestedFile(file) as digested:
        digested.write(b"on its way to a pipe")
        assert digested.digest()[1] == 20
