"""Closed streams: quiet, and the exit code of the work itself."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from small_lakes import zip_of


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
