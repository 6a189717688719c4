"""Filters as SQL conditions over `positions` and `analyses`: columns are named here, values are only ever bound.

An analysis has the minimum, maximum and missing count of each quantity, and every value of each text, so that
"all its positions fit" is answered without looking at positions. "Any" looks at them, for one position must fit
all filters at once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sxeslake.catalog.query.filter_spec import BY_NAME, Filter
from sxeslake.catalog.query.quantity import Range

Match = Literal["all", "any"]
Over = Literal["positions", "analyses"]


@dataclass(frozen=True, slots=True)
class SqlCondition:
    """SQL that is true for what was chosen, and the values that it binds."""

    sql: str
    parameters: Mapping[str, object] = field(default_factory=dict)


def compile_condition(values: Mapping[str, Any], match: Match, over: Over, table: str) -> SqlCondition:
    """The condition for parsed filter values, on columns of `table`, an alias of `over`."""
    bound = _Binder()
    if over == "positions":
        terms = [_on_position(name, value, table, bound) for name, value in values.items()]
    elif match == "all":
        terms = [_on_analysis(name, value, table, bound) for name, value in values.items()]
    else:
        terms = _any_position(values, table, bound)
    return SqlCondition(" AND ".join(terms) or "true", bound.parameters)


class _Binder:
    """Hands out parameter names: `bind(5)` → `$f1`."""

    def __init__(self) -> None:
        self.parameters: dict[str, object] = {}

    def bind(self, value: object) -> str:
        name = f"f{len(self.parameters) + 1}"
        self.parameters[name] = value
        return f"${name}"


def _on_position(name: str, value: Any, table: str, bound: _Binder) -> str:
    each = BY_NAME[name]
    column = f"{table}.{each.column}"
    match each.type:
        case "range":
            term = _between(column, column, value, bound)
        case "types":
            term = f"list_has_all({column}, {bound.bind(list(value))})"
        case "since" | "until":
            term = _date(each.type, column, value, bound)
        case "said":
            term = _all_said(table, value, f"IN ({table}.analysis_uuid, {table}.position_uuid)", bound)
        case "kind" | "integer":
            own = _on_analysis(name, value, "fa", bound)
            term = f"EXISTS (FROM analyses fa WHERE {_same_analysis('fa', table)} AND {own})"
        case "words":
            of_its_analysis = f"{_same_analysis('fa', table)} AND {_all_words('fa', value, bound)}"
            term = f"({_all_words(table, value, bound)} OR EXISTS (FROM analyses fa WHERE {of_its_analysis}))"
        case _:
            term = _alternative(column, value, each.contains, bound)
    return term


def _on_analysis(name: str, value: Any, table: str, bound: _Binder) -> str:
    """The term by which all positions of an analysis match."""
    each = BY_NAME[name]
    column = f"{table}.{each.column}"
    match each.type:
        case "range":
            low, high = _extremes(each.column)
            missing = f"{table}.{_stem(each.column)}_missing"
            term = f"{_between(f'{table}.{low}', f'{table}.{high}', value, bound)} AND {missing} = 0"
        case "said":
            term = _all_said(table, value, f"= {table}.analysis_uuid", bound)
        case "types":
            term = f"list_has_all({table}.types_common, {bound.bind(list(value))})"
        case "since" | "until":
            term = _date(each.type, column, value, bound)
        case "kind":
            term = f"{column} IN ({', '.join(bound.bind(kind) for kind in value)})"
        case "integer":
            term = f"{column} >= {bound.bind(value)}"
        case "words":
            misses = f"NOT {_all_words('fp', value, bound)}"
            one_misses = f"EXISTS (FROM positions fp WHERE {_same_analysis('fp', table)} AND {misses})"
            term = f"({_all_words(table, value, bound)} OR ({table}.positions > 0 AND NOT {one_misses}))"
        case _ if each.plural:
            listed = f"{table}.{each.plural}"
            fits = f"list_filter({listed}, lambda v: {_alternative('v', value, each.contains, bound)})"
            complete = _complete(each, table)
            term = f"len({listed}) > 0 AND len({fits}) = len({listed}) AND {complete}"
        case _:
            term = _alternative(column, value, each.contains, bound)
    return term


def _complete(each: Filter, table: str) -> str:
    """The term by which no position of an analysis is without the text."""
    if not each.inherited:
        return f"{table}.{each.column}_missing = 0"
    without = f"EXISTS (FROM positions fp WHERE {_same_analysis('fp', table)} AND fp.{each.column} IS NULL)"
    return f"({table}.{each.column} IS NOT NULL OR NOT {without})"


def _any_position(values: Mapping[str, Any], table: str, bound: _Binder) -> list[str]:
    """The terms by which one position of an analysis matches all filters at once; dates are the analysis' own."""
    of_analysis = {name: value for name, value in values.items() if BY_NAME[name].type in _OF_ANALYSIS}
    of_positions = {name: value for name, value in values.items() if name not in of_analysis}
    terms = [_on_analysis(name, value, table, bound) for name, value in of_analysis.items()]
    # The ranges of an analysis rule out most of them, before their positions are looked at.
    for name, value in of_positions.items():
        if isinstance(value, Range):
            low, high = _extremes(BY_NAME[name].column)
            terms.append(_between(f"{table}.{high}", f"{table}.{low}", value, bound))
    if of_positions:
        inner = " AND ".join(_on_position(name, value, "fp", bound) for name, value in of_positions.items())
        terms.append(f"EXISTS (FROM positions fp WHERE {_same_analysis('fp', table)} AND {inner})")
    return terms


