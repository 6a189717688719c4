"""`schema`: the catalogue's tables and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import table
from sxeslake.errors import NotFoundError

if TYPE_CHECKING:
    from sxeslake.catalog.schema import Table


@click.command("schema", cls=LakeCommand, example="sxeslake schema\nsxeslake schema positions")
@click.argument("name", metavar="[TABLE]", required=False)
@pass_app
def command(app: App, name: str | None) -> None:
    """Show the catalogue's tables, or a table's columns: type, unit, source field, conversion.

    They are the same in every lake, and what `query --sql` and queries of your own read. Values are null where a
    field is missing or unreadable.
    """
    from sxeslake.catalog.near import did_you_mean  # noqa: PLC0415  (start-up time of --help, here and below)
    from sxeslake.catalog.tables import BY_NAME, TABLES  # noqa: PLC0415

    if name is not None and name not in BY_NAME:
        raise NotFoundError(f'there is no table "{name}".', hint=did_you_mean(name, BY_NAME))
    chosen = list(TABLES) if name is None else [BY_NAME[name]]
    if app.as_json:
        app.emit([_document(each) for each in chosen])
    elif name is None:
        for line in table(("table", "columns", "holds"), [(t.name, len(t.columns), t.help) for t in chosen]):
            app.print(line)
        app.say(
            "`sxeslake schema TABLE` shows columns and units. SQL also knows the view position_documents, positions"
        )
        app.say("with info_json and state_json, and sessions_by(hours), analyses with another pause between sessions.")
    else:
        _show(app, chosen[0])


def _show(app: App, shown: Table) -> None:
    app.print(shown.help)
    rows = [
        (column.name, column.type.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"), column.unit or "", column.help,
         ", ".join(filter(None, (column.source, column.conversion))))
        for column in shown.columns
    ]  # fmt: skip
    for line in table(("column", "type", "unit", "meaning", "from"), rows):
        app.print(line)


def _document(each: Table) -> dict[str, Any]:
    return {
        "table": each.name,
        "help": each.help,
        "columns": [
            {
                "name": column.name, "type": column.type, "unit": column.unit, "source": column.source,
                "conversion": column.conversion, "help": column.help,
            }
            for column in each.columns
        ],
    }  # fmt: skip
