"""What the benchmark works on, made from a seed in a process of its own, so that the runner stays small.

python workload.py map OUT.plzip POSITIONS       a map with the noise of real spectra
python workload.py tiny OUT.plzip POSITIONS      as many members, all but every 500th position with tiny arrays
python workload.py resave IN OUT.pl7z            the same members in the other container
python workload.py small FOLDER ARCHIVES         small archives, of four positions each; every tenth saved twice
python workload.py usual FOLDER ARCHIVES         the same of 14 positions, as the real archive has
python workload.py unpack IN FOLDER
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive import synthetic
from sxeslake.archive.container import open_container
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.model import Member

SEED = 7
FULL_EVERY, FULL_FIRST = 500, 7  # which positions of a `tiny` archive have arrays of their real size
_DARK = np.zeros((17, 2049), np.uint32)


def plan(positions: int, seed: int = SEED) -> MapPlan:
    """A map as nearly square as the number allows: 2,500 → 50 × 50."""
    side = math.isqrt(positions - 1) + 1
    return MapPlan(seed, side, side, keep=positions)


class _Dim(synthetic._Optics):
    """A camera that looks only at the positions that `tiny` keeps whole: the others need no time."""

    def measure(self, number: int) -> NDArray[np.uint32]:
        return super().measure(number) if number % FULL_EVERY == FULL_FIRST else _DARK

    def qlw(self, xes: NDArray[np.uint32]) -> bytes:
        return b"" if xes is _DARK else super().qlw(xes)


def tiny_members(positions: int) -> Iterator[tuple[Member, bytes]]:
    """All members of a map, with 64 bytes of noise for arrays but for one position in 500; all documents are real."""
    full = {synthetic._uuid(SEED, "position", number) for number in range(FULL_FIRST, positions, FULL_EVERY)}
    with patch.object(synthetic, "_Optics", _Dim):
        for member, data in map_members(plan(positions)):
            folder, _, rest = member.path.partition("/")
            if folder == "data" and member.path.endswith(".data") and rest.partition("/")[0] not in full:
                noise = blake2b(member.path.encode()).digest()
                yield replace(member, size=len(noise)), noise
            else:
                yield member, data


def resave(source: Path, out: Path) -> None:
    """The members of an archive in another container."""
    with open_container(source) as archive:
        write_archive(out, ((member, archive.read(number)) for number, member in enumerate(archive.members)))


def sessions(folder: Path, archives: int, positions: int) -> None:
    """Sessions of a facility, every tenth one a second time under another name."""
    for number in range(archives):
        seed = SEED + number - (number % 10 == 9)
        write_archive(folder / f"session-{number:04d}.plzip", map_members(plan(positions, seed)))


def unpack(source: Path, folder: Path) -> None:
    """Members as files."""
    with open_container(source) as archive:
        for number, member in enumerate(archive.members):
            path = folder / member.path
            if member.kind == "directory":
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(number))


_VERBS: dict[str, Callable[[str, str], object]] = {
    "map": lambda out, positions: write_archive(Path(out), map_members(plan(int(positions)))),
    "tiny": lambda out, positions: write_archive(Path(out), tiny_members(int(positions))),
    "resave": lambda source, out: resave(Path(source), Path(out)),
    "small": lambda folder, archives: sessions(Path(folder), int(archives), 4),
    "usual": lambda folder, archives: sessions(Path(folder), int(archives), 14),
    "unpack": lambda source, folder: unpack(Path(source), Path(folder)),
}


if __name__ == "__main__":
    _VERBS[sys.argv[1]](sys.argv[2], sys.argv[3])
