"""Tables to take away whole, as CSV, Parquet, JSON or Arrow: `rows?table=find&format=csv&kv=5`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from sxeslake.archive.spectra.measured import COLUMNS
from sxeslake.web.answers import TableAnswer
from sxeslake.web.pages import archive, comparing, finding, overview, questions
from sxeslake.web.scans import analysis_rows, plain_row, position_rows, selected
from sxeslake.web.tables import records_of, result_of

if TYPE_CHECKING:
    from sxeslake.catalog.query.result import Result
    from sxeslake.web.visit import Visit

FORMATS: Final = ("csv", "parquet", "json", "arrow")


def rows(visit: Visit) -> TableAnswer:
    """All rows of one table of a page."""
    name = visit.choice("table", tuple(_TABLES))
    return TableAnswer(_TABLES[name](visit), name, visit.choice("format", FORMATS))


def _found(visit: Visit) -> Result:
    return visit.lake.query(finding.QUESTION, finding.filters_of(visit), limit=visit.options.most_rows)


def _question(visit: Visit) -> Result:
    return questions.answer_of(visit, questions.query_of(visit))


def _members(visit: Visit) -> Result:
    made = records_of(list(visit.lake.members(visit.pinned(visit.of))))
    return result_of(made, archive.MEMBER_COLUMNS, "members")


def _positions(visit: Visit) -> Result:
    found = selected(visit, analysis_rows(visit, visit.pinned(visit.of), visit.one("analysis")))
    return result_of([plain_row(row) for row in found], ("name", *COLUMNS), "positions")


def _compared(visit: Visit) -> Result:
    names = [row.name for row in position_rows(visit, visit.many("p"))]
    return result_of(comparing.compared_rows(visit, names), comparing.COLUMNS, "compared")


def _history(visit: Visit) -> Result:
    name = visit.one("of")
    pattern = [name.rpartition("@")[0] or name] if name else None
    log = visit.lake.log(pattern, limit=visit.options.most_rows)
    return result_of(records_of(list(log)), overview.LOG_COLUMNS, "history")


_TABLES: Final[Mapping[str, Callable[[Visit], Result]]] = {
    "find": _found,
    "question": _question,
    "sql": questions.sql_answer,
    "members": _members,
    "positions": _positions,
    "compare": _compared,
    "history": _history,
    "dedup": lambda visit: visit.lake.query("dedup-by-sample", limit=visit.options.most_rows),
}
