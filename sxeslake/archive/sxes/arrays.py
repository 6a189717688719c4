"""Spectra as numpy arrays: layouts, the signal window, saturation, background, and what can be derived.

Every array of stored bytes is a read-only view of them; copy it to change it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.sxes.documents.fields import ConditionFields
from sxeslake.errors import DamagedArchiveError, UsageError

XES_ROWS: Final = 17  # 16 rows of signal and one of about one frame
XES_COLUMNS: Final = 2049  # 2,048 columns of signal and one of about one frame
XES_BYTES: Final = XES_ROWS * XES_COLUMNS * 4
FULL_SCALE: Final = 65_535  # one frame of a 16-bit camera
_BACKGROUND_HEADER_BYTES: Final = 12
_BACKGROUND_TRAILER_BYTES: Final = 12

QLW_CHANNELS: Final = 4095
_QLW_COLUMN: Final = (0.85040, 3480.72942, -3338.31621, 3319.41669, -1415.41133)
"""Coefficients of the camera column over u = j/4094, fitted on archives without background correction."""

_UNCORRECTED: Final = 1e-5
"""Relative difference up to which a stored qlw counts as derived from its xes."""

DERIVED_AXIS_SETTING: Final = ("XES300N", "JS300N")
DERIVED_AXIS_ANGSTROM: Final = (14.976, 0.032455)
"""λ(j) fitted to orders 1–4 of O K and N K; residual ≤ 0.21 Å, 2.6 eV at N K."""
DERIVED_AXIS_RESIDUAL_ANGSTROM: Final = 0.21


def xes_array(raw: bytes, condition: ConditionFields | None = None, where: object = None) -> NDArray[np.uint32]:
    """`xes.data` as uint32 (rows, columns + 1), (17, 2049) for the usual camera setting.

    Raises DamagedArchiveError when the size fits neither the condition's bins nor the usual setting.
    """
    for rows, columns in _shapes(condition):
        if len(raw) == rows * columns * 4:
            return np.frombuffer(raw, "<u4").reshape(rows, columns)
    wanted = " or ".join(f"{rows} × {columns}" for rows, columns in _shapes(condition))
    raise DamagedArchiveError(f"{len(raw)} bytes are not uint32 {wanted}", where=where)


def qlw_array(raw: bytes, where: object = None) -> NDArray[np.float64]:
    """`qlw.data` as float64 (4095,)."""
    if len(raw) % 8:
        raise DamagedArchiveError(f"{len(raw)} bytes are not a row of float64", where=where)
    return np.frombuffer(raw, "<f8")


def background_array(raw: bytes, where: object = None) -> NDArray[np.uint32]:
    """A background as uint32 (17, 2049): about one frame. Header and trailer of 12 bytes are left out."""
    body = len(raw) - _BACKGROUND_HEADER_BYTES - _BACKGROUND_TRAILER_BYTES
    columns = int(np.frombuffer(raw[:12], "<u4")[1]) if len(raw) >= 12 else 0
    if body <= 0 or columns == 0 or body % (columns * 4):
        raise DamagedArchiveError(f"{len(raw)} bytes are not a background of rows of {columns} uint32", where=where)
    return np.frombuffer(raw, "<u4", body // 4, _BACKGROUND_HEADER_BYTES).reshape(-1, columns)


def background_bytes(frame: NDArray[np.integer]) -> bytes:
    """A background file from uint32 (rows, columns): header (0, columns, 0), the frame, an empty trailer."""
    header = np.array([0, frame.shape[1], 0], "<u4").tobytes()
    return header + np.ascontiguousarray(frame, "<u4").tobytes() + bytes(_BACKGROUND_TRAILER_BYTES)


def signal(xes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The window that holds signal: all but the last row and column, (16, 2048)."""
    return xes[:-1, :-1]


def saturated(xes: NDArray[np.uint32], accumulation: int) -> NDArray[np.bool_]:
    """Where the signal stands at full scale in every frame: 655,350 for 10 frames; bool (16, 2048)."""
    return signal(xes) >= accumulation * FULL_SCALE


