"""Dates as people write them."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.catalog.query.periods import period
from sxeslake.errors import UsageError

TODAY = dt.date(2026, 11, 26)  # a Thursday


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2018", "2018-01-01", "2019-01-01"),
        ("2018-04", "2018-04-01", "2018-05-01"),
        ("2018/12", "2018-12-01", "2019-01-01"),
        ("2018-04-12", "2018-04-12", "2018-04-13"),
        ("2018-04-12 14:30", "2018-04-12T14:30", "2018-04-12T14:31"),
        ("2018-04-12T14:30:05", "2018-04-12T14:30:05", "2018-04-12T14:30:06"),
        ("25.11.2026", "2026-11-25", "2026-11-26"),
        ("5.3.2020 07:15", "2020-03-05T07:15", "2020-03-05T07:16"),
        ("today", "2026-11-26", "2026-11-27"),
        ("Yesterday", "2026-11-25", "2026-11-26"),
        ("this week", "2026-11-23", "2026-11-30"),
        ("last  week", "2026-11-16", "2026-11-23"),
        ("this month", "2026-11-01", "2026-12-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("this year", "2026-01-01", "2027-01-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("3 days ago", "2026-11-23", "2026-11-24"),
        ("1 week ago", "2026-11-19", "2026-11-20"),
        ("9 months ago", "2026-02-26", "2026-02-27"),
        ("2 years ago", "2024-11-26", "2024-11-27"),
    ],
)
def test_what_a_date_names(text: str, start: str, end: str) -> None:
    assert period(text, "--since", TODAY) == (dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end))


def test_the_last_day_of_a_short_month() -> None:
    assert period("1 month ago", "--since", dt.date(2026, 3, 31))[0] == dt.datetime(2026, 2, 28)
    assert period("1 month ago", "--since", dt.date(2024, 3, 30))[0] == dt.datetime(2024, 2, 29)
    assert period("last month", "--since", dt.date(2026, 1, 31))[0] == dt.datetime(2025, 12, 1)


@pytest.mark.parametrize("text", ["11/25/2026", "25/11/2026"])
def test_slashes_are_ambiguous(text: str) -> None:
    with pytest.raises(UsageError, match="Is the day or the month first"):
        period(text, "--since", TODAY)


@pytest.mark.parametrize("text", ["", "soon", "2018-13", "2018-02-30", "31.4.2026", "9999", "0 0", "9999 years ago"])
def test_what_names_no_date_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="is not a date"):
        period(text, "--since", TODAY)


@given(st.text(max_size=20))
def test_any_text_is_a_period_or_a_usage_error(text: str) -> None:
    try:
        start, end = period(text, "--since", TODAY)
    except UsageError:
        return
    assert start < end
