"""The fields of an sxes group's JSON as typed, frozen records; pure, and never an exception.

Each `read_*` takes what `json.loads` gave, whatever it is, and returns a record whose fields are None where the
archive says nothing readable. The group and the catalogue read fields through here only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sxeslake.archive.sxes.documents.units import (
    integer,
    is_odd_number,
    is_odd_time,
    label,
    local_time,
    na_from_a,
    number,
    text,
)

CurrentSource = Literal["average", "pre_post_mean", "pre", "target"]

_POSITION_NUMBER = re.compile(r"\s*:\s*Pos\.\s*:\s*(\d{1,9})\s*\Z", re.ASCII)
_NOTHING: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True)
class ProjectFields:
    """A project of `metadata.json`."""

    uuid: str | None
    name: str | None
    comment: str | None
    operator: str | None
    analysis_uuids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnalysisFields:
    """An analysis of `metadata.json`; `acquired_local` has no time zone."""

    uuid: str | None
    name: str | None
    comment: str | None
    operator: str | None
    instrument: str | None
    acquired_local: datetime | None
    position_uuids: tuple[str, ...]
    image_uuids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InfoFields:
    """`info.json` of a position or an image; the ids are the SHA-256 names of shared files."""

    uuid: str | None
    comment: str | None
    operator: str | None
    position_number: int | None
    condition_id: str | None
    raw_condition_id: str | None
    background_id: str | None
    image_type: str | None


@dataclass(frozen=True, slots=True)
class StateFields:
    """`state.json`: stage and beam of one measurement, units in the names.

    `probe_current_na` is the average, else the mean of pre and post, else pre, else the target, and
    `probe_current_source` says which. `tilt_deg` and `rotation_deg` are None unless both known readings of the
    instrument's pair agree (see ARCHIVE.md).
    """

    saved_local: datetime | None
    stage_x_mm: float | None
    stage_y_mm: float | None
    stage_z_mm: float | None
    tilt_deg: float | None
    rotation_deg: float | None
    accelerating_voltage_kv: float | None
    probe_current_na: float | None
    probe_current_source: CurrentSource | None
    probe_current_target_na: float | None
    probe_current_pre_na: float | None
    probe_current_average_na: float | None
    probe_current_post_na: float | None
    probe_diameter_um: float | None
    magnification: float | None
    beam_x: float | None
    beam_y: float | None
    beam_rotation_deg: float | None
    ccd_temperature_c: float | None
    ccd_temperature_target_c: float | None
    dwell_ms: float | None
    unread: tuple[str, ...] = ()  # values that mean something and cannot be read, `dwellTime "5,0" is no number`


@dataclass(frozen=True, slots=True)
class ConditionFields:
    """A condition: spectrometer and camera. `rows` and `columns` undo the swapped names of `bins`."""

    instrument: str | None
    ccd_name: str | None
    spectrometer: str | None
    grating: str | None
    mode: int | None
    accumulation: int | None
    gain: float | None
    image_rotation_deg: float | None
    image_orientation: float | None
    rows: int | None
    columns: int | None
    calibration_coefficients: tuple[float | None, ...]
    unread: tuple[str, ...] = ()  # as in `StateFields`


def mapping(value: object) -> Mapping[str, object]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def objects(value: object) -> Iterator[Mapping[str, object]]:
    """The JSON objects of a JSON list; anything else in it is passed over."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def strings(value: object) -> tuple[str, ...]:
    """The texts of a JSON list, each once, in order."""
    return tuple(dict.fromkeys(item for item in value if isinstance(item, str))) if isinstance(value, list) else ()


def at(value: object, *keys: str) -> object:
    """The value at a path of keys, `at(state, "probe", "current", "pre")`; None where the path ends early."""
    for key in keys:
        value = mapping(value).get(key)
    return value


def analysis_uuids_key(project: object) -> str:
    """The key that holds a project's analyses: `analysisUuids`, or `analyses` as older files have it."""
    fields = mapping(project)
    return "analyses" if "analysisUuids" not in fields and isinstance(fields.get("analyses"), list) else "analysisUuids"


