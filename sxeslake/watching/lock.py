"""One watcher a queue: a lock that the system takes back when its process ends, however it ends.

An exclusive transaction of SQLite on a file of its own. It works alike on every system, children do not inherit it,
and nothing of it is left by `kill -9` or a power failure.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sxeslake.errors import ConflictError
from sxeslake.vault.local import private

_PATIENCE_S: Final = 2.0  # whoever only looks whether it is held does not hold it for longer than a moment


class WatchLock:
    """The lock of a queue, held from `acquire` to `close`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def acquire(cls, path: Path, held: str) -> WatchLock:
        """Take the lock; ConflictError with the words `held` where another process has it."""
        private.make_folder(path.parent)
        private.make_file(path)
        connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=MEMORY")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if not _is_held(error):
                raise
            raise ConflictError(
                held,
                where=path.parent,
                hint="Stop it first, or leave it at work; the status names its process.",
            ) from None
        return cls(connection)

    def close(self) -> None:
        """Give it back."""
        self._connection.close()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock."""
    if not path.is_file():
        return False
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            return _is_held(error)
        return False


def _is_held(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
