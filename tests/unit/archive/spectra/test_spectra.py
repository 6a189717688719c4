"""Spectra of many positions: equal to a plain reading of the files, with axes that say where they come from."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive.spectra.choice import chosen, numbers_of
from sxeslake.archive.spectra.measured import of_group
from sxeslake.archive.spectra.roi import RoiWindow
from sxeslake.archive.sxes import arrays, layout
from sxeslake.archive.sxes.axes import SPECTRUM, Calibration, Setting, axis_of, resolve, unit_of
from sxeslake.archive.sxes.group import Group, open_group
from sxeslake.errors import InputError, NotFoundError, UsageError

BUILT_IN = Setting("XES300N", "JS300N")
OTHER = Setting("XES200N", "JS200N", "JXA-8230", date(2024, 5, 1))


@pytest.fixture
def source() -> CountingSource:
    return sxes_source(nx=4, ny=3)


@pytest.fixture
def group(source: CountingSource) -> Group:
    return open_group(source)


def plain_sum(raw: bytes) -> NDArray[np.int64]:
    xes = np.frombuffer(raw, "<u4").reshape(17, 2049)
    total: NDArray[np.int64] = xes[:16, :2048].astype(np.int64).sum(axis=0)
    return total


def test_spectra_equal_a_plain_reading(group: Group) -> None:
    analysis = group.analyses[0]
    sums, qlw = analysis.spectra(SPECTRUM), analysis.spectra("qlw")
    assert sums.values.dtype == np.int64
    assert sums.warnings == []
    for number, position in enumerate(analysis.positions):
        assert np.array_equal(sums.values[number], plain_sum(position.raw("xes")))
        assert np.array_equal(sums.values[number], position.spectrum)
        assert np.array_equal(qlw.values[number], np.frombuffer(position.raw("qlw"), "<f8"))
    assert [row.position_number for row in sums.rows] == list(range(1, 13))
    assert len(sums) == 12


def test_the_real_archive_equals_a_plain_reading(real_archive: Path) -> None:
    with open_group(real_archive) as group:
        for analysis in group.analyses:
            sums, qlw = analysis.spectra(SPECTRUM), analysis.spectra("qlw")
            for number, position in enumerate(analysis.positions):
                assert np.array_equal(sums.values[number], plain_sum(position.raw("xes")))
                assert np.array_equal(qlw.values[number], np.frombuffer(position.raw("qlw"), "<f8"))
            assert sums.axis("energy").is_derived


def test_the_dark_frame_is_subtracted_times_the_accumulation(group: Group) -> None:
    position = group.positions[0]
    background, condition = position.background, position.condition
    assert background is not None
    assert condition is not None
    dark = background.array[:-1, :-1].astype(np.int64).sum(axis=0) * (condition.fields.accumulation or 0)
    assert np.array_equal(position.spectrum_of(background=True), position.spectrum - dark)
    assert np.array_equal(group.analyses[0].spectra(SPECTRUM, background=True).values[0], position.spectrum - dark)


def test_what_cannot_be_read_is_left_out_and_named(source: CountingSource, group: Group) -> None:
    uuids = [position.uuid for position in group.positions]
    del source.contents[layout.type_path(uuids[0], "xes")]
    source.contents[layout.type_path(uuids[1], "xes")] = b""
    source.contents[layout.type_path(uuids[2], "xes")] = bytes(1000)
    found = group.analyses[0].spectra(SPECTRUM)
    assert [row.position_number for row in found.rows] == list(range(4, 13))
    (warning,) = found.warnings
    assert warning.startswith("3 positions are left out: ")
    assert "no xes data" in warning
    assert np.array_equal(found.values[0], plain_sum(source.contents[layout.type_path(uuids[3], "xes")]))


def test_a_short_qlw_is_left_out(source: CountingSource, group: Group) -> None:
    path = layout.type_path(group.positions[3].uuid, "qlw")
    source.contents[path] = source.contents[path][:-8]
    found = group.analyses[0].spectra("qlw")
    assert found.values.shape == (11, 4095)
    assert "4,094 channels, not 4,095" in found.warnings[0]


def test_positions_without_data_are_no_empty_array(source: CountingSource, group: Group) -> None:
    for position in group.positions:
        del source.contents[layout.type_path(position.uuid, "qlw")]
    with pytest.raises(NotFoundError, match="12 positions are left out"):
        group.analyses[0].spectra("qlw")
    with pytest.raises(NotFoundError, match="no qlw data"):
        group.analyses[0].roi(390, 400)


def test_a_region_is_the_sum_of_its_channels(group: Group) -> None:
    analysis = group.analyses[0]
    axis = analysis.positions[0].axis("energy").values
    inside = (axis >= 390) & (axis <= 400)
    beside = (axis >= 420) & (axis <= 440)
    qlw = analysis.spectra("qlw").values
    plain = analysis.roi(390, 400)
    assert plain.values == pytest.approx(qlw[:, inside].sum(axis=1))
    assert set(plain.channels) == {inside.sum()}
    assert plain.axis_sources == ["derived: built-in fit for XES300N with JS300N, residual up to 0.21 Å"]
    less = analysis.roi(390, 400, background=(420, 440))
    assert less.values == pytest.approx(plain.values - qlw[:, beside].mean(axis=1) * inside.sum())
    channels = analysis.roi(100, 109, "channel", data_type=SPECTRUM)
    assert channels.values == pytest.approx(analysis.spectra(SPECTRUM).values[:, 100:110].sum(axis=1))


def test_a_region_of_a_map_is_an_image(group: Group) -> None:
    image = group.analyses[0].roi(390, 400).map()
    assert image.values.shape == (3, 4)
    assert not np.isnan(image.values).any()
    assert (np.diff(image.x_mm, axis=1) > 0).all()
    assert (np.diff(image.y_mm, axis=0) > 0).all()
    roi = group.analyses[0].roi(390, 400)
    by_place = {(row.stage_x_mm, row.stage_y_mm): value for row, value in zip(roi.rows, roi.values, strict=True)}
    for y in range(3):
        for x in range(4):
            assert image.values[y, x] == by_place[image.x_mm[y, x], image.y_mm[y, x]]


def test_scattered_positions_are_no_image(source: CountingSource, group: Group) -> None:
    path = f"data/{group.positions[0].uuid}/state.json"
    source.edit_json(path, stage={"x": 7.77, "y": 3.33, "z": 1})
    with pytest.raises(InputError, match="regular lattice"):
        group.analyses[0].roi(390, 400).map()
    source.edit_json(f"data/{group.positions[1].uuid}/state.json", stage={})
    group = open_group(source)
    with pytest.raises(InputError, match="no stage coordinates"):
        group.analyses[0].roi(390, 400).map()


def test_other_settings_have_channels_only(source: CountingSource) -> None:
    for path in [path for path in source.contents if path.startswith("conditions/")]:
        source.contents[path] = source.contents[path].replace(b"JS300N", b"JS2000")
    position = open_group(source).positions[0]
    with pytest.raises(UsageError, match="no wavelength or energy axis") as caught:
        position.axis("energy")
    assert "channel" in str(caught.value)
    assert position.axis("channel").values[[0, -1]].tolist() == [0, 4094]
    with pytest.raises(UsageError, match="no wavelength"):
        open_group(source).analyses[0].roi(390, 400)


def test_a_calibration_precedes_the_built_in_axis(group: Group) -> None:
    own = Calibration(
        "qlw", "JS300N", "angstrom", "standard of 2024", coefficients=(15.0, 0.03), uncertainty=0.05, id="c1"
    )
    group.calibrations = lambda: (own,)
    axis = group.positions[0].axis("wavelength")
    assert axis.values[[0, 1]].tolist() == [15.0, 15.03]
    assert (axis.source, axis.is_derived, axis.uncertainty_angstrom) == (
        "calibration c1: standard of 2024",
        False,
        0.05,
    )
    assert group.positions[0].axis("wavelength", SPECTRUM).is_derived  # another type of data


def test_the_axis_of_the_column_sum_is_that_of_qlw_at_its_columns() -> None:
    qlw = axis_of("wavelength", 4095, "qlw", BUILT_IN).values
    columns = axis_of("wavelength", 2048, SPECTRUM, BUILT_IN).values
    assert np.interp(arrays.qlw_columns()[10:-10], np.arange(2048), columns) == pytest.approx(qlw[10:-10], abs=1e-3)
    assert (np.diff(columns) > 0).all()


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        (Setting("XES200N", "JS200N", "JXA-8230", date(2024, 5, 1)), "instrument, late"),
        (Setting("XES200N", "JS200N", "JXA-8230", date(2023, 5, 1)), "instrument"),
        (Setting("XES200N", "JS200N", "other", date(2024, 5, 1)), "any"),
        (Setting("XES200N", "JS200N", "other", None), "any"),
        (Setting("XES200N", "JS200N", "JXA-8230", None), "instrument"),
        (Setting("XES300N", "JS50XL", None, None), None),
    ],
)
def test_the_most_specific_calibration_decides(setting: Setting, name: str | None) -> None:
    def made(source: str, **more: object) -> Calibration:
        return Calibration("qlw", "JS200N", "ev", source, (100.0, 0.5), **more)  # type: ignore[arg-type]

    known = [
        made("instrument, late", instrument="JXA-8230", valid_from=date(2024, 1, 1)),
        made("instrument", instrument="JXA-8230"),
        made("old", instrument="JXA-8230", valid_until=date(2001, 1, 1)),
        made("any"),
    ]
    found = resolve("qlw", setting, known)
    assert (None if found is None else found.source) == name
    assert resolve("sum", setting, known) is None


def test_a_table_is_interpolated_and_continued() -> None:
    table = Calibration("qlw", "G", "ev", "manual", table=((10, 100.0), (20, 120.0), (40, 130.0)))
    values = table.values(50)
    assert values[[0, 10, 15, 20, 30, 40, 49]].tolist() == [80.0, 100.0, 110.0, 120.0, 125.0, 130.0, 134.5]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, "coefficients or a table"),
        ({"coefficients": (1.0, 2.0), "table": ((1, 2), (2, 3))}, "coefficients or a table"),
        ({"coefficients": (1.0,)}, "two coefficients"),
        ({"coefficients": (1.0, float("nan"))}, "finite"),
        ({"table": ((2, 1.0), (1, 2.0))}, "rise"),
        ({"coefficients": (1.0, 2.0), "uncertainty": -1.0}, "uncertainty"),
        ({"coefficients": (1.0, 2.0), "unit": "nm"}, "unit"),
        ({"coefficients": (1.0, 2.0), "valid_from": date(2024, 1, 2), "valid_until": date(2024, 1, 1)}, "before"),
    ],
)
def test_what_is_no_calibration_is_refused(words: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Calibration(**{"data_type": "qlw", "grating": "G", "unit": "ev", "source": "s", **words})  # type: ignore[arg-type]


def test_an_axis_through_zero_is_refused() -> None:
    falling = Calibration("qlw", "G", "ev", "slip", coefficients=(10.0, -1.0))
    with pytest.raises(UsageError, match="not positive"):
        axis_of("energy", 100, "qlw", Setting(None, "G"), [falling])


@pytest.mark.parametrize(
    ("text", "kind"), [("eV", "energy"), ("EV", "energy"), ("Å", "wavelength"), ("A", "wavelength"), ("ch", "channel")]
)
def test_units_as_people_write_them(text: str, kind: str) -> None:
    assert unit_of(text) == kind
    assert RoiWindow.of(1, 2, text).kind == kind


def test_bad_words_are_refused() -> None:
    for call in (
        lambda: unit_of("nm"),
        lambda: RoiWindow.of(2, 1),
        lambda: RoiWindow(1, 2, "mass"),
        lambda: axis_of("mass", 3, "qlw", BUILT_IN),
        lambda: numbers_of("a"),
        lambda: numbers_of("0"),
        lambda: numbers_of("5..2"),
    ):
        with pytest.raises(UsageError):
            call()


def test_positions_are_chosen_by_analysis_and_number(group: Group) -> None:
    rows = list(of_group(group))
    uuid = rows[0].analysis_uuid or ""
    for analysis in (uuid, uuid[:8], 1, "1"):
        assert list(chosen(rows, analysis)) == rows
    assert [row.position_number for row in chosen(rows, 1, "2,5..7")] == [2, 5, 6, 7]
    with pytest.raises(NotFoundError, match="no analysis"):
        list(chosen(rows, "2"))


@given(st.lists(st.floats(1, 1000), min_size=2, max_size=6, unique=True), st.sampled_from(["angstrom", "ev"]))
def test_energy_and_wavelength_are_each_others_inverse(values: list[float], unit: str) -> None:
    table = tuple((float(number), value) for number, value in enumerate(sorted(values)))
    known = [Calibration("qlw", "G", unit, "s", table=table)]  # type: ignore[arg-type]
    energy = axis_of("energy", len(values), "qlw", Setting(None, "G"), known).values
    wavelength = axis_of("wavelength", len(values), "qlw", Setting(None, "G"), known).values
    assert energy * wavelength == pytest.approx(12398.419843320026)
    assert (energy if unit == "ev" else wavelength) == pytest.approx(sorted(values))
