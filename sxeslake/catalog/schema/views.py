"""SQL of the views: the catalogue's tables over exact part files, with their derived columns.

Beside the tables there is the view `position_documents`, `positions` with `info_json` and `state_json` (the original
texts), `sessions_by(hours)`, `analyses` with another pause than 6 h between sessions, and `distinct_analyses` and
`distinct_positions`, the tables with each measurement once.

Hidden versions and dead packs are left out here, so that forgetting rewrites no part.

Where several lakes are asked as one, each table is the union of theirs, with a first column `lake`. SQL of our own and
of the library serves one lake and several: what stands in `/*lakes: … */` is a comment for one, and code for several.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sxeslake.catalog.query.conditions import Over
from sxeslake.catalog.query.copies import MEASUREMENT, without_copies
from sxeslake.catalog.schema.registry import Table
from sxeslake.catalog.schema.tables import BY_NAME

SESSION_PAUSE_H: Final = 6.0
"""A longer pause of an instrument begins a new session."""
ANY_INSTRUMENT: Final = "*"
LAKE_STRIDE: Final = 1 << 56
"""What is added to `archive_id` for each lake before this one: more than any lake's own."""

VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "position_documents": ("positions", "documents"),
    "sessions_by": ("analyses",),
    "distinct_analyses": ("analyses", "positions"),
    "distinct_positions": ("positions",),
}
"""Views and macros beyond the tables, and the tables they read."""

_LAKES_MARK: Final = re.compile(r"/\*\s*lakes:\s*(.*?)\s*\*/", re.DOTALL)
_CLOCK_CHANGES: Final = (30, 60, 120)  # minutes by which clocks are changed anywhere


def table_view(
    table: Table, files: Sequence[Path], hidden: Iterable[int | str], time_zones: Mapping[str, str]
) -> str:  # fmt: skip
    """The statement that makes a table's view over its part files."""
    if not files:
        columns = ", ".join(f"NULL::{column.type} AS {quoted(column.name)}" for column in table.columns)
        return f"CREATE OR REPLACE VIEW {table.name} AS SELECT {columns} WHERE false"
    derived = _derived(table, time_zones)
    return _view_over(table, derived, _stored(table, files, hidden))


@dataclass(frozen=True, slots=True)
class LakeFiles:
    """What one of several lakes has of a table."""

    lake: str
    number: int  # its place among the lakes, from 0
    files: Sequence[Path]
    hidden: Iterable[int | str] = ()


def union_view(table: Table, lakes: Sequence[LakeFiles], time_zones: Mapping[str, str]) -> str:
    """The same over several lakes: a first column `lake`, and an `archive_id` that no two of them share."""
    if not any(each.files for each in lakes):
        return table_view(table, (), (), {}).replace(" AS SELECT ", " AS SELECT NULL::VARCHAR AS lake, ", 1)
    rows = " UNION ALL ".join(_of_lake(table, each) for each in lakes if each.files)
    derived = {"lake": "lake", **_derived(table, time_zones, of_lake="lake, ")}
    return _view_over(table, derived, f"({rows})")


def _of_lake(table: Table, of: LakeFiles) -> str:
    """The stored rows of one lake."""
    columns = ", ".join(
        f"archive_id + {of.number * LAKE_STRIDE} AS archive_id" if column.name == "archive_id" else quoted(column.name)
        for column in table.stored
    )
    return f"SELECT {literal(of.lake)} AS lake, {columns} FROM {_stored(table, of.files, of.hidden)}"


def _stored(table: Table, files: Sequence[Path], hidden: Iterable[int | str]) -> str:
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false){_without(table, hidden)}"


def _view_over(table: Table, derived: Mapping[str, str], rows: str) -> str:
    names = (["lake"] if "lake" in derived else []) + [column.name for column in table.columns]
    columns = ", ".join(derived.get(name, quoted(name)) for name in names)
    if "session" in derived:  # windows do not nest: the end of what came before is a column of an inner view
        rows = f"(SELECT *, {_ENDED_BEFORE} AS ended_before FROM {rows})"
    return f"CREATE OR REPLACE VIEW {table.name} AS SELECT {columns} FROM {rows}"


def for_lakes(sql: str) -> str:
    """The SQL for several lakes: `/*lakes: a.lake, */ a.sample` → `a.lake, a.sample`."""
    return _LAKES_MARK.sub(r"\1", sql)


def further_views(tables: Collection[str]) -> list[str]:
    """Statements for the views and macros whose tables are all there."""
    made = {
        "position_documents": _POSITION_DOCUMENTS,
        "sessions_by": _SESSIONS_BY,
        "distinct_analyses": _distinct("analyses"),
        "distinct_positions": _distinct("positions"),
    }
    return [made[name] for name, needs in VIEWS.items() if set(needs) <= set(tables)]


