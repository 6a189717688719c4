"""The local side: a folder of immutable parts and one small manifest, replaced atomically. Nothing is ever locked.

    <folder>/parts.json
    <folder>/positions/ab12….parquet

Any number of processes use one folder at once. Each writes parts under the hash of their bytes, and whoever finishes
last says in `parts.json` which of them count; both answers are right, one is older. Parts that no longer count are
removed an hour later, when nobody can still be reading by an old manifest.

Nothing here is believed without its hash: that of a part is its name, `parts.json` begins with its own. What does not
agree counts as missing. Where the folder has no room or cannot be written, new files go to a temporary one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from blake3 import blake3

from sxeslake.catalog.schema.tables import BY_NAME
from sxeslake.catalog.store.snapshot import MANIFEST_NAME, Snapshot, TablePart, load_snapshot
from sxeslake.errors import DamagedLakeError, NotFoundError
from sxeslake.format.lakefile import is_proved, sealed
from sxeslake.vault.local import private
from sxeslake.vault.local.database import no_room
from sxeslake.vault.local.proofs import Proofs, Stamp, stamp

GRACE_S: Final = 3600.0
"""How long a part that no longer counts stays: longer than any query."""
_DOWNLOADS: Final = 8
_REBUILD: Final = "Run `sxeslake catalog rebuild`; archives are not affected."

Fetch = Callable[[str], bytes]
"""Key of an object → its bytes."""


class Cache:
    """A folder of parts. `temporary()` makes one that goes away with its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spare: Path | None = None  # for what does not go into the folder
        self._making_spare = threading.Lock()
        self._remove: Callable[[], object] | None = None
        self._proofs = Proofs(folder / "proved.json")
        self._proved: dict[str, Stamp] = {}

    @classmethod
    def temporary(cls) -> Cache:
        """A cache of one's own, for users who may write nowhere else."""
        cache = cls(_temporary_folder())
        cache._remove = weakref.finalize(cache, shutil.rmtree, cache.folder, ignore_errors=True)
        return cache

    @classmethod
    def at(cls, folder: Path) -> Cache:
        """The cache in `folder` if that can be written, else a temporary one."""
        try:
            private.make_folder(folder)
            private.probe(folder)
        except OSError:
            return cls.temporary()
        return cls(folder)

    def close(self) -> None:
        """Remove what is temporary."""
        if self._remove is not None:
            self._remove()

    def path(self, part: TablePart) -> Path:
        """Where a part is or would be."""
        return self._place(part.name)

    def manifest_path(self) -> Path:
        """Where the list of the parts that count is."""
        return self._place(MANIFEST_NAME)

    def _place(self, name: str) -> Path:
        if self._spare is not None and (self._spare / name).exists():
            return self._spare / name
        return self.folder / name

    def has(self, part: TablePart) -> bool:
        """Whether a part is here and agrees with its hash; an untouched file is read once."""
        path = self.path(part)
        found = stamp([path])
        if found[0] is None or found[0][1] != part.bytes:
            return False
        if self._proved.get(part.name) == found:
            return True
        if not self._proofs.holds(part.name, [path]):
            try:
                if blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest() != part.blake3:
                    return False
            except OSError:
                return False
            self._proofs.note({part.name: [path]})
        self._proved[part.name] = found
        return True

    def read(self, part: TablePart) -> bytes:
        """The bytes of a part that is here."""
        data = self.path(part).read_bytes()
        if blake3(data).hexdigest() != part.blake3:
            raise _is_gone(part, self.folder)
        return data

    def load(self) -> Snapshot | None:
        """The newest snapshot here; None where there is none, it cannot be read, or its tables have other columns."""
        path = self.manifest_path()
        try:
            data = path.read_bytes()
            return load_snapshot(data, where=str(path)) if is_proved(data) else None
        except (OSError, DamagedLakeError):
            return None  # a cache: what does not convince is made again

    def is_whole(self, snapshot: Snapshot) -> bool:
        """Whether every part that no checkpoint has is here."""
        return all(self.has(part) for part in snapshot.parts if part.home is None)

    def save(self, snapshot: Snapshot, *, force: bool = False) -> None:
        """Make `snapshot` the one that counts, unless another process has saved a newer one meanwhile."""
        current = self.load()
        if not force and current is not None and current.head.number > snapshot.head.number:
            return
        self._write(MANIFEST_NAME, sealed(snapshot.dump()))
        kept = {part.name for part in snapshot.parts}
        for part in current.parts if current else ():
            if part.name not in kept:
                with contextlib.suppress(OSError):
                    os.utime(self.path(part))  # its hour begins now
        self._prune(kept)

    def put(self, part: TablePart, data: bytes) -> None:
        """Keep the bytes of a new part."""
        if not self.has(part):
            self._write(part.name, data)

    def need(self, parts: Iterable[TablePart], fetch: Fetch) -> int:
        """Bring the parts that are not here yet; each is proved by its hash. Returns the bytes fetched."""
        missing = [part for part in parts if not self.has(part)]
        if not missing:
            return 0
        with ThreadPoolExecutor(min(_DOWNLOADS, len(missing)), "sxeslake-parts") as pool:
            for _ in pool.map(lambda part: self._bring(part, fetch), missing):
                pass
        return sum(part.bytes for part in missing)

    def _bring(self, part: TablePart, fetch: Fetch) -> None:
        if part.home is None:
            raise _is_gone(part, self.folder)
        try:
            data = fetch(part.key)
        except NotFoundError as error:
            raise DamagedLakeError(
                "a part of the catalogue is gone from its checkpoint.", where=part.key, hint=_REBUILD
            ) from error
        if blake3(data).hexdigest() != part.blake3:
            raise DamagedLakeError(
                "a part of the catalogue does not agree with its hash.",
                where=part.key,
                hint=_REBUILD,
            )
        self._write(part.name, data)

    def _write(self, name: str, data: bytes) -> None:
        """Whole or not at all, also beside others who write the same."""
        if self._spare is None:
            try:
                return _write_whole(self.folder / name, data)
            except OSError:
                pass  # a full disk, or one that cannot be written any more
        try:
            _write_whole(self._spare_folder() / name, data)
        except OSError as error:
            raise no_room(error) from error

    def _spare_folder(self) -> Path:
        """The one folder for what has no place in the cache, whichever thread needs it first."""
        with self._making_spare:
            if self._spare is None:
                self._spare = _temporary_folder()
                weakref.finalize(self, shutil.rmtree, self._spare, ignore_errors=True)
            return self._spare

    def _prune(self, kept: set[str]) -> None:
        """Remove what has not counted for an hour."""
        oldest = time.time() - GRACE_S
        for path in (path for table in BY_NAME for path in (self.folder / table).glob("*")):
            if path.relative_to(self.folder).as_posix() in kept:
                continue
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _is_gone(part: TablePart, folder: Path) -> DamagedLakeError:
    return DamagedLakeError(f"the part {part.name} of the local catalogue is gone.", where=folder, hint=_REBUILD)


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="sxeslake-catalog-"))
    except OSError as error:
        raise no_room(error) from error


def _write_whole(path: Path, data: bytes) -> None:
    private.make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        private.write(temporary, data)
        _replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _replace(source: Path, target: Path, attempts: Sequence[float] = (0.01, 0.05, 0.2, 1.0)) -> None:
    """Rename over the target; on Windows a reader may hold that open for a moment."""
    for wait_s in attempts:
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(wait_s)
        else:
            return
    source.replace(target)
