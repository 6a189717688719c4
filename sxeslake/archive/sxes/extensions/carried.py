"""Maps, documents and sources under other ids: what a copy, a merge or a part of a group makes of them. Pure.

Each function takes a JSON value and gives one, the same object where nothing has to change, so that bytes stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import mapping, objects, strings
from sxeslake.archive.sxes.documents.units import text

Place = Callable[[str, str], str | None]
"""`place("position", uuid)`: the id that a thing has in the new group; None where it is not in it.

Of `"position"`, `"image"`, `"analysis"`, `"project"`, `"map"`, `"source"` and `"document"`.
"""

_ABOUT: Final = ("position", "image", "analysis", "project", "map", "source", "document")
_ROOTS: Final = {layout.DATA: "position", layout.IMAGES: "image", layout.MAPS: "map"}


def map_as(value: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """A `map.json` elsewhere: points whose positions are not there have none. Sources that are not there stay named."""
    found = dict(value)
    points = mapping(value.get("points"))
    uuids = points.get("positionUuids")
    if isinstance(uuids, list):
        moved = [place("position", uuid) if isinstance(uuid, str) else uuid for uuid in uuids]
        if moved != uuids:
            found["points"] = {**points, "positionUuids": moved}
    for key, what in (("analysisUuid", "analysis"), ("uuid", "map")):
        uuid = value.get(key)
        if isinstance(uuid, str) and (new := place(what, uuid)) is not None:
            found[key] = new
    state = value.get("stateUuid")
    if isinstance(state, str):
        found["stateUuid"] = place("position", state)
    channels = value.get("channels")
    if isinstance(channels, list):
        found["channels"] = [_channel_as(channel, place) for channel in channels]
    return value if found == value else found


def _channel_as(channel: Any, place: Place) -> Any:
    source = mapping(channel).get("source")
    new = place("source", source) if isinstance(source, str) else None
    return channel if new is None or new == source else {**channel, "source": new}


def recipe_as(value: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
    """A document of `sources/` elsewhere; None where something is not there that it takes bytes from."""
    files = value.get("files")
    found: list[Any] = []
    for file in files if isinstance(files, list) else ():
        parts = mapping(file).get("parts")
        moved: list[Any] = []
        for part in parts if isinstance(parts, list) else ():
            member = mapping(part).get("member")
            new = member_as(member, place) if isinstance(member, str) else None
            if new is None:
                return None
            moved.append({**part, "member": new})
        found.append({**file, "parts": moved} if isinstance(file, dict) and moved != parts else file)
    return value if found == files else {**value, "files": found}


def member_as(path: str, place: Place) -> str | None:
    """`data/<uuid>/xes.data` elsewhere; a path that is of no position, image or map stays."""
    root, _, rest = path.partition("/")
    uuid, _, name = rest.partition("/")
    if root not in _ROOTS or not name:
        return path
    new = place(_ROOTS[root], uuid)
    return None if new is None else f"{root}/{new}/{name}"


def about_of(value: object) -> list[tuple[str, str]]:
    """What a document is about: `("map", "<uuid>")`; empty where it is about the group."""
    found = objects(mapping(value).get("about"))
    return [(what, uuid) for each in found for what in _ABOUT if (uuid := text(each.get(what))) is not None]


def document_as(value: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """A document elsewhere; what it is about and is not there keeps its id."""
    found = dict(value)
    about = value.get("about")
    if isinstance(about, list):
        found["about"] = [_about_as(each, place) for each in about]
    older = value.get("supersedes")
    if isinstance(older, str):
        found["supersedes"] = place("document", older) or older
    return value if found == value else found


def _about_as(entry: Any, place: Place) -> Any:
    if not isinstance(entry, dict):
        return entry
    moved = {what: place(what, uuid) or uuid for what in _ABOUT if isinstance(uuid := entry.get(what), str)}
    return {**entry, **moved}


def wanted_documents(documents: Mapping[str, object], is_there: Callable[[str, str], bool]) -> list[str]:
    """The ids of documents that belong to a part: about something that is there, or about the group as a whole.

    What they supersede comes along. They are told in such an order that each comes after what it supersedes.
    """
    wanted = [digest for digest, value in documents.items() if _is_wanted(value, is_there)]
    return oldest_first(wanted, documents)


def _is_wanted(value: object, is_there: Callable[[str, str], bool]) -> bool:
    about = about_of(value)
    return not about or any(is_there(what, uuid) for what, uuid in about)


def oldest_first(wanted: Iterable[str], documents: Mapping[str, object]) -> list[str]:
    """Documents with all that they supersede, each after its older version."""
    found: dict[str, None] = {}
    for digest in wanted:
        chain: list[str] = []
        older: str | None = digest
        while older is not None and older in documents and older not in found and older not in chain:
            chain.append(older)
            older = text(mapping(documents[older]).get("supersedes"))
        found.update(dict.fromkeys(reversed(chain)))
    return list(found)


def joined_points(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Two parts of one map as one: positions of points that only one has. None where they differ in anything else."""
    uuids = [mapping(each.get("points")).get("positionUuids") for each in (one, other)]
    ours, theirs = uuids
    rest = [_without_points(each) for each in (one, other)]
    if rest[0] != rest[1]:
        return None
    if not isinstance(ours, list) or not isinstance(theirs, list):
        return one if ours == theirs else None
    if len(ours) != len(theirs):
        return None
    if any(a is not None and b is not None and a != b for a, b in zip(ours, theirs, strict=True)):
        return None
    joined = [b if a is None else a for a, b in zip(ours, theirs, strict=True)]
    state = one.get("stateUuid") or other.get("stateUuid")
    found = {**one, "points": {**mapping(one.get("points")), "positionUuids": joined}}
    if "stateUuid" in one or "stateUuid" in other:
        found["stateUuid"] = state
    return one if found == one else found


def _without_points(value: Mapping[str, Any]) -> dict[str, Any]:
    """All but the positions of points, and the state that one of them has."""
    points = {key: each for key, each in mapping(value.get("points")).items() if key != "positionUuids"}
    return {key: each for key, each in value.items() if key not in ("points", "stateUuid")} | {"points": points}


def map_ids(entry: Mapping[str, Any], gone: Collection[str]) -> list[str]:
    """The maps that an analysis lists, without some."""
    return [uuid for uuid in strings(entry.get(layout.MAP_KEY)) if uuid not in gone]


def with_maps(entry: Mapping[str, Any], uuids: Sequence[str]) -> dict[str, Any]:
    """An analysis that lists just these maps; without the key where there are none and it had none."""
    if not uuids and layout.MAP_KEY not in entry:
        return dict(entry)
    return {**entry, layout.MAP_KEY: list(uuids)}
