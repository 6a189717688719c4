"""How readers see vendor files.

Relative paths, sizes, times and ranges of bytes, from a folder on disk or from a stored tree.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from io import RawIOBase
from pathlib import Path, PurePosixPath
from typing import Protocol

from sxeslake.archive.file_facts import NOT_PERMITTED, may_read, why_unread

HEAD_BYTES = 4096
"""What sniffing reads of a file: the longest magic looked for is in the first kilobyte."""

_KEPT_BYTES = 32 << 20
"""Of the heads of files together: every reader sniffs every file, which would else be opened a dozen times."""


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

    @property
    def empty_folders(self) -> Sequence[str]:
        """Folders in which there is nothing."""
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
        self.root = root if root.is_dir() else root.parent
        self.name = root.name
        self._prefix = f"{self.root}{os.sep}"
        self._heads: dict[str, bytes] = {}
        self._kept = _KEPT_BYTES
        self.left_out: Mapping[str, str] = {}
        self.empty_folders: Sequence[str] = ()
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
        empty: list[str] = []

        def unlisted(error: OSError) -> None:
            odd[Path(error.filename).relative_to(root).as_posix()] = why_unread(error)

        for folder, folders, names in os.walk(root, onerror=unlisted):
            folders.sort()
            if not folders and not names and Path(folder) != root:
                empty.append(Path(folder).relative_to(root).as_posix())
            for name in sorted([*names, *(each for each in folders if Path(folder, each).is_symlink())]):
                path = Path(folder, name)
                size = _size_or_reason(path)
                if isinstance(size, int):
                    found[path.relative_to(root).as_posix()] = size
                else:
                    odd[path.relative_to(root).as_posix()] = size
        self.left_out = dict(sorted(odd.items()))
        self.empty_folders = sorted(empty)
        return found

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file: fewer than `length` where it ends before."""
        size = self._known(path)
        end = size if length is None else offset + length
        if end > HEAD_BYTES:
            return self._from_disk(path, offset, length)
        head = self._heads.get(path)
        if head is None:
            head = self._from_disk(path, 0, HEAD_BYTES)
            if len(head) != min(size, HEAD_BYTES):  # it changes: whoever reads it is to see so
                return head[offset:end] if length is not None else head[offset:]
            self._kept -= len(head)
            if self._kept >= 0:
                self._heads[path] = head
        return head[offset:end]

    def _from_disk(self, path: str, offset: int, length: int | None) -> bytes:
        with open(f"{self._prefix}{path}", "rb", buffering=0) as file:  # noqa: PTH123 - a Path costs more
            file.seek(offset)
            return file.read() if length is None else _read_all(file, length)

    def modified(self, path: str) -> float | None:
        """The file's time of modification in seconds since 1970."""
        self._known(path)
        return (self.root / path).stat().st_mtime

    def _known(self, path: str) -> int:
        """The size of a listed file: a path that a sidecar names may lead out of the folder."""
        if path not in self.sizes:
            raise FileNotFoundError(f"no file {path!r} in {self.name}")
        return self.sizes[path]


class FilesOfFolder(FolderTree):
    """The files that lie directly in a folder, without those of the folders below it."""

    def _walked(self, root: Path) -> dict[str, int]:
        with os.scandir(root) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)}


def _size_or_reason(path: Path) -> int | str:
    """The size of a file that can be read, or why something in a folder is not."""
    try:
        found = path.lstat()
    except OSError as error:  # also of a file that is gone since the folder was listed
        return why_unread(error)
    mode = found.st_mode
    if stat.S_ISLNK(mode):
        return "a link; links are not followed"
    if not stat.S_ISREG(mode):
        return "a pipe, a socket or a device, not a file"
    return found.st_size if may_read(path) else NOT_PERMITTED


def _read_all(file: RawIOBase, length: int) -> bytes:
    """As many bytes, or all there are: an unbuffered file may give fewer at once."""
    data = file.read(length) or b""
    while len(data) < length and (more := file.read(length - len(data))):
        data += more
    return data


def folder_of(path: str) -> str:
    """The folder a file lies in, '' for the root."""
    parent = PurePosixPath(path).parent.as_posix()
    return "" if parent == "." else parent
