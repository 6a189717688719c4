"""The JSON documents of a converted archive, and the UUIDs that follow from what was measured. Pure."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np

from sxeslake.archive.names import printable
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis, array_json
from sxeslake.archive.sxes.extensions.map_fields import MAP_KINDS, MapFrame, MapKind, channel_json, map_json

from ..records import ArrayRecord, AxisRecord, ChannelRecord, ImageRecord, Json, MapRecord, PositionRecord

NO_CONDITION: Final[Json] = {"calibrationCoefficients": [], "probe": {}}
"""Of a position of which nothing is known: older readers fail where there is none."""

_NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "sxeslake:measured")
_UNFIT: Final = re.compile(r"[^a-z0-9_]+")
_UNFIT_TYPE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_OF_ACQUISITION: Final = "MAP.cnd:"
_SECTION_KEY: Final = re.compile(r"([a-z_]+):(.+)", re.DOTALL)
_SUFFIXES: Final = {"image/tiff": "tif", "image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp"}


def uuid_of(kind: str, *parts: object) -> str:
    """A UUID of version 5: the same content has the same one wherever it is converted.

    Examples
    --------
    >>> uuid_of("position", "qlw", "<f8") == uuid_of("position", "qlw", "<f8")
    True
    """
    hasher = hashlib.sha256()
    for part in (kind, *parts):
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        hasher.update(len(data).to_bytes(8, "little") + data)
    return str(uuid5(_NAMESPACE, hasher.hexdigest()))


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A document as archives write it, with nothing in it that JSON does not have."""
    plain = _plain(value)
    assert isinstance(plain, dict)
    return dump(plain)


def shown_name(name: str) -> str:
    """The last step of a path as text."""
    return printable(PurePosixPath(name).name or name)


def data_type(name: str, taken: Collection[str]) -> str:
    """The name of a data type: no dot, which older readers cut at, and none that is there.

    Examples
    --------
    >>> data_type("wds ch. 3", ()), data_type("qlw", {"qlw"})
    ('wds-ch-3', 'qlw-2')
    """
    return _free(_UNFIT_TYPE.sub("-", name).strip("-") or "array", taken)


def member_name(name: str, taken: Collection[str]) -> str:
    """The file of a channel beside `map.json`: `Ti Ka` → `ti-ka.data`."""
    return _free(_UNFIT.sub("-", name.casefold()).strip("-") or "channel", taken, ".data")


def raw_condition_json(fields: Mapping[str, str]) -> Json:
    """A raw condition in the form of archives: a position's own words, its acquisition's, and the camera's by section.

    Examples
    --------
    >>> raw_condition_json({"XM_DATE": "1", "MAP.cnd:XM_OPERATOR": "K", "ccd_parameter:gain": "0"})["mapRawCondition"]
    {'ccd_parameter': {'gain': '0'}}
    """
    own: dict[str, str] = {}
    whole: dict[str, str] = {}
    sections: dict[str, dict[str, str]] = {}
    for key, value in fields.items():
        if key.startswith(_OF_ACQUISITION):
            whole[key.removeprefix(_OF_ACQUISITION)] = value
        elif match := _SECTION_KEY.fullmatch(key):
            sections.setdefault(match[1], {})[match[2]] = value
        else:
            own[key] = value
    return {"dataCondition": own, "mapCondition": whole, "mapRawCondition": sections}


def condition_json(record: PositionRecord) -> Json:
    """The condition of a position; one with a camera image has at least the camera's rows and columns.

    `bins.x` is the rows of the image and `bins.y` its columns of signal, swapped as in every known file.
    """
    condition = record.condition or NO_CONDITION
    frame = next((array.shape for array in record.arrays if array.name == "xes" and len(array.shape) == 2), None)
    if frame is None or "ccd" in condition:
        return condition
    return {**condition, "ccd": {"bins": {"x": frame[0], "y": frame[1] - 1}}}


