"""`hold`: keep versions from being forgotten."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import MARK, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import shown


@click.command("hold", cls=LakeCommand, example="sxeslake hold ti-grains@2")
@click.argument("refs", nargs=-1, required=True, metavar="SAMPLE[@V]...", shell_complete=suggest.sample)
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, refs: tuple[str, ...], message: str | None) -> None:
    """Keep versions from being forgotten: one, or all that a sample has now.

    `release` takes it back.
    """
    with app.open_lake() as lake:
        report = lake.hold(refs, message=message)
    if app.as_json:
        app.emit(document(report, MARK))
        return
    for name in report.marked:
        app.print(f"held   {shown(name)}")
    if not report.marked:
        app.say("All of them are held already.")
