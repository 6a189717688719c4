"""Which content a file on this disk had when it was last looked at: a file that nobody touched is not read again.

Size and modification time alone would not do: spectra all have one size, and converters give them one time. The time
of the last change of any kind (`ctime`), which programs cannot set, stands beside them. A cache: losing it costs time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sxeslake.model import Digest
from sxeslake.vault.local.database import LocalDatabase

_LAYOUT = 3  # of the database; its name has it
_TABLE = """
CREATE TABLE IF NOT EXISTS stamps (
  folder BLOB NOT NULL, path BLOB NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, changed INTEGER NOT NULL,
  inode TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (folder, path)) WITHOUT ROWID
"""
_KNOWN = (
    "SELECT digest FROM stamps "
    "WHERE folder = ? AND path = ? AND size = ? AND modified = ? AND changed = ? AND inode = ?"
)


class Stamps:
    """What is known of the files of one folder."""

    def __init__(self, database: LocalDatabase, folder: str) -> None:
        self._db, self._folder = database, os.fsencode(folder)  # names on a disk need not be text

    def digest(self, path: str, facts: os.stat_result) -> Digest | None:
        """The content of a file that has not changed since; None where that is not known."""
        rows = self._db.select(_KNOWN, (self._folder, os.fsencode(path), *_stamp(facts)))
        return bytes(rows[0][0]) if rows else None

    def note(self, files: Iterable[tuple[str, os.stat_result, Digest]]) -> None:
        """Remember the contents of some files."""
        rows = [(self._folder, os.fsencode(path), *_stamp(facts), digest) for path, facts, digest in files]

        def action() -> None:
            with self._db.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO stamps VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

        self._db.surely(action)


@contextlib.contextmanager
def stamps_of(folder: Path, cache: Path) -> Iterator[Stamps]:
    """The stamps of a folder, from a database in the lake's cache."""
    with contextlib.closing(LocalDatabase(cache / f"stamps-{_LAYOUT}.sqlite", _LAYOUT, _TABLE)) as database:
        yield Stamps(database, str(folder.resolve()))


def _stamp(facts: os.stat_result) -> tuple[int, int, int, str]:
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, str(facts.st_ino)  # inodes can exceed 63 bits
