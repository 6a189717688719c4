"""A progress bar on stderr, for a person who watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sxeslake.cli.words import shown


class Bar:
    """`model.Progress` by rich: a bar a task, gone when the task ends."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # lines of the result step beside the bar by `aside`
        )
        self._task: TaskID | None = None

    def start(self, task: str, total_bytes: int | None) -> None:
        """Begin a task, `ingest map.plzip`."""
        self.resume(task, total_bytes, 0)

    def resume(self, task: str, total_bytes: int | None, done_bytes: int) -> None:
        """Begin a task that is partly done."""
        self.finish()
        self._task = self._progress.add_task(shown(task), total=total_bytes, completed=done_bytes)
        self._progress.start()

    def describe(self, task: str) -> None:
        """Say what of a long task is in work, `ingest, 3 of 412`."""
        if self._task is not None:
            self._progress.update(self._task, description=shown(task))

    def advance(self, done_bytes: int) -> None:
        """So many more bytes are done."""
        if self._task is not None:
            self._progress.advance(self._task, done_bytes)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while a line is printed; it comes back below."""
        if self._task is None:
            yield
            return
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def finish(self) -> None:
        """End the task and give the line back to the terminal."""
        if self._task is not None:
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None
