"""Copying between groups, removing with what nothing else needs, and checking: work over many items."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from sxeslake.archive.sxes import adding, layout
from sxeslake.archive.sxes.items import Item
from sxeslake.archive.sxes.outline import Analysis, Project
from sxeslake.archive.sxes.position import Position
from sxeslake.errors import InputError, UsageError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group


def copy(group: Group, what: Project | Analysis | Item, into: Project | Analysis | None) -> Project | Analysis | Item:
    """Copy anything of any group into this one, at the place `into`."""
    group.require_writable()
    if into is not None and into.group is not group:
        raise UsageError(f"{into!r} belongs to another group", where=group.name)
    if isinstance(what, Item):
        if not isinstance(into, Analysis):
            raise UsageError("a position or an image is copied into an analysis", where=group.name)
        return _copy_item(what, into)
    if isinstance(what, Analysis):
        if isinstance(into, Analysis):
            raise UsageError("an analysis is copied into a project", where=group.name)
        return _copy_analysis(group, what, into)
    if into is not None:
        raise UsageError("a project is copied into nothing but the group", where=group.name)
    return _copy_project(group, what)


def remove(group: Group, what: Project | Analysis | Item) -> None:
    """Remove anything of this group."""
    group.require_writable()
    if what.group is not group:
        raise UsageError(f"{what!r} belongs to another group", where=group.name)
    if isinstance(what, Item):
        for analysis in group.analyses:
            analysis.delist(what.list_key, {what.uuid})
        group.forget_outline()
        _remove_items(group, [what])
    elif isinstance(what, Analysis):
        _remove_analysis(group, what)
    else:
        analyses = what.analyses
        group.drop_entry(what)
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


def _copy_project(group: Group, project: Project) -> Project:
    uuid = _free_id(group, project.uuid)
    copied = group.append_project({**deepcopy(project.fields), "uuid": uuid, project.list_key: []})
    for analysis in project.analyses:
        _copy_analysis(group, analysis, copied)
    return copied


def _copy_analysis(group: Group, analysis: Analysis, into: Project | None) -> Analysis:
    positions, images = analysis.positions, analysis.images  # as they are now: the target may be the same group
    fields: dict[str, object] = {**deepcopy(analysis.fields), "uuid": _free_id(group, analysis.uuid)}
    fields["positionUuids"] = []
    if "imageUuids" in fields:
        fields["imageUuids"] = []
    copied = group.append_analysis(fields)
    if into is not None:
        into.enlist(into.list_key, copied.uuid)
    for position in positions:
        _copy_item(position, copied)
    for image in images:
        _copy_item(image, copied)
    return copied


def _copy_item(item: Item, into: Analysis) -> Item:
    group, theirs = into.group, item.group.edited
    copied = type(item)(group, _free_id(group, item.uuid))
    for member in theirs.children(item.folder):
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
    group.enlist_item(into, copied)
    return copied


def _free_id(group: Group, uuid: str) -> str:
    """The same id where it is free and safe, else a new one."""
    return uuid if adding.is_safe_id(uuid) and not group.takes(uuid) else adding.new_id(group, None)


def _remove_analysis(group: Group, analysis: Analysis) -> None:
    items: list[Item] = [*analysis.positions, *analysis.images]
    for project in group.projects:
        project.delist(project.list_key, {analysis.uuid})
    group.drop_entry(analysis)
    _remove_items(group, [item for item in items if group.owner(item.root, item.uuid) is None])


def _remove_items(group: Group, items: list[Item]) -> None:
    for item in items:
        info = item.info
        group.files.suspect((info.condition_id, info.raw_condition_id, info.background_id))
        group.edited.remove_folder(item.folder)
