"""Proving blobs: their frames read from the bucket, decoded and hashed, a bounded part of a pack in memory.

No cache is asked: whoever drops a copy, or builds on one, must know what the bucket holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake import codecs
from sxeslake.batching import batches
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import frame, keys
from sxeslake.format.pack import Footer
from sxeslake.machine.concurrency import in_order
from sxeslake.model import MIB
from sxeslake.storage import Store

_READ_BYTES = 8 * MIB  # of a pack, at once

Bools = npt.NDArray[np.bool_]
Advance = Callable[[int], None]


class FramePlace(NamedTuple):
    """A frame of a pack: its place, and its blobs in the footer."""

    offset: int
    length: int
    blobs: slice


def frames_with(footer: Footer, wanted: Bools) -> Iterator[FramePlace]:
    """The frames that hold any of the blobs that are wanted."""
    ends = np.cumsum(footer.frame_blobs, dtype=np.int64)
    starts = ends - footer.frame_blobs
    kept = np.add.reduceat(wanted.astype(np.int64), starts) if len(starts) else starts
    for number in np.flatnonzero(kept).tolist():
        blobs = slice(int(starts[number]), int(ends[number]))
        yield FramePlace(int(footer.frame_offsets[number]), int(footer.frame_lengths[number]), blobs)


def runs(frames: Iterable[FramePlace]) -> Iterator[list[FramePlace]]:
    """Frames that are read at once."""
    return batches(frames, lambda frame: frame.length, _READ_BYTES)


def good_blobs(store: Store, footer: Footer, wanted: Bools, threads: int, advance: Advance) -> Bools:
    """Which of the blobs that are wanted can be had from a pack, byte for byte; `advance` is told of bytes read."""
    good = np.zeros(len(footer.digests), np.bool_)
    jobs = (_job(store, footer, run) for run in runs(frames_with(footer, wanted)))
    results = in_order(jobs, threads=threads, in_flight=threads + 1)
    try:
        for run, masks in results:
            for item, mask in zip(run, masks, strict=True):
                good[item.blobs] = mask
            advance(sum(item.length for item in run))
    finally:
        results.close()
    return good & wanted


def _job(
    store: Store, footer: Footer, run: Sequence[FramePlace]
) -> Callable[[], tuple[Sequence[FramePlace], list[Bools]]]:
    key = keys.pack_key(footer.pack_id)

    def job() -> tuple[Sequence[FramePlace], list[Bools]]:
        masks = [_mask(footer, item, body, key) for item, body in zip(run, _bodies(store, key, run), strict=True)]
        for number, item in enumerate(run):
            if not masks[number].all():  # once more: what was wrong on its way here is not wrong in the bucket
                masks[number] |= _mask(footer, item, _bodies(store, key, [item])[0], key)
        return run, masks

    return job


def _bodies(store: Store, key: str, run: Sequence[FramePlace]) -> Sequence[bytes]:
    try:
        return store.get_ranges([(key, item.offset, item.offset + item.length) for item in run])
    except (DamagedLakeError, ObjectNotFoundError):
        return [b""] if len(run) == 1 else [_bodies(store, key, [item])[0] for item in run]


def _mask(footer: Footer, item: FramePlace, body: bytes, key: str) -> Bools:
    wrong = check_frame(body, footer, item.blobs, key)
    bad = set() if wrong is None else set(wrong[1])
    return np.asarray([digest.tobytes() not in bad for digest in footer.digests[item.blobs]], np.bool_)


def check_frame(body: bytes | memoryview, footer: Footer, blobs: slice, key: str) -> tuple[str, list[bytes]] | None:
    """Decode a frame and hash its blobs: what is wrong, and with which."""
    wanted = [digest.tobytes() for digest in footer.digests[blobs]]
    try:
        found = frame.unseal(body, where=key)
        raw = memoryview(codecs.decode(found.pipeline, found.payload, found.raw_bytes))
    except DamagedLakeError as error:
        return error.what.rstrip("."), wanted
    if list(found.sizes) != footer.sizes[blobs].tolist():
        return "its sizes are not those of the footer", wanted
    bad, at = [], 0
    for digest, size in zip(wanted, found.sizes, strict=True):
        if blake3(raw[at : at + size]).digest() != digest:
            bad.append(digest)
        at += size
    return (f"{len(bad)} blobs do not agree with their hash", bad) if bad else None
