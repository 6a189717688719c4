"""Reading blobs: ranged, concurrent, and each proved by its hash before anybody sees it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, NamedTuple

from blake3 import blake3

from sxeslake import codecs
from sxeslake.batching import batches
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import frame, keys
from sxeslake.format.manifest import Blob, Hint
from sxeslake.model import MIB, Digest
from sxeslake.storage import CancelledRequestError, Store
from sxeslake.vault.blobs.cache import FrameCache, FrameKey

_LOG = logging.getLogger(__name__)

Locate = Callable[[Sequence[Blob]], dict[Digest, Blob]]
Places = Callable[[Sequence[Blob]], Iterator[dict[Digest, list[Blob]]]]
"""Where blobs stand, all copies of each: first what is known at little cost, then what takes longer to find out."""

Spread = Callable[..., Iterable[Any]]
"""`map` of this thread or of a pool."""

MAX_FRAME_BYTES = 80 * MIB  # stored; a frame decodes to at most 64 MiB, and a manifest can claim anything
_CACHE_BYTES = 96 * MIB  # the small files of 100,000 positions, of whose frames a pull takes a little here and there
_TASK_BYTES = MIB  # decoded or hashed by one task: of thousands of tiny blobs, a task each would take longest


class _DecodedFrames(NamedTuple):
    """Frames decoded, None for one that is damaged or not there; as they came from the lake; those from the disk."""

    decoded: dict[FrameKey, bytes | None]
    fetched: list[tuple[FrameKey, bytes]]
    held: set[FrameKey]


class FrameBlobs(NamedTuple):
    """Those of some blobs that are in one frame, None where nobody knows in which, as columns."""

    frame: FrameKey | None
    places: Sequence[int]
    """Which of the blobs they are."""
    digests: Sequence[Digest]
    starts: Sequence[int]
    sizes: Sequence[int]

    def blobs(self) -> Iterator[tuple[int, Blob]]:
        """Place and blob of each."""
        for place, digest, start, size in zip(*self[1:], strict=True):
            yield place, Blob(digest, size, None if self.frame is None else Hint(*self.frame, start))


class BlobReader:
    """Fetches, decodes and proves blobs; shared frames are decoded once and kept for a while."""

    def __init__(
        self, store: Store, translate: Locate, relocate: Places, threads: int, disk: FrameCache | None = None
    ) -> None:
        """`translate` knows, without asking for the head, where blobs of condemned packs went; `relocate` asks.

        `relocate` is told of blobs that could not be read, and names every place where they stand.

        `disk` keeps what was fetched for the next process.
        """
        self._disk = disk
        self._store, self._translate, self._relocate = store, translate, relocate
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._cache: OrderedDict[FrameKey, bytes] = OrderedDict()
        self._coming: dict[FrameKey, Future[bytes | None]] = {}  # frames that a thread has in work: nobody else asks
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(cancel_futures=True)
        if self._disk is not None:
            self._disk.close()

    def held(self, wanted: Iterable[FrameKey]) -> set[FrameKey]:
        """Those of some frames that are in memory or on disk, and so are not fetched."""
        with self._lock:
            found = {key for key in wanted if key in self._cache}
        return found if self._disk is None else found | self._disk.held(set(wanted) - found)

    def fetch(self, blobs: Sequence[Blob], *, one_thread: bool = False) -> list[bytes]:
        """The bytes of some blobs, in order; DamagedLakeError rather than a wrong byte.

        Where the hint leads to no good copy (its pack was rewritten, is damaged or gone), every other copy is tried.
        With `one_thread` the caller's thread decodes and proves: for callers that read in several threads at once.
        """
        found = self.fetch_some(blobs, one_thread=one_thread)
        for blob, data in zip(blobs, found, strict=True):
            if data is None:
                where = keys.pack_key(blob.hint.pack) if blob.hint else "no pack"
                raise DamagedLakeError(f"blob {blob.digest.hex()} is missing or damaged.", where=where)
        return [data for data in found if data is not None]

    def fetch_columns(self, groups: Sequence[FrameBlobs], *, one_thread: bool = False) -> list[bytes]:
        """As `fetch`, of blobs that come as columns: of a hundred thousand small ones objects would take longest."""
        moved = self._translate([blob for group in groups for _, blob in islice(group.blobs(), 1)])
        known = [group._replace(frame=None) for group in groups] if moved else groups
        found = self._read_columns(known, one_thread=one_thread)
        if None in found:
            lost = [each for group in groups for each in group.blobs() if found[each[0]] is None]
            for (place, _), data in zip(lost, self.fetch([blob for _, blob in lost]), strict=True):
                found[place] = data
        return [data for data in found if data is not None]

    def fetch_some(self, blobs: Sequence[Blob], *, one_thread: bool = False) -> list[bytes | None]:
        """As `fetch`, but None for a blob of which no copy is whole."""
        moved = self._translate(blobs)
        first = [moved.get(blob.digest, blob) for blob in blobs] if moved else blobs
        found = self._read(first, one_thread=one_thread)
        lost = {blob.digest: blob for blob, data in zip(blobs, found, strict=True) if data is None}
        if lost:
            copies = self._from_copies(lost, {blob for blob, data in zip(first, found, strict=True) if data is None})
            found = [copies.get(blob.digest) if data is None else data for blob, data in zip(blobs, found, strict=True)]
        return found

    def _from_copies(self, lost: dict[Digest, Blob], tried: set[Blob]) -> dict[Digest, bytes]:
        """Blobs from any place but those that failed; at last from their hints, which may have failed on the way."""
        _LOG.info("%d blobs cannot be read where they were; looking for other copies", len(lost))
        found: dict[Digest, bytes] = {}
        left = dict(lost)

        def read(places: Sequence[Blob]) -> None:
            for blob, data in zip(places, self._read(places), strict=True):
                if data is not None:
                    found[blob.digest] = data
                    del left[blob.digest]

        for stage in self._relocate(list(lost.values())):
            waiting = {digest: [blob for blob in stage.get(digest, ()) if blob not in tried] for digest in left}
            while turn := [waiting[digest].pop() for digest in left if waiting[digest]]:  # a copy of each at once
                tried.update(turn)
                read(turn)
            if not left:
                return found
        read(list(left.values()))
        return found

    def _read(self, blobs: Sequence[Blob], *, one_thread: bool = False) -> list[bytes | None]:
        return self._read_columns(_by_frame(blobs), one_thread=one_thread)

    def _read_columns(
        self, groups: Sequence[FrameBlobs], *, one_thread: bool, by_cache: bool = True
    ) -> list[bytes | None]:
        spread: Spread = map if one_thread else self._pool.map
        needed = {group.frame for group in groups if group.frame is not None and _is_sane(group.frame)}
        frames, fetched, held = self._frames(needed, spread, by_cache=by_cache)
        found: list[bytes | None] = [None] * sum(len(group.places) for group in groups)
        wrong: set[FrameKey | None] = set()
        proved = chain.from_iterable(
            spread(lambda share: _proved(share, frames), batches(groups, _size_of, _TASK_BYTES))
        )
        for group, read in zip(groups, proved, strict=True):
            for place, data in zip(group.places, read, strict=True):
                found[place] = data
            if None in read:
                wrong.add(group.frame)
        self._retire(groups, for_good=one_thread)
        if self._disk is None:
            return found
        self._disk.put([(key, body) for key, body in fetched if key not in wrong and frames[key] is not None])
        if bad := held & wrong:  # not the lake's fault, perhaps: it is asked before anybody hears of it
            self._drop(bad)
            return self._read_columns(groups, one_thread=one_thread, by_cache=False)
        return found

    def _drop(self, frames: set[FrameKey]) -> None:
        """Forget frames in memory and on disk."""
        if self._disk is not None:
            self._disk.drop(frames)
        with self._lock:
            for key in frames:
                self._cached_bytes -= len(self._cache.pop(key, b""))

    def _frames(self, needed: set[FrameKey], spread: Spread, *, by_cache: bool) -> _DecodedFrames:
        frames: dict[FrameKey, bytes | None] = {}
        elsewhere: dict[FrameKey, Future[bytes | None]] = {}
        own: dict[FrameKey, Future[bytes | None]] = {}
        with self._lock:
            for key in needed:
                if key in self._cache:
                    self._cache.move_to_end(key)
                    frames[key] = self._cache[key]
                elif by_cache and key in self._coming:  # another thread is at it
                    elsewhere[key] = self._coming[key]
                else:
                    own[key] = Future()
            if by_cache:
                self._coming.update(own)
        try:
            found = self._decode(sorted(own), frames, spread, by_cache=by_cache)
            for key, future in own.items():
                future.set_result(frames[key])
        except BaseException as error:
            self._leave(own)  # first: whoever hears of a failure may ask again
            for future in own.values():
                future.set_exception(error)
            raise
        self._leave(own)
        # Last: whoever waits for others has done by then what they may wait for.
        more = self._from_others(elsewhere, frames, spread)
        return _DecodedFrames(frames, found.fetched + more, found.held | elsewhere.keys())  # perhaps from the disk

    def _leave(self, own: dict[FrameKey, Future[bytes | None]]) -> None:
        """Frames are no longer in work."""
        with self._lock:
            for key, future in own.items():
                if self._coming.get(key) is future:
                    del self._coming[key]

    def _from_others(
        self,
        elsewhere: dict[FrameKey, Future[bytes | None]],
        frames: dict[FrameKey, bytes | None],
        spread: Spread,
    ) -> list[tuple[FrameKey, bytes]]:
        """Add the frames that other threads have in work; gives those that had to be fetched after all."""
        left = set()
        for key, future in elsewhere.items():
            try:
                frames[key] = future.result()
            except CancelledRequestError:  # the other one gave up; this one has not
                left.add(key)
        if not left:
            return []
        more = self._frames(left, spread, by_cache=True)
        frames |= more.decoded
        return more.fetched

    def _decode(
        self, wanted: Sequence[FrameKey], frames: dict[FrameKey, bytes | None], spread: Spread, *, by_cache: bool
    ) -> _DecodedFrames:
        """Bring frames from the disk or the lake, decoded, to the others."""
        held = self._disk.get(wanted) if self._disk is not None and by_cache else {}
        fetch = [key for key in wanted if key not in held]
        if wanted:
            _LOG.debug("%d frames: %d from the disk cache, %d to fetch", len(wanted), len(held), len(fetch))
        came = dict(zip(fetch, self._bodies(fetch), strict=True))
        bodies = [(key, held[key] if key in held else came[key]) for key in wanted]
        shares = spread(_decoded_share, batches(bodies, lambda pair: pair[0][2], _TASK_BYTES))
        for (key, _), raw in zip(bodies, chain.from_iterable(shares), strict=True):
            frames[key] = raw
            if raw is not None:
                self._keep(key, raw)
        return _DecodedFrames(frames, [(key, body) for key, body in came.items() if body is not None], set(held))

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

    def _retire(self, groups: Sequence[FrameBlobs], *, for_good: bool) -> None:
        """Let frames of which all was wanted at once be the first to go: who reads on will not ask for them again.

        Who reads window after window, `for_good`, would else fill the memory with them.
        """
        with self._lock:
            for key, _, _, starts, sizes in groups:
                if key is None or key not in self._cache:
                    continue
                if len(self._cache[key]) != sum(dict(zip(starts, sizes, strict=True)).values()):
                    continue
                if for_good:
                    self._cached_bytes -= len(self._cache.pop(key))
                else:
                    self._cache.move_to_end(key, last=False)

    def _keep(self, key: FrameKey, raw: bytes) -> None:
        if len(raw) > MIB:  # one large blob: nobody else will ask for its frame
            return
        with self._lock:
            self._cached_bytes += len(raw) - len(self._cache.pop(key, b""))
            self._cache[key] = raw
            while self._cached_bytes > _CACHE_BYTES:
                self._cached_bytes -= len(self._cache.popitem(last=False)[1])


def _by_frame(blobs: Iterable[Blob]) -> list[FrameBlobs]:
    """Blobs as columns, frame by frame."""
    found: dict[FrameKey | None, tuple[list[int], list[Digest], list[int], list[int]]] = {}
    for place, (digest, size, hint) in enumerate(blobs):
        key, start = (None, 0) if hint is None else (hint[:3], hint[3])
        columns = found.get(key)
        if columns is None:
            columns = found[key] = [], [], [], []
        places, digests, starts, sizes = columns
        places.append(place)
        digests.append(digest)
        starts.append(start)
        sizes.append(size)
    return [FrameBlobs(key, *columns) for key, columns in found.items()]


def _size_of(group: FrameBlobs) -> int:
    return sum(group.sizes)


def _is_sane(key: FrameKey) -> bool:
    return frame.HEADER.size < key[2] <= MAX_FRAME_BYTES


def _proved(groups: Iterable[FrameBlobs], frames: Mapping[FrameKey, bytes | None]) -> list[list[bytes | None]]:
    """The bytes of each group's blobs, those that agree with their hashes."""
    found: list[list[bytes | None]] = []
    for group in groups:
        raw = None if group.frame is None else frames.get(group.frame)
        if raw is None:
            found.append([None] * len(group.places))
            continue
        read: list[bytes | None] = []
        for digest, start, size in zip(group.digests, group.starts, group.sizes, strict=True):
            data = raw if start == 0 and size == len(raw) else raw[start : start + size]
            read.append(data if blake3(data).digest() == digest else None)
        found.append(read)
    return found


def _decoded_share(share: Iterable[tuple[FrameKey, bytes | None]]) -> list[bytes | None]:
    return [_decoded(key, body) for key, body in share]


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
