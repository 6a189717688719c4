"""Lines of the table on a local disk: ingest, ingest again, pull, the other container, a real archive, start-up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import Cost, bytes_below, files_below, lake_bytes, python, run, side_by_side
from bench.peers import Peer, SevenZip, seven_zip, stored_bytes
from bench.setting import WORKLOAD, Setting
from bench.table import OURS, Row, row

_MAX_PEAK = 600 << 20  # whatever the archive's size
_FULL_SIZE = 2500  # positions of the map that the times are asked for


def ingest(setting: Setting) -> Iterator[Row]:
    """The map into an empty lake; peers into an empty repository. Then once more, unchanged."""
    work, source = "ingest", setting.map
    lake = setting.folder / "lake"

    def ours() -> Cost:
        setting.new_lake()
        return setting.ours("ingest", source, "--lake", lake)

    fast = [peer for peer in setting.peers if not peer.heavy]
    costs = side_by_side(setting.rounds, {OURS: ours} | {peer.name: _storing(peer, setting) for peer in fast})
    stored = lake_bytes(lake)
    yield row(
        work, OURS, costs[OURS], stored=stored, source=bytes_below(source),
        to_reach="≤ 4 s, ≤ 600 MiB, ≤ 0.67" if setting.positions == _FULL_SIZE else "≤ 600 MiB, ≤ 0.67",
        met=costs[OURS].peak_bytes <= _MAX_PEAK and stored <= 0.67 * bytes_below(source)
        and (setting.positions != _FULL_SIZE or costs[OURS].seconds <= 4),
    )  # fmt: skip
    for peer in setting.peers:
        cost = costs.get(peer.name) or setting.known.get(peer.name) or _storing(peer, setting)()
        kept = source if peer.name in setting.known else _repository(setting, peer)
        note = "one round; the source is its work" if peer.name in setting.known else "one round" if peer.heavy else ""
        yield row(work, peer.name, cost, stored=stored_bytes(peer, kept), source=bytes_below(source), note=note)
    yield from _again(setting, lake, fast)


def _again(setting: Setting, lake: Path, fast: list[Peer]) -> Iterator[Row]:
    work, before = "ingest again unchanged", files_below(lake)

    def peer_again(peer: Peer) -> Callable[[], Cost]:
        def work() -> Cost:
            return peer.again(setting.tree, _repository(setting, peer)) or Cost(0, 0, 0)

        return work

    kept = [peer for peer in fast if peer.name != "borg"]  # borg wants a new name for each: one round
    costs = side_by_side(
        setting.rounds,
        {OURS: lambda: setting.ours("ingest", setting.map, "--lake", lake)}
        | {peer.name: peer_again(peer) for peer in kept},
    )
    new = files_below(lake) - before
    timed = setting.positions == _FULL_SIZE
    yield row(
        work, OURS, costs[OURS], to_reach="≤ 0.5 s, no new object" if timed else "no new object",
        met=new == 0 and (not timed or costs[OURS].seconds <= 0.5), note=f"{new} new objects",
    )  # fmt: skip
    for peer in kept:
        yield row(work, peer.name, costs[peer.name])
    for peer in setting.peers:
        if peer not in kept and (cost := peer.again(setting.tree, _repository(setting, peer))) is not None:
            yield row(work, peer.name, cost, note="one round")


def pull(setting: Setting) -> Iterator[Row]:
    """The map out of the lake, in both containers, at the default level; peers restore folders, 7-Zip packs them."""
    lake = _full_lake(setting)
    reach = 3.5 if setting.positions == _FULL_SIZE else None
    for suffix in ("plzip", "pl7z"):
        out = setting.folder / f"pulled.{suffix}"
        works = {OURS: lambda out=out: setting.ours("pull", "map", "-o", out, "--force", "--lake", lake)}
        fast = [peer for peer in setting.peers if not peer.heavy] if suffix == "plzip" else []
        for peer in fast:
            _stored(peer, setting)
        costs = side_by_side(setting.rounds, works | {peer.name: _restoring(peer, setting) for peer in fast})
        work = f"pull as .{suffix}"
        yield row(
            work, OURS, costs[OURS], stored=bytes_below(out), source=bytes_below(setting.map),
            to_reach="≤ 3.5 s, ≤ 600 MiB" if reach else "≤ 600 MiB",
            met=costs[OURS].peak_bytes <= _MAX_PEAK and (reach is None or costs[OURS].seconds <= reach),
        )  # fmt: skip
        for peer in fast:
            yield row(work, peer.name, costs[peer.name], note="to a folder")
        wanted = "-tzip" if suffix == "plzip" else "-t7z -mx1"
        for peer in setting.peers:
            if isinstance(peer, SevenZip) and peer.name.endswith(wanted):
                cost = setting.known.get(peer.name) or _storing(peer, setting)()
                yield row(work, peer.name, cost, note="from a folder; one round")


def resave(setting: Setting) -> Iterator[Row]:
    """The map saved again in the other container: what it adds to the lake."""
    lake = _full_lake(setting)
    other = setting.folder / "source" / "map saved again.pl7z"
    if not other.exists():
        run(python(WORKLOAD, "resave", setting.map, other))
    before = lake_bytes(lake)
    cost = setting.ours("ingest", other, "--lake", lake)
    more = lake_bytes(lake) - before
    share = 100 * more / before
    yield row(
        "ingest the map saved as .pl7z", OURS, cost, stored=more, source=bytes_below(other), to_reach="≤ 0.5 % more",
        met=share <= 0.5 if setting.positions >= _FULL_SIZE else None, note=f"{share:.2f} % more bytes in the lake",
    )  # fmt: skip


def real(setting: Setting) -> Iterator[Row]:
    """A real archive of 14 positions, where the machine has one."""
    shared = Path(os.environ.get("SXESLAKE_SHARED", Path(__file__).parents[3] / "shared"))
    source = shared / "data" / "test.plzip"
    work = "real archive, 14 positions"
    if not source.is_file():
        yield Row(work, note="not on this machine: SXESLAKE_SHARED names the folder that holds data/test.plzip")
        return
    lake = setting.new_lake("real")
    cost = setting.ours("ingest", source, "--lake", lake)
    stored, size = lake_bytes(lake), bytes_below(source)
    yield row(
        work, OURS, cost, stored=stored, source=size, to_reach="≤ 0.66", met=stored <= 0.66 * size,
    )  # fmt: skip
    program = seven_zip()
    if program is not None:
        tree = setting.folder / "real-tree"
        shutil.rmtree(tree, ignore_errors=True)
        run(python(WORKLOAD, "unpack", source, tree))
        peer = SevenZip(program, "-t7z -mx9", heavy=True)
        cost = peer.store(tree, setting.folder / "real-packed")
        yield row(work, peer.name, cost, stored=stored_bytes(peer, setting.folder / "real-packed"), source=size)


def start(setting: Setting) -> Iterator[Row]:
    """Start-up: help, and a list from a warm cache."""
    lake = _full_lake(setting)
    rounds = max(setting.rounds, 5)
    listed = "positions-by-condition"
    works = {
        "sxeslake --help": lambda: setting.ours("--help"),
        "sxeslake ls, warm cache": lambda: setting.ours("ls", "--lake", lake),
        "sxeslake query, warm cache": lambda: setting.ours(
            "query", listed, "--kv", "5", "--limit", "9", "--lake", lake
        ),
    }
    setting.ours("query", listed, "--kv", "5", "--limit", "9", "--lake", lake)
    costs = side_by_side(rounds, works)
    for (name, cost), limit in zip(costs.items(), (0.2, 0.5, None), strict=True):
        reach = f"≤ {limit} s" if limit else ""
        yield row(name, OURS, cost, to_reach=reach, met=cost.seconds <= limit if limit else None)


def _full_lake(setting: Setting) -> Path:
    """The lake that `ingest` has filled, or one filled now."""
    lake = setting.folder / "lake"
    if not any((lake / "manifests").rglob("*.parquet")):
        setting.new_lake()
        setting.ours("ingest", setting.map, "--lake", lake)
    return lake


def _repository(setting: Setting, peer: Peer) -> Path:
    return setting.folder / "peers" / peer.name.replace(" ", "_")


def _storing(peer: Peer, setting: Setting) -> Callable[[], Cost]:
    def work() -> Cost:
        repository = _repository(setting, peer)
        shutil.rmtree(repository, ignore_errors=True)
        repository.parent.mkdir(exist_ok=True)
        return peer.store(setting.tree, repository)

    return work


def _stored(peer: Peer, setting: Setting) -> None:
    if not _repository(setting, peer).exists():
        _storing(peer, setting)()


def _restoring(peer: Peer, setting: Setting) -> Callable[[], Cost]:
    def work() -> Cost:
        out = setting.folder / "restored"
        shutil.rmtree(out, ignore_errors=True)
        return peer.restore(_repository(setting, peer), out)

    return work
