"""What a transfer costs before it begins: the requests that reading some rows makes, and their bytes.

The rows are planned as `vault/blobs/contents` reads them: window by window, each with the requests of the store,
without the frames that are in a cache or came with a window before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sxeslake.format import keys
from sxeslake.format.manifest import CHUNK
from sxeslake.storage import fetches_of
from sxeslake.vault.blobs.cache import FrameKey
from sxeslake.vault.blobs.contents import WINDOW_BLOBS
from sxeslake.vault.packs.kinds import WINDOW_BYTES
from sxeslake.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes that come over the wire, gaps between frames included, and in how many requests.

    An estimate: blobs that a garbage collection is moving are counted where they were.
    """

    bytes_fetch: int
    requests: int


def cost_of(vault: Vault, tables: Iterable[tuple[pa.Table, Sequence[str]]]) -> Cost:
    """What reading the blobs of some manifest rows costs, in their order; with each table the packs of its manifest."""
    seen: set[FrameKey] = set()
    total = requests = 0
    for table, packs in tables:
        for window in _windows(table, packs):
            new = window - seen
            seen |= new
            wanted = sorted(new - vault.blobs.held(new))
            ranges = [(keys.pack_key(pack), offset, offset + length) for pack, offset, length in wanted]
            fetches = fetches_of(vault.store, ranges)
            total += sum(fetch.end - fetch.start for fetch in fetches)
            requests += len(fetches)
    return Cost(total, requests)


def _windows(table: pa.Table, packs: Sequence[str]) -> Iterator[set[FrameKey]]:
    """The frames of each window that is read at once."""
    sizes, places = _blobs(table)
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + WINDOW_BYTES, "right"))
        end = max(start + 1, min(fitting, start + WINDOW_BLOBS))
        distinct = np.unique(places[start:end], axis=0).tolist()
        yield {(packs[pack], offset, length) for pack, offset, length in distinct}
        start = end


def _blobs(table: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sizes of the blobs, and pack, offset and length of the frame of each, in the order of the rows."""
    at = np.flatnonzero(table["pack"].is_valid().to_numpy())
    single = table.select(["pack", "frame_offset", "frame_length", "size"]).take(at)
    pack, offset, length, size = (column.to_numpy().astype(np.int64) for column in single.columns)
    sizes, places = [size], [np.stack([pack, offset, length], axis=1)]
    rows = [at]
    chunked = np.flatnonzero(table["chunks"].is_valid().to_numpy())
    for row, packed in zip(chunked.tolist(), table["chunks"].take(chunked).to_pylist(), strict=True):
        parts = np.array([(part[1], *part[2:5]) for part in CHUNK.iter_unpack(packed)], np.int64).reshape(-1, 4)
        sizes.append(parts[:, 0])
        places.append(parts[:, 1:])
        rows.append(np.full(len(parts), row))
    order = np.argsort(np.concatenate(rows), kind="stable")
    return np.concatenate(sizes)[order], np.concatenate(places)[order]