_OF_ANALYSIS: Final = ("kind", "integer", "since", "until")
_UNIT_SUFFIX = re.compile(r"_(kv|na)$")


def _stem(column: str) -> str:
    return _UNIT_SUFFIX.sub("", column)


def _extremes(column: str) -> tuple[str, str]:
    """`probe_current_na` → `probe_current_min_na`, `probe_current_max_na`."""
    unit = column[len(_stem(column)) :]
    return f"{_stem(column)}_min{unit}", f"{_stem(column)}_max{unit}"


def _same_analysis(inner: str, outer: str) -> str:
    return f"{inner}.archive_id = {outer}.archive_id AND {inner}.analysis_uuid = {outer}.analysis_uuid"


def _between(low_column: str, high_column: str, value: Range, bound: _Binder) -> str:
    terms = []
    if value.floor is not None:
        terms.append(f"{low_column} >= {bound.bind(value.floor)}")
    if value.ceiling is not None:
        terms.append(f"{high_column} <= {bound.bind(value.ceiling)}")
    return " AND ".join(terms)


def _date(side: Literal["since", "until"], column: str, value: dt.datetime, bound: _Binder) -> str:
    return f"{column} {'>=' if side == 'since' else '<'} {bound.bind(value)}"


def _alternative(column: str, values: Sequence[str], contains: bool, bound: _Binder) -> str:
    """One of the values: equal, or containing it, or fitting its wildcards, without regard to case."""
    terms = []
    for value in values:
        folded = value.casefold()
        if re.search(r"[*?]", folded):
            terms.append(f"lower({column}) GLOB {bound.bind(folded.replace('[', '[[]'))}")
        elif contains:
            terms.append(f"contains(lower({column}), {bound.bind(folded)})")
        else:
            terms.append(f"lower({column}) = {bound.bind(folded)}")
    return f"({' OR '.join(terms)})"


def _all_said(table: str, values: Sequence[tuple[str, str]], whose: str, bound: _Binder) -> str:
    """Each was said of the sample, of this version, or of the analysis or position itself, and holds."""
    terms = []
    for key, wanted in values:
        holds = (
            f"fn.is_current AND fn.value IS NOT NULL AND fn.sample = {table}.sample "
            f"/*lakes: AND fn.lake = {table}.lake */ "
            f"AND (fn.version IS NULL OR fn.version = {table}.version) "
            f"AND (fn.target_uuid IS NULL OR fn.target_uuid {whose})"
        )
        said = f"fn.key = {bound.bind(key)} AND {_alternative('fn.value', (wanted,), False, bound)}"
        terms.append(f"EXISTS (FROM annotations fn WHERE {holds} AND {said})")
    return f"({' AND '.join(terms)})"


_TEXT_COLUMNS: Final = ("sample", "project", "analysis_name", "comment", "operator", "instrument")
"""What `text` looks at; positions and analyses have the same."""


def _all_words(table: str, words: Sequence[str], bound: _Binder) -> str:
    """Every word occurs somewhere in the text columns."""
    text = f"lower(concat_ws(' ', {', '.join(f'{table}.{column}' for column in _TEXT_COLUMNS)}))"
    return "(" + " AND ".join(f"contains({text}, {bound.bind(word.casefold())})" for word in words) + ")"
