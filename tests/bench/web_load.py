"""Many people at the web page at once: mixed pages for a while, on a lake of many small archives.

    python tests/bench/web_load.py                                   8 clients × 2 minutes, 10,000 archives
    python tests/bench/web_load.py --archives 100000 --first-only    the first page of a lake with 100,000 archives

Up to `--real` archives are ingested; beyond, they are entries in the log that repeat one of them. The lake is kept in
`--folder`, so that a second run is quick. Requests go to a server on this machine only, and end by themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from bench.children import _repeating
from support.internals import vault_of
from support.part_lakes import Session, Spot, contents
from support.small_lakes import zip_of

import sxeslake
from sxeslake.lake import Lake, open_lake

_CHANNELS = 4096
_GRATINGS = ("JS300N", "JS50XL", "JS200N")
_VOLTAGES = (2.0, 5.0, 10.0, 15.0)
_PER_COMMIT = 250
_PER_INGEST = 500


def archive(path: Path, number: int) -> Path:
    """A session of three positions with spectra that no other number shares."""
    rng = np.random.default_rng(number)
    shape = 500 + 400 * np.sin(np.linspace(0, 9 + number % 7, _CHANNELS))
    condition = {"ccd": {"grating": _GRATINGS[number % 3], "accumulation": "10", "model": "JXA"}, "probe": {}}
    spots = [
        Spot(
            10 * number + place, number % 50 + place, f"grain {place}", condition, kv=_VOLTAGES[number % 4],
            extra={"qlw.data": rng.poisson(shape).astype("<f8").tobytes()},
        )
        for place in range(1, 4)
    ]  # fmt: skip
    session = Session(10 * number, spots, f"session {number}", more={"operator": f"user {number % 9}"})
    return zip_of(path, contents([session]))


def grow(url: str, archives: int, real: int) -> None:
    """Make the lake, or fill it up."""
    if not Path(url, "lake.json").exists():
        sxeslake.init(url).close()
    with open_lake(url) as lake, tempfile.TemporaryDirectory() as folder:
        there = len(lake.ls("session-*"))
        for first in range(there + 1, min(real, archives) + 1, _PER_INGEST):
            numbers = range(first, min(first + _PER_INGEST, min(real, archives) + 1))
            paths = [archive(Path(folder, f"session-{number:06d}.plzip"), number) for number in numbers]
            lake.ingest(paths)
            for path in paths:
                path.unlink()
        _repeat(lake, archives)


def _repeat(lake: Lake, archives: int) -> None:
    vault = vault_of(lake)
    model = vault.state.versions("v.sample = ?", ("session-000001",))[0].archive
    for first in range(len(vault.state.versions()) + 1, archives + 1, _PER_COMMIT):
        vault.commit(_repeating(model, range(first, min(first + _PER_COMMIT, archives + 1))))


@dataclass
class Tally:
    """What the clients met."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, page: str, status: int, took: float) -> None:
        """One answer."""
        with self.lock:
            self.seconds[page].append(took)
            self.statuses[status] += 1


def addresses(seed: int, real: int) -> Iterator[tuple[str, str]]:
    """What people look at, without end: kind of page and address."""
    chance = random.Random(seed)
    while True:
        ref = f"session-{chance.randint(1, real):06d}@1"
        place = f"{ref}:{chance.randint(1, 3)}"
        found: dict[str, dict[str, str | list[str]]] = {
            "find": {},
            "find by condition": {"kv": chance.choice(("2", "5", "10")), "grating": chance.choice(_GRATINGS)},
            "find by words": {"text": f"session {chance.randint(1, 99)}"}, "archive": {"of": ref},
            "analysis": {"of": ref, "analysis": "1"}, "map.png": {"of": ref, "analysis": "1"},
            "roi.json": {"of": ref, "analysis": "1"}, "sum.f32": {"of": ref, "analysis": "1"},
            "position": {"of": place}, "spectra.f32": {"p": place},
            "compare": {"p": [place, f"{ref}:2"], "axis": "channel"},
            "question": {"q": "by-operator"}, "overview": {}, "find.json": {"page": str(chance.randint(1, 9))},
        }  # fmt: skip
        page = chance.choice(list(found))
        words = found[page]
        name = page.split()[0]
        yield page, f"{name}?{urlencode(words, doseq=True)}" if words else name


