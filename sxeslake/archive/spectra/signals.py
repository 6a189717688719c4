"""Spectra as the dictionaries that HyperSpy makes signals of; nothing of HyperSpy is imported.

The names and units of the metadata are those of HyperSpy's metadata reference, but for `Detector.SXES`, which it does
not have yet.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np

from sxeslake.archive.spectra.choice import analyses_called
from sxeslake.archive.spectra.dataset import PositionGrid, SpectrumReader, arrange, channels_of
from sxeslake.archive.spectra.measured import Measured, of_analysis
from sxeslake.archive.sxes.axes import Calibration, axis_of
from sxeslake.archive.sxes.group import Group
from sxeslake.archive.sxes.outline import Analysis
from sxeslake.archive.sxes.source import MemberSource
from sxeslake.errors import NotFoundError, UsageError

_UNIFORM: Final = 1e-6
"""Relative deviation of a step up to which an axis counts as uniform: HyperSpy's maps need uniform axes."""
_RAW: Final = 1000
"""Positions whose JSON goes into the original metadata; the rest is in the archive."""
_RIGHT_ANGLE_MM: Final = 1e-3


def signals_of(
    group: Group,
    *,
    analysis: str | int | None = None,
    data_type: str = "qlw",
    lazy: bool = False,
    on_done: Callable[[], None] | None = None,
) -> list[dict[str, Any]]:
    """One dictionary an analysis that has such data: `data`, `axes`, `metadata`, `original_metadata`.

    `on_done` is called when the last lazy array that reads from the group is gone. NotFoundError where the archive has
    no such analysis, or none with such data.
    """

    def members(_row: Measured) -> MemberSource:
        return group.edited

    if on_done is not None:
        weakref.finalize(members, on_done)  # each array's reader refers to it
    calibrations = tuple(group.calibrations())
    found = []
    wanted = analyses_called(group, analysis)
    for number, each in wanted:
        rows = list(of_analysis(each))
        channels = channels_of(rows, members, data_type) if rows else None
        if channels is None:
            continue
        arrangement = arrange(rows)
        values = arrangement.values(SpectrumReader(members, data_type, channels))
        if not lazy and hasattr(values, "compute"):
            values = values.compute(scheduler="synchronous")
        title = each.name or (group.name if len(wanted) == 1 else f"{group.name}, analysis {number}")
        axes = [*navigation_axes(arrangement), signal_axis(rows, channels, data_type, calibrations)]
        if len(rows) == 1:
            values, axes = values.reshape(channels), axes[-1:]
        for place, axis in enumerate(axes):
            axis["index_in_array"] = place
        found.append(
            {
                "data": values,
                "axes": axes,
                "metadata": metadata_of(rows, title, group.name, each.acquired_local),
                "original_metadata": _original(group, each, rows),
            }
        )
    if not found:
        raise NotFoundError(f"no analysis has {data_type} data.", where=group.name)
    return found


def navigation_axes(arrangement: PositionGrid) -> Iterator[dict[str, Any]]:
    """The axes of the positions: y and x in mm for a map, numbers otherwise."""
    for name, size in zip(arrangement.dimensions, arrangement.shape, strict=True):
        if arrangement.step_mm:
            step = arrangement.step_mm[arrangement.dimensions.index(name)]
            scale, offset, units = step, _origin_mm(arrangement, name), "mm"
        else:
            scale, offset, units = 1.0, 1.0, ""
        yield {"name": name, "size": size, "scale": scale, "offset": offset, "units": units, "navigate": True}


def _origin_mm(arrangement: PositionGrid, name: str) -> float:
    """Stage coordinate of the first row or column, where the lattice is not turned; else 0."""
    field = f"stage_{name}_mm"
    values = np.array(
        [np.nan if cell is None else getattr(cell, field) for cell in arrangement.cells], np.float64
    ).reshape(arrangement.shape)
    along = values if name == "x" else values.T
    first, spread = float(np.nanmean(along[:, 0])), float(np.nanmax(along[:, 0]) - np.nanmin(along[:, 0]))
    return round(first, 6) if spread <= _RIGHT_ANGLE_MM else 0.0


def signal_axis(
    rows: Sequence[Measured], channels: int, data_type: str, calibrations: Sequence[Calibration]
) -> dict[str, Any]:
    """The wavelength where all positions share one that is uniform, else the channel."""
    axis = {"name": "channel", "size": channels, "scale": 1.0, "offset": 0.0, "units": "", "navigate": False}
    try:
        found = [
            axis_of("wavelength", channels, data_type, setting, calibrations).values
            for setting in dict.fromkeys(row.setting for row in rows)
        ]
    except UsageError:
        return axis
    steps = np.diff(found[0])
    if any(not np.array_equal(found[0], each) for each in found) or np.ptp(steps) > _UNIFORM * abs(steps[0]):
        return axis
    # the step of the ends: single steps carry the rounding of two numbers
    scale = float((found[0][-1] - found[0][0]) / (channels - 1))
    return axis | {"name": "wavelength", "scale": scale, "offset": float(found[0][0]), "units": "Å"}


def metadata_of(
    rows: Sequence[Measured], title: str, file_name: str | None = None, started_local: datetime | None = None
) -> dict[str, Any]:
    """What all positions agree in, under the names of HyperSpy's metadata reference."""
    first = rows[0]

    def common(field: str) -> Any:
        values = {getattr(row, field) for row in rows}
        return values.pop() if len(values) == 1 else None

    def mean(field: str) -> float | None:
        values = [value for row in rows if (value := getattr(row, field)) is not None]
        return float(f"{np.mean(values):.10g}") if values else None

    stage = {axis: getattr(first, f"stage_{axis}_mm") for axis in "xyz"} if len(rows) == 1 else {}
    started = started_local or first.acquired_local
    return _known(
        {
            "General": {
                "title": title,
                "original_filename": file_name,
                "date": started.date().isoformat() if started else None,
                "time": started.time().isoformat("seconds") if started else None,
                "authors": common("operator"),
                "notes": common("comment"),
            },
            "Signal": {"signal_type": "", "quantity": "Counts"},
            "Acquisition_instrument": {
                "SEM": {
                    "microscope": common("instrument"),
                    "beam_energy": mean("accelerating_voltage_kv"),
                    "beam_current": mean("probe_current_na"),
                    "magnification": common("magnification"),
                    "Stage": stage,
                    "Detector": {
                        "SXES": {
                            "grating": common("grating"),
                            "spectrometer": common("spectrometer"),
                            "accumulation": common("accumulation"),
                            "ccd_temperature": mean("ccd_temperature_c"),
                        }
                    },
                }
            },
        }
    )


def _known(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without what is unknown."""
    found = {key: _known(value) if isinstance(value, dict) else value for key, value in tree.items()}
    return {key: value for key, value in found.items() if value is not None and value != {}}


def _original(group: Group, analysis: Analysis, rows: Sequence[Measured]) -> dict[str, Any]:
    """The archive's JSON as it is: the analysis, its conditions, the positions (of many the first thousand)."""
    some = analysis.positions[:_RAW]
    conditions = {}
    for position in some:
        condition = position.condition
        if condition is not None and condition.id not in conditions:
            conditions[condition.id] = condition.document.fields
    return {
        "analysis": {key: value for key, value in analysis.fields.items() if key != "positionUuids"},
        "conditions": conditions,
        "positions": {
            position.uuid: {"info": position.info_document.fields, "state": position.state_document.fields}
            for position in some
        },
        "archive": group.name,
        "positions_total": len(rows),
    }
