"""Pictures as text: a quick look in a terminal, without matplotlib.

Spectra are drawn in braille, maps in half blocks of 256 colours; where the encoding or the terminal has neither, in
plain ASCII.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.pictures import CcdPicture, MapPicture, Picture, SpectrumPicture, StagePicture
from sxeslake.text.table import folded, shortened

_LEAST: Final = 20
_BRAILLE: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille sign, from top to bottom, left and right."""
_SHADES: Final = " .:-=+*#%@"
_BLOCK_SHADES: Final = " ░▒▓█"
_VIRIDIS: Final = (53, 54, 60, 61, 24, 30, 36, 35, 41, 77, 113, 149, 185, 184, 226)
"""Viridis in the colours that every terminal of 256 colours has."""
_LINES: Final = (39, 208, 36, 175, 250, 214, 117, 245)
_GREY: Final = 240
_MARKS: Final = "o+x*#@%&"


@dataclass(frozen=True, slots=True)
class Screen:
    """What a terminal can show."""

    columns: int = 80
    rows: int = 24
    blocks: bool = True  # whether its encoding has braille and blocks
    colours: bool = False  # whether it shows 256 colours


def text(picture: Picture, screen: Screen) -> list[str]:
    """A picture as lines that fit the screen's width."""
    width = max(screen.columns, _LEAST)
    head = [picture.heading.title, picture.heading.condition]
    match picture:
        case SpectrumPicture():
            body = _spectrum(picture, width, screen)
        case MapPicture():
            body = _map(picture, width, screen)
        case StagePicture():
            body = _stage(picture, width, screen)
        case CcdPicture():
            body = _ccd(picture, width, screen)
    lines = [line for said in head if said for line in folded(said, width)]
    lines += body
    lines += folded(picture.heading.note, width) if picture.heading.note else []
    return lines if screen.blocks else [_plain(line) for line in lines]


def _plain(line: str) -> str:
    """ASCII for encodings that lack the signs."""
    table = str.maketrans(
        {
            **dict(zip("Åµ–…×αβγζη", "Au-~xabgzn", strict=True)),
            "±": "+-",
            "√": "sqrt",
        }
    )
    return line.translate(table).encode("ascii", "replace").decode("ascii")


def _coloured(sign: str, colour: int | None, screen: Screen) -> str:
    return f"\x1b[38;5;{colour}m{sign}\x1b[0m" if screen.colours and colour is not None and sign != " " else sign


def _height(screen: Screen, other: int) -> int:
    return max(5, min(screen.rows, 40) - other)


