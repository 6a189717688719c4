"""One of many processes on a lake, for tests: `lake_writer.py URL ROLE NUMBER SECONDS`.

Roles: `write`, `collect`, `repair`, and `damaged`, which writes with a local cache that it damages again and again.

Says on stdout what it did, a JSON document a line; an error ends it with a traceback.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.small_lakes import counts, zip_of
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


def repair(lake: Lake, until: float) -> None:
    """Repair what is not damaged, again and again."""
    while time.monotonic() < until:
        report = lake.repair()
        assert not report.lost, report.lost
        say(did="repaired", commit=report.commit)
        time.sleep(0.5)


def work_with_a_damaged_cache(url: str, number: int, folder: Path, until: float) -> None:
    """Damage the local cache, then write a little and collect, as a machine after power cuts does."""
    choice = random.Random(number)
    cache = Path(os.environ["SXESLAKE_CACHE"])
    turn = 0
    while time.monotonic() < until:
        for path in sorted(cache.rglob("*.sqlite*")):
            damage_cache(path, choice)
        with open_lake(url) as lake:
            turn += 1
            write(lake, 1000 * number + turn, folder, min(until, time.monotonic() + 0.5))
            say(did="collected", commit=lake.gc(grace="2s").commit)


def damage_cache(path: Path, choice: random.Random) -> None:
    """Delete a row of a table, swap two pages, cut the file, or fill a part of it with noise."""
    data = bytearray(path.read_bytes())
    kind = choice.randrange(4)
    if kind == 0 and path.suffix == ".sqlite":
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            table = choice.choice(tables)
            column = database.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
            database.execute(f"DELETE FROM {table} WHERE {column} = (SELECT max({column}) FROM {table})")
            database.commit()
        return
    if len(data) < 8192:
        return
    at, other = (4096 * choice.randrange(len(data) // 4096) for _ in range(2))
    if kind == 1:
        data[at : at + 4096], data[other : other + 4096] = data[other : other + 4096], data[at : at + 4096]
    elif kind == 2:
        del data[at:]
    else:
        data[at : at + 200] = choice.randbytes(200)
    path.write_bytes(data)


def main(url: str, role: str, number: int, seconds: float) -> None:
    """Say that it is ready, wait for a line on stdin, then work."""
    with tempfile.TemporaryDirectory() as folder:
        say(did="started")
        sys.stdin.readline()
        if role == "damaged":
            work_with_a_damaged_cache(url, number, Path(folder), time.monotonic() + seconds)
            return
        with open_lake(url) as lake:
            lake.ls()  # twelve programs at once load the client for some seconds, which are none of the work
            until = time.monotonic() + seconds
            if role == "collect":
                collect(lake, until)
            elif role == "repair":
                repair(lake, until)
            else:
                write(lake, number, Path(folder), until)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
