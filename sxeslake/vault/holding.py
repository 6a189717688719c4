"""Small files of positions, held back until it is known in which order their group lists the positions."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import NamedTuple

import numpy as np

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
        self._file = SpooledTemporaryFile(_IN_MEMORY, prefix="sxeslake-")  # noqa: SIM115 - closed by `close`
        self._positions: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._position, self._name, self._number = array("I"), array("I"), array("Q")
        self._starts, self._end = array("Q"), 0
        self._digests = bytearray()

    @property
    def is_full(self) -> bool:
        """Whether the temporary file has grown enough; what comes now is framed as it comes."""
        return self._end >= _MOST_BYTES

    def add(self, position: str, name: str, blob: NewBlob) -> None:
        """Take a blob of `data/<position>/<name>`."""
        self._position.append(self._positions.setdefault(position, len(self._positions)))
        self._name.append(self._names.setdefault(name, len(self._names)))
        self._number.append(blob.number)
        self._digests += blob.digest
        self._starts.append(self._end)
        self._file.write(blob.data)
        self._end += len(blob.data)

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
        """Let go of the temporary file."""
        self._file.close()
