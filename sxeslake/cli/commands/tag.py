"""`tag`: name a version."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import MARK, document
from sxeslake.cli.options import LakeCommand, sample_argument
from sxeslake.cli.words import shown


@click.command(
    "tag", cls=LakeCommand, example="sxeslake tag ti-grains@2 paper-2026\nsxeslake pull ti-grains@paper-2026"
)
@sample_argument
@click.argument("tag", shell_complete=suggest.tag)
@click.option("--remove", is_flag=True, help="Take the tag away; the version stays.")
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, ref: str, tag: str, remove: bool, message: str | None) -> None:
    """Give a version a name of its own, such as paper-2026; a tagged version refuses to be forgotten.

    TAG is a word, not a number. Within a sample it names one version.
    """
    with app.open_lake() as lake:
        report = lake.tag(ref, tag, remove=remove, message=message)
    if app.as_json:
        app.emit(document(report, MARK))
        return
    for name in report.marked:
        app.print(f"{'untagged' if remove else 'tagged'}   {shown(name)}   {shown(tag)}")
    if not report.marked:
        app.say("It has this tag already.")
