"""Lines of the table on many small archives in a local folder: stored, and seen again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from bench import beside, limit
from bench.measure import bytes_below, files_below, lake_bytes, side_by_side
from bench.setting import Setting
from bench.table import OURS, Row, Target, at_most, of_peer, row

_LAKE = "lake-sessions"
_UNCHANGED_TIMES = 4  # as many archives are seen again as are stored
_MOST_MS = 10
_FASTER = 1.6


def small_archives(setting: Setting) -> Iterator[Row]:
    """Many small archives into an empty lake in one ingest; peers take the folder of archives."""
    count = setting.small_archives
    work, folder = f"ingest {count:,} small archives", setting.sessions(count)
    runs = side_by_side(
        setting.rounds,
        {OURS: lambda: setting.into_new_lake(_LAKE, "ingest", folder)}
        | {peer.name: beside.storing(setting, peer, "sessions", folder) for peer in beside.quick(setting)},
    )
    stats = json.loads(setting.in_lake(_LAKE, "stats", "--json").output)
    lake, size = setting.folder / _LAKE, bytes_below(folder)
    least = limit.of_ingest(
        setting.rates(_LAKE), setting.cores, source=size, raw=stats["bytes_raw"], new_raw=stats["bytes_unique_raw"],
        proved_raw=stats["bytes_raw"], stored=bytes_below(lake / "packs"),
    )  # fmt: skip
    yield row(
        work, OURS, runs[OURS].median, limit=least, stored=lake_bytes(lake), source=size,
        targets=setting.timed(of_peer(runs[OURS], runs, "restic", 1.2)),
    )  # fmt: skip
    yield from beside.rows(
        setting, work, runs[OURS], runs, keeps="sessions", source=size, note="the archives as they are"
    )


def workers(setting: Setting) -> Iterator[Row]:
    """Archives by worker processes with a core each, and by one process on all cores.

    Processor seconds and memory are those of many processes, which nobody adds up.
    """
    count = setting.worker_archives
    folder = setting.sessions(count, "usual")
    ways = {f"--workers {number}": ("--workers", str(number)) for number in (1, 2)} | {"one process": ()}
    runs = side_by_side(
        setting.rounds,
        {way: partial(setting.into_new_lake, "lake-workers", "ingest", folder, *words) for way, words in ways.items()},
    )
    one = runs["--workers 1"]
    for way, found in runs.items():
        speed = one.ratio_to(found)
        target = Target(f"≥ {_FASTER} × the speed of one worker: {speed:.2f}", speed >= _FASTER)
        yield Row(
            f"ingest {count:,} archives, {way}", OURS, found.median.seconds, source_bytes=bytes_below(folder),
            targets=setting.timed(target) if way == "--workers 2" and setting.cores > 1 else (),
            note=f"{speed:.2f} × the speed of one worker",
        )  # fmt: skip


def unchanged(setting: Setting) -> Iterator[Row]:
    """Small archives that the lake has all of."""
    count = _UNCHANGED_TIMES * setting.small_archives
    work, folder = f"ingest {count:,} unchanged archives", setting.sessions(count)
    setting.into_new_lake("lake-unchanged", "ingest", folder)
    before = files_below(setting.folder / "lake-unchanged")
    runs = side_by_side(
        setting.rounds,
        {OURS: lambda: setting.in_lake("lake-unchanged", "ingest", folder)}
        | beside.storing_again(setting, "unchanged", folder),
    )
    ours, new = runs[OURS].median, files_below(setting.folder / "lake-unchanged") - before
    each_ms = 1000 * ours.seconds / count
    yield row(
        work, OURS, ours, note=f"{each_ms:.2f} ms an archive",
        limit=limit.of_recognition(setting.byte_rates, setting.cores, source=bytes_below(folder)),
        targets=(*setting.timed(at_most(each_ms, _MOST_MS, " ms an archive")), Target("no new object", new == 0)),
    )  # fmt: skip
    yield from beside.rows(setting, work, runs[OURS], runs)
