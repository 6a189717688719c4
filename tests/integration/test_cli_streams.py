"""Closed streams: quiet, and the exit code of the work itself."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.small_lakes import zip_of


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("line", "code"),
    [("ls", 0), ("ls --json", 0), ("show nothing", 3), ("--help", 0), ("nonsense", 2), ("pull a -o b.zip --force", 0),
     ("query --sql 'SELECT 1'", 0), ("ingest a.zip", 0), ("version", 0)],
)  # fmt: skip
def test_a_closed_stream_is_no_surprise(
    tmp_path_factory: pytest.TempPathFactory, line: str, code: int, closed: str
) -> None:
    folder = _lake(tmp_path_factory)
    program = f"{shlex.quote(sys.executable)} -m sxeslake --lake lake {line} {closed}"
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == code, done.stderr
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("line", "code"),
    [("ls", 6), ("ls --json", 6), ("--help", 6), ("members a --json", 6), ("cat a a.txt", 6), ("pull a -o -", 6),
     ("query --sql 'SELECT 1' --format csv", 6), ("show nothing --json", 3)],
)  # fmt: skip
def test_a_full_disk_behind_stdout_is_an_error_of_its_kind(
    tmp_path_factory: pytest.TempPathFactory, line: str, code: int
) -> None:
    folder = _lake(tmp_path_factory)
    program = f"{shlex.quote(sys.executable)} -m sxeslake --lake lake {line} > /dev/full"
    done = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == code, done.stderr
    assert "the disk or quota is full" in done.stderr or code == 3
    assert "Unexpected" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


_made: list[Path] = []


def _lake(factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and the archive in it, made once."""
    if not _made:
        folder = factory.mktemp("streams")
        archive = zip_of(folder / "a.zip", {"a.txt": b"1"})
        for words in (["init"], ["ingest", str(archive)]):
            program = [sys.executable, "-m", "sxeslake", "-q", "--lake", "lake", *words]
            subprocess.run(program, check=True, cwd=folder)
        _made.append(folder)
    return _made[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(("line", "code"), [("ls", 0), ("show nothing --json", 3)])
def test_words_that_find_no_room_do_not_change_the_exit_code(
    tmp_path_factory: pytest.TempPathFactory, line: str, code: int, unbuffered: str
) -> None:
    folder = _lake(tmp_path_factory)
    program = f"{shlex.quote(sys.executable)} -m sxeslake {line} 2>/dev/full"
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "SXESLAKE_LAKE": "lake"}  # so that there are words
    done = subprocess.run(["sh", "-c", program], capture_output=True, check=False, cwd=folder, env=environment)
    assert done.returncode == code, done.stdout


def test_words_that_nobody_reads_do_not_end_the_work(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sxeslake", "ingest", "--lake", "lake", str(zip_of(tmp_path / "a.zip", {"a": b"1"}))]
    subprocess.run([*words[:3], "-q", "init", "--lake", "lake"], check=True, cwd=tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=writer, check=False, cwd=tmp_path)
    os.close(writer)
    assert done.returncode == 0
    assert done.stdout.startswith(b"stored")
