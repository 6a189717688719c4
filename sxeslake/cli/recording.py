"""Commands that are run unattended: each run is recorded on this machine, whatever becomes of it."""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App
from sxeslake.cli.logs import scrub
from sxeslake.cli.options import LakeCommand
from sxeslake.errors import SxeslakeError


class RecordedCommand(LakeCommand):
    """A command whose runs are recorded. `tell` gives the record what the command's report says."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, with a record that `end` closes."""
        app = ctx.ensure_object(App)
        _begin(app, str(self.name), ctx.params)
        return super().invoke(ctx)


def tell(app: App, report: object) -> None:
    """Have the record of this run keep what a report says: bytes, archives, failures."""
    if app.run is None:
        return
    from sxeslake.runs.figures import figures_of  # noqa: PLC0415  (only recorded commands need it)

    found = figures_of(report)
    if not found.complete:
        app.run.is_partial()
    written = {} if app.run.record.dry_run else {
        "bytes_written": found.bytes_written, "bytes_freed": found.bytes_freed, "archives": found.archives,
    }  # fmt: skip
    app.run.add(bytes_read=found.bytes_read, failures=[scrub(each, app) for each in found.failures], **written)


def end(app: App, exit_code: int) -> None:
    """Close the record of this run, if it has one; of several threads the first does it."""
    run = app.run
    if run is None:
        return
    from sxeslake.runs.recording import result_of  # noqa: PLC0415  (as above)

    # Nothing is wrong with a check that ends when its time is up.
    is_cut = exit_code == _TIME_IS_UP and not run.record.complete and not run.record.failures
    run.end(exit_code, "ok" if is_cut else result_of(exit_code), app.failure)


_TIME_IS_UP = 4


def _begin(app: App, command: str, params: dict[str, Any]) -> None:
    from sxeslake.runs.recording import Run  # noqa: PLC0415  (as above)

    arguments = [scrub(each, app) for each in app.arguments]
    source, target = params.get("source", app.word), params.get("target")
    app.run = Run.begin(
        command,
        _url(source),
        arguments,
        target=None if target is None else _url(target),
        complete=not params.get("refs"),
        dry_run=bool(params.get("dry_run")),
    )


def _url(word: str | None) -> str:
    """The URL that a word means; the word where it means none: the command says what is wrong with it."""
    from sxeslake.settings import resolve_lake  # noqa: PLC0415  (start-up time of --help)

    try:
        return resolve_lake(word)[0]
    except SxeslakeError:
        return word or ""
