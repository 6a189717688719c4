"""A watcher whose rounds and clock a test turns by hand, and real processes of `sxeslake watch`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sxeslake.lake import Lake, init, open_lake
from sxeslake.watching import clock
from sxeslake.watching.plan import State
from sxeslake.watching.queue import Queue
from sxeslake.watching.rounds import Watching, WatchOptions, WatchRound

SETTLE_S = 10.0
PATIENCE_S = 60.0


@dataclass(slots=True)
class Watched:
    """A folder, a lake, and a watcher; the clock stands still but for `round`."""

    root: Path
    lake_url: str
    watching: Watching
    queue: Queue
    times: list[float] = field(default_factory=lambda: [1000.0])

    def round(self, seconds: float = SETTLE_S) -> WatchRound:
        """So many seconds later, a round."""
        self.times[0] += seconds
        return self.watching.round()

    def states(self) -> dict[str, State]:
        """What the queue says of each path."""
        return {path: item.state for path, item in self.queue.items(0).items()}

    def reason(self, path: str) -> str:
        """Why something failed."""
        return self.queue.items(0)[path].reason or ""

    def samples(self) -> list[str]:
        """The versions in the lake."""
        with open_lake(self.lake_url) as lake:
            return sorted(f"{row.sample}@{row.version}" for row in lake.ls(all_versions=True))


@contextmanager
def watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: Callable[[str], Any] = open_lake
) -> Iterator[Watched]:
    """A watcher of `tmp_path/share`, and a lake in `tmp_path/lake`."""
    root, url = tmp_path / "share", str(tmp_path / "lake")
    root.mkdir()
    init(url).close()
    queue = Queue.open(tmp_path / "queue", url, [root])
    watching = Watching(queue, [root], WatchOptions(1.0, SETTLE_S), lambda: open_lake(url), lambda seconds: True)
    made = Watched(root, url, watching, queue)
    monkeypatch.setattr(clock, "now", lambda: made.times[0])
    try:
        yield made
    finally:
        queue.close()


def environment(folder: Path) -> dict[str, str]:
    """Of a process with state, caches and settings in a folder."""
    own = {"STATE": "state", "CACHE": "cache", "CONFIG": "settings"}
    return {**os.environ, **{f"SXESLAKE_{name}": str(folder / place) for name, place in own.items()}}


@contextmanager
def watching(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`sxeslake watch …` as a process, killed at the end where it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sxeslake", "watch", *words, "--every", "0.1s", "--settle", "0.3s"],
        cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, str]:
    """Ask it to end; its exit code and its words."""
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out.decode()


def until(is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait until something is so; TimeoutError where it does not come."""
    give_up = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > give_up:
            raise TimeoutError("it did not come")
        time.sleep(0.15)


def answer(folder: Path, *words: str) -> tuple[int, Mapping[str, Any]]:
    """`sxeslake … --json` as a process: exit code and document."""
    done = subprocess.run(
        [sys.executable, "-m", "sxeslake", *words, "--json"],
        cwd=folder, env=environment(folder), capture_output=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def versions(url: str) -> dict[str, int]:
    """How many versions each sample of a lake has."""
    with open_lake(url) as lake:
        rows = [row.sample for row in lake.ls(all_versions=True)]
    return {name: rows.count(name) for name in rows}


def is_whole(lake: Lake) -> bool:
    """Whether every byte of a lake is right."""
    return lake.verify(data=True).ok
