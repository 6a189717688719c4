"""Tables for notebooks: plain HTML, everything in it escaped; and the short forms that lines for people share."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from sxeslake.text.safe import visible
from sxeslake.text.table import size

SHOWN: Final = 50
"""Rows that a notebook shows; the rest is counted."""

_LONGEST: Final = 300  # characters of a cell
_NARROW: Final = frozenset(
    {"content_id", "sha256", "archive_sha256", "blake3", "crc32", "commit_blake3", "host", "tool", "lake", "seed"}
)
"""Fields that tables of several rows do without: nobody reads them there."""

_NOTHING: Final = frozenset({"", "0", "0 B"})
"""A column of nothing else is left out."""

RowT = TypeVar("RowT")


def html_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", below: Sequence[str] = ()
) -> str:
    """A table with a caption above and lines below it; None is an empty cell."""
    head = "".join(f"<th>{_escaped(name)}</th>" for name in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    title = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    lines = f"<p>{'<br>'.join(map(_escaped, below))}</p>" if below else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{lines}"


def html_facts(facts: Mapping[str, object], *, caption: str = "") -> str:
    """A label and a value a line; what is None or empty is left out."""
    there = {label: _shown(label, value) for label, value in facts.items()}
    body = "".join(
        f"<tr><th>{_escaped(_label(label))}</th><td>{_escaped(text)}</td></tr>" for label, text in there.items() if text
    )
    title = f"<caption>{_escaped(caption)}</caption>" if caption else ""
    return f"<table>{title}<tbody>{body}</tbody></table>"


class HtmlRecord:
    """A result that is a table in a notebook: its fields, then a table for each list of records in it."""

    __slots__ = ()

    html_columns: ClassVar[Mapping[str, str]] = {}
    """What a table of several such records shows, and under which heads; empty for all fields that say something."""

    def _repr_html_(self) -> str:
        return html_record(self)


class Rows(list[RowT]):
    """A list of results that is a table in a notebook.

    Examples
    --------
    >>> rows = lake.queries()
    >>> isinstance(rows, list), isinstance(rows, sxeslake.Rows)
    (True, True)
    """

    @staticmethod
    def collected(rows: Iterable[RowT], told: Callable[[RowT], None] | None) -> Rows[RowT]:
        """Rows as they come; each is told as soon as it is there.

        Parameters
        ----------
        rows : iterable
            The results.
        told : callable or None
            Called with each of them.

        Returns
        -------
        Rows
            All of them.
        """
        found: Rows[RowT] = Rows()
        for row in rows:
            found.append(row)
            if told is not None:
                told(row)
        return found

    def _repr_html_(self) -> str:
        return html_rows(self)


def html_record(record: Any, *, caption: str = "") -> str:
    """A record of a dataclass or a named tuple."""
    facts: dict[str, object] = {}
    tables = []
    for name, value in fields_of(record).items():
        if isinstance(value, list | tuple) and value and is_record(value[0]):
            tables.append(html_rows(value, caption=f"{_label(name)}: {len(value):,}"))
        elif is_record(value):
            tables.append(html_record(value, caption=_label(name)))
        else:
            facts[name] = value
    title = caption or type(record).__name__
    return html_facts(facts, caption=title) + "".join(tables)


def html_rows(rows: Sequence[Any], *, caption: str = "") -> str:
    """Records of one kind, a row each; without the columns that are empty, and those that nobody reads."""
    cells = [fields_of(row) if is_record(row) else {"": row} for row in rows[:SHOWN]]
    heads = getattr(rows[0], "html_columns", None) if rows else None
    names = [
        name
        for name in heads or (cells[0] if cells else ())
        if (heads or name not in _NARROW) and any(_shown(name, each.get(name)) not in _NOTHING for each in cells)
    ]
    below = [f"{len(rows):,} rows, the first {SHOWN} shown"] if len(rows) > SHOWN else [] if rows else ["no rows"]
    return html_table(
        [heads[name] if heads else _label(name) for name in names],
        [[_shown(name, each.get(name)) for name in names] for each in cells],
        caption=caption,
        below=below,
    )


def is_record(value: object) -> bool:
    """Whether a value has named fields."""
    return (dataclasses.is_dataclass(value) and not isinstance(value, type)) or hasattr(value, "_fields")


def fields_of(record: Any) -> dict[str, object]:
    """The fields of a record by name."""
    names = getattr(record, "_fields", None) or [field.name for field in dataclasses.fields(record)]
    return {name: getattr(record, name) for name in names if not name.startswith("_")}


def counted(number: int, noun: str) -> str:
    """1, `member` → `1 member`; 12505, `member` → `12,505 members`; 2, `analysis` → `2 analyses`."""
    many = f"{noun[:-2]}es" if noun.endswith("is") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def clock(time: datetime) -> str:
    """`2026-11-26 14:30`, with `UTC` where it has that zone."""
    return f"{time:%Y-%m-%d %H:%M}" + ("" if time.tzinfo is None else " UTC")


def _shown(name: str, value: object) -> str:  # noqa: PLR0911 - one a type
    """A value for people: sizes in units, times to the minute, lists in a line, a long one cut."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return size(value) if name.startswith("bytes") or name.endswith("bytes") else f"{value:,}"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, datetime):
        return clock(value)
    if isinstance(value, Mapping):
        return _cut("; ".join(f"{key}: {_shown('', each)}" for key, each in value.items()))
    if isinstance(value, list | tuple | set | frozenset):
        return _cut("; ".join(_shown("", each) for each in value))
    return _cut(str(value)) if isinstance(value, str | Path) else _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _label(name: str) -> str:
    return name.replace("_", " ")


def _escaped(cell: object) -> str:
    return "" if cell is None else html.escape(visible(cell))