def raw_condition_key(info: object) -> str:
    """The key that holds a raw condition's hash; older files misspell it `rawCondtionUuid`."""
    fields = mapping(info)
    return "rawCondtionUuid" if "rawConditionUuid" not in fields and "rawCondtionUuid" in fields else "rawConditionUuid"


def version_of(metadata: object) -> str | None:
    """The format version a group states, as text: `0.1.0`; None where it states none."""
    value = mapping(metadata).get("version")
    return None if value is None or value == "" else str(value)


def read_projects(metadata: object) -> tuple[ProjectFields, ...]:
    """All projects of a `metadata.json`."""
    return tuple(read_project(item) for item in objects(mapping(metadata).get("projects")))


def read_analyses(metadata: object) -> tuple[AnalysisFields, ...]:
    """All analyses of a `metadata.json`."""
    return tuple(read_analysis(item) for item in objects(mapping(metadata).get("analyses")))


def unread_in(metadata: object) -> str | None:
    """Times of analyses that cannot be read: `analysis "map": acquisitionDate "yesterday" is no time`."""
    found = [
        f'analysis "{item.get("name") or item.get("uuid")}": {unread_text(_ACQUIRED, at(item, *_ACQUIRED), "time")}'
        for item in objects(mapping(metadata).get("analyses"))
        if is_odd_time(at(item, *_ACQUIRED))
    ]
    return "; ".join(found[:_NAMED]) + (f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else "") or None


def read_project(value: object) -> ProjectFields:
    """One entry of `projects`."""
    fields = mapping(value)
    return ProjectFields(
        uuid=text(fields.get("uuid")),
        name=text(fields.get("name")),
        comment=text(fields.get("comment")),
        operator=text(fields.get("operator")),
        analysis_uuids=strings(fields.get(analysis_uuids_key(fields))),
    )


def read_analysis(value: object) -> AnalysisFields:
    """One entry of `analyses`."""
    fields = mapping(value)
    return AnalysisFields(
        uuid=text(fields.get("uuid")),
        name=text(fields.get("name")),
        comment=text(fields.get("comment")),
        operator=text(fields.get("operator")),
        instrument=label(fields.get("instrument")),
        acquired_local=local_time(fields.get("acquisitionDate")),
        position_uuids=strings(fields.get("positionUuids")),
        image_uuids=strings(fields.get("imageUuids")),
    )


def read_info(value: object) -> InfoFields:
    """An `info.json`; `CuFeS2-3 5kV : Pos. : 3` is position number 3."""
    fields = mapping(value)
    comment = text(fields.get("comment"))
    match = _POSITION_NUMBER.search(comment or "")
    return InfoFields(
        uuid=text(fields.get("uuid")),
        comment=comment,
        operator=text(fields.get("operator")),
        position_number=int(match[1]) if match else None,
        condition_id=text(fields.get("conditionUuid")),
        raw_condition_id=text(fields.get(raw_condition_key(fields))),
        background_id=text(fields.get("backgroundUuid")),
        image_type=text(fields.get("imageType")),
    )


def read_state(value: object) -> StateFields:
    """A `state.json`."""
    probe, beam = at(value, "probe"), at(value, "probe", "beam")
    currents_na = {name: na_from_a(number(at(probe, "current", name))) for name in _CURRENTS}
    current_na, source = _probe_current(currents_na)
    temperature = at(value, "ccd", "temperature")
    pre_c, post_c = number(at(temperature, "pre")), number(at(temperature, "post"))
    magnification = number(at(probe, "magnification"))
    return StateFields(
        saved_local=local_time(at(value, "saveDate")),
        stage_x_mm=number(at(value, "stage", "x")),
        stage_y_mm=number(at(value, "stage", "y")),
        stage_z_mm=number(at(value, "stage", "z")),
        tilt_deg=_angle_deg(at(value, "stage", "tilt")),
        rotation_deg=_angle_deg(at(value, "stage", "rotation")),
        accelerating_voltage_kv=number(at(probe, "acceleratingVoltage")),
        probe_current_na=current_na,
        probe_current_source=source,
        probe_current_target_na=currents_na["target"],
        probe_current_pre_na=currents_na["pre"],
        probe_current_average_na=currents_na["average"],
        probe_current_post_na=currents_na["post"],
        probe_diameter_um=number(at(probe, "diameter")),
        magnification=number(at(beam, "magnification")) if magnification is None else magnification,
        beam_x=number(at(beam, "x")),
        beam_y=number(at(beam, "y")),
        beam_rotation_deg=number(at(beam, "rotation")),
        ccd_temperature_c=_mean(pre_c, post_c),
        ccd_temperature_target_c=number(at(temperature, "target")),
        dwell_ms=number(at(value, "dwellTime")),
        unread=_unread(value, _STATE_NUMBERS),
    )


