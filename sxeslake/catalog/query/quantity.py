"""Numbers as people write them: `5 kV`, `90..110`, `..99.7`, `5±0.1`, `100 ± 2%`, in the unit of a column.

parse_range("4900..5100 V", unit="kV")  →  Range(4.9, 5.1)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sxeslake.errors import UsageError
from sxeslake.text.suggest import did_you_mean


def _in(quantity: str, factor: str) -> tuple[str, Decimal]:
    return quantity, Decimal(factor)


# Quantity, and how many of its base unit; decimal, so that 300 µm are exactly 0.3 mm.
_UNITS: Final[dict[str, tuple[str, Decimal]]] = {
    "V": _in("voltage", "1"), "kV": _in("voltage", "1e3"),
    "A": _in("current", "1"), "mA": _in("current", "1e-3"), "µA": _in("current", "1e-6"), "uA": _in("current", "1e-6"),
    "nA": _in("current", "1e-9"), "pA": _in("current", "1e-12"),
    "m": _in("length", "1"), "mm": _in("length", "1e-3"), "µm": _in("length", "1e-6"), "um": _in("length", "1e-6"),
    "nm": _in("length", "1e-9"),
    "h": _in("time", "3600"), "min": _in("time", "60"), "s": _in("time", "1"), "ms": _in("time", "1e-3"),
    "eV": _in("energy", "1"), "keV": _in("energy", "1e3"),
    "B": _in("size", "1"), "KiB": _in("size", "1024"), "MiB": _in("size", "1048576"), "GiB": _in("size", "1073741824"),
    "°": _in("angle", "1"), "deg": _in("angle", "1"),
    "°C": _in("temperature", "1"), "C": _in("temperature", "1"),
    "%": _in("share", "1"),
    "count": _in("count", "1"), "frames": _in("frames", "1"),
}  # fmt: skip

_NUMBER = re.compile(
    r"\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>[^\W\d_]+|°C?|%|µ[Am]m?)?\s*\Z"
)
_TOLERANCE = re.compile(r"±|\+/?-")
_GRAIN: Final = 1e-9
"""Relative slack of a bound: 9.01e-8 A × 1e9 is 90.10000000000001 nA, and `..90.1` means to have it."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a single number stands for: `0.05` of its unit, or `5` percent of itself."""

    value: float
    percent: bool = False

    def of(self, number: float) -> float:
        """Half the width of the range around `number`."""
        return abs(number) * self.value / 100 if self.percent else self.value


@dataclass(frozen=True, slots=True)
class Range:
    """A closed range; an open end is None."""

    low: float | None
    high: float | None

    def describe(self, unit: str | None) -> str:
        """`4.95..5.05 kV`."""
        ends = "..".join("" if end is None else f"{end:.10g}" for end in (self.low, self.high))
        return f"{ends} {unit}" if unit else ends

    @property
    def floor(self) -> float | None:
        """The lower bound to compare with, a grain below `low`."""
        return None if self.low is None else self.low - abs(self.low) * _GRAIN

    @property
    def ceiling(self) -> float | None:
        """The upper bound to compare with, a grain above `high`."""
        return None if self.high is None else self.high + abs(self.high) * _GRAIN

    def __contains__(self, value: float) -> bool:
        """Whether a row with this value is chosen: the comparison that SQL makes with `floor` and `ceiling`."""
        floor, ceiling = self.floor, self.ceiling
        return (floor is None or value >= floor) and (ceiling is None or value <= ceiling)


def check_unit(unit: str, where: object = None) -> None:
    """UsageError for a unit that nobody here can convert."""
    if unit not in _UNITS:
        raise UsageError(f'there is no unit "{unit}".', where=where, hint=did_you_mean(unit, _UNITS))


def parse_number(text: str | float, unit: str | None, what: str) -> float:
    """A number in `unit`: `5`, `5kV`, `5000 V` → 5.0 for kV; UsageError says what was meant by anything else."""
    if isinstance(text, bool):
        raise UsageError(f"{text} is not a number.", where=what)
    if isinstance(text, int | float):
        return _finite(float(text), what)
    number, written = _split(text, what)
    return _convert(number, written, unit, what)


