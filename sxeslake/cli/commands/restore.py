"""`restore`: bring back what was forgotten."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import RESTORE, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import shown


@click.command("restore", cls=LakeCommand, example="sxeslake restore ti-grains@2")
@click.argument("refs", nargs=-1, required=True, metavar="SAMPLE[@V]...", shell_complete=suggest.forgotten_sample)
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, refs: tuple[str, ...], message: str | None) -> None:
    """Bring back forgotten versions: one, or all of a sample. Possible until `gc` has collected them.

    What `gc` has collected is gone for good, even where other versions hold the same files: `pull` those, or `ingest`
    the file again.
    """
    with app.open_lake() as lake:
        report = lake.restore(refs, message=message)
    if app.as_json:
        app.emit(document(report, RESTORE))
        return
    for row in report.restored:
        app.print(f"restored   {shown(row.sample)}@{row.version}")
    for warning in report.warnings:
        app.complain(f"{shown(warning)}")
