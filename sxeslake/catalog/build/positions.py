"""Rows of `positions`: one per measured position, in the order of the analyses that list them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

from sxeslake.archive.sxes.documents.fields import (
    AnalysisFields,
    ConditionFields,
    ProjectFields,
    read_condition,
    read_info,
    read_state,
)
from sxeslake.archive.sxes.documents.units import integer, number, text
from sxeslake.archive.sxes.measurement import position_content_ids
from sxeslake.catalog.build.documents import Contents, PositionState, SharedInfo
from sxeslake.catalog.build.member_files import Arrays

_T = TypeVar("_T")
_NO_STATE: Final = PositionState(None, None, None, None, read_state(None))

Columns = dict[str, Sequence[Any]]


_NO_ARRAYS: Final = Arrays()


class ListedRun(NamedTuple):
    """Positions that one analysis lists, in its order; those that none lists are a run without analysis."""

    uuids: Sequence[str]
    analysis: AnalysisFields | None
    project: ProjectFields | None


class Uses(NamedTuple):
    """How often positions name each shared file."""

    conditions: Counter[str]
    raw_conditions: Counter[str]
    backgrounds: Counter[str]


@dataclass(frozen=True, slots=True)
class PositionRows:
    """How many rows, their columns, and where in them each analysis begins and ends."""

    count: int
    columns: Mapping[str, Sequence[Any]]
    slices: Sequence[tuple[int, int]]


def runs_of(
    analyses: Sequence[AnalysisFields], projects: Mapping[str, ProjectFields], found: Set[str]
) -> list[ListedRun]:
    """Every listed position, analysis by analysis, then those in `data/` that no analysis lists."""
    listed = set(chain.from_iterable(analysis.position_uuids for analysis in analyses))
    return [
        *(ListedRun(analysis.position_uuids, analysis, projects.get(analysis.uuid or "")) for analysis in analyses),
        ListedRun(sorted(found - listed), None, None),
    ]


def uses_of(contents: Contents, runs: Sequence[ListedRun]) -> Uses:
    """How often positions name each condition, raw condition and background."""
    shared = [info.shared.fields for run in runs for uuid in run.uuids if (info := contents.infos.get(uuid))]
    distinct = {id(fields): fields for fields in shared}
    uses = Uses(Counter(), Counter(), Counter())
    for key, times in Counter(map(id, shared)).items():
        fields = distinct[key]
        for counter, name in zip(
            uses, (fields.condition_id, fields.raw_condition_id, fields.background_id), strict=True
        ):
            if name:
                counter[name] += times
    return uses


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
    of_states = _state_columns(states)
    columns: Columns = {
        "position_uuid": uuids,
        **_listing_columns(runs),
        **_said_columns("comment", runs, [info and info.comment for info in infos]),
        **_info_columns(runs, [info and info.shared for info in infos], conditions),
        **of_states,
        **_array_columns([arrays.get(uuid, _NO_ARRAYS) for uuid in uuids], of_states),
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


def _info_columns(
    runs: Sequence[ListedRun], shared: Sequence[SharedInfo | None], conditions: Mapping[str, ConditionFields]
) -> Columns:
    """What many positions say together, and what their conditions say."""

    def read(info: SharedInfo | None) -> tuple[Any, ...]:
        condition = conditions.get(info.fields.condition_id or "", _UNKNOWN) if info else _UNKNOWN
        fields = info.fields if info else _NO_INFO
        return *(getattr(fields, name) for name in _INFO), *(getattr(condition, name) for name in _CONDITION)

    columns = _spread(shared, (*_INFO, *_CONDITION), read)
    instruments: list[str | None] = []
    for run, (start, end) in zip(runs, _slices(runs), strict=True):
        own = run.analysis.instrument if run.analysis else None
        instruments += [own or of_condition for of_condition in columns["instrument"][start:end]]
    columns |= _said_columns("operator", runs, columns["operator"]) | {"instrument": instruments}
    if any(info and info.extra for info in shared):
        columns |= _spread(shared, _EXTRA, lambda info: _read_extra(info.extra if info else {}))
    return columns


_NO_INFO: Final = read_info(None)
_INFO: Final = ("condition_id", "raw_condition_id", "background_id", "operator")
_CONDITION: Final = ("grating", "spectrometer", "ccd_name", "accumulation", "gain", "instrument")
_UNKNOWN: Final = read_condition(None)
_EXTRA: Final = ("technique", "element", "line", "crystal", "background_corrected", "order", "exposure_s")


def _read_extra(extra: Mapping[str, object]) -> tuple[Any, ...]:
    """The optional fields of an `info.json` that other techniques add."""
    corrected = extra.get("backgroundCorrected")
    return (
        *(text(extra.get(name)) for name in ("technique", "element", "line", "crystal")),
        corrected if isinstance(corrected, bool) else None,
        integer(extra.get("order")),
        number(extra.get("exposure")),
    )


def _spread(shared: Sequence[_T], names: Sequence[str], read: Callable[[_T], Sequence[Any]]) -> Columns:
    """Columns of what many positions share: each object is read once, and its values stand in all rows that have it."""
    distinct = {id(each): each for each in shared}
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    rows = [places[id(each)] for each in shared]
    columns = _transposed(list(map(read, distinct.values())), len(names))
    return {name: [values[row] for row in rows] for name, values in zip(names, columns, strict=True)}


_SHARED_STATE: Final = (
    "accelerating_voltage_kv", "probe_current_na", "probe_current_source", "probe_current_target_na",
    "probe_current_pre_na", "probe_current_post_na", "probe_current_average_na", "probe_diameter_um", "magnification",
    "tilt_deg", "beam_x", "beam_y", "ccd_temperature_c", "dwell_ms",
)  # fmt: skip


def _state_columns(states: Sequence[PositionState]) -> Columns:
    shared = _spread([state.shared for state in states], _SHARED_STATE, attrgetter(*_SHARED_STATE))
    own = _transposed([state[:4] for state in states], 4)
    names = ("acquired_local", "stage_x_mm", "stage_y_mm", "stage_z_mm")
    return shared | dict(zip(names, own, strict=True))


def _transposed(rows: Sequence[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """Rows of `width` values → as many columns."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _array_columns(here: Sequence[Arrays], own: Columns) -> Columns:
    """What the data arrays are, and the identity that they give a measurement at its time and place."""
    stage_mm = [own[f"stage_{axis}_mm"] for axis in "xyz"]
    return {
        "types": [arrays.types for arrays in here],
        "bytes_raw": [arrays.bytes_raw for arrays in here],
        "content_id": position_content_ids([arrays.described for arrays in here], own["acquired_local"], stage_mm),
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
