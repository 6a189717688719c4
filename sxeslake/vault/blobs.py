"""Reading blobs: ranged, concurrent, and each proved by its hash before anybody sees it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from blake3 import blake3

from sxeslake import codecs
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import frame, keys
from sxeslake.format.manifest import Blob, Hint
from sxeslake.model import MIB, Digest
from sxeslake.storage import Store

FrameKey = tuple[str, int, int]  # pack, offset, length
Locate = Callable[[Sequence[Blob]], dict[Digest, Blob]]

MAX_FRAME_BYTES = 80 * MIB  # stored; a frame decodes to at most 64 MiB, and a manifest can claim anything
_CACHE_BYTES = 64 * MIB
_TASK_BYTES = MIB  # hashed by one task


class BlobReader:
    """Fetches, decodes and proves blobs; shared frames are decoded once and kept for a while."""

    def __init__(self, store: Store, translate: Locate, relocate: Locate, threads: int) -> None:
        """`translate` knows, without asking for the head, where blobs of condemned packs went; `relocate` asks."""
        self._store, self._translate, self._relocate = store, translate, relocate
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._cache: OrderedDict[FrameKey, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)

    def fetch(self, blobs: Sequence[Blob]) -> list[bytes]:
        """The bytes of some blobs, in order; DamagedLakeError rather than a wrong byte.

        A stale hint (its pack was rewritten, or the bytes there are damaged and another copy lives) is looked up anew.
        """
        found = self.fetch_some(blobs)
        for blob, data in zip(blobs, found, strict=True):
            if data is None:
                where = keys.pack_key(blob.hint.pack) if blob.hint else "no pack"
                raise DamagedLakeError(f"blob {blob.digest.hex()} is missing or damaged.", where=where)
        return [data for data in found if data is not None]

    def fetch_some(self, blobs: Sequence[Blob]) -> list[bytes | None]:
        """As `fetch`, but None for a blob that is missing or damaged."""
        moved = self._translate(blobs)
        found = self._read([moved.get(blob.digest, blob) for blob in blobs] if moved else blobs)
        lost = [blob for blob, data in zip(blobs, found, strict=True) if data is None]
        if lost:
            elsewhere = self._relocate(lost)
            again = [elsewhere.get(blob.digest, blob) for blob in lost]
            mended = dict(zip((blob.digest for blob in lost), self._read(again), strict=True))
            found = [mended[blob.digest] if data is None else data for blob, data in zip(blobs, found, strict=True)]
        return found

    def _read(self, blobs: Sequence[Blob]) -> list[bytes | None]:
        needed = {_frame_of(blob.hint) for blob in blobs if blob.hint is not None and _sane(blob.hint)}
        frames = self._frames(needed)

        def proved(blob: Blob) -> bytes | None:
            raw = frames.get(_frame_of(blob.hint)) if blob.hint is not None else None
            if raw is None or blob.hint is None:
                return None
            start = blob.hint.blob_offset
            data = raw if start == 0 and blob.size == len(raw) else raw[start : start + blob.size]
            return data if blake3(data).digest() == blob.digest else None

        return list(chain.from_iterable(self._pool.map(lambda part: list(map(proved, part)), _shares(blobs))))

    def _frames(self, needed: set[FrameKey]) -> dict[FrameKey, bytes | None]:
        frames: dict[FrameKey, bytes | None] = {}
        with self._lock:
            for key in needed & self._cache.keys():
                self._cache.move_to_end(key)
                frames[key] = self._cache[key]
        fetch = sorted(needed - frames.keys())
        bodies = self._bodies(fetch)
        for key, raw in zip(fetch, self._pool.map(_decoded, fetch, bodies), strict=True):
            frames[key] = raw
            if raw is not None:
                self._keep(key, raw)
        return frames

    def _bodies(self, wanted: Sequence[FrameKey]) -> list[bytes | None]:
        ranges = [(keys.pack_key(pack), offset, offset + length) for pack, offset, length in wanted]
        try:
            return list(self._store.get_ranges(ranges))
        except (ObjectNotFoundError, DamagedLakeError):  # one of them is gone or short: find out which
            gone: set[str] = set()  # packs that are asked for once, not once a frame
            return [self._body(*item, gone) for item in ranges]

    def _body(self, key: str, start: int, end: int, gone: set[str]) -> bytes | None:
        if key in gone:
            return None
        try:
            return self._store.get_range(key, start, end)
        except ObjectNotFoundError:
            gone.add(key)
        except DamagedLakeError:
            pass
        return None

    def _keep(self, key: FrameKey, raw: bytes) -> None:
        if len(raw) > MIB:  # one large blob: nobody else will ask for its frame
            return
        with self._lock:
            self._cached_bytes += len(raw) - len(self._cache.pop(key, b""))
            self._cache[key] = raw
            while self._cached_bytes > _CACHE_BYTES:
                self._cached_bytes -= len(self._cache.popitem(last=False)[1])


def _shares(blobs: Sequence[Blob]) -> Iterator[Sequence[Blob]]:
    """Runs of blobs that are worth a task of their own: thousands of tiny ones are one."""
    start, size = 0, 0
    for number, blob in enumerate(blobs, 1):
        size += blob.size
        if size >= _TASK_BYTES:
            yield blobs[start:number]
            start, size = number, 0
    if start < len(blobs):
        yield blobs[start:]


def _frame_of(hint: Hint) -> FrameKey:
    return hint.pack, hint.frame_offset, hint.frame_length


def _sane(hint: Hint) -> bool:
    return frame.HEADER.size < hint.frame_length <= MAX_FRAME_BYTES


def _decoded(key: FrameKey, body: bytes | None) -> bytes | None:
    if body is None:
        return None
    try:
        return decode_frame(body, where=keys.pack_key(key[0]))
    except DamagedLakeError:
        return None


def decode_frame(body: bytes | memoryview, *, where: str) -> bytes:
    """The raw bytes of a frame: all its blobs, one after the other."""
    found = frame.unseal(body, where=where)
    return codecs.decode(found.pipeline, found.payload, found.raw_bytes)


def total_size(blobs: Iterable[Blob]) -> int:
    """Raw bytes of some blobs."""
    return sum(blob.size for blob in blobs)
