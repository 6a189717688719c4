"""A pack: frames one after the other, and a footer that says what is inside.

    header   8 bytes magic `SXPACK1\\n`, 16 bytes id
    frames   see `frame.py`
    hashes   32 bytes a blob, in the order in which the blobs stand in the frames
    table    zstd over u32 columns: length, blob count of each frame; then the size of each blob
    tail     u32 frames, u32 blobs, u32 bytes of the table, u64 offset of the hashes,
             BLAKE3 over header, hashes, table and these 20 bytes, magic `SXPKEND1`

The last `TAIL_BYTES` find the rest of the footer. The order is that of the frames, not of the hashes: nobody looks up
one blob in one footer (hints and the blob index do that), and so a blob costs its 32 bytes and nothing more.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import zstandard
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import frame
from sxeslake.format.keys import check_id

MAGIC = b"SXPACK1\n"
END_MAGIC = b"SXPKEND1"
HEADER_BYTES = 24
TAIL = struct.Struct("<IIIQ32s8s")
TAIL_BYTES = TAIL.size
MAX_BLOBS = 65_536

U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Footer:
    """What a pack holds: digests (n × 32 bytes) and, for each blob, where it stands."""

    pack_id: str
    digests: npt.NDArray[np.uint8]
    frame_offsets: U32
    frame_lengths: U32
    frame_blobs: U32
    sizes: U32

    @cached_property
    def _first_blobs(self) -> npt.NDArray[np.int64]:
        """The first blob of each frame, and one behind the last."""
        return np.concatenate(([0], np.cumsum(self.frame_blobs, dtype=np.int64)))

    def blobs_in(self, frame: int) -> slice:
        """The blobs of one frame."""
        return slice(int(self._first_blobs[frame]), int(self._first_blobs[frame + 1]))

    @property
    def raw_bytes(self) -> int:
        """All blobs, decoded."""
        return int(self.sizes.sum(dtype=np.uint64))

    def locations(self) -> tuple[U32, U32, U32]:
        """For each blob: offset and length of its frame in the pack, its own offset in the decoded frame."""
        offsets = np.repeat(self.frame_offsets, self.frame_blobs)
        lengths = np.repeat(self.frame_lengths, self.frame_blobs)
        ends = np.cumsum(self.sizes, dtype=np.uint64)
        starts = ends - self.sizes
        firsts = np.cumsum(self.frame_blobs) - self.frame_blobs
        inner = starts - np.repeat(starts[firsts], self.frame_blobs) if len(starts) else starts
        return offsets, lengths, inner.astype(np.uint32)


def header(pack_id: str) -> bytes:
    """The first bytes of a pack."""
    return MAGIC + bytes.fromhex(check_id(pack_id))


def footer(
    pack_id: str,
    digests: Sequence[bytes] | bytearray,
    frame_lengths: Sequence[int],
    frame_blobs: Sequence[int],
    sizes: Sequence[int],
) -> bytes:
    """The last bytes of a pack whose frames stand one after the other behind its header.

    `digests` one by one, or all in one.
    """
    columns = [np.asarray(column, dtype="<u4").tobytes() for column in (frame_lengths, frame_blobs, sizes)]
    table = zstandard.compress(b"".join(columns), 9)
    hashes = bytes(digests) if isinstance(digests, bytearray) else b"".join(digests)
    fields = struct.pack("<IIIQ", len(frame_lengths), len(sizes), len(table), HEADER_BYTES + sum(frame_lengths))
    return b"".join((hashes, table, fields, _digest(pack_id, hashes, table, fields), END_MAGIC))


def _digest(pack_id: str, *parts: bytes) -> bytes:
    hasher = blake3(header(pack_id))
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def footer_start(tail: bytes, size: int, *, where: str) -> int:
    """Where the footer of a pack of `size` bytes begins, from its last `TAIL_BYTES`."""
    try:
        frames, blobs, table, start, _, magic = TAIL.unpack(tail[-TAIL_BYTES:])
    except struct.error as error:
        raise DamagedLakeError("a pack's tail is cut short.", where=where) from error
    whole = start + 32 * blobs + table + TAIL_BYTES == size
    if magic != END_MAGIC or not whole or blobs > MAX_BLOBS or frames > blobs or table > 16 + 16 * (frames + blobs):
        raise DamagedLakeError("a pack's tail does not fit the pack.", where=where)
    return int(start)


def load_footer(pack_id: str, data: bytes, *, where: str) -> Footer:
    """Read a footer (the pack's bytes from `footer_start` on) after its hash has been proved."""
    frames, blobs, table_bytes, start, digest, _ = TAIL.unpack(data[-TAIL_BYTES:])
    hashes, table = data[: 32 * blobs], data[32 * blobs : -TAIL_BYTES]
    fields = data[-TAIL_BYTES : -TAIL_BYTES + 20]
    if len(table) != table_bytes or _digest(pack_id, hashes, table, fields) != digest:
        raise DamagedLakeError("a pack's footer does not agree with its hash.", where=where)
    try:
        if zstandard.frame_content_size(table) != 4 * (2 * frames + blobs):
            raise ValueError("wrong length")
        columns = np.frombuffer(zstandard.decompress(table, max_output_size=4 * (2 * frames + blobs)), "<u4")
        lengths, counts, sizes = columns[:frames], columns[frames : 2 * frames], columns[2 * frames :]
        ends = np.cumsum(lengths, dtype=np.uint64) + HEADER_BYTES
        end = int(ends[-1]) if frames else HEADER_BYTES
        if int(counts.sum(dtype=np.uint64)) != blobs or not counts.all() or end != start or start >= 2**32:
            raise ValueError("frames and blobs do not add up")
    except (ValueError, zstandard.ZstdError) as error:
        raise DamagedLakeError(f"a pack's footer cannot be read: {error}.", where=where) from error
    digests = np.frombuffer(hashes, np.uint8).reshape(blobs, 32)
    return Footer(pack_id, digests, (ends - lengths).astype(np.uint32), lengths, counts, sizes)


def scan(data: bytes | memoryview) -> Iterator[tuple[int, int]]:
    """Offsets and lengths of the frames that can be found in a pack whose footer is lost."""
    view, offset = memoryview(data), HEADER_BYTES
    whole = bytes(view)
    while 0 <= offset < len(view):
        length = frame.length_at(view, offset)
        if length is not None and offset + length <= len(view):
            yield offset, length
            offset += length
        else:
            offset = whole.find(frame.MAGIC, offset + 1)
