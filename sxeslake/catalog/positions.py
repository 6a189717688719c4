"""Rows of `positions`: one per measured position, in the order of the analyses that list them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.archive.sxes.measurement import position_content_id
from sxeslake.archive.sxes_metadata import AnalysisFields, ConditionFields, InfoFields, ProjectFields, read_state
from sxeslake.catalog.reading import Contents, Info, State, extra_integer, extra_number, extra_text
from sxeslake.catalog.rows import ColumnValues, Same, table_of
from sxeslake.catalog.tables import POSITIONS
from sxeslake.model import Digest

_NO_STATE: Final = State(None, None, None, None, read_state(None))
_DATA_SUFFIX: Final = ".data"


@dataclass(slots=True)
class Arrays:
    """The data arrays of one position, sorted by type."""

    digests: list[tuple[str, Digest]] = field(default_factory=list)
    bytes_raw: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position stands in the archive: analysis and project that list it, if any do."""

    uuid: str
    analysis: AnalysisFields | None
    project: ProjectFields | None
    number: int | None


@dataclass(frozen=True, slots=True)
class PositionRows:
    """The rows, and where in them each analysis begins and ends."""

    table: pa.Table
    columns: Mapping[str, Sequence[Any]]
    slices: Sequence[tuple[int, int]]


def arrays_of(members: pa.Table) -> dict[str, Arrays]:
    """Position UUID → its data arrays, from `data/<uuid>/<type>.data` in the member table."""
    paths = members["path"]
    wanted = pc.match_like(paths, f"data/%/%{_DATA_SUFFIX}")
    found = members.select(["path", "size", "blake3"]).filter(wanted)
    arrays: defaultdict[str, Arrays] = defaultdict(Arrays)
    rows = zip(found["path"].to_pylist(), found["size"].to_pylist(), found["blake3"].to_pylist(), strict=True)
    for path, size, digest in rows:
        _, uuid, name = path.split("/", 2)
        if "/" not in name:
            here = arrays[uuid]
            here.digests.append((sys.intern(name[: -len(_DATA_SUFFIX)]), digest))
            here.bytes_raw += size
    for each in arrays.values():
        each.digests.sort()
    return arrays


def places_of(
    analyses: Sequence[AnalysisFields], projects: Mapping[str, ProjectFields], found: Set[str]
) -> tuple[list[Place], list[tuple[int, int]]]:
    """Every listed position, analysis by analysis, then those in `data/` that no analysis lists."""
    places: list[Place] = []
    slices: list[tuple[int, int]] = []
    listed: set[str] = set()
    for analysis in analyses:
        start = len(places)
        project = projects.get(analysis.uuid or "")
        places += [Place(uuid, analysis, project, n) for n, uuid in enumerate(analysis.position_uuids, 1)]
        slices.append((start, len(places)))
        listed.update(analysis.position_uuids)
    places += [Place(uuid, None, None, None) for uuid in sorted(found - listed)]
    return places, slices


def position_rows(
    owner: Mapping[str, Same],
    contents: Contents,
    arrays: Mapping[str, Arrays],
    conditions: Mapping[str, ConditionFields],
    places: Sequence[Place],
    slices: Sequence[tuple[int, int]],
) -> PositionRows:
    """The rows of one archive's positions, made column by column."""
    infos = [contents.infos.get(place.uuid) for place in places]
    states = [contents.states.get(place.uuid, _NO_STATE) for place in places]
    columns: dict[str, Sequence[Any]] = {
        **_place_columns(places),
        **_info_columns(places, infos),
        **_state_columns(states),
        **_condition_columns(places, infos, conditions),
        **_array_columns(places, states, arrays),
        "problem": [_problem(place.uuid, contents) for place in places],
    }
    table_columns: dict[str, ColumnValues] = {**columns, **owner}
    return PositionRows(table_of(POSITIONS, len(places), table_columns), columns, slices)


def _place_columns(places: Sequence[Place]) -> dict[str, Sequence[Any]]:
    analyses = [place.analysis for place in places]
    return {
        "position_uuid": [place.uuid for place in places],
        "position_number": [place.number for place in places],
        "analysis_uuid": [a.uuid if a else None for a in analyses],
        "analysis_name": [a.name if a else None for a in analyses],
        "project": [place.project.name if place.project else None for place in places],
    }


