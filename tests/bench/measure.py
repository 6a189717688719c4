"""Running a program and saying what it cost: seconds, processor seconds, peak memory of the child and its children.

The runner that calls this imports nothing large: a child's peak counts from its fork, when it is as large as we are.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024
_SHOWN = 2000  # characters of what a failed program said


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost, and what it wrote to stdout."""

    seconds: float
    cpu_s: float
    peak_bytes: int
    output: str = ""


def run(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Cost:
    """Run a program to its end; RuntimeError with its words where it fails.

    `run(["7zz", "a", "x.7z", "folder"]).seconds`
    """
    line = [str(word) for word in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(line)} ended with {process.returncode}: {''.join(texts)[-_SHOWN:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _KIB, texts[0])


@dataclass(frozen=True, slots=True)
class Runs:
    """One work, once a round."""

    costs: Sequence[Cost]

    @property
    def median(self) -> Cost:
        """The medians of seconds and processor seconds, the highest peak, the last output."""
        return Cost(
            statistics.median(cost.seconds for cost in self.costs),
            statistics.median(cost.cpu_s for cost in self.costs),
            max(cost.peak_bytes for cost in self.costs),
            self.costs[-1].output,
        )

    def ratio_to(self, other: Runs) -> float:
        """Seconds to those of another work: the median of the rounds' own ratios, for a slow round slows both."""
        pairs = zip(self.costs, other.costs, strict=True)
        return statistics.median(mine.seconds / its.seconds for mine, its in pairs)

    def beyond(self, other: Runs) -> Runs:
        """What each round took longer than the same round of another work."""
        pairs = zip(self.costs, other.costs, strict=True)
        return Runs(
            [
                Cost(mine.seconds - its.seconds, mine.cpu_s - its.cpu_s, mine.peak_bytes, mine.output)
                for mine, its in pairs
            ]
        )


def side_by_side(rounds: int, works: Mapping[str, Callable[[], Cost]]) -> dict[str, Runs]:
    """Each work once a round, in turn, so that a machine that slows down slows all of them.

    What one has left for the disk is written before the next begins, which would otherwise wait for it.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            os.sync()
            costs[name].append(work())
    return {name: Runs(found) for name, found in costs.items()}


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder, or of one file."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def lake_bytes(lake: Path) -> int:
    """Bytes of a lake in a folder that grow with what it stores: packs, manifests, log; not the texts on its format."""
    return sum(bytes_below(lake / kind) for kind in ("packs", "manifests", "log"))


def files_below(folder: Path) -> int:
    """How many files lie below a folder."""
    return sum(1 for path in folder.rglob("*") if path.is_file())


def python(script: Path, *words: str | Path) -> list[str | Path]:
    """The command line of a script beside this file."""
    return [sys.executable, script, *words]


def sxeslake(*words: str | Path) -> list[str | Path]:
    """A command line of ours."""
    return [sys.executable, "-m", "sxeslake", *words]


def on_cores(command: Sequence[str | Path], count: int | None) -> list[str | Path]:
    """A command line that may use only the first `count` cores that we may use; all, for None."""
    if count is None:
        return [*command]
    cores = sorted(os.sched_getaffinity(0))[:count]
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


def usable_cores() -> int:
    """How many cores a child may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
