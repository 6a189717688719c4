"""Clocks of containers."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.archive import times


def test_filetime_of_known_moments() -> None:
    assert times.filetime_of_ns(0) == 116_444_736_000_000_000
    assert times.filetime_of_ns(1_700_000_000_123_456_789) == 133_444_736_001_234_567
    assert times.ns_of_filetime(133_444_736_001_234_567) == 1_700_000_000_123_456_700
    assert times.ns_of_filetime(0) is None
    assert times.filetime_of_ns(-11_644_473_600_000_000_000) is None


@pytest.mark.parametrize(
    ("dos", "fields"),
    [
        (0x5177_7AD9, (2020, 11, 23, 15, 22, 50)),
        (times.DOS_EPOCH, (1980, 1, 1, 0, 0, 0)),
        (times.DOS_LAST, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_dos_fields(dos: int, fields: tuple[int, ...]) -> None:
    assert times.dos_fields(dos) == fields


@given(st.integers(315_532_800, 4_354_819_198).map(lambda second: second // 2 * 2 * 1_000_000_000))
def test_dos_in_utc_can_be_undone(moment: int) -> None:
    assert times.ns_of_dos(times.dos_of_ns(moment)) == moment


@given(st.integers(0, 0xFFFF_FFFF))
def test_any_32_bits_are_some_moment(dos: int) -> None:
    for moment in (times.ns_of_dos(dos), times.local_ns_of_dos(dos)):
        assert 300_000_000 < moment // 1_000_000_000 < 4_400_000_000


@given(st.integers(-(2**62), 2**62))
def test_a_moment_is_a_datetime_in_utc_and_keeps_its_text(modified_ns: int) -> None:
    moment = times.moment_of_ns(modified_ns)
    assert moment is not None
    assert moment == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=modified_ns // 1000)
    for each in (moment, copy.deepcopy(moment), pickle.loads(pickle.dumps(moment))):
        assert str(each) == f"{each}" == times.iso_of_ns(modified_ns)
        assert each == moment
    assert eval(repr(moment).replace("datetime.", ""), {"datetime": datetime, "timezone": type(UTC)}) == moment


def test_moments_count_and_compare_as_datetimes_do() -> None:
    moment = times.Moment.parse("2018-04-12T13:57:54.123456789+09:00")
    assert (moment.tzinfo, moment.hour, str(moment)[-6:]) == (UTC, 4, "+09:00")
    assert str(moment + timedelta(days=1)) == "2018-04-13 04:57:54.123456+00:00"
    assert f"{moment:%d.%m.%Y}" == "12.04.2018"
    assert times.Moment.parse("2018-04-12T13:57:54") == datetime(2018, 4, 12, 13, 57, 54, tzinfo=UTC)
    assert times.moment_of_ns(None) is None
    assert times.moment_of_ns(2**90) is None


@given(st.integers(0, 0xFFFF_FFFF))
def test_any_wall_clock_is_a_naive_moment_and_keeps_its_text(dos: int) -> None:
    moment = times.moment_of_dos(dos)
    assert moment.tzinfo is None
    assert str(moment) == str(pickle.loads(pickle.dumps(moment))) == times.iso_of_dos(dos)
