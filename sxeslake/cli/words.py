"""Numbers, tables and names as people read them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sxeslake.text import table as texttable
from sxeslake.text.safe import visible
from sxeslake.text.table import size

__all__ = ["clock", "count", "local_time", "numbers", "percent", "shown", "size", "table", "texts"]

_FEW = 3
"""Values that are listed one by one."""


def count(number: int, one: str, many: str | None = None) -> str:
    """1, `archive` → `1 archive`; 12505, `file` → `12,505 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """4321 → `1 h 12 min`; 40 → `40 s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def percent(part: int, whole: int) -> str:
    """64, 100 → `64 %`; nothing of nothing is `0 %`."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def kept_of_output(*, to_stdout: bool) -> str:
    """What an interruption leaves of an output that is written in one step, or to stdout as it comes."""
    left = "The output is not complete" if to_stdout else "Nothing half-written is left"
    return f"{left}; run the same command again."


def shown(text: object) -> str:
    """A name in one line, without control characters: an archive's member names must not steer the terminal."""
    return visible(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Aligned lines under a heading, without empty columns, in the width of the window that stdout is."""
    there = [n for n in range(len(headings)) if not rows or any(row[n] not in (None, "") for row in rows)]
    cells = [[row[n] for n in there] for row in rows]
    return texttable.table([headings[n] for n in there], cells, texttable.window(sys.stdout))


def clock(time: datetime) -> str:
    """`2026-11-26 14:30`."""
    return time.strftime("%Y-%m-%d %H:%M")


def numbers(found: Iterable[float | None], unit: str) -> str:
    """The different values that occur: `5 kV`; `5, 15 kV`; of more than three `5..15 kV`."""
    there = sorted({float(f"{value:.5g}") for value in found if value is not None})
    if not there:
        return ""
    texts = [f"{value:g}" for value in (there if len(there) <= _FEW else (there[0], there[-1]))]
    return (", " if len(there) <= _FEW else "..").join(texts) + unit


def texts(found: Iterable[str | None]) -> str:
    """The different texts that occur, the first three of them."""
    there = list(dict.fromkeys(text for text in found if text))
    return ", ".join(there[:_FEW]) + (", …" if len(there) > _FEW else "")


def local_time(utc: datetime) -> str:
    """`2026-11-26T13:30:05Z` → `2026-11-26 14:30` on a clock of this place."""
    try:
        return clock(utc.astimezone())
    except (OverflowError, OSError):  # a time that this place's calendar does not hold
        return str(utc)
