"""EMSA/MAS (ISO 22029) text, a file a spectrum, with no digit lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.signals import signal_axis
from sxeslake.archive.spectra.spectra import Spectra

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TITLE: Final = 64  # characters that the standard allows
_MEASURED: Final = (
    ("BEAMKV   -kV", "accelerating_voltage_kv"),
    ("PROBECUR -nA", "probe_current_na"),
    ("MAGCAM", "magnification"),
    ("XPOSITION-mm", "stage_x_mm"),
    ("YPOSITION-mm", "stage_y_mm"),
    ("ZPOSITION-mm", "stage_z_mm"),
)


def msa_text(spectra: Spectra, number: int) -> bytes:
    """One spectrum as ASCII lines."""
    row, values = spectra.rows[number], spectra.values[number].tolist()
    lines = (*_header(row, spectra, len(values)), *map(repr, values), _keyword("ENDOFDATA", ""))
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _header(row: Measured, spectra: Spectra, channels: int) -> Iterator[str]:
    axis = signal_axis([row], channels, spectra.data_type, spectra.calibrations)
    is_wavelength = axis["name"] == "wavelength"
    time = row.acquired_local
    yield _keyword("FORMAT", "EMSA/MAS Spectral Data File")
    yield _keyword("VERSION", "1.0")
    yield _keyword("TITLE", _plain(row.name)[:_TITLE])
    yield _keyword("DATE", f"{time.day:02}-{_MONTHS[time.month - 1]}-{time.year}" if time else "")
    yield _keyword("TIME", f"{time:%H:%M}" if time else "")
    yield _keyword("OWNER", _plain(row.operator or "")[:_TITLE])
    yield _keyword("NPOINTS", channels)
    yield _keyword("NCOLUMNS", 1)
    yield _keyword("XUNITS", "Angstrom" if is_wavelength else "channel")
    yield _keyword("YUNITS", "counts")
    yield _keyword("DATATYPE", "Y")
    yield _keyword("XPERCHAN", repr(axis["scale"]))
    yield _keyword("OFFSET", repr(axis["offset"]))
    yield _keyword("SIGNALTYPE", "WDS")
    yield _keyword("XLABEL", axis["name"])
    yield _keyword("YLABEL", "intensity")
    for name, field in _MEASURED:
        value = getattr(row, field)
        if value is not None:
            yield _keyword(name, repr(float(value)))
    for label, said in _comments(row, spectra.data_type):
        yield _keyword("COMMENT", _plain(f"{label} {said}")[:_TITLE])
    yield _keyword("SPECTRUM", "Spectral Data Starts Here")


def _comments(row: Measured, data_type: str) -> Iterator[tuple[str, Any]]:
    yield "data", data_type
    for field in ("instrument", "spectrometer", "grating", "accumulation", "position_uuid", "comment"):
        if (value := getattr(row, field)) not in (None, ""):
            yield field, value


def _keyword(name: str, value: object) -> str:
    return f"#{name:<12}: {value}"


def _plain(text: str) -> str:
    """ASCII in one line without the sign that parts a keyword from its value."""
    return " ".join(text.encode("ascii", "backslashreplace").decode().split()).replace(": ", ":")
