"""Colours, rasters, facets and addresses, each by itself."""

from __future__ import annotations

import datetime as dt
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.archive.spectra.measured import Measured
from sxeslake.errors import InputError
from sxeslake.lake import Lake
from sxeslake.web.drawing.png import SCALES, indices, limits, palette, png
from sxeslake.web.drawing.raster import raster_of
from sxeslake.web.drawing.svg import scale_svg, ticks
from sxeslake.web.facets import FACETS, counted, facet_of
from sxeslake.web.links import changed, link, toggled

WORDS = st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), max_size=5)
SAFE = st.characters(blacklist_categories=["Cs"])


@given(st.lists(st.tuples(st.text(SAFE, min_size=1), st.text(SAFE, min_size=1)), max_size=5))
def test_an_address_says_what_went_into_it(words: list[tuple[str, str]]) -> None:
    address = link("find", words)
    assert parse_qsl(address.partition("?")[2], strict_parsing=bool(words), keep_blank_values=True) == words
    assert not set(address) & set("\"'<> #")


def test_words_are_chosen_and_left_out_again() -> None:
    words = [("kv", "5"), ("grating", "A"), ("page", "3")]
    assert toggled(words, "grating", "B") == [("kv", "5"), ("grating", "A"), ("grating", "B")]
    assert toggled(words, "grating", "A") == [("kv", "5")]
    assert changed(words, kv=None) == [("grating", "A")]


@pytest.mark.parametrize("scale", SCALES)
def test_colours_rise_with_the_counts_and_nothing_is_transparent_but_what_is_unknown(scale: str) -> None:
    values = np.array([[np.nan, 0.0, 1.0, 10.0, 100.0, 1000.0]])
    ends = limits(values, scale, None, None)
    assert ends == ((1.0, 1000.0) if scale == "log" else (0.0, 1000.0))
    found = indices(values, scale, ends)[0]
    assert found[0] == 0
    assert (found[1] == 0) == (scale == "log")
    assert (np.diff(found[2:].astype(int)) >= 0).all()
    assert found[-1] == 255


def test_limits_are_never_empty() -> None:
    assert limits(np.full((2, 2), 7.0), "linear", None, None) == (7.0, 7.07)
    assert limits(np.full((2, 2), np.nan), "log", None, None)[0] > 0
    assert limits(np.array([[1.0, 5.0]]), "linear", 2.0, 3.0) == (2.0, 3.0)


def test_a_png_is_read_as_it_was_written() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    data = png(pixels, "viridis")
    start = data.index(b"IDAT") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big")
    lines = np.frombuffer(zlib.decompress(data[start : start + length]), np.uint8).reshape(3, 5)
    assert (lines[:, 0] == 0).all()
    assert (lines[:, 1:] == pixels).all()
    assert palette("viridis").shape == palette("grey").shape == (256, 3)


def row_at(lake: Lake, x: float | None, y: float | None) -> Measured:
    return replace(next(lake.measured("2019/chalcopyrite map@2")), stage_x_mm=x, stage_y_mm=y)


def test_a_map_has_its_lowest_line_at_the_bottom(lake: Lake) -> None:
    rows = [row_at(lake, x * 0.005, y * 0.002) for y in range(3) for x in range(4)]
    found = raster_of(rows, np.arange(12.0))
    assert found.is_lattice
    assert found.cells.tolist() == [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]]
    assert found.extent_mm == pytest.approx((-0.0025, 0.0175, -0.001, 0.005))


def test_positions_without_a_lattice_are_squares(lake: Lake) -> None:
    rows = [row_at(lake, x, y) for x, y in ((0.0, 0.0), (1.0, 0.1), (0.3, 0.9), (None, None))]
    found = raster_of(rows, np.array([1.0, 2.0, 3.0, 4.0]))
    assert not found.is_lattice
    assert set(found.cells[np.isfinite(found.cells)]) == {1.0, 2.0, 3.0}
    with pytest.raises(InputError, match="stage"):
        raster_of([row_at(lake, None, None)], np.array([1.0]))


def column(*values: object) -> Any:
    return pa.chunked_array([pa.array(values)])


def test_a_facet_keeps_its_neighbours_and_names_what_is_chosen() -> None:
    kinds = {each.name: each for each in FACETS}
    found = facet_of(kinds["grating"], counted(column("B", "A", "A", None), kinds["grating"]), [("grating", "C")])
    assert [(each.label, each.count, each.is_chosen) for each in found.values] == [
        ("A", 2, False), ("B", 1, False), ("C", 0, True),
    ]  # fmt: skip
    currents = facet_of(kinds["current_na"], counted(column(99.97, 100.02, 20.0, -1.0), kinds["current_na"]), [])
    assert [(each.label, each.count) for each in currents.values] == [("15–35", 1), ("70–150", 2)]
    volts = facet_of(kinds["kv"], counted(column(5.0001, 5.0, 10.0), kinds["kv"]), [("kv", "5")])
    assert [(each.label, each.count, each.is_chosen) for each in volts.values] == [("5", 2, True), ("10", 1, False)]
    times = column(dt.datetime(2019, 3, 1), dt.datetime(2019, 5, 1))
    months = facet_of(kinds["since"], counted(times, kinds["since"]), [])
    assert [each.href for each in months.values] == [
        "find?since=2019-03&until=2019-03", "find?since=2019-05&until=2019-05",
    ]  # fmt: skip


def test_ticks_are_round() -> None:
    assert ticks(0, 1000) == [0, 200, 400, 600, 800, 1000]
    assert ticks(5, 5) == [5]
    assert "counts" in scale_svg((1, 100), "log", "grey", "counts")
