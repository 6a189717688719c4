"""Spans of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from sxeslake.errors import UsageError
from sxeslake.maintenance.retention import durations


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2y", "2024-03-31T12:00:00+00:00"),
        ("1mo", "2026-02-28T12:00:00+00:00"),
        ("1y6mo", "2024-09-30T12:00:00+00:00"),
        ("3mo", "2025-12-31T12:00:00+00:00"),
        ("2w", "2026-03-17T12:00:00+00:00"),
        ("30d", "2026-03-01T12:00:00+00:00"),
        ("36h", "2026-03-30T00:00:00+00:00"),
        ("0", "2026-03-31T12:00:00+00:00"),
        ("9999y", "0001-01-01T00:00:00+00:00"),
        ("99999d", "1752-06-16T12:00:00+00:00"),
    ],
)
def test_a_span_before_the_last_of_march(text: str, before: str) -> None:
    assert durations.parse(text).before(datetime(2026, 3, 31, 12, tzinfo=UTC)).isoformat() == before


@pytest.mark.parametrize("text", ["", "y", "2", "-1d", "1h2d", "2 y", "1.5d", "٢y", "1000000000d", "forever"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(UsageError):
        durations.parse(text)


@pytest.mark.parametrize("text", ["6m", "1y6m", "10m30d"])
def test_minutes_where_months_may_be_meant(text: str) -> None:
    with pytest.raises(UsageError, match=r"m is minutes, months are mo") as refused:
        durations.parse(text)
    assert re.search(r"Write \d+mo for months", str(refused.value))


def test_minutes_of_waiting_are_never_months() -> None:
    assert durations.parse_wait("10m") == timedelta(minutes=10)
    with pytest.raises(UsageError):
        durations.parse_wait("10mo")


def test_a_span_that_leaves_the_calendar() -> None:
    assert durations.parse("99999d").before(datetime(1, 6, 1, tzinfo=UTC)) == datetime.min.replace(tzinfo=UTC)


def test_times_of_the_log() -> None:
    assert durations.moment("2026-11-23T02:34:57Z") == datetime(2026, 11, 23, 2, 34, 57, tzinfo=UTC)
    assert durations.moment("2026-11-23T02:34:57").tzinfo is UTC
    assert durations.moment("yesterday").year == 1