def read_condition(value: object) -> ConditionFields:
    """A file of `conditions/`; `bins.x` counts rows, `bins.y` columns."""
    ccd = at(value, "ccd")
    coefficients = at(value, "calibrationCoefficients")
    return ConditionFields(
        instrument=label(at(ccd, "model")),
        ccd_name=label(at(ccd, "name")),
        spectrometer=label(at(ccd, "spectrometer")),
        grating=label(at(ccd, "grating")),
        mode=integer(at(ccd, "mode")),
        accumulation=integer(at(ccd, "accumulation")),
        gain=number(at(ccd, "gain")),
        image_rotation_deg=number(at(ccd, "image", "rotation")),
        image_orientation=number(at(ccd, "image", "orientation")),
        rows=integer(at(ccd, "bins", "x")),
        columns=integer(at(ccd, "bins", "y")),
        calibration_coefficients=tuple(map(number, coefficients)) if isinstance(coefficients, list) else (),
        unread=_unread(value, _CONDITION_NUMBERS),
    )


_CURRENTS: Final = ("target", "pre", "average", "post")
_STATE_NUMBERS: Final = (
    ("probe", "acceleratingVoltage"), *(("probe", "current", name) for name in _CURRENTS), ("probe", "diameter"),
    ("probe", "magnification"), *(("probe", "beam", name) for name in ("magnification", "x", "y", "rotation")),
    *(("ccd", "temperature", name) for name in ("pre", "post", "target")), ("dwellTime",),
)  # fmt: skip
_CONDITION_NUMBERS: Final = (
    ("ccd", "mode"), ("ccd", "accumulation"), ("ccd", "gain"), ("ccd", "bins", "x"), ("ccd", "bins", "y"),
)  # fmt: skip
_ACQUIRED: Final = ("acquisitionDate",)
_NAMED: Final = 3  # analyses that a message names
_SHOWN: Final = 60  # characters of a value that a message quotes


def unread_text(path: tuple[str, ...], value: object, what: str) -> str:
    """`probe.acceleratingVoltage "5,0" is no number`."""
    return f"{'.'.join(path)} {json.dumps(value, ensure_ascii=False, default=str)[:_SHOWN]} is no {what}"


def _unread(value: object, paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    found = ((path, at(value, *path)) for path in paths)
    return tuple(unread_text(path, each, "number") for path, each in found if is_odd_number(each))


def _probe_current(currents_na: Mapping[str, float | None]) -> tuple[float | None, CurrentSource | None]:
    """The current to search by, and where it came from."""
    pre_na, post_na = currents_na["pre"], currents_na["post"]
    candidates: tuple[tuple[float | None, CurrentSource], ...] = (
        (currents_na["average"], "average"),
        (None if pre_na is None or post_na is None else (pre_na + post_na) / 2, "pre_post_mean"),
        (pre_na, "pre"),
        (currents_na["target"], "target"),
    )
    return next(((value, source) for value, source in candidates if value is not None), (None, None))


def _angle_deg(value: object) -> float | None:
    """`[1, 0]` is 0°, read as flag and angle or as cosine and sine; any other pair could be either: None."""
    if isinstance(value, list):
        parts = [number(item) for item in value]
        if len(parts) == 1:
            return parts[0]
        return 0.0 if parts == [1.0, 0.0] else None
    return number(value)


def _mean(first: float | None, second: float | None) -> float | None:
    """The mean of what is known."""
    known = [value for value in (first, second) if value is not None]
    return sum(known) / len(known) if known else None
