"""Every system call that changes a disk fails, or is the last, one at a time: nothing is lost, a second run ends it.

strace injects SIGKILL, SIGTERM or an error into the n-th call of its kind in a real process. The suite takes some of
them for each command; `SXESLAKE_SLOW=1` takes all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.small_lakes import counts, zip_of

from sxeslake.cli.run import run
from sxeslake.lake import Lake, init, open_lake

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed: apt-get install strace")

CALLS = "rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,fsync,fdatasync,syncfs,write,pwrite64,mkdir"
MODES = {"SIGKILL": "signal=SIGKILL", "SIGTERM": "signal=SIGTERM", "ENOSPC": "error=ENOSPC", "EIO": "error=EIO"}
SMOKE = 3  # of each command and mode, beside the call that puts the result in its place
ENDS = {0, 4, 5, 6, 7, 130, -9, 137, -15}  # never 1: no end is unexpected

OLD = {f"data/{number}.bin": counts(number, 400) for number in range(3)} | {
    "notes/old.txt": b"old",
    "same.txt": b"same",
}
NEW = {f"data/{number}.bin": counts(number, 400) for number in range(1, 4)} | {
    "notes/new.txt": b"new",
    "same.txt": b"same",
}
ADDED = {f"more/{number}.bin": counts(number, 400) for number in range(5, 7)}


@dataclass(frozen=True)
class Case:
    """A command, the state that it meets, and what must hold: at any moment, and when it is done."""

    words: Sequence[str]
    prepare: Callable[[Lake, Path], None]
    whole: Callable[[Path], None]
    done: Callable[[Path], None]


def contents_of(place: Path) -> dict[str, bytes]:
    if place.is_dir():
        return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with zipfile.ZipFile(place) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def old_or_new(work: Path) -> None:
    (out,) = work.glob("out*")
    assert contents_of(out) in (OLD, NEW)


def is_new(work: Path) -> None:
    (out,) = work.glob("out*")
    assert contents_of(out) == NEW


def each_old_or_new(work: Path) -> None:
    found = {path: data for path, data in contents_of(work / "out").items() if ".sxeslake-partial-" not in path}
    assert found.keys() <= OLD.keys() | NEW.keys()
    assert OLD.keys() & NEW.keys() <= found.keys()
    assert all(data in (OLD.get(path), NEW.get(path)) for path, data in found.items())


def nothing(_: object, __: object = None) -> None:
    pass


def is_added(work: Path) -> None:
    check_lake(work, {"a@1": OLD, "a@2": NEW, "b@1": ADDED})


def is_collected(work: Path) -> None:
    check_lake(work, {"a@2": NEW})


def is_whole(work: Path) -> None:
    check_lake(work, {"a@1": OLD, "a@2": NEW})


def lose_a_pack(_: Lake, work: Path) -> None:
    pack = max((work / "lake" / "packs").rglob("*.pack"), key=lambda path: path.stat().st_size)
    pack.unlink()


CASES = {
    "ingest": Case(["ingest", "b.zip"], nothing, is_whole, is_added),
    "pull file": Case(
        ["pull", "a", "-o", "out.zip", "--force", "--no-exact"],
        lambda lake, work: nothing(lake.pull("a@1", work / "out.zip")), old_or_new, is_new,
    ),
    "pull folder": Case(
        ["pull", "a", "-o", "out/", "--force"],
        lambda lake, work: nothing(lake.pull("a@1", f"{work / 'out'}/")), old_or_new, is_new,
    ),
    "gc": Case(["gc", "--grace", "0"], lambda lake, _: nothing(lake.forget("a@1")), is_collected, is_collected),
    "repair": Case(["repair", "--from", "a1.zip", "--from", "a2.zip"], lose_a_pack, nothing, is_whole),
    "sync": Case(
        ["sync", "a", "out", "--delete"],
        lambda lake, work: nothing(lake.pull("a@1", f"{work / 'out'}/")), each_old_or_new, is_new,
    ),
}  # fmt: skip


def check_lake(work: Path, wanted: Mapping[str, Mapping[str, bytes]]) -> None:
    """Every version is whole, by a reader without a cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SXESLAKE_CACHE", str(work / "none" / str(time.monotonic_ns())))
        lake = open_lake(str(work / "lake"))
    with lake:
        assert lake.verify(data=True).ok
        for name, contents in wanted.items():
            out = work.parent / "checked.zip"
            lake.pull(name, out, force=True, exact=False)
            assert contents_of(out) == contents


