"""How readers see vendor files.

Relative paths, sizes, times and ranges of bytes, from a folder on disk or from a stored tree.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol

from sxeslake.archive.file_facts import NOT_PERMITTED, may_read, why_unread

HEAD_BYTES = 4096
"""What sniffing reads of a file: the longest magic looked for is in the first kilobyte."""


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

    @property
    def left_out(self) -> Mapping[str, str]:
        """Files and links that are not among those of `sizes`, and why."""
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
        self.left_out: Mapping[str, str] = {}
        found: dict[str, int] = {}
        if root.is_dir():
            found = self._walked(root)
        else:
            found[root.name] = root.stat().st_size
        self.sizes: Mapping[str, int] = dict(sorted(found.items()))

    def _walked(self, root: Path) -> dict[str, int]:
        """Files below a folder with their sizes; `left_out` says of the rest why it is not read."""
        found: dict[str, int] = {}
        odd: dict[str, str] = {}

        def unlisted(error: OSError) -> None:
            odd[Path(error.filename).relative_to(root).as_posix()] = why_unread(error)

        for folder, folders, names in os.walk(root, onerror=unlisted):
            folders.sort()
            for name in sorted([*names, *(each for each in folders if Path(folder, each).is_symlink())]):
                path = Path(folder, name)
                if reason := _reason_against(path):
                    odd[path.relative_to(root).as_posix()] = reason
                else:
                    found[path.relative_to(root).as_posix()] = path.stat().st_size
        self.left_out = dict(sorted(odd.items()))
        return found

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


def _reason_against(path: Path) -> str | None:
    """Why something in a folder is not read; None of a file that can be."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return why_unread(error)
    if stat.S_ISLNK(mode):
        return "a link; links are not followed"
    if not stat.S_ISREG(mode):
        return "a pipe, a socket or a device, not a file"
    return None if may_read(path) else NOT_PERMITTED


def folder_of(path: str) -> str:
    """The folder a file lies in, '' for the root."""
    parent = PurePosixPath(path).parent.as_posix()
    return "" if parent == "." else parent
