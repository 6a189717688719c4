"""`repack`: what the lake holds, compressed again by another preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import REPACK, document
from sxeslake.cli.options import DRY_RUN
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, percent, shown, size

if TYPE_CHECKING:
    from sxeslake.maintenance.repack.run import RepackReport

DAMAGED = 5
"""The exit code where damage was met; what is whole was repacked."""


@click.command(
    "repack", cls=RecordedCommand, example="sxeslake repack --dry-run\nsxeslake repack --preset small --for 6h"
)
@click.option(
    "--preset",
    type=click.Choice(["balanced", "small"]),
    default="small",
    show_default=True,
    help="How much time compression may take, as of `ingest`.",
)
@click.option("--for", "span", metavar="SPAN", help="Begin nothing new after SPAN (30m, 6h); the next repack goes on.")
@click.option(*DRY_RUN, is_flag=True, help="Estimate from some frames of each pack what it would save; change nothing.")
@click.option("-m", "--message", metavar="TEXT", help="Why, for the log.")
@pass_app
def command(
    app: App, preset: Literal["balanced", "small"], span: str | None, dry_run: bool, message: str | None
) -> int:
    """Compress what the lake holds again, in fewer bytes: what came in by `ingest --preset fast`, for idle nights.

    Every blob stays as it is and is proved by its hash; every new frame is decoded and compared. New packs are
    committed in place of the old ones, some at a time; `gc` deletes the old ones, after its grace. Others may read and
    write meanwhile. Packs that are done, or would save less than 0.1 %, are skipped: run again, it goes on where it
    was interrupted. Until `gc` has run, the lake takes more room than before.
    """
    if dry_run:
        app.kept = lambda: "Nothing was changed."
    else:
        app.kept = lambda: "The lake is whole; run the same command again to continue."
    with app.open_lake() as lake:
        report = lake.repack(preset, limit=span, dry_run=dry_run, message=message, progress=app.progress())
    tell(app, report)
    if app.as_json:
        app.emit(document(report, REPACK))
    else:
        _tell(app, report)
    return DAMAGED if report.damaged else 0


def _tell(app: App, report: RepackReport) -> None:
    """`12 of 40 packs repacked: 384 MB became 361 MB (94 %)`."""
    before, after = report.bytes_before, report.bytes_after
    verb, took = ("would be repacked", "would become about") if report.dry_run else ("repacked", "became")
    sizes = f": {size(before)} {took} {size(after)} ({percent(after, before)})" if report.packs_rewritten else ""
    app.print(f"{report.packs_rewritten:,} of {count(report.packs, 'pack')} {verb}{sizes}")
    if report.packs_done:
        app.say(f"{count(report.packs_done, 'pack')} skipped: encoded with as much effort, or with nothing to save.")
    if report.packs_left:
        app.say(f"Time is up: {count(report.packs_left, 'pack')} left. Run the same command again to continue.")
    if report.packs_rewritten and not report.dry_run:
        app.say("The old packs are condemned; `sxeslake gc` deletes them.")
    for line in report.damaged:
        app.complain(f"damaged    {shown(line)}")
    if report.damaged:
        app.complain("Damaged packs were left as they are. Run `sxeslake repair`.")
