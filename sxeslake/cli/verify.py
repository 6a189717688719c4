"""`verify`: is all there, and right?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import CHECKED, PROBLEM, VERIFY, document
from sxeslake.cli.options import LakeCommand, jobs_option
from sxeslake.cli.words import count, shown, size

if TYPE_CHECKING:
    from sxeslake.upkeep.report import VerifyReport

DAMAGED = 5

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.ASCII)


class Duration(click.ParamType[float]):
    """`10m`, `1h30m`, `45s` or `45` → seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _DURATION.fullmatch(str(value))
        if not str(value) or match is None:
            self.fail("write days, hours, minutes, seconds, such as 10m, 1h30m or 45s", param, ctx)
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60.0 + seconds


@click.command(
    "verify",
    cls=LakeCommand,
    example="sxeslake verify --data\nsxeslake verify --data --max-duration 2h --resume\n"
    "sxeslake verify --sample-percent 5",
)
@click.option("--data", is_flag=True, help="Read and hash every stored byte, not the structure only.")
@click.option(
    "--sample-percent",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="N",
    help="Read a sample of the stored frames, so many percent of each pack.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Which sample.  [default: another each time]")
@click.option("--max-duration", type=Duration(), metavar="TIME", help="Begin no more packs after 10m, 2h, …")
@click.option("--resume", is_flag=True, help="Pass over packs that an interrupted --data run has found right.")
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

    The exit code is 5 where something is damaged; the archives that need it are named. `sxeslake repair` mends it.
    """
    if data and sample_percent is not None:
        raise click.UsageError("--data reads everything; --sample-percent a part of it.")
    if (resume or max_duration is not None) and not data:
        raise click.UsageError("--resume and --max-duration are for --data.")
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
    for note in report.notes:
        app.say(f"note: {note}.")
    if app.as_json:
        checked = document(report.checked, CHECKED)
        problems = [document(problem, PROBLEM) for problem in report.problems]
        app.emit(document(report, VERIFY) | {"checked": checked, "problems": problems})
    else:
        _render(app, report, reads=data or sample_percent is not None)
    return 0 if report.ok else DAMAGED


def _render(app: App, report: VerifyReport, *, reads: bool) -> None:
    for problem in report.problems:
        affects = f" Needed by: {', '.join(map(shown, problem.affects))}." if problem.affects else ""
        app.complain(f"{problem.kind}: {shown(problem.object)}: {shown(problem.detail).rstrip('.')}.{affects}")
    checked = report.checked
    extent = f"{size(checked.bytes)} read" if reads else "structure only; --data reads every byte"
    if report.seed is not None:
        extent += f", a sample: --seed {report.seed} takes it again"
    found = "All is well" if report.ok else count(len(report.problems), "problem")
    app.print(f"{found}: {count(checked.log_entries, 'commit')} checked ({extent})")
    if report.passed_over:
        app.print(f"{count(report.passed_over, 'pack')} passed over: found right before")
    if not report.complete:
        app.print("The time was up; --resume goes on from here.")
    if not report.ok:
        app.say(
            "`sxeslake repair --from PATH` mends what it can, with an archive, folder or lake that has the content."
        )
    if app.verbose:
        app.print(f"{checked.manifests:,} manifests, {checked.packs:,} packs, {checked.blobs:,} blobs")