def background_corrected(
    xes: NDArray[np.uint32], background: NDArray[np.uint32], accumulation: int, where: object = None
) -> NDArray[np.int64]:
    """Signal minus `accumulation` × background, exact: int64 (16, 2048), negative where noise makes it so."""
    if xes.shape != background.shape:
        raise DamagedArchiveError(f"a background of {background.shape} does not fit xes of {xes.shape}", where=where)
    return signal(xes).astype(np.int64) - accumulation * signal(background).astype(np.int64)


def column_sum(window: NDArray[np.integer]) -> NDArray[np.int64]:
    """The spectrum of a signal window (16, 2048): each column summed over all rows, int64 (2048,)."""
    totals: NDArray[np.int64] = window.sum(axis=0, dtype=np.int64)
    return totals


def sum_bytes(xes: NDArray[np.uint32]) -> bytes:
    """What the format's writer makes as `sum.data`: the low byte of each column's sum over all rows."""
    totals: NDArray[np.uint32] = xes[:, :-1].sum(axis=0, dtype=np.uint32)
    return (totals & 0xFF).astype(np.uint8).tobytes()


def qlw_columns() -> NDArray[np.float64]:
    """The camera column, fractional, that each of the 4095 qlw channels is read at (setting XES300N, JS300N)."""
    u = np.arange(QLW_CHANNELS) / (QLW_CHANNELS - 1)
    columns = np.zeros_like(u)
    for coefficient in reversed(_QLW_COLUMN):
        columns = columns * u + coefficient
    return columns


def qlw_from_xes(window: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.float64]:
    """The qlw spectrum derived from a signal window (16, 2048): row sums, interpolated at `qlw_columns`.

    Reproduces a stored qlw without background correction to 1e-6, but for the last two channels, which lie
    beyond column 2047.
    """
    totals: NDArray[np.float64] = window.sum(axis=0, dtype=np.float64)
    spectrum: NDArray[np.float64] = np.interp(qlw_columns(), np.arange(totals.size), totals)
    return spectrum


def is_uncorrected(qlw: NDArray[np.float64], window: NDArray[np.integer]) -> bool | None:
    """Whether a qlw is what `qlw_from_xes` makes of the signal window, within 1e-5; None for other sizes."""
    if qlw.shape != (QLW_CHANNELS,) or window.shape[1] != XES_COLUMNS - 1:
        return None
    inside = slice(None, -2)  # the last two lie beyond the camera
    derived = qlw_from_xes(window)[inside]
    allowed = _UNCORRECTED * np.maximum(np.abs(derived), 1.0)
    return bool(np.all(np.abs(qlw[inside] - derived) <= allowed))


def derived_wavelength_angstrom(condition: ConditionFields) -> NDArray[np.float64]:
    """A wavelength axis for qlw in Å, derived from a fit: the archive itself holds none.

    Holds for spectrometer XES300N with grating JS300N only, to 0.21 Å. Raises UsageError for another setting.
    """
    return derived_axis_angstrom(condition.spectrometer, condition.grating)


def derived_axis_angstrom(spectrometer: str | None, grating: str | None) -> NDArray[np.float64]:
    """The wavelength axis of qlw for a spectrometer and grating in Å, float64 (4095,), rising."""
    if (spectrometer, grating) != DERIVED_AXIS_SETTING:
        raise UsageError(
            f"no wavelength axis is known for spectrometer {spectrometer}, grating {grating}",
            hint="The archive holds none; one is derived for XES300N with JS300N only.",
        )
    start, step = DERIVED_AXIS_ANGSTROM
    return start + step * np.arange(QLW_CHANNELS, dtype=np.float64)


def _shapes(condition: ConditionFields | None) -> list[tuple[int, int]]:
    """Shapes that xes may have: after the condition's bins, then the usual one."""
    shapes = [(XES_ROWS, XES_COLUMNS)]
    if condition is not None and condition.rows and condition.columns and condition.rows > 0 and condition.columns > 0:
        shapes.insert(0, (condition.rows, condition.columns + 1))
    return list(dict.fromkeys(shapes))
