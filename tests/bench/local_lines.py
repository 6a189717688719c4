"""Lines of the table on a local disk: a map in and out, threads on one core and two, a real archive, start-up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import beside, limit
from bench.beside import Work
from bench.measure import Cost, Runs, bytes_below, files_below, lake_bytes, python, run, side_by_side
from bench.peers import SevenZip, seven_zip, stored_bytes
from bench.setting import WORKLOAD, Setting
from bench.table import OURS, Row, Target, at_most, of_peer, row

WAYS = ((1, 1), (2, 1), (1, 2), (2, 2))
"""Threads and cores of `jobs`."""
_SHARED_POSITIONS = "1..10"
_MOST_OF_A_SHARED_PART = 0.1  # of its bytes, where every member of it is in the lake: names, places, documents


def ingest(setting: Setting) -> Iterator[Row]:
    """The map into an empty lake, balanced and small; peers take the folder into an empty repository."""
    work, small, source = "ingest", "ingest --preset small", setting.map
    works: dict[str, Work] = {
        OURS: lambda: setting.into_new_lake("lake", "ingest", source),
        small: lambda: setting.into_new_lake("lake-small", "ingest", source, "--preset", "small"),
    }
    works |= {peer.name: beside.storing(setting, peer, "map", setting.tree) for peer in beside.quick(setting)}
    runs = side_by_side(setting.rounds, works)
    ours, size = runs[OURS], bytes_below(source)
    share = at_most(_share(setting, "lake"), 0.66, " of the source")
    timed = (of_peer(ours, runs, "restic", 0.67), at_most(ours.median.cpu_s, 6.2, " CPU s"))
    yield _stored(setting, work, ours, "lake", (*setting.timed(*timed), share))
    yield from beside.rows(setting, work, ours, runs, keeps="map", source=size, note="the folder")
    for peer in setting.peers:
        if peer.heavy:
            known = setting.known.get(peer.name)
            cost = known or beside.storing(setting, peer, "map", setting.tree)()
            kept = source if known else beside.repository(setting, peer, "map")
            note = "one round; the source is its work" if known else "one round"
            yield row(work, peer.name, cost, ratio=ours.median.seconds / cost.seconds,
                      stored=stored_bytes(peer, kept), source=size, note=note)  # fmt: skip
    yield _stored(setting, small, runs[small], "lake-small", (), note=beside.ratios(setting, runs[small], runs))


def fast(setting: Setting) -> Iterator[Row]:
    """The map into an empty lake by the quickest preset; peers take the packed file as it is."""
    work, source = "ingest --preset fast", setting.map
    works: dict[str, Work] = {
        OURS: lambda: setting.into_new_lake("lake-fast", "ingest", source, "--preset", "fast"),
    }
    works |= {peer.name: beside.storing(setting, peer, "packed", source.parent) for peer in beside.quick(setting)}
    runs = side_by_side(setting.rounds, works)
    share = at_most(_share(setting, "lake-fast"), 0.75, " of the source")
    timed = setting.timed(of_peer(runs[OURS], runs, "restic", 1.25))
    found = _stored(setting, work, runs[OURS], "lake-fast", (*timed, share))
    yield replace(found, targets=(*found.targets, _members_are_shared(setting, "lake-fast")))
    yield from beside.rows(
        setting, work, runs[OURS], runs, keeps="packed", source=bytes_below(source), note="the packed file"
    )


def _members_are_shared(setting: Setting, lake: str) -> Target:
    """Whether a part of the map, in the other container, adds next to nothing."""
    part = setting.folder / "part.pl7z"
    setting.in_lake(lake, "pull", "map", "--position", _SHARED_POSITIONS, "-o", part, "--force")
    before = lake_bytes(setting.folder / lake)
    setting.in_lake(lake, "ingest", part, "--preset", "fast")
    added = lake_bytes(setting.folder / lake) - before
    return Target("members deduplicated", added <= _MOST_OF_A_SHARED_PART * bytes_below(part))


def again(setting: Setting) -> Iterator[Row]:
    """The map once more, unchanged."""
    work, lake = "ingest again unchanged", _full_lake(setting)
    before = files_below(lake)
    runs = side_by_side(
        setting.rounds,
        {OURS: lambda: setting.in_lake("lake", "ingest", setting.map)}
        | beside.storing_again(setting, "map", setting.tree),
    )
    new = files_below(lake) - before
    yield row(
        work, OURS, runs[OURS].median,
        limit=limit.of_recognition(setting.byte_rates, 1, source=bytes_below(setting.map)),
        targets=(*setting.timed(at_most(runs[OURS].median.seconds, 0.25, " s")), Target("no new object", new == 0)),
        note=f"{new} new objects",
    )  # fmt: skip
    yield from beside.rows(setting, work, runs[OURS], runs, note="the folder")
    for peer in setting.peers:
        if peer.heavy:
            place = beside.stored(setting, peer, "map", setting.tree)
            if (cost := peer.again(setting.tree, place)) is not None:
                yield row(work, peer.name, cost, ratio=runs[OURS].median.seconds / cost.seconds, note="one round")


def pull(setting: Setting) -> Iterator[Row]:
    """The map out of the lake, in both containers, at the default level, and as files; peers restore files."""
    lake, size, raw = _full_lake(setting), bytes_below(setting.map), setting.raw_bytes
    stored = lake_bytes(lake)
    outs = {f"pull as .{suffix}": setting.folder / f"pulled.{suffix}" for suffix in ("plzip", "pl7z")}
    folder = "pull to a folder"

    def to_folder() -> Cost:
        shutil.rmtree(setting.folder / "pulled", ignore_errors=True)
        return setting.in_lake("lake", "pull", "map", "-o", f"{setting.folder / 'pulled'}/")

    works: dict[str, Work] = {
        work: partial(setting.in_lake, "lake", "pull", "map", "-o", out, "--force") for work, out in outs.items()
    }
    runs = side_by_side(setting.rounds, works | {folder: to_folder} | beside.restoring(setting))
    rates = setting.rates("lake")
    for work, out in outs.items():
        cost = runs[work].median
        timed = (of_peer(runs[work], runs, "restic", 0.6), at_most(cost.cpu_s, 4.0, " CPU s"))
        yield row(
            work, OURS, cost, stored=bytes_below(out), source=size, targets=setting.timed(*timed),
            limit=limit.of_pull(rates, setting.cores, stored=stored, raw=raw, out=bytes_below(out)),
            note=beside.ratios(setting, runs[work], runs),
        )  # fmt: skip
        wanted = "-tzip" if out.suffix == ".plzip" else "-t7z -mx1"
        for peer in setting.peers:
            if isinstance(peer, SevenZip) and peer.name.endswith(wanted):
                cost = setting.known.get(peer.name) or beside.storing(setting, peer, "map", setting.tree)()
                ratio = runs[work].median.seconds / cost.seconds
                yield row(work, peer.name, cost, ratio=ratio, note="from a folder; one round")
    least = limit.of_unpacking(rates, setting.cores, stored=stored, raw=raw)
    yield row(folder, OURS, runs[folder].median, limit=least)
    yield from beside.rows(setting, folder, runs[folder], runs)


def verify(setting: Setting) -> Iterator[Row]:
    """Every stored byte read and proved."""
    work, lake = "verify --data", _full_lake(setting)
    runs = side_by_side(
        setting.rounds, {OURS: lambda: setting.in_lake("lake", "verify", "--data")} | beside.verifying(setting)
    )
    least = limit.of_verification(
        setting.rates("lake"), setting.cores, stored=bytes_below(lake / "packs"), raw=setting.raw_bytes
    )
    yield row(work, OURS, runs[OURS].median, limit=least)
    verbs = {"restic": "check --read-data", "borg": "check --verify-data"}
    for found in beside.rows(setting, work, runs[OURS], runs):
        yield replace(found, by=f"{found.by} {verbs[found.by]}")


def resave(setting: Setting) -> Iterator[Row]:
    """The map saved again in the other container: what it adds to the lake."""
    lake = _full_lake(setting)
    other = setting.folder / "resaved" / "map saved again.pl7z"
    if not other.exists():
        other.parent.mkdir()
        run(python(WORKLOAD, "resave", setting.map, other))
    before = lake_bytes(lake)
    cost = setting.in_lake("lake", "ingest", other)
    more = lake_bytes(lake) - before
    share = 100 * more / before
    yield row(
        "ingest the map saved as .pl7z", OURS, cost, stored=more, source=bytes_below(other),
        targets=setting.timed(at_most(share, 0.5, " % more")), note=f"{share:.2f} % more bytes in the lake; one round",
    )  # fmt: skip


def jobs(setting: Setting) -> Iterator[Row]:
    """Threads: one and two, on one core and on two."""
    if setting.cores < 2 or shutil.which("taskset") is None:
        yield Row("--jobs on one core and two", note="needs two cores and taskset")
        return
    _full_lake(setting)
    out = setting.folder / "jobs.plzip"
    works: dict[str, Work] = {}
    for threads, cores in WAYS:
        words = ("--jobs", str(threads))
        works[_with_jobs("ingest", threads, cores)] = partial(
            setting.into_new_lake, "lake-jobs", "ingest", setting.map, *words, cores=cores
        )
        works[_with_jobs("pull", threads, cores)] = partial(
            setting.in_lake, "lake", "pull", "map", "-o", out, "--force", *words, cores=cores
        )
    runs = side_by_side(setting.rounds, works)
    rates, stored, raw = setting.rates("lake"), bytes_below(setting.folder / "lake-jobs" / "packs"), setting.raw_bytes
    for verb in ("ingest", "pull"):
        slowest = runs[_with_jobs(verb, 1, 1)]
        for threads, cores in WAYS:
            work = _with_jobs(verb, threads, cores)
            least = (
                limit.of_ingest(rates, cores, source=bytes_below(setting.map), raw=raw, stored=stored)
                if verb == "ingest"
                else limit.of_pull(rates, cores, stored=stored, raw=raw, out=bytes_below(out))
            )
            note = f"{slowest.ratio_to(runs[work]):.2f} × the speed of one thread on one core"
            yield row(work, OURS, runs[work].median, limit=least, note=note)


def _with_jobs(verb: str, threads: int, cores: int) -> str:
    return f"{verb} --jobs {threads} on {'one core' if cores == 1 else 'two cores'}"


def real(setting: Setting) -> Iterator[Row]:
    """A real archive of 14 positions, where the machine has one."""
    shared = Path(os.environ.get("SXESLAKE_SHARED", Path(__file__).parents[3] / "shared"))
    source = shared / "data" / "test.plzip"
    work = "real archive, 14 positions"
    if not source.is_file():
        yield Row(work, note="not on this machine: SXESLAKE_SHARED names the folder that holds data/test.plzip")
        return
    cost = setting.into_new_lake("real", "ingest", source)
    stored, size = lake_bytes(setting.folder / "real"), bytes_below(source)
    share = at_most(stored / size, 0.66, " of the source")
    yield row(work, OURS, cost, stored=stored, source=size, targets=[share], note="one round")
    program = seven_zip()
    if program is not None:
        tree, packed = setting.folder / "real-tree", setting.folder / "real-packed"
        shutil.rmtree(tree, ignore_errors=True)
        run(python(WORKLOAD, "unpack", source, tree))
        peer = SevenZip(program, "-t7z -mx9", heavy=True)
        theirs = peer.store(tree, packed)
        ratio = cost.seconds / theirs.seconds
        kept = stored_bytes(peer, packed)
        yield row(work, peer.name, theirs, ratio=ratio, stored=kept, source=size, note="one round")


def start(setting: Setting) -> Iterator[Row]:
    """Start-up: help, and a list and a question from a warm cache."""
    _full_lake(setting)
    question = ("query", "positions-by-condition", "--kv", "5", "--limit", "9")
    works: dict[str, Work] = {
        "sxeslake --help": lambda: setting.ours("--help"),
        "sxeslake ls, warm": lambda: setting.in_lake("lake", "ls"),
        "sxeslake query, warm": lambda: setting.in_lake("lake", *question),
    }
    setting.in_lake("lake", *question)
    runs = side_by_side(setting.rounds, works)
    for (name, found), most in zip(runs.items(), (None, 0.15, 0.3), strict=True):
        targets = [at_most(found.median.seconds, most, " s")] if most else []
        yield row(name, OURS, found.median, targets=targets)


def _full_lake(setting: Setting) -> Path:
    """The lake that `ingest` has filled, or one filled now."""
    lake = setting.folder / "lake"
    if not any((lake / "manifests").rglob("*.parquet")):
        setting.into_new_lake("lake", "ingest", setting.map)
    return lake


def _stored(setting: Setting, work: str, ours: Runs, lake: str, targets: tuple[Target, ...], *, note: str = "") -> Row:
    """The row of an ingest of the map."""
    stored, size = lake_bytes(setting.folder / lake), bytes_below(setting.map)
    least = limit.of_ingest(setting.rates(lake), setting.cores, source=size, raw=setting.raw_bytes, stored=stored)
    return row(work, OURS, ours.median, limit=least, stored=stored, source=size, targets=targets, note=note)


def _share(setting: Setting, lake: str) -> float:
    return lake_bytes(setting.folder / lake) / bytes_below(setting.map)
