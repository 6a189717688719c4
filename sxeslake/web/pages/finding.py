"""Find: analyses by condition, with facets. All choices stand in the address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sxeslake.catalog.query.filter_spec import BY_NAME, SETTINGS
from sxeslake.web.answers import WebPage
from sxeslake.web.commands import python_call, shell_line
from sxeslake.web.facets import FACETS, Facet, FacetKind, annotation_facet, facet_of
from sxeslake.web.links import Word, changed, link
from sxeslake.web.tables import ROWS_SHOWN, table_of

if TYPE_CHECKING:
    from sxeslake.catalog.query.result import Result
    from sxeslake.web.visit import Visit

QUESTION = "analyses-by-condition"


def filters_of(visit: Visit) -> dict[str, object]:
    """The filters in the address; other words are for other things."""
    found: dict[str, object] = {}
    for name in (*BY_NAME, *SETTINGS):
        values = visit.many(name)
        if not values:
            continue
        several = name in BY_NAME and BY_NAME[name].several
        found[name] = values if several else visit.flag(name) if name == "copies" else values[-1]
    return found


def answer(visit: Visit, filters: Mapping[str, object]) -> Result:
    """The analyses that fit; kept for this commit and day, as a page and its facets ask for the same."""
    key = (visit.served.slug, visit.commit, dt.date.today(), repr(sorted(filters.items())))
    found: Result = visit.served.remembered.get(key, lambda: visit.lake.query(QUESTION, filters))
    return found


def page(visit: Visit) -> WebPage:
    """The analyses that fit, and what else they could be narrowed by."""
    filters = filters_of(visit)
    found = answer(visit, filters)
    number = visit.whole("page", 1)
    table = table_of(visit, found, "find", page=number, caption="Analyses")
    start = (number - 1) * ROWS_SHOWN
    facets = [_facet(visit, kind, filters, found) for kind in FACETS]
    facets.append(_annotations(visit, filters))
    return WebPage(
        "find.html",
        "Find",
        {
            "filters": filters,
            "understood": found.notes,
            "total": table.total,
            "rows": found.arrow().slice(start, ROWS_SHOWN).to_pylist(),
            "facets": [
                {"filter": each.name, "values": {value.label: value.count for value in each.values}, "more": each.more}
                for each in facets
            ],
        },
        shell=shell_line(visit, "query", QUESTION, filters=filters),
        python=python_call(visit, f"lake.query({QUESTION!r}", filters),
        view={
            "table": table,
            "shown_facets": facets,
            "chosen": _chosen(visit.words),
            "kept": [(name, value) for name, value in visit.words if name not in _ENTRIES and value],
            "entries": {name: visit.one(name) for name in _ENTRIES},
            "copies_href": link("find", changed(visit.words, copies=None if filters.get("copies") else "1")),
            "has_copies": bool(filters.get("copies")),
            "documents": link("question", q="find-text", text=visit.one("text")) if visit.one("text") else "",
        },
        permalink=link("find", changed(visit.words)),
    )


_ENTRIES = ("text", "kv", "current_na", "since", "until", "sample", "min_positions")
"""Filters with a text field of their own in the form."""


def _facet(visit: Visit, kind: FacetKind, filters: Mapping[str, object], found: Result) -> Facet:
    """Counts over the rows that the other choices leave: choosing one value keeps its neighbours in sight."""
    own = {"since", "until"} if kind.name == "since" else {kind.name}
    others = {name: value for name, value in filters.items() if name not in own}
    rows = found if others == filters else answer(visit, others)
    return facet_of(kind, rows.arrow()[kind.column].to_pylist(), visit.words)


def _annotations(visit: Visit, filters: Mapping[str, object]) -> Facet:
    others = {name: value for name, value in filters.items() if name != "annotation"}
    key = ("annotations", visit.served.slug, visit.commit, dt.date.today(), repr(sorted(others.items())))
    rows: list[dict[str, Any]] = visit.served.remembered.get(
        key, lambda: visit.lake.query("annotations-in-use", others).rows()
    )
    return annotation_facet(rows, visit.words)


def _chosen(words: Sequence[Word]) -> list[tuple[str, str]]:
    """What is chosen, each with the address without it."""
    known = {*BY_NAME, *SETTINGS}
    found = [(name, value) for name, value in words if name in known and value]
    return [
        (f"{name.replace('_', ' ')} {value}", link("find", [pair for pair in words if pair != (name, value)]))
        for name, value in found
    ]
