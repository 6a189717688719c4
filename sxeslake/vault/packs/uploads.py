"""Uploads that no commit names yet, noted on this machine: the next run uses again what an interrupted one uploaded.

One journal a process, in the lake's cache folder, under a lock for as long as that process lives: what a living run
has uploaded is its own. A line before each upload, and a line for what is none any more, each with its own hash. A
journal is a hint: each pack in it is held against the log and against its own footer before it is believed, and again
when it is committed.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from blake3 import blake3

from sxeslake.closing import Closing
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.lakefile import is_proved, sealed
from sxeslake.format.logentry import PackAdded
from sxeslake.format.manifest import Blob
from sxeslake.format.pack import Footer
from sxeslake.model import Digest
from sxeslake.storage import settle
from sxeslake.vault.local import private
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_AT_ONCE = 16  # footers on their way, of at most 2 MiB each


class Uploads(Closing):
    """The packs of a run that wait for a commit, and those of interrupted runs: `packs`, by id."""

    def __init__(self, vault: Vault) -> None:
        self._vault, self._folder = vault, vault.folder / "uploads"
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._journal: BinaryIO | None = None
        self._again: set[str] = set()  # those of `packs` that are indexed
        self.packs: dict[str, PackAdded] = {}

    @property
    def trusted(self) -> AbstractSet[str]:
        """Packs that need not be asked for: this run has written them, or has looked at them."""
        return self.packs.keys()

    def note(self, record: PackAdded) -> None:
        """A pack is on its way to the bucket: noted before, or a kill in between would leave it unknown."""
        with self._lock:
            self.packs[record.id] = record
            self._write({"pack": asdict(record)})

    def leave(self, pack_ids: Iterable[str]) -> bool:
        """Some packs are committed, dead or to be deleted; False where a later run may still believe in them."""
        with self._lock:
            gone = [pack_id for pack_id in pack_ids if self.packs.pop(pack_id, None) is not None]
            self._again.difference_update(gone)
            return not gone or self._write({"gone": gone}, durably=True)

    def take_up(self) -> None:
        """Find what interrupted runs have noted; keep, of all that is noted, what is whole and the log never named."""
        for path in sorted(self._folder.glob(f"{_machine()}-*.jsonl")):
            if path != self._path:
                self._adopt(path)
        gone = self._vault.state.known("packs", sorted(self.packs))
        waiting = [record for record in self.packs.values() if record.id not in gone]
        with ThreadPoolExecutor(_AT_ONCE) as readers:
            for start in range(0, len(waiting), _AT_ONCE):
                part = waiting[start : start + _AT_ONCE]
                found = [footer for footer in readers.map(self._footer, part) if footer is not None]
                settle(self._vault.store, [keys.pack_key(footer.pack_id) for footer in found])  # its writer died
                self._vault.index.add(found)
                self._again.update(footer.pack_id for footer in found)
                gone |= {record.id for record in part} - {footer.pack_id for footer in found}
                _LOG.info("%d of %d packs of an interrupted run are reused", len(found), len(part))
        self.leave(gone)

    def find(self, digests: Sequence[Digest]) -> dict[Digest, Blob]:
        """Where some blobs stand: in packs that are alive, else in uploads that only wait for a commit."""
        found = self._vault.find(digests)
        if self._again and len(found) < len(digests):
            left = [digest for digest in digests if digest not in found]
            found |= self._vault.index.find(left, live=self._again)
        return found

    def close(self) -> None:
        """Release the journal; what still waits in it is for the next run."""
        with self._lock:
            if self._journal is not None and self._path is not None:
                _close(self._journal, self._path, keep=bool(self.packs))
            self._journal = None

    def _footer(self, record: PackAdded) -> Footer | None:
        """The footer of a pack that is all that was noted, else None."""
        if self._vault.store.size(keys.pack_key(record.id)) != record.bytes:
            return None
        try:
            footer = self._vault.footer(record)
        except (DamagedLakeError, ObjectNotFoundError):
            return None
        is_same = len(footer.digests) == record.blobs and int(footer.sizes.sum(dtype="uint64")) == record.raw_bytes
        return footer if is_same else None

    # --- journals ------------------------------------------------------------------------------------------------

    def _write(self, line: dict[str, object], *, durably: bool = False) -> bool:
        try:
            if self._path is None:
                self._open()
            if self._journal is not None:
                self._journal.write(b"\n" + sealed(json.dumps(line).encode()) + b"\n")  # a line before can be cut short
                if durably:  # what is to be deleted must not be found again, also after a power cut
                    os.fsync(self._journal.fileno())
        except OSError:  # a full disk: an interruption will cost what is uploaded, no more
            return False
        return True

    def _open(self) -> None:
        private.make_folder(self._folder)
        self._path = self._folder / f"{_machine()}-{keys.new_id()}.jsonl"
        journal = open(self._path, "xb", buffering=0, opener=private.opener)  # noqa: SIM115 - closed by `close`
        if _hold(journal):
            self._journal = journal
        else:  # no locks on this file system: what cannot be held must not be found
            _close(journal, self._path, keep=False)

    def _adopt(self, path: Path) -> None:
        """Take over a journal whose process is gone."""
        try:
            journal = path.open("r+b", buffering=0)
        except OSError:
            return
        if not _hold(journal) or not path.exists():  # a living run's, or another one has just taken it over
            journal.close()
            return
        for record in _records(journal.read()):
            self.note(record)
        # Where it cannot be noted, as on a full disk, it stays where it is noted already.
        _close(journal, path, keep=self._journal is None)


def _records(data: bytes) -> list[PackAdded]:
    found: dict[str, PackAdded] = {}
    for line in _lines(data):
        if "pack" in line:
            with suppress(TypeError, DamagedLakeError):  # another version's
                record = PackAdded(**line["pack"])
                keys.check_id(record.id)
                found[record.id] = record
        with suppress(TypeError):
            for pack_id in line.get("gone", ()):
                found.pop(pack_id, None)
    return list(found.values())


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        if is_proved(line):  # not empty, cut short, or damaged
            yield json.loads(line)


def _machine() -> str:
    """Journals are adopted on the machine that wrote them: locks need not reach others that share the folder."""
    return blake3(socket.gethostname().encode()).hexdigest()[:12]


def _hold(file: BinaryIO) -> bool:
    """Lock a file until it is closed, or this process dies; False where it is locked, or cannot be."""
    try:
        if sys.platform == "win32":
            file.seek(1 << 30)  # far behind the text: there, a lock keeps others from reading
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _close(file: BinaryIO, path: Path, *, keep: bool) -> None:
    if not keep:
        with suppress(OSError):  # some systems remove no open file
            path.unlink()
    file.close()
    if not keep:
        with suppress(OSError):
            path.unlink(missing_ok=True)
