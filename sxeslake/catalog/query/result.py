"""What a query gives: rows as they come in, or as pandas, polars, Arrow or plain Python; a table for people.

    result.df()   result.pl()   result.arrow()   result.rows()
    result.write(Path("maps.parquet"))

A result is read once from where it comes. Whatever needs all rows keeps them, so that the rest can be asked after it;
`batches()` and `write()` of a result that nobody asked yet stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from sxeslake.catalog.query.export import FORMATS, format_of, open_target, writer_for
from sxeslake.catalog.query.readable import SHOWN_ROWS, Look, caption, preferred, readable_lines, shown
from sxeslake.catalog.schema.heads import head
from sxeslake.errors import UsageError
from sxeslake.text.html import html_table
from sxeslake.text.suggest import did_you_mean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Result:
    """Rows with named, typed columns, what question they answer, and how it was understood.

    Attributes
    ----------
    title
        The question.
    notes
        How each filter was understood.
    columns
        The names of the columns; units are in the names (`_kv`, `_na`, `_mm`).
    truncated
        Whether there are more rows than the limit.

    Examples
    --------
    >>> import sxeslake
    >>> with sxeslake.open("lake") as lake:
    ...     result = lake.positions(kv=5)
    >>> len(result), result.notes
    (12, ('accelerating voltage 4.95..5.05 kV (5 ± 0.05 kV)',))
    >>> result.rows()[0]["grating"]
    'JS300N'
    """

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
        show: Sequence[str] = (),
        find_why_empty: Callable[[], str] | None = None,
    ) -> None:
        self.title = title
        self.notes = tuple(notes)
        self.show = tuple(show)
        self.is_selected = False
        self._find_why_empty = find_why_empty
        self._why_empty: str | None = None
        self._rows = 0
        self.truncated = False
        self.schema = _unique_names(schema)
        self._close = close
        self._was_cut = was_cut
        self._table: Any = None
        self._source: Iterator[Any] | None = self._cut(iter(batches), limit)

    @classmethod
    def of_table(cls, table: Any, **words: Any) -> Result:
        """From an Arrow table.

        Parameters
        ----------
        table : pyarrow.Table
            The rows.
        **words
            As for the constructor.

        Returns
        -------
        Result
            Its rows.
        """
        return cls(table.schema, table.to_batches(), **words)

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self.schema.names)

    @property
    def why_empty(self) -> str:
        """Which condition leaves no row; empty where there are rows, or no condition."""
        if self._why_empty is None:
            find, self._find_why_empty = self._find_why_empty, None
            self._why_empty = find() if find is not None and self.is_empty else ""
        return self._why_empty

    def kept(self) -> Result:
        """This result with all its rows, or the reason why there are none: it outlives the lake's being open.

        Returns
        -------
        Result
            The same.
        """
        if not len(self.arrow()):
            _ = self.why_empty  # which asks the lake
        return self

    @property
    def is_empty(self) -> bool:
        """Whether there are no rows, not even behind the limit; also known of a result that was streamed."""
        if self._table is None and self._source is not None:
            self.arrow()
        return not self._rows and not self.truncated

    def select(self, names: Sequence[str]) -> Result:
        """The same rows with these columns only, in this order.

        Parameters
        ----------
        names : sequence of str
            The columns.

        Returns
        -------
        Result
            The same rows.

        Raises
        ------
        UsageError
            If there is no such column.
        """
        for name in names:
            if name not in self.columns:
                near = did_you_mean(name, self.columns) or f"There is {', '.join(self.columns)}."
                raise UsageError(f'there is no column "{name}".', where="--columns", hint=near)
        import pyarrow as pa  # noqa: PLC0415 - loaded already, with the schema

        made = Result(
            pa.schema([self.schema.field(name) for name in names]),
            (batch.select(list(names)) for batch in self.batches()),
            title=self.title,
            notes=self.notes,
            close=self.close,
            was_cut=lambda: self.truncated,
            show=names,
            find_why_empty=self._find_why_empty,
        )
        made.is_selected = True
        return made

    def with_column(self, name: str, value: str) -> Result:
        """The same rows with one more column, last, that has one text in every row.

        Parameters
        ----------
        name : str
            The column's name.
        value : str
            The text.

        Returns
        -------
        Result
            The same rows.
        """
        import pyarrow as pa  # noqa: PLC0415 - loaded already, with the schema

        field = pa.field(name, pa.string())
        return Result(
            self.schema.append(field),
            (batch.append_column(field, pa.array([value] * batch.num_rows, pa.string())) for batch in self.batches()),
            title=self.title,
            notes=self.notes,
            close=self.close,
            was_cut=lambda: self.truncated,
            show=self.show,
            find_why_empty=self._find_why_empty,
        )

    def batches(self) -> Iterator[Any]:
        """The rows as Arrow record batches; streamed when nobody has asked for them yet.

        Returns
        -------
        iterator of pyarrow.RecordBatch
            The rows.

        Raises
        ------
        UsageError
            If they were streamed already.
        """
        if self._table is not None:
            return iter(self._table.to_batches())
        if self._source is None:
            raise UsageError("this result was streamed already.", hint="Call .arrow() first to keep its rows.")
        source, self._source = self._source, None
        return source

    def arrow(self) -> Any:
        """The rows as a `pyarrow.Table`.

        Returns
        -------
        pyarrow.Table
            All rows.
        """
        import pyarrow as pa  # noqa: PLC0415 - heavy, and streaming out a result may not need it

        if self._table is None:
            self._table = pa.Table.from_batches(self.batches(), schema=self.schema)
        return self._table

    def df(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Returns
        -------
        pandas.DataFrame
            All rows.

        Raises
        ------
        UsageError
            If pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: F401, PLC0415 - an extra
        except ImportError:
            raise _needs("pandas", "frames") from None
        return self.arrow().to_pandas()

    def pl(self) -> Any:
        """The rows as a `polars.DataFrame`.

        Returns
        -------
        polars.DataFrame
            All rows.

        Raises
        ------
        UsageError
            If polars is not installed.
        """
        try:
            import polars  # noqa: PLC0415 - an extra, and heavy
        except ImportError:
            raise _needs("polars", "frames") from None
        return polars.from_arrow(self.arrow())

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries by column name.

        Returns
        -------
        list of dict
            All rows.
        """
        found: list[dict[str, Any]] = self.arrow().to_pylist()
        return found

    def write(
        self, target: Path | BinaryIO, format_name: str | None = None, *, raw: bool = False, force: bool = True
    ) -> int:
        """Write all rows as json, csv, parquet, arrow, xlsx or table (text); by a path's suffix unless named.

        Parameters
        ----------
        target : path or binary file
            Where. A file appears whole or not at all; a device or a pipe is written to, never replaced.
        format_name : str, optional
            ``"json"``, ``"csv"``, ``"parquet"``, ``"arrow"``, ``"xlsx"`` or ``"table"``; by default as the suffix says.
        raw : bool
            In csv and xlsx: leave text as it is that a spreadsheet takes for a formula; a `'` goes before it otherwise.
        force : bool
            Replace a file.

        Returns
        -------
        int
            The number of rows.

        Raises
        ------
        UsageError
            If the format is unknown.
        AlreadyExistsError
            If there is a file, without `force`.
        """
        name = format_name or (format_of(target) if isinstance(target, Path) else "table")
        if name not in FORMATS:
            raise UsageError(f'there is no format "{name}".', hint=did_you_mean(name, FORMATS))
        if name == "table":
            return self._write_text(target, force=force)
        with open_target(target, force=force) as out:
            return writer_for(name, target, raw=raw)(out, self.schema, self.batches())

    def close(self) -> None:
        """Release what the rows come from."""
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
        from rich.text import Text  # noqa: PLC0415 - only for people

        yield Text("\n".join(readable_lines(self, Look(options.max_width))))

    def _repr_html_(self) -> str:
        """What a person wants first, then the other columns; escaped."""
        names = [*preferred(self), *(name for name in self.columns if name not in preferred(self))]
        place = [self.columns.index(name) for name in names]
        rows = ([shown(row[n], name=self.columns[n]) for n in place] for row in self.first(SHOWN_ROWS))
        return html_table([head(name) for name in names], rows, caption=self.title, below=caption(self, SHOWN_ROWS))

    def first(self, max_rows: int | None) -> Iterator[tuple[Any, ...]]:
        """The first rows as tuples: names may be anything, so not as dictionaries.

        Parameters
        ----------
        max_rows : int or None
            How many; None for all.

        Returns
        -------
        iterator of tuple
            The rows.
        """
        table = self.arrow() if max_rows is None else self.arrow().slice(0, max_rows)
        from sxeslake.catalog.query.pythonic import values_of  # noqa: PLC0415 - loads Arrow, which made the rows

        return zip(*map(values_of, table.columns), strict=True) if table.num_columns else iter(())

    def _write_text(self, target: Path | BinaryIO, *, force: bool) -> int:
        """All rows and columns, nothing folded or shortened."""
        with open_target(target, force=force) as out:
            out.write("".join(f"{line}\n" for line in readable_lines(self, Look(wide=True, max_rows=None))).encode())
        return len(self)

    def _cut(self, batches: Iterator[Any], limit: int | None) -> Iterator[Any]:
        """The batches up to `limit` rows, under unique names."""
        left = limit
        try:
            for batch in batches:
                if left is not None and batch.num_rows > left:
                    self.truncated = True
                    if left:
                        self._rows += left
                        yield batch.slice(0, left).rename_columns(self.columns)
                    return
                left = None if left is None else left - batch.num_rows
                self._rows += batch.num_rows
                yield batch.rename_columns(self.columns)
            self.truncated = self._was_cut is not None and self._was_cut()
        finally:
            self.close()


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
