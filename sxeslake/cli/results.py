"""Rows to people, programs and files: what `query`, `find` and `conditions` do with a result."""

from __future__ import annotations

import codecs
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from sxeslake.cli.app import App
from sxeslake.cli.words import count, shown
from sxeslake.disk.output import is_stdout, named
from sxeslake.safetext import visible_lines

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
        click.Option(["--force"], is_flag=True, default=None, help="Write over the FILE that is there."),
        click.Option(
            ["--raw"],
            is_flag=True,
            default=None,
            help="Leave text in csv and xlsx that a spreadsheet takes for a formula as it is.",
        ),
        click.Option(["--limit"], type=click.IntRange(min=0), metavar="N", help="So many rows at most."),
    ]


def deliver(
    app: App, result: Result, format_name: str | None, out: str | None, *, raw: bool | None, force: bool | None
) -> None:
    """The rows where they are wanted; how the question was understood is said beside them."""
    if out is not None and out != "-":
        _to_file(app, result, named(out), format_name, raw=bool(raw), force=bool(force))
        return
    name = format_name or ("json" if app.as_json else "table")
    if name == "table" and sys.stdout.isatty():
        _to_terminal(result)
        return
    if name in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{name} is binary; send it somewhere: -o FILE")
    sys.stdout.flush()
    target: BinaryIO = sys.stdout.buffer
    result.write(_Visible(target) if sys.stdout.isatty() else target, name, raw=bool(raw))  # type: ignore[arg-type]
    target.flush()
    if name != "table":  # which has them below its rows
        _explain(app, result)


class _Visible(io.RawIOBase):
    """Text on its way to a terminal, without control characters."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._out.write(visible_lines(self._decoder.decode(bytes(data))).encode())
        return len(data)


def _to_file(app: App, result: Result, path: Path, format_name: str | None, *, raw: bool, force: bool) -> None:
    prints = is_stdout(path)
    name = format_name or ("json" if prints and app.as_json else None)
    rows = result.write(path, name, raw=raw, force=force)
    _explain(app, result)
    if prints:
        app.say(f"{count(rows, 'row')} in {shown(path)}")
    elif app.as_json:
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
