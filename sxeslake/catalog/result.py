"""What a query gives: rows as they come in, or as pandas, polars, Arrow or plain Python; a table for people.

    result.df()   result.pl()   result.arrow()   result.rows()
    result.write(Path("maps.parquet"))

A result is read once from where it comes. Whatever needs all rows keeps them, so that the rest can be asked after it;
`batches()` and `write()` of a result that nobody asked yet stream.
"""

from __future__ import annotations

import datetime as dt
import html
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from sxeslake.catalog.export import FORMATS, format_of, open_target, writer_for
from sxeslake.catalog.near import did_you_mean
from sxeslake.errors import UsageError
from sxeslake.safetext import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table as RichTable
    from rich.text import Text

SHOWN_ROWS = 50
"""Rows that a representation shows; the rest is counted."""


class Result:
    """Rows with named, typed columns, what question they answer, and how it was understood."""

    def __init__(
        self,
        schema: Any,
        batches: Iterable[Any],
        *,
        title: str = "",
        notes: Sequence[str] = (),
        limit: int | None = None,
        close: Callable[[], object] | None = None,
        was_cut: Callable[[], bool] | None = None,
    ) -> None:
        self.title = title
        self.notes = tuple(notes)
        self.truncated = False
        self.schema = _unique_names(schema)
        self._close = close
        self._was_cut = was_cut
        self._table: Any = None
        self._source: Iterator[Any] | None = self._cut(iter(batches), limit)

    @classmethod
    def of_table(cls, table: Any, **words: Any) -> Result:
        """From an Arrow table."""
        return cls(table.schema, table.to_batches(), **words)

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self.schema.names)

    def batches(self) -> Iterator[Any]:
        """The rows as Arrow record batches; streamed when nobody has asked for them yet."""
        if self._table is not None:
            return iter(self._table.to_batches())
        if self._source is None:
            raise UsageError("this result was streamed already.", hint="Ask for .arrow() first to keep its rows.")
        source, self._source = self._source, None
        return source

    def arrow(self) -> Any:
        """The rows as a `pyarrow.Table`."""
        import pyarrow as pa  # noqa: PLC0415 - heavy, and streaming out a result may not need it

        if self._table is None:
            self._table = pa.Table.from_batches(self.batches(), schema=self.schema)
        return self._table

    def df(self) -> Any:
        """The rows as a `pandas.DataFrame`."""
        try:
            import pandas as pd  # noqa: F401, PLC0415 - an extra
        except ImportError:
            raise _needs("pandas", "frames") from None
        return self.arrow().to_pandas()

    def pl(self) -> Any:
        """The rows as a `polars.DataFrame`."""
        try:
            import polars  # noqa: PLC0415 - an extra, and heavy
        except ImportError:
            raise _needs("polars", "frames") from None
        return polars.from_arrow(self.arrow())

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name."""
        found: list[dict[str, Any]] = self.arrow().to_pylist()
        return found

    def write(
        self, target: Path | BinaryIO, format_name: str | None = None, *, raw: bool = False, force: bool = True
    ) -> int:
        """Write all rows as json, csv, parquet, arrow, xlsx or table (text); by a path's suffix unless named.

        A file appears whole or not at all. In csv and xlsx a text that a spreadsheet would take for a formula gets a
        `'` before it, unless `raw`. Without `force`, AlreadyExistsError where there is a file. A device or a pipe is
        written to, never replaced. Returns the number of rows.
        """
        name = format_name or (format_of(target) if isinstance(target, Path) else "table")
        if name not in FORMATS:
            raise UsageError(f'there is no format "{name}".', hint=did_you_mean(name, FORMATS))
        if name == "table":
            return self._write_text(target, force=force)
        with open_target(target, force=force) as out:
            return writer_for(name, target, raw=raw)(out, self.schema, self.batches())

    def close(self) -> None:
        """Let go of what the rows come from."""
        self._source = None
        if self._close is not None:
            self._close()
            self._close = None

    def __len__(self) -> int:
        return int(self.arrow().num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def __repr__(self) -> str:
        return f"<Result {self.title!r}: {len(self)} rows × {len(self.columns)} columns>"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.renderables(width=options.max_width)

    def renderables(self, max_rows: int | None = SHOWN_ROWS, width: int | None = None) -> Iterator[RichTable | Text]:
        """For rich: title, first rows and the columns that fit, what is not shown, how the question was understood."""
        from rich.text import Text  # noqa: PLC0415 - only for people

        rows = [[shown(value, short=width is not None) for value in row] for row in self._first(max_rows)]
        filled = [n for n in range(len(self.columns)) if not rows or any(row[n] for row in rows)]
        fitting = filled if width is None else _fitting(self.columns, rows, filled, width)
        if self.title:
            yield Text(visible(self.title), style="bold")
        yield self._rich_table(rows, fitting, None if width is None else _CELL_WIDTH)
        for line in self._caption(max_rows):
            yield Text(visible(line))
        for words, hidden in (("no room for", filled), ("empty", range(len(self.columns)))):
            names = [visible(self.columns[n]) for n in hidden if n not in (fitting if hidden is filled else filled)]
            if names:
                yield Text(f"{words}: {', '.join(names)}", style="dim")

    def _rich_table(self, rows: list[list[str]], columns: list[int], cell_width: int | None) -> RichTable:
        from rich.table import Table  # noqa: PLC0415 - only for people
        from rich.text import Text  # noqa: PLC0415 - as above

        made = Table()
        for n in columns:
            field = self.schema.field(n)
            side: Literal["left", "right"] = "right" if _is_number(field.type) else "left"
            header = Text("\n".join(_header_lines(visible(field.name))))
            made.add_column(header, justify=side, overflow="fold", max_width=cell_width)
        for row in rows:
            made.add_row(*(Text(row[n]) for n in columns))
        return made

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(shown(value))}</td>" for value in row) + "</tr>"
            for row in self._first(SHOWN_ROWS)
        )
        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "<br>".join(html.escape(line) for line in self._caption(SHOWN_ROWS))
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{notes}</p>"

    def _first(self, max_rows: int | None) -> Iterator[tuple[Any, ...]]:
        """The first rows as tuples: names may be anything, so not as dictionaries."""
        table = self.arrow() if max_rows is None else self.arrow().slice(0, max_rows)
        from sxeslake.catalog.pythonic import values_of  # noqa: PLC0415 - loads Arrow, which made the rows

        return zip(*map(values_of, table.columns), strict=True) if table.num_columns else iter(())

    def _caption(self, max_rows: int | None) -> list[str]:
        count = len(self)
        noun = "row" if count == 1 else "rows"
        hidden = max_rows is not None and count > max_rows
        lines = [f"{count} {noun}, the first {max_rows} shown" if hidden else f"{count} {noun}"]
        if self.truncated:
            lines.append("cut at the limit; there are more")
        return [*lines, *self.notes]

    def _write_text(self, target: Path | BinaryIO, *, force: bool) -> int:
        from rich.console import Console  # noqa: PLC0415 - only for people

        console = Console(width=_TEXT_WIDTH, color_system=None, force_terminal=False)
        with console.capture() as captured:
            console.print(*self.renderables(max_rows=None), sep="\n")
        with open_target(target, force=force) as out:
            out.write(captured.get().encode())
        return len(self)

    def _cut(self, batches: Iterator[Any], limit: int | None) -> Iterator[Any]:
        """The batches up to `limit` rows, under unique names."""
        left = limit
        try:
            for batch in batches:
                if left is not None and batch.num_rows > left:
                    self.truncated = True
                    if left:
                        yield batch.slice(0, left).rename_columns(self.columns)
                    return
                left = None if left is None else left - batch.num_rows
                yield batch.rename_columns(self.columns)
            self.truncated = self._was_cut is not None and self._was_cut()
        finally:
            self.close()


_TEXT_WIDTH = 10_000
"""Width of a table written to a file or a pipe: no line is folded there; a terminal knows its own."""


_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_HEADER_WIDTH = 14
_CELL_WIDTH = 48
"""Longer text is folded where room is scarce."""


def _header_lines(name: str) -> list[str]:
    """`accelerating_voltage_kv` → `accelerating_`, `voltage_kv`: names are long, and values short."""
    lines = [""]
    for part in re.findall(r"[^_]*_?", name):
        if lines[-1] and len(lines[-1]) + len(part) > _HEADER_WIDTH:
            lines.append("")
        lines[-1] += part
    return lines


def _fitting(names: Sequence[str], rows: Sequence[Sequence[str]], columns: list[int], width: int) -> list[int]:
    """The columns from the left that a console of `width` has room for, one at least."""
    fitting: list[int] = []
    used = 1
    for n in columns:
        used += 3 + min(_CELL_WIDTH, max(len(text) for text in (*_header_lines(names[n]), *(row[n] for row in rows))))
        if fitting and used > width:
            break
        fitting.append(n)
    return fitting


def shown(value: Any, *, short: bool = False) -> str:
    """A value in a table for people: few digits, control characters as escapes (comments come from anywhere).

    `short` also cuts a UUID to its first eight digits.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(shown(each) for each in value)
    text = visible(value)
    return f"{text[:8]}…" if short and _UUID.fullmatch(text) else text


def _is_number(kind: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - loaded already, by whoever made the schema

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _unique_names(schema: Any) -> Any:
    """`SELECT 1 AS a, 2 AS a` gives a, a_2: frames and JSON need names apart."""
    if len(set(schema.names)) == len(schema.names):
        return schema
    import pyarrow as pa  # noqa: PLC0415 - as above

    taken: set[str] = set()
    fields = []
    for column in schema:
        names = itertools.chain([column.name], (f"{column.name}_{number}" for number in itertools.count(2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        fields.append(column.with_name(name))
    return pa.schema(fields)


def _needs(library: str, extra: str) -> UsageError:
    return UsageError(f"this needs {library}, which is not installed.", hint=f'Try pip install "sxeslake[{extra}]".')
