"""A place for bytes that wait to be saved: memory, then a temporary file, so that a new map needs little memory."""

from __future__ import annotations

import io
import tempfile
import weakref
from typing import IO, NamedTuple

from sxeslake.disk.trouble import scratch_told
from sxeslake.model import MIB

SPOOL_BYTES = 64 * MIB  # kept in memory; most editing sessions never need more


class Spooled(NamedTuple):
    """Where some bytes wait."""

    offset: int
    size: int


class Spool:
    """Append-only store of byte strings; its temporary file goes with it, at the latest when it is collected."""

    def __init__(self, memory_bytes: int = SPOOL_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._file: IO[bytes] = io.BytesIO()
        self._end = 0

    def put(self, data: bytes) -> Spooled:
        """Keep some bytes."""
        if isinstance(self._file, io.BytesIO) and self._end + len(data) > self._memory_bytes:
            with scratch_told():
                self._move_to_disk(self._file)
        with scratch_told():
            self._file.seek(self._end)
            self._file.write(data)
        self._end += len(data)
        return Spooled(self._end - len(data), len(data))

    def get(self, spooled: Spooled) -> bytes:
        """The bytes kept there."""
        self._file.seek(spooled.offset)
        return self._file.read(spooled.size)

    def close(self) -> None:
        """Let everything go."""
        self._file.close()

    def _move_to_disk(self, memory: io.BytesIO) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close` or with this object
        weakref.finalize(self, file.close)
        file.write(memory.getbuffer())
        self._file = file
