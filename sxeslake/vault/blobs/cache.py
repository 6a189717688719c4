"""Frames that were fetched from a remote lake, kept on this machine: what was moved once is not moved again.

    <folder>/frames-2.sqlite    which frames are here: pack, offset → file, place, hash
    <folder>/<nonce>.frames     frames as they stand in their packs, one behind the other

Pack ids are never used twice, so a frame's place is an address of its bytes for ever. Every frame is held against its
hash as it is read, and whatever is wrong with the cache means that the lake is asked. Bounded: the files used longest
ago go first, but none that was used within the hour. A pull that is larger than the cache so keeps its beginning,
which is what it asks for first when it is taken up again; evicting that for its end would keep nothing of use. Where
the disk has no room or cannot be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from uuid import uuid4

from blake3 import blake3

from sxeslake.model import MIB
from sxeslake.vault.local import private
from sxeslake.vault.local.database import LocalDatabase

FrameKey = tuple[str, int, int]  # pack, offset, length

_FILE_BYTES = 32 * MIB
_FRESH_S = 3600.0
_SUFFIX = ".frames"
_LAYOUT = 2  # of the database; its name has it
_TABLES = """
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frames (
  pack TEXT NOT NULL, start INTEGER NOT NULL, length INTEGER NOT NULL, file TEXT NOT NULL, place INTEGER NOT NULL,
  digest BLOB NOT NULL, PRIMARY KEY (pack, start)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS frames_file ON frames (file);
"""
_GROWN = (
    "INSERT INTO files VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET bytes = bytes + excluded.bytes, "
    "used = excluded.used"
)
_TROUBLE = (sqlite3.Error, OSError)
"""Of a cache, none of which may spoil a read."""


class FrameCache:
    """Frames by their place in a pack; shared by all processes and threads that read the lake."""

    def __init__(self, folder: Path, limit_bytes: int, *, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._limit, self._clock = folder, limit_bytes, clock
        self._lock = threading.Lock()
        self._writing: tuple[str, int] | None = None  # the file that this process appends to, and its size
        self._touched: dict[str, float] = {}
        self._is_closed = False
        self._db = LocalDatabase(folder / f"frames-{_LAYOUT}.sqlite", _LAYOUT, _TABLES)
        with contextlib.suppress(*_TROUBLE):
            self._sweep()

    def close(self) -> None:
        """Release files; what is kept stays for the next process."""
        with self._lock, contextlib.suppress(*_TROUBLE):
            self._is_closed = True
            self._db.close()

    def get(self, wanted: Iterable[FrameKey]) -> dict[FrameKey, bytes]:
        """Those of some frames that are here and whole."""
        with self._lock:
            if not self._is_usable:
                return {}
            try:
                return self._get(wanted)
            except _TROUBLE:
                return {}

    def held(self, wanted: Iterable[FrameKey]) -> set[FrameKey]:
        """Those of some frames that are here, by their entries alone."""
        query = "SELECT 1 FROM frames WHERE pack = ? AND start = ? AND length = ?"
        with self._lock, contextlib.suppress(*_TROUBLE):
            return {key for key in wanted if self._db.select(query, key)} if self._is_usable else set()
        return set()

    def put(self, frames: Sequence[tuple[FrameKey, bytes]]) -> None:
        """Keep frames that have proved themselves, as far as there is room."""
        with self._lock, contextlib.suppress(*_TROUBLE):
            if self._is_usable and frames:
                self._put(frames)

    def drop(self, frames: Iterable[FrameKey]) -> None:
        """Forget frames that were not what they should be."""
        with self._lock, contextlib.suppress(*_TROUBLE):
            if self._is_usable:
                places = [(pack, start) for pack, start, _ in frames]
                with self._db.transaction() as db:
                    db.executemany("DELETE FROM frames WHERE pack = ? AND start = ?", places)

    @property
    def bytes_kept(self) -> int:
        """How much the files hold."""
        with self._lock:
            return self._bytes() if self._is_usable else 0

    @property
    def _is_usable(self) -> bool:
        return not self._is_closed and self._db.trouble is None

    def _bytes(self) -> int:
        return int(self._db.select("SELECT coalesce(sum(bytes), 0) FROM files")[0][0])

    def _get(self, wanted: Iterable[FrameKey]) -> dict[FrameKey, bytes]:
        places: dict[str, list[tuple[int, FrameKey, bytes]]] = {}
        for key in wanted:
            rows = self._db.select(
                "SELECT file, place, digest FROM frames WHERE pack = ? AND start = ? AND length = ?", key
            )
            for row in rows:
                places.setdefault(row[0], []).append((row[1], key, row[2]))
        found: dict[FrameKey, bytes] = {}
        for file, items in places.items():
            try:
                found |= self._read(file, sorted(items))
            except OSError:  # removed by hand, or by another process just now
                self._forget(file)
            else:
                self._touch(file)
        return found

    def _read(self, name: str, items: Sequence[tuple[int, FrameKey, bytes]]) -> dict[FrameKey, bytes]:
        found = {}
        with (self._folder / name).open("rb") as file:
            for place, key, digest in items:
                file.seek(place)
                data = file.read(key[2])
                if blake3(data).digest(length=16) == digest:
                    found[key] = data
        return found

    def _touch(self, file: str) -> None:
        now = self._clock()
        if now - self._touched.get(file, 0) > _FRESH_S / 60:  # to the minute is enough
            self._touched[file] = now
            with self._db.transaction() as db:
                db.execute("UPDATE files SET used = ? WHERE name = ?", (now, file))

    def _put(self, frames: Sequence[tuple[FrameKey, bytes]]) -> None:
        room = self._room(sum(len(data) for _, data in frames))
        rows: list[tuple[object, ...]] = []
        bodies: dict[str, list[bytes]] = {}
        for key, data in frames:
            room -= len(data)
            if room < 0:
                break
            name, place = self._next_place(len(data))
            rows.append((*key, name, place, blake3(data).digest(length=16)))
            bodies.setdefault(name, []).append(data)
        writing, self._writing = self._writing, None  # a file that a failure leaves odd is not gone on with
        for name, parts in bodies.items():
            with open(self._folder / name, "ab", opener=private.opener) as file:
                file.writelines(parts)
        now = self._clock()
        with self._db.transaction() as db:  # a place is told only when its bytes are there
            db.executemany("INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.executemany(_GROWN, [(name, sum(map(len, parts)), now) for name, parts in bodies.items()])
        self._writing = writing

    def _next_place(self, size: int) -> tuple[str, int]:
        """The file to append to, and where: a new file when the last is full, for what goes, goes by the file."""
        full = max(1, min(_FILE_BYTES, self._limit // 8))
        if self._writing is None or self._writing[1] + size > full:
            self._writing = f"{uuid4().hex}{_SUFFIX}", 0
        name, place = self._writing
        self._writing = name, place + size
        return name, place

    def _room(self, wanted: int) -> int:
        """Bytes that are free, after the files used longest ago went as far as that is needed and allowed."""
        free = self._limit - self._bytes()
        if free < wanted:
            old = self._clock() - _FRESH_S
            rows = self._db.select("SELECT name, bytes FROM files WHERE used < ? ORDER BY used", (old,))
            for name, size in rows:
                if free >= wanted:
                    break
                self._forget(name)
                free += size
        return free

    def _forget(self, file: str) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM frames WHERE file = ?", (file,))
            db.execute("DELETE FROM files WHERE name = ?", (file,))
        if self._writing is not None and self._writing[0] == file:
            self._writing = None
        (self._folder / file).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Remove files of processes that died before they told of them."""
        known = {name for (name,) in self._db.select("SELECT name FROM files")}
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path.name not in known and path.stat().st_mtime < self._clock() - _FRESH_S:
                path.unlink(missing_ok=True)
