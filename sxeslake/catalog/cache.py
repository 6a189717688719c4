"""The local side: a folder of immutable parts and one small manifest, replaced atomically. Nothing is ever locked.

    <folder>/parts.json
    <folder>/positions/ab12….parquet

Any number of processes use one folder at once. Each writes parts under the hash of their bytes, and whoever finishes
last says in `parts.json` which of them count; both answers are right, one is older. Parts that no longer count are
removed an hour later, when nobody can still be reading by an old manifest.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from blake3 import blake3

from sxeslake.catalog.snapshot import MANIFEST_NAME, Part, Snapshot, load_snapshot
from sxeslake.catalog.tables import BY_NAME
from sxeslake.errors import DamagedLakeError, NotFoundError

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
        self._remove: Callable[[], object] | None = None

    @classmethod
    def temporary(cls) -> Cache:
        """A cache of one's own, for users who may write nowhere else."""
        cache = cls(Path(tempfile.mkdtemp(prefix="sxeslake-catalog-")))
        cache._remove = weakref.finalize(cache, shutil.rmtree, cache.folder, ignore_errors=True)
        return cache

    @classmethod
    def at(cls, folder: Path) -> Cache:
        """The cache in `folder` if that can be written, else a temporary one."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{secrets.token_hex(8)}"
            probe.touch()
            probe.unlink()
        except OSError:
            return cls.temporary()
        return cls(folder)

    def close(self) -> None:
        """Remove the folder if it is temporary."""
        if self._remove is not None:
            self._remove()

    def path(self, part: Part) -> Path:
        """Where a part is or would be."""
        return self.folder / part.name

    def has(self, part: Part) -> bool:
        """Whether a part is here, whole by its size; its bytes were proved when it was written."""
        try:
            return self.path(part).stat().st_size == part.bytes
        except OSError:
            return False

    def load(self) -> Snapshot | None:
        """The newest snapshot here; None where there is none, it cannot be read, or its tables have other columns."""
        path = self.folder / MANIFEST_NAME
        try:
            return load_snapshot(path.read_bytes(), where=str(path))
        except (OSError, DamagedLakeError):
            return None  # a cache: what does not convince is made again

    def save(self, snapshot: Snapshot, *, force: bool = False) -> None:
        """Make `snapshot` the one that counts, unless another process has saved a newer one meanwhile."""
        current = self.load()
        if not force and current is not None and current.head.number > snapshot.head.number:
            return
        self._write(self.folder / MANIFEST_NAME, snapshot.dump())
        kept = {part.name for part in snapshot.parts}
        for part in current.parts if current else ():
            if part.name not in kept:
                with contextlib.suppress(OSError):
                    os.utime(self.path(part))  # its hour begins now
        self._prune(kept)

    def put(self, part: Part, data: bytes) -> None:
        """Keep the bytes of a new part."""
        if not self.has(part):
            self._write(self.path(part), data)

    def need(self, parts: Iterable[Part], fetch: Fetch) -> int:
        """Bring the parts that are not here yet; each is proved by its hash. Returns the bytes fetched."""
        missing = [part for part in parts if not self.has(part)]
        if not missing:
            return 0
        with ThreadPoolExecutor(min(_DOWNLOADS, len(missing)), "sxeslake-parts") as pool:
            for _ in pool.map(lambda part: self._bring(part, fetch), missing):
                pass
        return sum(part.bytes for part in missing)

    def _bring(self, part: Part, fetch: Fetch) -> None:
        if part.home is None:
            raise DamagedLakeError(
                f"the part {part.name} of the local catalogue is gone.",
                where=self.folder,
                hint=_REBUILD,
            )
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
        self._write(self.path(part), data)

    def _write(self, path: Path, data: bytes) -> None:
        """Whole or not at all, also beside others who write the same."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            temporary.write_bytes(data)
            _replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _prune(self, kept: set[str]) -> None:
        """Remove what has not counted for an hour."""
        oldest = time.time() - GRACE_S
        for path in (path for table in BY_NAME for path in (self.folder / table).glob("*")):
            if path.relative_to(self.folder).as_posix() in kept:
                continue
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


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
