"""What comes along when things are copied into another group: maps, documents and sources, under the ids there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from sxeslake.archive.sxes import adding, layout
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.extensions import carried
from sxeslake.archive.sxes.extensions.attached import FreeDocument, VendorSource
from sxeslake.errors import InputError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.extensions.maps import Map
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.outline import Analysis

_OWNED = (f"{layout.DATA}/", f"{layout.IMAGES}/", f"{layout.MAPS}/")
_SHARED = tuple(
    f"{folder}/" for folder in (layout.RESIDUE, layout.BACKGROUNDS, layout.CONDITIONS, layout.RAW_CONDITIONS)
)


class _CopiedMap(NamedTuple):
    """A map, its copy, the analysis that has it, and the ids of what was copied with that."""

    each: Map
    made: Map
    into: Analysis
    here: Mapping[tuple[str, str], str]


class CopiedIds:
    """The ids that copied things have in the new group, and the copying of what refers to them.

    Say each thing by `put`, an analysis before what is in it, and each map by `add_map`; `finish` then writes all that
    names them. With a project comes what belongs to the group as a whole, too. A position in two analyses is copied
    twice: a map names the one in its own analysis.
    """

    def __init__(self, theirs: Group, ours: Group) -> None:
        self._theirs, self._ours = theirs, ours
        self._ids: dict[tuple[str, str], str] = {}
        self._here = self._ids  # those of one analysis
        self._maps: list[_CopiedMap] = []
        self._has_project = False

    def put(self, what: str, uuid: str, new: str) -> None:
        """Say that a thing was copied, and under which id."""
        if what == "analysis":
            self._here = {}
        self._here[what, uuid] = new
        self._ids.setdefault((what, uuid), new)
        self._has_project = self._has_project or what == "project"

    def add_map(self, each: Map, into: Analysis) -> Map:
        """Copy a map's files into an analysis; its `map.json` follows in `finish`."""
        ours = self._ours
        is_free = adding.is_safe_id(each.uuid) and ours.map(each.uuid) is None
        made = ours.map_index.of_uuid(each.uuid if is_free else ours.map_index.new_id(None))
        for member in each.group.edited.children(each.folder):
            if member.kind == "file":
                ours.edited.borrow(made.folder + member.path[len(each.folder) :], each.group.edited, member)
        for channel in each.channels:
            for shared in (channel.condition, channel.raw_condition):
                if shared is not None:
                    ours.files.adopt(shared, each.group.edited)
        self.put("map", each.uuid, made.uuid)
        into.enlist(layout.MAP_KEY, made.uuid)
        ours.state_extension("maps")
        self._maps.append(_CopiedMap(each, made, into, self._here))
        return made

    def finish(self) -> None:
        """Copy sources and documents of what was copied, and let maps name what is there."""
        is_other = self._theirs is not self._ours
        if is_other:
            self._copy_sources()
        for copied in self._maps:
            self._name_what_is_there(*copied)
        if is_other:
            self._copy_documents()

    def _place(self, what: str, uuid: str) -> str | None:
        new = self._ids.get((what, uuid))
        return uuid if new is None and self._theirs is self._ours else new

    def _name_what_is_there(self, each: Map, made: Map, into: Analysis, here: Mapping[tuple[str, str], str]) -> None:
        """Write the `map.json` of a copied map, and the state of a position that is not there."""

        def place(what: str, uuid: str) -> str | None:
            return into.uuid if what == "analysis" else here.get((what, uuid)) or self._place(what, uuid)

        document, state = each.document, each.state_document
        if document.encoding is None:  # it keeps its bytes, old ids and all
            self._ours.warn(made.folder + layout.MAP, "names things by the ids that they had elsewhere")
            return
        new = carried.map_as(document.fields, place)
        if new is not document.fields:
            self._ours.edited.write(made.folder + layout.MAP, dump(new, document.encoding))
        if state.raw and not state.path.startswith(each.folder) and new.get("stateUuid") is None:
            self._ours.edited.write(made.folder + layout.STATE, state.raw)

    def _copy_sources(self) -> None:
        """Sources that can be rebuilt there: made of copied positions, images, maps alone; of none, with a project."""
        named = {channel.fields.source for copied in self._maps for channel in copied.each.channels}
        for digest, source in self._theirs.sources.items():
            new = carried.recipe_as(source.document.fields, self._place)
            if new is None:
                continue
            try:
                members = source.recipe.members
                shared = {member for member in members if not member.startswith(_OWNED)}
                is_wanted = digest in named or shared != members or self._has_project
                if not is_wanted or source.missing or not all(member.startswith(_SHARED) for member in shared):
                    continue
            except InputError as error:
                self._theirs.warn(source.path, error.what)
                continue
            for member in shared:
                self._borrow(member)
            raw = source.raw if new is source.document.fields else dump(new)
            self.put("source", digest, self._ours.attached.put(VendorSource, raw).id)

    def _copy_documents(self) -> None:
        """Documents about something that was copied, with the older versions that they supersede."""
        documents = self._theirs.documents
        values = {digest: each.document.fields for digest, each in documents.items()}
        wanted = [
            digest
            for digest, each in documents.items()
            if any(thing in self._ids for thing in each.about) or (self._has_project and not each.about)
        ]
        for digest in carried.oldest_first(wanted, values):
            new = carried.document_as(values[digest], self._place)
            raw = documents[digest].raw if new is values[digest] else dump(new)
            self.put("document", digest, self._ours.attached.put(FreeDocument, raw).id)

    def _borrow(self, path: str) -> None:
        theirs = self._theirs.edited
        if not self._ours.edited.has(path):
            member = next(member for member in theirs.children(path) if member.path == path)
            self._ours.edited.borrow(path, theirs, member)
