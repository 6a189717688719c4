"""Standards: positions that somebody annotated with role=standard, measured under the conditions of a spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sxeslake.archive.spectra.measured import Measured
from sxeslake.catalog.query.copies import without_copies
from sxeslake.catalog.query.measured import MEASURED, numbered

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import Catalog

VOLTAGE_TOLERANCE_KV: Final = 0.05
"""Accelerating voltages that differ by no more are alike, as for the filter kv."""

_SAID: Final = """
    s.is_current AND s.value IS NOT NULL AND s.sample = p.sample AND (s.version IS NULL OR s.version = p.version)
    AND (s.target = 'sample' OR (s.target = 'analysis' AND s.target_uuid = p.analysis_uuid)
         OR (s.target = 'position' AND s.target_uuid = p.position_uuid))
"""
"""An annotation is about a position: about itself, its analysis, its version or its sample."""

_LIKE: Final = f"""
    EXISTS (FROM annotations AS s WHERE s.key = 'role' AND lower(s.value) = 'standard' AND {_SAID})
    AND p.grating = $grating
    AND p.spectrometer IS NOT DISTINCT FROM $spectrometer
    AND abs(p.accelerating_voltage_kv - $kv) <= $tolerance_kv
    AND (p.content_id IS NULL OR p.content_id IS DISTINCT FROM $content_id)
    AND p.position_uuid <> $position_uuid
"""

_MATERIAL: Final = f"""(
    SELECT arg_max(
        s.value, (s.target = 'position', s.target = 'analysis', s.version IS NOT NULL, s.log_number, s.ordinal)
    )
    FROM annotations AS s WHERE s.key = 'material' AND {_SAID}
) AS material"""


def standards_like(
    catalog: Catalog, row: Measured, *, tolerance_kv: float = VOLTAGE_TOLERANCE_KV
) -> Iterator[tuple[Measured, str | None]]:
    """Positions annotated as standards with the grating, spectrometer and voltage of `row`, each with its material.

    The position itself, and copies of it, are none of them. Nothing where `row` has no grating or no voltage.
    """
    if row.grating is None or row.accelerating_voltage_kv is None:
        return
    values = {
        "grating": row.grating,
        "spectrometer": row.spectrometer,
        "kv": row.accelerating_voltage_kv,
        "tolerance_kv": tolerance_kv,
        "position_uuid": row.position_uuid,
        "content_id": _content_id(catalog, row),
    }
    like = without_copies("positions", "p", _LIKE)
    sql = f"SELECT {MEASURED}, {_MATERIAL} FROM {numbered()} WHERE {like} ORDER BY p.sample, p.version, p.number"
    for found in catalog.database().table(sql, values).to_pylist():
        material = found.pop("material")
        yield Measured(**found), material


def _content_id(catalog: Catalog, row: Measured) -> str | None:
    table = catalog.database().table(
        "SELECT content_id FROM positions WHERE sample = $sample AND version = $version AND position_uuid = $uuid",
        {"sample": row.sample, "version": row.version, "uuid": row.position_uuid},
    )
    return table["content_id"][0].as_py() if table.num_rows else None
