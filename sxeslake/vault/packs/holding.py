"""Small files of positions, held back until it is known in which order their group lists the positions."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Iterable, Iterator
from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, NamedTuple, cast

import numpy as np

from sxeslake.disk.trouble import FULL
from sxeslake.model import GIB, MIB, Digest

_IN_MEMORY = 16 * MIB  # the rest goes to a temporary file: 100,000 positions have some 100 MB of such files
_MOST_BYTES = 1 * GIB


class NewBlob(NamedTuple):
    """A blob that the lake lacks: its number in this run, address and bytes."""

    number: int
    digest: Digest
    data: bytes


class Held:
    """Blobs that wait, as columns: a group of 100,000 positions has half a million of them."""

    def __init__(self) -> None:
        self._file: IO[bytes] = BytesIO()
        self._has_room = True
        self._positions: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._position, self._name, self._number = array("I"), array("I"), array("Q")
        self._starts, self._end = array("Q"), 0
        self._digests = bytearray()

    @property
    def is_full(self) -> bool:
        """Whether the temporary file has grown enough; what comes now is framed as it comes."""
        return self._end >= _MOST_BYTES or not self._has_room

    def add(self, position: str, name: str, blob: NewBlob) -> bool:
        """Take a blob of `data/<position>/<name>`; False where there is no room for it, on the disk or at all."""
        if self.is_full or not self._write(blob.data):
            return False
        self._position.append(self._positions.setdefault(position, len(self._positions)))
        self._name.append(self._names.setdefault(name, len(self._names)))
        self._number.append(blob.number)
        self._digests += blob.digest
        self._starts.append(self._end)
        self._end += len(blob.data)
        return True

    def _write(self, data: bytes) -> bool:
        try:
            if isinstance(self._file, BytesIO) and self._end + len(data) > _IN_MEMORY:
                self._file = _on_disk(self._file)
            self._file.seek(self._end)
            self._has_room = self._file.write(data) == len(data)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self._has_room = False
        return self._has_room

    def take(self, order: Iterable[str]) -> Iterator[tuple[str, NewBlob]]:
        """Names and blobs by the order of their positions; what is in no order comes behind, as it came."""
        count = len(self._positions)
        rank = np.arange(count, 2 * count, dtype=np.int64)
        places = [place for position in order if (place := self._positions.get(position)) is not None]
        rank[places] = np.arange(len(places))
        names, ends = list(self._names), [*self._starts[1:], self._end]
        for at in np.argsort(rank[np.frombuffer(self._position, np.uint32)], kind="stable").tolist():
            self._file.seek(self._starts[at])
            data = self._file.read(ends[at] - self._starts[at])
            yield names[self._name[at]], NewBlob(self._number[at], bytes(self._digests[32 * at : 32 * at + 32]), data)

    def close(self) -> None:
        """Close the temporary file."""
        self._file.close()


def _on_disk(memory: BytesIO) -> IO[bytes]:
    """What is in memory in a temporary file, without a buffer: a disk that is full says so at once."""
    file = cast("IO[bytes]", TemporaryFile(prefix="sxeslake-", buffering=0))  # noqa: SIM115 - closed by `close`
    if file.write(memory.getbuffer()) != memory.getbuffer().nbytes:
        file.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return file
