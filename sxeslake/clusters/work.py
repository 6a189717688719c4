"""What a worker does with a share of a plan: the same whatever runs it, a process, an executor or a cluster."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from sxeslake.clusters.rows import PlanRow
from sxeslake.ingest.discovery import Found
from sxeslake.ingest.engine import Ingest
from sxeslake.ingest.options import Options
from sxeslake.ingest.report import ArchiveReport
from sxeslake.ingest.talk import Talk
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

OpenVault = Callable[[], Vault]
"""Opens the lake where the worker is; can be pickled, and holds no secrets."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """What all shares have in common."""

    open_vault: OpenVault
    options: Options
    tool: str


@dataclass(frozen=True, slots=True)
class WorkShare:
    """Some rows of a plan for one worker: whole groups."""

    number: int
    rows: tuple[PlanRow, ...]


@dataclass(slots=True)
class WorkReport:
    """What became of a share; `archives` are final. Not `complete`: the worker was asked to end before."""

    archives: list[ArchiveReport] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    complete: bool = True


class WorkListener(Protocol):
    """Who is told how a share goes on, and says whether the run is to end."""

    def advanced(self, share: int, done_bytes: int) -> None:
        """So many more bytes of the share are read."""

    def done(self, share: int, archive: ArchiveReport) -> None:
        """An archive of it was read, or failed."""

    def kept(self, share: int, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """These are final."""

    def changed(self, share: int, path: str) -> None:
        """A file is not what it was when it was planned."""

    def asked_to_end(self) -> bool:
        """Whether the run is to end."""


class Silent:
    """Tells nobody; never asks to end."""

    def advanced(self, share: int, done_bytes: int) -> None:
        """Say nothing."""

    def done(self, share: int, archive: ArchiveReport) -> None:
        """Say nothing."""

    def kept(self, share: int, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """Say nothing."""

    def changed(self, share: int, path: str) -> None:
        """Say nothing."""

    def asked_to_end(self) -> bool:
        """Go on."""
        return False


class Relay(ABC):
    """A `WorkListener` elsewhere, which gets messages; bytes are reported in steps, not one by one."""

    def __init__(self, step_s: float) -> None:
        self._step_s, self._read, self._told_at = step_s, 0, 0.0

    @abstractmethod
    def say(self, kind: str, *words: object) -> None:
        """Send one message: a method of the listener, and what it is called with."""

    @abstractmethod
    def asked_to_end(self) -> bool:
        """Whether the run is to end."""

    def advanced(self, share: int, done_bytes: int) -> None:
        """So many more bytes of the share are read."""
        self._read += done_bytes
        if time.monotonic() - self._told_at >= self._step_s:
            self._flush(share)

    def done(self, share: int, archive: ArchiveReport) -> None:
        """An archive of it was read, or failed."""
        self._flush(share)
        self.say("done", share, archive)

    def kept(self, share: int, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """These are final."""
        if archives:
            self.say("kept", share, list(archives), commit)

    def changed(self, share: int, path: str) -> None:
        """A file is not what it was when it was planned."""
        self.say("changed", share, path)

    def _flush(self, share: int) -> None:
        if self._read:
            self.say("advanced", share, self._read)
        self._read, self._told_at = 0, time.monotonic()


class _ShareWatcher:
    """A watcher and a progress of one share's ingest: keeps what is final, and passes it on."""

    def __init__(self, share: int, listener: WorkListener, report: WorkReport) -> None:
        self._share, self._listener, self._report = share, listener, report

    def start(self, task: str, total_bytes: int | None) -> None:
        """The share begins."""

    def advance(self, done_bytes: int) -> None:
        """Some bytes are read."""
        self._listener.advanced(self._share, done_bytes)

    def finish(self) -> None:
        """The share is done."""

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:  # noqa: ARG002
        """An archive is read."""
        self._listener.done(self._share, archive)

    def kept(self, archives: Sequence[ArchiveReport], commit: int | None) -> None:
        """Some are final."""
        self._report.archives += archives
        if commit is not None:
            self._report.commits.append(commit)
        self._listener.kept(self._share, archives, commit)

    def asked_to_end(self) -> bool:
        """Whether the run is to end."""
        return self._listener.asked_to_end()


def ingest_share(vault: Vault, job: IngestJob, share: WorkShare, listener: WorkListener) -> WorkReport:
    """Take the archives of a share in, and commit them."""
    report = WorkReport()
    for row in share.rows:
        if row.has_changed():
            _LOG.info("%s is not as it was planned", row.path)
            listener.changed(share.number, str(row.path))
    candidates = [row.candidate for row in share.rows]
    watcher = _ShareWatcher(share.number, listener, report)
    try:
        with closing(Talk(candidates, watcher, watcher)) as talk:
            report.damaged = Ingest(vault, job.options, job.tool, talk).run(Found(candidates)).damaged
    except KeyboardInterrupt:
        report.complete = False
    return report


@contextmanager
def opened(job: IngestJob) -> Iterator[Vault]:
    """The lake, for as long as a worker needs it."""
    vault = job.open_vault()
    try:
        yield vault
    finally:
        vault.close()
