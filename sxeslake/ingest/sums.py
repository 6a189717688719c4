"""The SHA-256 of the file that a command names, begun before the modules are loaded and the lake is opened.

Ingesting an unchanged file of 209 MB is little more than its SHA-256: 0.14 of 0.24 s, the rest of which can pass
meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from sxeslake.archive.ranged_file import open_regular
from sxeslake.model import MIB

_WORTH_BYTES = 8 * MIB  # less is hashed before a thread has begun
_SWITCH_S = 0.0003  # loading modules holds the interpreter's lock for 5 ms at a time: 50 blocks would wait for that
_Facts = tuple[int, int, int, int]

_begun: dict[_Facts, Future[str]] = {}


def begin(paths: Sequence[str | Path]) -> None:
    """Begin with the first path, if it is a file. Errors are left to the ingest, which opens it again."""
    with suppress(OSError, ValueError):  # a name with a NUL
        path = Path(next(iter(paths), ""))
        found = path.stat()
        if S_ISREG(found.st_mode) and found.st_size >= _WORTH_BYTES:
            future = _begun[_facts(found)] = Future()
            threading.Thread(target=_hash, args=(path, future), name="early sha256", daemon=True).start()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file: the one that was begun, if the file is still the same, or one made now."""
    if _begun:
        future = _begun.pop(_facts(path.stat()), None)
        if future is not None:
            with suppress(OSError):
                return future.result()
    return _made(path)


def _hash(path: Path, future: Future[str]) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        future.set_result(_made(path))
    except Exception as error:  # whatever it is: it comes again where the file is read
        future.set_exception(OSError(str(error)))
    finally:
        sys.setswitchinterval(before)


def _made(path: Path) -> str:
    with open_regular(path) as file:
        most = min(4 * MIB, os.fstat(file.fileno()).st_size + 1)  # it is cleared first: not 4 MiB for a small file
        return hashlib.file_digest(file, "sha256", _bufsize=most).hexdigest()


def _facts(found: os.stat_result) -> _Facts:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
