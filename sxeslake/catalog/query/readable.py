"""A result as a table for people: what they want first, short heads with units, and nothing wider than the window.

    for line in readable_lines(result, Look(window=80)):
        print(line)

A query declares which columns a person wants and in which order (`-- show: …` in its header); free SQL shows its
columns as selected. Columns without any value are left out. Through a pipe, which has no width, the other columns come
after those. Where the window is too narrow, columns with one value in
every row are said below the table instead, then texts are folded, then records stand under each other. What is not
shown is named.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sxeslake.catalog.schema.heads import head
from sxeslake.text.safe import visible
from sxeslake.text.table import fitting, folded, size, text_table
from sxeslake.text.wording import either

if TYPE_CHECKING:
    from sxeslake.catalog.query.result import Result

SHOWN_ROWS: Final = 50
"""Rows that a table for people shows; the rest is counted."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_DIGEST = re.compile(r"[0-9a-f]{32,}")
_SIZE = re.compile(r"bytes_\w+")


@dataclass(frozen=True, slots=True)
class Look:
    """How a table is to look: the window's columns, None where nothing is folded; `wide`: all columns, whole values."""

    window: int | None = None
    wide: bool = False
    max_rows: int | None = SHOWN_ROWS


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column of the table: the result's columns that it is made of, its head, its texts."""

    names: Sequence[str]
    head: str
    cells: list[str]
    right: bool  # numbers
    fixed: bool  # numbers and times, which are not folded

    @property
    def is_constant(self) -> bool:
        return len(self.cells) > 1 and len(set(self.cells)) == 1


def readable_lines(result: Result, look: Look) -> list[str]:
    """Title, table, how many rows there are, what is not shown, how the question was understood."""
    title = [visible(result.title)] if result.title else []
    rows = list(result.first(look.max_rows))
    if not rows:
        return _folded([*title, *caption(result, look.max_rows)], look.window)
    chosen = _chosen(result, rows, look)
    kept, constant = (chosen, []) if look.wide or result.is_selected else _narrowed(chosen, look.window)
    table = text_table(
        [column.head for column in kept],
        list(zip(*(column.cells for column in kept), strict=True)),
        [column.right for column in kept],
        look.window,
        [column.fixed for column in kept],
    )
    below = (
        [f"in every row: {', '.join(f'{column.head} {column.cells[0]}' for column in constant)}"] if constant else []
    )
    below += _left_out(result, chosen, look)
    return [*_folded(title, look.window), *table, *_folded([*caption(result, look.max_rows), *below], look.window)]


def caption(result: Result, max_rows: int | None) -> list[str]:
    """How many rows there are, why there are none, how the question was understood."""
    count = len(result)
    if not count and not result.truncated:
        return [f"no rows: {result.why_empty}" if result.why_empty else "0 rows", *map(visible, result.notes)]
    if not count:
        return ["the limit is 0; there are rows", *map(visible, result.notes)]
    noun = "row" if count == 1 else "rows"
    hidden = max_rows is not None and count > max_rows
    lines = [f"{count:,} {noun}, the first {max_rows} shown" if hidden else f"{count:,} {noun}"]
    if result.truncated:
        lines.append(f"showing the first {count:,}; more exist")
    return [*lines, *map(visible, result.notes)]


def preferred(result: Result) -> list[str]:
    """The columns that a person wants first: those that the query declares, else all."""
    return list(result.show) or result.columns


def _names(result: Result, look: Look) -> list[str]:
    """The columns of the table: in a window the preferred ones; where nothing is folded, the others after them."""
    if look.wide:
        return result.columns
    wanted = preferred(result)
    if look.window is not None or result.is_selected:
        return wanted
    versions = {name.removesuffix("sample") + "version" for name in wanted if name.endswith("sample")}
    return wanted + [name for name in result.columns if name not in wanted and name not in versions]


