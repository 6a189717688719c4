"""The rounds of a watcher: look at every folder, take what has been still, wait, look again."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

from sxeslake.errors import InputError, NotFoundError, SxeslakeError, UsageError
from sxeslake.format import keys
from sxeslake.watching import clock, listing, plan
from sxeslake.watching.plan import WatchedItem
from sxeslake.watching.queue import Queue
from sxeslake.watching.taking import Taking, Tally

if TYPE_CHECKING:
    from sxeslake.ingest.talk import Watcher
    from sxeslake.lake import Lake

_LOG = logging.getLogger(__name__)

Mode = Literal["watch", "once"]

LOOKING: Final = "looking"
TAKING: Final = "taking"
WAITING: Final = "waiting"

_LONGEST_LAKE_WAIT_S: Final = 600.0
_SHORTEST_REST_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How folders are watched."""

    every_s: float = 60.0
    settle_s: float = 120.0
    jobs: int | None = None
    message: str | None = None


@dataclass(slots=True)
class WatchRound:
    """What a round did."""

    started_at: str
    ended_at: str | None = None
    seconds: float = 0.0
    added: int = 0
    unchanged: int = 0
    failed: int = 0
    bytes_read: int = 0
    bytes_stored: int = 0
    error: str | None = None


@dataclass(slots=True)
class FolderFacts:
    """How a watched folder is reached."""

    path: str
    away: str | None = None
    away_since: str | None = None
    unlisted: dict[str, str] = field(default_factory=dict)


class Wait(Protocol):
    """Waits so many seconds, or until the watcher is asked to end, and then says True."""

    def __call__(self, seconds: float) -> bool:
        """Whether to end."""
        ...


class RoundRecord(Protocol):
    """Takes note of what a round did that took something, or failed."""

    def add(self, *, bytes_read: int, bytes_written: int, archives: int, failures: Sequence[str]) -> None:
        """Count what was done."""
        ...


