"""What differs between two groups, by content: members, positions whatever their UUID, JSON field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import mapping, read_info, read_state
from sxeslake.archive.sxes.measurement import position_content_id
from sxeslake.format.layout import LayoutChange
from sxeslake.model import Digest
from sxeslake.pull.map_difference import MapChange, folders_of, map_change, map_pairs, own_fields
from sxeslake.pull.merge.metadata import PROVENANCE
from sxeslake.pull.merge.same import arrays_of
from sxeslake.pull.part.outline import PICTURES, POSITIONS, listed
from sxeslake.text.html import HtmlRecord

Change = Literal["added", "removed", "changed", "renamed"]

_REFERENCES: Final = ("uuid", "conditionUuid", "rawConditionUuid", "rawCondtionUuid", "backgroundUuid")
_LISTS: Final = {
    POSITIONS: "positions",
    PICTURES: "images",
    layout.MAP_KEY: "maps",
    "analysisUuids": "analyses",
    "analyses": "analyses",
}


class ComparedFile(NamedTuple):
    """A file by its content."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class MemberChange(HtmlRecord):
    """A member that only one version has, or that has other bytes."""

    path: str
    change: Change
    size_a: int | None
    size_b: int | None


@dataclass(frozen=True, slots=True)
class FieldChange(HtmlRecord):
    """One field of a JSON object that differs: `stage.x`, None where it is absent."""

    where: str
    field: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class PositionChange(HtmlRecord):
    """A position that is new, gone, measured or described again, or the same measurement under another UUID."""

    change: Change
    uuid_a: str | None
    uuid_b: str | None
    comment: str | None
    types: list[str]  # data that differ


@dataclass(frozen=True, slots=True)
class ConditionChange(HtmlRecord):
    """A condition in place of another: ids, how many positions went from one to the other, what differs."""

    condition_a: str | None
    condition_b: str | None
    positions: int
    fields: list[FieldChange]


@dataclass(slots=True)
class Difference(HtmlRecord):
    """All that differs from version `a` to version `b`.

    Attributes
    ----------
    a : str
        One version.
    b : str
        The other.
    equal : bool
        Whether names and contents are the same.
    members : list of MemberChange
        Members that differ.
    members_same : int
        How many are the same.
    positions : list of PositionChange
        Positions that differ.
    positions_same : int
        How many are the same.
    conditions : list of ConditionChange
        Conditions that differ.
    fields : list of FieldChange
        Fields of JSON that differ.
    identical : bool
        Whether they are also the same in what `equal` does not cover: see `differs`.
    differs : list of str
        Which of content, times, attributes, names, order, comment and container differ.
    layout : list of LayoutChange
        What differs of members that both have.
    maps : list of MapChange
        Maps that differ.
    maps_same : int
        How many are the same.
    comment_a : str
        The zip's comment of `a`.
    comment_b : str
        The zip's comment of `b`.
    container_a : str or None
        The container of `a`.
    container_b : str or None
        The container of `b`.

    Examples
    --------
    >>> found = lake.diff("map", "map@1")
    >>> found.positions_same, found.differs
    (0, [])
    """

    a: str
    b: str
    equal: bool = True
    members: list[MemberChange] = field(default_factory=list)
    members_same: int = 0
    positions: list[PositionChange] = field(default_factory=list)
    positions_same: int = 0
    conditions: list[ConditionChange] = field(default_factory=list)
    fields: list[FieldChange] = field(default_factory=list)
    identical: bool = True
    differs: list[str] = field(default_factory=list)
    layout: list[LayoutChange] = field(default_factory=list)
    comment_a: str = ""
    comment_b: str = ""
    container_a: str | None = None
    container_b: str | None = None
    maps: list[MapChange] = field(default_factory=list)
    maps_same: int = 0


@dataclass(slots=True)
class Side:
    """One version as it is compared: files by path, and the JSON of what differs."""

    files: Mapping[str, ComparedFile]
    documents: dict[str, Any] = field(default_factory=dict)  # path → parsed value

    def positions(self) -> dict[str, dict[str, ComparedFile]]:
        """Position UUID → the files of its folder."""
        found: dict[str, dict[str, ComparedFile]] = {}
        for path, file in self.files.items():
            parts = path.split("/", 2)
            if len(parts) == 3 and parts[0] == layout.DATA:
                found.setdefault(parts[1], {})[parts[2]] = file
        return found

    def document(self, uuid: str, name: str) -> Any:
        """A JSON of a position."""
        return self.documents.get(f"{layout.DATA}/{uuid}/{name}")

    def measurement(self, uuid: str, files: Mapping[str, ComparedFile]) -> str | None:
        """The `content_id` of a position."""
        state = read_state(self.document(uuid, layout.STATE))
        stage_mm = (state.stage_x_mm, state.stage_y_mm, state.stage_z_mm)
        arrays = arrays_of({name: file.digest for name, file in files.items()})
        return position_content_id(arrays, state.saved_local, stage_mm)

    def condition(self, uuid: str) -> str | None:
        """The condition that a position names."""
        return read_info(self.document(uuid, layout.INFO)).condition_id


