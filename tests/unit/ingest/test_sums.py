"""The SHA-256 of a file that was begun early: the file's own, or one made when it is asked for."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from pathlib import Path

import pytest

from sxeslake.ingest import sums


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "_WORTH_BYTES", 1)
    monkeypatch.setattr(sums, "_begun", {})


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def finish() -> None:
    for thread in threading.enumerate():
        if thread.name == "early sha256":
            thread.join()


def test_what_was_begun_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    before = sys.getswitchinterval()
    sums.begin([str(path)])
    finish()
    assert sys.getswitchinterval() == before
    with monkeypatch.context() as patch:
        patch.setattr(sums, "_made", lambda _: pytest.fail("it was made twice"))
        assert sums.sha256_of(path) == sum_of(b"content")
    assert sums.sha256_of(path) == sum_of(b"content"), "the second time it is read"


@pytest.mark.parametrize("change", ["content", "time", "another file"])
def test_a_file_that_changed_meanwhile_is_read_again(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"before")
    sums.begin([path])
    finish()
    if change == "content":
        path.write_bytes(b"afterwards")
    elif change == "time":
        path.write_bytes(b"behind")
        os.utime(path, ns=(1, 1))
    else:
        (tmp_path / "b").write_bytes(b"behind")
        (tmp_path / "b").replace(path)
    assert sums.sha256_of(path) == sum_of(path.read_bytes())


def test_nothing_is_begun_that_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    for paths in ([], [tmp_path], [tmp_path / "absent"], [tmp_path / "pipe"], [tmp_path / "empty"], ["\0"]):
        sums.begin(paths)
    assert not sums._begun


def test_a_file_that_cannot_be_read_says_so_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    with monkeypatch.context() as patch:
        patch.setattr(sums, "_made", lambda _: 1 / 0)
        sums.begin([path])
        finish()
    assert sums.sha256_of(path) == sum_of(b"content")
