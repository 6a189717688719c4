"""`release`: take back a hold."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import MARK, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import shown


@click.command("release", cls=LakeCommand, example="sxeslake release ti-grains@2")
@click.argument("refs", nargs=-1, required=True, metavar="SAMPLE[@V]...", shell_complete=suggest.sample)
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, refs: tuple[str, ...], message: str | None) -> None:
    """Remove a hold: the versions can be forgotten again."""
    with app.open_lake() as lake:
        report = lake.release(refs, message=message)
    if app.as_json:
        app.emit(document(report, MARK))
        return
    for name in report.marked:
        app.print(f"released   {shown(name)}")
    if not report.marked:
        app.say("None of them is held.")
