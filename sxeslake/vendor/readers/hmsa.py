"""HMSA (ISO 5820, MSA/MAS/AMAS hyper-dimensional data): `NAME.xml` says what stands in `NAME.hmsa`.

Both begin with the same UID. Each element of `<Data>` gives the place, type and dimensions of values; the first
dimension is the fastest, those of a datum (`Channel`, `U`, `V`) before those of the collection (`X`, `Y`,
`Analysis`). `<Conditions>` are named by ID; a datum includes some of them.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

import numpy as np

from ..markup import parse_xml, text_at
from ..reading import beside, head_of, text_bytes
from ..records import (
    AnalysisRecord,
    ArrayRecord,
    AxisRecord,
    ChannelRecord,
    Finding,
    Json,
    MapRecord,
    PositionRecord,
    Span,
    Warned,
)
from ..texts import Warn, number_of
from ..tree import Tree
from ..values import scaled, stage_frame, state_of, stated

ROOT = "MSAHyperDimensionalDataFile"
TYPES: Mapping[str, str] = {
    "byte": "|u1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "int64": "<i8",
    "uint64": "<u8",
    "float": "<f4",
    "double": "<f8",
}

_UID_BYTES = 8
_MOST_DATA = _MOST_CONDITIONS = 1000
_MOST_FACTS = 5_000
_CHUNK = 1 << 20
_COLLECTIONS = {"Analysis": ((),), "AnalysisList": (("Analysis",),), "ImageRaster": (("X",), ("X", "Y"))}
_NAMES = {"Spectrometer/XEDS": "eds", "Spectrometer/WDS": "wds", "Spectrometer/CL": "cl"}
_COUNTED = {"0D": "value", "1D": "spectrum", "2D": "image"}
_FACTORS = {"kV": 1.0, "V": 1e-3, "A": 1.0, "nA": 1e-9, "pA": 1e-12, "uA": 1e-6, "µA": 1e-6}
_LENGTHS_MM = {"mm": 1.0, "um": 1e-3, "µm": 1e-3, "nm": 1e-6, "m": 1e3}
_TIMES_MS = {"s": 1e3, "ms": 1.0, "us": 1e-3, "µs": 1e-3}


@dataclass(frozen=True, slots=True)
class Datum:
    """One element of `<Data>`, held against the size of its file; `inner` is the shape of one datum in C order."""

    name: str
    kind: str
    span: Span
    dtype: str
    inner: tuple[int, ...]
    collection: Mapping[str, int]
    conditions: tuple[Element, ...]

    def condition(self, template: str) -> Element | None:
        """The first included condition of a kind."""
        return next((each for each in self.conditions if each.tag == template), None)


class Hmsa:
    """A pair of files, an analysis each."""

    name = "hmsa"
    title = "HMSA (ISO 5820) hyper-dimensional data (.xml and .hmsa)"
    verified = (
        "On one published real spectrum (EDS of a JXA-8500F, checksum agrees) and on examples of the format by the "
        "authors of another library: 0D, 1D, 2D, lists and rasters. Conditions of lists and rasters: by description."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """XML of that root, with its values beside it."""
        for path in tree.sizes:
            if path.casefold().endswith(".xml") and ROOT.encode() in head_of(tree, path):
                binary = beside(tree, path, ".hmsa")
                yield Finding(self.name, path, "HMSA data (ISO 5820)", 0.95, (path, binary) if binary else (path,))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """The data of a pair: analyses as positions, rasters as maps."""
        path, *binary = finding.files
        if not binary:
            warn(Warned(path, "the .hmsa of the same name is missing; it is kept as an original"))
            return
        try:
            root = parse_xml(text_bytes(tree, path))
            _check_pair(tree, root, binary[0])
        except (ValueError, OSError) as error:
            warn(Warned(path, f"{error}; both files are kept as originals"))
            return
        _check_sum(tree, root, binary[0], path, warn)
        elements = root.findall("Data/*")
        if len(elements) > _MOST_DATA:
            warn(Warned(path, f"of its {len(elements):,} data the first {_MOST_DATA:,} are read"))
        found = (_datum(tree, root, element, binary[0], path, warn) for element in elements[:_MOST_DATA])
        yield _analysis(root, _named_apart(datum for datum in found if datum), PurePosixPath(path).stem)


def _analysis(root: Element, data: list[Datum], name: str) -> AnalysisRecord:
    saved = " ".join(filter(None, (text_at(root, "Header/Date"), text_at(root, "Header/Time")))).replace("-", "/")
    instrument = root.find("Conditions/Instrument")
    rasters = [datum for datum in data if datum.kind == "ImageRaster"]
    lists = [datum for datum in data if datum.kind == "AnalysisList"]
    maps = [_raster(datum, saved) for datum in rasters]
    maps += [found for datum in lists if (found := _points(datum))]
    made_by = (text_at(instrument, "Manufacturer"), text_at(instrument, "Model"))
    return AnalysisRecord(
        name=name,
        comment=text_at(root, "Header/Title"),
        operator=text_at(root, "Header/Author"),
        instrument=" ".join(filter(None, made_by)),
        acquisition_date=state_of(saved=saved).get("saveDate", ""),
        positions=partial(_positions, [datum for datum in data if datum not in rasters], saved),
        maps=tuple(maps),
    )


def _check_pair(tree: Tree, root: Element, binary: str) -> None:
    """Whether both files have one UID; ValueError else."""
    if root.tag != ROOT:
        raise ValueError(f"its root is {root.tag[:60]!r}")
    said, found = root.get("UID", "").strip().casefold(), tree.read(binary, 0, _UID_BYTES).hex()
    if not said or said != found:
        raise ValueError(f"its UID is {said[:40] or 'absent'}, that of its .hmsa {found or 'absent'}")


def _check_sum(tree: Tree, root: Element, binary: str, path: str, warn: Warn) -> None:
    """Tell where the checksum of the values is not the one that is stated."""
    stated_sum = root.find("Header/Checksum")
    if stated_sum is None or stated_sum.get("Algorithm", "").upper() != "SHA-1":
        return
    digest = hashlib.sha1(usedforsecurity=False)
    for at in range(0, tree.sizes[binary], _CHUNK):
        digest.update(tree.read(binary, at, _CHUNK))
    if digest.hexdigest() != text_at(stated_sum).casefold():
        warn(Warned(path, "the SHA-1 that it states is not that of its .hmsa; the values are given as found"))


def _datum(tree: Tree, root: Element, element: Element, binary: str, path: str, warn: Warn) -> Datum | None:
    """What an element of `<Data>` describes, or None where the file does not hold it."""
    name = element.get("Name", "").strip() or element.tag
    try:
        return _described(root, element, binary, tree.sizes[binary], name)
    except ValueError as error:
        warn(Warned(path, f"{name[:80]!r}: {error}; it is left out"))
        return None


def _described(root: Element, element: Element, binary: str, size: int, name: str) -> Datum:
    if element.tag not in _COLLECTIONS:
        raise ValueError(f"data of the kind {element.tag[:60]!r} are not known")
    dtype = TYPES.get(text_at(element, "DatumType"))
    if dtype is None:
        raise ValueError(f"values of the type {text_at(element, 'DatumType')[:40]!r} are not known")
    inner = _dimensions(element, "DatumDimensions")
    collection = _dimensions(element, "CollectionDimensions")
    offset, length = (_whole(text_at(element, key), key) for key in ("DataOffset", "DataLength"))
    needed = math.prod((*inner.values(), *collection.values())) * np.dtype(dtype).itemsize
    if needed != length:
        raise ValueError(f"its dimensions need {needed:,} bytes, DataLength says {length:,}")
    if offset < _UID_BYTES or offset + length > size:
        raise ValueError(f"bytes {offset:,} to {offset + length:,} are not all in a file of {size:,}")
    if tuple(collection) not in _COLLECTIONS[element.tag]:
        raise ValueError(f"an {element.tag} over {' × '.join(collection)[:80] or 'nothing'} is not read")
    return Datum(
        name=name,
        kind=element.tag,
        span=Span(binary, offset, length),
        dtype=dtype,
        inner=tuple(reversed(inner.values())),
        collection=collection,
        conditions=tuple(_included(root, element)),
    )


def _dimensions(element: Element, where: str) -> dict[str, int]:
    """Names and sizes, the fastest first."""
    found: dict[str, int] = {}
    for dimension in element.findall(f"{where}/Dimension"):
        name = dimension.get("Name", "").strip()
        if name in found or len(found) > 4:
            raise ValueError(f"its {where} are not clear")
        found[name] = _whole(text_at(dimension), f"the dimension {name[:40]!r}")
        if found[name] < 1:
            raise ValueError(f"the dimension {name[:40]!r} is {found[name]}")
    return found


def _whole(text: str, what: str) -> int:
    value = number_of(text)
    if value is None or not value.is_integer() or value < 0:
        raise ValueError(f"{what} is {text[:40]!r}, no whole number")
    return int(value)


def _included(root: Element, element: Element) -> Iterator[Element]:
    """The conditions that a datum names; where it names none, those of which there is one of a kind."""
    known = list(islice(root.iterfind("Conditions/*"), _MOST_CONDITIONS))
    named = {text_at(each) for each in element.findall("IncludeConditions/*")}
    if named:
        yield from (each for each in known if each.get("ID") in named)
        return
    often = Counter(each.tag for each in known)
    yield from (each for each in known if often[each.tag] == 1)


def _named_apart(data: Iterable[Datum]) -> list[Datum]:
    taken: Counter[str] = Counter()
    found = []
    for datum in data:
        taken[datum.name] += 1
        again = taken[datum.name]
        found.append(datum if again == 1 else replace(datum, name=f"{datum.name} ({again})"))
    return found


def _positions(data: list[Datum], saved: str) -> Iterator[PositionRecord]:
    """A position an analysis, and one an item of a list."""
    for datum in data:
        places, raw, condition, array = _places(datum), _facts(datum), _condition(datum), _item(datum)
        for number, name in enumerate(_position_names(datum)):
            length = datum.span.length // datum.collection.get("Analysis", 1)
            span = Span(datum.span.path, datum.span.offset + number * length, length)
            yield PositionRecord(
                name=name,
                arrays=(replace(array, span=span),),
                state=_state(datum, saved, places[number] if number < len(places) else ()),
                condition=condition,
                raw_condition=raw,
            )


def _position_names(datum: Datum) -> Iterator[str]:
    if datum.kind == "Analysis":
        yield datum.name
    else:
        yield from (f"{datum.name} {number}" for number in range(1, datum.collection["Analysis"] + 1))


def _item(datum: Datum) -> ArrayRecord:
    """What the arrays of an analysis, or of all items of a list, have in common."""
    return ArrayRecord(_array_name(datum), datum.dtype, datum.inner or (1,), axis=_axis(datum), extra=_extra(datum))


def _array_name(datum: Datum) -> str:
    detector = datum.condition("Detector")
    kind = "" if detector is None else detector.get("Class", "")
    name = _COUNTED.get(f"{len(datum.inner)}D", "values")
    return _NAMES.get(kind, name) if len(datum.inner) == 1 else name


def _raster(datum: Datum, saved: str) -> MapRecord:
    """A map of a raster; a line is a map of one row."""
    acquisition = datum.condition("Acquisition")
    columns, rows = datum.collection["X"], datum.collection.get("Y", 1)
    array = ArrayRecord(
        "cube" if datum.inner else "counts",
        datum.dtype,
        (rows, columns, *datum.inner),
        span=datum.span,
        axis=_axis(datum),
        extra=_extra(datum),
    )
    channel = ChannelRecord(datum.name, array, {"quantity": "counts"}, _condition(datum), _facts(datum))
    kind = "line" if "Y" not in datum.collection else text_at(acquisition, "RasterMode").casefold()
    return MapRecord(
        name=datum.name,
        kind=kind if kind in ("line", "stage", "beam") else "beam",
        shape=(rows, columns),
        channels=(channel,),
        frame=_frame(acquisition),
        state=_state(datum, saved, ()),
    )


def _points(datum: Datum) -> MapRecord | None:
    """The places of a list as a map of free points, where all are known."""
    places = [place[:2] for place in _places(datum)]
    if len(places) != datum.collection["Analysis"] or any(None in place for place in places):
        return None
    names = tuple(_position_names(datum))  # as many as there are places
    return MapRecord(datum.name, "free", (len(names),), xy=np.array(places, "<f8"), positions=names)


def _frame(acquisition: Element | None) -> Json | None:
    """The raster on the stage: its start and its steps, where both are stated."""
    across, down = (_quantity(acquisition, f"{axis}StepSize", _LENGTHS_MM, "um") for axis in "XY")
    start = None if acquisition is None else acquisition.find("SpecimenPosition[@Name='Start']")
    place = _place(start)
    if across is None or down is None or place[0] is None or place[1] is None:
        return None
    return stage_frame([value for value in place if value is not None], (across, down))


def _places(datum: Datum) -> list[tuple[float | None, ...]]:
    """Where each item of a list, or an analysis, was measured."""
    acquisition = datum.condition("Acquisition")
    if acquisition is None:
        return []
    count = datum.collection.get("Analysis", 1)
    found = list(islice(acquisition.iterfind("Positions/SpecimenPosition"), count))
    return [_place(each) for each in found or islice(acquisition.iterfind("SpecimenPosition"), 1)]


def _place(position: Element | None) -> tuple[float | None, ...]:
    return tuple(_quantity(position, axis, _LENGTHS_MM, "mm") for axis in "XYZ")


def _state(datum: Datum, saved: str, place: tuple[float | None, ...]) -> Json:
    probe, acquisition = datum.condition("Probe"), datum.condition("Acquisition")
    return state_of(
        saved=saved,
        stage=place,
        kilovolts=_shown(_quantity(probe, "BeamVoltage", _FACTORS, "kV")),
        current=_shown(_quantity(probe, "BeamCurrent", _FACTORS, "nA")),
        magnification=_shown(_quantity(probe, "ScanMagnification", {}, "")),
        diameter=_shown(_quantity(probe, "BeamDiameter", {key: each * 1e3 for key, each in _LENGTHS_MM.items()}, "um")),
        dwell_time=_shown(_quantity(acquisition, "DwellTime", _TIMES_MS, "s")),
    )


def _condition(datum: Datum) -> Json:
    """The condition of a spectrometer: its kind decides the key."""
    detector = datum.condition("Detector")
    kind = "" if detector is None else _NAMES.get(detector.get("Class", ""), "")
    if detector is None or kind not in ("eds", "wds"):
        return {}
    texts = {name: text_at(detector, tag) for name, tag in
             (("manufacturer", "Manufacturer"), ("model", "Model"), ("crystal", "DispersionElement"))}  # fmt: skip
    found = stated({**texts, "elevation": _quantity(detector, "Elevation", {}, ""),
                    "twoD": _quantity(detector, "Crystal-2d", {}, "")})  # fmt: skip
    if not found:
        return {}
    return {"calibrationCoefficients": [], "probe": {}, kind: {"channels": [found]} if kind == "wds" else found}


def _axis(datum: Datum) -> AxisRecord | None:
    """The axis of the channels, where their calibration is linear or explicit."""
    detector = datum.condition("Detector")
    calibration = None if detector is None else detector.find("Calibration")
    if calibration is None or len(datum.inner) != 1:
        return None
    quantity, unit = text_at(calibration, "Quantity").casefold(), text_at(calibration, "Unit")
    if calibration.get("Class") == "Linear":
        gain, offset = (number_of(text_at(calibration, key)) for key in ("Gain", "Offset"))
        if gain and offset is not None:
            return AxisRecord(quantity, unit, offset, gain, source="Calibration")
    if calibration.get("Class") == "Explicit":
        values = [number_of(word) for word in text_at(calibration, "Values").split(",")]
        known = tuple(value for value in values if value is not None)
        if len(known) == len(values) == datum.inner[0]:
            return AxisRecord(quantity, unit, values=known, source="Calibration")
    return None


def _extra(datum: Datum) -> Json:
    """Live and real time of a datum, in seconds."""
    acquisition = datum.condition("Acquisition")
    times = {"realTime": "DwellTime", "liveTime": "DwellTime_Live"}
    found = {key: _quantity(acquisition, tag, _TIMES_MS, "s") for key, tag in times.items()}
    return {key: scaled(value, 1e-3) for key, value in found.items() if value}


def _quantity(element: Element | None, tag: str, factors: Mapping[str, float], by_default: str) -> float | None:
    """A number in our unit; None where it is absent or its unit is not known."""
    found = None if element is None else element.find(tag)
    value = None if found is None else number_of(text_at(found))
    if found is None or value is None:
        return None
    factor = factors.get(found.get("Unit", by_default).strip()) if factors else 1.0
    return None if factor is None else scaled(value, factor)


def _shown(value: float | None) -> str | None:
    """The text of a quantity; zero is not given."""
    return f"{value:.9g}" if value else None


def _facts(datum: Datum) -> dict[str, str]:
    """All that the included conditions say: `Probe.Probe0.BeamVoltage` → `15. kV`."""
    found: dict[str, str] = {}
    for condition in datum.conditions:
        stack = [
            (f"{condition.tag}.{condition.get('ID', '')}", each)
            for each in reversed(condition)
            if each.tag != "Positions"
        ]
        while stack and len(found) < _MOST_FACTS:
            path, element = stack.pop()
            key = f"{path}.{element.tag}"[:400]
            if text := text_at(element):
                found.setdefault(key, f"{text} {element.get('Unit', '')}".strip())
            stack += [(key, each) for each in reversed(element)]
    return found
