"""Numbers, tables and names as people read them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from sxeslake.safetext import visible

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(count: int) -> str:
    """1257190 → `1.26 MB`; 999 → `999 B`."""
    value, place = float(count), 0
    while value >= 999.5 and place < len(_UNITS) - 1:
        value, place = value / 1000, place + 1
    if place == 0:
        return f"{count} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[place]}"


def count(number: int, one: str, many: str | None = None) -> str:
    """1, `archive` → `1 archive`; 12505, `file` → `12,505 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """64, 100 → `64 %`; nothing of nothing is `0 %`."""
    return f"{100 * part / whole:.0f} %" if whole else "0 %"


def shown(text: object) -> str:
    """A name in one line, without control characters: an archive's member names must not steer the terminal."""
    return visible(text)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Aligned lines under a heading; columns of numbers and sizes stand right."""
    cells = [
        [shown("" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell) for cell in row] for row in rows
    ]
    right = [bool(rows) and all(_is_numeric(row[i]) for row in rows) for i in range(len(headings))]
    widths = [max(_width(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
    return [
        "  ".join(
            _pad(cell, width, at_right) for cell, width, at_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [list(headings), *cells]
    ]


def _is_numeric(cell: object) -> bool:
    return isinstance(cell, int) or cell is None or (str(cell).endswith(("B", "%")) and str(cell)[:1].isdigit())


def _width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int, at_right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if at_right else text + space
