"""A map of an analysis: a raster, a line or any points, with channels beside or instead of positions."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, Any

from sxeslake.archive.sxes import adding, faces, layout
from sxeslake.archive.sxes.documents.fields import StateFields, read_state
from sxeslake.archive.sxes.documents.text import Document, dump, parse
from sxeslake.archive.sxes.extensions import array_fields, map_fields
from sxeslake.archive.sxes.extensions.channels import Channel, member_of, sizes, stored_values, turned
from sxeslake.archive.sxes.extensions.map_fields import MapFields, MapFrame, MapKind, PointOrder
from sxeslake.archive.sxes.items import PositionBatch
from sxeslake.archive.sxes.position import Position
from sxeslake.archive.sxes.shared import Condition, RawCondition
from sxeslake.errors import DamagedArchiveError, InputError, MemberNotFoundError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.outline import Analysis

BATCH = 64  # positions or maps read side by side: few requests


class Map:
    """A map of an analysis: a raster, a line or any points, and channels.

    Attributes
    ----------
    group : Group
        The group that it is in.
    uuid : str
        Its id; `folder` is `maps/<uuid>/`.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> analysis = create_group().add_project("p").add_analysis("grains")
    >>> grains = analysis.add_map("free", xy=[[1.5, 2.5], [1.7, 2.9]], channels={"Si": [0.3, 0.4]})
    >>> grains.xy.shape, grains.channel("Si").array().tolist()
    ((2, 2), [0.3, 0.4])
    """

    def __init__(self, group: Group, uuid: str, batch: PositionBatch | None = None) -> None:
        self.group = group
        self.uuid = uuid
        self.folder = layout.map_folder(uuid)
        self._batch = batch
        self._cached: tuple[int, Document, MapFields] | None = None

    def __repr__(self) -> str:
        return faces.map_line(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and (self.group, self.uuid) == (other.group, other.uuid)

    def __hash__(self) -> int:
        return hash((id(self.group), self.uuid))

    @property
    def where(self) -> str:
        """What errors name."""
        return f"{self.group.name}: {self.folder}"

    @property
    def document(self) -> Document:
        """`map.json` as it is."""
        return self._read()[0]

    @property
    def fields(self) -> MapFields:
        """`map.json`, typed; all None where it is missing or broken."""
        return self._read()[1]

    @property
    def name(self) -> str:
        """The name; settable."""
        return self.fields.name or ""

    @name.setter
    def name(self, value: str) -> None:
        self.edit(name=value)

    @property
    def comment(self) -> str:
        """The comment; settable."""
        return self.fields.comment or ""

    @comment.setter
    def comment(self, value: str) -> None:
        self.edit(comment=value)

    @property
    def kind(self) -> MapKind | None:
        """How its points came about: `stage`, `beam`, `line` or `free`."""
        return self.fields.kind

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of a raster; the number of points of a line and of free points."""
        return self.fields.shape or ()

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The first dimensions of its channels as they are stored: columns and rows where `is_turned`."""
        return turned(self.shape) if self.is_turned else self.shape

    @property
    def is_turned(self) -> bool:
        """Whether points are counted, and arrays are stored, column by column."""
        return self.fields.order == "column" and len(self.shape) > 1

    @property
    def frame(self) -> MapFrame | None:
        """Where a raster lies."""
        return self.fields.frame

    @property
    def analysis(self) -> Analysis | None:
        """The analysis that it belongs to: the one it names, else the first that lists it; None where neither is."""
        uuid = self.fields.analysis_uuid
        named = None if uuid is None else self.group.analysis(uuid)
        if named is not None:
            return named
        return next((each for each in self.group.analyses if self.uuid in each.listed(layout.MAP_KEY)), None)

    @property
    def position_uuids(self) -> tuple[str | None, ...]:
        """The position of each point, in the order of points; None where it has none."""
        return self.fields.position_uuids

    @property
    def positions(self) -> tuple[Position | None, ...]:
        """The same as positions; nothing of them is read."""
        return tuple(None if uuid is None else Position(self.group, uuid) for uuid in self.position_uuids)

    @property
    def xy(self) -> NDArray[np.float64]:
        """Coordinates of its points, in the order of points.

        Those that are stored, else those of the frame, else the stage's at each position.

        Returns
        -------
        numpy.ndarray of float64, shape (points, 2) or (points, 3)
            x, y and, where it is known, z in mm (of a frame in another unit, in that unit); NaN where a position does
            not say it.

        Raises
        ------
        DamagedArchiveError
            If the stored coordinates do not fit the number of points, or nothing in the map is as large as its shape.
        InputError
            If it has neither coordinates nor a frame nor positions.
        """
        fields, stored = self.fields, self.check_xy()
        if stored is not None:
            return array_fields.array_of(self.read(fields.xy or ""), "<f8", stored, self.where)
        if fields.frame is not None and len(self.shape) == 2:
            return self._frame_xy(fields.frame)
        if not fields.position_uuids:
            raise InputError("this map has neither coordinates nor a frame nor positions", where=self.where)
        return self._stage_xy()

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All channels, older versions too, in file order."""
        entries = self.document.fields.get("channels")
        found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return tuple(Channel(self, fields, entry) for fields, entry in zip(self.fields.channels, found, strict=True))

    @property
    def state(self) -> StateFields:
        """Stage and beam: of its own `state.json`, else of the position that it names."""
        return read_state(self.state_document.value)

    @property
    def state_document(self) -> Document:
        """That `state.json` as it is."""
        own, uuid = self.folder + layout.STATE, self.fields.state_uuid
        if uuid is not None and not self.group.edited.has(own):
            return Position(self.group, uuid).state_document
        if not self.group.edited.has(own):
            return Document(own, b"", None, "utf-8", "missing")
        return self.group.note(parse(own, self.group.edited.read(own), self.group.encoding))

    @property
    def members(self) -> dict[str, int]:
        """Names of all files in the folder, and their sizes in bytes."""
        entries = self.group.edited.children(self.folder)
        return {entry.path[len(self.folder) :]: entry.size for entry in entries if entry.kind == "file"}

    def read(self, name: str) -> bytes:
        """A file of the map's folder.

        Parameters
        ----------
        name : str
            Its name, ``"ti-ka.data"``.

        Returns
        -------
        bytes
            Exactly as stored.

        Raises
        ------
        MemberNotFoundError
            If there is no such file.
        """
        return self.group.edited.read(self.folder + name)

    def channel(self, name: str, *, version: int | None = None) -> Channel:
        """A channel by name.

        Parameters
        ----------
        name : str
            ``"Ti Ka"``, or the name of its file.
        version : int, optional
            That version; by default the newest.

        Returns
        -------
        Channel

        Raises
        ------
        MemberNotFoundError
            If there is none; the hint names those there are.
        """
        called = [each for each in self.channels if name in (each.name, each.fields.member)]
        found = [each for each in called if version is None or each.fields.version == version]
        if not found:
            there = ", ".join(dict.fromkeys(each.name for each in self.channels)) or "none"
            said = f"no version {version} of channel {name!r}" if called else f"no channel {name!r}"
            raise MemberNotFoundError(said, where=self.where, hint=f"There are: {there}.")
        old = {each.fields.supersedes for each in self.channels}
        return max(found, key=lambda each: (each.fields.member not in old, each.fields.version))

    def add_channel(
        self,
        name: str,
        values: ArrayLike | bytes,
        *,
        dtype: str | None = None,
        shape: Sequence[int] | None = None,
        member: str | None = None,
        condition: Mapping[str, object] | bytes | str | None = None,
        raw_condition: Mapping[str, object] | bytes | str | None = None,
        supersedes: str | None = None,
        more: Mapping[str, Any] | None = None,
        **known: Any,
    ) -> Channel:
        """Add a channel, or a newer version of one.

        Parameters
        ----------
        name : str
            ``"Ti Ka"``. Where there is a channel of that name, the new one is its next version, and the older stays.
        values : array_like or bytes
            Rows × columns of a raster, one value a point otherwise; further dimensions last. Bytes are stored as they
            are: they stand in the order of points, and `dtype` says their type.
        dtype : str, optional
            Of bytes, ``"<f8"``.
        shape : sequence of int, optional
            Of bytes, as they stand: columns first where points are counted column by column; by default of the map.
        member : str, optional
            Name of the file; by default made of `name`.
        condition, raw_condition : dict, bytes or str, optional
            Of this channel alone: JSON, exact bytes, or the id of one that the group has.
        supersedes : str, optional
            The file of the channel that it replaces.
        more : mapping, optional
            Fields that are not named here: ``peak``, ``check``.
        **known
            As of `map_fields.channel_json`: ``quantity``, ``unit``, ``element``, ``line``, ``order``,
            ``spectrometer``, ``crystal``, ``dwell_ms``, ``source``.

        Returns
        -------
        Channel

        Raises
        ------
        UsageError
            If the values do not fit the map, or the file's name is taken or not safe.

        Examples
        --------
        >>> from sxeslake.archive import create_group
        >>> line = create_group().add_project("p").add_analysis("a").add_map("line", [3])
        >>> counts = line.add_channel("Fe La", [5, 7, 6], quantity="counts", element="Fe", spectrometer=3)
        >>> line.add_channel("Fe La", [4.5, 6.6, 5.8], quantity="counts").fields.version
        2
        >>> line.channel("Fe La", version=1).array().tolist()
        [5, 7, 6]
        """
        self.group.require_writable()
        self._require_document()
        stored_type, stored_shape, data = stored_values(self, values, dtype, shape)
        older = [each for each in self.channels if each.name == name]
        version = max((each.fields.version for each in older), default=0) + 1
        if supersedes is None and older:
            supersedes = self.channel(name).fields.member
        file = member_of(self, member, name, version)
        ids = [
            None if value is None else adding.shared_id(self.group, kind, value)
            for kind, value in ((Condition, condition), (RawCondition, raw_condition))
        ]
        entry = map_fields.channel_json(
            name, file, stored_type, stored_shape, condition_id=ids[0], raw_condition_id=ids[1], version=version,
            supersedes=supersedes, more=more, **known,
        )  # fmt: skip
        self.group.edited.write(self.folder + file, data)
        self.edit(channels=[*(channel.json for channel in self.channels), entry])
        return self.channels[-1]

    def remove_channel(self, name: str, *, version: int | None = None) -> None:
        """Remove a channel and its file.

        Parameters
        ----------
        name : str
            ``"Ti Ka"``, or the name of its file.
        version : int, optional
            That version; by default the newest.

        Raises
        ------
        MemberNotFoundError
            If there is no such channel.
        """
        self.group.require_writable()
        gone = self.channel(name, version=version)
        kept = [each.json for each in self.channels if each.json is not gone.json]
        file = gone.fields.member
        is_used = any(entry.get("member") == file for entry in kept)
        self.edit(channels=kept)
        if map_fields.member_problem(file) is None and not is_used:
            self.group.edited.remove(gone.path)
            self.group.attached.suspect([("member", gone.path)])

    def edit(self, **changes: object) -> None:
        """Set top-level fields of `map.json`; all others stay.

        Parameters
        ----------
        **changes : object
            New values by field name; they must be JSON.
        """
        self.group.require_writable()
        self._require_document()
        self.replace({**copy.deepcopy(self.document.fields), **changes})

    def replace(self, value: Mapping[str, Any]) -> None:
        """Replace `map.json`.

        Parameters
        ----------
        value : mapping
            The whole new document.
        """
        self.group.require_writable()
        before = self.fields.condition_ids
        self.group.state_extension("maps")
        self.group.edited.write(self.folder + layout.MAP, dump(value, self.document.encoding))
        self.group.files.suspect(before - self.fields.condition_ids)

    def _require_document(self) -> None:
        document = self.document
        if document.encoding is None or not isinstance(document.value, dict):
            raise InputError(
                f"{document.problem}; it cannot be changed without losing what it says",
                where=self.where + layout.MAP,
            )

    def _read(self) -> tuple[Document, MapFields]:
        path = self.folder + layout.MAP
        stamp = self.group.edited.stamp(path)
        if self._cached is None or self._cached[0] != stamp:
            fetched = self._batch.take(self.folder, layout.MAP) if self._batch is not None else None
            try:
                raw = self.group.edited.read(path) if fetched is None else fetched
                document = self.group.note(parse(path, raw, self.group.encoding))
            except MemberNotFoundError:
                document = Document(path, b"", None, "utf-8", "missing")
            self._cached = (stamp, document, map_fields.read_map(document.value))
        return self._cached[1], self._cached[2]

    def check_xy(self) -> tuple[int, int] | None:
        """Compare the size of the stored coordinates with the map, without reading them.

        Returns
        -------
        tuple of int or None
            Points, and numbers a point (2 or 3); None where no coordinates are stored.

        Raises
        ------
        DamagedArchiveError
            If the file is missing, or has another size than the map needs.
        """
        name, points = self.fields.xy, self.fields.points
        if name is None:
            return None
        problem, there = map_fields.member_problem(name), self.members.get(name)
        if problem is not None or there is None:
            raise DamagedArchiveError(f"its coordinates {name!r}: {problem or 'no such file'}", where=self.where)
        width = next((width for width in (2, 3) if points is not None and there == points * width * 8), None)
        if points is None or width is None:
            said = "an unknown number of" if points is None else f"{points:,}"
            raise DamagedArchiveError(f"{there:,} bytes are not the coordinates of {said} points", where=self.where)
        return points, width

    def _frame_xy(self, frame: MapFrame) -> NDArray[np.float64]:
        import numpy as np  # noqa: PLC0415 - numpy costs start-up time: loaded when an array is asked for

        numbers = np.arange(self._plausible_points())
        rows, columns = np.divmod(numbers, max(self.shape[1], 1))
        if self.is_turned:
            columns, rows = np.divmod(numbers, max(self.shape[0], 1))
        size = min(len(frame.origin), *map(len, frame.step))
        origin, across, down = (np.array(each[:size], np.float64) for each in (frame.origin, *frame.step))
        found: NDArray[np.float64] = origin + columns[:, np.newaxis] * across + rows[:, np.newaxis] * down
        return found

    def _stage_xy(self) -> NDArray[np.float64]:
        import numpy as np  # noqa: PLC0415 - as above

        found = np.full((len(self.position_uuids), 2), np.nan)
        for start in range(0, len(found), BATCH):
            uuids = self.position_uuids[start : start + BATCH]
            batch = PositionBatch(self.group, [Position.folder_of(uuid) for uuid in uuids if uuid is not None])
            for number, uuid in enumerate(uuids, start):
                if uuid is not None:
                    state = Position(self.group, uuid, batch).state
                    found[number] = [np.nan if each is None else each for each in (state.stage_x_mm, state.stage_y_mm)]
        return found

    def _plausible_points(self) -> int:
        """How many points a raster has. Raises DamagedArchiveError where nothing in it is as large as that needs."""
        points = self.fields.points or 0
        if points > max([*self.members.values(), len(self.position_uuids)], default=0):
            raise DamagedArchiveError(f"nothing in it is as large as {points:,} points", where=self.where)
        return points


