"""Positions as rasters: which map they are, where each stands in it, and that scattered ones are none."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.vendor.writing.lattices import METHOD, Spot, map_of, spot_of


def raster(columns: int, rows: int, degrees: float = 0.0, step_mm: float = 0.01) -> list[Spot]:
    angle = math.radians(degrees)
    return [
        Spot(
            f"{column},{row}",
            2.5 + step_mm * (column * math.cos(angle) - row * math.sin(angle)),
            -1 + step_mm * (column * math.sin(angle) + row * math.cos(angle)),
        )
        for row in range(rows)
        for column in range(columns)
    ]


@given(columns=st.integers(3, 7), rows=st.integers(3, 7), degrees=st.floats(-40, 40), seed=st.integers())
def test_a_raster_is_found_in_any_order_and_rotation(columns: int, rows: int, degrees: float, seed: int) -> None:
    spots = raster(columns, rows, degrees)
    random.Random(seed).shuffle(spots)
    found = map_of("map", spots)
    assert found is not None
    assert found.frame is not None
    assert found.positions is not None
    assert found.frame["method"] == METHOD
    places = {spot.name: (spot.x, spot.y) for spot in spots}
    assert sorted(map(str, found.positions)) == sorted(places)
    across, down = found.frame["step"]
    for number, name in enumerate(found.positions):
        row, column = divmod(number, found.shape[1])
        for axis in (0, 1):
            there = found.frame["origin"][axis] + column * across[axis] + row * down[axis]
            assert there == pytest.approx(places[str(name)][axis], abs=1e-5)


def test_a_hole_is_a_point_without_a_position() -> None:
    spots = raster(4, 4)
    del spots[5]
    found = map_of("map", spots)
    assert found is not None
    assert found.positions is not None
    assert found.positions.count(None) == 1
    assert found.positions[5] is None


@pytest.mark.parametrize(
    "spots",
    [[], raster(1, 1), raster(3, 1), [*raster(3, 3), None], [Spot("a", 0, 0)] * 5,
     [Spot(str(n), math.sin(9 * n), math.cos(7 * n * n)) for n in range(12)]],
)  # fmt: skip
def test_what_is_no_raster(spots: list[Spot | None]) -> None:
    assert map_of("map", spots) is None


def test_a_state_without_a_place_has_none() -> None:
    assert spot_of("a", {"stage": {"x": 1, "y": 2.5}}) == Spot("a", 1.0, 2.5)
    for state in ({}, {"stage": {"x": 1}}, {"stage": {"x": "1", "y": 2}}, {"stage": {"x": math.nan, "y": 2}}):
        assert spot_of("a", state) is None
