"""The log of a lake as pages ask for it, by sample: read once, then only what is new."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sxeslake.lake import Lake
    from sxeslake.maintenance.history import LogRow

_WHOLE: Final = 100
"""So many of the newest commits keep the names of all archives that they touched."""


class LakeHistory:
    """Commits by number, and which of them touched a sample: reading the whole log for each page takes a second."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._rows: list[LogRow] = []  # oldest first
        self._of: dict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)  # where in `_rows`, and as which
        self._lock = threading.Lock()

    def newest(self, most: int) -> list[LogRow]:
        """The last commits, newest first."""
        with self._lock:
            self._read_on()
            return list(islice(reversed(self._rows), most))

    def of(self, sample: str, most: int) -> list[LogRow]:
        """The last commits that touched a sample, newest first; what they did elsewhere is not named."""
        with self._lock:
            self._read_on()
            found = list(islice(reversed(self._of.get(sample, ())), most))
            return [replace(self._rows[at], archives=list(names)) for at, names in found]

    def _read_on(self) -> None:
        known = self._rows[-1].number if self._rows else 0
        new = list(takewhile(lambda row: row.number > known, self._lake.log()))
        for row in reversed(new):
            touched: dict[str, list[str]] = defaultdict(list)
            for name in row.archives:
                touched[_sample_of(name)].append(name)
            for sample, names in touched.items():
                self._of[sample].append((len(self._rows), tuple(names)))
            self._rows.append(row)
        for at in range(max(0, len(self._rows) - len(new) - _WHOLE), max(0, len(self._rows) - _WHOLE)):
            self._rows[at] = replace(self._rows[at], archives=[])


def _sample_of(name: str) -> str:
    """`ti-map@2` and `ti-map` → `ti-map`."""
    sample, at, version = name.rpartition("@")
    return sample if at and version.isdecimal() else name
