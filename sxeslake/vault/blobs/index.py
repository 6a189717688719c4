"""The blob index: which blobs the lake holds, and where. Sorted segments in files, mapped, merged as they pile up.

A segment is three runs of one file: the first 8 bytes of each digest as a sorted native u64 (what is searched), the
other 24 bytes, and five u32: pack ordinal, frame offset, frame length, blob offset, size. 52 bytes a blob; never a
Python dict of the lake. Derived from pack footers; a missed blob is only stored twice, never lost.

A database beside the segments names them with their hashes, and the pack of each ordinal. An ordinal is used once: what
another process still has in memory stays right. A segment that does not give its hash is dropped, and its packs are
indexed again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake.format.keys import new_id
from sxeslake.format.manifest import Blob, Hint
from sxeslake.format.pack import Footer
from sxeslake.model import Digest
from sxeslake.vault.local import private
from sxeslake.vault.local.database import LocalDatabase, no_room
from sxeslake.vault.local.proofs import Proofs

_LOG = logging.getLogger(__name__)

LAYOUT = 2  # of the database and the segments; the cache folder's name has it
_TABLES = """
CREATE TABLE IF NOT EXISTS segments (file TEXT PRIMARY KEY, rows INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS indexed (ordinal INTEGER PRIMARY KEY, pack TEXT UNIQUE, file TEXT NOT NULL);
"""
_MERGE_AT = 12  # segments: more of them make every look-up slower, fewer make every commit dearer
_MAGIC = b"SXIDX001"
_SLICE = 1 << 20  # rows moved at once in a merge, about

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Live = AbstractSet[str] | Callable[[Sequence[str]], set[str]] | None
"""Which packs count: a set, or a function that tells which of some do."""


class IndexRows(NamedTuple):
    """Blobs and where they stand: digests (n × 32) and places (n × 5), see above."""

    digests: U8
    places: U32


def rows_of(footer: Footer, ordinal: int) -> IndexRows:
    """A pack's footer as index rows."""
    offsets, lengths, inner = footer.locations()
    packs = np.full(len(offsets), ordinal, np.uint32)
    return IndexRows(footer.digests, np.column_stack((packs, offsets, lengths, inner, footer.sizes)).astype(np.uint32))


def _keys(digests: U8) -> U64:
    return np.ascontiguousarray(digests[:, :8]).view(">u8").ravel().astype(np.uint64)


class IndexRun:
    """One sorted file of the index."""

    def __init__(self, path: Path) -> None:
        data = np.memmap(path, np.uint8, mode="r")
        count = int(data[8:16].view(np.uint64)[0]) if len(data) >= 16 else -1
        if bytes(data[:8]) != _MAGIC or len(data) != 16 + 52 * count:
            raise ValueError(f"{path} is not a segment")
        self.path, self.rows = path, count
        self.keys: U64 = data[16 : 16 + 8 * count].view(np.uint64)
        self.rest: U8 = data[16 + 8 * count : 16 + 32 * count].reshape(count, 24)
        self.places: U32 = data[16 + 32 * count :].view(np.uint32).reshape(count, 5)

    def find(self, wanted: U8) -> tuple[npt.NDArray[np.intp], U32]:
        """Of n digests (n × 32): indexes of those that are here, and their places; one digest can be found often."""
        keys = _keys(wanted)
        first = np.searchsorted(self.keys, keys, "left")
        last = np.searchsorted(self.keys, keys, "right")
        counts = last - first
        asked = np.repeat(np.arange(len(wanted)), counts)
        if not len(asked):
            return asked, np.empty((0, 5), np.uint32)
        ends = np.cumsum(counts)
        at = np.arange(len(asked)) - np.repeat(ends - counts, counts) + np.repeat(first, counts)
        same = (self.rest[at] == wanted[asked, 8:]).all(axis=1)
        return asked[same], np.asarray(self.places[at[same]])


def write_segment(path: Path, parts: Sequence[IndexRows | IndexRun]) -> tuple[int, str]:
    """Write parts as one sorted segment, a bounded number of rows at once; how many rows it has, and its hash."""
    columns = [_IndexColumns.of(part) for part in parts]
    count = sum(len(part.keys) for part in columns)
    cuts = _cuts(columns, max(1, -(-count // _SLICE)))
    temporary = path.with_name(f".tmp-{path.name}")
    hasher = blake3()
    try:
        with open(temporary, "wb", opener=private.opener) as file:

            def write(data: bytes) -> None:
                hasher.update(data)
                file.write(data)

            write(_MAGIC + np.uint64(count).tobytes())
            for first, end in pairwise(cuts):
                write(np.sort(_joined(columns, first, end, "keys")).tobytes())
            for name in ("rest", "places"):
                for first, end in pairwise(cuts):
                    order = np.argsort(_joined(columns, first, end, "keys"), kind="stable")
                    write(_joined(columns, first, end, name)[order].tobytes())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count, hasher.hexdigest()


class _IndexColumns(NamedTuple):
    """Rows of the index in the order of their keys."""

    keys: U64
    rest: U8
    places: U32

    @classmethod
    def of(cls, part: IndexRows | IndexRun) -> _IndexColumns:
        if isinstance(part, IndexRun):
            return cls(part.keys, part.rest, part.places)
        keys = _keys(part.digests)
        order = np.argsort(keys, kind="stable")
        return cls(keys[order], part.digests[order, 8:], part.places[order])


def _cuts(columns: Sequence[_IndexColumns], slices: int) -> list[list[int]]:
    """Where each part is cut so that the slices have keys of their own; digests are spread evenly, and so are those."""
    bounds = np.array([(number << 64) // slices for number in range(1, slices)], np.uint64)
    inner = [np.searchsorted(part.keys, bounds) for part in columns]
    return [
        [0] * len(columns),
        *([int(places[number]) for places in inner] for number in range(slices - 1)),
        [len(part.keys) for part in columns],
    ]


def _joined(columns: Sequence[_IndexColumns], first: Sequence[int], end: Sequence[int], name: str) -> npt.NDArray[Any]:
    """One column of a slice, part after part."""
    return np.concatenate(
        [getattr(part, name)[start:stop] for part, start, stop in zip(columns, first, end, strict=True)]
    )


class BlobIndex:
    """Look-up and upkeep of the local index of one lake; shared by processes through its database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db = LocalDatabase(folder / "index.sqlite", LAYOUT, _TABLES)
        self._proofs = Proofs(folder / "proved.json")
        self._spare: TemporaryDirectory[str] | None = None  # for segments that do not go into the cache
        self._segments: dict[str, IndexRun] = {}
        self._packs: dict[int, str] = {}

    @property
    def trouble(self) -> str | None:
        """Why the index is not in the cache."""
        return self._db.trouble

    def close(self) -> None:
        """Close the files."""
        self._segments.clear()
        self._db.close()
        if self._spare is not None:
            self._spare.cleanup()

    def _reload(self) -> list[IndexRun]:
        hashes = dict(self._db.select("SELECT file, hash FROM segments"))
        for gone in self._segments.keys() - hashes.keys():
            del self._segments[gone]
        for file in hashes.keys() - self._segments.keys():
            try:
                self._segments[file] = self._proved(file, hashes[file])
            except (OSError, ValueError):  # a damaged or vanished cache file: its packs are indexed again
                self._drop(file)
        known = len(self._packs), max(self._packs, default=None)
        counted = "SELECT count(*), max(ordinal) FROM indexed WHERE pack IS NOT NULL"
        if known != self._db.select(counted)[0]:
            self._packs = dict(self._db.select("SELECT ordinal, pack FROM indexed WHERE pack IS NOT NULL"))
        return list(self._segments.values())

    def _proved(self, file: str, digest: str) -> IndexRun:
        path = self._place(file)
        if not self._proofs.holds(file, [path]):
            if blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest() != digest:
                raise ValueError(f"{path} does not agree with its hash")
            self._proofs.note({file: [path]})
        return IndexRun(path)

    def _place(self, file: str) -> Path:
        spare = None if self._spare is None else Path(self._spare.name) / file
        return spare if spare is not None and spare.exists() else self._folder / file

    def _drop(self, file: str) -> None:
        def action() -> None:
            with self._db.transaction() as db:
                db.execute("DELETE FROM segments WHERE file = ?", (file,))
                db.execute("UPDATE indexed SET pack = NULL, file = '' WHERE file = ?", (file,))

        self._db.surely(action)

    def clear(self) -> None:
        """Forget everything; packs say it all again."""
        files = [file for (file,) in self._db.select("SELECT file FROM segments")]
        for file in files:
            self._drop(file)
        self._reload()
        for file in files:
            self._remove(file)

    def missing(self, pack_ids: Iterable[str]) -> list[str]:
        """Those packs whose blobs are not in the index yet."""
        self._reload()
        known = set(self._packs.values())
        return [pack for pack in pack_ids if pack not in known]

    def add(self, footers: Sequence[Footer]) -> None:
        """Index the blobs of some packs."""
        missing = set(self.missing([footer.pack_id for footer in footers]))
        fresh = [footer for footer in footers if footer.pack_id in missing]
        if fresh:
            self._write(lambda: self._add(fresh))
            self._write(self._merge)

    def _write(self, action: Callable[[], None]) -> None:
        """Do what writes; beside the cache, where that has no room or cannot be written."""
        try:
            self._db.surely(action)
        except OSError as error:
            if self._spare is not None:
                raise no_room(error) from error
            self._db.leave(str(error))  # first: other processes must not be told of segments that they cannot read
            self._db.surely(action)

    def _new_place(self, file: str) -> Path:
        if self._db.trouble is None:
            return self._folder / file
        if self._spare is None:
            try:
                self._spare = TemporaryDirectory(prefix="sxeslake-index-", ignore_cleanup_errors=True)
            except OSError as error:
                raise no_room(error) from error
        return Path(self._spare.name) / file

    def _add(self, footers: Sequence[Footer]) -> None:
        file = f"{new_id()}.seg"
        with self._db.transaction() as db:
            first = (db.execute("SELECT max(ordinal) FROM indexed").fetchone()[0] or 0) + 1
            rows = [rows_of(footer, first + number) for number, footer in enumerate(footers)]
            count, digest = write_segment(self._new_place(file), rows)
            _LOG.debug("%d blobs of %d packs indexed", count, len(footers))
            db.execute("INSERT INTO segments VALUES (?, ?, ?)", (file, count, digest))
            packs = [(first + number, footer.pack_id, file) for number, footer in enumerate(footers)]
            db.executemany("INSERT OR REPLACE INTO indexed VALUES (?, ?, ?)", packs)

    def _merge(self) -> None:
        """Merge the smaller segments into one when there are too many: each row moves a few times in its life."""
        segments = sorted(self._reload(), key=lambda segment: segment.rows)
        if len(segments) < _MERGE_AT:
            return
        small = segments[: _MERGE_AT - 2]
        while len(small) < len(segments) and segments[len(small)].rows <= 2 * sum(s.rows for s in small):
            small.append(segments[len(small)])
        file = f"{new_id()}.seg"
        old = [segment.path.name for segment in small]
        with self._db.transaction() as db:
            marks = ",".join("?" * len(old))
            present = db.execute(f"SELECT count(*) FROM segments WHERE file IN ({marks})", old).fetchone()[0]
            if present != len(old):  # another process merged them just now
                return
            count, digest = write_segment(self._new_place(file), small)
            _LOG.debug("%d segments of the blob index merged into one of %d rows", len(old), count)
            db.execute(f"DELETE FROM segments WHERE file IN ({marks})", old)
            db.execute("INSERT INTO segments VALUES (?, ?, ?)", (file, count, digest))
            db.execute(f"UPDATE indexed SET file = ? WHERE file IN ({marks})", (file, *old))
        self._reload()
        for name in old:
            self._remove(name)

    def _remove(self, file: str) -> None:
        """Remove a segment that does not count any more; not one of the cache that others may still count on."""
        place = self._place(file)
        if self._db.trouble is None or place.parent != self._folder:
            with suppress(OSError):
                place.unlink()

    def find(self, digests: Sequence[Digest], *, live: Live = None) -> dict[Digest, Blob]:
        """Where some blobs stand, of those that the lake holds; only in packs that are `live`.

        `live` is a set, or is asked once which packs of some are; a blob in a dead pack can stand in a living one too.
        """
        return {blob.digest: blob for blob in self._placed(digests, live)}

    def find_all(self, digests: Sequence[Digest], *, live: Live = None) -> dict[Digest, list[Blob]]:
        """As `find`, with every place where a blob stands: two writers at once store it twice."""
        found: dict[Digest, list[Blob]] = {}
        for blob in self._placed(digests, live):
            found.setdefault(blob.digest, []).append(blob)
        return found

    def _placed(self, digests: Sequence[Digest], live: Live) -> Iterator[Blob]:
        if not digests:
            return
        wanted = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
        hits = [segment.find(wanted) for segment in self._reload()]
        ordinals = {ordinal for _, places in hits for ordinal in np.unique(places[:, 0]).tolist()}
        packs = {ordinal: self._packs[ordinal] for ordinal in ordinals if ordinal in self._packs}
        if live is not None:
            living = live(sorted(packs.values())) if callable(live) else live
            packs = {ordinal: pack for ordinal, pack in packs.items() if pack in living}
        for asked, places in hits:
            for number, (ordinal, offset, length, inner, size) in zip(asked.tolist(), places.tolist(), strict=True):
                if ordinal in packs:
                    yield Blob(digests[number], size, Hint(packs[ordinal], offset, length, inner))
