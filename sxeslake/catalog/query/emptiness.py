"""Why an answer has no rows: which condition left none, or that there is nothing in the lake to choose from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sxeslake.catalog.query.conditions import Over
from sxeslake.catalog.query.filters import Filters
from sxeslake.catalog.query.library import Bound
from sxeslake.text.wording import said

Count = Callable[[str, Mapping[str, object]], int]
"""(SQL behind `SELECT count(*) FROM`, values to bind) → how many rows."""

_SINGULAR: Final[dict[Over, str]] = {"analyses": "analysis", "positions": "position"}

EMPTY_LAKE = "the lake is empty; `sxeslake ingest PATH` stores archives"


def why_empty(count: Count, bound: Bound | None) -> str:
    """The reason, for people; empty where there is none to tell, as for free SQL over a lake with archives."""
    archives = count("archives", {})
    if not archives:
        return said(EMPTY_LAKE)
    if bound is None:
        return ""
    stored = f"{archives:,} {'archive' if archives == 1 else 'archives'}"
    if bound.over is None:
        return f"nothing in {stored} fits{_asked(bound)}"
    rows = count(bound.over, {})
    if not rows:
        return f"{stored}, none of them with {bound.over}"
    kept: dict[str, Any] = {}
    for name, value in bound.chosen.values.items():
        kept[name] = value
        condition = Filters(kept, bound.chosen.match).condition(bound.over, bound.over)
        left = count(f"{bound.over} WHERE {condition.sql}", condition.parameters)
        if not left:
            return f"{bound.chosen.options[name]} leaves none of {_left(rows, bound.over, bound, list(kept)[:-1])}"
        rows = left
    return f"nothing in {_left(rows, bound.over, bound, list(kept))} fits{_asked(bound)}"


def _left(rows: int, over: Over, bound: Bound, names: list[str]) -> str:
    """`14 positions`, or those that other filters left."""
    noun = _SINGULAR[over] if rows == 1 else over
    by = " ".join(bound.chosen.options[name] for name in names)
    return f"{rows:,} {noun}" + (f" that {by} {'leaves' if len(names) == 1 else 'leave'}" if by else "")


def _asked(bound: Bound) -> str:
    return f": {', '.join(bound.asked)}" if bound.asked else ""
