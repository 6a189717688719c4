"""Keep a record of a run while it goes on: written at its start, once a minute, and at its end.

    with recorded("verify", lake.url, argv) as run:
        run.add(bytes_read=4096)
        run.fail("packs/ab/cd.pack: damaged")

The work never fails for its record: where the state folder cannot be written, a warning says so, once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sxeslake.errors import SxeslakeError
from sxeslake.runs import folder as runs_folder
from sxeslake.runs.arguments import without_secrets
from sxeslake.runs.names import instant, new_id
from sxeslake.runs.record import RunRecord, RunResult
from sxeslake.storage.address import parse, redact
from sxeslake.storage.retry import retries_so_far
from sxeslake.version import __version__

_LOG = logging.getLogger(__name__)

BEAT_S: Final = 60.0
"""How often the record of a run is written anew while it lasts."""

INTERRUPTED: Final = 130


class Run:
    """A run that is under way, from `Run.begin` to `end`. Safe to be told from several threads."""

    def __init__(self, record: RunRecord, folder: Path, *, beat_s: float = BEAT_S) -> None:
        self.record = record
        self._folder, self._beat_s = folder, beat_s
        self._metrics_file = None if record.metrics_file is None else Path(record.metrics_file)
        self._lock = threading.RLock()
        self._started, self._retries_before = time.monotonic(), retries_so_far()
        self._over = threading.Event()
        self._has_warned: set[str] = set()

    @classmethod
    def begin(
        cls,
        command: str,
        lake: str,
        arguments: Iterable[str] = (),
        *,
        target: str | None = None,
        complete: bool = True,
        dry_run: bool = False,
        metrics_file: str | None = None,
        run_id: str | None = None,
        folder: Path | None = None,
        beat_s: float = BEAT_S,
    ) -> Run:
        """Start a run, and write its record for the first time; its metrics, too, where a file is named for them.

        Raises MissingExtraError where the extra `metrics` is not installed and a file is named.
        """
        now = instant()
        record = RunRecord(
            id=run_id or new_id(), command=command, arguments=without_secrets(arguments), lake=public(lake),
            target=None if target is None else public(target), host=socket.gethostname(), pid=os.getpid(),
            sxeslake_version=__version__, started_at=now, updated_at=now, complete=complete, dry_run=dry_run,
            metrics_file=None if metrics_file is None else str(Path(metrics_file).absolute()),
        )  # fmt: skip
        if metrics_file is not None:
            from sxeslake.runs.metrics import check_extra  # noqa: PLC0415 - needs the extra

            check_extra()
        run = cls(record, runs_folder.runs_dir() if folder is None else folder, beat_s=beat_s)
        run.save()
        threading.Thread(target=run._beat, name="run record", daemon=True).start()
        return run

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    def add(
        self,
        *,
        bytes_read: int = 0,
        bytes_written: int = 0,
        bytes_freed: int = 0,
        archives: int = 0,
        failures: Sequence[str] = (),
    ) -> None:
        """Count what was done since the last call; `failures` are messages without secrets."""
        with self._lock:
            self.record.bytes_read += bytes_read
            self.record.bytes_written += bytes_written
            self.record.bytes_freed += bytes_freed
            self.record.archives += archives
            for message in failures:
                self.record.fail(message)

    def fail(self, message: str) -> None:
        """Count a failure: an archive, a problem."""
        self.add(failures=(message,))

    def is_partial(self) -> None:
        """Say that this run does a part only of what its command is for: it is no full success."""
        with self._lock:
            self.record.complete = False

    def end(self, exit_code: int, result: RunResult | None = None, message: str | None = None) -> bool:
        """Write the end, once; False where it has ended before. `message` is the error that ended it."""
        with self._lock:
            if self._over.is_set():
                return False
            self._over.set()
            if message is not None:
                self.record.fail(message)
            self.record.exit_code, self.record.ended_at = exit_code, instant()
            self.record.result = result or result_of(exit_code)
            self._write()
            runs_folder.prune(self._folder, self.record)
            return True

    def save(self) -> None:
        """Write the record as it is now; nothing once the run is over."""
        with self._lock:
            if not self._over.is_set():
                self._write()

    def _write(self) -> None:
        self.record.updated_at = instant()
        self.record.duration_s = round(time.monotonic() - self._started, 3)
        self.record.retries = retries_so_far() - self._retries_before
        try:
            runs_folder.write(self._folder, self.record)
        except OSError as error:
            self._warn("this run is not recorded", f"{error.filename or self._folder}: {error.strerror}")
        if self._metrics_file is not None:
            from sxeslake.runs.metrics import write_file  # noqa: PLC0415 - needs an extra

            try:
                write_file(self._metrics_file, self.record, self._folder)
            except SxeslakeError as error:
                self._warn("the metrics are not written", str(error))

    def _warn(self, what: str, why: str) -> None:
        """Once a run: the work goes on."""
        if what not in self._has_warned:
            _LOG.warning("%s: %s", what, why)
        self._has_warned.add(what)

    def _beat(self) -> None:
        while not self._over.wait(self._beat_s):
            self.save()


@contextmanager
def recorded(
    command: str,
    lake: str,
    arguments: Iterable[str] = (),
    *,
    target: str | None = None,
    dry_run: bool = False,
    metrics_file: str | None = None,
    folder: Path | None = None,
    after: Callable[[RunRecord], object] | None = None,
) -> Iterator[Run]:
    """A run that ends with the block, by what leaves it; `after` gets the record of its end."""
    run = Run.begin(
        command, lake, arguments, target=target, dry_run=dry_run, metrics_file=metrics_file, folder=folder
    )  # fmt: skip
    try:
        yield run
    except (KeyboardInterrupt, SystemExit) as leaving:
        run.end(leaving.code if isinstance(leaving, SystemExit) and isinstance(leaving.code, int) else INTERRUPTED)
        raise
    except BaseException as error:
        code = error.exit_code if isinstance(error, SxeslakeError) else 1
        run.end(code, "failed", f"{type(error).__name__}: {error}")
        raise
    else:
        # An error that was met and counted, and did not end the work, is a failure all the same.
        run.end(0 if not run.record.failures else 1)
    finally:
        if after is not None:
            after(run.record)


def result_of(exit_code: int) -> RunResult:
    """What an exit code says: 0 is `ok`, 130 `interrupted`, anything else `failed`."""
    return "ok" if exit_code == 0 else "interrupted" if exit_code == INTERRUPTED else "failed"


def public(lake: str) -> str:
    """A lake's URL as people see it, without its secrets; a word that is no URL as it is."""
    with suppress(SxeslakeError):
        return parse(lake).public
    return redact(lake)
