"""Tables to take away whole, as CSV, Parquet, JSON or Arrow: `rows?table=find&format=csv&kv=5`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sxeslake.archive.spectra.measured import COLUMNS
from sxeslake.catalog.query.result import Result
from sxeslake.web.answers import TableAnswer
from sxeslake.web.pages import archive, comparing, finding, overview, questions
from sxeslake.web.scans import analysis_rows, plain_row, position_rows, selected
from sxeslake.web.tables import records_of, result_of

if TYPE_CHECKING:
    from sxeslake.web.visit import Visit

_AT_ONCE: Final = 10_000
FORMATS: Final = ("csv", "parquet", "json", "arrow")


def rows(visit: Visit) -> TableAnswer:
    """All rows of one table of a page."""
    name = visit.choice("table", tuple(_TABLES))
    return TableAnswer(_TABLES[name](visit), name, visit.choice("format", FORMATS))


def _found(visit: Visit) -> Result:
    return visit.lake.query(finding.QUESTION, finding.filters_of(visit), limit=visit.options.most_rows, stream=True)


def _question(visit: Visit) -> Result:
    return questions.answer_of(visit, questions.query_of(visit), limit=visit.options.most_rows, stream=True)


def _sql(visit: Visit) -> Result:
    return questions.sql_answer(visit, limit=visit.options.most_rows, stream=True)


def _members(visit: Visit) -> Result:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and loaded by then

    schema = pa.schema([(name, pa.int64() if name == "size" else pa.string()) for name in archive.MEMBER_COLUMNS])
    rows = visit.lake.members(visit.pinned(visit.of))

    def batches() -> Iterator[Any]:
        while some := list(islice(rows, _AT_ONCE)):
            visit.job.check()
            records = [each | {"modified": _as_text(each["modified"])} for each in records_of(some)]
            yield pa.RecordBatch.from_pylist(records, schema)

    return Result(schema, batches(), title="members")


def _as_text(moment: object) -> str | None:
    """A time with its zone, or without one where it is a zip's own clock."""
    return None if moment is None else str(moment)


def _positions(visit: Visit) -> Result:
    found = selected(visit, analysis_rows(visit, visit.pinned(visit.of), visit.one("analysis")))
    return result_of([plain_row(row) for row in found], ("name", *COLUMNS), "positions")


def _compared(visit: Visit) -> Result:
    chosen = position_rows(visit, visit.many("p"))
    return result_of(comparing.compared_rows(visit, chosen), comparing.COLUMNS, "compared")


def _history(visit: Visit) -> Result:
    name = visit.one("of")
    pattern = [name.rpartition("@")[0] or name] if name else None
    log = visit.lake.log(pattern, limit=visit.options.most_rows)
    return result_of(records_of(list(log)), overview.LOG_COLUMNS, "history")


_TABLES: Final[Mapping[str, Callable[[Visit], Result]]] = {
    "find": _found,
    "question": _question,
    "sql": _sql,
    "members": _members,
    "positions": _positions,
    "compare": _compared,
    "history": _history,
    "dedup": lambda visit: visit.lake.query("dedup-by-sample", limit=visit.options.most_rows, stream=True),
}
