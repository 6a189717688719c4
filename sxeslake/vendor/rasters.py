"""Maps: counts held against what their condition says, a free proof of type and order; exports as text; names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from .reading import text_bytes
from .records import ChannelRecord
from .texts import decode
from .tree import Tree

_MOST_BYTES = 512 << 20
_ENDS = ", ;\t\r\n\x1a"
_BETWEEN = re.compile(r"[,;\s]+")
_SHEARED = 2.0
"""Neighbours that differ twice as much as in the other order: a map of another order is sheared."""
_SMALLEST_SIDE = 8


def doubts(values: np.ndarray, check: Mapping[str, float], tolerance: Mapping[str, float]) -> Iterator[str]:
    """What speaks against counts in the order that is described: their condition, and how smooth they are."""
    if odd := disagreement(values, check, tolerance):
        yield odd
    if looks_sheared(values):
        yield "the counts are smoother with their axes exchanged; they are given as described"


def disagreement(values: np.ndarray, check: Mapping[str, float], tolerance: Mapping[str, float]) -> str:
    """What the condition says of the counts (`min`, `max`, `mean`) and they are not, or ''."""
    if not values.size:
        return ""
    if not np.isfinite(values).all():
        return "some of the counts are not numbers"
    with np.errstate(over="ignore"):
        found = {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean(dtype="f8"))}
    odd = [key for key, said in check.items() if not abs(found[key] - said) <= tolerance[key]]
    return "; ".join(f"the {key} of the counts is {found[key]:.6g}, the condition says {check[key]:.6g}" for key in odd)


def looks_sheared(values: np.ndarray) -> bool:
    """Whether the values are a smoother picture in the other order: rows as long as the columns are now."""
    if values.ndim != 2 or min(values.shape) < _SMALLEST_SIDE or values.shape[0] == values.shape[1]:
        return False
    with np.errstate(all="ignore"):  # any doubles may stand in a file
        here, other = (_roughness(values.reshape(shape)) for shape in (values.shape, values.shape[::-1]))
        return here > _SHEARED * other


def _roughness(values: np.ndarray) -> float:
    """How much a value differs from that above it, on average."""
    return float(np.mean([np.abs(np.subtract(low, high, dtype="f8")).mean() for high, low in _sampled(values)]))


def _sampled(values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Some pairs of neighbouring rows: of a large map, enough of them and no copy of it."""
    rows = range(0, len(values) - 1, max(1, len(values) // 256))
    return [(values[row], values[row + 1]) for row in rows]


def text_raster(tree: Tree, path: str, columns: int, rows: int, *, by_columns: bool) -> np.ndarray:
    """A raster that was exported as text, a line of numbers a row; ValueError where it is not this raster.

    With `by_columns`, as the instrument's own file has it: column by column.
    """
    if 2 * columns * rows > tree.sizes[path] + 1:
        raise ValueError(f"{columns} × {rows} numbers cannot be in {tree.sizes[path]:,} bytes")
    text = decode(text_bytes(tree, path, _MOST_BYTES)).text
    lines = [_BETWEEN.split(stripped) for line in text.splitlines() if (stripped := line.strip(_ENDS))]
    lengths = {len(words) for words in lines}
    if (len(lines), lengths) not in ((rows, {columns}), (columns, {rows})):
        raise ValueError(f"{len(lines):,} lines of numbers are not a raster of {columns} × {rows}")
    values = np.array(lines, "<f8")
    rows_first = len(lines) == rows
    return values if rows_first != by_columns else np.ascontiguousarray(values.T)


def named_apart(channels: Iterable[ChannelRecord]) -> tuple[ChannelRecord, ...]:
    """Channels whose names differ: two spectrometers may count one element."""
    channels = list(channels)
    often = Counter(channel.name for channel in channels)
    taken: Counter[str] = Counter()
    found = []
    for channel in channels:
        name = channel.name
        if often[name] > 1 and "spectrometer" in channel.info:
            name = f"{name} CH{channel.info['spectrometer']}"
        taken[name] += 1
        found.append(replace(channel, name=name if taken[name] == 1 else f"{name} ({taken[name]})"))
    return tuple(found)
