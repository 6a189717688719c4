"""Numbers, tables and names as people read them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sxeslake import texttable
from sxeslake.safetext import visible
from sxeslake.texttable import size

__all__ = ["count", "local_time", "percent", "shown", "size", "table"]


def count(number: int, one: str, many: str | None = None) -> str:
    """1, `archive` → `1 archive`; 12505, `file` → `12,505 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """64, 100 → `64 %`; nothing of nothing is `0 %`."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def shown(text: object) -> str:
    """A name in one line, without control characters: an archive's member names must not steer the terminal."""
    return visible(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], indent: int = 0) -> list[str]:
    """Aligned lines under a heading, in the width of the window that stdout is, after an indent."""
    columns = texttable.window(sys.stdout)
    lines = texttable.table(headings, rows, None if columns is None else columns - indent)
    return [" " * indent + line for line in lines] if indent else lines


def local_time(utc: str) -> str:
    """`2026-11-26T13:30:05Z` → `2026-11-26 14:30` on a clock of this place; what is no time stays as it is."""
    try:
        return datetime.fromisoformat(utc).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):  # a clock that no calendar holds
        return utc