def _distinct(over: Over) -> str:
    """A table with each measurement once, whatever else is asked of it."""
    return f"CREATE OR REPLACE VIEW distinct_{over} AS SELECT t.* FROM {over} AS t WHERE {without_copies(over, 't')}"


def _document(name: str) -> str:
    return (
        f"LEFT JOIN documents AS {name} ON {name}.archive_id = p.archive_id AND {name}.owner = 'position' "
        f"AND {name}.owner_id = p.position_uuid AND {name}.name = '{name}'"
    )


_POSITION_DOCUMENTS: Final = (
    "CREATE OR REPLACE VIEW position_documents AS SELECT p.*, info.json AS info_json, state.json AS state_json "
    f"FROM positions AS p {_document('info')} {_document('state')}"
)


def _without(table: Table, hidden: Iterable[int | str]) -> str:
    """`WHERE archive_id NOT IN (…)`; annotations of a whole sample have no archive_id and stay."""
    values = ", ".join(literal(value) for value in sorted(hidden, key=str))
    if not values or table.retire is None:
        return ""
    column = table.retire
    return f" WHERE ({column} IS NULL OR {column} NOT IN ({values}))"


def _derived(table: Table, time_zones: Mapping[str, str], of_lake: str = "") -> dict[str, str]:
    """SQL of the columns that are not stored; `of_lake` is what tells equal samples of several lakes apart."""
    made = {
        "acquired_at": _acquired_at(time_zones),
        "session": _session(SESSION_PAUSE_H),
        "measurement": MEASUREMENT,
        "is_current": (
            f"row_number() OVER (PARTITION BY {of_lake}sample, version, target, target_uuid, key "
            "ORDER BY log_number DESC, ordinal DESC) = 1"
        ),
    }
    return {column.name: f"{made[column.name]} AS {quoted(column.name)}" for column in table.columns if column.derived}


def _acquired_at(time_zones: Mapping[str, str]) -> str:
    """UTC of `acquired_local` where the time zone is configured; null in an hour that came twice or never."""
    cases = [
        f"WHEN instrument = {literal(instrument)} THEN {_utc(zone)}"
        for instrument, zone in time_zones.items()
        if instrument != ANY_INSTRUMENT
    ]
    other = _utc(time_zones[ANY_INSTRUMENT]) if ANY_INSTRUMENT in time_zones else "NULL::TIMESTAMPTZ"
    return f"CASE {' '.join(cases)} ELSE {other} END" if cases else other


def _utc(zone: str) -> str:
    there = literal(zone)
    instant = f"timezone({there}, acquired_local)"
    same = f"timezone({there}, {instant}) = acquired_local"
    others = [
        f"timezone({there}, {instant} {sign} INTERVAL {minutes} MINUTE) <> acquired_local"
        for minutes in _CLOCK_CHANGES
        for sign in "+-"
    ]
    return f"CASE WHEN {' AND '.join([same, *others])} THEN {instant} END"


_ENDED: Final = "coalesce(greatest(acquired_local, last_saved_local), acquired_local)"
_BY_TIME: Final = "PARTITION BY instrument ORDER BY acquired_local, archive_id, analysis_number"
_ENDED_BEFORE: Final = f"max({_ENDED}) OVER ({_BY_TIME} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"


def _session(pause_h: float | str) -> str:
    """`JXA-8530F 2018-04-12 14:07`: the instrument, and when the session began that the analysis belongs to.

    Where the pause before an analysis is long, it carries its own start, all others null: the last start is theirs.
    """
    opens = f"coalesce(acquired_local - ended_before > to_seconds({pause_h} * 3600), true)"
    start = (
        f"last_value(CASE WHEN {opens} THEN acquired_local END IGNORE NULLS) OVER ({_BY_TIME} ROWS UNBOUNDED PRECEDING)"
    )
    label = f"instrument || ' ' || strftime({start}, '%Y-%m-%d %H:%M')"
    return f"CASE WHEN acquired_local IS NOT NULL THEN {label} END"


_SESSIONS_BY: Final = (
    "CREATE OR REPLACE MACRO sessions_by(pause_h) AS TABLE "
    f"SELECT * EXCLUDE (ended_before) REPLACE ({_session('pause_h')} AS session) "
    f"FROM (SELECT *, {_ENDED_BEFORE} AS ended_before FROM analyses)"
)


def quoted(name: str) -> str:
    """A column name that may be a word of SQL: `"order"`."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """An SQL literal; for paths and ids, which views cannot take as parameters."""
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def needed_tables(names: Iterable[str]) -> set[str]:
    """The tables behind some names of tables, views and macros."""
    found: set[str] = set()
    for name in names:
        plain = name.rpartition(".")[2].strip('"').lower()
        found.update(VIEWS.get(plain, (plain,) if plain in BY_NAME else ()))
    return found
