"""What the system says of a file that cannot be written, as an error of its kind with the path that people know."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sxeslake.errors import AccessDeniedError, StorageError, SxeslakeError, UsageError

FULL: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
SUFFIX: Final = ".partial"

_OURS = re.compile(r"\..*\.[a-z0-9_]{8}" + re.escape(SUFFIX))
_AGAIN = "Free some space and run the same again. Nothing was left behind."


@contextmanager
def told(out: Path) -> Iterator[None]:
    """Turn what goes wrong with an output into an error that names it; a closed pipe stays a closed pipe."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise explained(error, out) from error


def explained(error: OSError, out: Path) -> SxeslakeError:
    """The error for people; temporary names beside the output are none that they know."""
    where = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | os.PathLike) else out
    if any(_OURS.fullmatch(step) for step in where.parts):
        where = out
    for codes, kind, what, place, hint in (
        ((errno.ENAMETOOLONG,), UsageError, "this name is longer than the disk allows.", out, "Choose a shorter one."),
        ((errno.ENOENT,), UsageError, "there is no such folder to write to.", out.parent, None),
        ((errno.ENOTDIR, errno.EEXIST), UsageError, "a file is where a folder is needed.", where, None),
        ((errno.EISDIR,), UsageError, "this is a folder; name a file.", out, None),
        ((errno.ELOOP,), UsageError, "its links lead in a circle.", out, None),
        (FULL, StorageError, "the disk or quota is full.", where, _AGAIN),
        ((errno.EROFS,), AccessDeniedError, "the file system is mounted read-only.", where, None),
        ((errno.EACCES, errno.EPERM), AccessDeniedError, "no permission to write this.", where, None),
        ((errno.EBUSY, errno.EXDEV), StorageError, "a file system is mounted here.", out, "Name a folder below it."),
    ):
        if error.errno in codes:
            return kind(what, where=place, hint=hint)
    return StorageError(f"cannot be written: {error.strerror or error}.", where=where, hint="Nothing was left behind.")


class NoScratchError(StorageError):
    """There is no room for temporary files, or their disk fails."""


@contextmanager
def scratch_told(*, whatever: bool = False) -> Iterator[None]:
    """As `told`, for temporary files: the folder that is full is that of TMPDIR, not the output's.

    `whatever` is for work that touches temporary files only: any error of the system is theirs then.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in FULL
        if not (is_full or whatever):
            raise
        from tempfile import gettempdir  # noqa: PLC0415 - slow to load, and every command loads this module

        raise NoScratchError(
            "the temporary folder is full." if is_full else f"a temporary file fails: {error.strerror or error}.",
            where=gettempdir(),
            hint=f"Set TMPDIR to {'a folder with room' if is_full else 'another disk'} and run the same again.",
        ) from error
