"""`migrate`: older archives in the newest form of the format, as new versions or new files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import MIGRATE, MIGRATED, document
from sxeslake.cli.options import DRY_RUN, OUT, PATH, LakeCommand
from sxeslake.cli.words import count, kept_of_output, shown, size, table
from sxeslake.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sxeslake.archive.migration.report import MigrationReport

_FOLDER_MARKS = ("/", "\\", "./", "../")


@click.command(
    "migrate",
    cls=LakeCommand,
    example='sxeslake migrate map --dry-run\nsxeslake migrate "2018/*"\nsxeslake migrate old.plzip -o new.plzip',
)
@click.argument("refs", nargs=-1, required=True, metavar="SAMPLE|FILE...", shell_complete=suggest.sample_or_file)
@click.option(*OUT, metavar="OUT", type=PATH, help="Of a file: the new one; its suffix says which container it is.")
@click.option("--to", metavar="FORM", help="0.1.0, 0.1.0+maps or 0.1.0+maps+arrays.  [default: the newest]")
@click.option(*DRY_RUN, is_flag=True, help="List each step with what it would change; change nothing.")
@click.option("--force", is_flag=True, help="Replace the file OUT, which may be FILE itself.")
@click.option("--encoding", metavar="NAME", help="Of a file's names and JSON that are not Unicode, such as cp932.")
@click.option("-m", "--message", metavar="TEXT", help="Why, for the log.")
@pass_app
def command(
    app: App,
    refs: tuple[str, ...],
    out: str | None,
    to: str | None,
    dry_run: bool,
    force: bool,
    encoding: str | None,
    message: str | None,
) -> int:
    """Bring older archives to the newest form of the format.

    Misspelt keys of older converters are corrected; analyses whose positions form a raster or a line get a map, xes
    and qlw their type, shape and axis, and the extensions that are used are stated. What is doubtful is left out.
    Every other member stays byte for byte: no array is read into the lake or out of it.

    A sample gets a new version, in a commit of its own; the log says what it was made from. A file is written to OUT
    (a folder is named ./FOLDER). What has the form already is left as it is.
    """
    if out is not None or any(map(_is_file, refs)):
        reports = [_of_file(app, refs, out, to=to, dry_run=dry_run, force=force, encoding=encoding)]
    else:
        if force or encoding is not None:
            raise click.UsageError("--force and --encoding are of files; a sample gets a new version.")
        reports = _of_samples(app, refs, to=to, dry_run=dry_run, message=message)
    if app.as_json:
        steps = [[document(step, MIGRATED) for step in report.steps] for report in reports]
        app.emit([document(report, MIGRATE) | {"steps": found} for report, found in zip(reports, steps, strict=True)])
    elif len(reports) > 1:
        _sum_up(app, reports)
    return next((report.exit_code for report in reports if report.exit_code), 0)


def _is_file(ref: str) -> bool:
    """Whether an argument is an archive file, or a folder that is written as one: `./map`, `map/`."""
    path = Path(ref)
    return path.is_file() or (path.is_dir() and (ref.endswith(_FOLDER_MARKS[:2]) or ref.startswith(_FOLDER_MARKS)))


def _of_file(app: App, refs: Sequence[str], out: str | None, **how: Any) -> MigrationReport:
    from sxeslake.archive.migration.files import migrate  # noqa: PLC0415  (start-up time of --help)

    if len(refs) > 1:
        raise click.UsageError("files are migrated one at a time: FILE -o OUT.")
    if not Path(refs[0]).exists():
        raise NotFoundError("there is no such file.", where=refs[0], hint="A sample is migrated without -o.")
    app.kept = lambda: kept_of_output(to_stdout=False)
    report = migrate(refs[0], out, **how)
    _tell(app, report)
    return report


def _of_samples(app: App, refs: Sequence[str], **how: Any) -> list[MigrationReport]:
    done = 0

    def told(report: MigrationReport) -> None:
        nonlocal done
        done += report.commit is not None
        _tell(app, report)

    app.kept = lambda: f"{count(done, 'new version')} committed; run the same command again for the others."
    with app.open_lake() as lake:
        return lake.migrate(refs, progress=app.progress(), told=told, **how)


def _tell(app: App, report: MigrationReport) -> None:
    """A line an archive; of a dry run a table of its steps."""
    if report.status == "failed":
        app.complain(f"failed     {shown(_name(report))}: {shown(report.error)}")
        return
    if app.as_json:
        return
    name = shown(_name(report))
    if report.status == "unchanged":
        there = "" if report.to_version is None else f", as {shown(report.sample)}@{report.to_version}"
        app.print(f"unchanged  {name}: {report.form} is there already{there}")
        return
    what = f"{count(report.members, 'member')}, {size(report.bytes_written)}"
    if report.status == "planned":
        app.print(f"planned    {name} to {report.form}: {what}")
        rows = [(step.step, step.does, step.changes, shown("; ".join(step.examples))) for step in report.steps]
        for line in table(("step", "what it does", "changes", "examples"), rows):
            app.print(line)
        return
    where = report.out if report.out is not None else f"{report.sample}@{report.to_version}"
    app.print(f"migrated   {name} to {report.form}: {what}; {shown(where)}")


def _name(report: MigrationReport) -> str:
    return str(report.path) if report.path is not None else f"{report.sample}@{report.version}"


def _sum_up(app: App, reports: Sequence[MigrationReport]) -> None:
    tally = Counter(report.status for report in reports)
    app.print(f"{count(len(reports), 'archive')}: {', '.join(f'{number:,} {word}' for word, number in tally.items())}")
