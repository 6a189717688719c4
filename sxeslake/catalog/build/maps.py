"""Rows of `maps`, `map_channels` and `arrays`: what the extensions of the format describe."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import AnalysisFields, StateFields, read_state
from sxeslake.archive.sxes.documents.units import um_from_mm
from sxeslake.archive.sxes.extensions.array_fields import ArrayFields, size_problem
from sxeslake.archive.sxes.extensions.map_fields import ChannelFields, MapFields, MapFrame, member_problem
from sxeslake.catalog.build.documents import Contents, DescribedArrays
from sxeslake.catalog.build.member_files import File
from sxeslake.catalog.build.shared_files import Rows

_STATE: Final = ("accelerating_voltage_kv", "probe_current_na")
_PLACE: Final = ("stage_x_mm", "stage_y_mm", "stage_z_mm")
_KINDS: Final = {"stage": "map", "beam": "map", "line": "line", "free": "points"}


def maps_by_analysis(contents: Contents) -> dict[str, list[MapFields]]:
    """Analysis UUID → its maps."""
    found: dict[str, list[MapFields]] = {}
    for fields in contents.maps.values():
        if fields.analysis_uuid is not None:
            found.setdefault(fields.analysis_uuid, []).append(fields)
    return found


def kind_of(maps: Sequence[MapFields]) -> str | None:
    """The kind of an analysis that its maps state: a raster before a line before free points."""
    kinds = {_KINDS[fields.kind] for fields in maps if fields.kind is not None}
    return next((kind for kind in ("map", "line", "points") if kind in kinds), None)


def map_rows(contents: Contents, analyses: Sequence[AnalysisFields], there: Collection[str]) -> Rows:
    """One row per map that is there; `there` are the positions."""
    names = {analysis.uuid: analysis.name for analysis in analyses}
    broken = {
        uuid: problem
        for path, problem in contents.problems.items()
        for root, _, rest in [path.partition("/")]
        for uuid, _, name in [rest.partition("/")]
        if root == layout.MAPS and name == layout.MAP and uuid not in contents.maps
    }
    rows: Rows = [{"map_uuid": uuid, "problem": f"{layout.MAP}: {problem}"} for uuid, problem in broken.items()]
    for uuid, fields in contents.maps.items():
        found = [each for each in fields.position_uuids if each is not None and each in there]
        raster = fields.shape if fields.shape is not None and len(fields.shape) == 2 else (None, None)
        rows.append({
            "map_uuid": uuid,
            "analysis_uuid": fields.analysis_uuid,
            "analysis_name": names.get(fields.analysis_uuid),
            "map_name": fields.name,
            "comment": fields.comment,
            "kind": fields.kind,
            "rows": raster[0],
            "columns": raster[1],
            "points": fields.points,
            "positions": len(found),
            "point_order": fields.order,
            **_frame_columns(fields.frame),
            "channels": len(fields.current),
            "elements": sorted({channel.element for channel in fields.current if channel.element}),
            **_state_columns(contents, uuid, fields),
            "problem": None if fields.analysis_uuid in names else "its analysis is not in metadata.json",
        })  # fmt: skip
    return rows


def _frame_columns(frame: MapFrame | None) -> dict[str, Any]:
    if frame is None:
        return {}
    columns, rows = frame.step
    found: dict[str, Any] = {
        "frame_quantity": frame.quantity or None,
        "frame_unit": frame.unit or None,
        "frame_origin": list(frame.origin),
        "frame_column_step": list(columns),
        "frame_row_step": list(rows),
    }
    if frame.unit == "mm":
        found |= dict(zip(("origin_x_mm", "origin_y_mm", "origin_z_mm"), frame.origin, strict=False))
        found |= {"step_x_um": um_from_mm(math.hypot(*columns)), "step_y_um": um_from_mm(math.hypot(*rows))}
    return found


def _state_columns(contents: Contents, uuid: str, fields: MapFields) -> dict[str, Any]:
    """Beam, place and time: of the position that the map names, else of the file beside it."""
    state = contents.states.get(fields.state_uuid or "") or contents.map_states.get(uuid)
    if state is None:
        return {}
    found = {name: getattr(state.shared, name) for name in _STATE}
    return found | {name: getattr(state, name) for name in _PLACE} | {"acquired_local": state.saved_local}


def channel_rows(contents: Contents, files: Sequence[File]) -> Rows:
    """One row per channel of every map; `files` are all that stand in `maps/`."""
    by_path = {file.path: file for file in files}
    rows: Rows = []
    for uuid, fields in contents.maps.items():
        of_map = _state_columns(contents, uuid, fields)
        current = set(map(id, fields.current))
        for number, channel in enumerate(fields.channels, 1):
            rows.append({
                "map_uuid": uuid,
                "analysis_uuid": fields.analysis_uuid,
                "channel_number": number,
                "channel_name": channel.name,
                **{name: getattr(channel, name) for name in _CHANNEL},
                "shape": None if channel.shape is None else list(channel.shape),
                **_beam(read_state(contents.conditions.get(channel.condition_id or "")), of_map),
                "channel_version": channel.version,
                "is_current": id(channel) in current,
                **_values(uuid, channel, by_path),
            })  # fmt: skip
    return rows


_CHANNEL: Final = (
    "element", "line", "order", "spectrometer", "crystal", "dwell_ms", "dtype", "quantity", "unit", "condition_id",
    "raw_condition_id", "supersedes",
)  # fmt: skip


def _beam(condition: StateFields, of_map: Mapping[str, Any]) -> dict[str, Any]:
    """Voltage and current: of the channel's condition, which writes them as a state does, else of the map."""
    own = {name: getattr(condition, name) for name in _STATE}
    return {name: of_map.get(name) if value is None else value for name, value in own.items()}


