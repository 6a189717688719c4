"""Which positions of several groups are one measurement, copies that lack some of its data among them. Pure.

A copy that was pulled with `--types qlw` is the same measurement as the whole: all that both have is equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import StateFields, read_state
from sxeslake.archive.sxes.measurement import position_content_id
from sxeslake.model import Digest
from sxeslake.pull.merge.same import Arrays, KeptItems, MergedItem, Origin, arrays_of, content_key, keep

_MOST_ALIKE: Final = 64
"""An array that so many measurements of one time and place have is an empty frame, and tells nothing."""

_UNKNOWN: Final = read_state(None)


class _Seen(NamedTuple):
    """A position: what it recorded, when and where. What need not be known to tell is left empty."""

    item: MergedItem
    arrays: Arrays
    state: StateFields

    @property
    def stage_mm(self) -> tuple[float | None, ...]:
        return self.state.stage_x_mm, self.state.stage_y_mm, self.state.stage_z_mm

    @property
    def content_id(self) -> str | None:
        return position_content_id(self.arrays, self.state.saved_local, self.stage_mm)


@dataclass(eq=False, slots=True)
class _Measurement:
    """Copies of one measurement, and all that they have together; of files that differ the richest copy's."""

    like: _Seen
    files: dict[str, Digest] = field(default_factory=dict)
    uuids: set[str] = field(default_factory=set)

    def agrees(self, files: Mapping[str, Digest], *, arrays_alone: bool) -> bool:
        """Whether all that both have is equal: all files, or the data alone. What describes data grows with it."""
        return all(
            self.files[name] == digest
            for name, digest in files.items()
            if name in self.files and name != layout.ARRAYS and (not arrays_alone or _is_data(name))
        )

    def add(self, item: MergedItem) -> None:
        for name, digest in item.files.items():
            self.files.setdefault(name, digest)
        self.uuids.add(item.uuid)

    @property
    def key(self) -> str:
        """What a UUID of it is derived from: all its data, whichever copies they came from."""
        whole = self.like._replace(arrays=arrays_of(self.files))
        return whole.content_id or content_key(self.like.item)


class _Measurements:
    """Those found so far, by all that a further copy may share with them."""

    def __init__(self) -> None:
        self._by_content: dict[str, _Measurement] = {}
        self._by_array: dict[object, list[_Measurement]] = {}
        self._by_uuid: dict[str, list[_Measurement]] = {}

    def place(self, seen: _Seen) -> _Measurement:
        """The measurement that a position is a copy of; a new one where there is none."""
        found = self._find(seen)
        if found is None:
            found = _Measurement(seen)
            for place in self._places(seen):
                self._by_array.setdefault(place, []).append(found)
        if seen.content_id is not None:
            self._by_content.setdefault(seen.content_id, found)
        if seen.item.uuid not in found.uuids:
            self._by_uuid.setdefault(seen.item.uuid, []).append(found)
        found.add(seen.item)
        return found

    def _find(self, seen: _Seen) -> _Measurement | None:
        if seen.content_id in self._by_content:
            return self._by_content[seen.content_id]
        for alike in (self._by_array.get(place, ()) for place in self._places(seen)):
            for each in alike[:_MOST_ALIKE]:
                told = seen.state.saved_local is not None or seen.item.uuid in each.uuids
                if told and each.agrees(seen.item.files, arrays_alone=True):
                    return each
        for each in self._by_uuid.get(seen.item.uuid, ()):
            if _is_told(seen.item, each) and each.agrees(seen.item.files, arrays_alone=False):
                return each
        return None

    @staticmethod
    def _places(seen: _Seen) -> list[object]:
        return [(array, seen.state.saved_local, *seen.stage_mm) for array in seen.arrays]


def _is_told(item: MergedItem, other: _Measurement) -> bool:
    """Whether what a copy has in common with another of its UUID tells enough: data, or the state; else everything."""
    common = item.files.keys() & other.files.keys()
    return layout.STATE in common or any(map(_is_data, common)) or item.files == other.like.item.files


def _is_data(name: str) -> bool:
    return name.endswith(layout.TYPE_SUFFIX)


def keep_measurements(items: Sequence[MergedItem], states: Mapping[Origin, StateFields]) -> KeptItems:
    """Keep each measurement once, under the UUID of its first copy; see `same.keep`.

    Copies are the same measurement when the data that both have are equal, at least one of them, and time and place;
    under one UUID also when every file that both have is equal, data or `state.json` among them. The richest copies
    are looked at first, so that two parts of a whole meet in it.
    """
    seen = [_Seen(item, arrays_of(item.files), states.get(Origin(item.share, item.uuid), _UNKNOWN)) for item in items]
    measurements = _Measurements()
    found: dict[int, _Measurement] = {}
    for at in sorted(range(len(seen)), key=lambda at: (-len(seen[at].arrays), -len(seen[at].item.files))):
        found[at] = measurements.place(seen[at])
    keys = {id(each): each.key for each in found.values()}
    return keep(items, [keys[id(found[at])] for at in range(len(items))])
