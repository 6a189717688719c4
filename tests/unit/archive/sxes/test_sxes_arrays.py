"""Layouts of spectra, and what is derived from them."""

from __future__ import annotations

import numpy as np
import pytest

from sxeslake.archive.sxes import arrays
from sxeslake.archive.sxes.documents import units
from sxeslake.archive.sxes.documents.fields import ConditionFields, read_condition
from sxeslake.errors import DamagedArchiveError, UsageError


def condition(
    rows: int = 17, columns: int = 2048, spectrometer: str = "XES300N", grating: str = "JS300N"
) -> ConditionFields:
    ccd = {"bins": {"x": rows, "y": columns}, "spectrometer": spectrometer, "grating": grating}
    return read_condition({"ccd": ccd})


def test_xes_is_strided_by_2049() -> None:
    raw = np.arange(17 * 2049, dtype="<u4").tobytes()
    xes = arrays.xes_array(raw)
    assert xes.shape == (17, 2049)
    assert xes[1, 0] == 2049
    assert not xes.flags.writeable
    assert arrays.signal(xes).shape == (16, 2048)


def test_another_binning_follows_the_condition() -> None:
    raw = np.arange(5 * 101, dtype="<u4").tobytes()
    assert arrays.xes_array(raw, condition(5, 100)).shape == (5, 101)
    with pytest.raises(DamagedArchiveError, match="17 × 2049"):
        arrays.xes_array(raw)
    with pytest.raises(DamagedArchiveError):
        arrays.xes_array(raw, condition(-5, -102))


def test_background_leaves_out_12_bytes_at_each_end() -> None:
    frame = np.arange(17 * 2049, dtype=np.uint32).reshape(17, 2049)
    raw = arrays.background_bytes(frame)
    assert len(raw) == 139_356
    assert np.frombuffer(raw, "<u4", 3).tolist() == [0, 2049, 0]
    assert np.array_equal(arrays.background_array(raw), frame)


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 24, b"\0" * 139_356, arrays.background_bytes(np.ones((2, 5), np.uint32))[:-1]]
)
def test_a_background_of_wrong_size_is_damage(raw: bytes) -> None:
    with pytest.raises(DamagedArchiveError):
        arrays.background_array(raw, where="backgrounds/ab")


def test_saturation_is_full_scale_in_every_frame() -> None:
    xes = np.zeros((17, 2049), np.uint32)
    xes[3, 7], xes[4, 7], xes[16, 7], xes[3, 2048] = 655_350, 655_349, 655_350, 655_350
    assert np.argwhere(arrays.saturated(xes, 10)).tolist() == [[3, 7]]


def test_the_corrected_signal_is_exact_and_may_be_negative() -> None:
    xes, background = np.full((17, 2049), 11_000, np.uint32), np.full((17, 2049), 1_147, np.uint32)
    corrected = arrays.background_corrected(xes, background, 10)
    assert corrected.dtype == np.int64
    assert corrected.shape == (16, 2048)
    assert (corrected == -470).all()
    with pytest.raises(DamagedArchiveError):
        arrays.background_corrected(xes, background[:, :-1], 10)


def test_the_sum_holds_low_bytes_of_all_17_rows() -> None:
    xes = np.full((17, 2049), 100, np.uint32)
    assert arrays.sum_bytes(xes) == bytes([1700 & 0xFF]) * 2048


def test_qlw_columns_run_from_the_first_to_past_the_last() -> None:
    columns = arrays.qlw_columns()
    assert columns.shape == (4095,)
    assert columns[0] == pytest.approx(0.8504)
    assert columns[-1] == pytest.approx(2047.269)
    assert (np.diff(columns) > 0).all()


def test_a_derived_axis_only_for_the_setting_it_was_fitted_on() -> None:
    axis = arrays.derived_wavelength_angstrom(condition())
    assert axis.shape == (4095,)
    assert units.HC_EV_ANGSTROM / axis[[0, -1]] == pytest.approx([828, 84], abs=0.5)
    with pytest.raises(UsageError, match="JS2000"):
        arrays.derived_wavelength_angstrom(condition(grating="JS2000"))
