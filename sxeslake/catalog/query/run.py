"""Questions to results: queries of the library in this process, free SQL in the sandbox."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sxeslake.catalog.query.conditions import Over
from sxeslake.catalog.query.filters import Filters
from sxeslake.catalog.query.library import Bound
from sxeslake.catalog.query.result import Result
from sxeslake.errors import UsageError
from sxeslake.text.suggest import did_you_mean
from sxeslake.text.wording import said

if TYPE_CHECKING:
    from sxeslake.catalog.query.sandbox import FindScope, SandboxLimits, Scope

_LOG = logging.getLogger(__name__)

Read = Callable[[str, Mapping[str, object]], Any]
"""(SQL, values to bind) → an Arrow record batch reader."""

Count = Callable[[str, Mapping[str, object]], int]
"""(SQL behind `SELECT count(*) FROM`, values to bind) → how many rows."""

_SINGULAR: Final[dict[Over, str]] = {"analyses": "analysis", "positions": "position"}

EMPTY_LAKE = "the lake is empty; `sxeslake ingest PATH` stores archives"

_T = TypeVar("_T")


def ask(read: Read, bound: Bound, *, limit: int | None = None) -> Result:
    """The answer to a query of the library; its SQL is trusted, its values are bound."""
    _LOG.debug("query %s: %s", bound.name, " ".join(bound.sql.split()))
    bound = counted_once(read, bound)
    reader = _told(bound, lambda: read(bound.sql, bound.parameters))
    batches = _batches(_told, bound, reader)
    notes = bound.notes
    if bound.folds_copies:
        kept = list(batches)
        batches = iter(kept)
        notes += _note_on_copies(sum(sum(batch["copies"].to_pylist()) for batch in kept))
    return Result(
        reader.schema, batches, title=bound.title, notes=notes, limit=limit,
        show=_checked_show(bound, reader.schema.names), find_why_empty=lambda: why_empty(_counting(read), bound),
    )  # fmt: skip


def ask_freely(
    sql: str,
    scope: Scope | FindScope,
    *,
    parameters: Mapping[str, object] | None = None,
    limits: SandboxLimits | None = None,
    bound: Bound | None = None,
    read: Read | None = None,
) -> Result:
    """The answer to anybody's SQL: one SELECT, in a child process that can read the catalogue and nothing else.

    `bound` is the query of a folder that the SQL is from: its errors are said with its name. `read` runs the
    catalogue's own SQL that tells why there are no rows.
    """
    from sxeslake.catalog.query.sandbox import run_select  # noqa: PLC0415 - the library's queries need no child process

    answer = _named(bound, lambda: run_select(sql, scope, parameters=parameters, limits=limits))
    batches = answer.batches if bound is None else _batches(_named, bound, answer.batches)
    title, notes = ("", ()) if bound is None else (bound.title, bound.notes)
    try:
        show = () if bound is None else _checked_show(bound, answer.schema.names)
    except UsageError:
        answer.close()
        raise
    return Result(
        answer.schema, batches, title=title, notes=notes, close=answer.close, was_cut=lambda: answer.truncated,
        show=show, find_why_empty=None if read is None else lambda: why_empty(_counting(read), bound),
    )  # fmt: skip


def counted_once(read: Read, bound: Bound) -> Bound:
    """The query with a note on the copies that it leaves out; without copies, its SQL does not look for them again."""
    if bound.copies is None:
        return bound
    used = {name: value for name, value in bound.parameters.items() if re.search(rf"\${name}\b", bound.copies)}
    count = _told(bound, lambda: _counting(read)(f"({bound.copies})", used))
    if not count:
        return bound.counting_all()
    return replace(bound, notes=bound.notes + _note_on_copies(count))


def _note_on_copies(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (
        f"{count:,} {'copy' if count == 1 else 'copies'} left out; --copies shows {'it' if count == 1 else 'them'}",
    )


def _checked_show(bound: Bound, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that the query wants shown first; UsageError for one that its answer does not have."""
    for name in bound.show:
        if name not in columns:
            raise UsageError(
                f'its line "-- show:" names the column "{name}", which its answer does not have.',
                where=f'query "{bound.name}"',
                hint=did_you_mean(name, columns),
            )
    return with_lakes(bound.show, columns)


def with_lakes(shown: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The columns to show, each sample with its lake before it where the answer tells lakes apart."""
    if not shown:
        return ()
    named = [(name.removesuffix("sample") + "lake", name) for name in shown if name.endswith("sample")]
    lakes = {sample: lake for lake, sample in named if lake in columns and lake not in shown}
    return tuple(each for name in shown for each in ((lakes[name], name) if name in lakes else (name,)))


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


def _counting(read: Read) -> Count:
    def count(rows: str, values: Mapping[str, object]) -> int:
        return int(read(f"SELECT count(*) AS n FROM {rows}", values).read_all()["n"][0].as_py())

    return count


def _named(bound: Bound | None, step: Callable[[], _T]) -> _T:
    try:
        return step()
    except UsageError as error:
        if bound is not None:
            error.where = f'query "{bound.name}"'
        raise


def _batches(told: Callable[[Bound, Callable[[], Any]], Any], bound: Bound, batches: Iterator[Any]) -> Iterator[Any]:
    """The batches, whose errors are said as `told` says those of one step."""
    while (batch := told(bound, lambda: next(batches, None))) is not None:
        yield batch


def _told(bound: Bound, step: Callable[[], _T]) -> _T:
    """One step; what DuckDB has against a query, a user's own perhaps, is said with the query's name."""
    import duckdb  # noqa: PLC0415 - loaded already, by whoever reads
    import pyarrow as pa  # noqa: PLC0415 - as above

    try:
        return step()
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # DuckDB's errors in a stream come as OSError
        raise UsageError(str(error).strip(), where=f'query "{bound.name}"', has_lines=True) from error
