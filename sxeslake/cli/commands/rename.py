"""`rename`: give a sample another name."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import RENAME, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, shown


@click.command("rename", cls=LakeCommand, example="sxeslake rename 'facility/map copy' ti-grains")
@click.argument("sample", metavar="SAMPLE", shell_complete=suggest.sample_name)
@click.argument("new", metavar="NEW")
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, sample: str, new: str, message: str | None) -> None:
    """Give a sample another name; its versions, tags, holds, annotations and paths go with it.

    No data moves. A name that another sample has, or had, is refused.
    """
    with app.open_lake() as lake:
        report = lake.rename(sample, new, message=message)
    if app.as_json:
        app.emit(document(report, RENAME))
        return
    app.print(f"renamed    {shown(report.sample)} to {shown(report.to)}, {count(len(report.versions), 'version')}")
