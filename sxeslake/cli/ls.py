"""`ls`: what is in the lake."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import LS, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.refs import complete_sample
from sxeslake.cli.words import size, table


@click.command("ls", cls=LakeCommand, example='sxeslake ls\nsxeslake ls "2018/*" ti-grains\nsxeslake ls ti-grains')
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=complete_sample)
@click.option("--all-versions", is_flag=True, help="Every version, not only the newest of each sample.")
@pass_app
def command(app: App, patterns: tuple[str, ...], all_versions: bool) -> None:
    """List samples, the newest version of each; of one sample also its files.

    PATTERN is a name, or a glob in which `*` also crosses `/`. NAME and NAME@V list the files of that version.
    """
    with app.open_lake() as lake:
        rows = lake.ls(patterns or "*", all_versions=all_versions)
        single = patterns[0] if len(patterns) == 1 and not lake.is_pattern(patterns[0]) else None
        members = lake.members(single) if single is not None and (rows or "@" in single) and not app.as_json else ()
        files = [(row.size, row.modified or "", row.path + ("/" if row.kind == "directory" else "")) for row in members]
    if app.as_json:
        app.emit([document(row, LS) for row in rows])
        return
    cells = [
        (row.sample, str(row.version), row.kind, row.members, size(row.bytes_source), row.ingested_at, row.name)
        for row in rows
    ]
    if cells or single is None:
        for line in table(("sample", "version", "kind", "files", "archive", "stored at", "from"), cells):
            app.print(line)
    if files:
        app.print()
        for line in table(("bytes", "modified", "file"), files):
            app.print(line)
    if not rows and single is not None and not files:
        app.say(f"No sample is called {single!r}; `sxeslake ls` lists all.")
