"""What packs hold and what versions need, blob by blob, cut by digest into shards: one at a time is in memory.

Equal blobs fall into one shard, so each can be judged by itself. Rows that do not fit wait in a file without a name:
planning takes some `MEMORY_BYTES` for blobs, whatever their number, and 52 bytes of temporary disk for each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from sxeslake.closing import Closing
from sxeslake.format.pack import Footer
from sxeslake.model import MIB
from sxeslake.vault.local.database import no_room

MEMORY_BYTES: Final = 256 * MIB
"""What a plan takes for blobs, about; beside it some hundred bytes a pack, and 12 a version."""
_BYTES_A_BLOB: Final = 160  # of the shard in work: a row of 44, and the columns that are made of it
_BYTES_A_KEY: Final = 32
_WAITING: Final = 16  # of `MEMORY_BYTES`, the part that rows take before they go to the file

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NO_ROWS: Final = np.empty(0, np.int64)
_ROW: Final = np.dtype([("digest", np.uint8, 32), ("row", np.int64), ("share", np.float32)])
_HALF: Final = np.uint64(32)


def keys_of(digests: U8) -> U64:
    """The first 8 bytes of each digest; two that agree by chance only keep a blob alive."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8").ravel().astype(np.uint64)


def among(keys: npt.NDArray[Any], known: npt.NDArray[Any]) -> Bools:
    """Which of some values are in a sorted array."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.asarray(known[at] == keys)


def shards_for(held: int, needed: int, memory_bytes: int = MEMORY_BYTES) -> int:
    """Into how many shards so many blobs are cut."""
    return max(1, -(-(held * _BYTES_A_BLOB + needed * _BYTES_A_KEY) // memory_bytes))


class Spill(Closing):
    """Rows by shard; more than a few of them stand in a temporary file, in runs that are sorted by shard."""

    def __init__(self, dtype: npt.DTypeLike, shards: int, memory_bytes: int = MEMORY_BYTES) -> None:
        self.shards = shards
        self._dtype, self._most = np.dtype(dtype), max(1, memory_bytes // _WAITING)
        self._waiting: list[tuple[U32, npt.NDArray[Any]]] = []
        self._bytes = 0
        self._run: tuple[I64, npt.NDArray[Any]] | None = None  # the last one, which is in memory
        self._written: list[tuple[int, I64]] = []  # of each run in the file: its place, where its shards begin
        self._file: IO[bytes] | None = None

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()

    def add(self, keys: U64, rows: npt.NDArray[Any]) -> None:
        """Take rows, each with the key by which it is cut."""
        shard = ((keys >> _HALF) * np.uint64(self.shards)) >> _HALF
        self._waiting.append((shard.astype(np.uint32), rows))
        self._bytes += rows.nbytes + 4 * len(rows)
        if self._bytes >= self._most:
            self._gather()
            self._write()

    def shard(self, number: int) -> npt.NDArray[Any]:
        """The rows of one shard, in the order in which they came."""
        if self._waiting:
            self._write()
            self._gather()
        parts = [self._read(place, bounds[number], bounds[number + 1]) for place, bounds in self._written]
        if self._run is not None:
            bounds, rows = self._run
            parts.append(rows[bounds[number] : bounds[number + 1]])
        return np.concatenate(parts) if parts else np.empty(0, self._dtype)

    def _gather(self) -> None:
        shard = np.concatenate([part for part, _ in self._waiting])
        rows = np.concatenate([part for _, part in self._waiting])
        self._waiting, self._bytes = [], 0
        order = np.argsort(shard, kind="stable")
        self._run = np.searchsorted(shard[order], np.arange(self.shards + 1)).astype(np.int64), rows[order]

    def _write(self) -> None:
        if self._run is None:
            return
        bounds, rows = self._run
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="sxeslake-gc-")  # noqa: SIM115 - closed by `close`
            self._written.append((self._file.seek(0, 2), bounds))
            self._file.write(rows.tobytes())
            self._file.flush()
        except OSError as error:
            raise no_room(error) from error
        self._run = None

    def _read(self, place: int, start: int, end: int) -> npt.NDArray[Any]:
        assert self._file is not None
        size = self._dtype.itemsize
        self._file.seek(place + int(start) * size)
        return np.frombuffer(self._file.read(int(end - start) * size), self._dtype)


class Keys(Closing):
    """The keys of the blobs that some versions need, each once."""

    def __init__(self, shards: int = 1, memory_bytes: int = MEMORY_BYTES) -> None:
        self._spill = Spill(np.uint64, shards, memory_bytes)

    def add(self, keys: U64) -> None:
        """Take some keys."""
        if len(keys):
            self._spill.add(keys, keys)

    def shard(self, number: int) -> U64:
        """Those of one shard, sorted."""
        return np.unique(self._spill.shard(number))

    def close(self) -> None:
        """Remove what is on the disk."""
        self._spill.close()


@dataclass(slots=True)
class Shard:
    """Blobs whose digests are near each other: all copies of each of them, and the sorted keys of those needed."""

    digests: U8
    rows: I64  # the place of each among all that are held; rising
    pack: U32
    share: F32
    needed: U64

    @property
    def keys(self) -> U64:
        """The key of each."""
        return keys_of(self.digests)


class Holdings(Closing):
    """The blobs of some packs: where each stands, and its share of the pack's stored bytes."""

    def __init__(self, shards: int = 1, memory_bytes: int = MEMORY_BYTES) -> None:
        self.packs: list[str] = []
        self.kinds: list[str] = []
        self._starts, self._stored = [0], list[float]()
        self._spill = Spill(_ROW, shards, memory_bytes)

    def add(self, kind: str, footer: Footer) -> None:
        """Take what a pack holds, by its footer."""
        rows = np.empty(len(footer.digests), _ROW)
        rows["digest"], rows["share"] = footer.digests, shares(footer)
        rows["row"] = np.arange(self._starts[-1], self._starts[-1] + len(rows))
        self.packs.append(footer.pack_id)
        self.kinds.append(kind)
        self._starts.append(self._starts[-1] + len(rows))
        self._stored.append(float(rows["share"].sum(dtype=np.float64)))
        if len(rows):
            self._spill.add(keys_of(footer.digests), rows)

    @property
    def starts(self) -> I64:
        """Where each pack's blobs begin among all, and the end."""
        return np.asarray(self._starts, np.int64)

    @property
    def stored(self) -> F64:
        """The bytes of each pack's frames."""
        return np.asarray(self._stored, np.float64)

    def place_of(self, pack: int) -> slice:
        """Where the blobs of a pack, by its number, stand among all."""
        return slice(self._starts[pack], self._starts[pack + 1])

    def shards(self, needed: Keys) -> Iterator[Shard]:
        """All shards, one after the other."""
        starts = self.starts
        for number in range(self._spill.shards):
            found = self._spill.shard(number)
            rows = np.ascontiguousarray(found["row"])
            pack = (np.searchsorted(starts, rows, "right") - 1).astype(np.uint32)
            yield Shard(found["digest"], rows, pack, np.ascontiguousarray(found["share"]), needed.shard(number))

    def close(self) -> None:
        """Remove what is on the disk."""
        self._spill.close()


def gather(footers: Iterable[tuple[str, Footer]], shards: int = 1, memory_bytes: int = MEMORY_BYTES) -> Holdings:
    """What packs hold, by their footers, each with the kind of its pack."""
    held = Holdings(shards, memory_bytes)
    try:
        for kind, footer in footers:
            held.add(kind, footer)
    except BaseException:
        held.close()
        raise
    return held


def shares(footer: Footer) -> F32:
    """The stored bytes of each blob: its part of its frame, by raw size."""
    if not len(footer.sizes):
        return np.empty(0, np.float32)
    firsts = np.cumsum(footer.frame_blobs, dtype=np.int64) - footer.frame_blobs
    raw = np.maximum(np.add.reduceat(footer.sizes.astype(np.float64), firsts), 1)
    return (footer.sizes * np.repeat(footer.frame_lengths / raw, footer.frame_blobs)).astype(np.float32)
