"""Every conversion between the clocks of containers: Unix nanoseconds, FILETIME, DOS date and time."""

from __future__ import annotations

import calendar
import time
from datetime import UTC, datetime, timedelta
from typing import Self, SupportsIndex

FILETIME_OF_1970 = 116_444_736_000_000_000  # 100 ns steps between 1601 and 1970
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_TICKS = (1 << 63) // 100
FILETIMES = range(FILETIME_OF_1970 - _MOST_TICKS, FILETIME_OF_1970 + _MOST_TICKS + 1)  # in years 1678 to 2262
DOS_EPOCH = 0x0021_0000  # 1980-01-01 00:00:00, the smallest wall clock a zip can say
DOS_LAST = 0xFF9F_BF7D  # 2107-12-31 23:59:58


def filetime_of_ns(modified_ns: int) -> int | None:
    """`1_700_000_000_000_000_000 → 133_444_736_000_000_000`; None outside what 64 bits since 1601 hold."""
    filetime = modified_ns // 100 + FILETIME_OF_1970
    return filetime if 0 < filetime < 1 << 63 else None


def ns_of_filetime(filetime: int) -> int | None:
    """Unix nanoseconds; None for 0, which means "not known", and for what 64 bits do not hold as nanoseconds."""
    return (filetime - FILETIME_OF_1970) * 100 if filetime in FILETIMES else None


def dos_of_ns(modified_ns: int) -> int:
    """The DOS wall clock in UTC, cut to even seconds, held to 1980–2107."""
    try:
        year, month, day, hour, minute, second = time.gmtime(modified_ns // 1_000_000_000)[:6]
    except (OverflowError, ValueError, OSError):  # beyond the platform's calendar
        return DOS_EPOCH if modified_ns < 0 else DOS_LAST
    if not 1980 <= year <= 2107:
        return DOS_EPOCH if year < 1980 else DOS_LAST
    return (year - 1980) << 25 | month << 21 | day << 16 | hour << 11 | minute << 5 | second // 2


def iso_of_ns(modified_ns: int) -> str | None:
    """`1_523_541_474_000_000_000 → 2018-04-12T13:57:54Z`; with fractions if any; None beyond the calendar."""
    seconds, fraction = divmod(modified_ns, 1_000_000_000)
    try:
        text = (_UNIX_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return None
    return text + (f".{fraction:09d}".rstrip("0") if fraction else "") + "Z"


def iso_of_dos(dos_time: int) -> str:
    """`0x4C8C6F3B → 2018-04-12T13:57:54`: a wall clock without a zone."""
    year, month, day, hour, minute, second = dos_fields(dos_time)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def dos_fields(dos_time: int) -> tuple[int, int, int, int, int, int]:
    """`(year, month, day, hour, minute, second)` as written; a day or month may be 0 in careless archives."""
    date, clock = dos_time >> 16, dos_time & 0xFFFF
    return (
        1980 + (date >> 9),
        date >> 5 & 15,
        date & 31,
        clock >> 11,
        clock >> 5 & 63,
        (clock & 31) * 2,
    )


def ns_of_dos(dos_time: int) -> int:
    """Unix nanoseconds of a DOS wall clock read as UTC: the same on every machine."""
    year, month, day, hour, minute, second = dos_fields(dos_time)
    return calendar.timegm((year, max(1, min(month, 12)), max(1, day), hour, minute, second)) * 1_000_000_000


def local_ns_of_dos(dos_time: int) -> int:
    """Unix nanoseconds of a DOS wall clock read in this machine's time zone, as unzip does."""
    year, month, day, hour, minute, second = dos_fields(dos_time)
    moment = (year, max(1, min(month, 12)), max(1, day), hour, minute, second, 0, 0, -1)
    try:
        return int(time.mktime(moment)) * 1_000_000_000
    except (OverflowError, ValueError):  # a platform whose local calendar is shorter than DOS's
        return ns_of_dos(dos_time)


class Moment(datetime):
    """A `datetime` in UTC that also keeps the text it was read from: with nanoseconds, or with another offset.

    `str(moment)` is that text, `2018-04-12T13:57:54.1234567Z`; everything else is as for any `datetime`.
    """

    _text: str | None = None

    @classmethod
    def written(cls, moment: datetime, text: str) -> Self:
        """The moment, with the text that stands for it."""
        made = cls.combine(moment.date(), moment.timetz())
        made._text = text
        return made

    @classmethod
    def parse(cls, text: str) -> Self:
        """The moment that a text names, in UTC unless it says otherwise.

        Raises ValueError or OverflowError for a text that names none.
        """
        found = datetime.fromisoformat(text)
        return cls.written(found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC), text)

    def __str__(self) -> str:
        return super().__str__() if self._text is None else self._text

    def __repr__(self) -> str:
        return repr(_plain(self))

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[object, ...]:
        return super().__reduce_ex__(protocol) if self._text is None else (Moment.written, (_plain(self), self._text))


def _plain(moment: datetime) -> datetime:
    return datetime.combine(moment.date(), moment.timetz())


def moment_of_ns(modified_ns: int | None) -> Moment | None:
    """Unix nanoseconds as a moment in UTC; None where there are none, and beyond the calendar."""
    text = None if modified_ns is None else iso_of_ns(modified_ns)
    return None if text is None else Moment.parse(text)


def moment_of_dos(dos_time: int) -> Moment:
    """A DOS wall clock, which has no zone; a day that no calendar has is the next one that it has."""
    moment = _UNIX_EPOCH + timedelta(seconds=ns_of_dos(dos_time) // 1_000_000_000)
    return Moment.written(moment.replace(tzinfo=None), iso_of_dos(dos_time))
