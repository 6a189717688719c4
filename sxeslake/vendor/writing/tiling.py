"""Which members a vendor file is made of: ranges that are arrays, pictures or dark frames, and what is left between."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..tree import Tree
from .members import BLOCK_BYTES


class Placed(NamedTuple):
    """A range of a file that a member has, or (`member` None) that none has."""

    offset: int
    length: int
    member: str | None


class FileDigest(NamedTuple):
    """SHA-256 of a file and of each of its parts."""

    sha256: str
    parts: tuple[str, ...]


def tiles(size: int, placed: Iterable[Placed]) -> tuple[Placed, ...]:
    """A file without gaps and overlaps: of two members that share bytes the one that begins first, then the longer.

    Examples
    --------
    >>> [tuple(part) for part in tiles(10, [Placed(4, 2, "data/5a/qlw.data")])]
    [(0, 4, None), (4, 2, 'data/5a/qlw.data'), (6, 4, None)]
    """
    found: list[Placed] = []
    at = 0
    for part in sorted(placed, key=lambda part: (part.offset, -part.length, part.member or "")):
        if part.offset < at or not part.length or part.offset + part.length > size:
            continue
        if part.offset > at:
            found.append(Placed(at, part.offset - at, None))
        found.append(part)
        at = part.offset + part.length
    if at < size:
        found.append(Placed(at, size - at, None))
    return tuple(found)


def digests_of(tree: Tree, path: str, parts: Sequence[Placed]) -> FileDigest:
    """Read a file once, block by block; OSError where it is not as long as its parts."""
    whole = hashlib.sha256()
    found = []
    size = sum(part.length for part in parts)
    head, start = b"", 0
    for part in parts:
        hasher = hashlib.sha256()
        at, end = part.offset, part.offset + part.length
        while at < end:
            if not start <= at < start + len(head):
                head, start = tree.read(path, at, min(BLOCK_BYTES, size - at)), at
                if not head:
                    raise OSError("it is shorter than its size")
            block = head[at - start : end - start]
            hasher.update(block)
            whole.update(block)
            at += len(block)
        found.append(hasher.hexdigest())
    if tree.read(path, size, 1):
        raise OSError("it is longer than its size")
    return FileDigest(whole.hexdigest(), tuple(found))
