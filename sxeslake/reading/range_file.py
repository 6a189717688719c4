"""A file that is read by asking somebody for ranges of it: Python's file, for any number of threads at once."""

from __future__ import annotations

import errno
import io
import threading
from collections.abc import Callable
from typing import Any, ClassVar

from sxeslake.model import KIB, MIB

Fetch = Callable[[int, int], bytes]
"""The bytes of a file from where to before where; called by many threads at once."""

_AHEAD_BYTES = 8 * MIB  # read at once, at most, for who reads on and on


class RangeFile(io.BufferedIOBase):
    """A file to read, of so many bytes.

    `read_at` is one step. So are `seek` and the `read` behind it in the same thread, whatever other threads do with
    the file meanwhile: DuckDB reads one handle so from many threads. Whoever reads on and on is read ahead for.
    """

    mode: ClassVar[str] = "rb"

    def __init__(self, path: str, size: int, fetch: Fetch) -> None:
        self.path, self.size = path, size
        self._fetch = fetch
        self._lock = threading.Lock()
        self._position = 0
        self._own = threading.local()  # `.position`: where this thread went by `seek`, until it reads
        self._ahead = (0, b"")  # where what was read ahead begins, and what it is
        self._expected, self._step = -1, 0

    @property
    def name(self) -> str:
        """`ti-grains@2/metadata.json`."""
        return self.path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        """Where the next `read` of this thread begins."""
        with self._lock:
            return self._here()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go somewhere; the next `read` of this thread begins there."""
        self._check_open()
        with self._lock:
            target = offset + (0, self._here(), self.size)[whence]
            if target < 0:
                raise OSError(errno.EINVAL, "before the file's beginning", self.path)
            self._position = self._own.position = target
        return target

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; fewer only at the file's end."""
        self._check_open()
        with self._lock:  # the bytes are claimed before they come: two readers never get the same
            start = min(self._here(), self.size)
            end = self.size if size is None or size < 0 else min(start + size, self.size)
            vars(self._own).pop("position", None)
            self._position = end
        try:
            return self._read(start, end)
        except BaseException:
            with self._lock:
                if self._position == end:
                    self._position = start
            raise

    def read1(self, size: int = -1, /) -> bytes:
        """The next bytes, at most so many."""
        return self.read(size if size >= 0 else 128 * KIB)

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    readinto1 = readinto

    def peek(self, size: int = 0, /) -> bytes:
        """The next bytes, without going on: what lines are found with."""
        start = min(self.tell(), self.size)
        return self._read(start, min(start + max(size, 8 * KIB), self.size))

    def read_at(self, offset: int, size: int) -> bytes:
        """Some bytes from anywhere, fewer only at the file's end; leaves the position as it is."""
        self._check_open()
        start = min(max(offset, 0), self.size)
        end = min(start + max(size, 0), self.size)
        return self._fetch(start, end) if end > start else b""

    def close(self) -> None:
        self._ahead = (0, b"")
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("the file is closed")

    def _here(self) -> int:
        return int(getattr(self._own, "position", self._position))

    def _read(self, start: int, end: int) -> bytes:
        """Bytes from what was read ahead as far as that goes; reads farther ahead for who reads on and on."""
        if end <= start:
            return b""
        with self._lock:
            first, kept = self._ahead
            skip = start - first
            head = kept[skip : skip + end - start] if 0 <= skip < len(kept) else b""
            goes_on = start == self._expected or bool(head)
            self._expected = end
            if len(head) == end - start:
                return head
            self._step = min(max(2 * self._step, 128 * KIB), _AHEAD_BYTES) if goes_on else 0
            begin, stop = start + len(head), min(max(end, start + self._step), self.size)
        data = self._fetch(begin, stop)
        if stop > end:
            with self._lock:
                self._ahead = (begin, data)
        return head + data[: end - begin]
