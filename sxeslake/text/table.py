"""Plain-text tables and lines that fit a window: aligned columns, folded cells, records under each other.

    table(("sample", "kV"), [("map", 5)], 80)    →  ["sample  kV", "map      5"]
    folded("stored     map@1  4.71 MB, …", 40)   →  lines of at most 40 columns, the later ones indented

Widths are those of a terminal: wide East Asian characters take two columns, combining marks none.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final, TextIO

from sxeslake.text.safe import visible

NARROWEST: Final = 20
"""Columns that a window has at least; below that nothing is readable anyway."""

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_GAP: Final = "  "
_NARROW_CELL: Final = 12  # a text column is folded down to this, then records stand under each other
_MOST_HANGING: Final = 0.4  # of the window: how far the later lines of a folded line are indented
_DATE = re.compile(r"\d{4}-\d\d-\d\d\b")
_WORD = re.compile(r" *[^ ]+")
_BREAKS = re.compile(r"[^/_@,;·-]*[/_@,;·-]+|[^/_@,;·-]+")  # where a long word may end: behind a separator


def size(count: int) -> str:
    """1257190 → `1.26 MB`; 999 → `999 B`."""
    value, place = float(count), 0
    while value >= 999.5 and place < len(_UNITS) - 1:
        value, place = value / 1000, place + 1
    if place == 0:
        return f"{count} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[place]}"


def window(stream: TextIO) -> int | None:
    """Columns that lines on a stream may take: $COLUMNS, else the terminal's; None for a file or a pipe."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return max(int(columns), NARROWEST)
    return terminal_width(stream)


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal behind a stream; None where there is none."""
    try:
        if not stream.isatty():
            return None
        return max(os.get_terminal_size(stream.fileno()).columns or 80, NARROWEST)
    except (OSError, ValueError):  # closed, or a terminal without a size
        return 80


def width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_sign_width, text))


def _sign_width(sign: str) -> int:
    return 0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def shortened(text: str, columns: int) -> str:
    """A path or name in at most so many columns, its middle replaced by `…`."""
    if width(text) <= columns:
        return text
    head, tail = text, text
    left = (columns - 1) // 3
    while width(head) > left:
        head = head[:-1]
    while width(tail) > columns - 1 - left:
        tail = tail[1:]
    return f"{head}…{tail}"


def folded(line: str, columns: int) -> list[str]:
    """A line as lines of at most so many columns; later ones are indented to where the first one's text begins."""
    if width(line) <= columns:
        return [line]
    indent = " " * _hanging(line, columns)
    lines: list[str] = []
    now = ""
    for word in _WORD.findall(line.rstrip()):
        fits_alone = len(indent) + width(word.lstrip()) <= columns
        if now and width(now) + width(word) > columns and fits_alone:
            lines.append(now)
            now = ""
        fresh = now or (indent if lines else "") + (word.lstrip() if lines else word)
        now = now + word if now else fresh
        while width(now) > columns:
            start, now = _cut(now, columns)
            lines.append(start)
            now = indent + now
    return [*lines, now]


def folded_text(text: str, columns: int | None) -> str:
    """Several lines, each folded; as they are where no width is given."""
    if columns is None:
        return text
    return "\n".join(part for line in text.expandtabs().split("\n") for part in folded(line, columns))


def _hanging(line: str, columns: int) -> int:
    """Where the text behind a line's labels begins: `stored     map@1  4.71 MB` → behind the last early gap."""
    most = int(columns * _MOST_HANGING)
    gaps = [match.end() for match in re.finditer(r"(?<=\S) {2,}|^ +", line) if match.end() <= most]
    return gaps[-1] if gaps else 2


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], columns: int | None = None) -> list[str]:
    """Aligned lines under a heading; columns of numbers and sizes stand right.

    In a window of so many columns, texts are folded; where that does not do, records stand under each other.
    """
    right = [bool(rows) and all(_is_numeric(row[i]) for row in rows) for i in range(len(headings))]
    cells = [[_cell(cell) for cell in row] for row in rows]
    dates = [bool(rows) and all(_DATE.match(row[i]) or not row[i] for row in cells) for i in range(len(headings))]
    fixed = [one or other for one, other in zip(right, dates, strict=True)]
    return text_table(headings, cells, right, columns, fixed)


