"""Arrow columns as Python values; what Python cannot hold comes as DuckDB's text: `infinity`, `0044-03-15 (BC)`."""

from __future__ import annotations

from typing import Any

_REFUSALS = (OverflowError, ValueError, ImportError)  # Arrow's errors are ValueErrors
"""Dates before year 1 and after 9999, infinite ones, and nanoseconds without pandas."""


def values_of(column: Any) -> list[Any]:
    """The values of a column, or the text of those that Python has no value for."""
    try:
        return list(column.to_pylist())
    except _REFUSALS:
        texts = texts_of(column)
        return [_value(one, text) for one, text in zip(column, texts, strict=True)]


def _value(one: Any, text: str | None) -> Any:
    try:
        return one.as_py()
    except _REFUSALS:
        return text


def texts_of(column: Any) -> list[str | None]:
    """The values of a column as DuckDB writes them; times in UTC."""
    import duckdb  # noqa: PLC0415 - only odd values need it
    import pyarrow as pa  # noqa: PLC0415 - loaded already

    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table = connection.from_arrow(pa.table({"value": column}))
        rows: list[tuple[str | None]] = table.project("CAST(value AS VARCHAR)").fetchall()
    return [text for (text,) in rows]
