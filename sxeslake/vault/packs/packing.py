"""Writing packs: frames in, sealed packs in the bucket out, at most a few packs in memory."""

from __future__ import annotations

import logging
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from sxeslake.format import keys, pack
from sxeslake.format.logentry import PackAdded
from sxeslake.format.manifest import Hint
from sxeslake.model import MIB, Digest
from sxeslake.storage import Store

_LOG = logging.getLogger(__name__)

TARGET_BYTES = 32 * MIB  # few enough requests for a facility, small enough to retry and to hold in memory
_UPLOADS = 2  # packs on their way at once


@dataclass(slots=True)
class _Open:
    """A pack that still takes frames; columns, for there can be a million blobs."""

    pack_id: str
    parts: list[bytes]
    size: int
    digests: bytearray = field(default_factory=bytearray)
    sizes: array[int] = field(default_factory=lambda: array("I"))
    frame_lengths: array[int] = field(default_factory=lambda: array("I"))
    frame_blobs: array[int] = field(default_factory=lambda: array("I"))


@dataclass(frozen=True, slots=True)
class WrittenPack:
    """A pack that has reached the bucket, or was thrown away, and its footer."""

    record: PackAdded
    footer: pack.Footer


class Packer:
    """Fills packs with frames, one open pack a kind (`json`, `array`), and uploads the full ones in the background."""

    def __init__(
        self,
        store: Store | None,
        target_bytes: int = TARGET_BYTES,
        *,
        uploading: Callable[[PackAdded], None] | None = None,
    ) -> None:
        """`uploading` is told of each pack just before it goes to the bucket, from the thread that puts it there.

        Without a store, packs are made up as ever, and thrown away.
        """
        self._store, self._target, self._uploading = store, target_bytes, uploading
        self._open: dict[str, _Open] = {}
        self._uploads: deque[Future[WrittenPack]] = deque()
        self._pool = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="upload")
        self.written: list[WrittenPack] = []

    def place(self, kind: str, frame: bytes, digests: Sequence[Digest], sizes: Sequence[int]) -> Hint:
        """Append a frame; says where it stands (`blob_offset` is that of the first blob: 0)."""
        current = self._open.get(kind)
        if current is not None and (
            current.size + len(frame) > self._target or len(current.sizes) + len(digests) > pack.MAX_BLOBS
        ):
            self._seal(kind)
            current = None
        if current is None:
            pack_id = keys.new_id()
            head = pack.header(pack_id)
            current = self._open[kind] = _Open(pack_id, [head], len(head))
        hint = Hint(current.pack_id, current.size, len(frame), 0)
        current.parts.append(frame)
        current.size += len(frame)
        current.digests += b"".join(digests)
        current.sizes.extend(sizes)
        current.frame_lengths.append(len(frame))
        current.frame_blobs.append(len(digests))
        return hint

    def finish(self) -> list[WrittenPack]:
        """Seal what is open, wait for every upload, and say which packs there are now."""
        for kind in sorted(self._open):
            self._seal(kind)
        while self._uploads:
            self.written.append(self._uploads.popleft().result())
        return self.written

    def close(self, *, wait: bool = True) -> None:
        """Stop; what is not finished is left as an orphan that the collector finds."""
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def _seal(self, kind: str) -> None:
        current = self._open.pop(kind)
        while len(self._uploads) >= _UPLOADS:
            self.written.append(self._uploads.popleft().result())
        self._uploads.append(self._pool.submit(self._upload, kind, current))

    def _upload(self, kind: str, full: _Open) -> WrittenPack:
        tail = pack.footer(full.pack_id, full.digests, full.frame_lengths, full.frame_blobs, full.sizes)
        size, raw = full.size + len(tail), int(np.sum(full.sizes, dtype=np.uint64))
        record = PackAdded(full.pack_id, kind, size, len(tail), len(full.sizes), raw)
        _LOG.debug("pack %s (%s): %d blobs, %d bytes", record.id, kind, record.blobs, size)
        if self._uploading is not None:
            self._uploading(record)
        if self._store is not None:
            self._store.create(keys.pack_key(full.pack_id), [*full.parts, tail])
        footer = pack.load_footer(full.pack_id, tail, where=keys.pack_key(full.pack_id))
        return WrittenPack(record, footer)