def text_table(
    headings: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    columns: int | None = None,
    fixed: Sequence[bool] | None = None,
) -> list[str]:
    """The same of texts, with the columns that stand `right`, and those that are never folded, by default the same."""
    widths = fitting(headings, cells, right if fixed is None else fixed, columns)
    return records(headings, cells, columns) if widths is None else _aligned([headings, *cells], widths, right)


def fitting(
    headings: Sequence[str], cells: Sequence[Sequence[str]], fixed: Sequence[bool], columns: int | None
) -> list[int] | None:
    """The width of each column in a window of so many columns; None where they do not stand beside each other."""
    everything = [headings, *cells]
    widths = [max(width(row[i]) for row in everything) for i in range(len(headings))]
    excess = 0 if columns is None else sum(widths) + len(_GAP) * (len(widths) - 1) - columns
    least = [
        full if is_fixed else min(full, max(_NARROW_CELL, width(heading)))
        for full, heading, is_fixed in zip(widths, headings, fixed, strict=True)
    ]
    if excess > sum(widths) - sum(least):
        return None
    for _ in range(max(0, excess)):  # the widest of those that can be folded gives way
        place = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: widths[i])
        widths[place] -= 1
    return widths


def records(headings: Sequence[str], cells: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Each row as lines `heading  value`, without empty values, an empty line between rows."""
    label = max(map(width, headings), default=0)
    lines: list[str] = []
    for row in cells:
        if lines:
            lines.append("")
        for heading, cell in zip(headings, row, strict=True):
            if cell:
                line = f"{_pad(heading, label, False)}{_GAP}{cell}"
                lines += [line] if columns is None else folded(line, columns)
    return lines


def _aligned(rows: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    """Lines of columns that are as wide as their folded cells are."""
    folded_rows = [[_cell_lines(cell, columns) for cell, columns in zip(row, widths, strict=True)] for row in rows]
    tight = [max(width(line) for row in folded_rows for line in row[i]) for i in range(len(widths))]
    return [line for row in folded_rows for line in _row_lines(row, tight, right)]


def _row_lines(row: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    for i in range(max(map(len, row), default=0)):
        texts = [lines[i] if i < len(lines) else "" for lines in row]
        padded = (_pad(text, columns, side) for text, columns, side in zip(texts, widths, right, strict=True))
        yield _GAP.join(padded).rstrip()


def _cell_lines(text: str, columns: int) -> list[str]:
    """A cell's text in lines of so many columns: broken at blanks, else behind separators, else anywhere."""
    if width(text) <= columns:
        return [text]
    lines, now = [], ""
    for word in _WORD.findall(text):
        for part in [word] if width(word.lstrip()) <= columns else _BREAKS.findall(word):
            if now and width(now) + width(part) > columns:
                lines.append(now)
                now = ""
            now += part if now else part.lstrip()
            while width(now) > columns:
                start, now = _cut(now, columns)
                lines.append(start)
    return [*lines, now] if now else lines


def _cut(text: str, columns: int) -> tuple[str, str]:
    """The part that so many columns hold, and the rest; behind a separator where one is near the end."""
    end, used = 0, 0
    while end < len(text) and used + _sign_width(text[end]) <= columns:
        used += _sign_width(text[end])
        end += 1
    near = max(text.rfind(sign, end - columns // 4, end) for sign in "/_-,;") + 1
    end = near if near > 0 else max(end, 1)
    return text[:end], text[end:]


def _cell(value: Any) -> str:
    return visible("" if value is None else f"{value:,}" if type(value) is int else value)


def _is_numeric(cell: object) -> bool:
    return isinstance(cell, int) or cell is None or (str(cell).endswith(("B", "%")) and str(cell)[:1].isdigit())


def _pad(text: str, columns: int, at_right: bool) -> str:
    space = " " * (columns - width(text))
    return space + text if at_right else text + space
