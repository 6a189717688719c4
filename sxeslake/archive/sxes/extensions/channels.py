"""One channel of a map: numbers at each of its points, in a member beside `map.json`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sxeslake.archive.sxes import faces, layout
from sxeslake.archive.sxes.extensions import array_fields, map_fields
from sxeslake.archive.sxes.extensions.array_fields import ArrayAxis
from sxeslake.archive.sxes.extensions.map_fields import ChannelFields
from sxeslake.archive.sxes.shared import Condition, RawCondition
from sxeslake.errors import DamagedArchiveError, MemberNotFoundError, UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sxeslake.archive.sxes.extensions.maps import Map

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+", re.ASCII)


class Channel:
    """One channel of a map: numbers, one or more a point.

    Attributes
    ----------
    map : Map
        The map that it belongs to.
    fields : ChannelFields
        What `map.json` says of it, typed.
    json : dict
        The same as it is, with fields that this version does not know.

    Examples
    --------
    >>> from sxeslake.archive import create_group
    >>> analysis = create_group().add_project("p").add_analysis("Ti map")
    >>> made = analysis.add_map("stage", (2, 3), channels={"Ti Ka": [[1, 2, 3], [4, 5, 6]]})
    >>> made.channel("Ti Ka").array().sum(axis=1).tolist()
    [6, 15]
    """

    def __init__(self, owner: Map, fields: ChannelFields, json: Mapping[str, Any]) -> None:
        self.map = owner
        self.fields = fields
        self.json = json

    def __repr__(self) -> str:
        return faces.channel_line(self)

    @property
    def name(self) -> str:
        """What it is called, `Ti Ka`; the name of its file where it has no other."""
        return self.fields.name or (self.fields.member or "").removesuffix(layout.TYPE_SUFFIX)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `array`: rows and columns of a raster, however it is stored; empty where none can be read."""
        stored = self.fields.shape or ()
        return turned(stored) if self.map.is_turned else stored

    @property
    def path(self) -> str:
        """The member that has its values. Raises DamagedArchiveError where the map names none that is safe."""
        problem = map_fields.member_problem(self.fields.member)
        if problem is not None:
            raise DamagedArchiveError(
                f"channel {self.name!r}: its file {self.fields.member!r}: {problem}", where=self.map.where
            )
        return f"{self.map.folder}{self.fields.member}"

    @property
    def condition(self) -> Condition | None:
        """Its own condition; None where it names none."""
        return self.map.group.files.named(Condition, self.fields.condition_id, self.map.folder, layout.MAP)

    @property
    def raw_condition(self) -> RawCondition | None:
        """Its own raw condition; None where it names none."""
        return self.map.group.files.named(RawCondition, self.fields.raw_condition_id, self.map.folder, layout.MAP)

    @property
    def axis(self) -> ArrayAxis | None:
        """The axis of the last dimension of spectra at each point; None where none is stated."""
        return array_fields.read_axis(self.json.get("axis")) or array_fields.read_axis(self.json.get("derivedAxis"))

    def raw(self) -> bytes:
        """The bytes of its values.

        Returns
        -------
        bytes
            Exactly as stored.

        Raises
        ------
        MemberNotFoundError
            If its file is missing.
        """
        return self.map.group.edited.read(self.path)

    def array(self) -> NDArray[Any]:
        """Its values as numpy, read-only.

        Returns
        -------
        numpy.ndarray
            Of the stored type: rows × columns of a raster, one value a point of a line and of free points; further
            dimensions come last. What is stored column by column is turned.

        Raises
        ------
        DamagedArchiveError
            If the member has another size than type and shape need; it is not read then.
        MemberNotFoundError
            If the member is not there.
        """
        self.check_size()
        found = array_fields.array_of(self.raw(), self.fields.dtype, self.fields.shape, self.map.where)
        return found.swapaxes(0, 1) if self.map.is_turned else found

    def check_size(self) -> None:
        """Compare the member's size with type and shape, without reading it.

        Raises
        ------
        MemberNotFoundError
            If its file is missing.
        DamagedArchiveError
            If the size does not fit type and shape, or the shape does not fit the map.
        """
        path = self.path
        there = self.map.members.get(self.fields.member or "")
        if there is None:
            raise MemberNotFoundError(f"channel {self.name!r}: no member {path}", where=self.map.group.name)
        shape, needed = self.fields.shape or (), self.map.stored_shape
        problem = array_fields.size_problem(self.fields.dtype, self.fields.shape, there)
        if problem is None and shape[: len(needed)] != needed:
            problem = f"{sizes(shape)} values do not fit a map of {sizes(needed)}"
        if problem is not None:
            raise DamagedArchiveError(f"channel {self.name!r} cannot be read: {problem}", where=self.map.where)


def stored_values(
    owner: Map, values: ArrayLike | bytes, dtype: str | None, shape: Sequence[int] | None
) -> tuple[str, tuple[int, ...], bytes]:
    """Type, shape and bytes of a channel's values as they are stored. Raises UsageError where they do not fit."""
    if isinstance(values, bytes):
        wanted = tuple(owner.stored_shape if shape is None else shape)
        problem = array_fields.size_problem(dtype, wanted, len(values))
        if problem is not None or dtype is None:
            raise UsageError(f"the bytes of a channel do not fit: {problem}.", where=owner.where)
        _require_fit(wanted, owner.stored_shape, owner)
        return dtype, wanted, values
    import numpy as np  # noqa: PLC0415 - numpy costs start-up time: loaded when an array is asked for

    array = np.asarray(values)
    _require_fit(array.shape, owner.shape, owner)
    return array_fields.stored_bytes(array.swapaxes(0, 1) if owner.is_turned else array)


def member_of(owner: Map, wanted: str | None, name: str, version: int) -> str:
    """The file of a new channel: the one asked for, or one made of its name. Raises UsageError where it cannot be."""
    taken = owner.members
    if wanted is None:
        return _free_member(taken, name, version)
    problem = map_fields.member_problem(wanted)
    if problem is None and wanted in taken:
        problem = "it is taken"
    if problem is None and not wanted.endswith(layout.TYPE_SUFFIX):
        problem = f"it does not end in {layout.TYPE_SUFFIX}"
    if problem is not None or "/" in wanted:
        raise UsageError(
            f"{wanted!r} cannot be the file of a channel: {problem or 'it is in another folder'}.", where=owner.where
        )
    return wanted


def turned(shape: Sequence[int]) -> tuple[int, ...]:
    """Rows and columns the other way round."""
    return (shape[1], shape[0], *shape[2:]) if len(shape) > 1 else tuple(shape)


def sizes(shape: Sequence[int]) -> str:
    """`920 × 1000`."""
    return " × ".join(map(str, shape))


def _require_fit(shape: Sequence[int], needed: Sequence[int], owner: Map) -> None:
    if tuple(shape[: len(needed)]) != tuple(needed):
        found = sizes(shape) or "single"
        raise UsageError(f"{found} values do not fit a map of {sizes(needed)}.", where=owner.where)


def _free_member(taken: Collection[str], name: str, version: int) -> str:
    """`Ti Ka` → `ti-ka.data`, its second version `ti-ka-v2.data`."""
    stem = _NOT_IN_A_NAME.sub("-", name.lower()).strip("-") or "channel"
    stem = stem if version == 1 else f"{stem}-v{version}"
    found, number = stem, 1
    while found + layout.TYPE_SUFFIX in taken or found + layout.TYPE_SUFFIX == map_fields.XY:
        number += 1
        found = f"{stem}-{number}"
    return found + layout.TYPE_SUFFIX
