"""Spans of time as people write them: `2y`, `6m`, `1y6m`, `30d`, `12h`."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sxeslake.errors import UsageError

_SPAN = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,4})m)?(?:(\d{1,4})w)?(?:(\d{1,5})d)?(?:(\d{1,6})h)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
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


def parse(text: str) -> Span:
    """`1y6m` → a year and six months; y, m (months), w, d, h, in this order. `0` is no time at all."""
    match = _SPAN.fullmatch("0h" if text == "0" else text)
    if not text or match is None:
        raise UsageError(
            f"{text!r} is no span of time.", hint="Write years, months, weeks, days, hours: 2y, 6m, 30d, 1h."
        )
    years, months, weeks, days, hours = (int(part or 0) for part in match.groups())
    return Span(12 * years + months, 24 * (7 * weeks + days) + hours)


def moment(text: str) -> datetime:
    """A time of the log, `2026-11-23T02:34:57Z`; a clock that cannot be read is the beginning of time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
