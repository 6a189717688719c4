"""Which cache files were proved by their hash and have not been touched since.

Reading a cache of a large lake through costs seconds, so a file that was proved once is believed while nothing about
it has changed: inode, size, and the times of the last write and of the last change of any kind, of which users cannot
set the latter. The kernel's boot id stands beside them, because a power cut can lose what a file's times promise.
Small files are proved each time. A note that is lost or wrong costs a proof, no more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from sxeslake.model import MIB
from sxeslake.vault.local import private

SMALL_BYTES: Final = 4 * MIB
"""Files that are proved each time: that takes some milliseconds."""
_TICK_NS: Final = 20_000_000  # times of files have the grain of the kernel's clock: 10 ms at most
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

Stamp = list[list[int] | None]
"""Of each file inode, size and times; None for one that is not there."""


class Proofs:
    """The notes of one folder, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, name: str, files: Sequence[Path]) -> bool:
        """Whether some files are large and untouched since they were noted under a name."""
        found = stamp(files)
        return _is_large(found) and boot_id() is not None and self._noted().get(name) == found

    def note(self, proved: Mapping[str, Sequence[Path]]) -> None:
        """Note that the files under each name are as they should be; small ones are passed over."""
        stamps = {name: found for name, files in proved.items() if _is_large(found := _settled(files))}
        if not stamps or boot_id() is None:
            return
        with suppress(OSError):
            before = {name: found for name, found in self._noted().items() if (self._path.parent / name).exists()}
            private.replace(self._path, json.dumps({"boot": boot_id(), "stamps": before | stamps}).encode())

    def _noted(self) -> dict[str, Stamp]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            document = json.loads(self._path.read_bytes())
            if document["boot"] == boot_id():
                return dict(document["stamps"])
        return {}


def stamp(files: Sequence[Path]) -> Stamp:
    """What is seen of some files without reading them."""
    return [_facts(path) for path in files]


def _facts(path: Path) -> list[int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return [facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]


def _is_large(found: Stamp) -> bool:
    return sum(facts[1] for facts in found if facts is not None) >= SMALL_BYTES


def _settled(files: Sequence[Path]) -> Stamp:
    """The stamp, once a later change is sure to show in the times."""
    found = stamp(files)
    if _is_large(found) and max(facts[3] for facts in found if facts is not None) > time.time_ns() - _TICK_NS:
        time.sleep(_TICK_NS / 1e9)
        found = stamp(files)
    return found


@cache
def boot_id() -> str | None:
    """Which run of the kernel this is; None where that cannot be had: then everything is proved each time."""
    try:
        return _BOOT_ID.read_text().strip() or None
    except OSError:
        return None
