"""How the command ends: at once, but with what was to happen at the end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ENDING = """
import atexit, sys, threading, time
from sxeslake.cli import program
import sxeslake.cli.run
module = sys.modules["sxeslake.cli.run"]

atexit.register(lambda: print("at the end"))
def waited():
    time.sleep(0.3)
    print("waited for")
if "thread" in sys.argv:
    threading.Thread(target=waited).start()
module.run = lambda words: (sys.stdout.write("x" * 100_000 + "\\n"), {code})[1]
program()
"""


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("words", [[], ["thread"]])
def test_the_command_ends_with_all_that_was_to_happen(tmp_path: Path, code: int, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ENDING.replace("{code}", str(code)), *words],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines() == ["x" * 100_000, *(["waited for"] if words else []), "at the end"]


def test_a_profile_is_written(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", str(tmp_path / "profile"), "-m", "sxeslake", "--version"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.startswith("sxeslake")
    assert (tmp_path / "profile").stat().st_size > 1000
