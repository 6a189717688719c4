"""Commands that are run unattended: each run is recorded on this machine, whatever becomes of it."""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App
from sxeslake.cli.ending import uninterrupted
from sxeslake.cli.logs import scrub
from sxeslake.cli.options import LakeCommand
from sxeslake.errors import SxeslakeError, UsageError


class RecordedCommand(LakeCommand):
    """A command whose runs are recorded. `tell` gives the record what the command's report says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [notify_option(), _metrics_option()]

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, with a record that `end` closes."""
        app = ctx.ensure_object(App)
        try:
            app.choose_lakes(several=self.takes_several, command=str(self.name))
        except click.UsageError:  # several lakes; a record is of one
            raise
        except SxeslakeError:  # a name that is not known, settings that cannot be read: a timer must hear of it
            begin(app, str(self.name), ctx.params)
            raise
        begin(app, str(self.name), ctx.params)
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
    with uninterrupted():
        has_ended = run.end(exit_code, "ok" if is_cut else result_of(exit_code), app.failure)
    if has_ended and run.record.result == "failed":
        from sxeslake.runs.notify import run_failed  # noqa: PLC0415  (as above)

        notify(app, run_failed(run.record))


def notify(app: App, document: dict[str, Any]) -> None:
    """Send a notice where one is wanted; where it does not arrive, a warning says so."""
    from sxeslake.runs.notify import send  # noqa: PLC0415  (as above)
    from sxeslake.settings import notify_to  # noqa: PLC0415  (start-up time of --help)

    try:
        where = notify_to(app.notify)
        why = None if where is None else send(where, document)
    except SxeslakeError as error:  # the configuration cannot be read
        why = str(error)
    except KeyboardInterrupt:  # the work is over, and its exit code stands
        why = "interrupted"
    if why is not None:
        app.complain(f"warning    the failure was not reported: {scrub(why, app)}")


def notify_option() -> click.Option:
    """`--notify URL|COMMAND`."""
    return click.Option(
        ["--notify"],
        metavar="URL|COMMAND",
        expose_value=False,
        callback=_keep_notify,
        help="Where to report a failure, as JSON: POST to a URL, or the standard input of a command.  "
        "[default: $SXESLAKE_NOTIFY, else that of `sxeslake use --notify`]",
    )


def _metrics_option() -> click.Option:
    return click.Option(
        ["--metrics-file"],
        metavar="FILE.prom",
        expose_value=False,
        callback=_keep_metrics_file,
        help="Write the figures of this run for node_exporter's textfile collector; several commands may share a file.",
    )


def _keep_notify(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from sxeslake.runs.notify import check  # noqa: PLC0415  (start-up time of --help)

    try:
        ctx.ensure_object(App).notify = check(value)
    except UsageError as error:
        raise click.BadParameter(error.what, ctx, param) from error


def _keep_metrics_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if not value.strip() or "\0" in value:
        raise click.BadParameter("name a file, such as /var/lib/node_exporter/sxeslake.prom", ctx, param)
    ctx.ensure_object(App).metrics_file = value


_TIME_IS_UP = 4


def begin(app: App, command: str, params: dict[str, Any]) -> None:
    """Begin the record of a run; `end` closes it."""
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
        metrics_file=app.metrics_file,
        run_id=app.run_id,
    )
    if app.metrics_file is not None and not app.metrics_file.endswith(".prom"):
        app.complain("warning    node_exporter reads only files whose names end in .prom.")


def _url(word: str | None) -> str:
    """The URL that a word means; the word where it means none: the command says what is wrong with it."""
    from sxeslake.settings import resolve_lake  # noqa: PLC0415  (start-up time of --help)

    try:
        return resolve_lake(word)[0]
    except SxeslakeError:
        return word or ""
