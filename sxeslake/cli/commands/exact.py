"""`exact`: seek how the original files are rebuilt, with all the time it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import EXACT, document
from sxeslake.cli.options import PATH, LakeCommand, jobs_option, samples_argument
from sxeslake.cli.words import shown, size

if TYPE_CHECKING:
    from sxeslake.ingest.exact_backfill import ExactRow


@click.command("exact", cls=LakeCommand, example="sxeslake exact map@2\nsxeslake exact --all")
@samples_argument
@click.option("--all", "every", is_flag=True, help="Every sample's newest version.")
@click.option(
    "--from", "source", metavar="FILE", type=PATH, help="The file, where it is not at its old place any more."
)
@click.option("--always", is_flag=True, help="Keep what no encoder makes as it is, whatever that takes.")
@jobs_option
@pass_app
def command(
    app: App, /, refs: tuple[str, ...], every: bool, source: str | None, always: bool, jobs: int | None
) -> None:
    """Make stored archives exact: find how the original files can be rebuilt, byte for byte.

    An ingest seeks that only where it is quick. The file must still be where it came from, or be given by --from. A
    recipe that takes more than 5 % of the file (and more than 4 kB) is kept only with --always.
    """
    if not refs and not every:
        raise click.UsageError("name a sample, or give --all.")
    with app.open_lake() as lake:
        rows = lake.exact(refs, everything=every, source=source, any_cost=always, jobs=jobs, progress=app.progress())
    if app.as_json:
        app.emit([document(row, EXACT) for row in rows])
        return
    for row in rows:
        app.print(_line(row))


def _line(row: ExactRow) -> str:
    """`exact      map@2   7zip-deflate:5; its recipe takes 3.4 kB`."""
    ref = f"{shown(row.sample)}@{row.version}"
    if row.exact:
        return f"exact      {ref}  {', '.join(row.encoders) or 'nothing packed'}; its recipe takes {size(row.bytes)}"
    return f"not exact  {ref}  {shown(row.exact_reason)}"
