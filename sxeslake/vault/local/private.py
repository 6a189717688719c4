"""Files and folders of the local cache: only their owner may read them, whatever the umask says.

A cache holds names, paths and contents of lakes that other users of the machine may have no access to.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_FOLDER = 0o700
_FILE = 0o600


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing; also close one that an earlier version left open."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for each in reversed(missing):
        each.mkdir(mode=_FOLDER, exist_ok=True)
    _close(folder, _FOLDER)


def make_file(path: Path) -> None:
    """Make an empty file, unless it is there: SQLite gives the files beside a database the mode of the database."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _FILE))
    _close(path, _FILE)


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=opener)`: a new file is private."""
    return os.open(path, flags, _FILE)


def write(path: Path, data: bytes) -> None:
    """Write a private file."""
    with open(path, "wb", opener=opener) as file:
        file.write(data)


def replace(path: Path, data: bytes) -> None:
    """Write a private file whole, in place of one that may be there."""
    made = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        write(made, data)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def probe(folder: Path, size: int = 0) -> None:
    """See whether a file of so many bytes can be written into a folder; OSError where it cannot."""
    path = folder / f".probe-{os.urandom(8).hex()}"
    try:
        write(path, bytes(size))
    finally:
        path.unlink(missing_ok=True)


def _close(path: Path, mode: int) -> None:
    with suppress(OSError):  # somebody else's: they decide who may read it
        if path.stat().st_mode & 0o077:
            path.chmod(mode)
