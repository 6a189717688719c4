"""Every table and column of the catalogue, declared once: it drives Parquet writing, `schema [TABLE]` and the docs.

A column says its DuckDB type, unit, where the value comes from (source), how it is converted, and what it means.
Values are null where the field is missing or unreadable; nothing is ever guessed. The tables themselves stand in
`tables.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from sxeslake.text.html import HtmlRecord

if TYPE_CHECKING:
    import pyarrow as pa

ColumnType = Literal[
    "BIGINT", "INTEGER", "SMALLINT", "DOUBLE", "BOOLEAN", "VARCHAR", "VARCHAR[]", "DOUBLE[]", "BIGINT[]", "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column(HtmlRecord):
    """One column: `probe_current_na DOUBLE, nA, state.json probe.current, × 1e9`.

    A `derived` column is not stored: it is an SQL expression of the view, computed when asked for.
    """

    name: str
    type: ColumnType
    help: str
    unit: str | None = None
    source: str | None = None
    conversion: str | None = None
    derived: bool = False


@dataclass(frozen=True)
class Table(HtmlRecord):
    """One table. `retire` names the column by which rows of forgotten versions or dead packs are hidden.

    Attributes
    ----------
    name : str
        Its name.
    help : str
        What a row is.
    columns : tuple of Column
        Its columns.
    cluster : tuple of str
        Columns by which its rows are sorted.
    retire : {"archive_id", "pack_id"} or None
        The column by which rows of forgotten versions or dead packs are hidden.

    Examples
    --------
    >>> (table,) = lake.schema("positions")
    >>> table.name, table.column("probe_current_na").unit
    ('positions', 'nA')
    """

    name: str
    help: str
    columns: tuple[Column, ...]
    cluster: tuple[str, ...] = ()
    retire: Literal["archive_id", "pack_id"] | None = "archive_id"

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that Parquet parts hold, in their order."""
        return tuple(column for column in self.columns if not column.derived)

    def column(self, name: str) -> Column:
        """The column of that name.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Column
            Type, unit, source field and conversion.

        Raises
        ------
        KeyError
            If there is none.
        """
        return next((column for column in self.columns if column.name == name), None) or _no_column(self.name, name)

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of a part."""
        import pyarrow as pa  # noqa: PLC0415 - heavy, and `schema` on the command line does not need it

        return pa.schema([pa.field(column.name, _arrow_type(column.type)) for column in self.stored])


def _no_column(table: str, name: str) -> Column:
    raise KeyError(f"{table}.{name}")


def _arrow_type(kind: ColumnType) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415 - as above

    return {
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "SMALLINT": pa.int16(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "VARCHAR": pa.string(),
        "VARCHAR[]": pa.list_(pa.string()),
        "DOUBLE[]": pa.list_(pa.float64()),
        "BIGINT[]": pa.list_(pa.int64()),
        "TIMESTAMP": pa.timestamp("us"),
        "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC"),
    }[kind]


def fingerprint(tables: tuple[Table, ...]) -> str:
    """A short hash of what parts look like: parts of another shape are made again, never misread."""
    text = "\n".join(f"{table.name}.{column.name} {column.type}" for table in tables for column in table.stored)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