def ask(base: str, address: str, timeout_s: float = 60) -> tuple[int, float]:
    """The status of one answer, and how long all of it took."""
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(base + address, timeout=timeout_s) as answer:
            answer.read()
            status = answer.status
    except urllib.error.HTTPError as error:
        error.read()
        status = error.code
    return status, time.perf_counter() - began


def client(base: str, seed: int, end: float, real: int, tally: Tally) -> None:
    """One visitor, who asks for the next page once the last has come; a busy server is asked again later."""
    for page, address in addresses(seed, real):
        if time.perf_counter() > end:
            return
        status, took = ask(base, address)
        tally.note(page, status, took)
        if status == 429:
            time.sleep(1)


@contextmanager
def server(url: str, cache: Path) -> Iterator[tuple[str, int]]:
    """The page in a process of its own: its address, its process."""
    command = [sys.executable, "-m", "sxeslake", "serve", "--lake", url, "--json"]
    env = {**os.environ, "SXESLAKE_CACHE": str(cache)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            text = ""
            while not text.endswith("\n}\n"):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError("the server ended")
                text += line
            told = json.loads(text)
            yield f"{told['url']}{told['lakes'][0]}/", process.pid
        finally:
            process.terminate()
            process.wait(30)


def memory_mib(pid: int) -> float:
    """What a process holds; 0 where that cannot be read."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    words = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(words["VmRSS"].split()[0]) / 1024


@dataclass(frozen=True)
class Outcome:
    """What a run says."""

    archives: int
    first_ms: float
    requests: int
    failed: int
    busy: int
    p50_s: float
    p95_s: float
    slowest: str
    memory: list[float]

    def line(self) -> str:
        """For people."""
        memory = ", ".join(f"{each:.0f}" for each in self.memory)
        return (
            f"{self.archives:,} archives: first page {self.first_ms:.0f} ms warm; {self.requests:,} requests, "
            f"{self.failed} failed, {self.busy} told to come later; p50 {self.p50_s:.3f} s, p95 {self.p95_s:.3f} s "
            f"(slowest: {self.slowest}); memory {memory} MiB"
        )


def load(folder: Path, archives: int, real: int, clients: int, seconds: float) -> Outcome:
    """Run it; `seconds` 0 looks at the first page only."""
    url = str(folder / f"lake-{archives}")
    grow(url, archives, real)
    real = min(real, archives)
    tally = Tally()
    with server(url, folder / f"cache-{archives}") as (base, pid):
        for _ in range(3):
            status, _ = ask(base, "find", 1200)  # the catalogue of this machine is made once
            assert status == 200, status
        first = statistics.median(ask(base, "find")[1] for _ in range(9)) * 1000
        for _, address in (pair for pair, _ in zip(addresses(0, real), range(60), strict=False)):
            ask(base, address)  # libraries are loaded
        memory = [memory_mib(pid)]
        end = time.perf_counter() + seconds
        crowd = [threading.Thread(target=client, args=(base, seed, end, real, tally)) for seed in range(1, clients + 1)]
        for each in crowd if seconds else ():
            each.start()
        while time.perf_counter() < end:
            time.sleep(min(seconds / 4, max(0.0, end - time.perf_counter())))
            memory.append(memory_mib(pid))
        for each in crowd if seconds else ():
            each.join()
    took = sorted(each for page in tally.seconds.values() for each in page) or [0.0]
    slow = max(tally.seconds, key=lambda page: statistics.quantiles(tally.seconds[page], n=20)[-1]
               if len(tally.seconds[page]) > 1 else 0.0, default="none")  # fmt: skip
    return Outcome(
        archives, first, sum(tally.statuses.values()),
        sum(count for status, count in tally.statuses.items() if status >= 400 and status != 429),
        tally.statuses.get(429, 0), took[len(took) // 2], took[int(len(took) * 0.95)], slow, memory,
    )  # fmt: skip


def main() -> None:
    """Run it and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sxeslake-web-load")
    parser.add_argument("--archives", type=int, default=10_000)
    parser.add_argument("--real", type=int, default=10_000, help="archives that are ingested; the others repeat one")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--first-only", action="store_true", help="measure the first page only")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    os.environ["SXESLAKE_CACHE"] = str(given.folder / "maker-cache")
    seconds = 0.0 if given.first_only else given.seconds
    print(load(given.folder, given.archives, given.real, given.clients, seconds).line())


if __name__ == "__main__":
    main()
