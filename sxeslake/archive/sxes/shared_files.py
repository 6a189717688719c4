"""The shared files of a group: found by id, added by hash, taken over from other groups, pruned when unused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.archive.sxes.extensions.position_arrays import named_by_arrays
from sxeslake.archive.sxes.shared import Shared
from sxeslake.archive.sxes.source import EditedSource

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.items import Item

SharedT = TypeVar("SharedT", bound=Shared)

_KINDS: tuple[layout.SharedKind, ...] = (layout.CONDITIONS, layout.RAW_CONDITIONS, layout.BACKGROUNDS)


class SharedFiles:
    """Conditions, raw conditions and backgrounds of one group; each is read once."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._known: dict[str, Shared] = {}
        self._suspects: set[str] = set()

    def find(self, kind: type[SharedT], digest: str) -> SharedT | None:
        """The shared file of that id, if there."""
        for path in layout.shared_candidates(kind.kind, digest):
            known = self._known.get(path)
            if known is None and self._group.edited.has(path):
                known = self._known[path] = kind(self._group, digest, path)
            if known is not None:
                return cast(SharedT, known)
        return None

    def named(self, kind: type[SharedT], digest: str | None, folder: str, name: str = layout.INFO) -> SharedT | None:
        """The shared file that JSON in a folder names; one that is not there is warned of."""
        found = None if digest is None else self.find(kind, digest)
        if digest is not None and found is None:
            path = layout.shared_path(kind.kind, digest)
            self._group.warn(folder + name, f"names {path}, which is not there")
        return found

    def all(self, kind: type[SharedT]) -> dict[str, SharedT]:
        """All shared files of a kind, by id."""
        digests = [
            layout.shared_digest(member.path)
            for member in self._group.edited.children(f"{kind.kind}/")
            if member.kind == "file" and member.path.count("/") == 1
        ]
        return {digest: found for digest in digests if (found := self.find(kind, digest)) is not None}

    def add(self, kind: type[Shared], value: Mapping[str, object] | bytes) -> str:
        """Add a file unless it is there; returns its id, the SHA-256 of its bytes."""
        self._group.require_writable()
        raw = value if isinstance(value, bytes) else dump(value)
        digest = hashlib.sha256(raw).hexdigest()
        if self.find(kind, digest) is None:
            self._group.edited.write(layout.shared_path(kind.kind, digest), raw)
        return digest

    def adopt(self, shared: Shared, source: EditedSource) -> None:
        """Take over another group's file, unless it is here already."""
        if self.find(type(shared), shared.id) is None:
            member = next(member for member in source.children(shared.path) if member.path == shared.path)
            self._group.edited.borrow(shared.path, source, member)

    def suspect(self, digests: Iterable[str | None]) -> None:
        """Say that files may have lost their last user; looked into once, before the next save."""
        self._suspects.update(digest for digest in digests if digest)

    def prune(self) -> None:
        """Remove the suspects that nothing names any more.

        Where an `info.json`, `map.json` or `arrays.json` cannot be read, nobody knows what it names: then all stay.
        """
        left, self._suspects = self._suspects, set()
        for items in self._items() if left else ():
            for item in items:
                if item.info_document.raw and not item.info_document.fields:
                    return
                info = item.info
                left -= {info.condition_id, info.raw_condition_id, info.background_id}
                if not left:
                    return
        for named_by in (self._group.map_index.condition_ids, lambda: named_by_arrays(self._group)) if left else ():
            named = named_by()
            if named is None:
                return
            left -= named
        for path in [path for digest in left for kind in _KINDS for path in layout.shared_candidates(kind, digest)]:
            if self._group.edited.has(path):
                self._group.edited.remove(path)
                self._known.pop(path, None)

    def _items(self) -> tuple[Iterable[Item], ...]:
        group = self._group
        return group.positions, group.images, group.unlisted_positions, group.unlisted_images
