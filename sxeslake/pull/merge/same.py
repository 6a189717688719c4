"""Which positions of several groups are the same measurement, and what is kept under which UUID. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from sxeslake.archive.sxes import layout
from sxeslake.model import Digest

_NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "sxeslake:content")
"""Of derived UUIDs: the same content gets the same one, whoever merges."""

Arrays = tuple[tuple[str, Digest], ...]


class MergedItem(NamedTuple):
    """A position or an image of one of the groups: place of the group, UUID, files of its folder."""

    share: int
    uuid: str
    files: Mapping[str, Digest]


class Origin(NamedTuple):
    """Where a kept item came from."""

    share: int
    uuid: str


@dataclass(slots=True)
class KeptItems:
    """What is kept: the UUID of each origin in the new group, and the origins of each UUID, the kept one first."""

    uuids: dict[Origin, str] = field(default_factory=dict)
    origins: dict[str, list[Origin]] = field(default_factory=dict)


def arrays_of(files: Mapping[str, Digest]) -> Arrays:
    """The data arrays of a position, by type."""
    suffix = layout.TYPE_SUFFIX
    found = ((name.removesuffix(suffix), digest) for name, digest in files.items() if name.endswith(suffix))
    return tuple(sorted((kind, digest) for kind, digest in found if "/" not in kind))


def need_states(items: Iterable[MergedItem]) -> set[Origin]:
    """The positions whose `state.json` must be read to tell: another one has an array of theirs, or their UUID."""
    arrays = {Origin(item.share, item.uuid): arrays_of(item.files) for item in items}
    times: Counter[object] = Counter(array for found in arrays.values() for array in found)
    times.update(origin.uuid for origin in arrays)
    return {
        origin
        for origin, found in arrays.items()
        if found and (times[origin.uuid] > 1 or any(times[array] > 1 for array in found))
    }


def content_key(item: MergedItem) -> str:
    """What an item without a measurement is told by: UUID and every file, its own words included."""
    return "\n".join([item.uuid, *(f"{name} {digest.hex()}" for name, digest in sorted(item.files.items()))])


def keep(items: Sequence[MergedItem], keys: Sequence[str]) -> KeptItems:
    """Keep each content once; another content under a UUID that is taken gets a UUID that follows from the content."""
    kept = KeptItems()
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
