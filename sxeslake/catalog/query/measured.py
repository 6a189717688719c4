"""The positions of a lake that fit filters, with what is needed to read and to label their spectra."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from sxeslake.archive.spectra.measured import COLUMNS, Measured
from sxeslake.catalog.query.copies import without_copies
from sxeslake.catalog.query.filters import Filters
from sxeslake.catalog.query.select import Question, choose_positions
from sxeslake.errors import NotFoundError

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import Catalog

MEASURED: Final = ", ".join(f"p.{name}" for name in COLUMNS)
"""What a `Measured` has, of `numbered` positions called p."""


def numbered(scope: str = "true") -> str:
    """A FROM of positions called p, numbered through their archives; `scope` is on columns of `positions` called q."""
    return f"""(
    SELECT q.*, a.analysis_number,
           row_number() OVER (
               PARTITION BY q.archive_id ORDER BY a.analysis_number NULLS LAST, q.position_number, q.position_uuid
           ) AS number
    FROM positions AS q
    LEFT JOIN analyses AS a ON a.archive_id = q.archive_id AND a.analysis_uuid = q.analysis_uuid
    WHERE {scope}
) AS p"""


def measured_positions(
    catalog: Catalog, words: Mapping[str, object], *, where: str | None = None, place: tuple[str, int] | None = None
) -> Iterator[Measured]:
    """The positions of a lake that fit filters and a condition, by sample, version, analysis and number.

    `place` is the sample and version that counts; None means all, and then each measurement comes once, unless the
    words say `copies`. NotFoundError where nothing is left; it names the condition that leaves none.
    """
    filters = Filters.parse(words)
    condition = filters.condition("positions", "p")
    fitting = condition.sql if place or filters.copies else without_copies("positions", "p", condition.sql)
    scope, values = "true", dict(condition.parameters)
    if place is not None:  # below the numbering, which else goes through every archive
        scope = "q.sample = $of_sample AND q.version = $of_version"
        values |= {"of_sample": place[0], "of_version": place[1]}
    chosen: set[tuple[str, int, str]] | None = None
    if where is not None:
        chosen = set(choose_positions(catalog, Question(where=where, words=words), _places(catalog, place)))
    sql = f"SELECT {MEASURED} FROM {numbered(scope)} WHERE {fitting} ORDER BY p.sample, p.version, p.number"
    is_empty = True
    for batch in catalog.database().reader(sql, values):
        for row in batch.to_pylist():
            if chosen is None or (row["sample"], row["version"], row["position_uuid"]) in chosen:
                is_empty = False
                yield Measured(**row)
    if is_empty:
        choose_positions(catalog, Question(words=words), _places(catalog, place))  # says which filter leaves none
        raise NotFoundError("there are no positions.")


def _places(catalog: Catalog, place: tuple[str, int] | None) -> list[tuple[str, int]]:
    """One archive, or all of them."""
    if place is not None:
        return [place]
    table = catalog.database().table("SELECT sample, version FROM archives")
    return list(zip(table["sample"].to_pylist(), table["version"].to_pylist(), strict=True))
