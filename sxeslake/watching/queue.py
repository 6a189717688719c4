"""The durable queue of a watcher: what it has seen, taken and failed to take, in SQLite in the state folder.

    <state>/watch/<16 hex digits of lake and folders>/queue.db, lock.db

It holds no content, and nothing in it is needed to keep a lake right: without it the watched folders are looked at from
the beginning, and what the lake has is told by its bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

from sxeslake.errors import ReadOnlyError
from sxeslake.vault.local import private
from sxeslake.watching import clock
from sxeslake.watching.plan import Kind, Signature, State, WatchedItem, after_restart

_LOG = logging.getLogger(__name__)

QUEUE: Final = "queue.db"
LOCK: Final = "lock.db"

_VERSION: Final = 1
_WAIT_S: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (
    folder INTEGER NOT NULL, path BLOB NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, signature TEXT NOT NULL,
    still_since REAL NOT NULL, inode_changes INTEGER NOT NULL, taken TEXT, attempts INTEGER NOT NULL,
    retry_at REAL NOT NULL, reason TEXT, sample TEXT, version INTEGER, is_unwatched INTEGER NOT NULL,
    changed_at TEXT NOT NULL, PRIMARY KEY (folder, path)
) WITHOUT ROWID;
"""
_COLUMNS: Final = (
    "kind, state, signature, still_since, inode_changes, taken, attempts, retry_at, reason, sample, version, "
    "is_unwatched"
)


def place_of(state_dir: Path, lake: str, folders: Sequence[Path]) -> Path:
    """The folder of the queue for a lake and a set of folders."""
    words = "\0".join([lake, *sorted(os.fspath(folder) for folder in folders)])
    return state_dir / "watch" / hashlib.sha256(os.fsencode(words)).hexdigest()[:16]


def places(state_dir: Path) -> list[Path]:
    """The folders of all queues."""
    return sorted(path.parent for path in (state_dir / "watch").glob(f"*/{QUEUE}"))


class Queue:
    """One queue. Every method that writes is one transaction."""

    def __init__(self, place: Path, connection: sqlite3.Connection) -> None:
        self.place = place
        self._connection = connection

    @classmethod
    def open(cls, place: Path, lake: str, folders: Sequence[Path]) -> Queue:
        """Open a queue, or make it. One that is damaged is put aside and begun again.

        Call it while the lock is held. ReadOnlyError where a later version of sxeslake made it.
        """
        private.make_folder(place)
        path = place / QUEUE
        try:
            return cls(place, _opened(path, lake, folders))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = path.with_name(f"{QUEUE}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
            path.replace(aside)
            path.with_name(f"{QUEUE}-journal").unlink(missing_ok=True)
            _LOG.warning("the queue is damaged (%s): it is kept as %s, and begun again", error, aside)
            return cls(place, _opened(path, lake, folders))

    @classmethod
    def read(cls, place: Path) -> Queue:
        """A queue as it is, to be read only."""
        uri = f"{(place / QUEUE).absolute().as_uri()}?mode=ro"
        return cls(place, sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None))

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def facts(self) -> dict[str, Any]:
        """What is kept of the watcher and its rounds."""
        return {name: json.loads(value) for name, value in self._connection.execute("SELECT name, value FROM facts")}

    def keep(self, **facts: object) -> None:
        """Keep facts under their names."""
        with self._writing() as connection:
            _keep(connection, facts)

    def items(self, folder: int) -> dict[str, WatchedItem]:
        """The items of the folder of that number, by relative path."""
        rows = self._connection.execute(f"SELECT path, {_COLUMNS} FROM items WHERE folder = ?", (folder,))
        return {os.fsdecode(path): _item(row) for path, *row in rows}

    def put(self, folder: int, items: Mapping[str, WatchedItem]) -> None:
        """Write items over those that were there."""
        if not items:
            return
        at = _instant()
        with self._writing() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO items (folder, path, {_COLUMNS}, changed_at) VALUES ({', '.join('?' * 15)})",
                [(folder, os.fsencode(path), *_row(item), at) for path, item in items.items()],
            )

    def changed_at(self, folder: int) -> dict[str, str]:
        """When each item of a folder was written last, UTC."""
        rows = self._connection.execute("SELECT path, changed_at FROM items WHERE folder = ?", (folder,))
        return {os.fsdecode(path): at for path, at in rows}

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _opened(path: Path, lake: str, folders: Sequence[Path]) -> sqlite3.Connection:
    private.make_file(path)
    connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise ReadOnlyError(
                f"a later version of sxeslake made this queue (its version is {version}, this one knows {_VERSION}).",
                where=path, hint="Use that version, or move the folder of the queue away to begin again.",
            )  # fmt: skip
        if connection.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its structure is inconsistent")
        present = clock.boot()
        connection.execute("BEGIN IMMEDIATE")
        if not version:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        before = connection.execute("SELECT value FROM facts WHERE name = 'boot'").fetchone()
        if not clock.is_same_boot(None if before is None else json.loads(before[0]), present):
            now = clock.now()
            for folder, name, *row in connection.execute(f"SELECT folder, path, {_COLUMNS} FROM items").fetchall():
                item = after_restart(_item(row), now)
                connection.execute(
                    "UPDATE items SET still_since = ?, retry_at = ? WHERE folder = ? AND path = ?",
                    (item.still_since, item.retry_at, folder, name),
                )
        _keep(connection, {"boot": present, "lake": lake, "folders": [os.fspath(folder) for folder in folders]})
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _keep(connection: sqlite3.Connection, facts: Mapping[str, object]) -> None:
    rows = [(name, json.dumps(value)) for name, value in facts.items()]
    connection.executemany("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", rows)


def _row(item: WatchedItem) -> tuple[object, ...]:
    taken = None if item.taken is None else item.taken.text()
    reason = None if item.reason is None else item.reason.encode("utf-8", "backslashreplace").decode()
    return (
        item.kind, item.state, item.signature.text(), item.still_since, item.inode_changes, taken, item.attempts,
        item.retry_at, reason, item.sample, item.version, item.is_unwatched,
    )  # fmt: skip


def _item(row: Sequence[Any]) -> WatchedItem:
    kind, state, signature, still_since, inode_changes, taken, attempts, retry_at, reason, sample, version, out = row
    return WatchedItem(
        cast("Kind", kind), Signature.parse(signature), cast("State", state), still_since, inode_changes,
        None if taken is None else Signature.parse(taken), attempts, retry_at, reason, sample, version, bool(out),
    )  # fmt: skip


def _instant() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
