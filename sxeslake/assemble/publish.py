"""Putting an archive in its place: written beside the target, then moved there in one step; whole, or not there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile, mkdtemp
from typing import BinaryIO, Literal, cast

from sxeslake.archive.container import DEFAULT_LEVEL, ArchiveWriter, create_writer
from sxeslake.archive.folder import FolderWriter
from sxeslake.errors import AlreadyExistsError, InputError, StorageError
from sxeslake.model import MIB, ContainerKind

try:
    import fcntl
except ImportError:  # Windows: nobody can tell whether a file is still being written; what was left stays
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".partial"
_YOUNG_SECONDS = 10  # somebody may have made it just now, and not locked it yet

Fill = Callable[[ArchiveWriter], None]
"""Hands every member to the writer, and closes it."""

WholeFile = Callable[[BinaryIO], None]
"""Writes a file that needs no writer: the very source, made again."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: bytes (None for a folder), SHA-256, names that this system cannot hold, as written."""

    size: int | None = None
    sha256: str | None = None
    renamed: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Publisher:
    """How to write: everything but what and where."""

    level: int | None = None
    force: bool = False
    threads: int | None = None
    comment: bytes = b""
    whole: WholeFile | None = None  # instead of a writer

    def check(self, out: Path, container: ContainerKind) -> None:
        """Refuse what is there already, before anything is read."""
        is_free = not any(out.iterdir()) if container == "folder" and out.is_dir() else not out.exists()
        if not self.force and not is_free:
            raise AlreadyExistsError("this is there already.", where=out, hint="`--force` writes over it.")
        if container != "folder" and out.is_dir():
            raise InputError("this is a folder; an archive cannot replace it.", where=out)

    def to_path(self, out: Path, container: ContainerKind, fill: Fill) -> Written:
        """Write the archive beside `out`, then move it there in one step."""
        self.check(out, container)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            _sweep(out)
            if container == "folder":
                return _to_folder(out, fill)
            with _beside(out) as (file, publish):
                self._write(file, container, fill)
                sha256, size = _digest(file)
                publish(self.force)
        except OSError as error:
            raise _disk_error(error, out) from error
        return Written(size, sha256)

    def to_stream(self, stream: BinaryIO, container: ContainerKind, fill: Fill) -> Written:
        """Write the archive to a stream that cannot seek, by way of a temporary file."""
        if container == "folder":
            raise InputError("a folder cannot go to standard output.", hint="Choose `--container zip` or `7z`.")
        with TemporaryFile(prefix="sxeslake-") as file:
            self._write(file, container, fill)
            sha256, size = _digest(file)
            file.seek(0)
            shutil.copyfileobj(file, stream, MIB)
        stream.flush()
        return Written(size, sha256)

    def _write(self, file: BinaryIO, container: Literal["zip", "7z"], fill: Fill) -> None:
        if self.whole is not None:
            self.whole(file)
            file.flush()
            return
        level = DEFAULT_LEVEL if self.level is None else self.level
        fill(create_writer(file, container, level=level, threads=self.threads, comment=self.comment))
        file.flush()


class _Publish:
    """Moves the finished file to its name."""

    def __init__(self, made: Path, out: Path) -> None:
        self._made, self._out = made, out

    def __call__(self, force: bool) -> None:
        if force:
            self._made.replace(self._out)
            return
        try:
            os.link(self._made, self._out)
        except FileExistsError as error:
            raise AlreadyExistsError("somebody made this meanwhile.", where=self._out) from error
        except OSError:  # no hard links here
            if self._out.exists():
                raise AlreadyExistsError("somebody made this meanwhile.", where=self._out) from None
            self._made.replace(self._out)
        else:
            self._made.unlink()


@contextmanager
def _beside(out: Path) -> Iterator[tuple[BinaryIO, _Publish]]:
    """A new file in the folder of `out`, gone if it was not published."""
    with NamedTemporaryFile(prefix=_prefix(out), suffix=_SUFFIX, dir=out.parent, delete=False) as file:
        made = Path(file.name)
        try:
            _lock(file.fileno())
            made.chmod(0o666 & ~_umask())
            yield cast("BinaryIO", file), _Publish(made, out)
        finally:
            file.close()
            made.unlink(missing_ok=True)


def _to_folder(out: Path, fill: Fill) -> Written:
    made = Path(mkdtemp(prefix=_prefix(out), suffix=_SUFFIX, dir=out.parent))
    try:
        with _locked(made):
            inside = made / "whole"
            inside.mkdir()
            writer = FolderWriter(inside)
            fill(writer)
            _replace_folder(inside, out, made / "old")
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Written(renamed=list(writer.renamed.items()))


def _prefix(out: Path) -> str:
    return f".{out.name[:100]}."


def _sweep(out: Path) -> None:
    """Remove what a pull to the same place left when it was killed: its lock went with it."""
    name = re.compile(re.escape(_prefix(out)) + r"[a-z0-9_]{8}" + re.escape(_SUFFIX))
    with contextlib.suppress(OSError):  # what cannot be removed is in nobody's way
        for left in [path for path in out.parent.iterdir() if name.fullmatch(path.name)]:
            with contextlib.suppress(OSError):
                if time.time() - left.lstat().st_mtime > _YOUNG_SECONDS and not left.is_symlink():
                    _remove_abandoned(left)


def _remove_abandoned(left: Path) -> None:
    with _locked(left) as is_ours:
        if is_ours and not (left / "old").exists():  # the folder that was there before: its last copy
            shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder that is being written; False where another process does, or nobody can."""
    if fcntl is None:
        yield False
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether the lock is ours now; it goes with the process, however that ends."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # another's, or a file system without locks
        pass
    return False


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _replace_folder(made: Path, out: Path, old: Path) -> None:
    """Put a finished folder in its place; what was there goes only when the new one is whole."""
    made.chmod(0o777 & ~_umask())
    if out.exists():
        out.rename(old)
    made.rename(out)


def _digest(file: BinaryIO) -> tuple[str, int]:
    file.flush()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    hasher = hashlib.sha256()
    while block := file.read(4 * MIB):
        hasher.update(block)
    return hasher.hexdigest(), size


def _disk_error(error: OSError, out: Path) -> StorageError:
    where = error.filename or out
    return StorageError(f"cannot be written: {error.strerror or error}.", where=where, hint="Nothing was left behind.")
