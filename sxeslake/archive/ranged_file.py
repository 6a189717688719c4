"""A file that many threads read ranges from at once."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from sxeslake.errors import InputError

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def open_regular(path: Path) -> FileIO:
    """Open a file to read it. InputError for a pipe, a device or a folder: none of them is waited for.

    The kind is asked of what was opened, so that nothing put in its place meanwhile can make a run wait for ever.
    """
    handle = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError("is not a regular file; only files and folders can be read", where=path)
        return FileIO(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


_IN_FRONT = "bytes in front of the archive"
_BEHIND = "bytes behind the archive"


def notes_on_outside(before: int, after: int) -> tuple[str, ...]:
    """What to say of a file in which an archive begins late, or ends early."""
    notes = ((before, f"{_IN_FRONT} (a self-extracting program?)"), (after, _BEHIND))
    return tuple(f"{size:,} {where} are not among its members" for size, where in notes if size)


def outside_of(notes: Iterable[str]) -> list[str]:
    """`leading bytes`, `trailing bytes`: what of a file is outside of its archive, by what its notes say."""
    kinds = ((_IN_FRONT, "leading bytes"), (_BEHIND, "trailing bytes"))
    said = list(notes)
    return [word for text, word in kinds if any(text in note for note in said)]


class RangedFile:
    """Positioned reads; where the platform has no `pread`, a lock holds seek and read together."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open_regular(path)
            self.size = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=path) from error
        self._lock = threading.Lock()

    def read(self, at: int, count: int) -> bytes:
        """Up to `count` bytes from `at`: fewer only at the file's end."""
        try:
            first = self._read_once(at, count)
            if len(first) == count or not first:
                return first
            parts = [first]
            done = len(first)
            while done < count and (part := self._read_once(at + done, count - done)):
                parts.append(part)
                done += len(part)
            return b"".join(parts)
        except (OSError, ValueError) as error:  # ValueError: closed by another thread
            raise InputError(f"cannot be read: {error}", where=self.path) from error

    def _read_once(self, at: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), count, at)
        with self._lock:
            self._file.seek(at)
            return self._file.read(count) or b""

    def close(self) -> None:
        """Close the file; later reads are errors."""
        self._file.close()


class PackedStream:
    """One packed stream as a source: so many bytes from an offset."""

    def __init__(self, file: RangedFile, offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self._left = size

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end of the stream."""
        data = self._file.read(self._offset, min(size, self._left))
        self._offset += len(data)
        self._left -= len(data)
        return data
