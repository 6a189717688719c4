"""Maps, described arrays, documents and sources of several groups as those of one: in the new ids, equal ones once.

Parts of one map join where their points complete each other; another map of a UUID that is taken gets a UUID that
follows from its content. A document or a source that names something by a new id has other bytes, and a new id itself.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import Document, dump
from sxeslake.archive.sxes.extensions import carried
from sxeslake.archive.sxes.extensions.originals import read_recipe
from sxeslake.model import Digest, Member
from sxeslake.pull.merge.metadata import MergedMetadata
from sxeslake.pull.merge.same import KeptItems, Origin, derived_uuid
from sxeslake.pull.part.assembly import GeneratedMember, made_from
from sxeslake.pull.part.extras import Extras, named_files
from sxeslake.pull.part.share import Share
from sxeslake.reading.rows import where_true

_OWN_WORDS: Final = (layout.INFO, layout.ARRAYS, layout.MAP)
"""Files that a merge may write anew."""
_JSON_ROOTS: Final = (f"{layout.MAPS}/", f"{layout.DOCUMENTS}/", f"{layout.SOURCES}/")


@dataclass(slots=True)
class MergedExtras:
    """What becomes of them.

    Attributes
    ----------
    maps : KeptItems
        The UUID of each map in the new group.
    made : dict of str to GeneratedMember
        Members with other contents, by their new paths.
    left_out : list of set of str
        Of each share, rows that are not copied: what stands in `made` in their place, or what nothing needs.
    needed : list of set of str
        Of each share, shared files that channels, described arrays and sources name.
    warnings : list of str
        What could not be carried.
    """

    maps: KeptItems = field(default_factory=KeptItems)
    made: dict[str, GeneratedMember] = field(default_factory=dict)
    left_out: list[set[str]] = field(default_factory=list)
    needed: list[set[str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _JoinedMap:
    """A map of the new group: what it says, its own UUID still as it was, and its files beside `map.json`."""

    uuid: str
    like: Document
    value: Mapping[str, Any]
    files: dict[str, Digest]

    def take(self, document: Document, value: Mapping[str, Any], files: Mapping[str, Digest]) -> bool:
        """Take in another part of the same map; whether it is one, under whatever UUID."""
        if any(self.files.get(name, digest) != digest for name, digest in files.items()):
            return False
        if not document.fields or not self.like.fields:
            return document.raw == self.like.raw
        joined = carried.joined_points(_without_ids(self.value), _without_ids(value))
        if joined is None:
            return False
        points = {key: joined[key] for key in ("points", "stateUuid") if key in joined}
        self.value, self.files = {**self.value, **points}, {**self.files, **files}
        return True


def _without_ids(value: Mapping[str, Any]) -> dict[str, Any]:
    """A `map.json` without what another merge has named otherwise: its UUID, and the sources of its channels."""
    found = {key: each for key, each in value.items() if key != "uuid"}
    if isinstance(found.get("channels"), list):
        found["channels"] = [
            {key: each for key, each in channel.items() if key != "source"} if isinstance(channel, dict) else channel
            for channel in found["channels"]
        ]
    return found


class _OneShare:
    """A share, and the members of its documents for those that take their place."""

    def __init__(self, share: Share) -> None:
        self.share, self.extras = share, share.extras

    def member(self, path: str) -> Member:
        """What stands there now."""
        made = self.extras.made.get(path)
        return self._members[path] if made is None else made.member

    @cached_property
    def _members(self) -> dict[str, Member]:
        table = self.share.table
        wanted = [
            path.startswith(_JSON_ROOTS) or path.endswith(f"/{layout.ARRAYS}") for path in table["path"].to_pylist()
        ]
        return {row.member.path: row.member for row in self.share.rows.rows(where_true(table, wanted))}


def merge_extras(
    shares: Sequence[Share], kept: Mapping[str, KeptItems], metadata: MergedMetadata
) -> MergedExtras:  # fmt: skip
    """Decide on all of them; `kept` are the positions and images by their folders, `metadata` has taken all shares."""
    return _Merger(shares, kept, metadata).merged()


class _Merger:
    """One merge: the new ids as far as they are decided, kind by kind."""

    def __init__(self, shares: Sequence[Share], kept: Mapping[str, KeptItems], metadata: MergedMetadata) -> None:
        self._shares = [_OneShare(share) for share in shares]
        self._kept, self._metadata = kept, metadata
        self._found = MergedExtras(left_out=[set() for _ in shares], needed=[set() for _ in shares])
        self._digests: dict[tuple[str, Origin], str] = {}  # of documents and sources
        self._joined: dict[str, list[_JoinedMap]] = defaultdict(list)  # by the UUID that they had
        self._renamed: dict[frozenset[tuple[str, Digest]], list[_JoinedMap]] = defaultdict(list)  # by their files

    def merged(self) -> MergedExtras:
        """All of them."""
        for number, share in enumerate(self._shares):
            for uuid, document in share.extras.maps.items():
                self._add_map(number, uuid, document)
        for number, share in enumerate(self._shares):
            self._add_sources(number, share)
            self._found.needed[number].update(named_files(share.extras))
        self._write_maps()
        for number, share in enumerate(self._shares):
            self._add_documents(number, share)
        if any(share.extras.arrays for share in self._shares):
            self._write_arrays()
        return self._found

    def _place(self, number: int) -> carried.Place:
        """The ids that the things of a share have in the new group, as far as they are decided."""
        items = {"position": self._kept[layout.DATA], "image": self._kept[layout.IMAGES], "map": self._found.maps}

        def place(what: str, uuid: str) -> str | None:
            origin = Origin(number, uuid)
            if what in items:
                return items[what].uuids.get(origin)
            if what in ("analysis", "project"):
                return self._metadata.placed(what, origin)
            return self._digests.get((what, origin))

        return place

    def _add_map(self, number: int, uuid: str, document: Document) -> None:
        """Join a map with the parts of it that came before, or keep it as another one."""
        folder = self._shares[number].share.folders[f"{layout.MAPS}/{uuid}"]
        files = {name: digest for name, digest in folder.items() if name != layout.MAP}
        value = carried.map_as(document.fields, self._place(number))
        maps = self._found.maps
        alike = [*self._joined[uuid], *self._renamed[frozenset(files.items())]]
        joined = next((each for each in alike if each.take(document, value, files)), None)
        if joined is None:
            new = uuid
            if uuid in maps.origins:
                said = json.dumps(value, sort_keys=True) if document.fields else document.raw.hex()
                beside = (f"{name} {digest.hex()}" for name, digest in sorted(files.items()))
                new = derived_uuid("\n".join(["map", said, *beside]), maps.origins)
            joined = _JoinedMap(new, document, value, files)
            self._joined[uuid].append(joined)
            if value.get("channels"):  # data that tell maps apart, whatever their UUIDs
                self._renamed[frozenset(files.items())].append(joined)
        maps.uuids[Origin(number, uuid)] = joined.uuid
        maps.origins.setdefault(joined.uuid, []).append(Origin(number, uuid))

    def _write_maps(self) -> None:
        """Each `map.json` in the new ids, where it says anything else than the one that it is copied from."""
        for joined in (each for same in self._joined.values() for each in same):
            first = self._found.maps.origins[joined.uuid][0]
            sources = self._place(first.share)
            ids = {"map": lambda _, new=joined.uuid: new, "source": lambda uuid, of=sources: of("source", uuid)}
            value = carried.map_as(
                joined.value, lambda what, uuid, ids=ids: ids[what](uuid) if what in ids else uuid  # type: ignore[misc]
            )  # fmt: skip
            old = f"{layout.map_folder(first.uuid)}{layout.MAP}"
            share = self._shares[first.share]
            if old in share.extras.made or (joined.like.fields and value != joined.like.fields):
                path = f"{layout.map_folder(joined.uuid)}{layout.MAP}"
                self._found.made[path] = made_from(share.member(old), path, dump(value, joined.like.encoding))

    def _add_sources(self, number: int, share: _OneShare) -> None:
        """The sources of a share whose members are all in the new group as they were."""
        residues: set[str] = set()
        lost = 0
        for digest, document in share.extras.sources.items():
            members = read_recipe(document.value, document.path).members
            value = carried.recipe_as(document.fields, self._place(number))
            if value is None or not all(self._is_same(number, member) for member in members):
                self._found.left_out[number].add(document.path)
                lost += 1
                continue
            self._add_document(number, "source", digest, document, value)
            self._found.needed[number] |= members
            residues |= members
        for path in share.share.table["path"].to_pylist() if share.extras.sources else ():
            if path.startswith(f"{layout.RESIDUE}/") and path not in residues:
                self._found.left_out[number].add(path)
        if lost:
            self._found.warnings.append(
                f"{share.share.version.name}: sources whose members are not in the merged group as they were: "
                f"{lost:,}; left out"
            )

    def _is_same(self, number: int, member: str) -> bool:
        """Whether a member of a share stands in the new group byte for byte."""
        root, _, rest = member.partition("/")
        uuid, _, name = rest.partition("/")
        kept = {**self._kept, layout.MAPS: self._found.maps}.get(root)
        if kept is None or not name:
            return True
        new = kept.uuids[Origin(number, uuid)]
        if name in _OWN_WORDS:
            return new == uuid and len(kept.origins[new]) == 1
        given = next(
            folder[name]
            for each in kept.origins[new]
            if name in (folder := self._shares[each.share].share.folders[f"{root}/{each.uuid}"])
        )
        return given == self._shares[number].share.folders[f"{root}/{uuid}"][name]

    def _add_documents(self, number: int, share: _OneShare) -> None:
        place = self._place(number)
        for digest, document in share.extras.documents.items():
            value = carried.document_as(document.fields, place)
            self._add_document(number, "document", digest, document, value)

    def _add_document(
        self, number: int, what: str, digest: str, document: Document, value: Mapping[str, Any]
    ) -> None:  # fmt: skip
        """Keep a document of a share under the hash of what it says now."""
        new = digest
        if document.fields and value != document.fields:
            data = dump(value, document.encoding)
            new = hashlib.sha256(data).hexdigest()
            path = layout.hashed_path("sources" if what == "source" else "documents", new)
            self._found.made[path] = made_from(self._shares[number].member(document.path), path, data)
            self._found.left_out[number].add(document.path)
        self._digests[what, Origin(number, digest)] = new

    def _write_arrays(self) -> None:
        """Each `arrays.json` tells of all data of its position, whichever copies they came from."""
        for uuid, origins in self._kept[layout.DATA].origins.items():
            described = list(self._described(origins))
            together: dict[str, Any] = {}
            for _, entries in described:
                together = {**entries, **together}
            if not together:
                continue
            first = next(origin for origin, entries in described if entries)
            old, new = (f"{layout.item_folder(layout.DATA, each)}{layout.ARRAYS}" for each in (first.uuid, uuid))
            share = self._shares[first.share]
            if together != described[0][1] or old in share.extras.made:
                self._found.made[new] = made_from(share.member(old), new, dump(together))

    def _described(self, origins: Sequence[Origin]) -> Iterator[tuple[Origin, Mapping[str, Any]]]:
        """What the copies of a position say of the data that are taken, in order."""
        for origin in origins:
            share = self._shares[origin.share]
            digest = share.share.folders[f"{layout.DATA}/{origin.uuid}"].get(layout.ARRAYS)
            if digest is not None:
                yield origin, described_in(share.extras, digest)


def described_in(extras: Extras, digest: Digest | None) -> Mapping[str, Any]:
    """What an `arrays.json` says of the data that are taken."""
    return {} if digest is None else extras.arrays.get(digest, {})
