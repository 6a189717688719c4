"""The peers at the same works as ours, in the same rounds: where their repositories are, and their rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.measure import Cost, Runs
from bench.peers import Peer, Quick, stored_bytes
from bench.setting import Setting
from bench.table import Row, row

Work = Callable[[], Cost]


def quick(setting: Setting) -> list[Quick]:
    """The peers that take a turn in every round."""
    return [peer for peer in setting.peers if isinstance(peer, Quick)]


def repository(setting: Setting, peer: Peer, what: str) -> Path:
    """Where a peer keeps something: `map`, `packed`, …"""
    return setting.folder / "peers" / f"{peer.name.replace(' ', '_')}-{what}"


def storing(setting: Setting, peer: Peer, what: str, source: Path) -> Work:
    """Store a folder in a new repository, which takes the place of the one before."""

    def work() -> Cost:
        place = repository(setting, peer, what)
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(exist_ok=True)
        return peer.store(source, place)

    return work


def stored(setting: Setting, peer: Peer, what: str, source: Path) -> Path:
    """The repository that holds a folder, filled now where no line has filled it."""
    place = repository(setting, peer, what)
    if not place.exists():
        storing(setting, peer, what, source)()
    return place


def storing_again(setting: Setting, what: str, source: Path) -> dict[str, Work]:
    """Each quick peer storing the same folder once more."""

    def again(peer: Quick) -> Work:
        place = stored(setting, peer, what, source)
        return lambda: peer.again(source, place)

    return {peer.name: again(peer) for peer in quick(setting)}


def restoring(setting: Setting) -> dict[str, Work]:
    """Each quick peer restoring the map to an empty folder."""

    def restore(peer: Quick) -> Work:
        place, out = stored(setting, peer, "map", setting.tree), setting.folder / "restored"

        def work() -> Cost:
            shutil.rmtree(out, ignore_errors=True)
            return peer.restore(place, out)

        return work

    return {peer.name: restore(peer) for peer in quick(setting)}


def verifying(setting: Setting) -> dict[str, Work]:
    """Each quick peer proving the bytes of the map."""

    def verify(peer: Quick) -> Work:
        place = stored(setting, peer, "map", setting.tree)
        return lambda: peer.verify(place)

    return {peer.name: verify(peer) for peer in quick(setting)}


def ratios(setting: Setting, ours: Runs, runs: Mapping[str, Runs]) -> str:
    """`0.73 × restic, 0.96 × borg`, where the peers have rows of the same rounds already."""
    return ", ".join(f"{ours.ratio_to(runs[peer.name]):.2f} × {peer.name}" for peer in quick(setting))


def rows(
    setting: Setting, work: str, ours: Runs, runs: Mapping[str, Runs], *, keeps: str = "", source: int | None = None,
    note: str = "",
) -> Iterator[Row]:  # fmt: skip
    """A row for each quick peer; `keeps` names what its repository holds, where the work has filled it."""
    for peer in quick(setting):
        yield row(
            work, peer.name, runs[peer.name].median, ratio=ours.ratio_to(runs[peer.name]),
            stored=stored_bytes(peer, repository(setting, peer, keeps)) if keeps else None, source=source, note=note,
        )  # fmt: skip
