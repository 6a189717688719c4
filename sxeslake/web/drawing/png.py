"""Maps as indexed PNG: one byte a cell, 255 colours, and one that is transparent where nothing was measured."""

from __future__ import annotations

import struct
import zlib
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["linear", "log", "sqrt"]
SCALES: Final = ("linear", "log", "sqrt")
PALETTES: Final = ("viridis", "grey")
_ANCHORS: Final = {
    "viridis": (
        (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
        (170, 220, 50), (253, 231, 37),
    ),
    "grey": ((20, 20, 20), (245, 245, 245)),
}  # fmt: skip
_COLOURS: Final = 255


def palette(name: str) -> NDArray[np.uint8]:
    """256 colours, uint8 (256, 3); the first is not used, as it is transparent."""
    anchors = np.array(_ANCHORS[name], np.float64)
    at = np.linspace(0, len(anchors) - 1, _COLOURS)
    ramp = np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, part]) for part in range(3)], axis=1)
    return np.concatenate([np.zeros((1, 3)), np.rint(ramp)]).astype(np.uint8)


def limits(values: NDArray[np.float64], scale: str, low: float | None, high: float | None) -> tuple[float, float]:
    """The values at both ends of the colours: as given, else the least and the greatest that the scale can show."""
    known = values[np.isfinite(values) & (values > 0 if scale == "log" else True)]
    least = float(known.min()) if known.size else 1.0
    most = float(known.max()) if known.size else 10.0
    low = least if low is None or (scale == "log" and low <= 0) else low
    high = most if high is None else high
    return (low, high) if low < high else (low, low + (abs(low) * 0.01 or 1.0))


def indices(values: NDArray[np.float64], scale: str, ends: tuple[float, float]) -> NDArray[np.uint8]:
    """Colours of values, uint8 of their shape: 1 to 255, 0 where there is no value."""
    low, high = ends
    with np.errstate(invalid="ignore", divide="ignore"):
        if scale == "log":
            share = (np.log(values) - np.log(low)) / (np.log(high) - np.log(low))
            share = np.where(values > 0, share, np.nan)
        elif scale == "sqrt":
            share = np.sqrt(np.clip((values - low) / (high - low), 0, 1))
        else:
            share = (values - low) / (high - low)
    numbers = np.clip(np.nan_to_num(share, nan=0.0), 0, 1) * (_COLOURS - 1) + 1
    return np.where(np.isfinite(share), np.rint(numbers), 0).astype(np.uint8)


def png(pixels: NDArray[np.uint8], colours: str) -> bytes:
    """An indexed PNG of uint8 (height, width), the first row at the top."""
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels
    return b"".join([
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", palette(colours).tobytes()),
        _chunk(b"tRNS", b"\0"),
        _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
        _chunk(b"IEND", b""),
    ])  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
