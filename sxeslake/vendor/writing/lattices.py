"""Positions that form a raster on the stage: the map object that lists them. Pure.

Instruments measure a map as a folder a pixel, and say of each only where it was. Rows and columns follow from those
places, and a map says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from sxeslake.archive.spectra.lattice import layout_of

from ..records import Json, MapRecord
from ..values import scaled

METHOD: Final = "lattice fitted to the stage positions"

_UM_PER_MM: Final = 1000.0
_LEAST: Final = 4
_DIGITS: Final = 9


class Spot(NamedTuple):
    """A position and its place in mm."""

    name: str
    x: float
    y: float


def spot_of(name: str, state: Mapping[str, object]) -> Spot | None:
    """A position's place; None where its state does not give it."""
    stage = state.get("stage")
    x, y = (stage.get("x"), stage.get("y")) if isinstance(stage, Mapping) else (None, None)
    if not isinstance(x, int | float) or not isinstance(y, int | float) or not math.isfinite(x) or not math.isfinite(y):
        return None
    return Spot(name, float(x), float(y))


def map_of(name: str, spots: Sequence[Spot | None]) -> MapRecord | None:
    """The map that some positions are, row by row from the corner of the least coordinates; None where they are none.

    A point of the lattice at which nothing was measured is None among its positions.
    """
    known = [spot for spot in spots if spot is not None]
    if len(known) < _LEAST or len(known) < len(spots):
        return None
    places = np.array([[spot.x, spot.y] for spot in known]) * _UM_PER_MM
    lattice = layout_of(places).lattice
    if lattice is None or min(lattice.nx, lattice.ny) < 2:
        return None
    angle = math.radians(lattice.rotation_deg)
    across = np.array([math.cos(angle), math.sin(angle)]) * lattice.step_x_um
    down = np.array([-math.sin(angle), math.cos(angle)]) * lattice.step_y_um
    steps = np.array([across, down])
    counted = (places - places[0]) @ np.linalg.inv(steps)
    corner = counted.min(axis=0)
    numbers = np.rint(counted - corner).astype(int)
    columns, rows = (int(each) + 1 for each in numbers.max(axis=0))
    points: list[str | None] = [None] * (columns * rows)
    for spot, (column, row) in zip(known, numbers.tolist(), strict=True):
        if points[row * columns + column] is not None:
            return None
        points[row * columns + column] = spot.name
    origin = (places - numbers @ steps).mean(axis=0)
    frame: Json = {
        "quantity": "stage", "unit": "mm", "origin": _mm(origin), "step": [_mm(across), _mm(down)], "method": METHOD,
    }  # fmt: skip
    return MapRecord(name, "stage", (rows, columns), frame=frame, positions=tuple(points))


def _mm(vector: np.ndarray) -> list[float]:
    return [scaled(round(float(each), _DIGITS - 3), 1 / _UM_PER_MM) for each in vector]
