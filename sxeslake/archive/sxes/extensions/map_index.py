"""All maps of a group: found by id, and kept right when positions, analyses or maps go."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from sxeslake.archive.sxes import adding, layout
from sxeslake.archive.sxes.extensions.carried import map_as
from sxeslake.archive.sxes.extensions.maps import BATCH, Map
from sxeslake.archive.sxes.items import PositionBatch
from sxeslake.errors import AlreadyExistsError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.outline import Analysis


class MapIndex:
    """The maps of one group; each `map.json` is read once, when it is asked for."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._known: dict[str, Map] = {}
        self._listed: tuple[int, tuple[Map, ...]] = (-1, ())

    def all(self) -> tuple[Map, ...]:
        """Every map that has a folder, sorted by id."""
        clock = self._group.edited.clock
        if self._listed[0] != clock:
            self._listed = clock, self._list()
        return self._listed[1]

    def _list(self) -> tuple[Map, ...]:
        members = self._group.edited.children(f"{layout.MAPS}/")
        uuids = list(dict.fromkeys(each.path.split("/", 2)[1] for each in members if each.path.count("/") >= 2))
        new = [uuid for uuid in uuids if uuid not in self._known]
        for start in range(0, len(new), BATCH):
            some = new[start : start + BATCH]
            batch = PositionBatch(self._group, [layout.map_folder(uuid) for uuid in some])
            self._known.update((uuid, Map(self._group, uuid, batch)) for uuid in some)
        return tuple(self._known[uuid] for uuid in uuids)

    def of_uuid(self, uuid: str) -> Map:
        """The map of an id, whether it is there or not."""
        if uuid not in self._known:
            self._known[uuid] = Map(self._group, uuid)
        return self._known[uuid]

    def find(self, uuid: str) -> Map | None:
        """The map of an id, if it is there."""
        return self.of_uuid(uuid) if "/" not in uuid and self._group.edited.children(layout.map_folder(uuid)) else None

    def of(self, analysis: Analysis) -> tuple[Map, ...]:
        """The maps of an analysis: those that it lists in that order, then those that only name it."""
        listed = {uuid: at for at, uuid in enumerate(analysis.listed(layout.MAP_KEY))}
        own = [each for each in self.all() if each.analysis == analysis]
        return tuple(sorted(own, key=lambda each: listed.get(each.uuid, len(listed))))

    def new_id(self, wanted: str | None) -> str:
        """The id asked for, checked to be safe and free; a random one where none is asked for."""
        if wanted is not None and self.find(wanted) is not None:
            raise AlreadyExistsError(f"the group has the map {wanted} already", where=self._group.name)
        return adding.new_id(self._group, wanted)

    def condition_ids(self) -> set[str] | None:
        """The shared files that maps name; None where a `map.json` cannot be parsed, so that nobody knows."""
        found: set[str] = set()
        for each in self.all():
            if each.document.raw and not isinstance(each.document.value, dict):
                return None
            found |= each.fields.condition_ids
        return found

    def forget_positions(self, gone: Collection[str]) -> None:
        """Take positions that will go out of all maps: their points have none then. The state of a map stays."""
        if not gone:
            return

        def place(what: str, uuid: str) -> str | None:
            return None if what == "position" and uuid in gone else uuid

        for each in self.all():
            fields = each.document.fields
            new = map_as(fields, place)
            if new is fields or each.document.encoding is None:
                continue
            if each.fields.state_uuid in gone:
                self._keep_state(each)
            each.replace(new)

    def _keep_state(self, each: Map) -> None:
        """Give a map the `state.json` of the position that it names, unless it has its own."""
        own, document = each.folder + layout.STATE, each.state_document
        if document.raw and document.path != own:
            self._group.edited.write(own, document.raw)

    def remove(self, maps: Collection[Map]) -> None:
        """Remove maps with all that is in their folders."""
        uuids = {each.uuid for each in maps}
        for each in maps:
            self._group.files.suspect(each.fields.condition_ids)
            self._group.edited.remove_folder(each.folder)
        self._group.attached.suspect(("map", uuid) for uuid in uuids)
        for analysis in self._group.analyses:
            if not uuids.isdisjoint(analysis.listed(layout.MAP_KEY)):
                analysis.delist(layout.MAP_KEY, uuids)
