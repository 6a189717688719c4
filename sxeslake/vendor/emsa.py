"""Spectra of EMSA/MAS (ISO 22029): `#KEY -unit : value` lines, then numbers; known by the first line, never a suffix.

Lines end in LF, CR or both. `DATATYPE` says `Y`, several values a line, or `XY`, an energy and a value a line; files
that say one and hold the other are read by what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import numpy as np

from .records import ArrayRecord, AxisRecord, Json
from .texts import decode, is_absent, number_of
from .values import day_and_clock, scaled, state_of

SNIFF_BYTES = 256
"""The bytes by which a file is known."""

_FIRST_LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*#FORMAT\s*:\s*EMSA/MAS", re.IGNORECASE)
_KEYED = re.compile(r"\s*#(#?[^\s:#][^:]*?)\s*:(.*)")
_UNIT = re.compile(r"(\S+?)(?:\s*-\s*|\s+)([A-Za-zµμ%]\S*)")
_SPACED_EXPONENT = re.compile(r"(?<=\d)\s+(?=[eE][+-]?\d)")
_BETWEEN = re.compile(r"[,;\s]+")
_BETWEEN_COMMAS = re.compile(r"[;\s]+")
_COMMA_NUMBER = re.compile(r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_TO_KV = {"kv": 1.0, "kev": 1.0, "v": 1e-3, "ev": 1e-3}
_TO_A = {"na": 1e-9, "pa": 1e-12, "ua": 1e-6, "µa": 1e-6, "a": 1.0}
_TO_MM = {"mm": 1.0, "um": 1e-3, "µm": 1e-3, "cm": 10.0, "m": 1000.0, "nm": 1e-6}
_WRITERS_IN_MM = ("NSS", "Pathfinder")
"""Writers of stage positions in mm that do not say so."""
_QUANTITIES = {
    "ev": "energy",
    "kev": "energy",
    "nm": "wavelength",
    "a": "wavelength",
    "å": "wavelength",
    "mm": "position",
}
_NAMES = {"EDS": "eds", "WDS": "wds", "ELS": "eels", "CLS": "cl", "XRF": "xrf", "AES": "aes", "PES": "pes"}
_OF_DETECTOR = {
    "detector": "##DETNAME",
    "type": "EDSDET",
    "elevationAngle": "ELEVANGLE",
    "azimuthAngle": "AZIMANGLE",
    "solidAngle": "SOLIDANGL",
}
_LINEAR = 0.51
"""Energies that are rounded to a channel differ by up to half a channel from a linear axis."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """What a file says, its values, their energies where it holds them, and what is odd about it."""

    keys: Mapping[str, str]
    """Keys without `#` (`BEAMKV`, `#WORKDIST` of the writer's own) with their texts."""
    units: Mapping[str, str]
    values: np.ndarray
    energies: np.ndarray | None
    odd: tuple[str, ...]

    def text(self, key: str) -> str:
        """The value, or '' where it is absent."""
        return "" if is_absent(self.keys.get(key)) else self.keys[key].strip()

    def number(self, key: str) -> float | None:
        """The number, `2.0 E-06` too, or None."""
        return number_of(_SPACED_EXPONENT.sub("", self.text(key)))

    @property
    def date(self) -> str:
        """When it was measured, as archives write it."""
        return day_and_clock(self.text("DATE"), self.text("TIME"))


def is_emsa(head: bytes) -> bool:
    """Whether a file is of EMSA/MAS by its first bytes."""
    return _FIRST_LINE.match(head) is not None


def parse_spectrum(data: bytes) -> Spectrum:
    """The spectrum of a file; ValueError where it holds none."""
    keys: dict[str, str] = {}
    units: dict[str, str] = {}
    lines = re.split(r"\r\n|\r|\n", decode(data).text)
    start = len(lines)
    for number, line in enumerate(lines):
        match = _KEYED.match(line)
        if match is None:
            if line.strip():
                start = number
                break
            continue
        named = _UNIT.fullmatch(match[1])
        key = (named[1] if named else match[1]).upper()
        if key == "SPECTRUM":
            start = number + 1
            break
        joined = key in keys and (key == "COMMENT" or key.startswith("#"))
        keys[key] = f"{keys[key]}\n{match[2].strip()}" if joined else match[2].strip()
        if named:
            units[key] = named[2]
    return _with_values(Spectrum(keys, units, np.zeros(0), None, ()), lines[start:])


def array_of(spectrum: Spectrum) -> ArrayRecord:
    """The spectrum as an array with its axis, and the seconds that it was counted for."""
    kind = spectrum.text("SIGNALTYPE").upper()[:3]
    times = {"liveTime": spectrum.number("LIVETIME"), "realTime": spectrum.number("REALTIME")}
    return ArrayRecord(
        _NAMES.get(kind, "spectrum"),
        "<f8",
        spectrum.values.shape,
        load=partial(np.array, spectrum.values),
        axis=axis_of(spectrum),
        extra={key: value for key, value in times.items() if value},
    )


def axis_of(spectrum: Spectrum) -> AxisRecord | None:
    """The axis that the keys give, or that of the energies where they are not linear or no keys give one."""
    step, start = spectrum.number("XPERCHAN"), spectrum.number("OFFSET") or 0.0
    unit = spectrum.text("XUNITS")
    quantity = _QUANTITIES.get(unit.casefold(), spectrum.text("XLABEL").partition("\n")[0].casefold() or "channel")
    energies = spectrum.energies
    if not step:
        return None if energies is None else AxisRecord(quantity, unit, values=tuple(map(float, energies)))
    linear = start + step * np.arange(len(spectrum.values))
    if energies is not None and not np.all(np.abs(energies - linear) <= _LINEAR * abs(step)):
        return AxisRecord(quantity, unit, values=tuple(map(float, energies)), source="#SPECTRUM")
    return AxisRecord(quantity, unit, start, step, source="#XPERCHAN")


def spectrum_state(spectrum: Spectrum) -> Json:
    """The state of a spectrum: kV, A, mm; a current, magnification or place of nothing but zeros is not given."""
    kilovolts = _converted(spectrum, "BEAMKV", _TO_KV, "kV")
    current = _converted(spectrum, "PROBECUR", _TO_A, "nA")
    magnification = spectrum.number("MAGCAM")
    by_default = "mm" if spectrum.text("#INSTRUMENT").startswith(_WRITERS_IN_MM) else ""
    stage = [_converted(spectrum, f"{axis}POSITION", _TO_MM, by_default) for axis in "XYZ"]
    return state_of(
        saved=spectrum.date,
        stage=stage if any(stage) else (),
        kilovolts=_shown(spectrum, "BEAMKV", kilovolts),
        current=_shown(spectrum, "PROBECUR", current),
        magnification=_shown(spectrum, "MAGCAM", magnification),
    )


def spectrum_condition(spectrum: Spectrum) -> Json:
    """The condition of an energy-dispersive detector; {} for others."""
    if _NAMES.get(spectrum.text("SIGNALTYPE").upper()[:3]) != "eds":
        return {}
    found: Json = {}
    for name, key in _OF_DETECTOR.items():
        if text := spectrum.text(key.replace("##", "#")):
            number = spectrum.number(key)
            found[name] = text if number is None else number
    return {"calibrationCoefficients": [], "probe": {}, "eds": found}


def _converted(spectrum: Spectrum, key: str, factors: Mapping[str, float], by_default: str) -> float | None:
    """A quantity in our unit, or None where its unit is not known."""
    value = spectrum.number(key)
    factor = factors.get(spectrum.units.get(key, by_default).casefold())
    return None if value is None or factor is None else scaled(value, factor)


def _shown(spectrum: Spectrum, key: str, value: float | None) -> str | None:
    """The text of a quantity, the file's own where its unit is ours; zero is not given."""
    if not value:
        return None
    return spectrum.text(key) if value == spectrum.number(key) else f"{value:.9g}"


def _with_values(spectrum: Spectrum, lines: list[str]) -> Spectrum:
    """A spectrum with the numbers of its lines, up to the next key."""
    body = list(takewhile(lambda line: not line.lstrip().startswith("#"), lines))
    odd = ["there is no #ENDOFDATA: the file may have been cut off"] if len(body) == len(lines) else []
    pairs = spectrum.text("DATATYPE").upper().startswith("XY")
    columns = max(1, int(spectrum.number("NCOLUMNS") or 1))
    rows = _numbers([line.strip() for line in body if line.strip()], 2 if pairs else columns)
    lengths = {len(row) for row in rows}
    if not pairs and lengths == {2} and columns == 1:
        pairs = True
        odd.append("#DATATYPE says Y, its lines hold an energy and a value")
    elif pairs and lengths == {1} and len(rows) == spectrum.number("NPOINTS"):
        pairs = False
        odd.append("#DATATYPE says XY, its lines hold values only")
    found = np.array([number for row in rows for number in row])
    energies = found[: len(found) // 2 * 2 : 2] if pairs else None
    values = found[1::2] if pairs else _unfilled(found, spectrum.number("NPOINTS"), columns)
    if not np.isfinite(values).any():
        raise ValueError("it holds no numbers")
    said = spectrum.number("NPOINTS")
    if said is not None and len(values) != said:
        odd.append(f"#NPOINTS says {said:.0f} points, there are {len(values)}; all are taken")
    if missing := int(np.isnan(values).sum()):
        odd.append(f"{missing} of its values are not numbers")
    return Spectrum(spectrum.keys, spectrum.units, values, energies, tuple(odd))


def _unfilled(values: np.ndarray, said: float | None, columns: int) -> np.ndarray:
    """Values without the zeros that fill up the last line."""
    if said is None or not said < len(values) < said + columns or values[int(said) :].any():
        return values
    return values[: int(said)]


def _numbers(lines: list[str], expected: int) -> list[list[float]]:
    """The numbers of each line, NaN for a word that is none."""
    between = _BETWEEN
    words = [_BETWEEN_COMMAS.split(line) for line in lines[:100]]
    if _holds_decimal_commas(words, expected):
        between = _BETWEEN_COMMAS
    found = []
    for line in lines:
        values = [number_of(word) for word in between.split(_SPACED_EXPONENT.sub("", line)) if word]
        found.append([np.nan if value is None else value for value in values])
    return [row for row in found if row]


def _holds_decimal_commas(lines: list[list[str]], expected: int) -> bool:
    """Whether commas are decimal: every line has as many words as are expected, and none has a point."""
    words = [word for line in lines for word in line if word]
    return (
        all(len([word for word in line if word]) == expected for line in lines)
        and any("," in word for word in words)
        and all(_COMMA_NUMBER.fullmatch(word) for word in words)
    )
