"""Positions with values as a raster of cells over the stage: the lattice of a map, or squares where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.roi import lattice_of
from sxeslake.errors import InputError

_WIDTH: Final = 480  # pixels of a raster of squares
_STRAIGHT_DEG: Final = 0.5
_MOST_CELLS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class StageRaster:
    """Cells, float64 (rows, columns), NaN where nothing was measured; the first row has the highest stage y.

    `extent_mm` are the edges: x low, x high, y low, y high.
    """

    cells: NDArray[np.float64]
    extent_mm: tuple[float, float, float, float]
    is_lattice: bool


def located(rows: Sequence[Measured]) -> NDArray[np.float64]:
    """Stage x and y of positions in mm, float64 (positions, 2); NaN where unknown."""
    return np.array(
        [[np.nan if value is None else value for value in (row.stage_x_mm, row.stage_y_mm)] for row in rows],
        np.float64,
    ).reshape(len(rows), 2)


def raster_of(rows: Sequence[Measured], values: NDArray[np.float64]) -> StageRaster:
    """Values of positions on the stage. InputError where no position says where it lies."""
    places = located(rows)
    known = np.isfinite(places).all(axis=1)
    if not known.any():
        raise InputError("no position says where it lies on the stage, so there is no map.")
    try:
        lattice, row_of, column_of = lattice_of(rows)
    except InputError:
        return _squares(places[known], values[known])
    if abs(lattice.rotation_deg) > _STRAIGHT_DEG or lattice.nx * lattice.ny > _MOST_CELLS:
        return _squares(places, values)
    cells = np.full((lattice.ny, lattice.nx), np.nan)
    cells[row_of, column_of] = values
    (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
    half_x, half_y = lattice.step_x_um / 2000, lattice.step_y_um / 2000
    return StageRaster(cells[::-1], (x0 - half_x, x1 + half_x, y0 - half_y, y1 + half_y), is_lattice=True)


def _squares(places: NDArray[np.float64], values: NDArray[np.float64]) -> StageRaster:
    """A square for each position, as large as fits between most of them."""
    (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
    span = max(x1 - x0, y1 - y0, 1e-3)
    margin = span * 0.05
    x0, x1, y0, y1 = x0 - margin, x1 + margin, y0 - margin, y1 + margin
    short = span * 0.25  # a line keeps a strip around it
    if x1 - x0 < short:
        x0, x1 = (x0 + x1 - short) / 2, (x0 + x1 + short) / 2
    if y1 - y0 < short:
        y0, y1 = (y0 + y1 - short) / 2, (y0 + y1 + short) / 2
    scale = _WIDTH / max(x1 - x0, y1 - y0)
    width, height = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    cells = np.full((height, width), np.nan)
    columns = np.clip(((places[:, 0] - x0) * scale).astype(int), 0, width - 1)
    lines = np.clip(((y1 - places[:, 1]) * scale).astype(int), 0, height - 1)
    half = int(np.clip(_WIDTH / max(8.0, 3 * np.sqrt(len(places))) / 2, 1, 6))
    for dy in range(-half, half + 1):
        for dx in range(-half, half + 1):
            cells[np.clip(lines + dy, 0, height - 1), np.clip(columns + dx, 0, width - 1)] = values
    return StageRaster(cells, (float(x0), float(x1), float(y0), float(y1)), is_lattice=False)
