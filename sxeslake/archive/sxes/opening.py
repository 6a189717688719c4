"""Reading the `metadata.json` that makes an archive a group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import strings
from sxeslake.archive.sxes.documents.text import Document, parse
from sxeslake.archive.sxes.extensions.stated import newer_than_known
from sxeslake.archive.sxes.source import MemberSource
from sxeslake.errors import InputError, MemberNotFoundError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group


def read_metadata(group: Group, source: MemberSource | None) -> Document:
    """What a group's source has as `metadata.json`, odd things noted; that of an empty group where there is none."""
    if source is None:
        empty: dict[str, object] = {"version": layout.WRITTEN_VERSION, "projects": [], "analyses": []}
        return Document(layout.METADATA, b"", empty, "utf-8")
    try:
        raw = source.read(layout.METADATA)
    except MemberNotFoundError as error:
        raise InputError(
            "holds no metadata.json", where=group.name, hint="It is an archive, but not an sxes group."
        ) from error
    document = group.note(parse(layout.METADATA, raw, group.encoding))
    for key in ("projects", "analyses"):
        if not isinstance(document.fields.get(key, []), list):
            group.warn(layout.METADATA, f"{key} is not a list")
    newer = newer_than_known(document.value)
    if newer is not None:
        group.warn(layout.METADATA, f"{newer}: opened read-only")
    return document


def first_list(document: Document) -> tuple[str, ...]:
    """The positions that a `metadata.json` lists as it was read, whatever was changed since."""
    analyses = parse(layout.METADATA, document.raw, document.encoding).fields.get("analyses")
    entries = analyses if isinstance(analyses, list) else []
    lists = (strings(entry.get(layout.LIST_KEYS[layout.DATA])) for entry in entries if isinstance(entry, dict))
    return tuple(dict.fromkeys(uuid for uuids in lists for uuid in uuids))
