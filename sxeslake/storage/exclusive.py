"""Move a finished temporary file to its name unless that name is taken: the local form of create-only."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from pathlib import Path

NO_LINKS = frozenset(
    (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EACCES)
)
"""What exFAT, SMB and FUSE mounts answer to link(2) when they have no hard links."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


def publish(temporary: Path, target: Path) -> None:
    """Give `temporary` the name `target`; `FileExistsError` if taken, `OSError` where this cannot be promised."""
    if sys.platform == "win32":
        os.rename(temporary, target)  # noqa: PTH104 - refuses a taken name on Windows, unlike Path.replace
        return
    try:
        os.link(temporary, target)
    except FileExistsError:
        # NFS repeats a request whose reply was lost, and then says "exists" of our own link.
        if not _same_file(temporary, target):
            raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        rename_noreplace(temporary, target)
        return
    with contextlib.suppress(OSError):  # the object is there; a leftover name is swept later
        temporary.unlink()


def rename_noreplace(source: Path, target: Path) -> None:
    """Linux's renameat2 with RENAME_NOREPLACE; `OSError` ENOSYS elsewhere."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(target))
    result = rename(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(_RENAME_NOREPLACE))
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable, where the system has such a thing."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some FUSE and SMB mounts cannot sync a folder; there is nothing more to be had there.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise
    finally:
        os.close(handle)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
