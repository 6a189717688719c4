"""Files of a tree as readers want them: heads to sniff, and texts of a size that a condition can have."""

from __future__ import annotations

from pathlib import PurePosixPath

from .texts import MOST_TEXT_BYTES, Fields, keyed
from .tree import HEAD_BYTES, Tree


def head_of(tree: Tree, path: str, length: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file; none where it cannot be read, so that it is of no format."""
    try:
        return tree.read(path, 0, length)
    except OSError:
        return b""


def beside(tree: Tree, path: str, suffix: str) -> str:
    """The file of the same stem with this suffix, or ''; Windows does not tell small letters from capitals."""
    stem = path.removesuffix(PurePosixPath(path).suffix)
    return next((stem + name for name in (suffix, suffix.upper()) if stem + name in tree.sizes), "")


def text_bytes(tree: Tree, path: str, most: int = MOST_TEXT_BYTES) -> bytes:
    """The bytes of a text file; ValueError where it is too large for one."""
    if tree.sizes[path] > most:
        raise ValueError(f"{tree.sizes[path]:,} bytes are too many for a text")
    return tree.read(path)


def fields_of(tree: Tree, path: str) -> Fields:
    """The `$KEY value` lines of a file; none where it cannot be read or is too large."""
    try:
        return keyed(text_bytes(tree, path), path)
    except (OSError, ValueError):
        return Fields(path, "")
