"""HMSA (ISO 5820): spectra as a pair of files, `NAME.xml` that says what stands in `NAME.hmsa`, with one UID.

One position is an Analysis, a map without holes an ImageRaster, anything else an AnalysisList. What the positions do
not share (voltage, current) has no place in a condition of all of them, and is left out with a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.dataset import PositionGrid, arrange
from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.signals import signal_axis
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.errors import UsageError
from sxeslake.version import TOOL

_UID_BYTES: Final = 8
_TYPES: Final = {"<f8": "double", "<i8": "int64"}
_PROBE: Final = (
    ("BeamVoltage", "accelerating_voltage_kv", "kV"),
    ("BeamCurrent", "probe_current_na", "nA"),
    ("ScanMagnification", "magnification", ""),
)
_STAGE: Final = (("X", "stage_x_mm"), ("Y", "stage_y_mm"), ("Z", "stage_z_mm"))
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def pair_of(out: Path) -> tuple[Path, Path]:
    """The text and the values of an export; either may be named."""
    if out.suffix.lower() not in (".xml", ".hmsa"):
        raise UsageError("HMSA is a pair of files.", where=out, hint="Name one of them: -o map.hmsa or -o map.xml")
    return out.with_suffix(".xml"), out.with_suffix(".hmsa")


def write_hmsa(text: BinaryIO, binary: BinaryIO, spectra: Spectra, title: str) -> list[str]:
    """Write the pair; what could not be said is returned. The UID follows from the content."""
    arrangement, values = _arranged(spectra)
    dtype = "<f8" if values.dtype.kind == "f" else "<i8"
    data = np.ascontiguousarray(values, dtype).tobytes()
    warnings: list[str] = []
    root = Element("MSAHyperDimensionalDataFile", {"Version": "1.0", "UID": "", _LANGUAGE: "en-US"})
    header = SubElement(root, "Header")
    conditions = list(_conditions(spectra, arrangement, values.shape[-1], warnings))
    SubElement(root, "Conditions").extend(conditions)
    _datum(SubElement(root, "Data"), spectra, arrangement, conditions, dtype, title)
    _text(header, "Title", title)
    if times := [row.acquired_local for row in spectra.rows if row.acquired_local is not None]:
        _text(header, "Date", f"{min(times):%Y-%m-%d}")
        _text(header, "Time", f"{min(times):%H:%M:%S}")
    if author := _shared(spectra.rows, "operator", warnings):
        _text(header, "Author", author)
    _text(header, "AuthorSoftware", TOOL)
    uid = hashlib.sha256(ElementTree.tostring(root) + data).digest()[:_UID_BYTES]
    root.set("UID", uid.hex().upper())
    checksum = hashlib.sha1(uid + data, usedforsecurity=False).hexdigest().upper()
    _text(header, "Checksum", checksum).set("Algorithm", "SHA-1")
    binary.write(uid + data)
    ElementTree.indent(root)
    text.write(b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n')
    text.write(ElementTree.tostring(root, encoding="utf-8") + b"\n")
    return warnings


def _arranged(spectra: Spectra) -> tuple[PositionGrid, NDArray[Any]]:
    """How the positions lie, and their values in that order; a map with a hole is a list."""
    arrangement = arrange(spectra.rows)
    if arrangement.dimensions == ("position",) or any(cell is None for cell in arrangement.cells):
        return PositionGrid.of(spectra.rows), spectra.values
    place = {id(row): number for number, row in enumerate(spectra.rows)}
    return arrangement, spectra.values[[place[id(cell)] for cell in arrangement.cells]]


def _datum(
    data: Element, spectra: Spectra, arrangement: PositionGrid, conditions: Sequence[Element], dtype: str, title: str
) -> None:
    """What stands in the file of values: the first dimension is the fastest."""
    channels = spectra.values.shape[1]
    if len(spectra) == 1:
        element, collection = SubElement(data, "Analysis", {"Class": "1D"}), {}
    elif arrangement.dimensions == ("y", "x"):
        element = SubElement(data, "ImageRaster", {"Class": "2D/Spectral"})
        collection = {"X": arrangement.shape[1], "Y": arrangement.shape[0]}
    else:
        element, collection = SubElement(data, "AnalysisList", {"Class": "1D"}), {"Analysis": len(spectra)}
    element.set("Name", _plain(spectra.rows[0].name if len(spectra) == 1 else title))
    _number(element, "DataOffset", _UID_BYTES, kind="int64")
    _number(element, "DataLength", len(spectra) * channels * 8, kind="int64")
    _text(element, "DatumType", _TYPES[dtype]).set("SizeInBytes", "8")
    for where, sizes in (("DatumDimensions", {"Channel": channels}), ("CollectionDimensions", collection)):
        dimensions = SubElement(element, where)
        for name, size in sizes.items():
            _number(dimensions, "Dimension", size, kind="uint32").set("Name", name)
    included = SubElement(element, "IncludeConditions")
    for condition in conditions:
        _text(included, condition.tag, condition.attrib["ID"])


def _conditions(spectra: Spectra, arrangement: PositionGrid, channels: int, warnings: list[str]) -> Iterator[Element]:
    rows = spectra.rows
    if model := _shared(rows, "instrument", warnings):
        instrument = Element("Instrument", {"ID": "Inst0"})
        _text(instrument, "Manufacturer", "JEOL Ltd.")  # qlw and xes are data of its spectrometers
        _text(instrument, "Model", model)
        yield instrument
    said = {tag: (_shared(rows, field, warnings), unit) for tag, field, unit in _PROBE}
    if any(value is not None for value, _ in said.values()):
        probe = Element("Probe", {"Class": "EM", "ID": "Probe0"})
        for tag, (value, unit) in said.items():
            if value is not None:
                _number(probe, tag, value, unit)
        yield probe
    yield _detector(spectra, channels, warnings)
    yield _acquisition(arrangement)


def _detector(spectra: Spectra, channels: int, warnings: list[str]) -> Element:
    axis = signal_axis(spectra.rows, channels, spectra.data_type, spectra.calibrations)
    detector = Element("Detector", {"Class": "Spectrometer/WDS", "ID": "Detector0"})
    _number(detector, "ChannelCount", channels, kind="uint32")
    calibration = SubElement(detector, "Calibration", {"Class": "Linear"})
    _text(calibration, "Quantity", str(axis["name"]).capitalize())
    _text(calibration, "Unit", axis["units"])
    _number(calibration, "Gain", axis["scale"])
    _number(calibration, "Offset", axis["offset"])
    _text(detector, "SignalType", "WDS")
    for tag, field in (("Model", "spectrometer"), ("DispersionElement", "grating")):
        if value := _shared(spectra.rows, field, warnings):
            _text(detector, tag, value)
    return detector


def _acquisition(arrangement: PositionGrid) -> Element:
    """Where the spectra were measured: a place, the raster and its start, or a list of places."""
    rows = [cell for cell in arrangement.cells if cell is not None]
    if len(rows) == 1:
        point = Element("Acquisition", {"Class": "Point", "ID": "Acq0"})
        _place(point, rows[0])
        return point
    if arrangement.dimensions == ("y", "x"):
        raster = Element("Acquisition", {"Class": "Raster/XY", "ID": "Acq0"})
        _text(raster, "RasterMode", "Stage")
        for axis, size in zip("XY", reversed(arrangement.shape), strict=True):
            _number(raster, f"{axis}StepCount", size, kind="uint32")
        for axis, step in zip("XY", reversed(arrangement.step_mm), strict=True):
            _number(raster, f"{axis}StepSize", float(f"{step * 1000:.12g}"), "um")
        _place(raster, rows[0]).set("Name", "Start")
        return raster
    several = Element("Acquisition", {"Class": "Multipoint", "ID": "Acq0"})
    _number(several, "PointCount", len(rows), kind="uint32")
    places = SubElement(several, "Positions")
    for row in rows:
        _place(places, row)
    return several


def _place(parent: Element, row: Measured) -> Element:
    place = SubElement(parent, "SpecimenPosition")
    for tag, field in _STAGE:
        if (value := getattr(row, field)) is not None:
            _number(place, tag, value, "mm")
    return place


def _shared(rows: Sequence[Measured], field: str, warnings: list[str]) -> Any:
    """The value that all positions share, or None; said where they differ."""
    found = dict.fromkeys(getattr(row, field) for row in rows)
    if len(found) == 1:
        return next(iter(found))
    warnings.append(f"{field} differs between the positions; HMSA's condition of all of them leaves it out")
    return None


def _number(parent: Element, tag: str, value: float, unit: str = "", *, kind: str = "double") -> Element:
    element = _text(parent, tag, repr(float(value)) if kind == "double" else str(int(value)))
    element.set("DataType", kind)
    if unit:
        element.set("Unit", unit)
    return element


def _text(parent: Element, tag: str, text: object) -> Element:
    element = SubElement(parent, tag)
    element.text = _plain(str(text))
    return element


def _plain(text: str) -> str:
    """In one line, without characters that XML cannot hold."""
    kept = (letter if letter.isprintable() else " " for letter in text)
    return " ".join("".join(kept).encode("utf-8", "replace").decode().split())
