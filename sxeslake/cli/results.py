"""Rows to people, programs and files: what `query`, `find` and `conditions` do with a result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App
from sxeslake.cli.words import count, shown

if TYPE_CHECKING:
    from sxeslake.catalog.result import Result

FORMATS = ("table", "json", "csv", "parquet", "arrow")
_BINARY = ("parquet", "arrow")


def output_options() -> list[click.Parameter]:
    """How the rows are wanted: as what, where, how many."""
    return [
        click.Option(["--format", "format_name"], type=click.Choice(FORMATS), help="--json is --format json."),
        click.Option(
            ["-o", "--out"], metavar="FILE", help="Write a file: .csv .json .parquet .arrow .xlsx .txt by its suffix."
        ),
        click.Option(["--limit"], type=click.IntRange(min=0), metavar="N", help="So many rows at most."),
    ]


def deliver(app: App, result: Result, format_name: str | None, out: str | None) -> None:
    """The rows where they are wanted; how the question was understood is said beside them."""
    if out is not None and out != "-":
        _to_file(app, result, Path(out), format_name)
        return
    name = format_name or ("json" if app.as_json else "table")
    if name == "table" and sys.stdout.isatty():
        _to_terminal(result)
        return
    if name in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{name} is binary; send it somewhere: -o FILE")
    sys.stdout.flush()
    result.write(sys.stdout.buffer, name)
    sys.stdout.buffer.flush()
    if name != "table":  # which has them below its rows
        _explain(app, result)


def _to_file(app: App, result: Result, path: Path, format_name: str | None) -> None:
    rows = result.write(path, format_name)
    _explain(app, result)
    if app.as_json:
        app.emit({"path": str(path), "rows": rows, "columns": result.columns})
    else:
        app.print(f"{count(rows, 'row')} in {shown(path)}")


def _to_terminal(result: Result) -> None:
    from rich.console import Console  # noqa: PLC0415  (rich is slow to load, and programs do not need it)

    Console().print(result)


def _explain(app: App, result: Result) -> None:
    for note in result.notes:
        app.say(note)
    if result.truncated:
        app.say("Cut at the limit; there are more rows.")
