"""Formats that RosettaSciIO reads and no reader here does: a bridge to that package, which users install themselves.

It is asked for a file only where suffix and first bytes agree, and on a copy of the file in a temporary folder, so
that names inside a file lead nowhere else. Its arrays are looked at before they are loaded; what it says in errors,
warnings and its log is told by file.
"""

from __future__ import annotations

import logging
import re
import struct
import tempfile
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np

from sxeslake.errors import MissingExtraError
from sxeslake.extras import load

from ..markup import parse_xml
from ..rasters import named_apart
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
    Warned,
)
from ..texts import Warn, number_of
from ..tree import Tree, folder_of
from ..values import scaled, state_of

INSTALL: Final = 'pip install "sxeslake[rosettasciio]"'

_MOST_BYTES = 1 << 30
_COPY = 1 << 24
_MOST_FACTS = 2000
_LONGEST_FACT = 400
_TO_MM = {"m": 1e3, "mm": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "nm": 1e-6}
_SIGNALS = {"EDS": "eds", "WDS": "wds", "EELS": "eels", "CL": "cl"}
_TITLE = re.compile(r"([A-Z][a-z]?) ([KLM][A-Za-z0-9]*)", re.ASCII)
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,  # of XML
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What a parser of unknown bytes raises; caught where the package is called, and nowhere else."""


class BridgedFormat(NamedTuple):
    """A format: its suffixes, its first bytes, and the package's module that reads it.

    `known_by_bytes`: the first bytes are of no other format, whatever the suffix.
    """

    what: str
    module: str
    suffixes: tuple[str, ...]
    magics: tuple[bytes, ...]
    offset: int = 0
    known_by_bytes: bool = True


_PROJECT = BridgedFormat("JEOL Analysis Station project", "jeol", (".asw",), (b"Analysis Station",), 34)
_JEOL = (
    BridgedFormat("JEOL Analysis Station image or map", "jeol", (".img", ".map"), (b"JED-2200:",), 4),
    BridgedFormat("JEOL Analysis Station spectrum image", "jeol", (".pts",), (b"PTTDFILE",), 4),
    BridgedFormat("JEOL Analysis Station spectrum", "jeol", (".eds",), (b"\x02\0\0\0\x02\0\0\0\0\0",)),
)
_HDF5 = (b"\x89HDF\r\n\x1a\n",)
FORMATS: Final = (
    _PROJECT,
    *_JEOL,
    BridgedFormat("Bruker spectrum image", "bruker", (".bcf",), (b"AAMVHFSS",)),
    BridgedFormat("Bruker spectrum", "bruker", (".spx",), (b"<TRTSpectrum", b"<?xml"), known_by_bytes=False),
    BridgedFormat("EDAX spectrum", "edax", (".spc",), tuple(struct.pack("<f", each) for each in (0.58, 0.61, 0.7))),
    BridgedFormat("EDAX spectrum image", "edax", (".spd",), (b"MAPSPECTRA_DATA",)),
    BridgedFormat("Velox or NCEM data (EMD)", "emd", (".emd",), _HDF5, known_by_bytes=False),
    BridgedFormat("NeXus data", "nexus", (".nxs",), _HDF5, known_by_bytes=False),
    BridgedFormat("TIA series", "tia", (".ser",), (b"II\x97\x01",)),
    BridgedFormat(
        "Gatan DigitalMicrograph",
        "digitalmicrograph",
        (".dm3", ".dm4"),
        (b"\0\0\0\x03", b"\0\0\0\x04"),
        known_by_bytes=False,
    ),
    BridgedFormat(
        "Phenom ProSuite element identification", "phenom", (".elid",), (b"\x1f\x8b", b"BZ"), known_by_bytes=False
    ),
    BridgedFormat("Digital Surf surface", "digitalsurf", (".sur", ".pro"), (b"DIGITAL SURF", b"DSCOMPRESSED")),
    BridgedFormat("Renishaw spectrum", "renishaw", (".wdf",), (b"WDF1",)),
)


class RosettaSciIO:
    """A file, or a project with its files, an analysis each."""

    name = "rosettasciio"
    title = "JEOL Analysis Station, Bruker, EDAX, Velox, Gatan and others, by RosettaSciIO"
    verified = (
        "By RosettaSciIO, an optional package of others (GPL), which its authors test; here on real files of JEOL "
        f"Analysis Station (.img, .map, .eds), Bruker (.spx) and EDAX (.spc). To read them: {INSTALL}"
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Files whose suffix and first bytes agree; those below a project's folder are the project's."""
        known = {path: found for path in tree.sizes if (found := _format_of(tree, path))}
        notes = () if find_spec("rsciio") else (f"to read it: {INSTALL}",)
        for path, found in known.items():
            files: tuple[str, ...] = (path,)
            if found is _PROJECT:
                below = f"{folder_of(path)}/".removeprefix("/")
                files += tuple(each for each in known if known[each] in _JEOL and each.startswith(below))
            elif path.casefold().endswith(".spd"):
                files += tuple(name for suffix in (".spc", ".ipr") if (name := beside(tree, path, suffix)))
            yield Finding(self.name, path, found.what, 0.55 if len(files) > 1 else 0.5, files, notes)

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """What the package makes of the files, told in our terms."""
        path = finding.path
        found = _format_of(tree, path)
        if found is None:
            return
        signals = _read(tree, path, found, finding.files, warn)
        if found is _PROJECT:
            said = {PurePosixPath(signal.file).name for signal in signals}
            for each in finding.files:
                form = _format_of(tree, each)
                if each != path and form is not None and PurePosixPath(each).name not in said:
                    signals += _read(tree, each, form, (each,), warn)
        if signals:
            yield _analysis(path, signals, warn)


