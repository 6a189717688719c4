"""Map objects of analyses whose positions form a raster or a line beyond doubt. Pure.

The kind is inferred as the catalogue infers it (`spectra.lattice`), and more strictly: every position must have its
place, and the beam must not have been deflected differently, for the scale of a deflection is not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np

from sxeslake.archive.migration.contents import DocumentChange, GroupContents
from sxeslake.archive.spectra.lattice import Lattice, Places, cells_of, layout_of
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import AnalysisFields, StateFields, objects, read_analysis, read_state
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.documents.units import um_from_mm
from sxeslake.archive.sxes.extensions.carried import map_ids, with_maps
from sxeslake.archive.sxes.extensions.map_fields import MapFrame, map_json, read_map

METHOD: Final = "inferred from stage coordinates"
"""What a map says that no instrument stated: `method`."""

_NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "sxeslake:map")
_DIGITS_MM: Final = 7  # 0.1 nm; a fit is no better
_MOST_POSITIONS: Final = 1_000_000


def add_maps(group: GroupContents) -> Iterator[DocumentChange]:
    """`maps/<uuid>/map.json` for each analysis that is a raster or a line and has no map yet."""
    if any(document is None or not document.fields for document in map(group.document, group.map_paths())):
        return  # a map that cannot be read may be that of any analysis
    mapped = {read_map(group.fields(path)).analysis_uuid for path in group.map_paths()}
    analyses = group.metadata.get("analyses")
    times = Counter(read_analysis(entry).uuid for entry in objects(analyses))
    added: dict[str, str] = {}
    for entry in objects(analyses):
        analysis = read_analysis(entry)
        uuid = analysis.uuid
        if uuid is None or times[uuid] > 1 or uuid in mapped or not isinstance(entry.get(layout.MAP_KEY, []), list):
            continue
        if any(f"{layout.map_folder(each)}{layout.MAP}" in group.sizes for each in map_ids(entry, ())):
            continue
        value = _map_of(group, analysis, uuid)
        if value is not None and f"{layout.map_folder(value['uuid'])}{layout.MAP}" not in group.sizes:
            added[uuid] = value["uuid"]
            path = f"{layout.map_folder(value['uuid'])}{layout.MAP}"
            size = " × ".join(map(str, reversed(value["shape"])))
            name = f' "{analysis.name}"' if analysis.name else ""
            what = "line" if value["kind"] == "line" else "raster"
            yield DocumentChange(path, f"analysis{name} {uuid}: {what} of {size} positions", dump(value))
    document = group.document(layout.METADATA)
    if added and document is not None and isinstance(analyses, list):
        listed = [_with_map(entry, added) for entry in analyses]
        data = dump({**group.metadata, "analyses": listed}, document.encoding)
        yield DocumentChange(layout.METADATA, f"{layout.METADATA}: {layout.MAP_KEY}", data)


def _with_map(entry: Any, added: Mapping[str, str]) -> Any:
    uuid = read_analysis(entry).uuid
    if uuid is None or uuid not in added:
        return entry
    return with_maps(entry, [*entry.get(layout.MAP_KEY, ()), added[uuid]])


def _map_of(group: GroupContents, analysis: AnalysisFields, uuid: str) -> dict[str, Any] | None:
    """The `map.json` of an analysis; None where it is none, or doubtful."""
    positions = analysis.position_uuids
    if not 3 <= len(positions) <= _MOST_POSITIONS:
        return None
    states = [read_state(group.fields(f"{layout.DATA}/{each}/{layout.STATE}")) for each in positions]
    places_mm = [(state.stage_x_mm, state.stage_y_mm) for state in states]
    if any(x is None or y is None for x, y in places_mm) or _is_deflected(states):
        return None
    places_um = np.array([[um_from_mm(x), um_from_mm(y)] for x, y in places_mm], np.float64)
    found = layout_of(places_um)
    if found.lattice is None:
        return None
    map_uuid = str(uuid5(_NAMESPACE, "\n".join((uuid, *positions))))
    if found.kind == "line":
        order = _along(places_um, found.lattice)
        placed = None if order is None else [positions[at] for at in order]
        return None if placed is None else _json(map_uuid, uuid, analysis, [len(placed)], placed)
    cells = [(int(row), int(column)) for row, column in zip(*cells_of(places_um, found.lattice), strict=True)]
    shape = [found.lattice.ny, found.lattice.nx]
    if len(set(cells)) < len(cells) or any(row >= shape[0] or column >= shape[1] for row, column in cells):
        return None
    by_cell = dict(zip(cells, positions, strict=True))
    raster = [by_cell.get((row, column)) for row in range(shape[0]) for column in range(shape[1])]
    return _json(map_uuid, uuid, analysis, shape, raster, _frame(states, cells))


def _json(
    map_uuid: str,
    analysis_uuid: str,
    analysis: AnalysisFields,
    shape: Sequence[int],
    positions: Sequence[str | None],
    frame: MapFrame | None = None,
) -> dict[str, Any]:
    return map_json(
        map_uuid, analysis_uuid, "line" if frame is None else "stage", shape, name=analysis.name or "", frame=frame,
        position_uuids=positions, more={"method": METHOD},
    )  # fmt: skip


def _is_deflected(states: Sequence[StateFields]) -> bool:
    return len({(state.beam_x, state.beam_y) for state in states}) > 1


def _along(places_um: Places, lattice: Lattice) -> list[int] | None:
    """The places of a line in their order along it, from the end that lies lower in x; None where two are one."""
    angle = math.radians(lattice.rotation_deg)
    along = places_um @ np.array([math.cos(angle), math.sin(angle)])
    numbers = np.rint((along - along.min()) / lattice.step_x_um).astype(np.intp)
    return np.argsort(numbers).tolist() if len(set(numbers.tolist())) == len(numbers) == lattice.nx else None


def _frame(states: Sequence[StateFields], cells: Sequence[tuple[int, int]]) -> MapFrame:
    """Origin and steps in mm that fit all places best; with z where it is the same everywhere.

    Summed exactly and rounded, so that every machine makes the same bytes.
    """
    rows, columns = ([float(each) for each in axis] for axis in zip(*cells, strict=True))
    middle_row, middle_column = _mean(rows), _mean(columns)
    down, right = [each - middle_row for each in rows], [each - middle_column for each in columns]
    rr, cc, rc = _product(down, down), _product(right, right), _product(down, right)
    origin, across, along = list[float](), list[float](), list[float]()
    for axis in ("stage_x_mm", "stage_y_mm"):
        values = [float(getattr(state, axis)) for state in states]
        middle = _mean(values)
        away = [value - middle for value in values]
        ra, ca = _product(down, away), _product(right, away)
        scale = rr * cc - rc * rc
        column_step, row_step = (ca * rr - ra * rc) / scale, (ra * cc - ca * rc) / scale
        origin.append(middle - column_step * middle_column - row_step * middle_row)
        across.append(column_step)
        along.append(row_step)
    heights = {state.stage_z_mm for state in states}
    if len(heights) == 1 and (height := heights.pop()) is not None:
        origin, across, along = [*origin, height], [*across, 0.0], [*along, 0.0]
    return MapFrame("stage", "mm", _rounded(origin), (_rounded(across), _rounded(along)))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _product(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(value, _DIGITS_MM) + 0.0 for value in values)
