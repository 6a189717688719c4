"""Names that change in one step, and that outlast a power cut."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

NO_EXCHANGE: Final = frozenset((errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP))
"""What systems and file systems answer that cannot exchange two names."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_NO_FOLDER_SYNC = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES))


def rename_noreplace(source: Path, target: Path) -> None:
    """Linux's renameat2 with RENAME_NOREPLACE; `OSError` ENOSYS elsewhere."""
    _renameat2(source, target, _RENAME_NOREPLACE)


def exchange(one: Path, other: Path) -> None:
    """Let two names change places at one moment; `OSError` of `NO_EXCHANGE` where that cannot be."""
    _renameat2(one, other, _RENAME_EXCHANGE)


def put_folder(made: Path, target: Path, *, aside: Path | None) -> None:
    """Give the finished folder `made` the name `target`, free or that of an empty folder; FileExistsError otherwise.

    With `aside`, a folder that is there gives way: at every moment the old or the new one stands there, whole. The old
    one is at `made` then, or where names cannot be exchanged, at `aside`: it steps there for the moment between two
    renames, and comes back if the second one fails.
    """
    try:
        if sys.platform == "win32" and target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        made.rename(target)
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if aside is None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
    try:
        exchange(made, target)
        return
    except OSError as error:
        if error.errno not in NO_EXCHANGE:
            raise
    try:
        target.rename(aside)
        made.rename(target)
    except BaseException:  # also a signal that arrives between the two
        put_back(aside, target)
        raise


def put_back(aside: Path, target: Path) -> None:
    """Return what stepped aside to its place, unless something stands there."""
    if os.path.lexists(aside) and not os.path.lexists(target):
        aside.rename(target)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all in it, as far as that can be; however deep it is, and never through a link."""
    folders, at = [folder], 0
    while at < len(folders):
        with suppress(OSError), os.scandir(folders[at]) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                else:
                    with suppress(OSError):
                        Path(entry.path).unlink()
        at += 1
    for each in reversed(folders):
        with suppress(OSError):
            each.rmdir()


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable, where the system has such a thing."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some FUSE and SMB mounts cannot sync a folder; there is nothing more to be had there.
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the content of a file durable."""
    with path.open("r+b" if sys.platform == "win32" else "rb", buffering=0) as file:  # it may be read-only
        os.fsync(file.fileno())


def sync_tree(folder: Path) -> None:
    """Make all below a new folder durable: its file system at once, for half a million calls would take hours."""
    if sys.platform == "win32":
        return
    syncfs = _of_libc("syncfs")
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))
    finally:
        os.close(handle)


def _renameat2(source: Path, target: Path, flag: int) -> None:
    rename = _of_libc("renameat2")
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(target))
    result = rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flag))
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def _of_libc(name: str) -> Any:
    if sys.platform == "linux":
        with suppress(OSError):
            return getattr(ctypes.CDLL(None, use_errno=True), name, None)
    return None