class BridgedSignal(NamedTuple):
    """One signal of the package: its array in memory, its axes, and what it says."""

    file: str
    title: str
    values: np.ndarray
    axes: tuple[Mapping[str, Any], ...]
    metadata: Mapping[str, Any]
    original: Mapping[str, Any]

    @property
    def navigation(self) -> int:
        """How many axes, the first ones, are of places."""
        return sum(bool(axis.get("navigate")) for axis in self.axes)


def _format_of(tree: Tree, path: str) -> BridgedFormat | None:
    suffix = PurePosixPath(path).suffix.casefold()
    for found in FORMATS:
        if suffix in found.suffixes:
            head = head_of(tree, path)
            if head[found.offset :].startswith(found.magics) and (suffix != ".spx" or b"<TRTSpectrum" in head):
                return found
    return None


def _read(tree: Tree, path: str, found: BridgedFormat, files: Iterable[str], warn: Warn) -> list[BridgedSignal]:
    """The signals of a file; none, and a warning, where the package is missing or fails."""
    try:
        with _heard(lambda _: None):  # of packages that would make it faster
            reader = load(f"rsciio.{found.module}", "rosettasciio", found.what).file_reader
    except MissingExtraError as error:
        warn(Warned(path, f"{error.what} {error.hint} It is kept as an original"))
        return []
    with tempfile.TemporaryDirectory() as folder, _heard(partial(_tell, path, folder, warn)):
        try:
            if path.casefold().endswith(".spx"):
                parse_xml(text_bytes(tree, path))  # refuses what an XML parser should not be given
            for each in files:
                _copy(tree, each, Path(folder))
            dictionaries = reader(str(Path(folder, *PurePosixPath(path).parts)), lazy=True)
            return [signal for each in dictionaries if (signal := _signal(path, each, warn))]
        except _FAULTS as error:
            said = _within(folder, str(error)) or type(error).__name__
            needed = f" (install it: {INSTALL})" if isinstance(error, ImportError) else ""
            warn(Warned(path, f"RosettaSciIO: {said}{needed}; the file is kept as an original"))
            return []


