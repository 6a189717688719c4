"""Positions for a pull: a condition, the shared filters, a query or free SQL → sample, version and UUID of each.

    choose_positions(catalog, Question(where="accelerating_voltage_kv = 5 and stage_x_mm between 10 and 20"))

Where nothing is left, the error names the condition that emptied it, and what there was before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sxeslake.catalog.query.filters import Filters
from sxeslake.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import Catalog
    from sxeslake.catalog.query.result import Result

Row = tuple[str, int, str]
"""Sample, version, UUID of a position."""

_KEYS: Final = ("sample", "version", "analysis_uuid", "position_uuid")
_SELECT: Final = "SELECT p.sample, p.version, p.position_uuid FROM positions AS p"
_WORD = re.compile(r"\w+|\s+|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?(?:\*/|\Z)|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Question:
    """What positions are asked for: nothing said is all of them; what is said narrows."""

    where: str | None = None
    query: str | None = None
    sql: str | None = None
    words: Mapping[str, object] = field(default_factory=dict)  # of the shared filters and of the query
    folders: Sequence[Path] = ()

    def __bool__(self) -> bool:
        return bool(self.where or self.query or self.sql or self.words)

    def __str__(self) -> str:
        said = [f'--where "{self.where}"'] if self.where else []
        said += [f"--query {self.query}"] if self.query else []
        said += ["--sql"] if self.sql else []
        return " ".join([*said, *(_option(name, value) for name, value in self.words.items())])


class _ArchiveScope(NamedTuple):
    """The archives that count; one alone is looked for in SQL, many are picked from the answer."""

    versions: frozenset[tuple[str, int]]

    @property
    def sql(self) -> str:
        return "(p.sample = $in_sample AND p.version = $in_version)" if len(self.versions) == 1 else "true"

    @property
    def parameters(self) -> dict[str, object]:
        if len(self.versions) != 1:
            return {}
        ((sample, version),) = self.versions
        return {"in_sample": sample, "in_version": version}


def choose_positions(catalog: Catalog, question: Question, versions: Sequence[tuple[str, int]]) -> list[Row]:
    """The positions of some archive versions that fit; NotFoundError names the condition that leaves none."""
    if question.query and question.sql:
        raise UsageError("--query and --sql cannot be combined.")
    scope = _ArchiveScope(frozenset(versions))
    found: list[Row] | None = None
    if question.query or question.sql:
        found = _of_result(catalog, question, scope)
    elif question.words:
        found = _by_filters(catalog, question.words, scope)
    if question.where:
        fitting = _by_condition(catalog, question.where, scope)
        if found is not None:
            kept = set(fitting)
            narrowed = [row for row in found if row in kept]
            if not narrowed:
                raise NotFoundError(f'--where "{question.where}" leaves none of {len(found):,} positions.')
            found = narrowed
        else:
            found = fitting
    return found or []


def _by_filters(catalog: Catalog, words: Mapping[str, object], scope: _ArchiveScope) -> list[Row]:
    filters = Filters.parse(words)
    condition = filters.condition("positions", "p")
    values = {**condition.parameters, **scope.parameters}
    found = _rows(catalog.database().table(f"{_SELECT} WHERE {scope.sql} AND {condition.sql}", values), scope)
    if found:
        return found
    before = len(_rows(catalog.database().table(f"{_SELECT} WHERE {scope.sql}", scope.parameters), scope))
    kept: dict[str, Any] = {}
    for name, value in filters.values.items():
        kept[name] = value
        condition = Filters(kept, filters.match).condition("positions", "p")
        values = {**condition.parameters, **scope.parameters}
        left = len(_rows(catalog.database().table(f"{_SELECT} WHERE {scope.sql} AND {condition.sql}", values), scope))
        if not left:
            raise NotFoundError(f"{filters.written.get(name, name)} leaves none of {before:,} positions.")
        before = left
    raise NotFoundError("no position fits.")


def _by_condition(catalog: Catalog, where: str, scope: _ArchiveScope) -> list[Row]:
    """Positions by a user's own condition, which goes where all free SQL goes: into the sandbox."""
    found = _rows(_free(catalog, _guarded(where), scope), scope)
    if found:
        return found
    before = len(_rows(_free(catalog, "true", scope), scope))
    terms = and_terms(where)
    for count in range(1, len(terms) + 1):
        left = len(_rows(_free(catalog, " AND ".join(_guarded(term) for term in terms[:count]), scope), scope))
        if not left:
            raise NotFoundError(f'--where "{terms[count - 1]}" leaves none of {before:,} positions.')
        before = left
    raise NotFoundError(f'--where "{where}" leaves no position.')


