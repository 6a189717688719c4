"""`map.json`: a raster or any points, and what was measured at each of them. Pure.

For writers: `MapFrame`, `channel_json` and `map_json` make the document of `maps/<uuid>/map.json`; arrays stand beside
it under the names that its channels give as `member`. For readers: `read_map` gives typed fields of whatever is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sxeslake.archive.names import unsafe_reason
from sxeslake.archive.sxes.documents.fields import mapping, objects
from sxeslake.archive.sxes.documents.units import integer, number, text
from sxeslake.archive.sxes.extensions.array_fields import read_shape

MapKind = Literal["stage", "beam", "line", "free"]
MAP_KINDS: Final[tuple[str, ...]] = get_args(MapKind)
PointOrder = Literal["row", "column"]

XY: Final = "xy.data"
"""Where coordinates of points stand, unless the map says otherwise."""


@dataclass(frozen=True, slots=True)
class MapFrame:
    """Where a raster lies.

    Attributes
    ----------
    quantity : str
        ``"stage"`` or ``"beam"``.
    unit : str
        ``"mm"`` of the stage; ``"pixel"`` of a deflected beam.
    origin : tuple of float
        x, y and, where it is known, z of the first point.
    step : tuple of tuple of float
        From one column to the next, and from one row to the next.

    Examples
    --------
    >>> from sxeslake.archive import MapFrame
    >>> MapFrame("stage", "mm", origin=(12.5, 7.0), step=((0.5, 0.0), (0.0, 0.25))).json()["step"]
    [[0.5, 0.0], [0.0, 0.25]]
    """

    quantity: str
    unit: str
    origin: tuple[float, ...]
    step: tuple[tuple[float, ...], tuple[float, ...]]

    def json(self) -> dict[str, Any]:
        """The `frame` of `map.json`.

        Returns
        -------
        dict
            Its JSON.
        """
        return {
            "quantity": self.quantity, "unit": self.unit, "origin": list(self.origin),
            "step": [list(vector) for vector in self.step],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChannelFields:
    """One channel of a map; None where it says nothing readable.

    Attributes
    ----------
    name, member : str or None
        ``"Ti Ka"``, and the file beside `map.json` that has its values.
    dtype, shape : str and tuple of int, or None
        Of those values.
    quantity, unit : str or None
        ``"counts"`` and ``"1"``.
    element, line, crystal : str or None
        What was measured, and with which crystal.
    order, spectrometer : int or None
        Order of diffraction, and the spectrometer's number.
    dwell_ms : float or None
        Time a point in ms.
    condition_id, raw_condition_id : str or None
        Shared files of this channel alone.
    version : int
        From 1.
    supersedes : str or None
        The `member` of the channel that it is a newer version of.
    source : str or None
        The id of the source that rebuilds the vendor's file.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> line = create_group().add_project("p").add_analysis("a").add_map("line", [2])
    >>> fields = line.add_channel("Fe La", [5, 7], element="Fe", dwell_ms=200).fields
    >>> fields.member, fields.element, fields.dwell_ms
    ('fe-la.data', 'Fe', 200.0)
    """

    name: str | None
    member: str | None
    dtype: str | None
    shape: tuple[int, ...] | None
    quantity: str | None
    unit: str | None
    element: str | None
    line: str | None
    order: int | None
    spectrometer: int | None
    crystal: str | None
    dwell_ms: float | None
    condition_id: str | None
    raw_condition_id: str | None
    version: int
    supersedes: str | None
    source: str | None


@dataclass(frozen=True, slots=True)
class MapFields:
    """A map; None where it says nothing readable.

    Attributes
    ----------
    uuid, analysis_uuid, name, comment : str or None
        Its own UUID, the analysis that it belongs to, and what people call it.
    kind : {"stage", "beam", "line", "free"} or None
        How its points came about.
    shape : tuple of int or None
        Rows and columns of a raster; the number of points of a line and of free points.
    order : {"row", "column"}
        Whether points are counted row by row, or column by column.
    frame : MapFrame or None
        Where a raster lies.
    position_uuids : tuple of str or None
        The position of each point, None where it has none; empty where no point has.
    xy : str or None
        The file with the coordinates of each point.
    state_uuid : str or None
        The position whose `state.json` is that of the map.
    channels : tuple of ChannelFields
        In file order, older versions too.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> fields = create_group().add_project("p").add_analysis("a").add_map("stage", (3, 4), name="Ti").fields
    >>> fields.name, fields.kind, fields.shape, fields.points
    ('Ti', 'stage', (3, 4), 12)
    """

    uuid: str | None
    analysis_uuid: str | None
    name: str | None
    comment: str | None
    kind: MapKind | None
    shape: tuple[int, ...] | None
    order: PointOrder
    frame: MapFrame | None
    position_uuids: tuple[str | None, ...]
    xy: str | None
    state_uuid: str | None
    channels: tuple[ChannelFields, ...]

    @property
    def points(self) -> int | None:
        """How many points it has; None where nobody says."""
        if self.shape is not None:
            return math.prod(self.shape)
        return len(self.position_uuids) or None

    @property
    def condition_ids(self) -> set[str]:
        """The shared files that its channels name."""
        return {each for channel in self.channels for each in (channel.condition_id, channel.raw_condition_id) if each}

    @property
    def current(self) -> tuple[ChannelFields, ...]:
        """The channels that no newer version stands for."""
        old = {channel.supersedes for channel in self.channels}
        return tuple(channel for channel in self.channels if channel.member is None or channel.member not in old)


def read_map(value: object) -> MapFields:
    """A `map.json`, whatever it is."""
    fields = mapping(value)
    points = mapping(fields.get("points"))
    kind, uuids = fields.get("kind"), points.get("positionUuids")
    return MapFields(
        uuid=text(fields.get("uuid")),
        analysis_uuid=text(fields.get("analysisUuid")),
        name=text(fields.get("name")),
        comment=text(fields.get("comment")),
        kind=kind if kind in MAP_KINDS else None,  # type: ignore[arg-type]
        shape=read_shape(fields.get("shape")),
        order="column" if fields.get("order") == "column" else "row",
        frame=_read_frame(fields.get("frame")),
        position_uuids=tuple(map(text, uuids)) if isinstance(uuids, list) else (),
        xy=text(points.get("xy")),
        state_uuid=text(fields.get("stateUuid")),
        channels=tuple(map(read_channel, objects(fields.get("channels")))),
    )


def read_channel(value: object) -> ChannelFields:
    """One entry of `channels`."""
    fields = mapping(value)
    return ChannelFields(
        name=text(fields.get("name")),
        member=text(fields.get("member")),
        dtype=text(fields.get("dtype")),
        shape=read_shape(fields.get("shape")),
        quantity=text(fields.get("quantity")),
        unit=text(fields.get("unit")),
        element=text(fields.get("element")),
        line=text(fields.get("line")),
        order=integer(fields.get("order")),
        spectrometer=integer(fields.get("spectrometer")),
        crystal=text(fields.get("crystal")),
        dwell_ms=number(fields.get("dwellTime")),
        condition_id=text(fields.get("conditionUuid")),
        raw_condition_id=text(fields.get("rawConditionUuid")),
        version=integer(fields.get("version")) or 1,
        supersedes=text(fields.get("supersedes")),
        source=text(fields.get("source")),
    )


def map_json(
    uuid: str,
    analysis_uuid: str,
    kind: MapKind,
    shape: Sequence[int],
    *,
    name: str = "",
    comment: str = "",
    order: PointOrder = "row",
    frame: MapFrame | None = None,
    position_uuids: Sequence[str | None] | None = None,
    xy: str | None = None,
    state_uuid: str | None = None,
    channels: Sequence[Mapping[str, Any]] = (),
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A `map.json`; what is not known is left out. `more` are fields that this page does not name."""
    points: dict[str, Any] = {}
    if position_uuids is not None:
        points["positionUuids"] = list(position_uuids)
    if xy is not None:
        points["xy"] = xy
    fields = {
        "uuid": uuid, "analysisUuid": analysis_uuid, "name": name, "comment": comment, "kind": kind,
        "frame": frame.json() if frame else None, "shape": list(shape), "order": order, "points": points or None,
        "stateUuid": state_uuid, "channels": [dict(channel) for channel in channels], **(more or {}),
    }  # fmt: skip
    return {key: value for key, value in fields.items() if value is not None}


