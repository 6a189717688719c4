"""Spectra of analyses that people are looking at, kept in memory up to a bound: a second look costs no reading."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.reading import LeftOut, SpectraBatch, read_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sxeslake.lake import Lake
    from sxeslake.web.work import Job

_AHEAD: Final = 2  # batches on their way while one is used

Key = tuple[int, str, str | None, str]
"""Which lake, archive, analysis and data type."""


@dataclass(slots=True)
class ShelfStack:
    """The spectra of one analysis, all of which could be read."""

    batches: list[SpectraBatch] = field(default_factory=list)
    bytes: int = 0


class SpectraShelf:
    """Stacks by key, the oldest dropped first; one that is larger than the shelf is read each time it is asked for."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._stacks: OrderedDict[Key, ShelfStack] = OrderedDict()
        self._lock = threading.Lock()

    def batches(
        self, lake: Lake, rows: Sequence[Measured], data_type: str, left_out: LeftOut, job: Job
    ) -> Iterator[SpectraBatch]:
        """The spectra of all positions of one analysis, in batches; given up between two of them where nobody waits."""
        first = rows[0]
        key = (id(lake), first.archive, first.analysis_uuid, data_type)
        with self._lock:
            found = self._stacks.get(key)
            if found is not None:
                self._stacks.move_to_end(key)
        if found is not None:
            yield from found.batches
            return
        stack: ShelfStack | None = ShelfStack()
        for batch in read_batches(
            rows, lake._measurements.member_source, data_type, left_out, ahead=_AHEAD, arranged=True
        ):
            job.check()
            if stack is not None:
                stack.bytes += batch.values.nbytes
                stack.batches.append(batch)
                if stack.bytes > self._most:
                    stack = None
            yield batch
        if stack is not None and not left_out:  # what could not be read is tried again
            self._keep(key, stack)

    def _keep(self, key: Key, stack: ShelfStack) -> None:
        with self._lock:
            self._stacks[key] = stack
            while sum(each.bytes for each in self._stacks.values()) > self._most:
                self._stacks.popitem(last=False)