class Watching:
    """A watcher of some folders for one lake; its lock is held by the caller."""

    def __init__(
        self,
        queue: Queue,
        folders: Sequence[Path],
        options: WatchOptions,
        open_lake: Callable[[], AbstractContextManager[Lake]],
        wait: Wait,
        *,
        watcher: Watcher | None = None,
        record: Callable[[], AbstractContextManager[RoundRecord | None]] = nullcontext,
    ) -> None:
        self._queue, self._folders, self._options = queue, folders, options
        self._open_lake, self._wait, self._watcher, self._record = open_lake, wait, watcher, record
        self._items = [queue.items(number) for number in range(len(folders))]
        before = queue.facts().get("watched", [])
        self._facts = [FolderFacts(os.fspath(folder)) for folder in folders]
        for facts, known in zip(self._facts, before, strict=False):
            facts.away, facts.away_since = known["away"], known["away_since"]
        self._lake_attempts, self._lake_again = 0, 0.0
        self._lake_error: SxeslakeError | OSError | None = None
        self.total = Tally()
        """What became of all rounds so far, without the words of failures."""

    def run(self, mode: Mode) -> None:
        """Rounds until the end is asked for; of mode `once` one, in which what is still for long enough is taken.

        In mode `once`, and only in it, errors of the lake are raised.
        """
        self._queue.keep(
            pid=os.getpid(), host=socket.gethostname(), started_at=_instant(), ended_at=None, mode=mode,
            every_s=self._options.every_s, settle_s=self._options.settle_s,
        )  # fmt: skip
        try:
            if mode == "once":
                self._once()
            else:
                self._go_on()
        finally:
            self._queue.keep(ended_at=_instant(), phase=None)

    def _go_on(self) -> None:
        while True:
            began = clock.now()
            try:
                self.round()
            except Exception as error:  # a full disk below the queue, say: the next round must come
                _LOG.warning("this round failed (%s: %s); the next one tries again", type(error).__name__, error)
                _LOG.info("it came from here", exc_info=error)
                self._read_again()
            rest = self._options.every_s - (clock.now() - began)
            if self._wait(max(rest, _SHORTEST_REST_S)):
                return

    def _once(self) -> None:
        """A round, and others until what it saw at first has been watched for the settle time."""
        settle_s, judged = self._options.settle_s, self._judged()
        until: float | None = None
        while True:
            self.round()
            if self._lake_error is not None:
                raise self._lake_error
            if until is None or self._judged() != judged:  # what there is to look at is known only now
                judged, until = self._judged(), clock.now() + settle_s
            due = [at for items in self._items if (at := plan.settling(items, settle_s)) is not None and at <= until]
            if not due or self._wait(max(0.0, max(due) - clock.now())):
                return

    def round(self) -> WatchRound:
        """Look at every folder, and take what is ready."""
        began, done = clock.now(), WatchRound(_instant())
        fresh = [reason for number in range(len(self._folders)) if (reason := self._look(number)) is not None]
        # A lake that is away is asked again later, each time later.
        has_ready = any(plan.ready(items) for items in self._items) and clock.now() >= self._lake_again
        if has_ready or fresh:
            tally = Tally(failures=list(fresh))
            with self._record() as record:
                try:
                    if has_ready:
                        self._take(tally, done)
                finally:
                    failures = tally.failures + ([] if done.error is None else [done.error])
                    if record is not None:
                        record.add(
                            bytes_read=tally.bytes_read, bytes_written=tally.bytes_stored, archives=tally.added,
                            failures=failures,
                        )  # fmt: skip
                    done.added, done.unchanged, done.failed = tally.added, tally.unchanged, len(tally.failures)
                    self.total.added += tally.added
                    self.total.unchanged += tally.unchanged
                    done.bytes_read, done.bytes_stored = tally.bytes_read, tally.bytes_stored
        done.ended_at, done.seconds = _instant(), round(clock.now() - began, 3)
        self._queue.keep(
            watched=[asdict(facts) for facts in self._facts], last_round=asdict(done), phase=_phase(WAITING),
            **({"last_taken_at": done.ended_at} if done.added or done.unchanged else {}),
        )  # fmt: skip
        return done

    def _look(self, number: int) -> str | None:
        """Look at a folder, and keep what changed; the reason where it has just gone away."""
        root, items, facts = self._folders[number], self._items[number], self._facts[number]
        self._queue.keep(phase=_phase(LOOKING, root))
        seen = listing.look(root, items)
        now = clock.now()
        if seen.away is not None:
            self._put(number, plan.away(items))
            if facts.away is not None:
                facts.away = seen.away
                return None
            facts.away, facts.away_since = seen.away, _instant()
            _LOG.warning(
                "%s cannot be watched: %s; what is known of it stays, and each round looks again", root, seen.away
            )
            return f"{root}: {seen.away}"
        if facts.away is not None:
            _LOG.warning("%s is back, away since %s", root, facts.away_since)
            facts.away = facts.away_since = None
        for path, reason in sorted(seen.unlisted.items()):
            if path not in facts.unlisted:
                _LOG.warning("%s: %s", root / path, reason)
        facts.unlisted = seen.unlisted
        self._put(number, plan.observe(items, seen.found, seen.is_unlisted, now, self._options.settle_s))
        return None

    def _take(self, tally: Tally, done: WatchRound) -> None:
        self._queue.keep(phase=_phase(TAKING))
        try:
            with self._open_lake() as lake:
                for number, root in enumerate(self._folders):
                    taking = Taking(
                        root, self._items[number], partial(self._queue.put, number), tally,
                        every_s=self._options.every_s, jobs=self._options.jobs, message=self._options.message,
                        watcher=self._watcher,
                    )  # fmt: skip
                    taking.run(lake)
        except (SxeslakeError, OSError) as error:
            self._lake_error = error
            self._lake_attempts += 1
            wait_s = min(_LONGEST_LAKE_WAIT_S, plan.wait_s(self._lake_attempts, self._options.every_s))
            self._lake_again = clock.now() + wait_s
            done.error = str(error)
            since = self._queue.facts().get("lake_trouble") or {"since_at": _instant()}
            self._queue.keep(
                lake_trouble={"error": str(error), "since_at": since["since_at"], "attempts": self._lake_attempts}
            )
            if self._lake_attempts == 1:
                _LOG.warning("What is ready waits in the queue, for the lake takes nothing: %s", error)
            return
        if self._lake_attempts:
            _LOG.warning("the lake is back")
        self._lake_attempts, self._lake_again, self._lake_error = 0, 0.0, None
        if self._queue.facts().get("lake_trouble") is not None:
            self._queue.keep(lake_trouble=None)

    def _put(self, number: int, changed: dict[str, WatchedItem]) -> None:
        self._queue.put(number, changed)
        self._items[number].update(changed)

    def _read_again(self) -> None:
        """What is in memory follows what is on disk."""
        try:
            self._items = [self._queue.items(number) for number in range(len(self._folders))]
        except sqlite3.Error as error:
            _LOG.info("the queue cannot be read: %s", error)

    def _judged(self) -> list[str | None]:
        """What is known of the files that lie directly in each folder."""
        return [items[listing.LOOSE].reason if listing.LOOSE in items else None for items in self._items]


def watched_folders(paths: Iterable[str | Path], known: Callable[[list[Path]], bool]) -> list[Path]:
    """The folders to watch, absolute, sorted, each once.

    `known` tells whether these folders have been watched before: then one may be away. NotFoundError where one is not
    there; UsageError where one lies in another, or is no folder, or a lake.
    """
    folders = sorted({Path(os.path.abspath(path)) for path in paths})  # noqa: PTH100 - it may be away
    for inner in folders:
        outer = next((each for each in folders if each != inner and inner.is_relative_to(each)), None)
        if outer is not None:
            raise UsageError(
                f"this folder lies in {outer}, which is watched, too.", where=inner, hint="Name one of them."
            )
    for folder in folders:
        if folder.is_file():
            raise InputError(
                "this is a file, and folders are watched.", where=folder, hint="`sxeslake ingest` takes files."
            )
        if _is_lake(folder):
            raise InputError(
                "this folder is a lake.", where=folder, hint="Name the folder that instruments write into."
            )
        if not _is_there(folder) and not known(folders):
            raise NotFoundError(
                "there is no such folder.", where=folder,
                hint="Mount the share first. Once watched, a folder may go away and come back.",
            )  # fmt: skip
    return folders


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def _is_lake(folder: Path) -> bool:
    try:
        return (folder / keys.LAKE).is_file()
    except OSError:
        return False


def _phase(what: str, where: Path | None = None) -> dict[str, str | None]:
    return {"what": what, "where": None if where is None else os.fspath(where), "since_at": _instant()}


def _instant() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
