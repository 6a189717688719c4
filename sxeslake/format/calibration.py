"""A calibration as a log entry has it, and the id that its content gives it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from blake3 import blake3

from sxeslake.errors import UsageError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.axes import Calibration

# `Calibration` is imported where it is made: it brings numpy, which reading a log does not need.

_TEXTS: Final = ("data_type", "grating", "unit", "source")
_OPTIONAL: Final = ("instrument", "spectrometer")
_DAYS: Final = ("valid_from", "valid_until")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ID: Final = re.compile(r"[a-z0-9-]{1,100}")
_HASH_DIGITS: Final = 6
_STEM_CHARS: Final = 32


def plain(calibration: Calibration) -> dict[str, Any]:
    """The calibration as JSON, without its id; what it does not say is left out."""
    values: dict[str, Any] = {key: getattr(calibration, key) for key in (*_TEXTS, *_OPTIONAL)}
    values["coefficients"] = [float(number) for number in calibration.coefficients]
    values["table"] = [[float(channel), float(value)] for channel, value in calibration.table]
    for key in _DAYS:
        day = getattr(calibration, key)
        values[key] = None if day is None else day.isoformat()
    values["uncertainty"] = None if calibration.uncertainty is None else float(calibration.uncertainty)
    return {key: value for key, value in values.items() if value not in (None, [])}


def load(raw: Any, calibration_id: str = "") -> Calibration:
    """The calibration that `plain` wrote; unknown keys are passed over. ValueError where it is none."""
    from sxeslake.archive.sxes.axes import Calibration  # noqa: PLC0415

    if not isinstance(raw, dict):
        raise ValueError("a calibration is not an object")
    values: dict[str, Any] = {key: _text(raw, key) for key in _TEXTS}
    values |= {key: _text(raw, key) for key in _OPTIONAL if raw.get(key) is not None}
    values |= {key: _day(raw, key) for key in _DAYS if raw.get(key) is not None}
    values["coefficients"] = tuple(_number(each) for each in _list(raw, "coefficients"))
    values["table"] = tuple(_pair(each) for each in _list(raw, "table"))
    if raw.get("uncertainty") is not None:
        values["uncertainty"] = _number(raw["uncertainty"])
    try:
        return Calibration(**values, id=calibration_id)
    except UsageError as error:
        raise ValueError(error.what) from error


def check_item(raw: Any) -> dict[str, Any]:
    """An item of `calibrations` in a log entry; without a calibration it takes the one of that id back."""
    if not isinstance(raw, dict):
        raise ValueError("an item of calibrations is not an object")
    if not is_id(raw.get("id")):
        raise ValueError("a calibration has no id")
    if raw.get("calibration") is not None:
        load(raw["calibration"])
    return {**raw, "calibration": raw.get("calibration")}


def is_id(text: object) -> bool:
    """Whether a calibration can be called so."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def id_of(values: Mapping[str, Any], digits: int = _HASH_DIGITS) -> str:
    """`js300n-1f3a9c`: the grating, and the start of the BLAKE3 of what `plain` gives."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    stem = re.sub(r"[^a-z0-9]+", "-", str(values["grating"]).casefold()).strip("-")[:_STEM_CHARS].rstrip("-")
    return f"{stem or 'grating'}-{blake3(text.encode()).hexdigest()[:digits]}"


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw[key]
    if not isinstance(value, str):
        raise ValueError(f"a calibration's {key} is not text")
    value.encode()  # half a character that an escape stands for
    return value


def _day(raw: Mapping[str, Any], key: str) -> date:
    text = _text(raw, key)
    if not _DAY.fullmatch(text):
        raise ValueError(f"a calibration's {key} is not a day")
    return date.fromisoformat(text)


def _list(raw: Mapping[str, Any], key: str) -> list[Any]:
    value = raw.get(key) or []
    if not isinstance(value, list):
        raise ValueError(f"a calibration's {key} is not a list")
    return value


def _pair(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("a row of a calibration's table is not a channel and a value")
    return _number(value[0]), _number(value[1])


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("a calibration has a value that is not a number")
    return float(value)
