"""What a run of an ingest says while it works: one progress over all archives, and a word as each is done or kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from time import monotonic
from typing import Protocol

from sxeslake.ingest.discovery import Candidate
from sxeslake.ingest.report import ArchiveReport
from sxeslake.model import Progress


class Watcher(Protocol):
    """Hears of archives while an ingest runs, and can ask it to end; called from the thread that ingests.

    Examples
    --------
    >>> class Counter:
    ...     archives = 0
    ...     def done(self, archive, number, total, left_s):
    ...         self.archives += 1
    ...     def kept(self, archives, commit):
    ...         pass
    ...     def asked_to_end(self):
    ...         return False
    >>> counter = Counter()
    >>> report = lake.ingest("facility", watcher=counter)
    >>> counter.archives
    6
    """

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:
        """Take note that an archive was read.

        Parameters
        ----------
        archive : ArchiveReport
            What became of it so far.
        number, total : int
            The third of 412.
        left_s : float or None
            How many more seconds the whole run will take, if that is known.
        """

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """Take note that what became of some archives is final.

        Parameters
        ----------
        archives : sequence of ArchiveReport
            The archives.
        commit : int or None
            The commit that they are in; None where there was nothing to commit.
        """

    def asked_to_end(self) -> bool:
        """Tell whether to end as soon as what is finished can be committed.

        Returns
        -------
        bool
            True ends the run.
        """


class AskedToEndError(BaseException):
    """Between two pieces of an archive: all that was finished before it can be committed."""


class Talk:
    """The progress of single archives as one of the whole run. Bytes are those of the files, not of their contents."""

    def __init__(self, candidates: Sequence[Candidate], progress: Progress | None, watcher: Watcher | None) -> None:
        self._progress, self._watcher = progress, watcher
        sizes = [_size_of(candidate) for candidate in candidates] if progress or watcher else [0] * len(candidates)
        self._ends = list(accumulate(sizes, initial=0))
        self._at = self._final = 0  # the archive in work; those whose fate is settled
        self._announced = 0
        self._told = 0.0  # bytes
        self._inside, self._inside_total = 0, 0
        self._began = monotonic()
        if progress is not None:
            progress.start("ingest", self._ends[-1])

    def close(self) -> None:
        """End the progress."""
        if self._progress is not None:
            self._progress.finish()

    def go_on(self, archives: int) -> None:
        """So many more archives are final."""
        self._final += archives
        self._at = self._final

    def begin_batch(self) -> None:
        """Behind the archives that are final; a batch that is tried again says nothing twice."""
        self._at = self._final

    # --- the progress of one archive: see `model.Progress` ---------------------------------------------------------

    def start(self, _: str, total_bytes: int | None) -> None:
        """Some bytes of the archive in work are to be read."""
        self._inside, self._inside_total = 0, total_bytes or 0

    def advance(self, done_bytes: int) -> None:
        """So many more of them are; AskedToEndError where the run is to end."""
        self._inside += done_bytes
        start, end = self._ends[self._at], self._ends[self._at + 1]
        self._tell(start + (end - start) * min(1.0, self._inside / max(1, self._inside_total)))
        if self.is_asked_to_end():
            raise AskedToEndError

    def finish(self) -> None:
        """The archive in work is read."""

    # --- the run -------------------------------------------------------------------------------------------------

    def done(self, archive: ArchiveReport) -> None:
        """The archive in work is done, or failed."""
        self._at += 1
        self._tell(self._ends[self._at])
        if self._watcher is not None and self._at > self._announced:
            self._announced = self._at
            self._watcher.done(archive, self._at, len(self._ends) - 1, self._left_s())

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """These are final."""
        if self._watcher is not None:
            self._watcher.kept(archives, commit)

    def is_asked_to_end(self) -> bool:
        """Whether the run is to end."""
        return self._watcher is not None and self._watcher.asked_to_end()

    def _tell(self, position: float) -> None:
        if position > self._told:
            if self._progress is not None:
                self._progress.advance(int(position) - int(self._told))
            self._told = position

    def _left_s(self) -> float | None:
        if not self._told:
            return None
        return (monotonic() - self._began) * (self._ends[-1] - self._told) / self._told


def _size_of(candidate: Candidate) -> int:
    return size_of(candidate.path) if candidate.made is None else candidate.made.source.size


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 of what cannot be looked at."""
    try:
        if path.is_dir():
            names = (os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files)  # noqa: PTH118
            return sum(os.lstat(name).st_size for name in names)
        return path.stat().st_size
    except OSError:
        return 0
