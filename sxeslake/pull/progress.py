"""Progress of pulls: bytes that are fetched, of one archive or of a run of many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from sxeslake.model import Progress
from sxeslake.storage import Counters


@contextmanager
def reported(
    progress: Progress | None, task: str, total_bytes: int | None, counters: Counters
) -> Iterator[Callable[[], None]]:
    """Tell `progress`, if there is one, of a task that moves bytes; gives what tells it of those that came since."""
    if progress is None:
        yield lambda: None
        return
    told = counters.bytes_in

    def moved() -> None:
        nonlocal told
        if now := counters.bytes_in - told:
            told += now
            progress.advance(now)

    progress.start(task, total_bytes)
    try:
        yield moved
        moved()
    finally:
        progress.finish()


@runtime_checkable
class Resumable(Protocol):
    """A progress that can begin in the middle of a run."""

    def resume(self, task: str, total_bytes: int | None, done_bytes: int) -> None:
        """As `start`, of a task that is partly done."""


class RunProgress:
    """One archive after another as a run: `pull map@1, 3 of 12`, with the bytes of all of them.

    What the archives to come will move is judged by those before: so many bytes for each byte of the source.
    """

    def __init__(self, progress: Progress, sizes: Sequence[int]) -> None:
        """`sizes` are those of the archives' sources, in bytes."""
        self._progress, self._sizes = progress, sizes
        self._number = self._moved = 0

    def next(self) -> None:
        """The next archive is begun."""
        self._number += 1

    def start(self, task: str, total_bytes: int | None) -> None:
        """One archive is begun, and takes so many bytes."""
        size = sum(self._sizes[: self._number])
        known = self._moved + (total_bytes or 0)
        ahead = sum(self._sizes[self._number :])
        whole = known + (ahead * known // size if size else ahead)
        words = f"{task}, {self._number:,} of {len(self._sizes):,}"
        if isinstance(self._progress, Resumable):
            self._progress.resume(words, whole, self._moved)
        else:
            self._progress.start(words, whole)

    def advance(self, done_bytes: int) -> None:
        """So many more bytes are done."""
        self._moved += done_bytes
        self._progress.advance(done_bytes)

    def finish(self) -> None:
        """One archive is done."""
        self._progress.finish()
