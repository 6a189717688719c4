"""Slips of older writers, put right: keys and names that a reader accepts and a writer does not write. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sxeslake.archive.migration.contents import DocumentChange, GroupContents, loses
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import analysis_uuids_key, objects, raw_condition_key
from sxeslake.archive.sxes.documents.text import dump

_ANALYSES = "analysisUuids"
_RAW_CONDITION = "rawConditionUuid"


def repair_keys(group: GroupContents) -> Iterator[DocumentChange]:
    """`rawCondtionUuid` → `rawConditionUuid` in `info.json`, `analyses` → `analysisUuids` in projects."""
    slips = [key for each in objects(group.metadata.get("projects")) if (key := analysis_uuids_key(each)) != _ANALYSES]
    if slips:
        projects = [_project(each) for each in group.metadata["projects"]]
        document = group.document(layout.METADATA)
        if document is not None:
            data = dump({**group.metadata, "projects": projects}, document.encoding)
            yield DocumentChange(layout.METADATA, f"{layout.METADATA}: {slips[0]} → {_ANALYSES}", data)
    for path in [*group.item_paths(layout.DATA, layout.INFO), *group.item_paths(layout.IMAGES, layout.INFO)]:
        document = group.document(path)
        slip = _RAW_CONDITION if document is None else raw_condition_key(document.fields)
        if document is not None and slip != _RAW_CONDITION and loses(document) is None:
            data = dump(_renamed(document.fields, slip, _RAW_CONDITION), document.encoding)
            yield DocumentChange(path, f"{path}: {slip} → {_RAW_CONDITION}", data)


def repair_names(group: GroupContents) -> Iterator[DocumentChange]:
    """`backgrounds/<sha256>.json` → `backgrounds/<sha256>`, `conditions/<sha256>` → `conditions/<sha256>.json`."""
    kinds: tuple[layout.SharedKind, ...] = (layout.BACKGROUNDS, layout.CONDITIONS, layout.RAW_CONDITIONS)
    for kind in kinds:
        for path in sorted(path for path in group.sizes if path.startswith(f"{kind}/")):
            digest = layout.shared_digest(path)
            right, wrong = layout.shared_candidates(kind, digest)
            is_free = right not in group.sizes and path not in group.repeated
            if path == wrong and layout.is_hash(digest) and is_free:
                yield DocumentChange(right, f"{path} → {right}", was=path)


def _project(entry: Any) -> Any:
    return _renamed(entry, analysis_uuids_key(entry), _ANALYSES) if isinstance(entry, dict) else entry


def _renamed(fields: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The same fields in the same order, one under another key."""
    return {new if key == old else key: value for key, value in fields.items()}
