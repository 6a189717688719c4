"""Making new entries: ids, `info.json` in the format's own key order, shared files by hash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.shared import Background, Condition, RawCondition, Shared
from sxeslake.errors import AlreadyExistsError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.items import Item
    from sxeslake.archive.sxes.outline import Analysis, Project

ItemT = TypeVar("ItemT", bound="Item")

_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,127}", re.ASCII)
_EMPTY_RAW_CONDITION: Mapping[str, object] = {"dataCondition": {}, "mapCondition": {}, "mapRawCondition": {}}


def is_safe_id(uuid: str) -> bool:
    """Whether an id can be a folder's name everywhere."""
    return _SAFE_ID.fullmatch(uuid) is not None


def new_id(group: Group, wanted: str | None) -> str:
    """The id asked for, checked to be safe and free; a random one where none is asked for."""
    if wanted is None:
        return str(uuid4())
    if not is_safe_id(wanted):
        raise UsageError(f"not an id: {wanted!r}", hint="Letters, digits and hyphens, as in a uuid.")
    if group.takes(wanted):
        raise AlreadyExistsError(f"the group has {wanted} already", where=group.name)
    return wanted


def add_project(group: Group, fields: Mapping[str, object], uuid: str | None) -> Project:
    """A project without analyses."""
    group.require_writable()
    return group.append_project({**fields, "uuid": new_id(group, uuid), "analysisUuids": []})


def add_analysis(
    group: Group,
    project: Project | None,
    fields: Mapping[str, object],
    *,
    acquired: datetime | str | None,
    uuid: str | None,
) -> Analysis:
    """An analysis without positions, in a project or in none."""
    group.require_writable()
    date = acquired.strftime("%Y/%m/%d %H:%M:%S") if isinstance(acquired, datetime) else acquired or ""
    analysis = group.append_analysis(
        {**fields, "acquisitionDate": date, "uuid": new_id(group, uuid), "positionUuids": []}
    )
    if project is not None:
        project.enlist(project.list_key, analysis.uuid)
    return analysis


def add_item(
    analysis: Analysis,
    kind: type[ItemT],
    info: dict[str, object],
    state: Mapping[str, object],
    condition: Mapping[str, object] | bytes | str,
    raw_condition: Mapping[str, object] | bytes | str | None,
    background: NDArray[np.integer] | bytes | str | None,
    uuid: str | None,
) -> ItemT:
    """A position's or an image's folder with info and state, and the shared files it needs."""
    group = analysis.group
    group.require_writable()
    item = kind(group, new_id(group, uuid))
    if background is not None:
        info["backgroundUuid"] = background_id(group, background)
    info["uuid"] = item.uuid
    info["conditionUuid"] = shared_id(group, Condition, condition)
    raw = _EMPTY_RAW_CONDITION if raw_condition is None else raw_condition
    info["rawConditionUuid"] = shared_id(group, RawCondition, raw)
    item.write(layout.INFO, dump(info))
    item.write(layout.STATE, dump(state))
    group.enlist_item(analysis, item)
    return item


def shared_id(group: Group, kind: type[Shared], value: Mapping[str, object] | bytes | str) -> str:
    """The id of a shared file: one that the group has, or the JSON's or bytes' own, which are added."""
    if isinstance(value, str):
        if group.files.find(kind, value) is None:
            raise UsageError(f"the group has no {layout.shared_path(kind.kind, value)}", where=group.name)
        return value
    return group.files.add(kind, value)


def background_id(group: Group, value: NDArray[np.integer] | bytes | str) -> str:
    """The id of a background: one that the group has, or a frame's or file's own, which is added."""
    if isinstance(value, bytes | str):
        return shared_id(group, Background, value)
    from sxeslake.archive.sxes import arrays  # noqa: PLC0415 - numpy costs start-up time

    return group.files.add(Background, arrays.background_bytes(value))
