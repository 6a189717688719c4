"""States, conditions and times as instruments write them, in the form of the archive.

A quantity that is missing, blank, `---` or no number is left out, never zero. What is passed on as text keeps the
instrument's digits; a decimal comma becomes a point.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from sxeslake.archive.sxes.documents.units import local_time

from .records import Json
from .texts import number_of

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_MONTH_YEAR = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4}|\d{2})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):\s*(\d{1,2})(?::\s*(\d{1,2}))?", re.ASCII)
_UNIX_TIME = re.compile(r"(?:[A-Za-z]{3} )?([A-Za-z]{3}) (\d{1,2}) (\d{1,2}):(\d{2})(?::(\d{2}))? (\d{4})", re.ASCII)
_TWO_DIGIT_YEARS_FROM = 70


def number_text(value: str | None) -> str | None:
    """The text of a number, with a decimal point: `" 15,0 "` → `15.0`; `""`, `---`, `on` → None."""
    return None if value is None or number_of(value) is None else value.strip().replace(",", ".")


def words_as_numbers(text: str) -> tuple[float | None, ...]:
    """The numbers of a list, None for a word that is none: a stage may know x and y and write `---` for z."""
    return tuple(number_of(word) for word in text.split())


def scaled(value: float, factor: float) -> float:
    """value × factor, without the tail that binary fractions leave: 0.5 µm → 0.0005 mm."""
    return float(f"{value * factor:.12g}")


def state_of(
    *,
    saved: str = "",
    stage: Iterable[float | None] = (),
    kilovolts: str | None = None,
    current: str | None = None,
    current_pre: str | None = None,
    current_post: str | None = None,
    current_target: str | None = None,
    magnification: str | None = None,
    diameter: str | None = None,
    dwell_time: str | None = None,
) -> Json:
    """A state in the form of the archive, without what is not known: kV, A, µm, ms; stage x, y, z in mm."""
    state: Json = {}
    if time := local_time(saved):
        state["saveDate"] = written(time)
    if place := {axis: value for axis, value in zip("xyz", stage, strict=False) if value is not None}:
        state["stage"] = place
    currents = {"target": current_target, "pre": current_pre, "average": current, "post": current_post}
    probe: Json = {
        "acceleratingVoltage": number_text(kilovolts),
        "current": {key: text for key, value in currents.items() if (text := number_text(value))},
        "magnification": number_text(magnification),
        "diameter": number_text(diameter),
    }
    if said := {key: value for key, value in probe.items() if value}:
        state["probe"] = said
    if text := number_text(dwell_time):
        state["dwellTime"] = text
    return state


def stated(value: Json) -> Json:
    """Without what is absent, at any depth."""
    trimmed = {key: stated(each) if isinstance(each, dict) else each for key, each in value.items()}
    return {key: each for key, each in trimmed.items() if each not in ("", None, {})}


def wds_condition(channel: Mapping[str, object], pha: Mapping[str, str | None]) -> Json:
    """A condition of one wavelength-dispersive channel, with the settings of its pulse-height analyser."""
    settings = {key: value.strip() for key, value in pha.items() if value and value.strip()}
    found = {**channel, **({"pha": settings} if settings else {})}
    return wds_conditions([found] if found else [])


def wds_conditions(channels: list[Json]) -> Json:
    """A condition of some wavelength-dispersive channels; {} of none."""
    return {"calibrationCoefficients": [], "probe": {}, "wds": {"channels": channels}} if channels else {}


def stage_frame(origin: Iterable[float], step: tuple[float, float], slope: tuple[float, float] = (0.0, 0.0)) -> Json:
    """A raster on the stage: mm of the first pixel's middle, and of one step along a row and down a column.

    `slope` is the mm of z of either step.
    """
    steps = [[step[0], 0.0, slope[0]], [0.0, step[1], slope[1]]]
    return {"quantity": "stage", "unit": "mm", "origin": list(origin), "step": steps}


def written(time: datetime) -> str:
    """A wall-clock time as archives write it."""
    return f"{time:%Y/%m/%d %H:%M:%S}"


def day_and_clock(day: str, clock: str) -> str:
    """A time of `29-MAY-2019` and `11:49:13` or `10:48: 0` as archives write it; '' where the day is none."""
    date, hours = _DAY_MONTH_YEAR.fullmatch(day.strip()), _CLOCK.match(clock.strip())
    if date is None:
        return ""
    year = int(date[3]) + (0 if len(date[3]) == 4 else 1900 if int(date[3]) >= _TWO_DIGIT_YEARS_FROM else 2000)
    return _time(year, date[2], date[1], *(hours.groups() if hours else ()))


def unix_time(line: str) -> str:
    """A time of `Apr 4 06:52 2013` or `2013/04/04 06:52` as archives write it, or ''."""
    words = _UNIX_TIME.fullmatch(" ".join(line.split()))
    if words is None:
        time = local_time(line)
        return written(time) if time else ""
    return _time(int(words[6]), words[1], *words.groups()[1:5])


def _time(year: int, month: str, *parts: str | None) -> str:
    """Day, hour, minute and second of a year and an English month, or '' where they are none."""
    if month.lower() not in _MONTHS:
        return ""
    day, hour, minute, second, *_ = (*(int(part or 0) for part in parts), 0, 0, 0)
    try:
        return written(datetime(year, _MONTHS.index(month.lower()) + 1, day, hour, minute, second))
    except ValueError:
        return ""


def common(values: Iterable[str]) -> str:
    """The text that all say which say one, or ''."""
    said = {value for value in values if value}
    return said.pop() if len(said) == 1 else ""


def counted(number: int, thing: str) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
