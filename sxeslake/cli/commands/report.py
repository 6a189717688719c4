"""`report`: what is duplicate on a drive, and what storing it would take and free."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.commands.ingest import FAILED, watching
from sxeslake.cli.documents import INGESTED, SURVEY, SURVEYED, document
from sxeslake.cli.options import OUT, PATH, LakeCommand, jobs_option, links_option, raw_option, tree_option
from sxeslake.cli.passwords import password_file_option, read_passwords
from sxeslake.cli.words import count, percent, shown, size, table
from sxeslake.machine.processes import keep_little

if TYPE_CHECKING:
    from sxeslake.ingest.survey.run import Survey, SurveyRow

_HEADS = ("archives", "size", "copies", "size of copies", "would store", "saved", "failed")


@click.command(
    "report",
    cls=LakeCommand,
    example="sxeslake report 2018/ 2019/\nsxeslake report /mnt/share --by year -o share.csv",
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=PATH)
@click.option(
    "--by",
    type=click.Choice(["folder", "year", "kind"]),
    default="folder",
    show_default=True,
    help="What a row is: a folder, the year in which files were written, or a kind of archive.",
)
@tree_option
@links_option
@password_file_option("Passwords to try on encrypted 7z and zip archives, one a line.")
@jobs_option
@click.option(*OUT, metavar="FILE", type=PATH, help="Write the table as CSV to a file.")
@click.option("--force", is_flag=True, help="Write over a FILE that is there.")
@raw_option
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    by: Literal["folder", "year", "kind"],
    tree: bool,
    links: Literal["follow", "keep", "skip"],
    password_file: str | None,
    jobs: int | None,
    out: str | None,
    force: bool,
    raw: bool,
) -> int:
    """Tell how much of some archives is duplicate, where, and what an ingest would store and save.

    Reads and encodes everything, compares it with the lake (an empty one where none exists yet), and stores
    nothing. "copies" are archives whose whole content is in the lake or in an archive before them. "saved" is what
    the originals take beyond what would be stored. The exit code is 4 where something cannot be read.
    """
    if out is not None:
        from sxeslake.disk.output import written_file  # noqa: PLC0415  (start-up time of --help)
    passwords = read_passwords(app, password_file)
    keep_little()
    with app.open_lake_or_none() as lake, watching(app, dry_run=True, results=False) as watcher:
        found = lake.survey(
            paths, by=by, tree=tree, links=links, passwords=passwords, jobs=jobs, progress=watcher.bar, watcher=watcher
        )  # fmt: skip
    rows = [document(row, SURVEYED) for row in (*found.rows, found.total)]
    if out is not None:
        from sxeslake.ingest.audit.report import written  # noqa: PLC0415  (as above)

        with written_file(Path(out), force=force) as file:
            file.write(written(rows, SURVEYED, raw=raw).encode())
    for archive in found.archives:
        if archive.status not in ("added", "unchanged"):
            app.complain(f"{archive.status:10} {shown(archive.error or archive.path)}")
    if app.as_json:
        archives = [document(archive, INGESTED) for archive in found.archives]
        app.emit(document(found, SURVEY) | {"archives": archives})
    else:
        for line in table((by, *_HEADS), [_cells(row) for row in (*found.rows, found.total)]):
            app.print(line)
        app.print(_summary(found))
    return FAILED if found.failed else 0


def _cells(row: SurveyRow) -> tuple[object, ...]:
    return (
        shown(row.group), row.archives, size(row.bytes_source), row.duplicates, size(row.bytes_duplicate),
        size(row.bytes_stored), size(row.bytes_saved), row.failed,
    )  # fmt: skip


def _summary(found: Survey) -> str:
    total = found.total
    return (
        f"{count(total.archives, 'archive')}, {size(total.bytes_source)}: {count(total.duplicates, 'copy', 'copies')} "
        f"with {size(total.bytes_duplicate)}; an ingest would store {size(total.bytes_stored)} "
        f"({percent(total.bytes_stored, total.bytes_source)})"
    )
