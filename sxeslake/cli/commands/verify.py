"""`verify`: is all there, and right?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import CHECKED, PROBLEM, VERIFY, document
from sxeslake.cli.options import jobs_option
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, shown, size
from sxeslake.errors import UsageError

if TYPE_CHECKING:
    from sxeslake.maintenance.report import VerifyReport

DAMAGED = 5
NOT_ALL = 4
"""The exit code where nothing wrong was found, and not everything that was asked for was read."""


class Duration(click.ParamType[float]):
    """`10m`, `1h30m`, `45s` or `45` → seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from sxeslake.maintenance.retention.durations import parse_wait  # noqa: PLC0415  (`--help` does without it)

        text = str(value)
        try:
            return parse_wait(f"{text}s" if text[-1:].isdigit() else text).total_seconds()
        except UsageError:
            self.fail("write days, hours, minutes, seconds, such as 10m, 1h30m or 45s", param, ctx)


@click.command(
    "verify",
    cls=RecordedCommand,
    example="sxeslake verify --data\nsxeslake verify --data --max-duration 2h --resume\n"
    "sxeslake verify --sample-percent 5",
)
@click.option("--data", is_flag=True, help="Read and hash every stored byte, not the structure only.")
@click.option(
    "--sample-percent",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="N",
    help="Read a random sample of the stored frames: N percent of each pack.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Which sample.  [default: another each time]")
@click.option("--max-duration", type=Duration(), metavar="TIME", help="Stop reading packs after 10m, 2h, …")
@click.option("--resume", is_flag=True, help="Skip packs that an interrupted --data run has verified.")
@jobs_option
@pass_app
def command(
    app: App,
    data: bool,
    sample_percent: float | None,
    seed: int | None,
    max_duration: float | None,
    resume: bool,
    jobs: int | None,
) -> int:
    """Check the lake: the log, the archives' tables, and with --data every byte.

    The exit code is 5 where something is damaged; the archives that need it are named: run `sxeslake repair`.
    It is 4 where --max-duration ended the run before everything was read; --resume continues it.
    """
    if data and sample_percent is not None:
        raise click.UsageError("--data reads everything; --sample-percent a part of it.")
    if (resume or max_duration is not None) and not data:
        raise click.UsageError("--resume and --max-duration are for --data.")
    again = "run the same command with --resume to continue" if data else "run the same command again"
    app.kept = lambda: f"The lake is unchanged; {again}."
    with app.open_lake(tolerant=True) as lake:
        report = lake.verify(
            data=data,
            sample_percent=sample_percent,
            seed=seed,
            max_duration_s=max_duration,
            resume=resume,
            jobs=jobs,
            progress=app.progress(),
        )
    tell(app, report)
    for note in report.notes:
        app.say(f"note: {note}.")
    if app.as_json:
        checked = document(report.checked, CHECKED)
        problems = [document(problem, PROBLEM) for problem in report.problems]
        app.emit(document(report, VERIFY) | {"checked": checked, "problems": problems})
    else:
        _render(app, report, reads=data or sample_percent is not None)
    if report.problems:
        return DAMAGED
    return 0 if report.complete else NOT_ALL


def _render(app: App, report: VerifyReport, *, reads: bool) -> None:
    for problem in report.problems:
        affects = f" Needed by: {', '.join(map(shown, problem.affects))}." if problem.affects else ""
        app.complain(f"{problem.kind}: {shown(problem.object)}: {shown(problem.detail).rstrip('.')}.{affects}")
    found = count(len(report.problems), "problem") + " found" if report.problems else "No problems found"
    if not report.complete:
        found = f"Incomplete: {found[0].lower()}{found[1:]} so far"
    app.print(f"{found}: {_extent(report, reads=reads)}")
    if report.passed_over:
        app.print(f"{count(report.passed_over, 'pack')} skipped: verified by the interrupted run")
    if not report.complete:
        app.print(f"Time limit reached; {count(report.packs_unread, 'pack')} not read. Continue with --data --resume.")
    if report.problems:
        app.say(
            "`sxeslake repair --from PATH` restores what it can, with an archive, folder or lake that has the content."
        )
    if app.verbose:
        checked = report.checked
        app.print(f"{checked.manifests:,} manifests, {checked.packs:,} packs, {checked.blobs:,} blobs")


def _extent(report: VerifyReport, *, reads: bool) -> str:
    """`1 commit, 3 packs, 119 MB checked`: of packs, those whose data was read, or whose structure was looked at."""
    checked = report.checked
    commits = count(checked.log_entries, "commit")
    if not reads:
        return f"{commits}, {count(checked.packs, 'pack')} checked (structure only; --data reads every byte)"
    packs = count(report.packs_read, "pack")
    if report.packs_read < checked.packs:
        packs = f"{report.packs_read:,} of {count(checked.packs, 'pack')}"
    sample = f" (a sample; --seed {report.seed} repeats it)" if report.seed is not None else ""
    return f"{commits}, {packs}, {size(checked.bytes)} checked{sample}"
