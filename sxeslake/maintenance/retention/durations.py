"""Spans of time as people write them: `2y`, `6mo`, `1y6mo`, `30d` of versions; `90s`, `10m`, `12h`, `7d` of waiting.

`m` is minutes wherever it is read; months are `mo`.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sxeslake.errors import UsageError

_SPAN = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,4})mo)?(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?", re.ASCII)
_MINUTES = re.compile(r"\d+m(?!o)", re.ASCII)
_WAIT = re.compile(r"(?:(\d{1,5})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?:in)?)?(?:(\d{1,8})s)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Calendar months, and what has a fixed length."""

    months: int
    hours: int

    def before(self, time: datetime) -> datetime:
        """`time` less the span: a month before 31 March is the last of February."""
        months = time.year * 12 + time.month - 1 - self.months
        year, month = divmod(months, 12)
        if year < 1:
            return datetime.min.replace(tzinfo=UTC)
        day = min(time.day, calendar.monthrange(year, month + 1)[1])
        try:
            return time.replace(year=year, month=month + 1, day=day) - timedelta(hours=self.hours)
        except OverflowError:
            return datetime.min.replace(tzinfo=UTC)


def parse(text: str) -> TimeSpan:
    """`1y6mo` → a year and six months; y, mo (months), w, d, h, in this order. `0` is no time at all."""
    match = _SPAN.fullmatch("0h" if text == "0" else text)
    if not text or match is None:
        if minutes := _MINUTES.search(text):
            what = f"invalid time span: {text!r}: m is minutes, months are mo"
            raise UsageError(what, hint=f"Write {minutes[0]}o for months; minutes are too short to count here.")
        raise UsageError(
            f"invalid time span: {text!r}", hint="Write years, months, weeks, days, hours: 2y, 6mo, 30d, 1h."
        )
    years, months, weeks, days, hours = (int(part or 0) for part in match.groups())
    return TimeSpan(12 * years + months, 24 * (7 * weeks + days) + hours)


def parse_wait(text: str) -> timedelta:
    """`1d12h` → a day and a half; w, d, h, m or min (minutes), s, in this order. `0` is no time at all."""
    match = _WAIT.fullmatch("0s" if text == "0" else text)
    if not text or match is None:
        raise UsageError(
            f"invalid time: {text!r}",
            hint="Write weeks, days, hours, minutes, seconds: 1w, 7d, 12h, 10m (or 10min), 30s; 0 for none.",
        )
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def in_words(wait: timedelta) -> str:
    """`7 days`, `1 hour`, `90 seconds`: in the largest unit that fits exactly."""
    seconds = int(wait.total_seconds())
    units = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next((size, unit) for size, unit in units if seconds % size == 0)
    return f"{seconds // size} {unit}{'s' if seconds != size else ''}"


def moment(text: str) -> datetime:
    """A time of the log, `2026-11-23T02:34:57Z`; a clock that cannot be read is the beginning of time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
