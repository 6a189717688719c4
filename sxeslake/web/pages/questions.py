"""Questions: the query library as forms, and free SQL, which runs in the sandbox's child process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sxeslake.catalog.query.filter_spec import FILTERS, SETTINGS
from sxeslake.catalog.query.sandbox import SandboxLimits
from sxeslake.errors import UsageError
from sxeslake.web.answers import WebPage
from sxeslake.web.links import link
from sxeslake.web.pages.commands import python_call, shell_line
from sxeslake.web.pages.finding import filters_of
from sxeslake.web.tables import ROWS_SHOWN, as_word, table_of

if TYPE_CHECKING:
    from sxeslake.catalog.query.header import Query
    from sxeslake.catalog.query.result import Result
    from sxeslake.web.visit import Visit


_LOOKED_AT: Final = 10_000
"""Rows that the pages of an answer go through; files have more."""


def library_page(visit: Visit) -> WebPage:
    """All questions."""
    found = list(visit.lake.queries())
    return WebPage(
        "questions.html", "Questions",
        {"questions": [{"name": each.name, "title": each.title, "help": as_word(each.help)} for each in found]},
        shell=shell_line(visit, "query"), python=python_call(visit, "lake.queries("), view={},
        permalink="questions",
    )  # fmt: skip


def query_of(visit: Visit) -> Query:
    """The question that the address names; its own SQL only."""
    name = visit.needed("q")
    found = next((each for each in visit.lake.queries() if each.name == name), None)
    if found is None:
        visit.lake.query(name)  # says what was meant
    assert found is not None
    return found


def answer_of(visit: Visit, query: Query, *, limit: int = _LOOKED_AT, stream: bool = False) -> Result:
    """Its answer to the words of the address; a page looks at some rows, a file has them as they come."""
    own = {each.name: visit.one(each.name) for each in query.parameters if visit.one(each.name)}
    filters = {name: value for name, value in filters_of(visit).items() if name not in own} if query.over else {}
    return visit.lake.query(query.name, {**filters, **own}, limit=limit, stream=stream)


def question_page(visit: Visit) -> WebPage:
    """One question as a form, and its answer where all that it needs is there."""
    query = query_of(visit)
    own = {each.name: visit.one(each.name) for each in query.parameters}
    filters = filters_of(visit) if query.over else {}
    missing = [each.name for each in query.parameters if each.required and not own[each.name]]
    table, rows, message = None, [], ""
    number = visit.whole("page", 1)
    if missing or (query.one_of and not any(own.get(name) for name in query.one_of)):
        message = f"This question needs {' and '.join(missing) or ' or '.join(query.one_of)}."
    else:
        try:
            found = answer_of(visit, query)
            table = table_of(visit, found, "question", page=number)
            rows = found.arrow().slice((number - 1) * ROWS_SHOWN, ROWS_SHOWN).to_pylist()
        except UsageError as error:
            message = f"{error.what} {error.hint or ''}".strip()
    return WebPage(
        "question.html", query.title,
        {"question": query.name, "help": as_word(query.help), "rows": rows, "total": table.total if table else 0,
         "message": message},
        shell=shell_line(visit, "query", query.name, filters=filters, **{k: v for k, v in own.items() if v}),
        python=python_call(visit, f"lake.query({query.name!r}", {**filters, **own}),
        view={
            "query": query, "help": as_word(query.help), "table": table, "own": own,
            "filter_fields": _fields(visit, query) if query.over else [],
            "has_filters": bool(filters),
        },
        permalink=link("question", visit.words),
    )  # fmt: skip


_LABELS: Final = {
    "kv": "voltage (kV)", "current_na": "current (nA)", "target_current_na": "target probe current (nA)",
    "text": "words", "type": "data type", "min_positions": "positions at least", "since": "from", "until": "until",
    "kv_tolerance": "± kV", "current_tolerance": "± % of the current", "copies": "copies, too",
}  # fmt: skip


def _fields(visit: Visit, query: Query) -> list[dict[str, Any]]:
    own = {each.name for each in query.parameters}
    found = [
        {"name": each.name, "label": _LABELS.get(each.name, each.name.replace("_", " ")), "help": each.help,
         "value": ", ".join(visit.many(each.name))}
        for each in FILTERS if each.name not in own
    ]  # fmt: skip
    return found + [
        {"name": name, "label": _LABELS.get(name, name.replace("_", " ")), "help": text, "value": visit.one(name)}
        for name, text in SETTINGS.items()
        if name not in own
    ]


def sql_answer(visit: Visit, *, limit: int = _LOOKED_AT, stream: bool = False) -> Result:
    """The answer to the SQL of the address: one SELECT, in a process that sees the catalogue and nothing else."""
    limits = SandboxLimits(seconds=visit.options.sql_seconds, rows=limit)
    return visit.lake.sql(visit.needed("sql"), limits=limits, stream=stream)


def sql_page(visit: Visit) -> WebPage:
    """Free SQL with the tables that it can ask."""
    text = visit.one("sql")
    table, rows, message = None, [], ""
    number = visit.whole("page", 1)
    if text:
        try:
            found = sql_answer(visit)
            table = table_of(visit, found, "sql", page=number, caption="Answer")
            rows = found.arrow().slice((number - 1) * ROWS_SHOWN, ROWS_SHOWN).to_pylist()
        except UsageError as error:
            message = f"{error.what} {error.hint or ''}".strip()
    tables = [
        {"name": each.name, "help": each.help, "columns": [
            {"name": column.name, "type": column.type, "unit": column.unit, "help": column.help}
            for column in each.columns
        ]}
        for each in visit.lake.schema()
    ]  # fmt: skip
    return WebPage(
        "sql.html", "SQL", {"sql": text, "rows": rows, "total": table.total if table else 0, "message": message},
        shell=shell_line(visit, "query", sql=text or "SELECT …"),
        python=python_call(visit, f"lake.sql({(text or 'SELECT …')!r}"),
        view={"table": table, "tables": tables}, permalink=link("sql", sql=text or None),
    )  # fmt: skip
