"""`interpret`: files of instruments that are stored as they are, made an archive of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import INTERPRET, document
from sxeslake.cli.options import DRY_RUN, LakeCommand
from sxeslake.cli.words import count, shown, size

if TYPE_CHECKING:
    from sxeslake.ingest.interpret.report import InterpretReport

_WARNINGS = 20


@click.command(
    "interpret",
    cls=LakeCommand,
    example='sxeslake interpret "session 12" --dry-run\nsxeslake interpret "session 12" --name "session 12 read"',
)
@click.argument("refs", nargs=-1, required=True, metavar="SAMPLE[@V]...", shell_complete=suggest.sample)
@click.option("--name", metavar="NEW", help="The new sample's name.  [default: SAMPLE-interpreted]")
@click.option(*DRY_RUN, is_flag=True, help="Read everything and say what would be added; change nothing.")
@click.option("-m", "--message", metavar="TEXT", help="Why, for the log.")
@pass_app
def command(app: App, refs: tuple[str, ...], name: str | None, dry_run: bool, message: str | None) -> int:
    """Read stored files of instruments, and make each tree an archive.

    For folders that came in as they are (`ingest --tree`). The files are read straight from the lake; the archive is
    a new sample that names the version it was made from. `sxeslake originals NEW` gives the tree back, and no file is
    stored a second time. Run again, nothing changes; a newer version of the tree gives the next version of NEW.

    Added are JSON documents, and arrays that the lake does not have as such: an array that is cut out of a file
    must be stored once as content of its own. Arrays that another archive of the same measurement holds
    are not stored again. The summary says how many of each.
    """

    def told(report: InterpretReport) -> None:
        _tell(app, report)

    with app.open_lake() as lake:
        reports = lake.interpret(refs, name=name, dry_run=dry_run, message=message, progress=app.progress(), told=told)
    if app.as_json:
        app.emit([document(report, (*INTERPRET, "exit_code")) for report in reports])
    return next((report.exit_code for report in reports if report.exit_code), 0)


def _tell(app: App, report: InterpretReport) -> None:
    """Some lines an archive: what was read, and what it adds."""
    tree = shown(f"{report.sample}@{report.version}")
    if report.status == "failed":
        app.complain(f"failed     {tree}: {shown(report.error)}")
        return
    for text in [*report.left_out, *report.warnings[:_WARNINGS]]:
        app.complain(f"warning    {shown(text)}")
    if (more := len(report.warnings) - _WARNINGS) > 0:
        app.complain(f"warning    {more:,} more; --json lists them")
    if app.as_json:
        return
    new = shown(f"{report.to_sample}@{report.to_version}")
    if report.status == "unchanged":
        app.print(f"unchanged  {tree}: it is {new} already")
        return
    word = "planned   " if report.status == "planned" else "read      "
    app.print(f"{word} {tree} as {new}: {shown(report.contents)}")
    arrays = f"{count(report.arrays_new, 'array')} ({size(report.bytes_arrays_new)})"
    documents = f"{count(report.json_new, 'JSON document')} ({size(report.bytes_json_new)})"
    app.print(f"added      {arrays}, {documents}; {size(report.bytes_stored)} in the lake")
