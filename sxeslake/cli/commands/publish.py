"""`publish`: the catalogue for programs that know nothing of sxeslake."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import TABLES_PUBLISHED, document
from sxeslake.cli.options import LakeCommand, LakeGroup, other_storage_option
from sxeslake.cli.words import size, table

_TABLES = "sxeslake publish tables\nsxeslake publish tables --to s3://lab-tables/epma"


@click.group("publish", cls=LakeGroup, example=_TABLES)
def command() -> None:
    """Publish the catalogue for other programs."""


@command.command("tables", cls=LakeCommand, params=[other_storage_option("to", "URL")], example=_TABLES)
@click.option("--to", metavar="URL", help="The folder or prefix for the tables.  [default: tables/ in the lake]")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    metavar="HOURS",
    help="Keep replaced files so long, for readers at work; programs that read a folder as plain Parquet then see "
    "rows twice.  [default: 0]",
)
@pass_app
def tables_command(app: App, to: str | None, keep: int, to_options: dict[str, str]) -> None:
    """Publish the catalogue as Delta tables, one folder a table.

    Spark, polars, DuckDB, Trino and others read them; each folder is also plain Parquet. Run again, only what is new
    is written, and rows of forgotten versions are removed, in one transaction a table. Publishing needs an identity
    that may overwrite and delete there.
    """
    with app.open_lake() as lake:
        report = lake.publish_tables(to, storage_options=to_options, keep_hours=keep)
    if app.as_json:
        app.emit(document(report) | {"tables": [document(each, TABLES_PUBLISHED) for each in report.tables]})
        return
    rows = [
        (each.table, each.rows, each.files, each.added, each.removed, str(each.version)) for each in report.tables
    ]  # fmt: skip
    for line in table(("table", "rows", "files", "added", "removed", "version"), rows):
        app.print(line)
    if ahead := [each.table for each in report.tables if each.commit > report.commit]:
        app.complain(f"warning    Tables of a later commit are there, and were left: {', '.join(ahead)}.")
    written = sum(each.bytes_written for each in report.tables)
    app.print(f"Published commit {report.commit} to {report.url}: {size(written)} written.")