def info_json(
    uuid: str, record: PositionRecord | ImageRecord, condition: str, raw_condition: str, background: str | None = None
) -> Json:
    """`info.json` of a position or an image."""
    found: Json = {"comment": record.comment}
    if isinstance(record, PositionRecord):
        found["operator"] = record.operator
    if background is not None:
        found["backgroundUuid"] = background
    found |= {"uuid": uuid, "conditionUuid": condition, "rawConditionUuid": raw_condition}
    if isinstance(record, ImageRecord):
        found |= {"imageType": image_type(record), "name": shown_name(record.name)}
        found |= {key: value for key, value in record.info.items() if key not in found}
        return found | ({"registration": record.registration} if record.registration else {})
    return found | {"name": shown_name(record.name)}


def image_type(record: ImageRecord) -> str:
    """The suffix of a picture, from what it is."""
    return _SUFFIXES.get(record.media_type, "bin")


def entry_of_array(array: ArrayRecord, dtype: str, shape: Sequence[int]) -> Json:
    """The entry of an array in `arrays.json`."""
    entry = array_json(dtype, shape, axis=_axis(array.axis))
    if array.name == "xes" and len(shape) == 2:
        entry["signal"] = [shape[0] - 1, shape[1] - 1]
    columns = array.extra.get("columns")
    if isinstance(columns, list) and all(isinstance(each, dict) for each in columns):
        entry["columns"] = [each.get("name", "") for each in columns]
        entry["columnUnits"] = [each.get("unit", "") for each in columns]
    return entry | {key: value for key, value in array.extra.items() if key not in entry}


def channel_entry(
    channel: ChannelRecord,
    member: str,
    dtype: str,
    shape: Sequence[int],
    condition: str | None,
    raw_condition: str | None,
) -> Json:
    """The entry of a channel in `map.json`; `shape` is that of its values as they stand."""
    more = dict(channel.info)
    if axis := _axis(channel.array.axis):
        more["axis"] = axis.json()
    more = {key: value for key, value in more.items() if key not in _OF_CHANNEL} | {
        key: value for key, value in channel.array.extra.items() if key not in more
    }
    said = {_OF_CHANNEL[key]: value for key, value in channel.info.items() if key in _OF_CHANNEL}
    return channel_json(
        channel.name, member, dtype, shape, condition_id=condition, raw_condition_id=raw_condition, more=more, **said
    )


_OF_CHANNEL: Final = {
    "quantity": "quantity", "unit": "unit", "element": "element", "line": "line", "order": "order",
    "spectrometer": "spectrometer", "crystal": "crystal", "dwellTime": "dwell_ms",
}  # fmt: skip
"""Fields of a channel that the format names, and their words in `channel_json`."""


def map_document(
    uuid: str,
    analysis: str,
    record: MapRecord,
    channels: Sequence[Json],
    *,
    positions: Sequence[str | None] | None,
    xy: str | None,
) -> Json:
    """`map.json`."""
    kind: MapKind = record.kind if record.kind in MAP_KINDS else "free"  # type: ignore[assignment]
    document = map_json(
        uuid, analysis, kind, record.shape, name=printable(record.name), comment=record.comment,
        order="column" if record.order == "column" else "row", position_uuids=positions, xy=xy, channels=channels,
    )  # fmt: skip
    return document if record.frame is None else document | {"frame": _frame(record.frame)}


def _frame(frame: Json) -> Json:
    """A frame in the order of keys that archives have, with what else its reader says."""
    known: Json = {key: frame[key] for key in ("quantity", "unit", "origin", "step") if key in frame}
    if len(known) == 4:
        first, second = frame["step"]
        made = MapFrame(frame["quantity"], frame["unit"], tuple(frame["origin"]), (tuple(first), tuple(second)))
        known = made.json()
    return known | {key: value for key, value in frame.items() if key not in known}


def _axis(axis: AxisRecord | None) -> ArrayAxis | None:
    if axis is None:
        return None
    return ArrayAxis(axis.quantity, axis.unit, axis.start, axis.step, axis.source or None, None, axis.values or ())


def _free(name: str, taken: Collection[str], suffix: str = "") -> str:
    """A name that is free, whatever the case of its letters."""
    used = {each.casefold() for each in taken}
    number, found = 1, f"{name}{suffix}"
    while found.casefold() in used:
        number += 1
        found = f"{name}-{number}{suffix}"
    return found


def _plain(value: Any) -> Any:
    """Numbers and texts that JSON has: no numpy scalars, no NaN (null), no bytes that are no text."""
    if isinstance(value, Mapping):
        return {printable(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_plain(each) for each in value]
    return value
