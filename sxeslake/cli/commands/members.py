"""`members`: the files of one version."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import MEMBERS, document
from sxeslake.cli.options import LakeCommand, sample_argument
from sxeslake.cli.words import shown


@click.command("members", cls=LakeCommand, example="sxeslake members map@2 --json")
@sample_argument
@pass_app
def command(app: App, ref: str) -> None:
    """List the files and folders of an archive, in its own order.

    Size in bytes, modification time, path; with -v also the BLAKE3 hash and the CRC-32.
    """
    with app.open_lake() as lake:
        rows = lake.members(ref)
        if app.as_json:
            app.emit_rows(document(row, MEMBERS) for row in rows)
            return
        for row in rows:
            path = shown(row.path) + ("/" if row.kind == "directory" else "")
            sums = f"{row.blake3 or '':<64}  {row.crc32 or '':<8}  " if app.verbose else ""
            app.print(f"{row.size:>13,}  {row.modified or ''!s:<20.19}  {sums}{path}")
