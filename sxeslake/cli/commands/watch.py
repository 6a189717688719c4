"""`watch`: archives and folders of instruments into the lake, as they are finished."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.commands.ingest import FAILED, IngestWatcher
from sxeslake.cli.logs import scrub
from sxeslake.cli.options import PATH, LakeCommand, jobs_option
from sxeslake.cli.recording import RecordedCommand, begin, notify
from sxeslake.cli.words import shown
from sxeslake.errors import UsageError
from sxeslake.machine.processes import keep_little

if TYPE_CHECKING:
    from sxeslake.ingest.report import ArchiveReport
    from sxeslake.lake import Lake
    from sxeslake.watching.rounds import Mode, WatchOptions
    from sxeslake.watching.taking import Tally

_INSIST_S: Final = 10.0
_END_S: Final = 20.0
"""A watcher that is asked to end finishes what is quick to finish: it runs without supervision."""

ROUND: Final = "watch-round"
"""Under this word rounds of a watcher are recorded; under `watch` the watcher itself, and a round of `--once`."""

INTERRUPTED: Final = 130
_TOLD_S: Final = 24 * 3600.0

_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


class Seconds(click.ParamType[float]):
    """`60s`, `2min`, `1h30m`, `0.5s` or `45` → seconds."""

    name = "time"

    def __init__(self, *, is_zero_allowed: bool) -> None:
        self._is_zero_allowed = is_zero_allowed

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from sxeslake.maintenance.retention.durations import parse_wait  # noqa: PLC0415  (`--help` does without it)

        text = str(value).strip()
        try:
            plain = text.removesuffix("s")
            seconds = float(plain) if _SECONDS.fullmatch(plain) else parse_wait(text).total_seconds()
        except UsageError:
            self.fail("write hours, minutes, seconds, such as 60s, 2min, 1h30m or 0.5s", param, ctx)
        if seconds == 0 and not self._is_zero_allowed:
            self.fail("must be longer than 0", param, ctx)
        return seconds


class _WatchCommand(RecordedCommand):
    """Its record begins once it is known that no other watcher is at work."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, without a record so far."""
        return LakeCommand.invoke(self, ctx)


@click.command(
    "watch",
    cls=_WatchCommand,
    example="sxeslake watch /mnt/epma-share --lake s3://epma/lake\n"
    "sxeslake watch /mnt/epma-share --once --settle 5min\n"
    "sxeslake watch --status",
)
@click.argument("folders", nargs=-1, metavar="FOLDER...", type=PATH)
@click.option(
    "--every", "every_s", type=Seconds(is_zero_allowed=False), default="60s", show_default=True, metavar="TIME",
    help="Look at the folders so often.",
)  # fmt: skip
@click.option(
    "--settle", "settle_s", type=Seconds(is_zero_allowed=True), default="120s", show_default=True, metavar="TIME",
    help="Take what has not changed for this time.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="One round, then end: for a systemd timer or the Task Scheduler.")
@click.option("--status", is_flag=True, help="Show how watchers are, and what waits or failed; watch nothing.")
@click.option("-m", "--message", metavar="TEXT", help="A comment, kept with every version.")
@jobs_option
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT",
    help="Serve /metrics for Prometheus on this port of --metrics-host; 0 takes any.",
)  # fmt: skip
@click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address for --metrics-port."
)
@pass_app
def command(
    app: App,
    folders: tuple[str, ...],
    every_s: float,
    settle_s: float,
    once: bool,
    status: bool,
    message: str | None,
    jobs: int | None,
    metrics_port: int | None,
    metrics_host: str,
) -> int:
    """Store archives and finished folders of instruments as they appear in FOLDER, until Ctrl-C or SIGTERM.

    Looks at the folders by listing them, which also works on network shares. A file is taken once its size and time
    of modification have not changed for --settle; a folder of an instrument, or an unpacked group, once nothing in it
    has. Names are those of `sxeslake ingest FOLDER`. Nothing in the folders is changed or deleted, and no file is
    opened before it is taken.

    What could not be taken (half copied, locked, damaged) is tried again when it changes, and after a while. A share
    that is away, or a lake that cannot be reached, is waited for. The queue lies in the state folder and survives
    whatever ends the process; one watcher at a time works on it, a second one ends with exit code 7.

    --status ends with 0 where all is well, 3 where no watcher runs or its last round is overdue, 4 where something
    failed or a folder is away, 6 where the lake cannot be reached.
    """
    if status:
        if once:
            raise click.UsageError("--status cannot be combined with --once.")
        return _show_status(app, folders)
    if not folders:
        raise click.UsageError("Missing argument 'FOLDER...'.")
    from sxeslake.watching.rounds import WatchOptions  # noqa: PLC0415  (start-up time of --help)

    metrics = None if metrics_port is None else (metrics_host, metrics_port)
    return _watch(app, folders, WatchOptions(every_s, settle_s, jobs, message), "once" if once else "watch", metrics)


