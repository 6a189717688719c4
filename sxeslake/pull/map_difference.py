"""What differs between the maps of two groups: which there are, their channels, their points. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import mapping, objects
from sxeslake.archive.sxes.documents.units import text
from sxeslake.text.html import HtmlRecord

FileT = TypeVar("FileT")
Folders = Mapping[str, Mapping[str, FileT]]
"""Map → the files of its folder."""

_OWN: Final = frozenset({"uuid", "analysisUuid", "stateUuid", "points", "channels"})
"""Fields of a `map.json` that are references, or compared on their own."""


@dataclass(frozen=True, slots=True)
class MapChange(HtmlRecord):
    """A map that is new, gone, another one, or the same under another UUID.

    `channels` are the names of those that are new, gone or other, `points` how many points have another position or
    coordinates.
    """

    change: Literal["added", "removed", "changed", "renamed"]
    uuid_a: str | None
    uuid_b: str | None
    name: str | None
    channels: list[str]
    points: int


def folders_of(files: Mapping[str, FileT]) -> dict[str, dict[str, FileT]]:
    """The folders of maps among all files."""
    found: dict[str, dict[str, FileT]] = {}
    for path, file in files.items():
        root, _, rest = path.partition("/")
        uuid, _, name = rest.partition("/")
        if root == layout.MAPS and name:
            found.setdefault(uuid, {})[name] = file
    return found


def map_pairs(ours: Folders[FileT], theirs: Folders[FileT]) -> Iterator[tuple[str | None, str | None]]:
    """Maps that are not file by file the same, and what each belongs to: its UUID, then its data, then nothing."""
    both = ours.keys() & theirs.keys()
    yield from ((uuid, uuid) for uuid in sorted(both) if ours[uuid] != theirs[uuid])
    left = {_data(theirs[uuid]): uuid for uuid in sorted(theirs.keys() - both)}
    for uuid in sorted(ours.keys() - both):
        key = _data(ours[uuid])
        yield uuid, left.pop(key, None) if key else None
    found = {uuid for key, uuid in left.items() if key}
    yield from ((None, uuid) for uuid in sorted(theirs.keys() - both) if uuid in found or not _data(theirs[uuid]))


def _data(folder: Mapping[str, FileT]) -> frozenset[tuple[str, FileT]]:
    return frozenset((name, file) for name, file in folder.items() if name.endswith(layout.TYPE_SUFFIX))


def map_change(
    pair: tuple[str | None, str | None], values: tuple[Any, Any], folders: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> MapChange:
    """How two maps differ; `values` are their `map.json`."""
    uuid_a, uuid_b = pair
    change: Literal["added", "removed", "changed", "renamed"] = "changed"
    if uuid_a is None or uuid_b is None:
        change = "added" if uuid_a is None else "removed"
    elif uuid_a != uuid_b:
        change = "renamed"
    a, b = map(mapping, values)
    name = text(b.get("name")) or text(a.get("name"))
    if uuid_a is None or uuid_b is None:
        return MapChange(change, uuid_a, uuid_b, name, [], 0)
    return MapChange(change, uuid_a, uuid_b, name, _channels((a, b), folders), _points((a, b), folders))


def own_fields(value: Any) -> dict[str, Any]:
    """The fields of a `map.json` that are compared one by one."""
    return {key: each for key, each in mapping(value).items() if key not in _OWN}


def _channels(values: tuple[Any, Any], folders: tuple[Mapping[str, Any], Mapping[str, Any]]) -> list[str]:
    """Names of the channels that differ in what is said of them, or in their data."""
    sides = []
    for value, folder in zip(values, folders, strict=True):
        members = {text(each.get("member")) or "": dict(each) for each in objects(value.get("channels"))}
        sides.append({member: (fields, folder.get(member)) for member, fields in members.items()})
    a, b = sides
    differ = [member for member in [*a, *(each for each in b if each not in a)] if a.get(member) != b.get(member)]
    return list(dict.fromkeys(text((b.get(each) or a[each])[0].get("name")) or each for each in differ))


def _points(values: tuple[Any, Any], folders: tuple[Mapping[str, Any], Mapping[str, Any]]) -> int:
    """How many points differ: all of them where their coordinates do."""
    lists: list[list[Any]] = []
    coordinates = []
    for value, folder in zip(values, folders, strict=True):
        points = mapping(value.get("points"))
        uuids = points.get("positionUuids")
        lists.append(uuids if isinstance(uuids, list) else [])
        coordinates.append(folder.get(text(points.get("xy")) or ""))
    a, b = lists
    longest = max(len(a), len(b))
    if coordinates[0] != coordinates[1]:
        return longest
    return sum(bool(one != other) for one, other in zip(a, b, strict=False)) + longest - min(len(a), len(b))