def _info_columns(places: Sequence[Place], infos: Sequence[Info | None]) -> dict[str, Sequence[Any]]:
    fields = [info.fields if info else None for info in infos]
    comments = [_resolved("comment", place, info) for place, info in zip(places, fields, strict=True)]
    operators = [_resolved("operator", place, info) for place, info in zip(places, fields, strict=True)]
    columns: dict[str, Sequence[Any]] = {
        "comment": [value for value, _ in comments],
        "comment_source": [origin for _, origin in comments],
        "operator": [value for value, _ in operators],
        "operator_source": [origin for _, origin in operators],
        "condition_id": [info.condition_id if info else None for info in fields],
        "raw_condition_id": [info.raw_condition_id if info else None for info in fields],
        "background_id": [info.background_id if info else None for info in fields],
    }
    if any(info and info.extra for info in infos):
        columns |= _extra_columns(infos)
    return columns


def _resolved(name: str, place: Place, info: InfoFields | None) -> tuple[str | None, str | None]:
    """A comment or operator and its origin: the position's own, else its analysis', else its project's."""
    own = getattr(info, name, None)
    if own is not None:
        return own, "position"
    return resolved_above(name, place.analysis, place.project)


def resolved_above(
    name: str, analysis: AnalysisFields | None, project: ProjectFields | None
) -> tuple[str | None, str | None]:
    """A comment or operator of an analysis and its origin: its own, else its project's."""
    for origin, fields in (("analysis", analysis), ("project", project)):
        value = getattr(fields, name, None)
        if value is not None:
            return value, origin
    return None, None


def _extra_columns(infos: Sequence[Info | None]) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {
        name: [extra_text(info, name) if info else None for info in infos]
        for name in ("technique", "element", "line", "crystal")
    }
    corrected = [info.extra.get("backgroundCorrected") if info else None for info in infos]
    columns["background_corrected"] = [value if isinstance(value, bool) else None for value in corrected]
    columns["order"] = [extra_integer(info, "order") if info else None for info in infos]
    columns["exposure_s"] = [extra_number(info, "exposure") if info else None for info in infos]
    return columns


_SHARED_STATE: Final = (
    "accelerating_voltage_kv", "probe_current_na", "probe_current_source", "probe_current_target_na",
    "probe_current_pre_na", "probe_current_post_na", "probe_current_average_na", "probe_diameter_um", "magnification",
    "tilt_deg", "beam_x", "beam_y", "ccd_temperature_c", "dwell_ms",
)  # fmt: skip


def _state_columns(states: Sequence[State]) -> dict[str, Sequence[Any]]:
    shared = [state.shared for state in states]
    columns: dict[str, Sequence[Any]] = {name: [getattr(item, name) for item in shared] for name in _SHARED_STATE}
    columns["acquired_local"] = [state.saved_local for state in states]
    columns["stage_x_mm"] = [state.stage_x_mm for state in states]
    columns["stage_y_mm"] = [state.stage_y_mm for state in states]
    columns["stage_z_mm"] = [state.stage_z_mm for state in states]
    return columns


def _condition_columns(
    places: Sequence[Place], infos: Sequence[Info | None], conditions: Mapping[str, ConditionFields]
) -> dict[str, Sequence[Any]]:
    found = [conditions.get(info.fields.condition_id or "") if info else None for info in infos]
    columns: dict[str, Sequence[Any]] = {
        name: [getattr(item, name) if item else None for item in found]
        for name in ("grating", "spectrometer", "ccd_name", "accumulation", "gain")
    }
    columns["instrument"] = [
        (place.analysis.instrument if place.analysis else None) or (item.instrument if item else None)
        for place, item in zip(places, found, strict=True)
    ]
    return columns


def _array_columns(
    places: Sequence[Place], states: Sequence[State], arrays: Mapping[str, Arrays]
) -> dict[str, Sequence[Any]]:
    nothing = Arrays()
    here = [arrays.get(place.uuid, nothing) for place in places]
    content_ids: list[str | None] = [
        position_content_id(item.digests, state.saved_local, state[1:4])
        for item, state in zip(here, states, strict=True)
    ]
    return {
        "types": [[kind for kind, _ in item.digests] for item in here],
        "bytes_raw": [item.bytes_raw for item in here],
        "content_id": content_ids,
    }


def _problem(uuid: str, contents: Contents) -> str | None:
    """`state.json: Expecting value: line 1 …`; None where info and state are both readable."""
    if uuid in contents.infos and uuid in contents.states:
        return None
    said = []
    for name, known in (("info.json", contents.infos), ("state.json", contents.states)):
        if uuid not in known:
            said.append(f"{name}: {contents.problems.get(f'data/{uuid}/{name}', 'missing')}")
    return "; ".join(said)


def latest(times: Sequence[datetime | None]) -> datetime | None:
    """The latest known time."""
    return max((time for time in times if time is not None), default=None)
