"""`schema`: the catalogue's tables and columns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import table
from sxeslake.errors import NotFoundError
from sxeslake.text.table import window

if TYPE_CHECKING:
    from sxeslake.catalog.schema.registry import Column, Table

_WIDE = 140
"""Columns of a window in which five columns are readable beside each other."""


@click.command("schema", cls=LakeCommand, example="sxeslake schema\nsxeslake schema positions")
@click.argument("name", metavar="[TABLE]", required=False, shell_complete=suggest.table)
@click.option("--json-schema", "of", metavar="COMMAND", help="Print the JSON Schema of a command's --json instead.")
@pass_app
def command(app: App, name: str | None, of: str | None) -> None:
    """Show the catalogue's tables, or a table's columns: type, unit, source field, conversion.

    They are the same in every lake, and what `query --sql` and queries of your own read. Values are null where a
    field is missing or unreadable.
    """
    from sxeslake.catalog.schema.tables import BY_NAME, TABLES  # noqa: PLC0415
    from sxeslake.text.suggest import did_you_mean  # noqa: PLC0415  (start-up time of --help, here and below)

    if of is not None:
        from sxeslake.cli.json_schemas import SCHEMAS, json_schema  # noqa: PLC0415

        if name is not None:
            raise click.UsageError("--json-schema cannot be combined with a TABLE.")
        if of not in SCHEMAS:
            raise NotFoundError(f'there is no command "{of}".', hint=did_you_mean(of, SCHEMAS))
        app.emit(json_schema(of))
        return
    if name is not None and name not in BY_NAME:
        raise NotFoundError(f'there is no table "{name}".', hint=did_you_mean(name, BY_NAME))
    chosen = list(TABLES) if name is None else [BY_NAME[name]]
    if app.as_json:
        app.emit([_document(each) for each in chosen])
    elif name is None:
        for line in table(("table", "columns", "holds"), [(t.name, len(t.columns), t.help) for t in chosen]):
            app.print(line)
        app.say(
            "`sxeslake schema TABLE` shows columns and units. SQL also knows the view position_documents, positions "
            "with info_json and state_json, and sessions_by(hours), analyses with another pause between sessions."
        )
    else:
        _show(app, chosen[0])


def _show(app: App, shown: Table) -> None:
    app.print(shown.help)
    columns = window(sys.stdout)
    for line in _brief(shown) if columns is not None and columns < _WIDE else _whole(shown):
        app.print(line)


def _whole(shown: Table) -> list[str]:
    rows = [(column.name, _type(column), column.unit or "", column.help, _origin(column)) for column in shown.columns]
    return table(("column", "type", "unit", "meaning", "from"), rows)


def _brief(shown: Table) -> list[str]:
    """The same in three columns, one of them of text."""
    rows = [
        (column.name, ", ".join(filter(None, (_type(column), column.unit))), f"{column.help} From: {_origin(column)}.")
        for column in shown.columns
    ]
    return table(("column", "type", "meaning"), rows)


def _type(column: Column) -> str:
    return column.type.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


def _origin(column: Column) -> str:
    return ", ".join(filter(None, (column.source, column.conversion)))


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
