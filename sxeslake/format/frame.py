"""A frame: the unit of encoding. Magic, lengths, checksum, head (pipeline and blob sizes), payload.

    offset  size  what
    0       4     magic `SXf1`
    4       4     u32 bytes of the head
    8       4     u32 bytes of the payload
    12      4     u32 raw bytes: the blobs of the frame, one after the other
    16      4     u32 number of blobs
    20      8     the first 8 bytes of BLAKE3 over bytes 4–19, head and payload
    28            head: u8 length of the pipeline, the pipeline in ASCII, u8 form of the sizes, sizes
                  (form 0: all blobs have the same size, nothing follows; form 1: zstd over u32 each)
                  payload: the raw bytes through the pipeline

Little-endian throughout. A frame knows no hashes: they are computed again from what it decodes to.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import zstandard
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.model import MIB

MAGIC = b"SXf1"
HEADER = struct.Struct("<4sIIII8s")
MAX_RAW_BYTES = 64 * MIB  # no frame decodes to more: bounds what a hostile lake can make a reader allocate
MAX_BLOBS = 65_536
# Most frames of a map hold a spectrum and what follows from it, of the same sizes each: a context of zstd, which takes
# 20 µs to make, is not needed again.
_FEW_BLOBS = 16
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame taken apart: pipeline, blob sizes, the still encoded payload."""

    pipeline: str
    sizes: tuple[int, ...]
    raw_bytes: int
    payload: memoryview


def seal(pipeline: str, sizes: Sequence[int], payload: bytes) -> bytes:
    """The bytes of a frame."""
    name = pipeline.encode("ascii")
    if len(name) > 255:
        raise DamagedLakeError(f"the pipeline {pipeline!r} is longer than 255 characters.")
    if not 0 < len(sizes) <= MAX_BLOBS or sum(sizes) > MAX_RAW_BYTES:
        raise DamagedLakeError(f"{len(sizes)} blobs of {sum(sizes)} bytes are not a frame that readers accept.")
    head = bytes([len(name)]) + name + _table(sizes)
    lengths = struct.pack("<IIII", len(head), len(payload), sum(sizes), len(sizes))
    return b"".join((MAGIC, lengths, _checksum(lengths, head, payload), head, payload))


def _table(sizes: Sequence[int]) -> bytes:
    """The form of the sizes, and they."""
    if len(set(sizes)) <= 1:
        return b"\0"
    return _packed(tuple(sizes)) if len(sizes) <= _FEW_BLOBS else _packed.__wrapped__(sizes)


@lru_cache(maxsize=_KEPT)
def _packed(sizes: Sequence[int]) -> bytes:
    return b"\1" + zstandard.compress(np.asarray(sizes, dtype="<u4").tobytes(), 9)


def _checksum(*parts: bytes | memoryview) -> bytes:
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return hasher.digest(length=8)


def length_at(data: bytes | memoryview, offset: int = 0) -> int | None:
    """The whole length of the frame that starts here; None where no frame can start."""
    if len(data) - offset < HEADER.size:
        return None
    magic, head, payload, raw, blobs, _ = HEADER.unpack_from(data, offset)
    if magic != MAGIC or raw > MAX_RAW_BYTES or not 0 < blobs <= MAX_BLOBS:
        return None
    return int(HEADER.size + head + payload)


def unseal(data: bytes | memoryview, *, where: str) -> Frame:
    """Take a frame apart after its checksum has been proved."""
    view = memoryview(data)
    if length_at(view) != len(view):
        raise DamagedLakeError("there is no frame here, or it is truncated.", where=where)
    _, head_bytes, _, raw, blobs, checksum = HEADER.unpack_from(view)
    head, payload = view[HEADER.size : HEADER.size + head_bytes], view[HEADER.size + head_bytes :]
    if _checksum(view[4:20], head, payload) != checksum:
        raise DamagedLakeError("a frame's checksum does not agree with its bytes.", where=where)
    try:
        name_end = 1 + head[0]
        pipeline = bytes(head[1:name_end]).decode("ascii")
        read = _sizes if blobs <= _FEW_BLOBS else _sizes.__wrapped__
        sizes = read(head[name_end], bytes(head[name_end + 1 :]), raw, blobs)
    except (IndexError, ValueError, zstandard.ZstdError) as error:
        raise DamagedLakeError(f"a frame's head cannot be read: {error}.", where=where) from error
    return Frame(pipeline, sizes, raw, payload)


@lru_cache(maxsize=_KEPT)
def _sizes(form: int, table: bytes, raw: int, blobs: int) -> tuple[int, ...]:
    if form == 0:
        if raw % blobs:
            raise ValueError("blobs of equal size do not fill it")
        return (raw // blobs,) * blobs
    if form != 1 or zstandard.frame_content_size(table) != 4 * blobs:
        raise ValueError("unknown form of sizes")
    sizes = np.frombuffer(zstandard.decompress(table, max_output_size=4 * blobs), "<u4")
    if int(sizes.sum(dtype=np.uint64)) != raw:
        raise ValueError("its sizes do not add up")
    return tuple(sizes.tolist())