def member_changes(a: Mapping[str, ComparedFile], b: Mapping[str, ComparedFile]) -> tuple[list[MemberChange], int]:
    """Members added, removed and changed, by path; and how many are the same."""
    changes = [MemberChange(path, "removed", a[path].size, None) for path in a.keys() - b.keys()]
    changes += [MemberChange(path, "added", None, b[path].size) for path in b.keys() - a.keys()]
    both = a.keys() & b.keys()
    changed = [path for path in both if a[path] != b[path]]
    changes += [MemberChange(path, "changed", a[path].size, b[path].size) for path in changed]
    return sorted(changes, key=lambda change: change.path), len(both) - len(changed)


def open_positions(a: Side, b: Side) -> tuple[set[str], set[str]]:
    """The positions of either side that are not file by file the same under the same UUID."""
    ours, theirs = a.positions(), b.positions()
    same = {uuid for uuid in ours.keys() & theirs.keys() if ours[uuid] == theirs[uuid]}
    return ours.keys() - same, theirs.keys() - same


def compare_groups(a: Side, b: Side, found: Difference) -> None:
    """Add what differs between two groups whose open positions, metadata and conditions have been read."""
    ours, theirs = a.positions(), b.positions()
    open_a, open_b = open_positions(a, b)
    found.positions_same = len(ours) - len(open_a)
    pairs = list(_pairs(a, b, ours, theirs, open_a, open_b))
    for uuid_a, uuid_b in pairs:
        found.positions.append(_position_change(a, b, ours, theirs, uuid_a, uuid_b))
        if uuid_a is not None and uuid_b is not None:
            for name in (layout.INFO, layout.STATE):
                where = f"position {uuid_a} {name}"
                found.fields += _fields(where, a.document(uuid_a, name), b.document(uuid_b, name))
    found.conditions = _conditions(a, b, [(one, two) for one, two in pairs if one is not None and two is not None])
    _compare_maps(a, b, found)
    found.fields += _metadata(a.documents.get(layout.METADATA), b.documents.get(layout.METADATA))


def _compare_maps(a: Side, b: Side, found: Difference) -> None:
    ours, theirs = folders_of(a.files), folders_of(b.files)
    found.maps_same = sum(folder == theirs.get(uuid) for uuid, folder in ours.items())
    for pair in map_pairs(ours, theirs):
        values = tuple(
            side.documents.get(f"{layout.map_folder(uuid or '')}{layout.MAP}")
            for side, uuid in zip((a, b), pair, strict=True)
        )
        folders = ours.get(pair[0] or "", {}), theirs.get(pair[1] or "", {})
        found.maps.append(map_change(pair, (values[0], values[1]), folders))
        if None not in pair:
            found.fields += _fields(f"map {pair[0]}", *map(own_fields, values))


def _pairs(
    a: Side,
    b: Side,
    ours: Mapping[str, Mapping[str, ComparedFile]],
    theirs: Mapping[str, Mapping[str, ComparedFile]],
    open_a: set[str],
    open_b: set[str],
) -> Iterator[tuple[str | None, str | None]]:
    """Which open positions belong together: the same measurement, then the same UUID, then nobody."""
    left = dict.fromkeys(sorted(open_b))
    by_content: dict[str, list[str]] = {}
    for uuid in left:
        if key := b.measurement(uuid, theirs[uuid]):
            by_content.setdefault(key, []).append(uuid)
    alone: list[str] = []
    for uuid in sorted(open_a, key=lambda uuid: (uuid not in left, uuid)):
        key = a.measurement(uuid, ours[uuid])
        same = [other for other in by_content.get(key or "", ()) if other in left]
        if not same:
            alone.append(uuid)
            continue
        other = uuid if uuid in same else same[0]
        del left[other]
        yield uuid, other
    for uuid in alone:
        if uuid in left:
            del left[uuid]
            yield uuid, uuid
        else:
            yield uuid, None
    for uuid in left:
        yield None, uuid


