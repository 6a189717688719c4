"""Numbers, ranges and units as people write them; near misses of words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.catalog.query.quantity import Range, Tolerance, check_unit, parse_number, parse_range
from sxeslake.errors import UsageError
from sxeslake.text.suggest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("text", "unit", "found"),
    [
        ("4.9..5.1", "kV", Range(4.9, 5.1)),
        ("..99.7", "nA", Range(None, 99.7)),
        ("100..", "nA", Range(100.0, None)),
        ("-1.5..-1", "mm", Range(-1.5, -1.0)),
        ("..-1", "mm", Range(None, -1.0)),
        ("4900..5100 V", "kV", Range(4.9, 5.1)),
        ("4900V..5.1kV", "kV", Range(4.9, 5.1)),
        ("0.09..0.11uA", "nA", Range(90.0, 110.0)),
        ("100 ± 2%", "nA", Range(98.0, 102.0)),
        ("5+-100V", "kV", Range(4.9, 5.1)),
        ("5 +/- 0.1", "kV", Range(4.9, 5.1)),
        ("5", "kV", Range(5.0, 5.0)),
        ("1e-3..2E3", None, Range(0.001, 2000.0)),
        (".5..1.", None, Range(0.5, 1.0)),
        ("5 kv", "kV", Range(5.0, 5.0)),
        ("10 °C", "°C", Range(10.0, 10.0)),
        ("5 \u03bcm", "mm", Range(0.005, 0.005)),
        ((None, 5), "kV", Range(None, 5.0)),
        ([4, "5 kV"], "kV", Range(4.0, 5.0)),
    ],
)
def test_ranges(text: object, unit: str | None, found: Range) -> None:
    made = parse_range(text, unit, "--x")
    assert made.low == pytest.approx(found.low) if found.low is not None else made.low is None
    assert made.high == pytest.approx(found.high) if found.high is not None else made.high is None


def test_decimal_factors_are_exact() -> None:
    assert parse_number("5000 V", "kV", "--kv") == 5.0
    assert parse_number("300 um", "mm", "--x") == 0.3
    assert parse_number("0.1 uA", "nA", "--x") == 100.0


def test_a_bound_takes_in_what_conversion_made_of_it() -> None:
    value = 90.1e-9 * 1e9  # amperes to nanoamperes
    ceiling = parse_range("80..90.1", "nA", "--x").ceiling
    assert ceiling is not None
    assert 90.1 < value <= ceiling < 90.1001


@pytest.mark.parametrize(
    ("value", "inside"),
    [(100.0, True), (110.00000000000001, True), (99.99999999999999, True), (110.000001, False), (99.999999, False)],
)
def test_a_range_holds_what_rounds_to_its_ends_and_no_more(value: float, inside: bool) -> None:
    assert (value in Range(100, 110)) is inside
    assert (-value in Range(-110, -100)) is inside
    assert value in Range(None, None)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e3))
def test_a_range_written_is_the_range_read(low: float, width: float) -> None:
    made = Range(low, low + width)
    again = parse_range(f"{made.low!r}..{made.high!r}", None, "--x")
    assert again == made


@given(st.text(max_size=12))
def test_any_text_is_a_range_or_a_usage_error(text: str) -> None:
    try:
        made = parse_range(text, "kV", "--kv", Tolerance(0.05))
    except UsageError as error:
        message = str(error)
    else:
        message = "kv"
        assert made.low is not None or made.high is not None
        assert all(math.isfinite(end) for end in (made.low, made.high) if end is not None)
    assert message.startswith("kv")


def test_an_unknown_unit_has_near_misses() -> None:
    with pytest.raises(UsageError, match=r'no unit "mmm". Did you mean "mm"'):
        check_unit("mmm")


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("acelerating_voltage_kv", ["accelerating_voltage_kv", "gain"], ["accelerating_voltage_kv"]),
        ("kv", ["gain", "accelerating_voltage_kv"], ["accelerating_voltage_kv"]),
        ("Maps By Beam Condition", ["maps-by-beam-condition"], ["maps-by-beam-condition"]),
        ("voltage", ["gain", "accelerating_voltage_kv"], ["accelerating_voltage_kv"]),
        ("zzz", ["gain"], []),
    ],
)
def test_nearest(word: str, known: list[str], found: list[str]) -> None:
    assert nearest(word, known) == found


def test_a_hint_lists_the_little_there_is() -> None:
    assert did_you_mean("zzz", ["b", "a"]) == 'There is "a", "b".'
    assert did_you_mean("zzz", (str(number) for number in range(100))) == ""
    assert did_you_mean("gratin", ["grating", "gain"]) == 'Did you mean "grating"?'
