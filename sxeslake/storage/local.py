"""A lake in a local folder: atomic, durable, create-only; unfinished files of crashed writers stay invisible.

Whoever may use the lake's root folder may use all that is in it: files and folders take mode and group from the root,
whatever the umask of the member who writes them (as `core.sharedRepository` does in git).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..disk.rename import sync_folder
from ..errors import (
    AccessDeniedError,
    DamagedLakeError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    SxeslakeError,
)
from . import coalesce
from .address import TEMPORARY, check_key, check_prefix
from .exclusive import NO_LINKS, publish
from .interface import Counters, Data, ObjectInfo, byte_count, parts

_LOG = logging.getLogger(__name__)

MAX_GAP = 4096
"""Reading a page more costs less than another system call."""
MAX_FETCH = 16 * 1024 * 1024

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class LocalStore:
    """`/data/lake`: keys are paths below the folder, which is made by the first write."""

    def __init__(self, root: Path) -> None:
        self.url = str(root)
        self.counters = Counters()
        self._root = root
        self._durable: set[Path] = set()
        self._durable_lock = threading.Lock()

    def __repr__(self) -> str:
        return f"LocalStore({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        path = self._path(key)
        with _translated(path, "read"), path.open("rb", buffering=0) as file:
            data = file.read()
        _LOG.debug("read %s, %d bytes", key, len(data))
        self.counters.add("GET", bytes_in=len(data))
        return data

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        return self.get_ranges([(key, start, end)])[0]

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, in the order asked. One open file an object; a local disk gains nothing from threads here."""
        fetches = self.fetches(ranges)
        bodies: list[bytes] = []
        with contextlib.ExitStack() as stack:
            open_key, read = "", None
            for fetch in fetches:
                path = self._path(fetch.key)
                with _translated(path, "read"):
                    if read is None or fetch.key != open_key:
                        stack.close()
                        file = stack.enter_context(path.open("rb", buffering=0))
                        open_key, read = fetch.key, file
                    read.seek(fetch.start)
                    body = _read_exactly(read.read, fetch.end - fetch.start)
                self.counters.add("GET", bytes_in=len(body))
                if len(body) != fetch.end - fetch.start:
                    what = f"truncated: bytes {fetch.start} to {fetch.end} are not all there"
                    raise DamagedLakeError(what, where=path)
                bodies.append(body)
        _LOG.debug("read %d ranges in %d reads", len(ranges), len(fetches))
        return coalesce.cut(fetches, bodies, len(ranges))

    @staticmethod
    def fetches(ranges: Sequence[tuple[str, int, int]]) -> list[coalesce.Fetch]:
        """The requests that `get_ranges` makes."""
        return coalesce.plan(ranges, max_gap=MAX_GAP, max_size=MAX_FETCH)

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size."""
        path = self._path(key)
        with _translated(path, "read"), path.open("rb", buffering=0) as file:
            whole = os.fstat(file.fileno()).st_size
            file.seek(max(0, whole - size))
            data = _read_exactly(file.read, min(size, whole))
        _LOG.debug("read the last %d of %d bytes of %s", len(data), whole, key)
        self.counters.add("GET", bytes_in=len(data))
        return data, whole

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken."""
        self._put(key, data, publish)

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        self._put(key, data, os.replace)

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        path = self._path(key)
        self.counters.add("HEAD")
        try:
            with _translated(path, "look at"):
                status = path.stat()
        except ObjectNotFoundError:
            return None
        return None if stat.S_ISDIR(status.st_mode) else status.st_size

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`, folder by folder."""
        check_prefix(prefix)
        folder, _, _ = prefix.rpartition("/")
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            for info, is_folder in self._scan(folder):
                if is_folder:
                    if info.key.startswith(prefix) or prefix.startswith(info.key + "/"):
                        waiting.append(info.key)
                elif info.key.startswith(prefix) and info.key > after:
                    yield info

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; absent keys are fine."""
        _LOG.debug("delete %d objects", len(keys))
        for key in keys:
            path = self._path(key)
            self.counters.add("DELETE")
            with _translated(path, "delete"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()

    def sweep(self, older_than_s: float) -> int:
        """Remove unfinished files that crashed writers left."""
        freed = 0
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder, name) for name in names if name.startswith(TEMPORARY)):
                with _translated(path, "delete"), contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    if time.time() - status.st_mtime >= older_than_s:
                        path.unlink()
                        freed += status.st_size
        return freed

    def settle(self, keys: Sequence[str]) -> None:
        """See objects of other writers through to the disk, with their names."""
        folders = set[Path]()
        for key in keys:
            path = self._path(key)
            with _translated(path, "read"), path.open("rb", buffering=0) as file:
                os.fsync(file.fileno())
            folders.add(path.parent)
        for folder in folders:
            with _translated(folder, "write"):
                self._make_durable(folder)
                sync_folder(folder)

    def now(self) -> float:
        """The time that a new file gets: of the file server, where the folder is on one."""
        path = self._root / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
        try:
            with path.open("xb") as file:
                return os.fstat(file.fileno()).st_mtime
        except OSError:  # nothing can be written here, and so nothing will be deleted
            return time.time()
        finally:
            with contextlib.suppress(OSError):
                path.unlink()

    def describe(self) -> str:
        """How a file is created only where there is none."""
        how = "rename" if sys.platform == "win32" else "hard link, or a rename that never replaces"
        return f"folder; a temporary file, synced, then a {how}"

    def close(self) -> None:
        """Files are open only while they are read."""

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)

    def _scan(self, folder: str) -> Iterator[tuple[ObjectInfo, bool]]:
        path = self._root / folder
        self.counters.add("LIST")
        try:
            with _translated(path, "list"), os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith(TEMPORARY):
                        continue
                    key = f"{folder}/{entry.name}" if folder else entry.name
                    with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                        status = entry.stat()
                        yield ObjectInfo(key, status.st_size, status.st_mtime), entry.is_dir()
        except ObjectNotFoundError:
            return

    def _put(self, key: str, data: Data, move: Callable[[Path, Path], None]) -> None:
        path = self._path(key)
        temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}")
        size = byte_count(data)
        with _translated(path, "write"):
            try:
                self._make_durable(path.parent)
                _write_durably(temporary, data, self._root.stat())
                move(temporary, path)
                sync_folder(path.parent)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        self.counters.add("PUT", bytes_out=size)
        _LOG.debug("wrote %s, %d bytes", key, size)

    def _make_durable(self, folder: Path) -> None:
        """Make the folder and see its name, and its parents' names, through to the disk: once a process."""
        with self._durable_lock:
            if folder in self._durable and folder.is_dir():
                return
            missing = [step for step in (folder, *folder.parents) if not step.is_dir()]
            self._make(missing)
            # A folder that another process made a moment ago may not be durable yet: sync below the root always.
            below_root = [step for step in (folder, *folder.parents) if step.is_relative_to(self._root)]
            for step in dict.fromkeys([*missing, *below_root]):
                if step in missing or step != self._root:
                    sync_folder(step.parent)
            self._durable.add(folder)

    def _make(self, missing: Sequence[Path]) -> None:
        """Make folders, the outermost last in `missing`; those below the root are as open as the root is."""
        for step in reversed(missing):
            try:
                step.mkdir()
            except FileExistsError:  # by another process, a moment ago
                if not step.is_dir():
                    raise
            else:
                if step != self._root and step.is_relative_to(self._root):
                    root = self._root.stat()
                    _share(step, root, stat.S_IMODE(root.st_mode))


def _share(place: Path, root: os.stat_result, mode: int) -> None:
    """Give a new file or folder the root's group and a mode; where the system has no such thing, it stays as made."""
    if sys.platform == "win32":
        return
    facts = place.stat()
    with contextlib.suppress(OSError):  # a group that this user is not in; a file system without owners
        if facts.st_gid != root.st_gid:
            os.chown(place, -1, root.st_gid)
    with contextlib.suppress(OSError):
        if stat.S_IMODE(place.stat().st_mode) != mode:
            place.chmod(mode)


def _write_durably(path: Path, data: Data, root: os.stat_result) -> None:
    with path.open("xb", buffering=0) as file:
        _share(path, root, stat.S_IMODE(root.st_mode) & 0o666)
        for part in parts(data):
            view = memoryview(part).cast("B")
            while view.nbytes:
                view = view[file.write(view) :]  # one call writes at most 2 GiB
        os.fsync(file.fileno())


def _read_exactly(read: Callable[[int], bytes], count: int) -> bytes:
    """`count` bytes unless the file ends; the system may give less a call."""
    data = read(count)
    if len(data) == count or not data:
        return data
    blocks = [data]
    missing = count - len(data)
    while missing and (data := read(missing)):
        blocks.append(data)
        missing -= len(data)
    return b"".join(blocks)


@contextlib.contextmanager
def _translated(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explain(error, path, doing) from error


def explain(error: OSError, path: Path, doing: str) -> SxeslakeError:
    """The error for people: what the system said about `doing` (`read`, `write`) this path, and what helps."""
    writing = doing == "write"
    linkless = "Use a folder on a file system with hard links (ext4, XFS, APFS, NTFS), or an S3 bucket."
    absent = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError) and not writing
    for matches, kind, what, hint in (
        (isinstance(error, FileExistsError), ObjectExistsError, "exists already", None),
        (absent, ObjectNotFoundError, "there is no such object", None),
        (error.errno == errno.EROFS, AccessDeniedError, "the file system is mounted read-only", None),
        (error.errno in _FULL, StorageError, "the disk or quota is full", "Free some space and run the same again."),
        (error.errno == errno.EACCES, AccessDeniedError, f"no permission to {doing} this", None),
        (writing and error.errno in NO_LINKS, StorageError, "this file system cannot create without a race", linkless),
        (isinstance(error, PermissionError), AccessDeniedError, f"no permission to {doing} this", None),
    ):
        if matches:
            return kind(what, where=path, hint=hint)
    return StorageError(f"cannot {doing} this: {error.strerror or error}", where=path)
