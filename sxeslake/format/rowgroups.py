"""Which row group of a manifest holds which rows: how an archive's rows are arranged, and found again. Pure.

Rows stand by path, in groups of `ROW_GROUP`. In a large sxes group, which a manifest outlines, groups of `RUN_ROWS`
hold runs of positions as they are listed instead: their names are random, and who wants ten mostly wants neighbours.
What positions share stands last, beside the footer, so that one request brings both.
"""

from __future__ import annotations

import base64
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sxeslake.archive.sxes.documents.listing import ListPlace, PositionListing
from sxeslake.archive.sxes.layout import DATA
from sxeslake.codecs.zstd import Zstd

ROW_GROUP = 8192
RUN_ROWS = 2048  # a footer of more groups is larger, ten positions anywhere are smaller: less of both together
AFTER_ALL = "\U0010ffff"  # behind every path that begins so

CODE_BITS = 20  # of a position's name: one in ten look-ups among 100,000 brings a group in vain
_LEVEL = 19
_FEW = 2
_MOST_POSITIONS = 1 << 24


class Numbers(NamedTuple):
    """Positions from `first` to before `end`, counted through all lists from 0."""

    first: int
    end: int


@dataclass(frozen=True)
class Runs:
    """Positions in the order listed, as they stand in row groups: run *i* is all of row group `group + i`."""

    lists: tuple[int, ...]  # how many positions each analysis lists
    group: int
    starts: tuple[int, ...]  # the number of each run's first position
    packed: bytes  # the codes of the names, see `names_of`

    @property
    def positions(self) -> int:
        """How many are listed."""
        return sum(self.lists)

    @cached_property
    def _codes(self) -> npt.NDArray[np.uint32]:
        planes = np.frombuffer(Zstd(_LEVEL).decode(self.packed, 4 * self.positions), np.uint8)
        steps = np.ascontiguousarray(planes.reshape(4, -1).T).view("<u4").ravel()
        summed = np.cumsum(steps, dtype=np.uint64)
        lengths = np.diff([*self.starts, self.positions])
        before = np.array([summed[start - 1] if start else 0 for start in self.starts], np.uint64)
        return (summed - np.repeat(before, lengths)).astype(np.uint32)

    def groups_of(self, names: Iterable[str]) -> set[int]:
        """The row groups that can hold some positions, by name."""
        found = np.flatnonzero(np.isin(self._codes, [_code(name) for name in names]))
        return {self.group + at for at in np.unique(np.searchsorted(self.starts, found, "right") - 1).tolist()}

    def groups_at(self, spans: Iterable[Numbers]) -> set[int]:
        """The row groups that hold some positions, by number."""
        groups: set[int] = set()
        for first, end in spans:
            if first < end:
                low, high = bisect_right(self.starts, first) - 1, bisect_right(self.starts, end - 1)
                groups.update(range(self.group + low, self.group + high))
        return groups

    def number(self, place: ListPlace) -> int:
        """The number of a place in a list."""
        return sum(self.lists[: place.analysis]) + place.number

    def dump(self) -> dict[str, object]:
        """As JSON."""
        names = base64.b64encode(self.packed).decode()
        return {"lists": list(self.lists), "group": self.group, "starts": list(self.starts), "names": names}

    @classmethod
    def load(cls, said: Mapping[str, Any]) -> Runs:
        """From JSON; ValueError, or its like, where it does not hold together."""
        lists, starts = (tuple(int(number) for number in said[key]) for key in ("lists", "starts"))
        found = cls(lists, int(said["group"]), starts, base64.b64decode(said["names"], validate=True))
        rising = all(low < high for low, high in zip(starts, (*starts[1:], found.positions), strict=True))
        if not starts or starts[0] != 0 or not rising or min(lists) < 0 or not 0 < found.positions <= _MOST_POSITIONS:
            raise ValueError("the runs of listed positions are inconsistent")
        return found


def _code(name: str) -> int:
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) >> 32 - CODE_BITS


def _packed_codes(names: Sequence[str], starts: Sequence[int]) -> bytes:
    """The codes of names, sorted within each run, as differences: 100,000 in 170 KB."""
    codes = np.array([_code(name) for name in names], np.uint32)
    for first, end in zip(starts, (*starts[1:], len(names)), strict=True):
        codes[first:end] = np.diff(np.sort(codes[first:end]), prepend=np.uint32(0))
    return Zstd(_LEVEL).encode(codes.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes())


class Arrangement(NamedTuple):
    """The rows of each row group of an archive, by their place among its paths, in order; and its runs, if it has any.

    `Runs.group` counts from the archive's first group.
    """

    groups: Sequence[Sequence[int]]
    runs: Runs | None


