"""Numbers as instruments write them, and conversions without tails."""

from __future__ import annotations

from datetime import datetime

import pytest

from sxeslake.archive.sxes.documents import units


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.009e-007", 1.009e-7),
        (" 5.0 ", 5.0),
        ("-70", -70.0),
        (".5", 0.5),
        (3, 3.0),
        ("", None),
        ("n/a", None),
        ("5,0", None),
        ("1_000", None),
        ("٥", None),
        ("0x10", None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        (float("inf"), None),
        (10**400, None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_a_number_is_read_or_none(value: object, expected: float | None) -> None:
    assert units.number(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("10", 10), (10.0, 10), ("10.5", None), ("x", None)])
def test_an_integer_is_whole(value: object, expected: int | None) -> None:
    assert units.integer(value) == expected


def test_conversions_leave_no_binary_tail() -> None:
    assert units.na_from_a(1.009e-7) == 100.9
    assert units.na_from_a(9.959e-8) == 99.59
    assert units.a_from_na(100.9) == 1.009e-7
    assert units.um_from_mm(2.9855) == 2985.5
    assert units.mm_from_um(2985.5) == 2.9855
    assert units.na_from_a(None) is None


def test_energy_of_the_nitrogen_line() -> None:
    assert pytest.approx(392.4, abs=0.1) == units.HC_EV_ANGSTROM / 31.6


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2018/04/12 14:07:54", datetime(2018, 4, 12, 14, 7, 54)),
        ("2018-04-12T14:07", datetime(2018, 4, 12, 14, 7)),
        ("2018/13/12 14:07:54", None),
        ("12.04.2018", None),
        (20180412, None),
    ],
)
def test_local_time(value: object, expected: datetime | None) -> None:
    assert units.local_time(value) == expected


def test_text_stays_and_label_is_trimmed() -> None:
    assert units.text(" a ") == " a "
    assert units.label(" JS300N ") == "JS300N"
    assert units.text("  ") is None
    assert units.label(7) is None
