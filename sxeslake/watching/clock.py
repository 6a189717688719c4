"""The monotonic clock of a queue: it goes on from one process to the next, until the machine is started again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_TOLERANCE_S: Final = 30.0


def now() -> float:
    """Seconds since some moment in this boot; nobody sets this clock."""
    return time.monotonic()


def boot() -> str:
    """A word for this boot of the machine."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # no Linux: the moment of the boot, by the machine's own clock
        return f"{time.time() - time.monotonic():.1f}"


def is_same_boot(word: str | None, present: str) -> bool:
    """Whether the monotonic clock has gone on since `word` was written; in doubt it has not."""
    if word is None:
        return False
    if word == present:
        return True
    try:
        return abs(float(word) - float(present)) <= _TOLERANCE_S
    except ValueError:
        return False
