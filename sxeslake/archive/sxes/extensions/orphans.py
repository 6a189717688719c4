"""Documents and sources that lost what they are about or made of: found and removed before a group is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.extensions.attached import FreeDocument, VendorSource
from sxeslake.archive.sxes.extensions.carried import member_as, oldest_first
from sxeslake.errors import InputError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group

_ROOTS = {"position": layout.DATA, "image": layout.IMAGES, "map": layout.MAPS}


def prune(group: Group) -> None:
    """Remove documents and sources of things that went since the last time.

    Where one of them cannot be parsed, nobody knows what it supersedes or needs: then all of its kind stay.
    """
    suspects, group.attached.gone = group.attached.gone, set()
    gone = {each for each in suspects if not _is_there(group, *each)}
    if gone:
        _prune_documents(group, gone)
        _prune_sources(group, gone)


def _prune_documents(group: Group, gone: set[tuple[str, str]]) -> None:
    """Documents about things that are all gone, unless a document that stays supersedes them."""
    documents = group.attached.all(FreeDocument)
    values = {digest: each.document.value for digest, each in documents.items()}
    if not all(isinstance(value, dict) for value in values.values()):
        return
    lost = {
        digest for digest, each in documents.items()
        if not gone.isdisjoint(each.about) and not any(_is_there(group, *thing) for thing in each.about)
    }  # fmt: skip
    needed = oldest_first([digest for digest in documents if digest not in lost], values) if lost else ()
    for digest in lost.difference(needed):
        group.attached.remove(documents[digest])


def _prune_sources(group: Group, gone: set[tuple[str, str]]) -> None:
    """Sources that are made of something that went, and cannot be rebuilt."""
    sources = group.attached.all(VendorSource)
    try:
        made_of = {digest: each.recipe.members for digest, each in sources.items()}
    except InputError:
        return

    def place(what: str, uuid: str) -> str | None:
        return None if (what, uuid) in gone else uuid

    for digest, members in made_of.items():
        if any(("member", member) in gone or member_as(member, place) is None for member in members):
            group.attached.remove(sources[digest])


def _is_there(group: Group, what: str, uuid: str) -> bool:
    if what in _ROOTS:
        return bool(group.edited.children(f"{_ROOTS[what]}/{uuid}/"))
    if what == "analysis":
        return group.analysis(uuid) is not None
    if what == "project":
        return any(project.uuid == uuid for project in group.projects)
    if what == "member":
        return group.edited.has(uuid)
    return group.edited.has(layout.hashed_path("sources" if what == "source" else "documents", uuid))