def _position_change(
    a: Side,
    b: Side,
    ours: Mapping[str, Mapping[str, ComparedFile]],
    theirs: Mapping[str, Mapping[str, ComparedFile]],
    uuid_a: str | None,
    uuid_b: str | None,
) -> PositionChange:
    change: Change = "added" if uuid_a is None else "removed" if uuid_b is None else "changed"
    if uuid_a is not None and uuid_b is not None and uuid_a != uuid_b:
        change = "renamed"
    side, uuid = (a, uuid_a) if uuid_b is None else (b, uuid_b)
    one, two = dict(ours.get(uuid_a or "", {})), dict(theirs.get(uuid_b or "", {}))
    differ = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    types = [name.removesuffix(layout.TYPE_SUFFIX) for name in differ if name.endswith(layout.TYPE_SUFFIX)]
    return PositionChange(change, uuid_a, uuid_b, read_info(side.document(uuid or "", layout.INFO)).comment, types)


def _conditions(a: Side, b: Side, pairs: Sequence[tuple[str, str]]) -> list[ConditionChange]:
    """Conditions that positions went from and to; then those that only one version has, the most alike together."""
    moves: dict[tuple[str | None, str | None], int] = {}
    for uuid_a, uuid_b in pairs:
        ids = a.condition(uuid_a), b.condition(uuid_b)
        if ids[0] != ids[1]:
            moves[ids] = moves.get(ids, 0) + 1
    changes = [
        ConditionChange(one, two, count, _condition_fields(a, b, one, two)) for (one, two), count in moves.items()
    ]
    told = {digest for ids in moves for digest in ids}
    left = [sorted(_condition_ids(side) - _condition_ids(other) - told) for side, other in ((a, b), (b, a))]
    for one in left[0]:
        alike = sorted(left[1], key=lambda two: len(_condition_fields(a, b, one, two)))
        two = alike[0] if alike else None
        if two is not None:
            left[1].remove(two)
        changes.append(ConditionChange(one, two, 0, _condition_fields(a, b, one, two)))
    changes += [ConditionChange(None, two, 0, []) for two in left[1]]
    return changes


def _condition_ids(side: Side) -> set[str]:
    return {layout.shared_digest(path) for path in side.files if path.startswith(f"{layout.CONDITIONS}/")}


def _condition_fields(a: Side, b: Side, one: str | None, two: str | None) -> list[FieldChange]:
    if one is None or two is None:
        return []
    found = [
        next((side.documents[path] for path in layout.shared_candidates(layout.CONDITIONS, digest)
              if path in side.documents), None)
        for side, digest in ((a, one), (b, two))
    ]  # fmt: skip
    return _fields(f"condition {one[:12]} → {two[:12]}", *found)


def _metadata(a: Any, b: Any) -> list[FieldChange]:
    """Projects and analyses, entry by entry; of their lists how many they name."""
    changes = []
    for key, word in (("projects", "project"), ("analyses", "analysis")):
        ours, theirs = _by_uuid(a, key), _by_uuid(b, key)
        for uuid in [*ours, *(uuid for uuid in theirs if uuid not in ours)]:
            changes += _fields(f"{word} {uuid}", ours.get(uuid), theirs.get(uuid))
    entries = ("projects", "analyses", PROVENANCE)  # where a merge came from is no difference in what it is
    top = [{key: value for key, value in mapping(side).items() if key not in entries} for side in (a, b)]
    return changes + _fields(layout.METADATA, *top)


def _by_uuid(metadata: Any, key: str) -> dict[str, dict[str, Any]]:
    entries = mapping(metadata).get(key)
    found = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            counts = {word: len(listed(entry, name)) for name, word in _LISTS.items() if name in entry}
            found[str(entry.get("uuid", ""))] = {k: v for k, v in entry.items() if k not in _LISTS} | counts
    return found


def _fields(where: str, a: Any, b: Any) -> list[FieldChange]:
    """The fields of two JSON values that differ, by their paths."""
    ours, theirs = dict(_flat(a)), dict(_flat(b))
    names = [*ours, *(name for name in theirs if name not in ours)]
    return [
        FieldChange(where, name, ours.get(name), theirs.get(name))
        for name in names
        if (name in ours) != (name in theirs) or ours.get(name) != theirs.get(name)
        if name not in _REFERENCES
    ]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`{"stage": {"x": 1}}` → `stage.x`, 1; lists are values."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif value is not None or prefix:
        yield prefix, value
