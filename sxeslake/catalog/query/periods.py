"""Dates as people write them, each as the period that it names: `2018-04`, `25.11.2026`, `yesterday`, `last week`.

period("2018-04", "--since")  →  (2018-04-01 00:00, 2018-05-01 00:00), the end exclusive
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from sxeslake.errors import UsageError

Period = tuple[dt.datetime, dt.datetime]

HINT: Final = "Write 2018, 2018-04, 2018-04-12, 2018-04-12 14:30, 25.11.2026, yesterday, 'last week' or '3 days ago'."

_ISO = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?)?)?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: (\d{1,2}):(\d{2}))?")
_SLASHED = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_AGO = re.compile(r"(\d{1,4}) (day|week|month|year)s? ago")
_NAMED = re.compile(r"(this|last) (week|month|year)")
_DAYS: Final = {"today": 0, "yesterday": 1}


def period(value: object, option: str, today: dt.date | None = None) -> Period:
    """Start and exclusive end of what a date names. Weeks begin on Monday.

    `today` is this machine's date where it is not given. UsageError for what names no date, with `option` as its place.
    """
    if isinstance(value, dt.datetime):
        moment = value.replace(tzinfo=None)
        return moment, moment + dt.timedelta(microseconds=1)
    text = value.isoformat() if isinstance(value, dt.date) else " ".join(str(value).split())
    try:
        found = _written(text) or _relative(text.casefold(), today or dt.date.today())
    except (ValueError, OverflowError) as error:
        raise UsageError(f'"{text}" is not a date: {error}.', where=option) from None
    if found is None:
        hint = "Is the day or the month first? Write 2026-11-25." if _SLASHED.fullmatch(text) else HINT
        raise UsageError(f'"{text}" is not a date.', where=option, hint=hint)
    return found


def _written(text: str) -> Period | None:
    """A date in figures: `2018`, `2018-04-12 14:30`, `25.11.2026`."""
    if match := _ISO.fullmatch(text):
        year, month, day, hour, minute, second = (None if part is None else int(part) for part in match.groups())
    elif match := _DAY_FIRST.fullmatch(text):
        day, month, year, hour, minute = (None if part is None else int(part) for part in match.groups())
        second = None
    else:
        return None
    start = dt.datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0)
    if month is None:
        return start, start.replace(year=start.year + 1)
    if day is None:
        return start, _next_month(start)
    if hour is None:
        return start, start + dt.timedelta(days=1)
    return start, start + (dt.timedelta(minutes=1) if second is None else dt.timedelta(seconds=1))


def _relative(text: str, today: dt.date) -> Period | None:
    """A date by its distance from today: `yesterday`, `last month`, `3 days ago`."""
    if text in _DAYS:
        return _day(today - dt.timedelta(days=_DAYS[text]))
    if match := _NAMED.fullmatch(text):
        return _named(match[2], today, is_last=match[1] == "last")
    if match := _AGO.fullmatch(text):
        count, unit = int(match[1]), match[2]
        if unit in ("day", "week"):
            return _day(today - dt.timedelta(days=count * (7 if unit == "week" else 1)))
        return _day(_months_before(today, count * (12 if unit == "year" else 1)))
    return None


def _named(unit: str, today: dt.date, *, is_last: bool) -> Period:
    if unit == "week":
        start = _midnight(today - dt.timedelta(days=today.weekday() + (7 if is_last else 0)))
        return start, start + dt.timedelta(days=7)
    if unit == "month":
        start = _midnight(_months_before(today.replace(day=1), 1 if is_last else 0))
        return start, _next_month(start)
    start = dt.datetime(today.year - (1 if is_last else 0), 1, 1)
    return start, start.replace(year=start.year + 1)


def _day(day: dt.date) -> Period:
    start = _midnight(day)
    return start, start + dt.timedelta(days=1)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day)


def _next_month(start: dt.datetime) -> dt.datetime:
    return (start.replace(day=28) + dt.timedelta(days=4)).replace(day=1)


def _months_before(day: dt.date, months: int) -> dt.date:
    """The same day some months earlier, or that month's last: 31 March less one month is 28 February."""
    index = day.year * 12 + day.month - 1 - months
    first = dt.date(index // 12, index % 12 + 1, 1)
    last = (_next_month(_midnight(first)) - dt.timedelta(days=1)).day
    return first.replace(day=min(day.day, last))