def channel_json(
    name: str,
    member: str,
    dtype: str,
    shape: Sequence[int],
    *,
    quantity: str | None = None,
    unit: str | None = None,
    element: str | None = None,
    line: str | None = None,
    order: int | None = None,
    spectrometer: int | None = None,
    crystal: str | None = None,
    dwell_ms: float | None = None,
    condition_id: str | None = None,
    raw_condition_id: str | None = None,
    version: int = 1,
    supersedes: str | None = None,
    source: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One entry of `channels`; what is not known is left out. `more` are fields such as `peak` and `check`."""
    fields = {
        "name": name, "member": member, "dtype": dtype, "shape": list(shape), "quantity": quantity, "unit": unit,
        "element": element, "line": line, "order": order, "spectrometer": spectrometer, "crystal": crystal,
        "dwellTime": dwell_ms, "conditionUuid": condition_id, "rawConditionUuid": raw_condition_id,
        "version": version, "supersedes": supersedes, "source": source, **(more or {}),
    }  # fmt: skip
    return {key: value for key, value in fields.items() if value is not None}


def member_problem(member: str | None) -> str | None:
    """Why a name cannot be that of a file beside `map.json`; None where it can."""
    if member is None:
        return "it names no file"
    return unsafe_reason(member)


def _read_frame(value: object) -> MapFrame | None:
    fields = mapping(value)
    steps = fields.get("step")
    origin = _vector(fields.get("origin"))
    vectors = [_vector(each) for each in steps] if isinstance(steps, list) else []
    if origin is None or len(vectors) != 2 or vectors[0] is None or vectors[1] is None:
        return None
    return MapFrame(
        text(fields.get("quantity")) or "", text(fields.get("unit")) or "", origin, (vectors[0], vectors[1])
    )


def _vector(value: object) -> tuple[float, ...] | None:
    """Two or three numbers."""
    numbers = [number(each) for each in value] if isinstance(value, list) else []
    found = tuple(each for each in numbers if each is not None)
    return found if len(found) == len(numbers) and len(found) in (2, 3) else None
