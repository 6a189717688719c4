"""`tidy`: join samples that are copies of one another."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import TIDY, document
from sxeslake.cli.options import DRY_RUN, LakeCommand
from sxeslake.cli.words import count, shown


@click.command("tidy", cls=LakeCommand, example="sxeslake tidy --dry-run")
@click.option(*DRY_RUN, is_flag=True, help="List what would be joined; change nothing.")
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, dry_run: bool, message: str | None) -> None:
    """Join samples that hold the same files, such as those ingested through several folders.

    The copies are forgotten, and their paths kept with the sample that stays. `restore` brings them back until `gc`
    frees the room. Samples with tags, holds or annotations stay, and are listed.
    """
    with app.open_lake() as lake:
        report = lake.tidy(dry_run=dry_run, message=message)
    if app.as_json:
        app.emit(document(report, TIDY))
        return
    verb = "would join" if dry_run else "joined    "
    for row in report.joined:
        app.print(f"{verb} {shown(row.sample)} into {shown(row.into)}, {count(len(row.versions), 'version')}")
    for row in report.kept:
        app.print(f"kept       {shown(row.sample)}, a copy of {shown(row.into)}: {shown(row.kept_because)}")
    if not report.joined and not report.kept:
        app.say("No sample is a copy of another.")
