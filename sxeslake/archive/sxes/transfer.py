"""Copying between groups, removing with what nothing else needs, and checking: work over many items."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from sxeslake.archive.sxes import adding, layout
from sxeslake.archive.sxes.extensions.attached import HashedDocument
from sxeslake.archive.sxes.extensions.copies import CopiedIds
from sxeslake.archive.sxes.extensions.maps import Map
from sxeslake.archive.sxes.extensions.position_arrays import check_arrays, named_in, shared_by
from sxeslake.archive.sxes.items import Item
from sxeslake.archive.sxes.outline import Analysis, Project
from sxeslake.archive.sxes.position import Position
from sxeslake.errors import InputError, UsageError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group


def copy(
    group: Group, what: Project | Analysis | Map | Item, into: Project | Analysis | None
) -> Project | Analysis | Map | Item:
    """Copy anything of any group into this one, at the place `into`."""
    group.require_writable()
    if into is not None and into.group is not group:
        raise UsageError(f"{into!r} belongs to another group", where=group.name)
    ids = CopiedIds(what.group, group)
    copied = _copied(group, what, into, ids)
    ids.finish()
    return copied


def _copied(
    group: Group, what: Project | Analysis | Map | Item, into: Project | Analysis | None, ids: CopiedIds
) -> Project | Analysis | Map | Item:
    if isinstance(what, Item | Map):
        if not isinstance(into, Analysis):
            raise UsageError("a position, an image or a map is copied into an analysis", where=group.name)
        return ids.add_map(what, into) if isinstance(what, Map) else _copy_item(what, into, ids)
    if isinstance(what, Analysis):
        if isinstance(into, Analysis):
            raise UsageError("an analysis is copied into a project", where=group.name)
        return _copy_analysis(group, what, into, ids)
    if into is not None:
        raise UsageError("a project is copied into nothing but the group", where=group.name)
    return _copy_project(group, what, ids)


def remove(group: Group, what: Project | Analysis | Map | Item | HashedDocument) -> None:
    """Remove anything of this group."""
    group.require_writable()
    if what.group is not group:
        raise UsageError(f"{what!r} belongs to another group", where=group.name)
    if isinstance(what, HashedDocument):
        group.attached.remove(what)
    elif isinstance(what, Map):
        group.map_index.remove([what])
    elif isinstance(what, Item):
        for analysis in group.analyses:
            analysis.delist(what.list_key, {what.uuid})
        group.forget_outline()
        _remove_items(group, [what])
    elif isinstance(what, Analysis):
        _remove_analysis(group, what)
    else:
        analyses = what.analyses
        group.drop_entry(what)
        group.attached.suspect([("project", what.uuid)])
        for analysis in analyses:
            if not group.projects_of(analysis):
                _remove_analysis(group, analysis)


def check_item(item: Item) -> None:
    """Read an item's JSON and look for what it names; the group remembers what is odd."""
    info = item.info
    _ = item.state_document
    if info.uuid is not None and info.uuid != item.uuid:
        item.group.warn(item.folder + layout.INFO, f"states another uuid, {info.uuid}")
    _ = item.condition, item.raw_condition
    if isinstance(item, Position):
        _ = item.background
        if layout.ARRAYS in item.members:
            check_arrays(item)


def _copy_project(group: Group, project: Project, ids: CopiedIds) -> Project:
    uuid = _free_id(group, project.uuid)
    copied = group.append_project({**deepcopy(project.fields), "uuid": uuid, project.list_key: []})
    ids.put("project", project.uuid, uuid)
    for analysis in project.analyses:
        _copy_analysis(group, analysis, copied, ids)
    return copied


def _copy_analysis(group: Group, analysis: Analysis, into: Project | None, ids: CopiedIds) -> Analysis:
    positions, images = analysis.positions, analysis.images  # as they are now: the target may be the same group
    maps = analysis.maps
    fields: dict[str, object] = {**deepcopy(analysis.fields), "uuid": _free_id(group, analysis.uuid)}
    fields["positionUuids"] = []
    fields.pop(layout.MAP_KEY, None)
    if "imageUuids" in fields:
        fields["imageUuids"] = []
    copied = group.append_analysis(fields)
    if into is not None:
        into.enlist(into.list_key, copied.uuid)
    ids.put("analysis", analysis.uuid, copied.uuid)
    for position in positions:
        _copy_item(position, copied, ids)
    for image in images:
        _copy_item(image, copied, ids)
    for each in maps:
        ids.add_map(each, copied)
    return copied


def _copy_item(item: Item, into: Analysis, ids: CopiedIds) -> Item:
    group, theirs = into.group, item.group.edited
    copied = type(item)(group, _free_id(group, item.uuid))
    ids.put("position" if isinstance(item, Position) else "image", item.uuid, copied.uuid)
    has_arrays = False
    for member in theirs.children(item.folder):
        has_arrays = has_arrays or member.path == item.folder + layout.ARRAYS
        if member.kind == "file":
            group.edited.borrow(copied.folder + member.path[len(item.folder) :], theirs, member)
    if copied.uuid != item.uuid:
        try:
            copied.edit_info(uuid=copied.uuid)
        except InputError:  # an info.json that cannot be parsed keeps its bytes, old uuid and all
            group.warn(copied.folder + layout.INFO, "states another uuid, or none that can be read")
    background = item.background if isinstance(item, Position) else None
    for shared in (item.condition, item.raw_condition, background):
        if shared is not None:
            group.files.adopt(shared, theirs)
    if isinstance(item, Position) and has_arrays:
        group.state_extension("arrays")
        for named in shared_by(item):
            group.files.adopt(named, theirs)
    group.enlist_item(into, copied)
    return copied


def _free_id(group: Group, uuid: str) -> str:
    """The same id where it is free and safe, else a new one."""
    return uuid if adding.is_safe_id(uuid) and not group.takes(uuid) else adding.new_id(group, None)


def _remove_analysis(group: Group, analysis: Analysis) -> None:
    items: list[Item] = [*analysis.positions, *analysis.images]
    for project in group.projects:
        project.delist(project.list_key, {analysis.uuid})
    maps = analysis.maps
    group.drop_entry(analysis)
    group.map_index.remove(maps)
    group.attached.suspect([("analysis", analysis.uuid)])
    _remove_items(group, [item for item in items if group.owner(item.root, item.uuid) is None])


def _remove_items(group: Group, items: list[Item]) -> None:
    group.map_index.forget_positions({item.uuid for item in items if isinstance(item, Position)})
    for item in items:
        info = item.info
        group.files.suspect((info.condition_id, info.raw_condition_id, info.background_id))
        if isinstance(item, Position):
            group.files.suspect(named_in(item.arrays_document) or ())
        group.edited.remove_folder(item.folder)
    group.attached.suspect(("position" if isinstance(item, Position) else "image", item.uuid) for item in items)