class _Rounds:
    """Records of rounds that took something, or failed: of each its own, and all of them in that of the watcher."""

    def __init__(self, app: App, lake: str, mode: Mode) -> None:
        self._app, self._lake, self._mode = app, lake, mode
        self._told: dict[str, float] = {}

    @contextmanager
    def recorded(self) -> Iterator[_Rounds]:
        """One round."""
        if self._mode == "once":
            yield self
            return
        from sxeslake.runs.recording import Run  # noqa: PLC0415  (start-up time of --help)

        self._round = Run.begin(ROUND, self._lake, [scrub(each, self._app) for each in self._app.arguments])
        try:
            yield self
        except BaseException:  # asked to end: what is finished is kept
            self._round.end(INTERRUPTED)
            raise
        self._round.end(FAILED if self._round.record.failures else 0)
        self._notify()

    def add(self, *, bytes_read: int, bytes_written: int, archives: int, failures: Sequence[str]) -> None:
        """What it did."""
        clean = [scrub(each, self._app) for each in failures]
        for run in (self._app.run, None if self._mode == "once" else self._round):
            if run is not None:
                run.add(bytes_read=bytes_read, bytes_written=bytes_written, archives=archives, failures=clean)

    def _notify(self) -> None:
        """Report what failed; the same words once a day, however often it is tried."""
        record, now = self._round.record, time.monotonic()
        fresh = [each for each in record.messages if now - self._told.get(each, -_TOLD_S) >= _TOLD_S]
        if not fresh:
            return
        from sxeslake.runs.notify import run_failed  # noqa: PLC0415  (start-up time of --help)

        self._told = {each: at for each, at in self._told.items() if now - at < _TOLD_S} | dict.fromkeys(fresh, now)
        notify(self._app, run_failed(record))


class _WatchWords(IngestWatcher):
    """What became of archives, a line each; that one was read is a detail."""

    def done(self, archive: ArchiveReport, number: int, total: int, left_s: float | None) -> None:
        """Under -v as `ingest` says it."""
        if self._app.verbose:
            super().done(archive, number, total, left_s)

    def record(self, archives: Sequence[ArchiveReport]) -> None:
        """Rounds are recorded as a whole: see `_Rounds`."""


def _watch(app: App, paths: Sequence[str], options: WatchOptions, mode: Mode, metrics: tuple[str, int] | None) -> int:
    from sxeslake.cli.ending import asked_to_end  # noqa: PLC0415  (start-up time of --help, here and below)
    from sxeslake.cli.run import leave_interrupted  # noqa: PLC0415
    from sxeslake.settings import state_dir  # noqa: PLC0415
    from sxeslake.watching.gentle import be_gentle  # noqa: PLC0415
    from sxeslake.watching.in_words import span  # noqa: PLC0415
    from sxeslake.watching.lock import WatchLock  # noqa: PLC0415
    from sxeslake.watching.queue import LOCK, QUEUE, Queue, place_of  # noqa: PLC0415
    from sxeslake.watching.rounds import Watching, watched_folders  # noqa: PLC0415

    lake = _public_url(app)
    folders = watched_folders(paths, lambda named: (place_of(state_dir(), lake, named) / QUEUE).is_file())
    place = place_of(state_dir(), lake, folders)
    keep_little()
    with ExitStack() as held:
        asked = held.enter_context(
            asked_to_end(lambda: leave_interrupted(app), insist_s=_INSIST_S, end_s=_END_S)
        )  # fmt: skip
        lock = WatchLock.acquire(place / LOCK, "another process watches these folders for this lake.")
        held.callback(lock.close)
        begin(app, "watch", {})
        if metrics is not None:
            app.say(f"Metrics: {held.enter_context(_metrics(*metrics, lake))}")
        _try_lake(app)
        be_gentle()
        queue = held.enter_context(closing(Queue.open(place, lake, folders)))
        watcher = _WatchWords(app, asked.is_set, dry_run=False, results=not app.as_json)
        app.kept = lambda: "The queue keeps what is left; start the watcher again to continue."

        def wait(seconds: float) -> bool:
            return asked.wait(seconds)

        record = _Rounds(app, lake, mode).recorded
        watching = Watching(queue, folders, options, lambda: _opened(app), wait, watcher=watcher, record=record)
        if mode == "watch":
            names = ", ".join(str(folder) for folder in folders)
            app.say(f"Watching {shown(names)} every {span(options.every_s)}, settled after {span(options.settle_s)}.")
        try:
            watching.run(mode)
        except KeyboardInterrupt:
            if not asked.is_set() or mode == "once":
                raise
    return _end(app, place, mode, watching.total)