class _Canvas:
    """Dots of a plot: braille has 2 × 4 in a cell, ASCII one."""

    def __init__(self, columns: int, rows: int, screen: Screen) -> None:
        self.columns, self.rows, self._screen = columns, rows, screen
        self.dot_columns, self.dot_rows = (columns * 2, rows * 4) if screen.blocks else (columns, rows)
        self._dots = np.zeros((self.dot_rows, self.dot_columns), bool)
        self._colours: dict[tuple[int, int], int] = {}
        self._signs: dict[tuple[int, int], str] = {}

    def vertical(self, column: int, low: int, high: int, number: int) -> None:
        """Set the dots of a column from one row to another."""
        low, high = max(0, min(low, high)), min(self.dot_rows - 1, max(low, high))
        self._dots[low : high + 1, column] = True
        per_row, per_column = self.dot_rows // self.rows, self.dot_columns // self.columns
        for row in range(low // per_row, high // per_row + 1):
            cell = (row, column // per_column)
            self._colours[cell] = _LINES[number % len(_LINES)]
            self._signs[cell] = "." if number == 0 else _MARKS[(number - 1) % len(_MARKS)]

    def lines(self) -> list[str]:
        """The rows, from the top."""
        return ["".join(self._cell(row, column) for column in range(self.columns)) for row in range(self.rows)]

    def _cell(self, row: int, column: int) -> str:
        if not self._screen.blocks:
            return _coloured(self._signs.get((row, column), " "), self._colours.get((row, column)), self._screen)
        bits = sum(_BRAILLE[y][x] for y in range(4) for x in range(2) if self._dots[row * 4 + y, column * 2 + x])
        sign = chr(0x2800 + bits) if bits else " "
        return _coloured(sign, self._colours.get((row, column)), self._screen)


def _spectrum(picture: SpectrumPicture, width: int, screen: Screen) -> list[str]:
    low = min(float(np.nanmin(curve.y)) for curve in picture.curves)
    high = max(float(np.nanmax(curve.y)) for curve in picture.curves)
    high = high if high > low else low + 1.0
    left = min(float(curve.x.min()) for curve in picture.curves)
    right = max(float(curve.x.max()) for curve in picture.curves)
    right = right if right > left else left + 1.0
    labels = (_number(high), _number(low))
    margin = max(map(len, labels)) + 1
    several = len(picture.curves) > 1
    legend = [shortened(curve.label, width - 2) for curve in picture.curves] if several else []
    canvas = _Canvas(max(8, width - margin - 1), _height(screen, 8 + len(legend) + bool(picture.bands)), screen)
    for number, curve in enumerate(picture.curves):
        columns = np.clip(((curve.x - left) / (right - left) * canvas.dot_columns).astype(int), 0,
                          canvas.dot_columns - 1)  # fmt: skip
        heights = (curve.y - low) / (high - low)
        rows = canvas.dot_rows - 1 - np.rint(heights * (canvas.dot_rows - 1)).astype(int)
        before: int | None = None
        for column in range(canvas.dot_columns):
            inside = rows[columns == column]
            if not inside.size:
                continue
            top, bottom = int(inside.min()), int(inside.max())
            if before is not None:  # no gap to the column before
                top, bottom = (min(top, before + 1), bottom) if before < top else (top, max(bottom, before - 1))
            canvas.vertical(column, top, bottom, number)
            before = int(np.median(inside))
    lines = [f"{picture.y_label}"]
    drawn = canvas.lines()
    bar = "│" if screen.blocks else "|"
    for row, line in enumerate(drawn):
        label = labels[0] if row == 0 else labels[1] if row == len(drawn) - 1 else ""
        lines.append(f"{label:>{margin - 1}} {bar}{line.rstrip()}")
    lines += _marked(picture, left, right, margin, canvas.columns)
    ends = (_number(left), _number(right))
    lines.append(" " * margin + _spread(ends[0], picture.x_label, ends[1], canvas.columns + 1))
    for number, label in enumerate(legend):
        sign = ("⣿" if screen.colours else "⠿") if screen.blocks else ("." if number == 0 else _MARKS[(number - 1) % 8])
        lines.append(f"{_coloured(sign, _LINES[number % len(_LINES)], screen)} {label}")
    return lines if several else [*lines, shortened(picture.curves[0].label, width)]


def _marked(picture: SpectrumPicture, left: float, right: float, margin: int, columns: int) -> list[str]:
    """Lines of elements below the axis, as far as they do not overlap."""
    lines: list[list[str]] = []
    for band in picture.bands:
        label = f"^{band.label}"
        at = int((min(max((band.low + band.high) / 2, left), right) - left) / (right - left) * columns)
        at = max(0, min(at, columns - len(label)))
        for cells in [*lines, [" "] * (columns + 1)]:
            if all(sign == " " for sign in cells[max(0, at - 1) : at + len(label) + 1]):
                cells[at : at + len(label)] = label
                if not any(cells is line for line in lines):
                    lines.append(cells)
                break
    return [" " * (margin + 1) + "".join(cells).rstrip()[:columns] for cells in lines]


def _map(picture: MapPicture, width: int, screen: Screen) -> list[str]:
    low, high = picture.limits
    shares = _scaled(picture.values, low, high, picture.scale)[::-1]  # the highest row of the stage on top
    aspect = picture.step_y_um / picture.step_x_um
    lines = _image(shares, width, screen, aspect)
    return [*lines, *folded(f"{picture.label.replace(chr(10), ', ')}: {_number(low)} {_ramp(screen)} {_number(high)}"
                            f"; {picture.values.shape[1]} × {picture.values.shape[0]} steps of "
                            f"{picture.step_x_um:.3g} × {picture.step_y_um:.3g} µm", width)]  # fmt: skip


def _ramp(screen: Screen) -> str:
    if screen.colours and screen.blocks:
        return "dark to bright"
    return f"[{_BLOCK_SHADES if screen.blocks else _SHADES}]"


def _scaled(values: NDArray[Any], low: float, high: float, scale: str) -> NDArray[np.float64]:
    """Values as shares of the colours, 0 to 1; NaN stays."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (np.asarray(values, np.float64) - low) / (high - low)
        if scale == "log":
            shares = np.log(np.asarray(values, np.float64) / low) / math.log(high / low)
        shares = np.clip(shares, 0, 1)
        return np.sqrt(shares) if scale == "sqrt" else shares


def _resized(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """Nearest where it grows, the highest of a block where it shrinks: a narrow line stays visible."""
    found = np.full((rows, columns), np.nan)
    edges_y = np.linspace(0, values.shape[0], rows + 1)
    edges_x = np.linspace(0, values.shape[1], columns + 1)
    for row in range(rows):
        top = int(edges_y[row])
        lines = values[top : max(top + 1, math.ceil(edges_y[row + 1]) if rows < values.shape[0] else top + 1)]
        highest = np.fmax.reduce(lines, axis=0)
        for column in range(columns):
            left = int(edges_x[column])
            end = max(left + 1, int(edges_x[column + 1])) if columns < values.shape[1] else left + 1
            found[row, column] = np.fmax.reduce(highest[left:end])
    return found


def _image(shares: NDArray[np.float64], width: int, screen: Screen, aspect: float) -> list[str]:
    """An image in half blocks of colour (a pixel is a square), else in shades (a cell is twice as high as wide)."""
    rows, columns = shares.shape
    halves = 2 if screen.colours and screen.blocks else 1
    most_rows = _height(screen, 6) * halves
    stretch = aspect * halves / 2  # rows of the text a column, for equal lengths
    scale = min(width / columns, most_rows / (rows * stretch))
    if scale > 1 and scale * columns >= 2 * columns:
        scale = float(math.floor(scale))
    shape = (max(1, round(rows * stretch * scale)), max(1, min(width, round(columns * scale))))
    pixels = _resized(shares, min(shape[0], most_rows), shape[1])
    if halves == 1:
        signs = _BLOCK_SHADES if screen.blocks else _SHADES
        return ["".join(_shade(value, signs) for value in line).rstrip() for line in pixels]
    if len(pixels) % 2:
        pixels = np.vstack([pixels, np.full((1, pixels.shape[1]), -1.0)])
    lines = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        cells = [f"\x1b[38;5;{_colour(a)}{'' if b == -1 else f';48;5;{_colour(b)}'}m▀"
                 for a, b in zip(upper, lower, strict=True)]  # fmt: skip
        lines.append("".join(cells) + "\x1b[0m")
    return lines


def _colour(share: float) -> int:
    return _GREY if math.isnan(share) else _VIRIDIS[min(len(_VIRIDIS) - 1, int(share * len(_VIRIDIS)))]


def _shade(share: float, signs: str) -> str:
    return "?" if math.isnan(share) else signs[min(len(signs) - 1, int(share * len(signs)))]


def _stage(picture: StagePicture, width: int, screen: Screen) -> list[str]:
    x = np.concatenate([places.x_mm for places in picture.places])
    y = np.concatenate([places.y_mm for places in picture.places])
    left, right, low, high = float(x.min()), float(x.max()), float(y.min()), float(y.max())
    margin = max(len(_number(low)), len(_number(high))) + 1
    columns, rows = max(8, width - margin - 1), _height(screen, 6 + len(picture.places))
    # equal lengths: a cell is twice as high as wide
    step = max((right - left) / max(1, columns - 4), (high - low) / (2 * max(1, rows - 1)), 1e-6)
    used = max(1, min(rows, math.ceil((high - low) / (2 * step)) + 1))
    cells = [[" "] * columns for _ in range(used)]
    for number, places in enumerate(picture.places):
        sign = _coloured(_MARKS[number % len(_MARKS)], _LINES[number % len(_LINES)], screen)
        at_rows = np.clip(np.rint((high - places.y_mm) / (2 * step)).astype(int), 0, used - 1)
        at_columns = np.clip(np.rint((places.x_mm - left) / step).astype(int), 0, columns - 1)
        for row, column in zip(at_rows, at_columns, strict=True):
            cells[row][column] = sign
    bar = "│" if screen.blocks else "|"
    lines = ["stage y (mm)"]
    for row, signs in enumerate(cells):
        label = _number(high) if row == 0 else _number(low) if row == used - 1 else ""
        lines.append(f"{label:>{margin - 1}} {bar}{''.join(signs).rstrip()}")
    drawn = columns if right > left else 16
    lines.append(" " * margin + _spread(_number(left), "stage x (mm)", _number(right), drawn))
    for number, places in enumerate(picture.places):
        sign = _coloured(_MARKS[number % len(_MARKS)], _LINES[number % len(_LINES)], screen)
        lines.append(f"{sign} {shortened(places.label, width - 2)}")
    return lines


def _ccd(picture: CcdPicture, width: int, screen: Screen) -> list[str]:
    low, high = float(picture.values.min()), float(picture.values.max())
    shares = _scaled(picture.values, low, high if high > low else low + 1.0, "sqrt")
    halves = 2 if screen.colours and screen.blocks else 1
    rows, columns = shares.shape
    lines = _image(shares, width, screen, aspect=2 / halves * min(width, columns) ** -1 * columns)
    count = int(np.count_nonzero(picture.saturated))
    said = f"{columns:,} columns, {rows} rows; counts: {_number(low)} {_ramp(screen)} {_number(high)} (√)"
    return [*lines, *folded(said, width), *([f"saturated: {count:,} pixels"] if count else [])]


def _spread(left: str, middle: str, right: str, columns: int) -> str:
    """Three words across a line; the middle one goes where there is no room."""
    space = columns - len(left) - len(right)
    if space < len(middle) + 2:
        return f"{left} {middle} {right}"[: max(columns, len(left))]
    return left + f"{middle:^{space}}" + right


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
