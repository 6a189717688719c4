"""`ls`: what is in the lake."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import LS, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import size, table


@click.command("ls", cls=LakeCommand, example='sxeslake ls "2018/*"')
@click.argument("pattern", default="*")
@click.option("--all-versions", is_flag=True, help="Every version, not only the newest of each sample.")
@pass_app
def command(app: App, pattern: str, all_versions: bool) -> None:
    """List samples, the newest version of each.

    PATTERN is a name or a glob; `*` also crosses `/`.
    """
    with app.open_lake() as lake:
        rows = lake.ls(pattern, all_versions=all_versions)
    if app.as_json:
        app.emit([document(row, LS) for row in rows])
        return
    cells = [
        (row.sample, str(row.version), row.kind, row.members, size(row.bytes_source), row.ingested_at, row.name)
        for row in rows
    ]
    for line in table(("sample", "version", "kind", "files", "archive", "stored at", "from"), cells):
        app.print(line)