def _end(app: App, place: Path, mode: Mode, done: Tally) -> int:
    """Say how it is at the end."""
    from sxeslake.watching.status import status_of  # noqa: PLC0415

    found = status_of(place)
    if found is None:
        return 1
    if app.as_json:
        app.emit(_document([found]))
    elif mode == "once":
        counts = found["counts"]
        growing = f"; {counts['seen']:,} not settled yet" if counts["seen"] else ""
        app.print(f"{done.added:,} stored, {done.unchanged:,} unchanged, {counts['failed']:,} failed{growing}")
    else:
        app.say("Stopped. The queue keeps what is left; start the watcher again to continue.")
    if mode == "watch" or found["exit_code"] != FAILED:
        return 0
    if app.run is not None and not app.run.record.failures:  # what failed earlier, and whose time has not come
        left = [row for row in found["items"] if row["status"] == "failed"]
        app.run.add(failures=[scrub(f"{row['path']}: {row['reason']}", app) for row in left])
    return FAILED


def _public_url(app: App) -> str:
    """The lake's URL without secrets, by which a queue is told from others."""
    from sxeslake.storage.address import parse  # noqa: PLC0415

    return parse(app.resolve()[0]).public


@contextmanager
def _opened(app: App) -> Iterator[Lake]:
    """The lake, without the words that a command begins with."""
    with app.open_named(app.word) as lake:
        yield lake


def _metrics(host: str, port: int, lake: str) -> AbstractContextManager[str]:
    """Serves the metrics of this lake's runs, and of this process."""
    from sxeslake.runs.metrics import lake_names, serve_metrics  # noqa: PLC0415  (start-up time of --help)

    return serve_metrics(host, port, lake_names([lake]))


def _try_lake(app: App) -> None:
    """Open the lake once, so that a wrong address or key is said at once; storage that is away is waited for."""
    from sxeslake.errors import UnreachableError  # noqa: PLC0415

    try:
        app.open_lake(create_default=True).close()
    except UnreachableError as error:
        app.complain(f"sxeslake: {shown(error)} The watcher goes on, and tries again.")


def _show_status(app: App, paths: Sequence[str]) -> int:
    from sxeslake.errors import NotFoundError  # noqa: PLC0415
    from sxeslake.settings import state_dir  # noqa: PLC0415
    from sxeslake.watching.in_words import lines_of  # noqa: PLC0415
    from sxeslake.watching.queue import place_of, places  # noqa: PLC0415
    from sxeslake.watching.rounds import watched_folders  # noqa: PLC0415
    from sxeslake.watching.status import exit_code_of, status_of  # noqa: PLC0415

    found = [each for place in places(state_dir()) if (each := status_of(place)) is not None]
    if app.word is not None:
        lake = _public_url(app)
        found = [each for each in found if each["lake"] == lake]
    if paths:
        named = watched_folders(paths, lambda _: True)
        exact = [each for each in found if each["queue"] == str(place_of(state_dir(), each["lake"], named))]
        found = exact or [each for each in found if {str(path) for path in named} & set(_paths(each))]
    if not found:
        what = f"of {', '.join(map(str, paths))} " if paths else ""
        raise NotFoundError(f"there is no queue {what}on this machine.", hint="`sxeslake watch FOLDER` makes one.")
    if app.as_json:
        app.emit(_document(found))
    else:
        for number, each in enumerate(found):
            if number:
                app.print()
            for line in lines_of(each):
                app.print(line)
    return exit_code_of(found)


def _paths(found: Mapping[str, Any]) -> list[str]:
    return [folder["path"] for folder in found["folders"]]


def _document(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    from sxeslake.watching.status import exit_code_of  # noqa: PLC0415

    code = exit_code_of(found)
    return {"ok": code == 0, "exit_code": code, "watchers": list(found)}