def parse_range(value: object, unit: str | None, what: str, tolerance: Tolerance | None = None) -> Range:
    """`a..b`, `..b`, `a..`, one number (± its tolerance), or from Python also `(a, b)` with None for an open end."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise UsageError(f"{value!r} is not a range.", where=what, hint="Give (low, high), None for an open end.")
        ends = [None if end is None else parse_number(end, unit, what) for end in value]
        return _ordered(ends[0], ends[1], what)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _around(parse_number(value, unit, what), tolerance)
    if not isinstance(value, str):
        raise UsageError(f"{value!r} is neither a number nor a range.", where=what)
    return _range_of_text(value, unit, what, tolerance)


def _range_of_text(text: str, unit: str | None, what: str, tolerance: Tolerance | None) -> Range:
    if ".." in text:
        low, high = (part.strip() for part in text.split("..", 1))
        if not low and not high:
            raise UsageError(f'"{text}" has no end.', where=what, hint="Write a..b, ..b or a.. .")
        shared = _split(high, what)[1] if high else None
        return _ordered(_end(low, shared, unit, what), _end(high, None, unit, what), what)
    if between := re.fullmatch(r"\s*(\d[\d.]*)\s*(?:-|–|to|:)\s*(\d[\d.]*)\s*(\D*)", text):
        meant = f"{between[1]}..{between[2]}{between[3].rstrip()}"
        raise UsageError(f'"{text}" is not a range.', where=what, hint=f"Did you mean {meant}?")
    parts = _TOLERANCE.split(text, maxsplit=1)
    if len(parts) == 2 and parts[0].strip():
        number, written = _split(parts[0], what)
        margin, margin_unit = _split(parts[1], what)
        centre = _convert(number, written, unit, what)
        if margin_unit == "%":
            return _around(centre, Tolerance(abs(margin), percent=True))
        return _around(centre, Tolerance(abs(_convert(margin, margin_unit or written, unit, what))))
    return _around(parse_number(text, unit, what), tolerance)


def _end(text: str, shared_unit: str | None, unit: str | None, what: str) -> float | None:
    """One end of a range; without a unit of its own it takes the other end's: `4900..5100 V`."""
    if not text:
        return None
    number, written = _split(text, what)
    return _convert(number, written or shared_unit, unit, what)


def _around(number: float, tolerance: Tolerance | None) -> Range:
    margin = tolerance.of(number) if tolerance else 0.0
    return Range(number - margin, number + margin)


def _ordered(low: float | None, high: float | None, what: str) -> Range:
    if low is not None and high is not None and low > high:
        raise UsageError(f"{low:g}..{high:g} runs downwards.", where=what, hint=f"Did you mean {high:g}..{low:g}?")
    return Range(low, high)


def _split(text: str, what: str) -> tuple[float, str | None]:
    """`5 kV` → (5.0, "kV")."""
    match = _NUMBER.match(text.replace("\u03bc", "\u00b5"))  # the Greek letter for the micro sign
    if match is None:
        if re.fullmatch(r"\s*[-+]?\d+,\d+\s*\w*\s*", text):
            raise UsageError(
                f'"{text}" is not a number.', where=what, hint=f"Did you mean {text.strip().replace(',', '.')}?"
            )
        raise UsageError(
            f'"{text}" is neither a number nor a range.', where=what, hint="Write 5, 4.9..5.1, ..5, 5.. or 5±0.1."
        )
    return _finite(float(match["number"]), what), match["unit"]


def _finite(number: float, what: str) -> float:
    if not math.isfinite(number):
        raise UsageError(f"{number} is not a finite number.", where=what)
    return number


def _convert(number: float, written: str | None, unit: str | None, what: str) -> float:
    """The number in the column's unit."""
    if written is None or written == unit:
        return number
    known = _UNITS.get(written) or _unit_of_any_case(written, unit)
    if unit is None:
        raise UsageError(f'this number has no unit, "{written}" was given.', where=what)
    quantity, factor = _UNITS[unit]
    if known is None:
        same = [name for name, (kind, _) in _UNITS.items() if kind == quantity]
        raise UsageError(
            f'there is no unit "{written}".', where=what, hint=did_you_mean(written, same) or f"It is in {unit}."
        )
    if known[0] != quantity:
        raise UsageError(f'"{written}" is a unit of {known[0]}, and this is a {quantity} in {unit}.', where=what)
    return float(Decimal(repr(number)) * known[1] / factor)


def _unit_of_any_case(written: str, unit: str | None) -> tuple[str, Decimal] | None:
    """`kv` → kV where only one unit of the column's quantity is written so."""
    if unit is None:
        return None
    found = {
        value for name, value in _UNITS.items() if value[0] == _UNITS[unit][0] and name.casefold() == written.casefold()
    }
    return found.pop() if len(found) == 1 else None
