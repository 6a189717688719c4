"""Members of an archive that is planned: each is known by path, size and SHA-256; its bytes stay where they are.

Most of an archive of vendor files stands in those files already. So a member is a few bytes of JSON, a range of a
vendor file, or an array that a reader decodes again when it is wanted.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sxeslake.archive.sxes.extensions.array_fields import stored_bytes
from sxeslake.model import MIB

from ..records import ArrayRecord
from ..tree import Tree

BLOCK_BYTES = 4 * MIB
"""No range of a file is held in memory beyond this."""

_WORTH_PACKING = 512


class FileRange(NamedTuple):
    """Bytes of a vendor file: of which tree, where, how many."""

    root: int
    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class DecodedArray:
    """An array that no file holds as it is stored."""

    load: Callable[[], np.ndarray]

    def stored(self) -> tuple[str, tuple[int, ...], bytes]:
        """Type, shape and bytes as an archive has them."""
        return stored_bytes(self.load())


@dataclass(frozen=True, slots=True)
class PackedBytes:
    """Bytes that no file holds, compressed: documents and small decoded arrays of thousands of positions."""

    data: bytes
    size: int

    @classmethod
    def of(cls, data: bytes) -> PackedBytes:
        """Pack some bytes."""
        return cls(zlib.compress(data, 1), len(data))

    def unpacked(self) -> bytes:
        """The bytes."""
        return zlib.decompress(self.data)


Content = bytes | PackedBytes | FileRange | DecodedArray


@dataclass(frozen=True, slots=True)
class PlannedMember:
    """A file of the archive."""

    path: str
    size: int
    sha256: str
    content: Content


class MemberPlan:
    """The members of an archive in work, each path once, sorted by the vendor file that they come from."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._trees = trees
        self._members: dict[str, tuple[tuple[int, str], PlannedMember]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._members

    def add(self, path: str, content: Content, beside: tuple[int, str] = (-1, ""), sha256: str | None = None) -> str:
        """Plan a member unless it is planned already; its SHA-256. `beside` is the vendor file that it stands with."""
        if path in self._members:
            return self._members[path][1].sha256
        size, digest = (size_of(content), sha256) if sha256 else digest_of(content, self._trees)
        if isinstance(content, bytes) and size > _WORTH_PACKING:
            content = PackedBytes.of(content)
        place = (content.root, content.path) if isinstance(content, FileRange) else beside
        self._members[path] = place, PlannedMember(path, size, digest, content)
        return digest

    def in_order(self) -> tuple[PlannedMember, ...]:
        """All members: shared documents, then those of each vendor file in the files' order, so that each is read once.

        The order depends on the files and their content alone.
        """
        rows = sorted(self._members.values(), key=lambda row: row[0])  # stable: as they were planned
        return tuple(member for _, member in rows)


def content_of(array: ArrayRecord, root: int) -> FileRange | DecodedArray:
    """Where the bytes of an array are."""
    if array.span is not None:
        return FileRange(root, array.span.path, array.span.offset, array.span.length)
    if array.load is None:
        raise ValueError(f"the array {array.name} has neither a place nor a way to be decoded")
    return DecodedArray(array.load)


def size_of(content: Content) -> int:
    """Bytes of a content."""
    if isinstance(content, FileRange):
        return content.length
    if isinstance(content, PackedBytes):
        return content.size
    return len(content if isinstance(content, bytes) else content.stored()[2])


def digest_of(content: Content, trees: Sequence[Tree]) -> tuple[int, str]:
    """Size and SHA-256 of a content."""
    hasher, size = hashlib.sha256(), 0
    for block in blocks_of(content, trees):
        hasher.update(block)
        size += len(block)
    return size, hasher.hexdigest()


def blocks_of(content: Content, trees: Sequence[Tree]) -> Iterator[bytes]:
    """A content in blocks; OSError where a file ends before its range does."""
    if isinstance(content, bytes):
        yield content
    elif isinstance(content, PackedBytes):
        yield content.unpacked()
    elif isinstance(content, DecodedArray):
        yield content.stored()[2]
    else:
        for at in range(0, content.length, BLOCK_BYTES):
            yield range_of(trees, content, at, min(BLOCK_BYTES, content.length - at))


def range_of(trees: Sequence[Tree], whole: FileRange, at: int, length: int) -> bytes:
    """Some bytes of a range."""
    data = trees[whole.root].read(whole.path, whole.offset + at, length)
    if len(data) != length:
        raise OSError(f"{whole.path} is shorter than it was")
    return data
