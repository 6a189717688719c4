"""`forget`: forget versions, by name or by rule."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import FORGET, document
from sxeslake.cli.options import DRY_RUN, LakeCommand
from sxeslake.cli.words import count, local_time, shown, size, table
from sxeslake.errors import UsageError

if TYPE_CHECKING:
    from sxeslake.maintenance.retention.forget import Judged  # a type only: `--help` must not wait for it

DOUBTFUL = 7
"""The exit code where versions stay because the clocks of clients and bucket disagree."""


@click.command("forget", cls=LakeCommand, example='sxeslake forget "maps/*" --keep-last 2 --keep-within 2y --dry-run')
@click.argument("refs", nargs=-1, required=True, metavar="SAMPLE[@V]...", shell_complete=suggest.sample)
@click.option("--keep-last", type=click.IntRange(min=1), metavar="N", help="Keep the last N versions of each sample.")
@click.option(
    "--keep-within",
    metavar="SPAN",
    help="Keep versions stored within 2y, 6mo, 30d … of the sample's newest. Of several rules, each keeps.",
)
@click.option(*DRY_RUN, is_flag=True, help="Show what would be forgotten; change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask where a pattern takes every version.")
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(
    app: App,
    refs: tuple[str, ...],
    keep_last: int | None,
    keep_within: str | None,
    dry_run: bool,
    yes: bool,
    message: str | None,
) -> int:
    """Forget versions: one, all of a sample, or those that no rule keeps.

    What goes is listed first. `restore` brings it back until `gc` frees the room: a week later at the earliest, or at
    once with `gc --grace 0`. Held and tagged versions refuse to be forgotten; rules keep them.

    A pattern that takes every version of the lake, such as "*", needs a confirmation on a terminal, and --yes
    elsewhere. What is named in full needs none.
    """
    with app.open_lake() as lake:
        report = lake.forget(refs, keep_last=keep_last, keep_within=keep_within, dry_run=True)
        if not app.as_json:
            _list(app, report.forgotten, report.kept)
        if report.forgotten and not dry_run:
            by_pattern = any(lake.is_pattern(ref) for ref in refs)
            without_rule = keep_last is None and keep_within is None
            addressed = len(report.forgotten) + (len(report.kept) if without_rule else 0)
            if by_pattern and not yes and addressed == len(lake.ls(all_versions=True)):
                _confirm(app, len(report.forgotten))
            # Exactly what was listed: a version that somebody added or marked meanwhile does not go unseen.
            listed = [f"{row.sample}@{row.version}" for row in report.forgotten]
            done = lake.forget(listed, message=message)
            report.commit, report.forgotten = done.commit, done.forgotten
        report.dry_run = dry_run
    if app.as_json:
        told = document(report, FORGET)
        app.emit(told if report.doubtful else {key: value for key, value in told.items() if key != "doubtful"})
        return DOUBTFUL if report.doubtful else 0
    what = count(len(report.forgotten), "version")
    if not report.forgotten:
        app.print("Nothing to forget.")
    elif dry_run:
        app.print(f"{what} would be forgotten.")
    else:
        them = "it" if len(report.forgotten) == 1 else "them"
        app.print(
            f"{what} forgotten in commit {report.commit}; `sxeslake restore` brings {them} back. "
            "`sxeslake gc` frees the room, seven days from now at the earliest; `gc --grace 0` at once."
        )
    for line in report.doubtful:
        app.complain(f"A clock is wrong: {shown(line)}.")
    if report.doubtful:
        app.complain("Nothing is forgotten on the word of one clock. If these are to go, forget them by name.")
    return DOUBTFUL if report.doubtful else 0


def _confirm(app: App, versions: int) -> None:
    """Ask before a pattern forgets everything; UsageError where nobody can answer."""
    everything = f"this pattern takes everything that the lake holds, {count(versions, 'version')}"
    if app.as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{everything}; nothing was forgotten.", hint="Add --yes if that is meant.")
    if not click.confirm(f"{everything[0].upper()}{everything[1:]}. Go on?", default=False, err=True):
        raise UsageError("nothing was forgotten.")


def _list(app: App, going: list[Judged], kept: list[Judged]) -> None:
    rows = [("forget", row, "") for row in going] + [("keep", row, row.kept_because) for row in kept]
    cells = [
        (word, f"{row.sample}@{row.version}", local_time(row.ingested_at), size(row.bytes_source), why)
        for word, row, why in rows
    ]
    if cells:
        for line in table(("", "version", "stored at", "archive", "because"), cells):
            app.print(line)
