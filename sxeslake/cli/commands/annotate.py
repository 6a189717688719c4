"""`annotate`: what is known of a sample, an analysis or a position, beside the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import document
from sxeslake.cli.options import PATH, LakeCommand
from sxeslake.cli.words import count, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sxeslake.catalog.catalog import Annotated


@click.command(
    "annotate",
    cls=LakeCommand,
    example="sxeslake annotate steel role=standard material=SUS316\n"
    "sxeslake annotate map@2 --analysis 586f0b9a exposure_s=30\n"
    "sxeslake annotate --csv mounts.csv",
)
@click.argument("ref", metavar="[SAMPLE[@V]]", required=False, shell_complete=suggest.sample)
@click.argument("words", metavar="[KEY=VALUE]...", nargs=-1, shell_complete=suggest.annotation)
@click.option("--analysis", metavar="UUID", help="Say it of this analysis; the start of its UUID is enough.")
@click.option("--position", metavar="UUID", help="Say it of this position; the start of its UUID is enough.")
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=PATH,
    help="Take a table: sample, perhaps analysis and position, then a column a key.",
)
@click.option("-m", "--message", metavar="TEXT", help="A word on it, kept with the commit.")
@pass_app
def command(
    app: App,
    ref: str | None,
    words: tuple[str, ...],
    analysis: str | None,
    position: str | None,
    csv_file: str | None,
    message: str | None,
) -> None:
    """Say KEY=VALUE of a sample, a version of it, an analysis or a position.

    Without @V it holds for all versions. KEY= takes a key back. Who and when are kept; the archive is not touched.
    Usual keys are material, mount, coating, role=standard, proposal, exposure_s; any other will do.
    """
    if csv_file is not None and (ref or words or analysis or position):
        raise click.UsageError(
            "--csv cannot be combined with other arguments: the table names what each line is about."
        )
    if csv_file is None and (ref is None or not words):
        raise click.UsageError("name a SAMPLE and KEY=VALUE, or --csv FILE.")
    with app.open_lake() as lake:
        if csv_file is not None:
            done = lake.annotate_csv(csv_file, message=message)
        else:
            from sxeslake.catalog.remarks import parse_words  # noqa: PLC0415  (start-up time of --help)

            assert ref is not None
            values = parse_words(words)
            done = lake.annotate(ref, values, analysis=analysis, position=position, message=message)
    if app.as_json:
        app.emit(document(done, ("commit", "annotations")))
    else:
        _render(app, done)
    for note in done.notes:
        app.say(note)


def _render(app: App, done: Annotated) -> None:
    for said in done.annotations:
        app.print(_line(said))
    if done.commit is None:
        app.print("All of these annotations exist already.")
    elif len(done.annotations) > 1:
        app.print(count(len(done.annotations), "annotation"))


def _line(said: Mapping[str, object]) -> str:
    """`steel@1, analysis 586f0b9a-…: material = SUS316`."""
    place = shown(said["sample"]) + (f"@{said['version']}" if said["version"] else "")
    if said["uuid"]:
        place += f", {said['target']} {shown(said['uuid'])}"
    return f"{place}: {said['key']} " + ("taken back" if said["value"] is None else f"= {shown(said['value'])}")
