"""The positions of a lake that fit filters, with what is needed to read and to label their spectra."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from sxeslake.archive.spectra.measured import Measured
from sxeslake.catalog.choosing import Question, choose_positions
from sxeslake.catalog.copies import without_copies
from sxeslake.catalog.filters import Filters
from sxeslake.errors import NotFoundError

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import Catalog

_SELECT = """
SELECT p.sample, p.version, p.analysis_uuid, p.analysis_name, p.position_uuid, p.number, p.position_number, p.comment,
       p.accelerating_voltage_kv, p.probe_current_na, p.stage_x_mm, p.stage_y_mm, p.stage_z_mm,
       p.instrument, p.spectrometer, p.grating, p.acquired_local, p.accumulation, p.ccd_temperature_c, p.operator,
       p.project, p.magnification, p.condition_id, p.background_id, p.background_corrected
FROM (
    SELECT q.*, a.analysis_number,
           row_number() OVER (
               PARTITION BY q.archive_id ORDER BY a.analysis_number NULLS LAST, q.position_number, q.position_uuid
           ) AS number
    FROM positions AS q
    LEFT JOIN analyses AS a ON a.archive_id = q.archive_id AND a.analysis_uuid = q.analysis_uuid
) AS p
WHERE {condition}
ORDER BY p.sample, p.version, p.number
"""


def measured_positions(
    catalog: Catalog,
    words: Mapping[str, object],
    *,
    where: str | None = None,
    places: Collection[tuple[str, int]] = (),
) -> Iterator[Measured]:
    """The positions of a lake that fit filters and a condition, by sample, version, analysis and number.

    `places` are the samples and versions that count; none of them means all, and then each measurement comes once,
    unless the words say `copies`. NotFoundError where nothing is left; it names the condition that leaves none.
    """
    filters = Filters.parse(words)
    condition = filters.condition("positions", "p")
    fitting = condition.sql if places or filters.copies else without_copies("positions", "p", condition.sql)
    places = frozenset(places) or _archives(catalog)
    chosen: set[tuple[str, int, str]] | None = None
    if where is not None:
        chosen = set(choose_positions(catalog, Question(where=where, words=words), tuple(places)))
    is_empty = True
    for batch in catalog.database().reader(_SELECT.format(condition=fitting), condition.parameters):
        for row in batch.to_pylist():
            place = (row["sample"], row["version"])
            if place in places and (chosen is None or (*place, row["position_uuid"]) in chosen):
                is_empty = False
                yield Measured(**row)
    if is_empty:
        choose_positions(catalog, Question(words=words), tuple(places))  # says which filter leaves none
        raise NotFoundError("there are no positions.")


def _archives(catalog: Catalog) -> frozenset[tuple[str, int]]:
    table = catalog.database().table("SELECT sample, version FROM archives")
    return frozenset(zip(table["sample"].to_pylist(), table["version"].to_pylist(), strict=True))
