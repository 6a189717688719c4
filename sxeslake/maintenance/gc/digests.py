"""Which blobs a member table needs, as arrays: an archive of 100,000 positions has half a million members."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.format.logentry import ArchiveAdded
from sxeslake.format.manifest import CHUNK
from sxeslake.vault.recipes import recipe_digests

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]


def blobs_of(table: pa.Table) -> U8:
    """The digests of all blobs that some rows name (n × 32), repeated as often as they are named."""
    whole = pc.and_(pc.and_(pc.invert(table["directory"]), pc.greater(table["size"], 0)), pc.is_null(table["chunks"]))
    alone = b"".join(table["blake3"].filter(whole).to_pylist())
    parts = b"".join(table["chunks"].drop_null().to_pylist())
    usable = len(parts) // CHUNK.size * CHUNK.size
    chunked = np.frombuffer(parts[:usable], np.uint8).reshape(-1, CHUNK.size)[:, :32]
    return np.concatenate((np.frombuffer(alone, np.uint8).reshape(-1, 32), chunked))


def needed_by(archive: ArchiveAdded, table: pa.Table) -> U8:
    """The digests of all that an archive version needs: the blobs of its members and of its recipe."""
    return np.concatenate((blobs_of(table), recipe_digests([archive])))


def keys_of(digests: U8) -> U64:
    """The first 8 bytes of each digest: enough to see that one is missing."""
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64).ravel()


def among(keys: U64, known: U64) -> npt.NDArray[np.bool_]:
    """Which of some keys are in a sorted array of them."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    found: npt.NDArray[np.bool_] = known[at] == keys
    return found