def _free(catalog: Catalog, condition: str, scope: _ArchiveScope) -> Any:
    try:
        return _whole(catalog.sql(f"{_SELECT} WHERE {scope.sql} AND {condition}", scope.parameters))
    except UsageError as error:
        # What follows shows SQL that nobody wrote.
        what = error.what.split("\nLINE ")[0].strip()
        hint = error.hint or "`sxeslake schema positions` shows the columns."
        raise UsageError(what, where="--where", hint=hint) from error


def _guarded(condition: str) -> str:
    """In brackets of its own; the line's end keeps a comment at its end from swallowing them."""
    return f"({condition}\n)"


def _of_result(catalog: Catalog, question: Question, scope: _ArchiveScope) -> list[Row]:
    """The positions that the rows of a query name, by themselves, by their analysis or by their archive."""
    if question.sql:
        name, table = "--sql", _whole(catalog.sql(question.sql))
    else:
        name = f"--query {question.query}"
        # A copy is pulled where it is asked for: which archives count is chosen by name, not by who came first.
        words = {**question.words, **catalog.all_copies(question.query or "", question.folders)}
        table = _whole(catalog.query(question.query or "", words, folders=question.folders))
    keys = [key for key in _KEYS if key in table.column_names]
    if "sample" not in keys:
        raise UsageError(
            f"{name} names no archives.",
            hint="Its answer needs the column sample; best with version and position_uuid.",
        )
    if not table.num_rows:
        raise NotFoundError(f"{name} has no rows.")
    asked = table.select(keys).group_by(keys).aggregate([])
    lists = ", ".join(f"unnest($q_{key}) AS {key}" for key in keys)
    joins = " AND ".join(f"q.{key} = p.{key}" for key in keys)
    values: dict[str, object] = {f"q_{key}": asked[key].to_pylist() for key in keys}
    sql = f"{_SELECT} SEMI JOIN (SELECT {lists}) AS q ON {joins} WHERE {scope.sql}"
    found = _rows(catalog.database().table(sql, {**values, **scope.parameters}), scope)
    if not found:
        raise NotFoundError(f"{name} names no position of the requested archives.", hint=_elsewhere(asked, scope))
    return found


def _elsewhere(asked: Any, scope: _ArchiveScope) -> str | None:
    """Which version an answer names that was not asked for, if it names versions."""
    if "version" not in asked.column_names:
        return None
    named = zip(asked["sample"].to_pylist(), asked["version"].to_pylist(), strict=True)
    other = min(
        (f"{sample}@{version}" for sample, version in named if (sample, version) not in scope.versions), default=None
    )
    return other and f"It names {other}; without names, the newest versions are searched. Name it: `pull {other} …`."


def _whole(result: Result) -> Any:
    """All rows of an answer; a part of them would be a pull that silently lacks the rest."""
    table = result.arrow()
    if result.truncated:
        raise UsageError("the answer is too long to pull by.", hint="Narrow it.")
    return table


def _rows(table: Any, scope: _ArchiveScope) -> list[Row]:
    columns = (table[name].to_pylist() for name in ("sample", "version", "position_uuid"))
    return [row for row in zip(*columns, strict=True) if row[:2] in scope.versions]


def and_terms(condition: str) -> list[str]:
    """The parts between the outermost ANDs: `a = 1 and b between 2 and 3` → `a = 1`, `b between 2 and 3`.

    A condition with an outermost OR is one term.
    """
    terms, depth, between = [""], 0, 0
    for word in _WORD.findall(condition):
        folded = word.casefold()
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if depth == 0 and folded in ("or", "case"):
            return [condition.strip()]
        if depth == 0 and folded == "between":
            between += 1
        if depth == 0 and folded == "and":
            if not between:
                terms.append("")
                continue
            between -= 1
        terms[-1] += word
    return [term.strip() for term in terms if term.strip()]


def _option(name: str, value: object) -> str:
    shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"--{name.replace('_', '-')} {shown}"
