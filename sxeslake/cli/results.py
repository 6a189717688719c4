"""Rows to people, programs and files: what `query`, `find` and `conditions` do with a result."""

from __future__ import annotations

import codecs
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from sxeslake.cli.app import App, to_json
from sxeslake.cli.completion import suggest
from sxeslake.cli.options import OUT, PATH
from sxeslake.cli.words import count, shown
from sxeslake.disk.output import is_stdout, named
from sxeslake.text.safe import visible_lines
from sxeslake.text.table import window

if TYPE_CHECKING:
    from sxeslake.catalog.query.result import Result

FORMATS = ("table", "json", "csv", "parquet", "arrow")
_BINARY = ("parquet", "arrow")


def output_options() -> list[click.Parameter]:
    """How the rows are wanted: as what, where, how many."""
    return [
        click.Option(["--format", "format_name"], type=click.Choice(FORMATS), help="--json is --format json."),
        click.Option(
            [*OUT], metavar="FILE", type=PATH, help="Write a file: .csv .json .parquet .arrow .xlsx .txt by its suffix."
        ),
        click.Option(["--force"], is_flag=True, default=None, help="Write over the FILE that is there."),
        click.Option(
            ["--raw"],
            is_flag=True,
            default=None,
            help="Leave text in csv and xlsx that a spreadsheet takes for a formula as it is.",
        ),
        click.Option(
            ["--columns"],
            metavar="A,B,C",
            shell_complete=suggest.columns,
            multiple=True,
            help="These columns only, in this order, by their names in the catalogue.",
        ),
        click.Option(
            ["--wide"], is_flag=True, default=None, help="Show all columns on a terminal, nothing folded or shortened."
        ),
        click.Option(
            ["--envelope"],
            is_flag=True,
            default=None,
            help="JSON of one object: the rows, their columns and units, the notes, and whether rows were cut.",
        ),
        click.Option(["--limit"], type=click.IntRange(min=0), metavar="N", help="Maximum number of rows."),
    ]


@dataclass(frozen=True, slots=True)
class RowOutput:
    """How the rows are wanted, as the options of `output_options` say."""

    format_name: str | None = None
    out: str | None = None
    force: bool = False
    raw: bool = False
    columns: tuple[str, ...] = ()
    wide: bool = False
    envelope: bool = False

    @classmethod
    def of(cls, words: dict[str, Any]) -> RowOutput:
        """Take these options out of all that a command was called with."""
        columns = [name.strip() for text in words.pop("columns", None) or () for name in text.split(",")]
        taken = {name: words.pop(name, None) for name in ("format_name", "out", "force", "raw", "wide", "envelope")}
        return cls(
            taken["format_name"], taken["out"], bool(taken["force"]), bool(taken["raw"]),
            tuple(name for name in columns if name), bool(taken["wide"]), bool(taken["envelope"]),
        )  # fmt: skip


def deliver(app: App, result: Result, output: RowOutput, *, is_question: bool = False) -> None:
    """The rows where they are wanted; how the question was understood is said beside them.

    JSON of a question names the lake of each sample; free SQL gives what it selects.
    """
    if is_question and _tells_lake(app, result, output):
        result = result.with_column("lake", app.lake_title())
    if output.columns:
        result = result.select(output.columns)
    if output.envelope:
        _to_envelope(app, result, output)
        return
    if output.out is not None and output.out != "-":
        _to_file(app, result, named(output.out), output.format_name, raw=output.raw, force=output.force)
        return
    name = output.format_name or ("json" if app.as_json else "table")
    if name == "table":
        _to_people(app, result, wide=output.wide)
        return
    if name in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{name} is binary; send it somewhere: -o FILE")
    sys.stdout.flush()
    target: BinaryIO = sys.stdout.buffer
    result.write(_Visible(target) if sys.stdout.isatty() else target, name, raw=output.raw)  # type: ignore[arg-type]
    target.flush()
    _explain(app, result)


def _tells_lake(app: App, result: Result, output: RowOutput) -> bool:
    """Whether samples of the one lake are given with its name: in JSON, or where it is asked for."""
    if "lake" in result.columns or "sample" not in result.columns or len(app.words) > 1:
        return False
    if "lake" in output.columns or output.envelope or output.format_name == "json":
        return True
    is_json = output.out is not None and output.out.endswith(".json")
    return output.format_name is None and (app.as_json if output.out in (None, "-") else is_json)


def _to_envelope(app: App, result: Result, output: RowOutput) -> None:
    """The rows as they come, between what is known before them and what is known after them."""
    if output.format_name not in (None, "json") or output.out not in (None, "-"):
        raise click.UsageError("--envelope is JSON on stdout, without -o and other formats.")
    from sxeslake.catalog.schema.tables import TABLES  # noqa: PLC0415  (start-up time of --help)

    units = {column.name: column.unit for each in TABLES for column in each.columns}
    columns = [{"name": f.name, "type": str(f.type), "unit": units.get(f.name)} for f in result.schema]
    head = to_json({"question": result.title or None, "columns": columns})
    sys.stdout.flush()
    target: BinaryIO = sys.stdout.buffer
    out: Any = _Visible(target) if sys.stdout.isatty() else target
    out.write(f'{head[:-1]}, "rows": '.encode())
    rows = result.write(out, "json")
    tail = {
        "row_count": rows, "truncated": result.truncated, "notes": list(result.notes),
        "why_empty": (result.why_empty or None) if result.is_empty else None,
    }  # fmt: skip
    out.write(f", {to_json(tail)[1:]}\n".encode())
    target.flush()
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


def _to_people(app: App, result: Result, *, wide: bool) -> None:
    """A table in the window's width; through a pipe unfolded, unless COLUMNS says how wide."""
    from sxeslake.catalog.query.readable import SHOWN_ROWS, Look, readable_lines  # noqa: PLC0415  (start-up time of --help)

    rows = SHOWN_ROWS if sys.stdout.isatty() else None
    for line in readable_lines(result, Look(None if wide else window(sys.stdout), wide, rows)):
        app.print_data(line)


def _explain(app: App, result: Result) -> None:
    if result.is_empty:
        app.say(f"No rows: {result.why_empty}." if result.why_empty else "No rows.")
    for note in result.notes:
        app.say(note)
    if result.truncated:
        app.say("Cut at the limit; there are more rows.")
