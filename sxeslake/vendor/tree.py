"""How readers see vendor files.

Relative paths, sizes, times and ranges of bytes, from a folder on disk or from a stored tree.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

HEAD_BYTES = 4096
"""What sniffing reads of a file: the longest magic looked for is in the first kilobyte."""


_MOST_HEADS = 64 << 20


class Tree(Protocol):
    """Files below one root, named by relative paths with `/`."""

    @property
    def name(self) -> str:
        """The root's own name, which vendors put meaning into (`sample_0001_QLW`)."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Every file's size in bytes, in order of path."""
        ...

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file: fewer than `length` where it ends before."""
        ...

    def modified(self, path: str) -> float | None:
        """The file's time of modification in seconds since 1970, or None where it is not known."""
        ...


class FolderTree:
    """The files of a folder on disk, or one file; links are not followed out of it."""

    def __init__(self, root: Path) -> None:
        self._root = root if root.is_dir() else root.parent
        self.name = root.name
        found: dict[str, int] = {}
        if root.is_dir():
            for folder, folders, names in os.walk(root):
                folders.sort()
                for name in sorted(names):
                    path = Path(folder, name)
                    if path.is_file() and not path.is_symlink():
                        found[path.relative_to(root).as_posix()] = path.stat().st_size
        else:
            found[root.name] = root.stat().st_size
        self.sizes: Mapping[str, int] = dict(sorted(found.items()))

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file: fewer than `length` where it ends before."""
        self._known(path)
        with (self._root / path).open("rb") as file:
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def modified(self, path: str) -> float | None:
        """The file's time of modification in seconds since 1970."""
        self._known(path)
        return (self._root / path).stat().st_mtime

    def _known(self, path: str) -> None:
        """A path that a sidecar names may lead out of the folder: only listed files are read."""
        if path not in self.sizes:
            raise FileNotFoundError(f"no file {path!r} in {self.name}")


class HeadsOnce:
    """A tree of which the beginning of each file is read once, however many ask for it.

    Beginnings are kept up to a bound; a tree of very many files is read again beyond it.
    """

    def __init__(self, tree: Tree) -> None:
        self.name = tree.name
        self.sizes = tree.sizes
        self._tree = tree
        self._heads: dict[str, bytes] = {}
        self._room = _MOST_HEADS

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file: fewer than `length` where it ends before."""
        if length is None or offset + length > HEAD_BYTES:
            return self._tree.read(path, offset, length)
        head = self._heads.get(path)
        if head is None:
            head = self._tree.read(path, 0, HEAD_BYTES)
            if len(head) <= self._room:
                self._heads[path] = head
                self._room -= len(head)
        return head[offset : offset + length]

    def modified(self, path: str) -> float | None:
        """The file's time of modification in seconds since 1970, or None where it is not known."""
        return self._tree.modified(path)


def folder_of(path: str) -> str:
    """The folder a file lies in, '' for the root."""
    parent = PurePosixPath(path).parent.as_posix()
    return "" if parent == "." else parent
