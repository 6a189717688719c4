"""Tables on pages: the first rows with links, and the address under which all of them are to be had."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sxeslake.catalog.query.readable import preferred, shown
from sxeslake.catalog.query.result import Result
from sxeslake.catalog.schema.heads import head
from sxeslake.web.answers import Cell, WebTable
from sxeslake.web.links import changed, link

if TYPE_CHECKING:
    from sxeslake.web.visit import Visit

ROWS_SHOWN: Final = 100
_MORE_HEADS: Final = {
    "ingested_at": "stored", "bytes_source": "archive", "members": "files", "time": "time", "who": "by",
    "similarity": "similarity", "days": "days apart", "name": "spectrum",
}  # fmt: skip


_COPIES: Final = re.compile(r"; --copies shows (?:it|them)$")
_OPTION: Final = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
"""An option of the command line in a note: here it is a word of the address."""


def text_of(value: object, name: str = "") -> str:
    """A value for people: few digits; an instant in UTC, a time of an instrument's clock without a zone."""
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return shown(value, short=True, name=name)


def table_of(
    visit: Visit, result: Result, table: str, *, caption: str = "", page: int = 1, rows: int = ROWS_SHOWN,
    total: int | None = None,
) -> WebTable:  # fmt: skip
    """One page of a result; samples, analyses and positions are links to their pages.

    Where a `total` is given, the result has the rows of this page alone.
    """
    whole = result.arrow()
    start = (page - 1) * rows
    part = (whole if total is not None else whole.slice(start, rows)).to_pylist()
    total = whole.num_rows if total is None else total
    names = [name for name in preferred(result) if name != "version" or "sample" not in result.columns]
    names = [name for name in names if any(row[name] not in (None, "") for row in part)] or names[:1]
    cells = [[_cell(name, row) for name in names] for row in part]
    numeric = [all(isinstance(row[name], int | float) or row[name] is None for row in part) for name in names]
    words = visit.words
    return WebTable(
        caption=caption or result.title,
        heads=[_MORE_HEADS.get(name, head(name)) for name in names],
        numeric=numeric,
        rows=cells,
        total=total,
        notes=_notes(result),
        take=link("rows", [*changed(words, table=table)]),
        previous=link("", [*changed(words), ("page", str(page - 1))]) if page > 1 else "",
        following=link("", [*changed(words), ("page", str(page + 1))]) if start + rows < total else "",
    )


def as_word(text: str) -> str:
    """A text that names an option of the command line, as it is said here."""
    return _OPTION.sub(lambda found: found[1].replace("-", " "), _COPIES.sub("", text))


def _notes(result: Result) -> list[str]:
    notes = [as_word(note) for note in result.notes]
    if not result.arrow().num_rows and result.why_empty:
        notes.insert(0, f"No rows: {as_word(result.why_empty)}")
    if result.truncated:
        notes.append("There are more rows: the files have up to a million of them.")
    return notes


def _cell(name: str, row: Mapping[str, Any]) -> Cell:
    text = text_of(row[name], name)
    sample, version = row.get("sample"), row.get("version")
    if sample is None:
        return Cell(text)
    ref = sample if version is None else f"{sample}@{version}"
    if name == "sample":
        return Cell(ref, link("archive", of=ref))
    if version is None:
        return Cell(text)
    if name in ("analysis_name", "kind") and row.get("analysis_uuid"):
        label = text or f"analysis {row['analysis_uuid'][:8]}"
        return Cell(label, link("analysis", of=ref, analysis=row["analysis_uuid"]))
    if name in ("position_number", "comment") and row.get("position_uuid") and text:
        return Cell(text, link("position", of=f"{ref}:{row['position_uuid']}"))
    return Cell(text)


def result_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> Result:
    """Rows that no question of the catalogue gives, as a result, so that they can be taken away like the others."""
    import pyarrow as pa  # noqa: PLC0415 - heavy, and loaded by then

    columns = {name: [_arrow_value(row.get(name)) for row in rows] for name in names}
    return Result.of_table(pa.table({name: _array(pa, values) for name, values in columns.items()}), title=title)


def _array(pa: Any, values: list[Any]) -> Any:
    made = pa.array(values)
    return made.cast(pa.string()) if pa.types.is_null(made.type) else made


def _arrow_value(value: object) -> object:
    """Moments are texts of their own kind; a list of texts is joined."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value


def records_of(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclasses as dictionaries of their fields, not deeper."""
    return [{each.name: getattr(row, each.name) for each in fields(row)} for row in rows]
