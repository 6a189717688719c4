"""Maps, lines and scattered points under any rotation, step, noise and holes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sxeslake.archive.spectra.lattice import STAGE_NOISE_UM, layout_of

Places = npt.NDArray[np.float64]
SIDES = st.integers(2, 24)
STEPS = st.floats(4.0, 300.0)
ANGLES = st.floats(-90.0, 90.0)
SEEDS = st.integers(0, 2**32 - 1)


def turned(places: Places, degrees: float, rng: np.random.Generator, noise_um: float) -> Places:
    """Places rotated, moved somewhere on the stage, with noise, in any order."""
    angle = math.radians(degrees)
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    moved = places @ rotation + rng.uniform(-40_000, 40_000, 2)
    noisy = moved + rng.uniform(-noise_um, noise_um, moved.shape)
    return np.asarray(rng.permutation(noisy), np.float64)


def grid(nx: int, ny: int, step_x: float, step_y: float) -> Places:
    return np.array([(x * step_x, y * step_y) for y in range(ny) for x in range(nx)], np.float64)


@given(SIDES, SIDES, STEPS, STEPS, ANGLES, SEEDS)
@settings(deadline=None, max_examples=150)
def test_a_full_map_is_found_under_any_rotation(
    nx: int, ny: int, step_x: float, step_y: float, degrees: float, seed: int
) -> None:
    assume(max(step_x, step_y) <= 8 * min(step_x, step_y))
    noise = min(0.5, 0.03 * min(step_x, step_y))
    places = turned(grid(nx, ny, step_x, step_y), degrees, np.random.default_rng(seed), noise)
    layout = layout_of(places)
    assert layout.kind == "map"
    assert layout.lattice is not None
    assert layout.lattice.holes == 0
    found = sorted([(layout.lattice.nx, layout.lattice.step_x_um), (layout.lattice.ny, layout.lattice.step_y_um)])
    assert sorted(n for n, _ in found) == sorted([nx, ny])
    assert -45.0 <= layout.lattice.rotation_deg <= 45.0
    if nx != ny:
        expected = sorted([(nx, step_x), (ny, step_y)])
        np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=2.1 * noise)


@given(st.integers(5, 24), st.integers(5, 24), STEPS, ANGLES, st.floats(0.0, 0.3), SEEDS)
@settings(deadline=None, max_examples=100)
def test_a_map_may_have_holes(nx: int, ny: int, step: float, degrees: float, missing: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.random((ny, nx)) >= missing
    assume(kept[0].any() and kept[-1].any() and kept[:, 0].any() and kept[:, -1].any())
    places = turned(grid(nx, ny, step, 1.5 * step)[kept.ravel()], degrees, rng, min(0.5, 0.05 * step))
    lattice = layout_of(places).lattice
    assert lattice is not None
    assert sorted([lattice.nx, lattice.ny]) == sorted([nx, ny])
    assert lattice.holes == nx * ny - len(places)


@given(st.integers(3, 60), STEPS, ANGLES, SEEDS)
@settings(deadline=None)
def test_equal_steps_on_a_straight_line_are_a_line(count: int, step: float, degrees: float, seed: int) -> None:
    places = turned(grid(count, 1, step, 0.0), degrees, np.random.default_rng(seed), min(0.5, 0.03 * step))
    layout = layout_of(places)
    assert layout.kind == "line"
    assert layout.lattice is not None
    assert (layout.lattice.nx, layout.lattice.ny) == (count, 1)


@given(st.integers(5, 80), st.floats(100.0, 50_000.0), SEEDS)
@settings(deadline=None, max_examples=300)
def test_scattered_places_are_points(count: int, extent: float, seed: int) -> None:
    places = np.random.default_rng(seed).uniform(0, extent, (count, 2)).round(1)
    assert layout_of(places).kind == "points"


@given(st.integers(3, 4), st.floats(5_000.0, 50_000.0), SEEDS)
@settings(deadline=None)
def test_a_few_places_far_apart_are_points(count: int, extent: float, seed: int) -> None:
    """Within some µm three places may well stand in line by chance; within some mm they do not."""
    places = np.random.default_rng(seed).uniform(0, extent, (count, 2)).round(1)
    assert layout_of(places).kind == "points"


@given(STEPS, ANGLES, SEEDS)
def test_two_places_are_never_a_line(step: float, degrees: float, seed: int) -> None:
    places = turned(grid(2, 1, step, 0.0), degrees, np.random.default_rng(seed), 0.0)
    assert layout_of(places).kind == "points"


@given(st.integers(2, 40), SEEDS)
def test_one_place_with_the_noise_of_the_stage_is_a_repeat(count: int, seed: int) -> None:
    places = turned(np.zeros((count, 2)), 0.0, np.random.default_rng(seed), STAGE_NOISE_UM / 2)
    assert layout_of(places).kind == "repeat"


@given(SEEDS)
@settings(deadline=None, max_examples=30)
def test_lines_side_by_side_with_other_gaps_are_no_map(seed: int) -> None:
    """Two lines that are parallel, of equal steps, but shifted against each other by a third of a step."""
    rng = np.random.default_rng(seed)
    first = grid(6, 1, 30.0, 0.0)
    second = first + np.array([10.0, 47.0])
    assert layout_of(turned(np.concatenate([first, second]), rng.uniform(-90, 90), rng, 0.3)).kind == "points"
