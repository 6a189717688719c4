"""Move a finished temporary file to its name unless that name is taken: the local form of create-only."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from ..disk.rename import rename_noreplace

NO_LINKS = frozenset(
    (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EACCES)
)
"""What exFAT, SMB and FUSE mounts answer to link(2) when they have no hard links."""


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


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