class Bench:
    """A command's state, put there anew for each run, at the same place: caches know a lake by its address."""

    def __init__(self, name: str, folder: Path) -> None:
        self.case, self.work, self._kept = CASES[name], folder / "work", folder / "kept"
        self._trace = folder / "trace"
        self.work.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.work / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
        (self.work / "tmp").mkdir()
        with init(str(self.work / "lake")) as lake:
            lake.ingest(zip_of(self.work / "a1.zip", OLD), sample="a", exact="never")
            lake.ingest(zip_of(self.work / "a2.zip", NEW), sample="a", exact="never")
            zip_of(self.work / "b.zip", ADDED)
            self.case.prepare(lake, self.work)
        shutil.copytree(self.work, self._kept, symlinks=True)

    def fresh(self) -> None:
        shutil.rmtree(self.work)
        shutil.copytree(self._kept, self.work, symlinks=True)

    def run(self, *strace: str) -> int:
        """The command in a process of its own; its exit code."""
        command = [str(STRACE), "-f", "-qq", "-o", str(self._trace), *strace, sys.executable, "-m", "sxeslake", "-q"]
        process = subprocess.run(
            [*command, *self.case.words], cwd=self.work, env=self.environment, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert "Unexpected" not in process.stderr, process.stderr
        return process.returncode

    def calls(self) -> list[tuple[str, int]]:
        """Every call that an undisturbed run makes: its kind, and which of its kind it is in its thread."""
        self.fresh()
        assert self.run("-e", f"trace={CALLS}") == 0
        counted: dict[tuple[str, str], int] = {}
        for line in self._trace.read_text(errors="replace").splitlines():
            if found := re.match(r"(\d+) +(\w+)\(", line):
                counted[found[1], found[2]] = counted.get((found[1], found[2]), 0) + 1
        most: dict[str, int] = {}
        for (_, call), count in counted.items():
            most[call] = max(count, most.get(call, 0))
        return [(call, number) for call, count in sorted(most.items()) for number in range(1, count + 1)]

    def fail(self, call: str, number: int, mode: str) -> None:
        """Let one call fail, see that nothing is lost, and run the same again, to its end."""
        self.fresh()
        code = self.run("-e", f"trace={call}", "-e", f"inject={call}:{MODES[mode]}:when={number}")
        assert code in ENDS, (call, number, mode)
        self.case.whole(self.work)
        before = Path.cwd()
        os.chdir(self.work)
        try:
            assert run(["-q", *self.case.words]) == 0, (call, number, mode)
            self.case.done(self.work)
            for left in [*self.work.glob(".*.partial"), *self.work.rglob(".sxeslake-partial-*")]:
                os.utime(left, (0, 0))
            if self.case.words[0] == "pull":
                assert run(["-q", *self.case.words]) == 0
                assert list(self.work.glob(".*.partial")) == [], (call, number, mode)
        finally:
            os.chdir(before)


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    for name in ("lake", "cache"):
        monkeypatch.setenv(f"SXESLAKE_{name.upper()}", str(tmp_path / "work" / name))
    return Bench(request.param, tmp_path)


every_command = pytest.mark.parametrize("bench", CASES, indirect=True)


@every_command
def test_some_calls(bench: Bench) -> None:
    """The renames, links and syncs that a result hangs on, each in another way."""
    calls = bench.calls()
    telling = [item for item in calls if re.match("rename|link|f.*sync|syncfs|unlink|rmdir", item[0])]
    step = max(1, len(telling) // SMOKE)
    chosen = telling[::-step][:SMOKE]
    for (call, number), mode in zip(chosen, MODES, strict=False):
        bench.fail(call, number, mode)


@pytest.mark.skipif("SXESLAKE_SLOW" not in os.environ, reason="an hour; set SXESLAKE_SLOW=1")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("mode", MODES)
@every_command
def test_every_call(bench: Bench, mode: str) -> None:
    for call, number in bench.calls():
        bench.fail(call, number, mode)
