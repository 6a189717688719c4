"""Parts of blobs, for readers who jump about. Only whole blobs can be proved, so the large ones are kept a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sxeslake.format.manifest import Blob
from sxeslake.model import MIB, Digest
from sxeslake.vault.blobs.contents import read_ahead
from sxeslake.vault.blobs.reader import BlobReader

_KEEP_BYTES = 64 * MIB
_FRAME_KEPT = MIB  # the blob reader keeps smaller ones itself


class BlobSlice(NamedTuple):
    """Some bytes of a blob, from where to before where."""

    blob: Blob
    start: int
    end: int


class RangeReader:
    """Reads slices of blobs; safe for many threads at once."""

    def __init__(self, reader: BlobReader) -> None:
        self._reader = reader
        self._kept: OrderedDict[Digest, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def read(self, slices: Sequence[BlobSlice]) -> Iterator[bytes]:
        """The bytes of each slice, in order; few at a time in memory, the next ones on their way."""
        here = self._at_hand({item.blob.digest for item in slices})
        coming = self._coming([item.blob for item in slices if item.blob.digest not in here])
        for item in slices:
            data = here.get(item.blob.digest)
            if data is None:
                data = next(coming)
                self._keep(item.blob.digest, data)
            yield data if item.end - item.start == len(data) else data[item.start : item.end]

    def _coming(self, blobs: Sequence[Blob]) -> Iterator[bytes]:
        if sum(blob.size for blob in blobs) > _FRAME_KEPT:
            return read_ahead(self._reader, blobs)
        return iter(self._reader.fetch(blobs))  # little: not worth a thread

    def _at_hand(self, wanted: set[Digest]) -> dict[Digest, bytes]:
        with self._lock:
            found = {digest: self._kept[digest] for digest in wanted if digest in self._kept}
            for digest in found:
                self._kept.move_to_end(digest)
        return found

    def _keep(self, digest: Digest, data: bytes) -> None:
        if len(data) <= _FRAME_KEPT:
            return
        with self._lock:
            if digest not in self._kept:
                self._kept[digest] = data
                self._kept_bytes += len(data)
            while self._kept_bytes > _KEEP_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1])


def slices_of(blobs: Sequence[Blob], start: int, end: int) -> Iterator[BlobSlice]:
    """The parts of a member's blobs that hold its bytes from `start` to before `end`."""
    at = 0
    for blob in blobs:
        low, high = max(start - at, 0), min(end - at, blob.size)
        if low < high:
            yield BlobSlice(blob, low, high)
        at += blob.size
