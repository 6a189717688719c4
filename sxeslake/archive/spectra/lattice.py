"""What a set of stage places is: one point, a repeat, a line, a map, or just points.

The format has no kind of analysis; it is inferred here from coordinates alone, and only where they leave no doubt:
never `line` for two points, never `map` for scattered ones. The stage's own noise is tolerated, holes in a map too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["point", "repeat", "line", "map", "points"]
Places = npt.NDArray[np.float64]
"""n × 2: stage x and y in µm."""

STAGE_NOISE_UM: Final = 1.0
"""How well a stage of this class returns to a place; measurements that lie closer than this are at one place."""
LARGEST_EXTENT_UM: Final = 1e9
"""No stage goes a kilometre: such coordinates are slips, and their squares may be no numbers."""
LARGEST_MISFIT_UM: Final = 2.0
"""A place may lie so far from its lattice point: the noise of two moves. Never a guess about coarse lattices."""
LARGEST_MISFIT_STEP: Final = 0.2
"""… and by no more than this share of the step, or fine scattered points would pass for a lattice."""
LARGEST_MISFIT_STEP_SMALL: Final = 0.07
"""… and of fewer than `SMALL` places by no more than this: three scattered ones are soon nearly in line."""
LEAST_FILLED: Final = 0.5
"""A map may have holes, but at least so many of its lattice points were measured."""
LEAST_FILLED_SMALL: Final = 0.75
SMALL: Final = 9
"""Fewer places than a 3 × 3 map fit many lattices: fewer holes are allowed there."""
LARGEST_SKEW: Final = math.sin(math.radians(3.0))
"""Rows and columns of a map meet at a right angle, within this …"""
ENDS_UM: Final = 0.5
"""… and what the stage's smallest move makes of the angle of a short side."""

_SAMPLES: Final = (16, 64)  # of so many places the neighbours are looked at, which costs n each …
_SAMPLE_COST: Final = 100_000  # … so fewer where n is large
_FIRST_REACH: Final = 3.5  # steps around the middle in which the first basis is exact enough to count by


@dataclass(frozen=True, slots=True)
class Lattice:
    """A regular grid of `nx` × `ny`: columns step along `rotation_deg` against stage x, rows at a right angle."""

    nx: int
    ny: int
    step_x_um: float
    step_y_um: float
    rotation_deg: float
    holes: int


@dataclass(frozen=True, slots=True)
class PlaceLayout:
    """The kind of a set of places, and its lattice if it is a map or a line."""

    kind: Kind
    lattice: Lattice | None = None


def layout_of(places_um: Places) -> PlaceLayout:
    """The layout of n ≥ 1 places."""
    count = len(places_um)
    if count == 1:
        return PlaceLayout("point")
    extent_um = float(np.max(np.ptp(places_um, axis=0)))
    if extent_um <= STAGE_NOISE_UM:
        return PlaceLayout("repeat")
    if extent_um > LARGEST_EXTENT_UM:
        return PlaceLayout("points")
    if count >= 3 and (line := _line(places_um)) is not None:
        return PlaceLayout("line", line)
    if count >= 4 and (lattice := _map(places_um)) is not None:
        return PlaceLayout("map", lattice)
    return PlaceLayout("points")


def _misfit_allowed_um(step_um: float, count: int) -> float:
    share = LARGEST_MISFIT_STEP_SMALL if count < SMALL else LARGEST_MISFIT_STEP
    return min(LARGEST_MISFIT_UM, share * step_um)


def _line(places: Places) -> Lattice | None:
    """Equally spaced places on one straight line, each measured once."""
    centred = places - places.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    along = np.sort(centred @ direction)
    across = centred @ np.array([-direction[1], direction[0]])
    number = np.arange(len(along)) - (len(along) - 1) / 2
    step = float(number @ along / (number @ number))
    misfit = max(float(np.max(np.abs(along - number * step))), float(np.max(np.abs(across))))
    if step <= STAGE_NOISE_UM or misfit > _misfit_allowed_um(step, len(along)):
        return None
    angle = math.degrees(math.atan2(direction[1], direction[0]))
    return Lattice(len(along), 1, step, 0.0, (angle + 90.0) % 180.0 - 90.0, 0)


def _map(places: Places) -> Lattice | None:
    """A rectangular lattice of at least 2 × 2 under any rotation, with holes."""
    basis = _first_basis(places)
    if basis is None:
        return None
    fitted = _fit(places, basis)
    return None if fitted is None else _accepted(places, *fitted)