def arranged(paths: Sequence[str], listing: PositionListing | None) -> Arrangement:
    """How rows of these paths, which are sorted, are put into row groups."""
    by_path = Arrangement(_slices(range(len(paths)), ROW_GROUP), None)
    if listing is None:
        return by_path
    elsewhere: list[int] = []
    folders: dict[str, list[int]] = {}
    for at, path in enumerate(paths):
        uuid = position_of(path)
        if uuid is None:
            elsewhere.append(at)
        else:
            folders.setdefault(uuid, []).append(at)
    if not any(uuid in folders for uuid in listing.places) or max(map(len, folders.values())) > ROW_GROUP:
        return by_path
    names = sorted(listing.places, key=listing.places.__getitem__)
    starts, runs = _runs(names, folders)
    left = sorted(at for uuid, rows in folders.items() if uuid not in listing.places for at in rows)
    lists = [0] * len(listing.outline["analyses"])
    for place in listing.places.values():
        lists[place.analysis] += 1
    return Arrangement(
        [*runs, *_slices(left, RUN_ROWS), *_slices(elsewhere, RUN_ROWS)],
        Runs(tuple(lists), 0, tuple(starts), _packed_codes(names, starts)),
    )


def _runs(names: Sequence[str], folders: Mapping[str, Sequence[int]]) -> tuple[list[int], list[list[int]]]:
    """The number of each run's first position, and each run's rows; no folder is in two of them."""
    starts, runs = [0], [list[int]()]
    for number, name in enumerate(names):
        rows = folders.get(name, ())
        if runs[-1] and rows and len(runs[-1]) + len(rows) > RUN_ROWS:
            starts.append(number)
            runs.append([])
        runs[-1] += rows
    return starts, [sorted(run) for run in runs]


def _slices(rows: Sequence[int], size: int) -> list[Sequence[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def position_of(path: str) -> str | None:
    """`data/5a…/qlw.data`, `data/5a…` → `5a…`; None for a path that is of no position."""
    root, _, rest = path.partition("/")
    return rest.partition("/")[0] or None if root == DATA else None


def position_and_name(path: str) -> tuple[str | None, str]:
    """`data/5a…/qlw.data` → `5a…` and `qlw.data`; None for what is no file of a position."""
    root, _, rest = path.partition("/")
    uuid, _, name = rest.partition("/")
    return (uuid, name) if root == DATA and uuid and name else (None, "")


class RowGroups:
    """Finds the row groups of one archive that can hold some rows, by what is known without reading them."""

    def __init__(self, first: int, bounds: Sequence[tuple[str, str]], runs: Runs | None) -> None:
        """`bounds`: the first and the last path of each group, from the archive's first group on."""
        self.runs = runs
        self.all = range(first, first + len(bounds))
        self._firsts, self._lasts = [low for low, _ in bounds], [high for _, high in bounds]
        self.by_path = all(high < low for high, low in zip(self._lasts, self._firsts[1:], strict=False))
        in_runs = range(0) if runs is None else range(runs.group, runs.group + len(runs.starts))
        behind = range(in_runs.stop, self.all.stop) if runs is not None else range(0)
        self._unlisted = [group for group in behind if all(map(position_of, self.bounds(group)))]
        shared = [group for group in behind if group not in self._unlisted]
        self.shared = shared if len(shared) <= _FEW else []
        """Those of rows that are of no position, where they are few: `metadata.json`, and what positions share."""

    def bounds(self, group: int) -> tuple[str, str]:
        """The first and the last path of a row group."""
        return self._firsts[group - self.all.start], self._lasts[group - self.all.start]

    def between(self, first: str, last: str) -> list[int]:
        """Those that can hold paths from `first` to `last`, both included."""
        if self.by_path:
            return list(self.all[bisect_left(self._lasts, first) : bisect_right(self._firsts, last)])
        return [group for group in self.all if self._overlaps(group, first, last)]

    def beginning(self, prefix: str) -> list[int]:
        """Those that can hold paths that begin so; "" is all."""
        if "/" in prefix[len(DATA) + 1 :]:  # a position's name is whole, if it is one
            return self._find([prefix], AFTER_ALL)
        return self.between(prefix, prefix + AFTER_ALL)

    def holding(self, paths: Iterable[str]) -> list[int]:
        """Those that can hold some paths, or what stands below them."""
        return self._find(paths, f"/{AFTER_ALL}")

    def at(self, paths: Iterable[str]) -> list[int]:
        """Those that can hold just these paths."""
        return self._find(paths, "")

    def _find(self, paths: Iterable[str], last: str) -> list[int]:
        names, found = set[str](), set[int]()
        for path in paths:
            name = None if self.runs is None else position_of(path)
            if name is None:
                found.update(self.between(path, path + last))
            else:
                names.add(name)
                found.update(group for group in self._unlisted if self._overlaps(group, path, path + last))
        if names and self.runs is not None:
            found.update(self.runs.groups_of(names))
        return sorted(found)

    def _overlaps(self, group: int, first: str, last: str) -> bool:
        low, high = self.bounds(group)
        return low <= last and first <= high
