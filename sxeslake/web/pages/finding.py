"""Find: analyses by condition, with facets. All choices stand in the address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sxeslake.catalog.query.filter_spec import BY_NAME, SETTINGS
from sxeslake.catalog.query.result import Result
from sxeslake.errors import DamagedLakeError
from sxeslake.web.answers import WebPage
from sxeslake.web.facets import FACETS, Counts, Facet, FacetKind, annotation_facet, counted, facet_of
from sxeslake.web.failures import failure_of
from sxeslake.web.links import Word, changed, link
from sxeslake.web.pages.commands import python_call, shell_line
from sxeslake.web.tables import ROWS_SHOWN, table_of

if TYPE_CHECKING:
    from sxeslake.web.visit import Visit

QUESTION = "analyses-by-condition"
_SAMPLES_LISTED: Final = 500  # where conditions cannot be searched


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


@dataclass(frozen=True, slots=True)
class FoundSummary:
    """How many analyses fit, and what the facets count over them; the rows themselves are not kept."""

    total: int
    counts: Mapping[str, Counts]


def summary(visit: Visit, filters: Mapping[str, object]) -> FoundSummary:
    """What there is to count for some filters; kept for this commit and day."""
    found: FoundSummary = visit.served.remembered.get(
        _key(visit, "summary", filters), lambda: _summed(visit.lake.query(QUESTION, filters))
    )
    return found


def _summed(result: Result) -> FoundSummary:
    rows = result.arrow()
    return FoundSummary(rows.num_rows, {kind.name: counted(rows[kind.column], kind) for kind in FACETS})


def rows_of_page(visit: Visit, filters: Mapping[str, object], number: int) -> Result:
    """The analyses on one page of the answer; their summary is kept, too, where it is not yet."""

    def asked() -> Result:
        whole = visit.lake.query(QUESTION, filters)
        visit.served.remembered.get(_key(visit, "summary", filters), lambda: _summed(whole))
        why = whole.why_empty
        return Result.of_table(
            whole.arrow().slice((number - 1) * ROWS_SHOWN, ROWS_SHOWN), title=whole.title, notes=whole.notes,
            show=whole.show, find_why_empty=lambda: why,
        )  # fmt: skip

    found: Result = visit.served.remembered.get((*_key(visit, "page", filters), number), asked)
    return found


def _key(visit: Visit, what: str, filters: Mapping[str, object]) -> tuple[object, ...]:
    """A filter may say `yesterday`: what is kept is kept for a day."""
    return what, visit.commit, dt.date.today(), repr(sorted(filters.items()))


def page(visit: Visit) -> WebPage:
    """The analyses that fit, and what else they could be narrowed by; the samples where the catalogue is damaged."""
    try:
        return _found(visit)
    except DamagedLakeError as error:
        return _samples(visit, failure_of(error, [visit.lake.url]).what)


def _samples(visit: Visit, what: str) -> WebPage:
    """What can be said of a lake whose catalogue cannot be made: its samples, which can still be opened."""
    names = [str(each.sample) for each in islice(visit.lake.ls(), _SAMPLES_LISTED)]
    trouble = f"The catalogue cannot be made, so conditions cannot be searched: {what}"
    return WebPage(
        "samples.html", "Samples", {"troubles": [trouble], "samples": names},
        shell=shell_line(visit, "ls"), python=python_call(visit, "lake.ls("),
        view={"links": [(name, link("archive", of=name)) for name in names]}, is_whole=False,
    )  # fmt: skip


def _found(visit: Visit) -> WebPage:
    filters = filters_of(visit)
    number = visit.whole("page", 1)
    found = rows_of_page(visit, filters, number)
    total = summary(visit, filters).total
    table = table_of(visit, found, "find", page=number, caption="Analyses", total=total)
    facets = [_facet(visit, kind, filters) for kind in FACETS]
    facets.append(_annotations(visit, filters))
    return WebPage(
        "find.html",
        "Find",
        {
            "filters": filters,
            "understood": found.notes,
            "total": table.total,
            "rows": found.rows(),
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


def _facet(visit: Visit, kind: FacetKind, filters: Mapping[str, object]) -> Facet:
    """Counts over the rows that the other choices leave: choosing one value keeps its neighbours in sight."""
    own = {"since", "until"} if kind.name == "since" else {kind.name}
    others = {name: value for name, value in filters.items() if name not in own}
    return facet_of(kind, summary(visit, others).counts[kind.name], visit.words)


def _annotations(visit: Visit, filters: Mapping[str, object]) -> Facet:
    others = {name: value for name, value in filters.items() if name != "annotation"}
    rows: list[dict[str, Any]] = visit.served.remembered.get(
        _key(visit, "annotations", others), lambda: visit.lake.query("annotations-in-use", others).rows()
    )
    return annotation_facet(rows, visit.words)


_CHIPS: Final = {
    "kv": "{} kV", "current_na": "{} nA", "target_current_na": "{} nA set", "kind": "kind {}",
    "grating": "grating {}", "spectrometer": "spectrometer {}", "instrument": "instrument {}",
    "operator": "operator {}", "project": "project {}", "since": "from {}", "until": "until {}", "text": "“{}”",
    "sample": "sample {}", "min_positions": "at least {} positions", "copies": "with copies",
    "accumulation": "{} frames", "type": "with {} data", "match": "match {}", "kv_tolerance": "± {} kV",
    "current_tolerance": "± {} %",
}  # fmt: skip
"""What is chosen, in words."""


def _chosen(words: Sequence[Word]) -> list[tuple[str, str]]:
    """What is chosen, each with the address without it."""
    known = {*BY_NAME, *SETTINGS}
    found = [(name, value) for name, value in words if name in known and value]
    return [
        (_CHIPS.get(name, "{}").format(value), link("find", [pair for pair in words if pair != (name, value)]))
        for name, value in found
    ]
