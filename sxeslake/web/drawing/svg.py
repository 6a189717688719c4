"""Small drawings made on the server: spectra and colour bars, for print and for browsers without scripts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from sxeslake.text.safe import visible
from sxeslake.web.drawing.png import palette

if TYPE_CHECKING:
    from sxeslake.web.scans import DrawnSpectra

_WIDTH: Final = 800
_HEIGHT: Final = 320
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 12, 12, 44
_INK: Final = "#808080"  # to be read on light and on dark ground
_CURVES: Final = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#7f7f7f",
)  # fmt: skip


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round values between two ends."""
    span = high - low
    if not span > 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(span / most))
    step *= next(each for each in (1, 2, 5, 10) if span / (step * each) <= most)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def short(value: float) -> str:
    """21490000 → `21.49M`, 5800 → `5.8K`: counts in little room."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{letter}"
    return f"{value:.4g}"


def spectra_svg(drawn: DrawnSpectra) -> str:
    """Curves with axes, units and legend."""
    x0, x1 = float(drawn.x[0]), float(drawn.x[-1])
    y0, y1 = min(0.0, float(np.nanmin(drawn.y))), float(np.nanmax(drawn.y)) or 1.0
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(value: float) -> float:
        return _LEFT + wide * (value - x0) / ((x1 - x0) or 1)

    def down(value: float) -> float:
        return _TOP + high * (1 - (value - y0) / ((y1 - y0) or 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{_INK}">',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{wide}" height="{high}" fill="none" stroke="{_INK}"/>',
    ]
    for value in ticks(x0, x1):
        at = across(value)
        parts.append(f'<path d="M{at:.1f} {_TOP + high}v5" stroke="{_INK}"/>')
        parts.append(f'<text x="{at:.1f}" y="{_TOP + high + 18}" text-anchor="middle">{value:g}</text>')
    for value in ticks(y0, y1, 5):
        at = down(value)
        parts.append(f'<path d="M{_LEFT - 5} {at:.1f}h5" stroke="{_INK}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{short(value)}</text>')
    middle = _LEFT + wide / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(drawn.axis.label)}</text>')
    for number, curve in enumerate(drawn.y):
        colour = _CURVES[number % len(_CURVES)]
        points = " ".join(f"{across(a):.1f},{down(b):.1f}" for a, b in _envelope(drawn.x, curve))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
        if len(drawn.y) > 1 and number < 12:
            name = escape(visible(drawn.rows[number].name)[:40])
            parts.append(
                f'<text x="{_WIDTH - _RIGHT - 6}" y="{_TOP + 16 + 14 * number}" fill="{colour}" '
                f'text-anchor="end">{name}</text>'
            )
    return "".join([*parts, "</svg>\n"])


def _envelope(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """A curve with as many points as the drawing has columns: of each column the least and the greatest value."""
    step = max(1, math.ceil(len(x) / (_WIDTH - _LEFT - _RIGHT)))
    points = []
    for start in range(0, len(x), step):
        part = y[start : start + step]
        if not np.isfinite(part).any():
            continue
        ends = sorted({int(np.nanargmin(part)), int(np.nanargmax(part))})
        points += [(float(x[start + at]), float(part[at])) for at in ends]
    return points


def scale_svg(ends: tuple[float, float], scale: str, colours: str, label: str) -> str:
    """A colour bar with its ends, its middle and its unit."""
    ramp = palette(colours)[1:]
    stops = "".join(
        f'<stop offset="{number / 16:.4f}" stop-color="#{ramp[round(number * 254 / 16)].tobytes().hex()}"/>'
        for number in range(17)
    )
    low, high = ends
    if scale == "log":
        middle = math.sqrt(low * high) if low > 0 else (low + high) / 2
    else:
        middle = low + (high - low) * (0.25 if scale == "sqrt" else 0.5)
    texts = "".join(
        f'<text x="{at}" y="34" text-anchor="{anchor}">{short(value)}</text>'
        for at, anchor, value in ((2, "start", low), (160, "middle", middle), (318, "end", high))
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 56" font-family="sans-serif" font-size="12" '
        f'fill="{_INK}"><defs><linearGradient id="c">{stops}</linearGradient></defs>'
        f'<rect x="2" y="2" width="316" height="16" fill="url(#c)" stroke="{_INK}"/>{texts}'
        f'<text x="160" y="50" text-anchor="middle">{escape(visible(label))}, {scale}</text></svg>\n'
    )
