"""Rows of `positions`: one per measured position, in the order of the analyses that list them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import attrgetter
from sys import intern
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import (
    AnalysisFields,
    ConditionFields,
    ProjectFields,
    read_condition,
    read_state,
)
from sxeslake.archive.sxes.measurement import position_content_id
from sxeslake.catalog.build.documents import Contents, Info, PositionState, extra_integer, extra_number, extra_text
from sxeslake.model import Digest

_NO_STATE: Final = PositionState(None, None, None, None, read_state(None))
_FOLDER: Final = f"{layout.DATA}/"

Columns = dict[str, Sequence[Any]]


class Arrays(NamedTuple):
    """The data arrays of one position, sorted by type, and their bytes in all."""

    digests: Sequence[tuple[str, Digest]] = ()
    bytes_raw: int = 0


_NO_ARRAYS: Final = Arrays()


class ListedRun(NamedTuple):
    """Positions that one analysis lists, in its order; those that none lists are a run without analysis."""

    uuids: Sequence[str]
    analysis: AnalysisFields | None
    project: ProjectFields | None


@dataclass(frozen=True, slots=True)
class PositionRows:
    """How many rows, their columns, and where in them each analysis begins and ends."""

    count: int
    columns: Mapping[str, Sequence[Any]]
    slices: Sequence[tuple[int, int]]


def arrays_of(members: pa.Table) -> dict[str, Arrays]:
    """Position UUID → its data arrays, from `data/<uuid>/<type>.data` in the member table."""
    paths = members["path"]
    wanted = pc.and_(pc.starts_with(paths, _FOLDER), pc.ends_with(paths, layout.TYPE_SUFFIX))
    found = members.select(["path", "size", "blake3"]).filter(wanted)
    found = found.filter(pc.equal(pc.count_substring(found["path"], "/"), 2)).combine_chunks()
    if found.num_rows == 0:
        return {}
    parts = pc.split_pattern(found["path"], "/").combine_chunks().flatten()  # data, uuid, type.data, and so on
    thirds = np.arange(0, len(parts), 3)
    uuids = parts.take(pa.array(thirds + 1)).dictionary_encode()
    types = parts.take(pa.array(thirds + 2)).dictionary_encode()
    names = [intern(name.removesuffix(layout.TYPE_SUFFIX)) for name in types.dictionary.to_pylist()]
    rank = np.argsort(np.argsort(np.array(names, object)))[types.indices.to_numpy()]
    whose = uuids.indices.to_numpy()
    order = np.lexsort((rank, whose))
    ends = np.cumsum(np.bincount(whose)).tolist()
    starts = [0, *ends[:-1]]
    sizes = np.add.reduceat(found["size"].to_numpy()[order], starts).tolist()
    kinds = [names[code] for code in types.indices.to_numpy()[order].tolist()]
    digests = found["blake3"].combine_chunks().take(pa.array(order)).to_numpy(False).tolist()
    arrays = list(zip(kinds, digests, strict=True))
    rows = zip(uuids.dictionary.to_pylist(), starts, ends, sizes, strict=True)
    return {uuid: Arrays(arrays[start:end], size) for uuid, start, end, size in rows}


def runs_of(
    analyses: Sequence[AnalysisFields], projects: Mapping[str, ProjectFields], found: Set[str]
) -> list[ListedRun]:
    """Every listed position, analysis by analysis, then those in `data/` that no analysis lists."""
    listed = set(chain.from_iterable(analysis.position_uuids for analysis in analyses))
    return [
        *(ListedRun(analysis.position_uuids, analysis, projects.get(analysis.uuid or "")) for analysis in analyses),
        ListedRun(sorted(found - listed), None, None),
    ]


def position_rows(
    contents: Contents,
    arrays: Mapping[str, Arrays],
    conditions: Mapping[str, ConditionFields],
    runs: Sequence[ListedRun],
) -> PositionRows:
    """The rows of one archive's positions, made column by column."""
    uuids = [uuid for run in runs for uuid in run.uuids]
    infos = list(map(contents.infos.get, uuids))
    states = [contents.states.get(uuid, _NO_STATE) for uuid in uuids]
    columns: Columns = {
        "position_uuid": uuids,
        **_listing_columns(runs),
        **_said_columns("comment", runs, [info and info.comment for info in infos]),
        **_said_columns("operator", runs, [info and info.shared.fields.operator for info in infos]),
        **_info_columns(infos),
        **_state_columns(states),
        **_condition_columns(runs, infos, conditions),
        **_array_columns([arrays.get(uuid, _NO_ARRAYS) for uuid in uuids], states),
        "problem": [
            contents.unread.get(uuid) if info and state is not _NO_STATE else _problem(uuid, contents)
            for uuid, info, state in zip(uuids, infos, states, strict=True)
        ],
    }
    return PositionRows(len(uuids), columns, list(_slices(runs))[:-1])


def _slices(runs: Sequence[ListedRun]) -> Iterator[tuple[int, int]]:
    """Where each run begins and ends among all rows."""
    end = 0
    for run in runs:
        start, end = end, end + len(run.uuids)
        yield start, end