def _chosen(result: Result, rows: Sequence[Sequence[Any]], look: Look) -> list[_Shown]:
    """The columns to show, in their order; those without any value are left out unless they were asked for."""
    place = {name: number for number, name in enumerate(result.columns)}
    made = []
    for name in _names(result, look):
        short = look.window is not None
        cells = [shown(row[place[name]], short=short, whole=look.wide, name=name) for row in rows]
        names = [name]
        version = name.removesuffix("sample") + "version"
        if not look.wide and name.endswith("sample") and version in place and version not in preferred(result):
            names.append(version)  # `map@2`, as commands take it
            numbers = [row[place[version]] for row in rows]
            cells = [cell and f"{cell}@{number}" for cell, number in zip(cells, numbers, strict=True)]
        if any(cells) or look.wide or result.is_selected:
            kind = result.schema.field(place[name]).type
            title = visible(name if look.wide else head(name))
            made.append(_Shown(names, title, cells, _is_number(kind), _is_number(kind) or _is_time(kind)))
    return made


def _narrowed(columns: list[_Shown], window: int | None) -> tuple[list[_Shown], list[_Shown]]:
    """Without constant columns as long as the others do not fit beside each other: texts first, then numbers."""
    kept, constant = list(columns), []
    for column in sorted((c for c in columns[1:] if c.is_constant), key=lambda column: column.right):
        if _fits(kept, window):
            break
        kept = [each for each in kept if each is not column]
        constant.append(column)
    return (kept, constant) if _fits(kept, window) else (columns, [])


def _fits(columns: Sequence[_Shown], window: int | None) -> bool:
    cells = list(zip(*(column.cells for column in columns), strict=True))
    return fitting([c.head for c in columns], cells, [c.fixed for c in columns], window) is not None


def _left_out(result: Result, columns: Sequence[_Shown], look: Look) -> Iterator[str]:
    there = {name for column in columns for name in column.names}
    wanted = _names(result, look)
    empty = [visible(name) for name in wanted if name not in there]
    hidden = [visible(name) for name in result.columns if name not in there and name not in wanted]
    if empty and not look.wide:
        yield f"empty: {', '.join(empty)}"
    if hidden and not look.wide and not result.is_selected:
        all_columns = either("--wide or -o FILE has all columns", "`rows()` has all columns")
        yield f"not shown: {', '.join(hidden)}; {all_columns}"


def _folded(lines: Sequence[str], window: int | None) -> list[str]:
    return list(lines) if window is None else [part for line in lines for part in folded(line, window)]


def shown(value: Any, *, short: bool = False, whole: bool = False, name: str = "") -> str:  # noqa: PLR0911 - one a type
    """A value in a table for people: few digits, control characters as escapes (comments come from anywhere).

    A time is local to this machine where it has a zone. `short` also cuts UUIDs to eight digits and longer hashes to
    twelve, `whole` gives all digits of times and sizes.
    """
    match value:
        case None:
            return ""
        case bool() if not whole:
            return "yes" if value else "no"
        case int() if not whole and _SIZE.fullmatch(name):
            return size(value) if value >= 0 else f"-{size(-value)}"
        case float():
            return f"{value:.6g}"
        case dt.datetime():
            return _whole_time(value) if whole else _local(value).strftime("%Y-%m-%d %H:%M")
        case list() | tuple():
            return ", ".join(shown(each, short=short, whole=whole) for each in value)
        case _:
            text = visible(value)
            return _short(text) if short else text


def _short(text: str) -> str:
    return f"{text[:8]}…" if _UUID.fullmatch(text) else f"{text[:12]}…" if _DIGEST.fullmatch(text) else text


def _whole_time(value: dt.datetime) -> str:
    return value.isoformat(sep=" ").replace("+00:00", "Z")


def _local(value: dt.datetime) -> dt.datetime:
    try:
        return value.astimezone() if value.tzinfo else value
    except (OverflowError, OSError, ValueError):  # outside of what the machine's clock knows
        return value


def _is_number(kind: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - loaded already, with the schema

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_time(kind: Any) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - as above

    return bool(pa.types.is_temporal(kind))
