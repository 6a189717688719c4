"""Rows of `analyses`: the analysis' own fields, and the range of its positions' conditions and places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sxeslake.archive.spectra.lattice import PlaceLayout, layout_of
from sxeslake.archive.sxes.documents.fields import AnalysisFields, ProjectFields
from sxeslake.archive.sxes.documents.units import um_from_mm
from sxeslake.catalog.build.positions import latest, resolved_above
from sxeslake.catalog.build.shared_files import without

_RANGED: Final = (
    ("accelerating_voltage", "kv"),
    ("probe_current", "na"),
    ("probe_current_target", "na"),
)
_LISTS: Final = frozenset({"positionUuids", "imageUuids", "mapUuids"})

Values = Sequence[Any]


def analysis_row(
    number: int,
    analysis: AnalysisFields,
    original: Mapping[str, object],
    project: ProjectFields | None,
    columns: Mapping[str, Values],
    stated_kind: str | None = None,
) -> dict[str, Any]:
    """One row; `columns` are the columns of its positions alone, `stated_kind` is what its maps say of it."""
    comment, comment_source = resolved_above("comment", analysis, project)
    operator, operator_source = resolved_above("operator", analysis, project)
    return {
        "analysis_uuid": analysis.uuid,
        "analysis_number": number,
        "analysis_name": analysis.name,
        "comment": comment,
        "comment_source": comment_source,
        "operator": operator,
        "operator_source": operator_source,
        "project_uuid": project.uuid if project else None,
        "project": project.name if project else None,
        "instrument": analysis.instrument or _common(columns["instrument"]),
        "acquired_local": analysis.acquired_local,
        "last_saved_local": latest(columns["acquired_local"]),
        "positions": len(analysis.position_uuids),
        "positions_unreadable": sum(problem is not None for problem in columns["problem"]),
        "images": len(analysis.image_uuids),
        **_ranges(columns),
        **_commons(columns),
        **_places(columns),
        **({} if stated_kind is None else {"kind": stated_kind, "kind_inferred": False}),
        "json": without(original, _LISTS),
    }


def _known(values: Values) -> list[Any]:
    return [value for value in values if value is not None]


def _common(values: Values) -> Any:
    """The value, where all agree and none is missing."""
    different = set(values)
    return different.pop() if len(different) == 1 else None


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _ranges(columns: Mapping[str, Values]) -> dict[str, Any]:
    """Median, minimum, maximum of voltage and currents, and how many positions do not tell."""
    row: dict[str, Any] = {}
    for name, unit in _RANGED:
        values = columns[f"{name}_{unit}"]
        ordered = sorted(_known(values))
        row[f"{name}_missing"] = len(values) - len(ordered)
        if ordered:
            row[f"{name}_{unit}"] = _median(ordered)
            row[f"{name}_min_{unit}"], row[f"{name}_max_{unit}"] = ordered[0], ordered[-1]
    return row


def _commons(columns: Mapping[str, Values]) -> dict[str, Any]:
    """What all its positions have in common, and all that occurs."""
    row: dict[str, Any] = {
        name: _common(columns[name])
        for name in ("magnification", "probe_diameter_um", "grating", "spectrometer", "ccd_name", "accumulation")
    }
    for name, plural in (
        ("grating", "gratings"),
        ("spectrometer", "spectrometers"),
        ("condition_id", "condition_ids"),
        ("operator", "operators"),
    ):
        row[plural] = sorted(set(_known(columns[name])))
    for name in ("grating", "spectrometer", "accumulation"):
        row[f"{name}_missing"] = sum(value is None for value in columns[name])
    frames = _known(columns["accumulation"])
    if frames:
        row["accumulation_min"], row["accumulation_max"] = min(frames), max(frames)
    kinds = {tuple(types) for types in columns["types"]}
    row["types"] = sorted(set().union(*kinds))
    row["types_common"] = sorted(set.intersection(*map(set, kinds))) if kinds else []
    return row


def _places(columns: Mapping[str, Values]) -> dict[str, Any]:
    """Extent, and the kind as far as coordinates tell it."""
    pairs = list(zip(columns["stage_x_mm"], columns["stage_y_mm"], strict=True))
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    row: dict[str, Any] = {"stage_missing": len(pairs) - len(known)}
    if known:
        places_mm = np.array(known)
        low, high = places_mm.min(axis=0).tolist(), places_mm.max(axis=0).tolist()
        row["stage_x_min_mm"], row["stage_y_min_mm"] = low
        row["stage_x_max_mm"], row["stage_y_max_mm"] = high
        row["extent_x_um"], row["extent_y_um"] = map(um_from_mm, (high[0] - low[0], high[1] - low[1]))
        layout = layout_of(places_mm * 1e3)
    if len(pairs) == 1:
        layout = PlaceLayout("point")  # whether or not its place is known
    elif not known or not _settled(layout, columns, missing=len(pairs) - len(known)):
        return row
    return row | _layout_columns(layout)


def _settled(layout: PlaceLayout, columns: Mapping[str, Values], *, missing: int) -> bool:
    """Whether coordinates tell the kind.

    Unknown places are holes of a map, but could make anything else of the other kinds. Where the beam was deflected
    at one stage place, the scale of that is not known.
    """
    if missing and layout.kind != "map":
        return False
    deflected = len(set(columns["beam_x"])) > 1 or len(set(columns["beam_y"])) > 1
    return not (layout.kind == "repeat" and deflected)


def _layout_columns(layout: PlaceLayout) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": layout.kind, "kind_inferred": True}
    lattice = layout.lattice
    if lattice is not None:
        rounded: Callable[[float], float] = lambda value: round(value, 4) + 0.0  # noqa: E731 - 0.1 nm; the fit is no better
        row |= {
            "lattice_nx": lattice.nx,
            "lattice_ny": lattice.ny,
            "lattice_step_x_um": rounded(lattice.step_x_um),
            "lattice_step_y_um": rounded(lattice.step_y_um) if lattice.ny > 1 else None,
            "lattice_rotation_deg": rounded(lattice.rotation_deg),
            "lattice_holes": lattice.holes,
        }
    return row