def _listing_columns(runs: Sequence[ListedRun]) -> Columns:
    """What the list says in which a position stands."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("position_number", "analysis_uuid", "analysis_name", "project")
    }
    for run in runs:
        count = len(run.uuids)
        columns["position_number"] += range(1, count + 1) if run.analysis else [None] * count
        columns["analysis_uuid"] += [run.analysis and run.analysis.uuid] * count
        columns["analysis_name"] += [run.analysis and run.analysis.name] * count
        columns["project"] += [run.project and run.project.name] * count
    return dict(columns)


def _said_columns(name: str, runs: Sequence[ListedRun], own: Sequence[str | None]) -> Columns:
    """A comment or operator and its origin: the position's own, else its analysis', else its project's."""
    values: list[str | None] = []
    origins: list[str | None] = []
    for run, (start, end) in zip(runs, _slices(runs), strict=True):
        above, origin = resolved_above(name, run.analysis, run.project)
        values += [above if value is None else value for value in own[start:end]]
        origins += [origin if value is None else "position" for value in own[start:end]]
    return {name: values, f"{name}_source": origins}


def resolved_above(
    name: str, analysis: AnalysisFields | None, project: ProjectFields | None
) -> tuple[str | None, str | None]:
    """A comment or operator of an analysis and its origin: its own, else its project's."""
    for origin, fields in (("analysis", analysis), ("project", project)):
        value = getattr(fields, name, None)
        if value is not None:
            return value, origin
    return None, None


def _info_columns(infos: Sequence[Info | None]) -> Columns:
    shared = [info and info.shared.fields for info in infos]
    columns: Columns = {
        name: [fields and getattr(fields, name) for fields in shared]
        for name in ("condition_id", "raw_condition_id", "background_id")
    }
    if any(info and info.shared.extra for info in infos):
        columns |= _extra_columns(infos)
    return columns


def _extra_columns(infos: Sequence[Info | None]) -> dict[str, Sequence[Any]]:
    columns: dict[str, Sequence[Any]] = {
        name: [extra_text(info, name) if info else None for info in infos]
        for name in ("technique", "element", "line", "crystal")
    }
    corrected = [info.shared.extra.get("backgroundCorrected") if info else None for info in infos]
    columns["background_corrected"] = [value if isinstance(value, bool) else None for value in corrected]
    columns["order"] = [extra_integer(info, "order") if info else None for info in infos]
    columns["exposure_s"] = [extra_number(info, "exposure") if info else None for info in infos]
    return columns


_SHARED_STATE: Final = (
    "accelerating_voltage_kv", "probe_current_na", "probe_current_source", "probe_current_target_na",
    "probe_current_pre_na", "probe_current_post_na", "probe_current_average_na", "probe_diameter_um", "magnification",
    "tilt_deg", "beam_x", "beam_y", "ccd_temperature_c", "dwell_ms",
)  # fmt: skip


def _state_columns(states: Sequence[PositionState]) -> Columns:
    shared = _transposed(list(map(_SHARED_OF, states)), len(_SHARED_STATE))
    own = _transposed([state[:4] for state in states], 4)
    names = (*_SHARED_STATE, "acquired_local", "stage_x_mm", "stage_y_mm", "stage_z_mm")
    return dict(zip(names, (*shared, *own), strict=True))


_SHARED_OF: Final = attrgetter(*(f"shared.{name}" for name in _SHARED_STATE))


def _transposed(rows: Sequence[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """Rows of `width` values → as many columns."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


_CONDITION: Final = ("grating", "spectrometer", "ccd_name", "accumulation", "gain")
_UNKNOWN: Final = read_condition(None)


def _condition_columns(
    runs: Sequence[ListedRun], infos: Sequence[Info | None], conditions: Mapping[str, ConditionFields]
) -> Columns:
    found = [conditions.get(info.shared.fields.condition_id or "", _UNKNOWN) if info else _UNKNOWN for info in infos]
    columns: Columns = {name: [getattr(fields, name) for fields in found] for name in _CONDITION}
    instruments: list[str | None] = []
    for run, (start, end) in zip(runs, _slices(runs), strict=True):
        own = run.analysis.instrument if run.analysis else None
        instruments += [own or fields.instrument for fields in found[start:end]]
    return columns | {"instrument": instruments}


def _array_columns(here: Sequence[Arrays], states: Sequence[PositionState]) -> Columns:
    return {
        "types": [[kind for kind, _ in arrays.digests] for arrays in here],
        "bytes_raw": [arrays.bytes_raw for arrays in here],
        "content_id": [
            position_content_id(arrays.digests, state.saved_local, state[1:4])
            for arrays, state in zip(here, states, strict=True)
        ],
    }


def _problem(uuid: str, contents: Contents) -> str | None:
    """`state.json: Expecting value: line 1 …`; None where info and state are both readable."""
    said = [
        f"{name}: {contents.problems.get(f'data/{uuid}/{name}', 'missing')}"
        for name, known in (("info.json", contents.infos), ("state.json", contents.states))
        if uuid not in known
    ]
    return "; ".join(said) or None


def latest(times: Sequence[datetime | None]) -> datetime | None:
    """The latest known time."""
    return max((time for time in times if time is not None), default=None)