def add_map(
    analysis: Analysis,
    kind: MapKind,
    shape: Sequence[int] | None,
    *,
    name: str,
    comment: str,
    order: PointOrder,
    frame: MapFrame | None,
    positions: Sequence[Position | str | None] | None,
    xy: ArrayLike | None,
    state: Mapping[str, object] | Position | None,
    channels: Mapping[str, ArrayLike],
    more: Mapping[str, Any] | None,
    uuid: str | None,
) -> Map:
    """A map with its points and channels; see `Analysis.add_map`."""
    group = analysis.group
    group.require_writable()
    if kind not in map_fields.MAP_KINDS:
        raise UsageError(f"{kind!r} is not a kind of map.", hint=f"Available: {', '.join(map_fields.MAP_KINDS)}.")
    uuids = None if positions is None else [each.uuid if isinstance(each, Position) else each for each in positions]
    coordinates = None if xy is None else _coordinates(xy, group.name)
    counts = {} if uuids is None else {"positions": len(uuids)}
    size = _size_of(group, shape, counts if coordinates is None else counts | {"coordinates": coordinates[0]})
    if lost := [each for each in uuids or () if each is not None and group.owner(layout.DATA, each) is None]:
        raise UsageError(f"the group has no position {lost[0]!r}.", where=group.name)
    made = group.map_index.of_uuid(group.map_index.new_id(uuid))
    analysis.enlist(layout.MAP_KEY, made.uuid)
    if isinstance(state, Mapping):
        group.edited.write(made.folder + layout.STATE, dump(state))
    if coordinates is not None:
        group.edited.write(made.folder + map_fields.XY, coordinates[1])
    made.replace(
        map_fields.map_json(
            made.uuid, analysis.uuid, kind, size, name=name, comment=comment, order=order, frame=frame,
            position_uuids=uuids, xy=None if coordinates is None else map_fields.XY,
            state_uuid=state.uuid if isinstance(state, Position) else None, more=more,
        )
    )  # fmt: skip
    try:
        for channel, values in channels.items():
            made.add_channel(channel, values)
    except BaseException:
        group.map_index.remove([made])
        raise
    return made


