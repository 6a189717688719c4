"""What was measured in an archive: its analyses with beam, detector, time and people; in short for `ls -l`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, TypeVar

from sxeslake.text.html import HtmlRecord

_RecordT = TypeVar("_RecordT")
Table = Callable[[str, Mapping[str, object]], Any]
"""(SQL, values to bind) → an Arrow table."""


@dataclass(frozen=True, slots=True)
class ShownChannel(HtmlRecord):
    """A channel of a map that no newer version replaces; voltage and current of its condition, else of the map."""

    channel_name: str | None
    element: str | None
    line: str | None
    order: int | None
    crystal: str | None
    spectrometer: int | None
    dwell_ms: float | None
    dtype: str | None
    shape: list[int] | None
    quantity: str | None
    unit: str | None
    channel_version: int
    accelerating_voltage_kv: float | None
    probe_current_na: float | None


@dataclass(frozen=True, slots=True)
class ShownMap(HtmlRecord):
    """A map of an analysis: its points, how many of them have a position, the distance of neighbours, its channels."""

    html_columns: ClassVar[Mapping[str, str]] = {
        "map_name": "map", "kind": "kind", "rows": "rows", "columns": "columns", "points": "points",
        "positions": "positions", "step_x_um": "step x µm", "step_y_um": "step y µm",
    }  # fmt: skip

    map_uuid: str
    map_name: str | None
    kind: str | None
    rows: int | None
    columns: int | None
    points: int | None
    positions: int | None
    step_x_um: float | None
    step_y_um: float | None
    channels: list[ShownChannel] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ShownArray(HtmlRecord):
    """A data type that an archive describes: its shape, its axis, and how many positions of the analysis have it so."""

    data_type: str
    dtype: str | None
    shape: list[int] | None
    axis_quantity: str | None
    axis_unit: str | None
    axis_start: float | None
    axis_step: float | None
    axis_method: str | None
    array_version: int
    positions: int


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
    maps : list of ShownMap
        Its map objects, with their channels.
    arrays : list of ShownArray
        The described arrays of its positions, by data type.

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
    maps: list[ShownMap] = field(default_factory=list)
    arrays: list[ShownArray] = field(default_factory=list)


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


def _columns(record: type[Any], *more: str) -> str:
    """The columns that a record has: all fields but its lists of records."""
    own = [each.name for each in fields(record) if each.name not in ("maps", "arrays", "channels")]
    return ", ".join(f'"{name}"' for name in (*more, *own))


_ANALYSES: Final = (
    f"SELECT {_columns(MeasuredAnalysis)} FROM analyses "
    "WHERE sample = $sample AND version = $version ORDER BY analysis_number"
)
_MAPS: Final = (
    f"SELECT {_columns(ShownMap, 'analysis_uuid')} FROM maps "
    "WHERE sample = $sample AND version = $version ORDER BY map_name, map_uuid"
)
_CHANNELS: Final = (
    f"SELECT {_columns(ShownChannel, 'map_uuid')} FROM map_channels "
    "WHERE sample = $sample AND version = $version AND is_current ORDER BY channel_number"
)
_ARRAYS: Final = """
SELECT
    p.analysis_uuid, r.data_type, r.dtype, r.shape, r.axis_quantity, r.axis_unit, r.axis_start, r.axis_step,
    r.axis_method, r.array_version, count(*) AS positions
FROM arrays AS r
INNER JOIN positions AS p ON p.archive_id = r.archive_id AND p.position_uuid = r.position_uuid
WHERE r.sample = $sample AND r.version = $version
GROUP BY ALL
ORDER BY r.data_type, positions DESC
"""
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
    rows, maps, channels, arrays = (
        table(sql, {"sample": sample, "version": version}).to_pylist() for sql in (_ANALYSES, _MAPS, _CHANNELS, _ARRAYS)
    )
    by_map = _grouped(channels, "map_uuid", ShownChannel)
    for row in maps:
        row["channels"] = by_map.get(row["map_uuid"], [])
    by_analysis, described = _grouped(maps, "analysis_uuid", ShownMap), _grouped(arrays, "analysis_uuid", ShownArray)
    return [
        MeasuredAnalysis(
            **row, maps=by_analysis.get(row["analysis_uuid"], []), arrays=described.get(row["analysis_uuid"], [])
        )
        for row in rows
    ]


def _grouped(rows: list[dict[str, Any]], key: str, record: Callable[..., _RecordT]) -> dict[Any, list[_RecordT]]:
    """Rows as records, by what they belong to."""
    found: dict[Any, list[_RecordT]] = {}
    for row in rows:
        values = {name: value for name, value in row.items() if name != key}
        found.setdefault(row[key], []).append(record(**values))
    return found


def all_conditions(table: Table) -> dict[tuple[str, int], Conditions]:
    """The conditions of every version that has analyses."""
    return {
        (row["sample"], row["version"]): Conditions(
            tuple(row["kv"] or ()), tuple(row["na"] or ()), tuple(row["gratings"] or ()), row["acquired_local"]
        )
        for row in table(_CONDITIONS, {}).to_pylist()
    }
