"""Which items of a log entry count: an item that breaks a rule is void for every reader, and the rest is folded.

FORMAT.md has these rules in words, and `salvage.py` by itself; all three decide alike. Calibrations depend on nothing
that other entries say: one that can be read counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Literal, Protocol, TypeVar

from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, Moved, PackAdded, Void

Table = Literal["packs", "manifests"]
T = TypeVar("T")

# The status that a version has before each change, and the one after it; a version that has the latter stays as it is.
_CHANGES = {
    "forgotten": ("live", "forgotten"),
    "restored": ("forgotten", "live"),
    "collected": ("forgotten", "collected"),
}


class Known(Protocol):
    """What the entries before say."""

    def standing(self, table: Table, object_id: str) -> str | None:
        """`alive`, `dead`, or None for an id that no entry named."""

    def status(self, sample: str, version: int) -> str | None:
        """`live`, `forgotten`, `collected`, or None for a version that no entry added."""

    def has_sample(self, sample: str) -> bool:
        """Whether any version of that name was ever added."""


def effective(entry: Entry, known: Known) -> tuple[Entry, list[Void]]:
    """The entry without its void items, and these."""
    judge = _EntryRules(known)
    values: dict[str, Any] = {
        "packs": judge.kept("packs", entry.packs, judge.pack),
        "manifests": judge.kept("manifests", entry.manifests, judge.manifest),
        "archives": judge.kept("archives", entry.archives, judge.archive),
        "moved": judge.kept("moved", entry.moved, judge.moved),
    }
    for key in ("forgotten", "restored", "collected"):
        values[key] = judge.kept(key, getattr(entry, key), judge.change(key))
    judge.condemn("packs", entry.condemned_packs)
    judge.condemn("manifests", entry.condemned_manifests)
    values["replaced"] = dict(judge.kept("replaced", entry.replaced.items(), judge.replaced))
    values["tags"] = judge.kept("tags", entry.tags, judge.tag)
    values["annotations"] = judge.kept("annotations", entry.annotations, judge.annotation)
    values["paths"] = judge.kept("paths", entry.paths, judge.path)
    if not judge.void:
        return entry, list(entry.void)
    return replace(entry, **values), [*entry.void, *judge.void]


def without(entry: Entry, void: Iterable[tuple[str, int]]) -> Entry:
    """The entry without the items of which field and place are given."""
    gone = set(void)
    if not gone:
        return entry
    values: dict[str, Any] = {}
    for field in {field for field, _ in gone}:
        items = getattr(entry, field)
        listed = items.items() if field == "replaced" else items
        left = tuple(item for at, item in enumerate(listed) if (field, at) not in gone)
        values[field] = dict(left) if field == "replaced" else left
    return replace(entry, **values)


class _EntryRules:
    """What the entries before say, and what this one adds to it, item by item."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._standing: dict[tuple[Table, str], str] = {}
        self._status: dict[tuple[str, int], str] = {}
        self._condemned: set[str] = set()  # packs, by this entry
        self.void: list[Void] = []

    def kept(self, field: str, items: Iterable[T], objection: Callable[[T], str | None]) -> tuple[T, ...]:
        """The items against which nothing is to be said, in order."""
        found: list[T] = []
        for at, item in enumerate(items):
            why = objection(item)
            if why is None:
                found.append(item)
            else:
                self.void.append(Void(f"{field}[{at}]", why, field, at))
        return tuple(found)

    def standing(self, table: Table, object_id: str) -> str | None:
        return self._standing.get((table, object_id)) or self._known.standing(table, object_id)

    def status(self, sample: str, version: int) -> str | None:
        return self._status.get((sample, version)) or self._known.status(sample, version)

    def pack(self, item: PackAdded) -> str | None:
        return self._added("packs", item.id)

    def manifest(self, item: ManifestAdded) -> str | None:
        return self._added("manifests", item.id)

    def _added(self, table: Table, object_id: str) -> str | None:
        before = self.standing(table, object_id)
        if before is None:
            self._standing[table, object_id] = "alive"
            return None
        return f"it adds {object_id}, which {'is there already' if before == 'alive' else 'was condemned'}"

    def archive(self, item: ArchiveAdded) -> str | None:
        if self.status(item.sample, item.version) is not None:
            return f"it adds {item.sample}@{item.version}, which is there already"
        if self.standing("manifests", item.manifest) != "alive":
            return f"{item.sample}@{item.version} is in a manifest that is not alive, {item.manifest}"
        self._status[item.sample, item.version] = "live"
        return None

    def moved(self, item: Moved) -> str | None:
        if self.status(item.sample, item.version) not in ("live", "forgotten"):
            return f"it moves {item.sample}@{item.version}, which is not there"
        if self.standing("manifests", item.manifest) != "alive":
            return f"it moves {item.sample}@{item.version} into a manifest that is not alive, {item.manifest}"
        return None

    def change(self, key: str) -> Callable[[tuple[str, int]], str | None]:
        def objection(named: tuple[str, int]) -> str | None:
            status = self.status(*named)
            if status not in _CHANGES[key]:
                return f"{named[0]}@{named[1]} is {status or 'not there'} and cannot be {key}"
            self._status[named] = _CHANGES[key][1]
            return None

        return objection

    def condemn(self, table: Table, ids: Iterable[str]) -> None:
        """Any id can be condemned: one that no entry added is an orphan's, and a dead one stays dead."""
        for object_id in ids:
            if table == "packs" and self.standing(table, object_id) != "dead":
                self._condemned.add(object_id)
            self._standing[table, object_id] = "dead"

    def replaced(self, item: tuple[str, tuple[str, ...]]) -> str | None:
        old, new = item
        if old not in self._condemned:
            return f"it replaces pack {old}, which it does not condemn"
        unknown = next((pack for pack in new if self.standing("packs", pack) is None), None)
        return None if unknown is None else f"it replaces pack {old} by one that no entry added, {unknown}"

    def tag(self, item: Any) -> str | None:
        if item["action"] == "remove" or self.status(item["sample"], item["version"]) is not None:
            return None
        return f"it marks {item['sample']}@{item['version']}, which is not there"

    def annotation(self, item: Any) -> str | None:
        sample, version = item["sample"], item["version"]
        if version is None:
            there = self._known.has_sample(sample) or any(name == sample for name, _ in self._status)
            return None if there else f"it annotates {sample}, which is not there"
        return None if self.status(sample, version) is not None else f"it annotates {sample}@{version}, not there"

    def path(self, item: Any) -> str | None:
        if self.status(item["sample"], item["version"]) is not None:
            return None
        return f"it gives {item['sample']}@{item['version']}, which is not there, a path"
