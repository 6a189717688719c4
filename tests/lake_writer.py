"""One of many processes on a lake, for tests: `lake_writer.py URL NUMBER SECONDS`; number 0 collects, others write.

Says on stdout what it did, a JSON document a line; an error ends it with a traceback.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from small_lakes import counts, zip_of

from sxeslake.lake import Lake, open_lake

SHARED_NAMES = 3
SHARED_BLOBS = 6


def contents_of(seed: int) -> dict[str, bytes]:
    """Blobs that other writers have too, and one that nobody has."""
    shared = random.Random(seed).sample(range(SHARED_BLOBS), 2)
    return {f"data/{n}.bin": counts(n, 20_000) for n in shared} | {f"{seed}.json": b'{"seed":%d}' % seed}


def say(**words: object) -> None:
    """One line of the account."""
    print(json.dumps(words), flush=True)


def write(lake: Lake, number: int, folder: Path, until: float) -> None:
    """Ingest, under names of its own and under those of all; forget some of its own; read some back."""
    choice = random.Random(number)
    own: list[tuple[str, int]] = []
    turn = 0
    while time.monotonic() < until:
        turn += 1
        seed = 100_000 * number + turn
        path = zip_of(folder / f"w{number}-{turn}.zip", contents_of(seed))
        sample = f"shared-{turn % SHARED_NAMES}" if turn % 2 else None
        report = lake.ingest(path, sample=sample, exact="never")
        (archive,) = report.archives
        assert archive.status == "added", archive
        assert archive.sample is not None
        assert archive.version is not None
        say(did="added", commit=report.commit, sample=archive.sample, version=archive.version, seed=seed)
        own.append((archive.sample, archive.version))
        if turn % 3 == 0:
            name, version = own.pop(choice.randrange(len(own)))
            say(did="forgot", commit=lake.forget(f"{name}@{version}").commit, sample=name, version=version)
        if own and turn % 4 == 0:
            name, version = choice.choice(own)
            for row in lake.members(f"{name}@{version}"):
                lake.read(f"{name}@{version}", row.path)


def collect(lake: Lake, until: float) -> None:
    """Collect again and again."""
    while time.monotonic() < until:
        report = lake.gc(grace="2s")
        say(did="collected", commit=report.commit, packs=report.packs_condemned)
        time.sleep(0.2)


def main(url: str, number: int, seconds: float) -> None:
    """Say that it is ready, wait for a line on stdin, then work."""
    with open_lake(url) as lake, tempfile.TemporaryDirectory() as folder:
        say(did="started")
        sys.stdin.readline()
        until = time.monotonic() + seconds
        if number == 0:
            collect(lake, until)
        else:
            write(lake, number, Path(folder), until)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