def check_map(each: Map) -> None:
    """Read a map's JSON and look for what it names; the group remembers what is odd."""
    group, path, fields = each.group, each.folder + layout.MAP, each.fields
    if not each.document.fields:
        group.note(each.document)
        return
    if fields.uuid is not None and fields.uuid != each.uuid:
        group.warn(path, f"states another uuid, {fields.uuid}")
    if each.analysis is None:
        group.warn(path, "belongs to no analysis that is there")
    if fields.shape is None:
        group.warn(path, "has no shape that can be read")
    if fields.position_uuids and fields.points != len(fields.position_uuids):
        group.warn(path, f"names {len(fields.position_uuids):,} positions for {fields.points:,} points")
    gone = _not_there(group, fields.position_uuids)
    if gone:
        group.warn(path, f"names positions that no analysis lists: {gone:,}")
    for check in (each.check_xy, *(channel.check_size for channel in each.channels)):
        try:
            check()
        except (InputError, MemberNotFoundError) as error:
            group.warn(path, error.what)
    for channel in each.channels:
        _ = channel.condition, channel.raw_condition


def _size_of(group: Group, shape: Sequence[int] | None, counts: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of a new map, by default one dimension of as many points as are counted."""
    try:
        size = tuple(map(index, shape)) if shape is not None else tuple(counts.values())[:1]
    except TypeError:
        size = ()
    if array_fields.read_shape(list(size)) is None or len(size) > 2:
        raise UsageError("a map needs a shape of one or two whole numbers, positions, or xy.", where=group.name)
    for what, count in counts.items():
        if count != math.prod(size):
            raise UsageError(f"{count:,} {what} are not one for each of {sizes(size)} points.", where=group.name)
    return size


def _not_there(group: Group, uuids: Iterable[str | None]) -> int:
    """How many positions no analysis lists."""
    return sum(uuid is not None and group.owner(layout.DATA, uuid) is None for uuid in uuids)


def _coordinates(xy: ArrayLike, where: str) -> tuple[int, bytes]:
    """How many points, and the bytes of their coordinates."""
    import numpy as np  # noqa: PLC0415 - as above

    array = np.ascontiguousarray(xy, "<f8")
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise UsageError("coordinates are an array of (points, 2) or (points, 3).", where=where)
    return array.shape[0], array.tobytes()
