"""What a log entry relies on is on the disk before the entry has its name: the order of a command's system calls."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from support.small_lakes import counts, zip_of

from sxeslake.lake import init

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed: apt-get install strace")

CALLS = "link,linkat,rename,renameat,renameat2,mkdir,mkdirat,fsync"
COMMANDS = {
    "ingest": ["ingest", "c.zip"],
    "gc": ["gc", "--grace", "0"],
    "repair": ["repair", "--from", "a.zip", "--from", "b.zip"],
    "checkpoint": ["checkpoint"],
    "copy": ["copy", "lake", "target"],
}


class Call(NamedTuple):
    """A call as it began: its kind, and the first and the last path that it names."""

    kind: str
    path: str
    last: str


def _calls(folder: Path, words: list[str]) -> list[Call]:
    trace = folder / "trace"
    command = [str(STRACE), "-f", "-qq", "-y", "-s", "4096", "-o", str(trace), "-e", f"trace={CALLS}"]
    program = [sys.executable, "-m", "sxeslake", "-q", *words]
    done = subprocess.run([*command, *program], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if "PTRACE" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        if begun := re.match(r"\d+ +(\w+)\((.*)", line):
            paths = re.findall(r'"(.*?)"', begun[2]) or re.findall(r"^\d+<(.*?)>", begun[2])
            found += [Call(begun[1], str(folder / paths[0]), str(folder / paths[-1]))] if paths else []
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_files_and_folders_are_synced_before_an_entry_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path.resolve()
    monkeypatch.setenv("SXESLAKE_CACHE", str(folder / "cache"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(folder / "lake"))
    with init(str(folder / "lake")) as lake:
        lake.ingest([zip_of(folder / f"{each}.zip", {f"{each}.bin": counts(ord(each))}) for each in "ab"])
        zip_of(folder / "c.zip", {"c.bin": counts(3)})
        if name == "gc":
            lake.forget("b")
    if name == "repair":
        for pack in (folder / "lake" / "packs").rglob("*.pack"):
            pack.unlink()
    if name == "copy":
        init(str(folder / "target")).close()
    root = folder / ("target" if name == "copy" else "lake")
    calls = _calls(folder, COMMANDS[name])
    in_lake = [
        (at, call) for at, call in enumerate(calls) if call.kind != "fsync" and Path(call.last).is_relative_to(root)
    ]
    entries = [at for at, call in in_lake if Path(call.last).parent == root / "log"]
    assert in_lake
    assert bool(entries) == (name != "checkpoint")
    for at, call in in_lake:
        by = next((entry for entry in entries if entry > at), len(calls))
        names_synced = Call("fsync", str(Path(call.last).parent), str(Path(call.last).parent))
        assert names_synced in calls[at:by], f"the folder of {call}"
        if not call.kind.startswith("mkdir"):
            assert Call("fsync", call.path, call.path) in calls[:at], f"the content of {call}"
