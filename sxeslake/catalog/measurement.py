"""What was measured in an archive: its analyses with beam, detector, time and people; in short for `ls -l`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

from sxeslake.text.html import HtmlRecord

Table = Callable[[str, Mapping[str, object]], Any]
"""(SQL, values to bind) → an Arrow table."""


@dataclass(frozen=True, slots=True)
class MeasuredAnalysis(HtmlRecord):
    """An analysis of an archive; voltage and current are medians over its positions, beside their range.

    Attributes
    ----------
    analysis_uuid : str or None
        The analysis.
    analysis_name : str or None
        Its name.
    kind : str or None
        ``"point"``, ``"repeat"``, ``"line"``, ``"map"`` or ``"points"``.
    positions : int
        How many positions it has.
    accelerating_voltage_kv : float or None
        Median accelerating voltage, in kV.
    accelerating_voltage_min_kv : float or None
        The lowest, in kV.
    accelerating_voltage_max_kv : float or None
        The highest, in kV.
    probe_current_na : float or None
        Median probe current, in nA.
    probe_current_min_na : float or None
        The lowest, in nA.
    probe_current_max_na : float or None
        The highest, in nA.
    grating : str or None
        The grating.
    spectrometer : str or None
        The spectrometer.
    instrument : str or None
        The instrument.
    acquired_local : datetime or None
        When it was begun, by the instrument's clock.
    last_saved_local : datetime or None
        When its last position was saved, by the instrument's clock.
    operator : str or None
        Who measured.
    project : str or None
        The project's name.
    comment : str or None
        What people say of it.

    Examples
    --------
    >>> (row,) = lake.measurement("map")
    >>> row.kind, row.probe_current_na
    ('map', 99.995)
    """

    html_columns: ClassVar[Mapping[str, str]] = {
        "analysis_name": "analysis", "kind": "kind", "positions": "positions", "accelerating_voltage_kv": "kV",
        "probe_current_na": "nA", "grating": "grating", "acquired_local": "acquired", "comment": "comment",
        "operator": "operator",
    }  # fmt: skip

    analysis_uuid: str | None
    analysis_name: str | None
    kind: str | None
    positions: int
    accelerating_voltage_kv: float | None
    accelerating_voltage_min_kv: float | None
    accelerating_voltage_max_kv: float | None
    probe_current_na: float | None
    probe_current_min_na: float | None
    probe_current_max_na: float | None
    grating: str | None
    spectrometer: str | None
    instrument: str | None
    acquired_local: dt.datetime | None
    last_saved_local: dt.datetime | None
    operator: str | None
    project: str | None
    comment: str | None


@dataclass(frozen=True, slots=True)
class Conditions(HtmlRecord):
    """Of all analyses of an archive: the voltages, currents and gratings that occur, and when it was begun.

    Attributes
    ----------
    accelerating_voltages_kv : tuple of float
        Accelerating voltages, in kV.
    probe_currents_na : tuple of float
        Probe currents, in nA.
    gratings : tuple of str
        Gratings.
    acquired_local : datetime or None
        When it was begun, by the instrument's clock.

    Examples
    --------
    >>> lake.conditions_of_samples()["map", 1].gratings
    ('JS300N',)
    """

    accelerating_voltages_kv: tuple[float, ...]
    probe_currents_na: tuple[float, ...]
    gratings: tuple[str, ...]
    acquired_local: dt.datetime | None


_ANALYSES: Final = (
    f"SELECT {', '.join(field.name for field in fields(MeasuredAnalysis))} FROM analyses "
    "WHERE sample = $sample AND version = $version ORDER BY analysis_number"
)
_CONDITIONS: Final = """
SELECT
    sample,
    version,
    list_sort(list(DISTINCT accelerating_voltage_kv) FILTER (accelerating_voltage_kv IS NOT NULL)) AS kv,
    list_sort(list(DISTINCT probe_current_na) FILTER (probe_current_na IS NOT NULL)) AS na,
    list_sort(list(DISTINCT grating) FILTER (grating IS NOT NULL)) AS gratings,
    min(acquired_local) AS acquired_local
FROM analyses
GROUP BY sample, version
"""


def analyses_of(table: Table, sample: str, version: int) -> list[MeasuredAnalysis]:
    """The analyses of a version in their order; none where it is no archive of measurements."""
    rows = table(_ANALYSES, {"sample": sample, "version": version}).to_pylist()
    return [MeasuredAnalysis(**row) for row in rows]


def all_conditions(table: Table) -> dict[tuple[str, int], Conditions]:
    """The conditions of every version that has analyses."""
    return {
        (row["sample"], row["version"]): Conditions(
            tuple(row["kv"] or ()), tuple(row["na"] or ()), tuple(row["gratings"] or ()), row["acquired_local"]
        )
        for row in table(_CONDITIONS, {}).to_pylist()
    }
