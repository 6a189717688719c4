"""Lines of the table on large lakes: the catalogue of millions of positions, and costs that must stay flat."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import partial

from bench.beside import Work
from bench.measure import Cost, Runs, side_by_side
from bench.setting import Setting
from bench.table import OURS, Row, Target, at_most, row

_SIZES = {14: (5, 20, 100), 2500: (10, 1000, 100_000)}
_REAL_ARCHIVES = 1000  # beyond, archives are entries in the log that point to the same members
_BIGGER = 10  # times the positions of the map
_MOST_US = 25
_FACILITY = {14: 40, 2500: 4000}  # archives of 2,500 positions in the catalogue


def first_sync(setting: Setting) -> Iterator[Row]:
    """The catalogue of a lake that this machine has not seen, beyond the same command once it has; two sizes.

    The bigger map has arrays of 64 bytes: the catalogue reads documents alone.
    """
    bigger = setting.tiny(_BIGGER * setting.positions)
    question = ("query", "--sql", "SELECT count(*) FROM positions")
    counts = {"sync": setting.positions, "sync-bigger": _BIGGER * setting.positions}
    for lake, source in zip(counts, (setting.map, bigger), strict=True):
        setting.into_new_lake(lake, "ingest", source)

    def anew(lake: str) -> Cost:
        shutil.rmtree(setting.cache(lake), ignore_errors=True)
        return setting.in_lake(lake, *question)

    works: dict[str, Work] = {}
    for lake in counts:
        works |= {lake: partial(anew, lake), f"{lake}, synced": partial(setting.in_lake, lake, *question)}
    runs = side_by_side(setting.rounds, works)
    for lake, count in counts.items():
        cost, start = runs[lake].beyond(runs[f"{lake}, synced"]).median, runs[f"{lake}, synced"].median
        each_us = 1e6 * cost.seconds / count
        yield row(
            f"first catalogue of {count:,} positions", OURS, cost,
            targets=setting.timed(at_most(each_us, _MOST_US, " µs a position")),
            note=f"{each_us:.1f} µs a position; without the {start.seconds:.2f} s of the same command when synced",
        )  # fmt: skip


def catalogue(setting: Setting) -> Iterator[Row]:
    """A question for maps and positions by beam condition, warm, and by a client that has no cache."""
    archives = _FACILITY.get(setting.positions, _FACILITY[2500])
    folder = setting.folder / "catalogue"
    shutil.rmtree(folder, ignore_errors=True)
    cost = setting.child("catalogue", folder, str(archives), "2500")
    count = f"{archives * 2500:,} positions"
    limits = {"maps by beam condition": 0.1, "positions by beam condition": 0.1, "cold client": 3.0}
    for name, found in json.loads(cost.output).items():
        yield Row(
            f"catalogue of {count}: {name}", OURS, found["seconds"], peak_bytes=cost.peak_bytes,
            moved_bytes=found.get("bytes"), targets=(at_most(found["seconds"], limits[name], " s"),),
            note="in one process",
        )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)


def flat(setting: Setting) -> Iterator[Row]:
    """Open, commit and read of one member, in lakes of 10, 1,000 and 100,000 archives."""
    sizes = _SIZES.get(setting.positions, _SIZES[2500])
    lake = setting.new_lake("growing")
    first: dict[str, Cost] = {}
    for size in sizes:
        setting.child("grow", str(lake), str(size), str(min(size, _REAL_ARCHIVES)), cache="growing")
        works = {
            "open (show)": ("show", "grown-000001"),
            "read one member": ("cat", "grown-000001", "metadata.json"),
            "commit one archive": ("ingest", ""),
        }
        for name, words in works.items():
            costs = []
            for turn in range(max(setting.rounds, 3)):
                said = words
                if name == "commit one archive":
                    path = setting.folder / f"new-{size}-{turn}.plzip"
                    setting.child("tiny-archive", path, str(10_000_000 + size + turn))
                    said = ("ingest", str(path))
                costs.append(setting.ours(*said, "--lake", lake, cache="growing"))
            cost = Runs(costs).median
            first.setdefault(name, cost)
            factor = cost.cpu_s / first[name].cpu_s
            yield row(
                f"{name}, {size:,} archives in the lake", OURS, cost, targets=[Target("flat", factor <= 1.25)],
                note=f"CPU × {factor:.2f} of {sizes[0]} archives",
            )  # fmt: skip
