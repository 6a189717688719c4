"""What a transfer will cost before it begins: the frames that hold the wanted members, and the requests for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sxeslake.format import keys
from sxeslake.format.manifest import CHUNK
from sxeslake.model import KIB, MIB
from sxeslake.storage import coalesce

_GAP_BYTES = 64 * KIB  # as storage coalesces over a network
_MOST_BYTES = 8 * MIB

Frames = set[tuple[str, int, int]]  # pack, offset, length


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that come over the wire, gaps between frames included, and in how many requests; an estimate."""

    bytes_fetch: int
    requests: int


def frames_of(table: pa.Table, packs: Sequence[str]) -> Frames:
    """The frames that some manifest rows need, each once."""
    single = table.select(["pack", "frame_offset", "frame_length"]).drop_null()
    distinct = single.group_by(["pack", "frame_offset", "frame_length"]).aggregate([])
    columns = (distinct[name].to_pylist() for name in ("pack", "frame_offset", "frame_length"))
    found = {(packs[pack], offset, length) for pack, offset, length in zip(*columns, strict=True)}
    for packed in table["chunks"].drop_null().to_pylist():
        found |= {(packs[pack], offset, length) for _, _, pack, offset, length, _, _ in CHUNK.iter_unpack(packed)}
    return found


def cost_of(frames: Iterable[tuple[str, int, int]]) -> Cost:
    """What fetching some frames costs."""
    ranges = [(keys.pack_key(pack), offset, offset + length) for pack, offset, length in frames]
    fetches = coalesce.plan(ranges, max_gap=_GAP_BYTES, max_size=_MOST_BYTES)
    return Cost(sum(fetch.end - fetch.start for fetch in fetches), len(fetches))
