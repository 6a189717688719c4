"""`catalog rebuild`: the proof that the log and the packs are all the truth there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import table

if TYPE_CHECKING:
    from sxeslake.catalog.store.comparison import Rebuilt

DIFFERENT = 5
"""The exit code where the catalogue that was here is not what the log and the packs say."""


@click.command("catalog", cls=LakeCommand, example="sxeslake catalog rebuild")
@click.argument("action", type=click.Choice(["rebuild"]), expose_value=False)
@pass_app
def command(app: App) -> int:
    """Rebuild the local catalogue from the log and the packs alone, and compare it with the one that was here.

    Every table is compared, row for row; whatever differed is right afterwards, and the exit code is then 5.
    """
    with app.open_lake() as lake:
        proof = lake.rebuild_catalog()
    if app.as_json:
        app.emit(document(proof, ("equal", "commit", "tables")))
    else:
        _render(app, proof)
    return 0 if proof.equal else DIFFERENT


def _render(app: App, proof: Rebuilt) -> None:
    rows = [(each.table, each.rows, each.rows_before, "equal" if each.equal else "different") for each in proof.tables]
    for line in table(("table", "rows", "before", ""), rows):
        app.print(line)
    if proof.equal:
        app.print(f"The catalogue of commit {proof.commit} follows from the log and the packs alone: all is equal.")
    else:
        app.complain("The local catalogue differed from the rebuilt one and was replaced.")