def _first_basis(places: Places) -> npt.NDArray[np.float64] | None:
    """Two steps as rows, from the neighbours of some places: the nearest one, and the nearest at a right angle."""
    fewest, most = _SAMPLES
    size = min(most, len(places), max(fewest, _SAMPLE_COST // len(places)))
    sample = places[np.linspace(0, len(places) - 1, size).astype(int)]
    east = places[None, :, 0] - sample[:, None, 0]
    north = places[None, :, 1] - sample[:, None, 1]
    distances = east * east + north * north
    distances[distances <= STAGE_NOISE_UM**2] = np.inf  # itself, and repeats
    nearest = np.argmin(distances, axis=1)
    rows = np.arange(len(sample))
    steps = np.column_stack([east[rows, nearest], north[rows, nearest]])
    lengths = np.sqrt(distances[rows, nearest])
    step = float(np.median(lengths))
    usual = np.abs(lengths - step) <= max(LARGEST_MISFIT_STEP * step, STAGE_NOISE_UM)
    if not math.isfinite(step) or not usual.any():
        return None
    first = _common_direction(steps[usual], step)
    unit = first / np.hypot(*first)
    normal = np.array([-unit[1], unit[0]])
    along = np.abs(east * unit[0] + north * unit[1])
    across = np.abs(east * normal[0] + north * normal[1])
    across[(along > 1.5 * step) | (across <= max(STAGE_NOISE_UM, 0.5 * step))] = np.inf
    seconds = across.min(axis=1)
    seconds = seconds[np.isfinite(seconds)]
    return np.array([first, float(np.median(seconds)) * normal]) if len(seconds) else None


def _common_direction(vectors: Places, step: float) -> npt.NDArray[np.float64]:
    """The mean of the steps along one axis: a square lattice has neighbours on two, which folding by 90° unites."""
    angles = np.arctan2(vectors[:, 1], vectors[:, 0])
    doubled = np.exp(4j * angles).mean()  # four-fold: all four neighbours of a square lattice agree
    angle = float(np.angle(doubled)) / 4
    turns = np.round((angles - angle) / (math.pi / 2)).astype(int)
    if np.count_nonzero(turns % 2) > len(turns) / 2:  # the short step may be the one at a right angle to this
        angle += math.pi / 2
    return step * np.array([math.cos(angle), math.sin(angle)])


def _fit(
    places: Places, basis: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]] | None:
    """Origin, basis and whole-number coordinates, fitted from the middle outwards.

    A basis from neighbours is too rough to count a hundred steps by; fitted over a few steps it is good for twice as
    many, and so on.
    """
    origin = places[np.argmin(np.hypot(*(places - np.median(places, axis=0)).T))]
    away_um = np.hypot(*(places - origin).T)
    reach_um, furthest_um = _FIRST_REACH * float(min(np.hypot(*basis.T))), float(away_um.max())
    while True:
        near = away_um <= reach_um
        whole = np.round((places[near] - origin) @ np.linalg.inv(basis))
        origin, basis = _refined(places[near], whole, origin, basis)
        if not np.all(np.isfinite(basis)) or abs(np.linalg.det(basis)) < STAGE_NOISE_UM**2:
            return None
        if reach_um >= furthest_um:
            return origin, basis, np.round((places - origin) @ np.linalg.inv(basis)).astype(np.int64)
        reach_um *= 2


def _refined(
    places: Places, whole: Places, origin: npt.NDArray[np.float64], basis: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Least squares over the places in reach; while only one row is, its right angle gives the other step."""
    spread = np.ptp(whole, axis=0)
    if spread.min() >= 1:
        design = np.column_stack([np.ones(len(whole)), whole])
        both, _, rank, _ = np.linalg.lstsq(design, places, rcond=None)
        return (np.asarray(both[0]), np.asarray(both[1:])) if rank == 3 else (origin, basis)
    if spread.max() < 2:  # one pair tells the direction worse than all pairs together did
        return origin, basis
    row = int(np.argmax(spread))
    design = np.column_stack([np.ones(len(whole)), whole[:, row]])
    solution = np.linalg.lstsq(design, places, rcond=None)[0]
    along = solution[1]
    turned = np.array([-along[1], along[0]]) / np.hypot(*along)
    other = basis[1 - row]
    turned *= np.hypot(*other) * np.sign(turned @ other)
    refined = np.empty_like(basis)
    refined[row], refined[1 - row] = along, turned
    at: Places = np.asarray(solution[0])
    return at, refined


def _accepted(
    places: Places, origin: npt.NDArray[np.float64], basis: npt.NDArray[np.float64], whole: npt.NDArray[np.int64]
) -> Lattice | None:
    """The lattice, if every place fits, no two share a point, it is rectangular and filled enough."""
    steps = np.hypot(*basis.T)
    misfit = np.hypot(*(places - origin - whole @ basis).T)
    shape = np.ptp(whole, axis=0) + 1
    cells = int(shape[0]) * int(shape[1])
    skew = abs(float(basis[0] @ basis[1])) / float(steps[0] * steps[1])
    sides_um = steps * np.maximum(shape - 1, 1)
    distinct = len(np.unique(whole[:, 0] * shape[1] + whole[:, 1]))
    least = LEAST_FILLED_SMALL if len(places) < SMALL else LEAST_FILLED
    if (
        min(steps) <= STAGE_NOISE_UM
        or float(misfit.max()) > _misfit_allowed_um(float(min(steps)), len(places))
        or skew > LARGEST_SKEW + ENDS_UM * float(np.sum(1 / sides_um))
        or min(shape) < 2
        or distinct != len(places)
        or distinct < least * cells
    ):
        return None
    return _oriented(basis, steps, shape, cells - distinct)


def _oriented(
    basis: npt.NDArray[np.float64], steps: npt.NDArray[np.float64], shape: npt.NDArray[np.int64], holes: int
) -> Lattice:
    """Columns run along the axis nearest to stage x: a rotation from −45° to 45°."""
    x = int(np.argmax(np.abs(basis[:, 0]) / steps))
    along = basis[x] if basis[x, 0] >= 0 else -basis[x]
    rotation = math.degrees(math.atan2(along[1], along[0])) + 0.0  # −0° is 0°
    y = 1 - x
    return Lattice(int(shape[x]), int(shape[y]), float(steps[x]), float(steps[y]), rotation, holes)


def cells_of(places_um: Places, lattice: Lattice) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The row and the column of each place on its lattice, both intp (n,), from 0 where stage y and x are lowest."""
    angle = math.radians(lattice.rotation_deg)
    along = places_um @ np.array([math.cos(angle), math.sin(angle)])
    across = places_um @ np.array([-math.sin(angle), math.cos(angle)])
    columns = np.rint((along - along.min()) / lattice.step_x_um).astype(np.intp)
    rows = np.rint((across - across.min()) / lattice.step_y_um).astype(np.intp)
    return rows, columns