def _copy(tree: Tree, path: str, folder: Path) -> None:
    """A file of the tree below a folder of our own, where nothing of its name leads out."""
    parts = PurePosixPath(path).parts
    if ".." in parts or PurePosixPath(path).is_absolute():
        raise ValueError("its name leads out of its folder")
    target = Path(folder, *parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        for at in range(0, tree.sizes[path], _COPY):
            file.write(tree.read(path, at, _COPY))


def _signal(path: str, found: Mapping[str, Any], warn: Warn) -> BridgedSignal | None:
    """A signal with its array in memory, or None where that is too large or of no numbers."""
    data, metadata = found["data"], found.get("metadata") or {}
    general = metadata.get("General") or {}
    title = str(general.get("title") or "") or PurePosixPath(path).stem
    if data.dtype.kind not in "uif" or data.dtype.itemsize > 8 or not data.size:
        warn(Warned(path, f"{title[:80]!r} holds {data.size:,} values of {data.dtype}; it is left out"))
        return None
    if data.nbytes > _MOST_BYTES:
        warn(Warned(path, f"{title[:80]!r} takes {data.nbytes:,} bytes, more than {_MOST_BYTES:,}; it is left out"))
        return None
    if hasattr(data, "compute"):
        data = data.compute(scheduler="synchronous")
    if hasattr(data, "todense"):
        data = data.todense()
    values = np.ascontiguousarray(data, data.dtype.newbyteorder("<"))
    axes = sorted(found.get("axes") or (), key=lambda axis: not axis.get("navigate"))
    if len(axes) != values.ndim or axes != list(found["axes"]):
        warn(Warned(path, f"{title[:80]!r} has axes that are not clear; it is left out"))
        return None
    file = str(general.get("original_filename") or "")
    return BridgedSignal(file, title, values, tuple(axes), metadata, found.get("original_metadata") or {})


def _analysis(path: str, signals: list[BridgedSignal], warn: Warn) -> AnalysisRecord:
    spectra = [each for each in signals if each.navigation == 0 and each.values.ndim == 1]
    rasters = [each for each in signals if each.navigation == 0 and each.values.ndim == 2]
    cubes = [each for each in signals if each.navigation in (1, 2) and each.values.ndim == each.navigation + 1]
    for signal in signals:
        if not any(signal is each for each in (*spectra, *rasters, *cubes)):
            shape = " × ".join(map(str, signal.values.shape))
            warn(Warned(path, f"{signal.title[:80]!r} of {shape} is neither spectrum, image nor map; it is left out"))
    name = PurePosixPath(path).stem
    general = signals[0].metadata.get("General") or {}
    maps = [*_images(name, rasters), *(_cube(signal) for signal in cubes)]
    return AnalysisRecord(
        name=name,
        operator=str(general.get("authors") or ""),
        acquisition_date=state_of(saved=_saved(signals[0])).get("saveDate", ""),
        positions=partial(_positions, spectra),
        maps=tuple(maps),
    )


def _positions(signals: list[BridgedSignal]) -> Iterator[PositionRecord]:
    """A position a spectrum."""
    for number, signal in enumerate(signals, 1):
        name = PurePosixPath(signal.file).stem or signal.title
        yield PositionRecord(
            name=name if len(signals) == 1 else f"{name} ({number})",
            arrays=(_array(_kind(signal), signal, signal.values.shape),),
            state=_state(signal),
            raw_condition=_facts(signal.original),
        )


def _images(name: str, signals: list[BridgedSignal]) -> Iterator[MapRecord]:
    """Images of one size are one map."""
    sizes: dict[tuple[int, ...], list[BridgedSignal]] = {}
    for signal in signals:
        sizes.setdefault(signal.values.shape, []).append(signal)
    for number, (shape, group) in enumerate(sizes.items(), 1):
        yield MapRecord(
            name=name if number == 1 else f"{name} ({number})",
            kind="beam",
            shape=shape,
            channels=named_apart(_channel("counts", signal, shape) for signal in group),
            frame=_frame(group[0].axes),
            state=_state(group[0]),
        )


def _cube(signal: BridgedSignal) -> MapRecord:
    """A spectrum at each point; a line is a map of one row."""
    rows_first = signal.values.shape if signal.navigation == 2 else (1, *signal.values.shape)
    return MapRecord(
        name=signal.title,
        kind="beam" if signal.navigation == 2 else "line",
        shape=rows_first[:2],
        channels=(_channel("cube", signal, rows_first),),
        frame=_frame(signal.axes[:2]) if signal.navigation == 2 else None,
        state=_state(signal),
    )


def _channel(name: str, signal: BridgedSignal, shape: tuple[int, ...]) -> ChannelRecord:
    match = _TITLE.fullmatch(signal.title)
    info: Json = {"quantity": "signal" if name == "counts" else "counts"}
    if match:
        info |= {"element": match[1], "line": match[2]}
    return ChannelRecord(signal.title, _array(name, signal, shape), info, raw_condition=_facts(signal.original))


def _array(name: str, signal: BridgedSignal, shape: tuple[int, ...]) -> ArrayRecord:
    values = signal.values.reshape(shape)
    dtype = values.dtype.str
    axis = _axis(signal.axes[-1]) if name not in ("counts",) else None
    return ArrayRecord(name, dtype.replace("=", "<"), shape, load=partial(np.array, values), axis=axis)


def _axis(axis: Mapping[str, Any]) -> AxisRecord | None:
    """The axis of the channels, linear or by its values."""
    quantity, unit = str(axis.get("name") or "channel").casefold(), str(axis.get("units") or "")
    unit = "" if unit.startswith("<") else unit  # <undefined>
    if "axis" in axis:
        return AxisRecord(quantity, unit, values=tuple(map(float, axis["axis"])), source="RosettaSciIO")
    start, step = _number(axis.get("offset")), _number(axis.get("scale"))
    return None if start is None or not step else AxisRecord(quantity, unit, start, step, source="RosettaSciIO")


def _frame(axes: Iterable[Mapping[str, Any]]) -> Json | None:
    """Steps of the beam from the first pixel, where both are lengths."""
    steps = []
    for axis in axes:
        factor, step = _TO_MM.get(str(axis.get("units") or "")), _number(axis.get("scale"))
        if factor is None or step is None:
            return None
        steps.append(scaled(step, factor))
    down, across = steps
    step_vectors = [[across, 0.0, 0.0], [0.0, down, 0.0]]
    return {"quantity": "beam", "unit": "mm", "origin": [0.0, 0.0, 0.0], "step": step_vectors}


def _state(signal: BridgedSignal) -> Json:
    """kV, current, magnification and stage, by the names of HyperSpy's metadata; the stage of a project is its own."""
    instruments = signal.metadata.get("Acquisition_instrument") or {}
    said: Mapping[str, Any] = next((each for each in instruments.values() if isinstance(each, Mapping)), {})
    stage = said.get("Stage") or {}
    place = [_number(stage.get(axis)) for axis in "xyz"]
    listed = (signal.original.get("asw_viewdata") or {}).get("PositionMM")
    if listed is not None and not any(place):
        place = [_number(value) for value in np.ravel(listed)[:2]]
    current = _number(said.get("beam_current"))
    return state_of(
        saved=_saved(signal),
        stage=place if any(place) else (),
        kilovolts=_shown(said.get("beam_energy")),
        current=f"{scaled(current, 1e-9):.9g}" if current else None,
        magnification=_shown(said.get("magnification")),
    )


def _saved(signal: BridgedSignal) -> str:
    general = signal.metadata.get("General") or {}
    words = (str(general.get("date") or "").replace("-", "/"), str(general.get("time") or "")[:8])
    return " ".join(filter(None, words))


def _kind(signal: BridgedSignal) -> str:
    said = str((signal.metadata.get("Signal") or {}).get("signal_type") or "").partition("_")[0]
    return _SIGNALS.get(said, "spectrum")


def _number(value: Any) -> float | None:
    """A number as a text of ours would have it: finite, and of a size that an instrument gives."""
    return None if value is None or isinstance(value, bool) else number_of(str(value))


def _shown(value: Any) -> str | None:
    number = _number(value)
    return f"{number:.9g}" if number else None


def _facts(original: Mapping[str, Any]) -> dict[str, str]:
    """All short texts and numbers of the original metadata: `Instrument.AccV` → `15.0`."""
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [(str(key), value) for key, value in reversed(list(original.items()))]
    while stack and len(found) < _MOST_FACTS:
        key, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(f"{key}.{name}"[:_LONGEST_FACT], each) for name, each in reversed(list(value.items()))]
        elif isinstance(value, str | int | float | np.number) and (text := str(value).strip()):
            found[key] = text[:_LONGEST_FACT]
    return found


def _tell(path: str, folder: str, warn: Warn, text: str) -> None:
    warn(Warned(path, f"RosettaSciIO: {_within(folder, text)}"))


def _within(folder: str, text: str) -> str:
    """A message on one line, without the name of the folder of our own, which is another each time."""
    return " ".join(text.replace(folder, "").split())[:200]


class _Ears(logging.Handler):
    """Warnings of a log, each once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell, self._told = tell, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Tell a message."""
        text = record.getMessage()
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


@contextmanager
def _heard(tell: Callable[[str], None]) -> Iterator[None]:
    """What the package says in its log and in warnings, told instead of printed."""
    log = logging.getLogger("rsciio")
    before, ears = log.handlers[:], _Ears(tell)
    log.handlers[:] = [ears]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("ignore", ResourceWarning)  # of how the package closes its files
            yield
    finally:
        log.handlers[:] = before
    for text in dict.fromkeys(str(each.message) for each in caught):
        tell(text)