def _values(uuid: str, channel: ChannelFields, files: Mapping[str, File]) -> dict[str, Any]:
    """The member with the values, and why they cannot be read."""
    problem = member_problem(channel.member)
    if problem is not None:
        return {"problem": problem}
    path = f"{layout.map_folder(uuid)}{channel.member}"
    file = files.get(path)
    if file is None:
        return {"path": path, "problem": "its values are missing"}
    problem = size_problem(channel.dtype, channel.shape, file.size)
    return {"path": path, "bytes_raw": file.size, "blake3": file.blake3, "problem": problem}


def array_columns(contents: Contents) -> tuple[int, dict[str, list[Any]]]:
    """How many rows of `arrays`, and their columns. What many positions share is made once."""
    count = 0
    columns: dict[str, list[Any]] = {}
    made: dict[int, dict[str, list[Any]]] = {}
    for uuid, described in contents.arrays.items():
        if not described:
            continue
        own = made.get(id(described))
        if own is None:
            own = made[id(described)] = dict(_columns_of(described))
        count += len(described)
        columns.setdefault("position_uuid", []).extend([uuid] * len(described))
        for name, values in own.items():
            columns.setdefault(name, []).extend(values)
    return count, columns


_ARRAY: Final = ("dtype", "condition_id", "raw_condition_id", "made_by", "supersedes")


def _columns_of(described: DescribedArrays) -> Iterator[tuple[str, list[Any]]]:
    arrays = [fields for _, fields in described]
    axes = [_axis_of(fields) for fields in arrays]
    old = {fields.supersedes for fields in arrays}
    yield "data_type", [data_type for data_type, _ in described]
    for name in _ARRAY:
        yield name, [getattr(fields, name) for fields in arrays]
    yield "shape", [None if fields.shape is None else list(fields.shape) for fields in arrays]
    for name in ("quantity", "unit", "start", "step", "method", "values"):
        yield f"axis_{name}", [axis.get(name) for axis in axes]
    yield "array_columns", [list(fields.columns) or None for fields in arrays]
    yield "array_version", [fields.version for fields in arrays]
    yield "is_current", [data_type not in old for data_type, _ in described]


def _axis_of(fields: ArrayFields) -> dict[str, Any]:
    axis = fields.axis or fields.derived_axis
    return {} if axis is None else axis.json()
