"""A cache in an SQLite file, shared by processes: proved when it is opened, and never a reason for a command to fail.

A digest over all rows stands in the database; each transaction that changes rows changes it, too. Opening the file
compares the rows with the digest, and SQLite's own structure with itself. A file that does not pass (a power cut mixed
pages of two commits, a disk gave back garbage, somebody deleted a row) is replaced by an empty one. Where the disk is
full or cannot be written, a temporary database takes the file's place, and `trouble` says why.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from blake3 import blake3

from sxeslake.errors import StorageError
from sxeslake.vault.local import private
from sxeslake.vault.local.proofs import SMALL_BYTES, Proofs

_LOG = logging.getLogger(__name__)

if sys.platform != "win32":
    import fcntl

_MODULUS: Final = 1 << 256
_IN_MEMORY_KIB: Final = 64 * 1024  # of a temporary database
_META: Final = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
_DISK: Final = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOLFS,
}  # fmt: skip
_DAMAGE: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

T = TypeVar("T")


def row_digest(table: str, values: Sequence[object]) -> int:
    """The hash of a row, as a number: the digest of a database is the sum over its rows, in whatever order."""
    parts = [table.encode()]
    for value in values:
        part = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        parts += [f"|{type(value).__name__} {len(part)} ".encode(), part]
    return int.from_bytes(blake3(b"".join(parts)).digest(), "big")


class LocalDatabase:
    """Tables in a file, or in a temporary database where `path` is None."""

    def __init__(self, path: Path | None, layout: int, tables: str) -> None:
        """`layout` and `tables` say what the file must look like; one that looks otherwise is replaced."""
        self.trouble: str | None = None  # why the file is not used
        self.was_damaged = False
        self.refill: Callable[[], None] | None = None  # brings back what a file had that was damaged while in use
        self._path, self._layout, self._tables = path, str(layout), tables
        self._lock = threading.RLock()
        self._change = 0
        self._holder: int | None = None
        self._is_closed = False
        self._proved_version = -1  # what `_version` was when the file was proved
        self._db = self._opened()

    def close(self) -> None:
        """Close the file; if it is large and nobody else wrote to it, note that it need not be proved again."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            is_ours = self._path is not None and self._is_ours(self._db)
            self._db.close()
            if is_ours and self._path is not None:
                self._proofs(self._path).note({self._path.name: _files(self._path)})
            self._let_go()

    def _is_ours(self, db: sqlite3.Connection) -> bool:
        """Whether nobody else has written since the file was proved."""
        try:
            return self._version(db) == self._proved_version
        except sqlite3.Error:
            return False

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, alone among threads and processes."""
        with self._lock:
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            self._change = 0
            try:
                yield db
                if self._change:
                    self._write_digest(db, (self._digest(db) + self._change) % _MODULUS)
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a failed COMMIT can have ended the transaction
                    db.execute("ROLLBACK")
                raise

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a query. A text that is no text, as a shell may pass one, equals nothing."""
        bound = [_bindable(value) for value in values]
        return self.surely(lambda: self._db.execute(sql, bound).fetchall())

    def surely(self, action: Callable[[], T]) -> T:
        """The result of an action; begun again in a temporary database where the file's disk fails, or the file."""
        with self._lock:
            try:
                return action()
            except sqlite3.DatabaseError as error:
                if self._path is None and _code(error) in _DISK:
                    raise no_room(error) from error
                if self._path is None or self._db.in_transaction or not _is_of_the_file(error):
                    raise
                self.leave(str(error), keep=_code(error) in _DISK)
                return action()

    def content_digest(self) -> int:
        """The digest over all rows."""
        return self.surely(lambda: self._digest(self._db))

    def confirm(self) -> None:
        """Prove the file again if it is small and somebody else wrote to it: that may not have been this program."""
        with self._lock:
            if self._path is None or self._db.in_transaction:
                return
            try:
                version = self._version(self._db)
                if version == self._proved_version or self._path.stat().st_size > SMALL_BYTES:
                    return
                is_whole = self._is_whole(self._db)
            except (sqlite3.DatabaseError, OSError):
                is_whole = False
            if is_whole:
                self._proved_version = version
            else:
                self.was_damaged = True
                self.leave(f"{self._path} was damaged while in use", keep=False)

    def clear(self) -> None:
        """Delete all rows."""

        def action() -> None:
            with self.transaction() as db:
                for table in _names(self._tables):
                    db.execute(f"DELETE FROM {table}")

        self.surely(action)

    def leave(self, reason: str, *, keep: bool = True) -> None:
        """Go on in a temporary database, with the rows of the file or, where those are not to be had, refilled."""
        with self._lock:
            if self._path is None:
                return
            old, self._db = self._db, self._temporary()
            if keep:
                try:
                    self._copy_rows(old)
                except sqlite3.Error:
                    keep = False
                    self._db.close()
                    self._db = self._temporary()
            old.close()
            self._let_go()
            _LOG.info("%s is left for a temporary database: %s", self._path, reason)
            self._path, self.trouble = None, reason
        if not keep and self.refill is not None:
            self.refill()

    # --- opening -------------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        if self._path is None:
            return self._temporary()
        try:
            private.make_folder(self._path.parent)
            self._hold(self._path, alone=False)
            return self._proved(self._path) or self._replaced(self._path)
        except (sqlite3.Error, OSError) as error:
            self._let_go()
            _LOG.info("%s cannot be used (%s); a temporary database replaces it", self._path, error)
            self._path, self.trouble = None, str(error)
            return self._temporary()

    def _proved(self, path: Path) -> sqlite3.Connection | None:
        """The database in the file; None where it is damaged."""
        is_noted = self._proofs(path).holds(path.name, _files(path))  # before SQLite makes its own files beside it
        private.make_file(path)
        db = None
        try:
            db = self._connected(str(path))
            db.execute("PRAGMA journal_mode=WAL")
            self._make_tables(db)
            self._proved_version = self._version(db)
            if is_noted or self._is_whole(db):
                return self._watched(db)
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            if _code(error) in _DISK:
                raise
            return None
        db.close()
        return None

    def _replaced(self, path: Path) -> sqlite3.Connection:
        """An empty database in place of a damaged one; a temporary one while other processes use the file."""
        _LOG.info("%s is damaged and is rebuilt", path)
        self.was_damaged = True
        if not self._hold(path, alone=True):
            raise OSError(f"{path} is damaged, and in use.")
        for file in (*_files(path), path.with_name(f"{path.name}-shm"), path.with_name(f"{path.name}-journal")):
            file.unlink(missing_ok=True)
        found = self._proved(path)
        self._hold(path, alone=False)
        if found is None:
            raise OSError(f"{path} cannot be written.")
        return found

    def _temporary(self) -> sqlite3.Connection:
        db = self._connected("")  # in memory as far as it is small, else in a file without a name
        db.execute(f"PRAGMA cache_size=-{_IN_MEMORY_KIB}")
        self._make_tables(db)
        return self._watched(db)

    @staticmethod
    def _connected(path: str) -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA synchronous=NORMAL")
        return db

    def _make_tables(self, db: sqlite3.Connection) -> None:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        db.execute("BEGIN IMMEDIATE")  # another process may make them just now
        try:
            for statement in (_META, *self._tables.split(";")):
                db.execute(statement)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('layout', ?)", (self._layout,))
            db.execute("INSERT OR IGNORE INTO meta VALUES ('digest', ?)", (f"{0:064x}",))
            db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _watched(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """The same, with triggers of this connection that add up what its transactions change."""

        def changed(sign: int, table: str, *values: object) -> None:
            self._change += sign * row_digest(table, values)

        db.create_function("row_changed", -1, changed)
        db.execute("PRAGMA recursive_triggers=ON")  # REPLACE deletes, and that counts
        for table in _names(self._tables):
            columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
            old, new = (", ".join(f"{which}.{name}" for name in columns) for which in ("OLD", "NEW"))
            for event, calls in (
                ("INSERT", (f"1, '{table}', {new}",)),
                ("DELETE", (f"-1, '{table}', {old}",)),
                ("UPDATE", (f"-1, '{table}', {old}", f"1, '{table}', {new}")),
            ):
                body = " ".join(f"SELECT row_changed({call});" for call in calls)
                db.execute(f"CREATE TEMP TRIGGER {table}_{event} AFTER {event} ON main.{table} BEGIN {body} END")
        return db

    def _is_whole(self, db: sqlite3.Connection) -> bool:
        """Whether the file is what its own digest says: layout, structure, and every row."""
        db.execute("BEGIN")  # one state of it, whatever others write meanwhile
        try:
            if db.execute(_SCHEMA).fetchall() != _schema(self._tables):
                return False
            if db.execute("SELECT value FROM meta WHERE key = 'layout'").fetchall() != [(self._layout,)]:
                return False
            if db.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
                return False
            return self._digest(db) == self._digest_of_rows(db)
        except ValueError:  # the digest is no number
            return False
        finally:
            db.execute("ROLLBACK")

    def _digest_of_rows(self, db: sqlite3.Connection) -> int:
        total = 0
        for table in _names(self._tables):
            for row in db.execute(f"SELECT * FROM {table}"):
                total += row_digest(table, row)
        return total % _MODULUS

    @staticmethod
    def _digest(db: sqlite3.Connection) -> int:
        rows = db.execute("SELECT value FROM meta WHERE key = 'digest'").fetchall()
        return int(rows[0][0], 16) if rows else -1

    @staticmethod
    def _write_digest(db: sqlite3.Connection, digest: int) -> None:
        db.execute("UPDATE meta SET value = ? WHERE key = 'digest'", (f"{digest:064x}",))

    @staticmethod
    def _version(db: sqlite3.Connection) -> int:
        """A number that changes when another connection writes."""
        return int(db.execute("PRAGMA data_version").fetchone()[0])

    def _copy_rows(self, old: sqlite3.Connection) -> None:
        with self.transaction() as db:
            for table in _names(self._tables):
                rows = old.execute(f"SELECT * FROM {table}")
                marks = ",".join("?" * len(rows.description))
                db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    @staticmethod
    def _proofs(path: Path) -> Proofs:
        return Proofs(path.with_name("proved.json"))

    # --- one file, many processes --------------------------------------------------------------------------------

    def _hold(self, path: Path, *, alone: bool) -> bool:
        """Hold the file for as long as it is open; `alone` only succeeds while no other process has it.

        SQLite does not bear that a database is replaced while somebody uses it.
        """
        if sys.platform == "win32":  # there, a file that is open cannot be removed
            return True
        if self._holder is None:
            self._holder = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._holder, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        except OSError:
            return False
        return True

    def _let_go(self) -> None:
        if self._holder is not None:
            os.close(self._holder)
            self._holder = None


_SCHEMA: Final = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


@cache
def _schema(tables: str) -> list[tuple[str, str, str, str | None]]:
    """What SQLite notes of the tables."""
    db = sqlite3.connect(":memory:")
    try:
        db.executescript(f"{_META};{tables}")
        return db.execute(_SCHEMA).fetchall()
    finally:
        db.close()


@cache
def _names(tables: str) -> list[str]:
    return [name for kind, name, *_ in _schema(tables) if kind == "table" and name != "meta"]


def _files(path: Path) -> tuple[Path, Path]:
    """The files that hold what was committed."""
    return path, path.with_name(f"{path.name}-wal")


def _code(error: sqlite3.Error) -> int | None:
    """The kind of an error, without its details; a read that comes short is damage, not trouble with the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return sqlite3.SQLITE_CORRUPT
    return None if code is None else int(code) & 0xFF


def _is_of_the_file(error: sqlite3.Error) -> bool:
    """Whether the file or its disk is to blame: text that is no UTF-8 has no code."""
    return _code(error) in _DISK | _DAMAGE or "decode to UTF-8" in str(error)


def no_room(error: Exception) -> StorageError:
    """What to say where not even temporary files can be written."""
    return StorageError(
        f"there is no room for temporary files: {error}.", hint="Free some space, or set TMPDIR to another disk."
    )


def _bindable(value: Any) -> Any:
    """The value, or bytes in place of a text with lone surrogates, which SQLite cannot take."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
    return value
