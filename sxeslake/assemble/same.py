"""Which positions of several groups are the same measurement, and what is kept under which UUID. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.measurement import position_content_id
from sxeslake.archive.sxes_metadata import StateFields
from sxeslake.model import Digest

_NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "sxeslake:content")
"""Of derived UUIDs: the same content gets the same one, whoever merges."""

Arrays = tuple[tuple[str, Digest], ...]


class Item(NamedTuple):
    """A position or an image of one of the groups: place of the group, UUID, files of its folder."""

    share: int
    uuid: str
    files: Mapping[str, Digest]


class Origin(NamedTuple):
    """Where a kept item came from."""

    share: int
    uuid: str


@dataclass(slots=True)
class Kept:
    """What is kept: the UUID of each origin in the new group, and the origins of each UUID, the kept one first."""

    uuids: dict[Origin, str] = field(default_factory=dict)
    origins: dict[str, list[Origin]] = field(default_factory=dict)


def arrays_of(files: Mapping[str, Digest]) -> Arrays:
    """The data arrays of a position, by type."""
    suffix = layout.TYPE_SUFFIX
    found = ((name.removesuffix(suffix), digest) for name, digest in files.items() if name.endswith(suffix))
    return tuple(sorted((kind, digest) for kind, digest in found if "/" not in kind))


def need_states(items: Iterable[Item]) -> set[Origin]:
    """The positions whose `state.json` must be read to tell: others have arrays that nobody else has."""
    items = list(items)
    arrays = {Origin(item.share, item.uuid): arrays_of(item.files) for item in items}
    times = Counter(found for found in arrays.values() if found)
    return {origin for origin, found in arrays.items() if found and times[found] > 1}


def measurement_key(item: Item, state: StateFields) -> str:
    """What a position is told by: its `content_id`; without arrays all that it has.

    Where nobody else has its arrays the state need not be known: an empty one will do.
    """
    arrays = arrays_of(item.files)
    if not arrays:
        return content_key(item)
    stage_mm = (state.stage_x_mm, state.stage_y_mm, state.stage_z_mm)
    return position_content_id(arrays, state.saved_local, stage_mm) or ""


def content_key(item: Item) -> str:
    """What an item without a measurement is told by: UUID and every file, its own words included."""
    return "\n".join([item.uuid, *(f"{name} {digest.hex()}" for name, digest in sorted(item.files.items()))])


def keep(items: Sequence[Item], keys: Sequence[str]) -> Kept:
    """Keep each content once; another content under a UUID that is taken gets a UUID that follows from the content."""
    kept = Kept()
    by_key: dict[str, str] = {}
    for item, key in zip(items, keys, strict=True):
        uuid = by_key.get(key)
        if uuid is None:
            uuid = by_key[key] = derived_uuid(key, kept.origins) if item.uuid in kept.origins else item.uuid
        kept.uuids[Origin(item.share, item.uuid)] = uuid
        kept.origins.setdefault(uuid, []).append(Origin(item.share, item.uuid))
    return kept


def derived_uuid(content: str, taken: Collection[str]) -> str:
    """A UUID of version 5 made of a content; the same wherever it is derived."""
    uuid, attempt = str(uuid5(_NAMESPACE, content)), 0
    while uuid in taken:
        attempt += 1
        uuid = str(uuid5(_NAMESPACE, f"{content}\n{attempt}"))
    return uuid
