"""What the steps of a migration look at and change: sizes of members by path, and the JSON of some of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, NamedTuple

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.bounds import PARSED_BYTES, TOO_MANY_VALUES, parsed_bytes
from sxeslake.archive.sxes.documents.text import Document, parse
from sxeslake.model import DOCUMENT_BYTES

_ITEM_FILES: Final = frozenset({layout.INFO, layout.STATE, layout.ARRAYS})


class DocumentChange(NamedTuple):
    """What a step does to one member; in words, `said`."""

    path: str
    said: str
    data: bytes | None = None  # None: its content stays
    was: str | None = None  # the path that it had


def is_read(path: str, size: int) -> bool:
    """Whether steps look into a member: small JSON with a known place, never an array."""
    if size > DOCUMENT_BYTES:
        return False
    root, _, rest = path.partition("/")
    folder, _, name = rest.partition("/")
    if not rest:
        return path == layout.METADATA
    if root == layout.CONDITIONS:
        return not name and layout.is_hash(layout.shared_digest(path))
    if root == layout.MAPS:
        return bool(folder) and name == layout.MAP
    return root in (layout.DATA, layout.IMAGES) and bool(folder) and name in _ITEM_FILES


@dataclass(frozen=True)
class GroupContents:
    """A group as a migration sees it.

    Attributes
    ----------
    sizes : mapping of str to int
        Every file of the group, by path.
    raw : mapping of str to bytes
        The members for which `is_read` holds. One that is there several times is left out.
    encoding : str or None
        Of JSON that is not Unicode, where the user stated one.
    repeated : frozenset of str
        Paths that several members have: nobody can tell which is meant, so they stay as they are.
    """

    sizes: Mapping[str, int]
    raw: Mapping[str, bytes]
    encoding: str | None = None
    repeated: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        files: Iterable[tuple[str, int]],
        read: Callable[[Sequence[str]], Iterable[tuple[str, bytes]]],
        encoding: str | None = None,
    ) -> GroupContents:
        """A group of these files, path and size of each; `read` gives the bytes of those that are looked into."""
        sizes: dict[str, int] = {}
        repeated = set[str]()
        for path, size in files:
            if path in sizes:
                repeated.add(path)
            sizes[path] = size
        wanted = [path for path, size in sizes.items() if is_read(path, size) and path not in repeated]
        return cls(sizes, dict(read(wanted)), encoding, frozenset(repeated))

    def document(self, path: str) -> Document | None:
        """One JSON member; None where it is not there, or not read."""
        data = self.raw.get(path)
        if data is None:
            return None
        if parsed_bytes(data) > PARSED_BYTES:
            return Document(path, data, None, None, TOO_MANY_VALUES)
        return parse(path, data, self.encoding)

    def fields(self, path: str) -> dict[str, Any]:
        """The object that a JSON member is; empty where it is none."""
        document = self.document(path)
        return {} if document is None else document.fields

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """What `metadata.json` says."""
        return self.fields(layout.METADATA)

    def item_paths(self, root: layout.ItemRoot, name: str) -> list[str]:
        """The files of one name of all positions or images, in path order."""
        start, end = f"{root}/", f"/{name}"
        return sorted(path for path in self.raw if path.startswith(start) and path.endswith(end))

    def map_paths(self) -> list[str]:
        """Every `maps/<uuid>/map.json`, in path order, read or not."""
        start, end = f"{layout.MAPS}/", f"/{layout.MAP}"
        return sorted(
            path for path in self.sizes if path.startswith(start) and path.endswith(end) and path.count("/") == 2
        )

    def after(self, changes: Iterable[DocumentChange]) -> GroupContents:
        """The group with some changes made."""
        sizes, raw = dict(self.sizes), dict(self.raw)
        for change in changes:
            if change.was is not None:
                sizes[change.path] = sizes.pop(change.was)
                if change.was in raw:
                    raw[change.path] = raw.pop(change.was)
            if change.data is not None:
                sizes[change.path], raw[change.path] = len(change.data), change.data
        return GroupContents(sizes, raw, self.encoding, self.repeated)


def loses(document: Document) -> str | None:
    """What would be lost if a JSON object were written again; None where nothing would.

    A key that stands twice, and a number that no float holds, such as `1e999`: `json` keeps one of the former, and
    something else of the latter.
    """
    if document.encoding is None or not isinstance(document.value, dict):
        return document.problem or "it cannot be read"
    try:
        json.loads(document.raw.decode(document.encoding), object_pairs_hook=_once, parse_float=_exactly)
    except _LosesError as error:
        return str(error)
    return None


class _LosesError(Exception):
    """Something that would be lost."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise _LosesError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return found


def _exactly(digits: str) -> float:
    value = float(digits)
    if Decimal(digits) != Decimal(repr(value)):
        raise _LosesError(f"the number {digits[:40]} has more digits than can be kept")
    return value
