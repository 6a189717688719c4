"""The grammar of Cameca PeakSight's result files: `.wdsDat`, `.impDat`, `.qtiDat`.

Little-endian, CP1252, strictly sequential: nothing says where anything is, so that every field is passed to reach the
next. A version, a kind or a count that is not known ends the reading; what was whole before it stands. Each data set
ends with the time of its measurement: one that is none shows that the layout is another than is known.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from .records import Span
from .tree import Tree

MAGIC: Final = b"fxs"
KINDS: Final = {
    1: "WDS setup",
    2: "image setup",
    3: "calibration setup",
    4: "quantitative setup",
    6: "WDS scans",
    7: "images and maps",
    8: "calibration",
    9: "quantitative points",
    10: "overlap table",
}
WDS, IMAGE, QUANTI = 6, 7, 9
VERSIONS: Final = (3, 4, 5)
LAST_DATASET_VERSION: Final = 19

_WINDOW = 1 << 16
_MOST_TEXT = 1 << 16
_MOST_NESTED = 3
_MOST_CHANGES = 100_000
_MOST_POINTS = 1_000_000
_MOST_FRAMES = 10_000
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_YEARS = range(1985, 2101)
_LEAST_DATASET = 400
_LINES = (1, 2)  # the kinds of data sets that are lines, on the stage and by the beam
_XRAY = struct.Struct("<4I4s2f4x2f7I")
_VIDEO = struct.Struct("<2I24x2f28x")
_PLACE = struct.Struct("<2I2i4f")
_SPACE_TIME = struct.Struct("<Q3f")

POINT_COLUMNS: Final = (
    ("current", "nA"),
    ("peak", "cps"),
    ("peakTime", "s"),
    ("background", "cps"),
    ("background1", "cps"),
    ("background2", "cps"),
    ("kRatioStandard", "1"),
    ("kRatioPure", "1"),
    ("weight", "1"),
    ("weightNormalised", "1"),
    ("atomic", "1"),
    ("oxide", "1"),
    ("detectionLimit", "1"),
    ("sigma", "1"),
    ("z", "1"),
    ("a", "1"),
    ("f", "1"),
)
"""What the file holds of each point and element, in its order; fractions as they stand there."""
_POINT_BYTES = 484
_POINT_FIELDS: Final = {
    "version": ("<u4", 0),
    "values": (("<f4", len(POINT_COLUMNS)), 4),
    "pulses": (("<u4", 3), 84),
    "subcounts": ("<u4", 100),
}


class XrayChannel(NamedTuple):
    """How a spectrometer was set: 2d in Å, kV, nA (set, not measured), the peak as 10⁵ sin θ, V."""

    atomic_number: int
    line: int
    order: int
    spectrometer: int
    crystal: str
    two_d: float
    k: float
    kilovolts: float
    current: float
    peak: int
    pha: tuple[int, ...]


class PointTime(NamedTuple):
    """When and where a point was measured; µm on the stage."""

    time: datetime
    place: tuple[float, float, float]


@dataclass(slots=True)
class PeakSightSignal:
    """One item of a data set: what counted, and where its values stand.

    `frames` are tiles of a mosaic or frames of a picture (bytes a pixel: 1 or 4); `scan` the 10⁵ sin θ of the first
    step, its width and the seconds of each; `points` the block of a quantitative item and the bytes of each point.
    """

    source: int
    channel: XrayChannel | None = None
    video: int | None = None
    kilovolts: float = 0.0
    current: float = 0.0
    name: str = ""
    shape: tuple[int, int] = (0, 0)
    pixel: int = 0
    step: tuple[float, float] = (0.0, 0.0)
    dwell_time: float = 0.0
    frames: list[Span] = field(default_factory=list)
    scan: tuple[float, float, float] | None = None
    points: Span | None = None
    point_bytes: int = 0
    standard: str = ""


@dataclass(slots=True)
class PeakSightDataset:
    """A point, line, raster or list of points; stage in µm."""

    kind: int
    place: tuple[int, int, int]
    count: int
    tiles: int
    setup: str
    signals: list[PeakSightSignal]
    comment: str = ""
    times: list[PointTime] = field(default_factory=list)


@dataclass(slots=True)
class PeakSightFile:
    """A file's data sets, as far as they could be read, and why not further."""

    kind: int
    version: int
    comment: str = ""
    datasets: list[PeakSightDataset] = field(default_factory=list)
    odd: str = ""


class PeakSightCursor:
    """A place in a file; ValueError for anything beyond its end."""

    def __init__(self, tree: Tree, path: str) -> None:
        self.path = path
        self.at = 0
        self.size = tree.sizes[path]
        self._tree = tree
        self._start, self._window = 0, b""

    def take(self, length: int) -> bytes:
        """The next bytes."""
        span = self.span(length)
        first = span.offset - self._start
        if first < 0 or first + length > len(self._window):
            self._start, self._window = span.offset, self._tree.read(self.path, span.offset, max(length, _WINDOW))
            first = 0
        data = self._window[first : first + length]
        if len(data) < length:
            raise ValueError("it is shorter than it was")
        return data

    def span(self, length: int) -> Span:
        """Pass bytes without reading them."""
        if not 0 <= length <= self.size - self.at:
            raise ValueError(f"{length:,} bytes are expected where {self.size - self.at:,} are left")
        self.at += length
        return Span(self.path, self.at - length, length)

    def u32(self) -> int:
        """The next whole number."""
        return int.from_bytes(self.take(4), "little")

    def f32(self) -> float:
        """The next float; a value that is no number is zero, as absent ones are."""
        value = float(struct.unpack("<f", self.take(4))[0])
        return value if math.isfinite(value) else 0.0

    def count(self, least: int, most: int = _MOST_POINTS) -> int:
        """A number of things of at least so many bytes each, which can all be in the file."""
        number = self.u32()
        if number > most or number * least > self.size - self.at:
            raise ValueError(f"{number:,} items of {least} bytes cannot be in the {self.size - self.at:,} bytes left")
        return number

    def text(self) -> str:
        """A string with its length before it."""
        length = self.u32()
        if length > _MOST_TEXT:
            raise ValueError(f"a text of {length:,} bytes is too long")
        return self.take(length).decode("cp1252", "replace").strip("\0 ")


def read_peaksight(tree: Tree, path: str) -> PeakSightFile:
    """The data sets of a file, up to the first thing that is not known; ValueError where it is none of these files."""
    cursor = PeakSightCursor(tree, path)
    kind, magic = cursor.take(1)[0], cursor.take(3)
    if magic != MAGIC or kind not in KINDS:
        raise ValueError("it is not a file of PeakSight")
    found = PeakSightFile(kind, cursor.u32())
    if found.version not in VERSIONS:
        raise ValueError(f"version {found.version} of its layout is not known; known are 3, 4 and 5")
    if kind not in (WDS, IMAGE, QUANTI):
        return found
    try:
        found.comment = cursor.text()
        _pass_history(cursor, found.version)
        version = cursor.u32()
        cursor.span(20)
        for _ in range(cursor.count(_LEAST_DATASET)):
            found.datasets.append(_dataset(cursor, found))
        cursor.span(12)
        cursor.text()
        cursor.span(216 + (4 if version >= 12 else 0) + (8 if version >= 13 else 0))
        if cursor.at != cursor.size:
            found.odd = f"{cursor.size - cursor.at:,} bytes after its end are not known"
    except ValueError as error:
        found.odd = f"at byte {cursor.at:,}: {error}"
    return found


def _pass_history(cursor: PeakSightCursor, version: int) -> None:
    cursor.span(24)
    if version >= 3:
        cursor.span(4)
        for _ in range(cursor.count(12, _MOST_CHANGES)):
            cursor.span(8)
            cursor.span(cursor.u32())
    cursor.span(8 * (version >= 4) + 8 * (version >= 5))


def _dataset(cursor: PeakSightCursor, file: PeakSightFile, depth: int = 0) -> PeakSightDataset:
    version = cursor.u32()
    if version > LAST_DATASET_VERSION:
        raise ValueError(f"version {version} of a data set is not known; the last known is {LAST_DATASET_VERSION}")
    kind = cursor.u32()
    if kind > 7:
        raise ValueError(f"a data set of kind {kind} is not known")
    x, y = struct.unpack("<2i", cursor.take(8))
    cursor.span(16)
    steps, lines = cursor.u32(), cursor.u32()
    cursor.span(24)
    z = struct.unpack("<i", cursor.take(4))[0]
    cursor.span(48 * 4 + 20)
    tiles = max(1, cursor.u32() * cursor.u32())
    cursor.span(12)
    setup = cursor.text()
    if steps * lines > _MOST_POINTS and file.kind == QUANTI:
        raise ValueError(f"{steps:,} × {lines:,} points are too many")
    signals = cursor.count(_XRAY.size)
    found = PeakSightDataset(kind, (x, y, z), steps * lines if signals else 0, tiles, setup, [])
    for _ in range(signals):
        found.signals.append(_signal(cursor, file, found))
    found.comment = cursor.text()
    cursor.span(32)
    _pass_endings(cursor)
    overview = cursor.u32()
    if overview > 1 or depth >= _MOST_NESTED:
        raise ValueError("what follows a data set is not known")
    if overview:
        cursor.span(4)
        cursor.span(8 * cursor.count(8))
        _dataset(cursor, file, depth + 1)
        cursor.span(4)
    cursor.span(4 + 96 + (20 if version >= 17 else 0) + (4 if version >= 18 else 0) + (12 if version >= 19 else 0))
    _footer(cursor, file, found)
    return found


def _signal(cursor: PeakSightCursor, file: PeakSightFile, dataset: PeakSightDataset) -> PeakSightSignal:
    version, source = cursor.u32(), cursor.u32()
    if source > 64:
        raise ValueError(f"a signal of source {source} is not known")
    found = PeakSightSignal(source)
    _channel(found, cursor.take(_XRAY.size))
    cursor.span(4)
    if version >= 3:
        cursor.span(12)
        cursor.span(12 * cursor.count(12))
    if file.kind == WDS:
        _scan(cursor, found)
    elif file.kind == IMAGE:
        _picture(cursor, found)
    else:
        _points(cursor, found, dataset.count, file.version)
    return found


def _channel(signal: PeakSightSignal, data: bytes) -> None:
    """What counted: a spectrometer, or an image signal."""
    if signal.source in (3, 18):
        _, signal.video, kilovolts, current = _VIDEO.unpack(data)
    elif signal.source in (5, 6, 7, 19):
        return
    else:
        number, line, order, spectrometer, crystal, two_d, k, kilovolts, current, peak, *pha = _XRAY.unpack(data)
        name = crystal.strip(b"\0 \1\2\3\4\5\6\7")[::-1].decode("cp1252", "replace")
        signal.channel = XrayChannel(
            number, line, order, spectrometer, name, two_d, k, kilovolts, current, peak, tuple(pha)
        )
    signal.kilovolts, signal.current = kilovolts, current


def _picture(cursor: PeakSightCursor, signal: PeakSightSignal) -> None:
    version, kind, *_, across, down = _PLACE.unpack(cursor.take(_PLACE.size))
    signal.step = across, down
    width, height = cursor.u32(), cursor.u32()
    cursor.span(4)
    pixel = cursor.u32()
    if pixel not in (0, 7, 8):
        raise ValueError(f"pixels of type {pixel} are not known")
    signal.shape, signal.pixel, signal.dwell_time = (height, width), pixel, cursor.f32()
    is_line = kind in _LINES
    cursor.span(4 if is_line else 8)
    length = cursor.u32() - (0 if is_line else 12)
    cursor.span(0 if is_line else 12)
    size = (1 if pixel == 0 else 4) * width * height
    if length < 0 or (size and length % size) or (length and not size) or length > _MOST_FRAMES * size:
        raise ValueError(f"{length:,} bytes are not pictures of {width:,} × {height:,}")
    signal.frames = [cursor.span(size) for _ in range(length // size if size else 0)]
    cursor.span(56)
    cursor.text()
    signal.name = cursor.text()
    cursor.span(8 + 20 + 8)
    if ticks := cursor.count(8):
        cursor.span(8 * ticks + 4)
    cursor.span(8)
    _pass_endings(cursor)
    cursor.span(4 + 8 + (12 if version >= 6 else 0))


def _scan(cursor: PeakSightCursor, signal: PeakSightSignal) -> None:
    cursor.span(4)
    start, steps = cursor.u32(), cursor.u32()
    step, seconds = cursor.f32(), cursor.f32()
    cursor.span(4)
    length = cursor.u32()
    if length != 4 * steps:
        raise ValueError(f"{length:,} bytes are not a scan of {steps:,} steps")
    signal.scan, signal.shape, signal.frames = (start, step, seconds), (1, steps), [cursor.span(length)]
    cursor.span(4)
    signal.name = cursor.text()
    cursor.span(4 + 4 + 16 + 12 + 8 + 4)
    cursor.text()
    cursor.span(52)
    cursor.span(20 * cursor.count(20))
    cursor.span(4)
    _pass_endings(cursor)


def _points(cursor: PeakSightCursor, signal: PeakSightSignal, count: int, file_version: int) -> None:
    cursor.span(12)
    if count:
        version = cursor.u32()
        cursor.at -= 4
        signal.point_bytes = _POINT_BYTES + (8 if version >= 11 else 0)
        signal.points = cursor.span(signal.point_bytes * count)
    cursor.span(4)
    signal.standard = cursor.text()
    cursor.span(8 * cursor.count(8))
    cursor.span(16)
    cursor.text()
    cursor.span(8 + 12 + 24 + 36)
    for _ in range(cursor.count(8)):
        cursor.span(4)
        if channels := cursor.count(4):
            cursor.span(12 + 4 * channels)
    cursor.span(8 if file_version > 3 else 0)


def _pass_endings(cursor: PeakSightCursor) -> None:
    """Labels, each with forty bytes of how it is drawn."""
    for _ in range(cursor.count(44)):
        cursor.text()
        cursor.span(40)


def _footer(cursor: PeakSightCursor, file: PeakSightFile, dataset: PeakSightDataset) -> None:
    """When and where the points were measured; then what they were evaluated by."""
    kind = cursor.u32()
    if kind == 2 and file.kind == WDS:
        dataset.times.append(_point_time(cursor))
        cursor.span(4 + 4 + 4 + 40)
    elif kind == 5 and file.kind == IMAGE:
        dataset.times.append(_point_time(cursor))
        cursor.span(4 + 8 + 64)
        for _ in range(cursor.count(308)):
            cursor.text()
            cursor.span(292)
            cursor.text()
            cursor.span(4)
            cursor.span(cursor.u32() * cursor.u32())
    elif kind in (4, 6) and file.kind == QUANTI:
        cursor.span(4)
        dataset.times += [_point_time(cursor) for _ in range(cursor.count(100))]
        _pass_options(cursor)
        cursor.span(12)
        if kind == 6:
            cursor.span(4)
            cursor.text()
            cursor.span(8 * cursor.count(8))
    else:
        raise ValueError(f"a data set that ends in {kind} is not known")


def _pass_options(cursor: PeakSightCursor) -> None:
    """How the elements that were not measured were found."""
    cursor.span(4)
    mode = cursor.u32()
    if mode not in (0, 1, 2, 3, 4, 7):
        raise ValueError(f"an evaluation of mode {mode} is not known")
    if mode in (1, 3, 7):
        cursor.span(8)
        cursor.span(8 * cursor.count(8))
    if mode in (4, 7):
        cursor.span(4)
        cursor.span(8 * cursor.count(8))
    cursor.span(4 * (mode in (2, 3)) + 12 + 4)
    cursor.text()


def _point_time(cursor: PeakSightCursor) -> PointTime:
    version = cursor.u32()
    ticks, *place = _SPACE_TIME.unpack(cursor.take(_SPACE_TIME.size))
    time = _EPOCH + timedelta(microseconds=ticks // 10) if ticks < 1 << 60 else _EPOCH
    if time.year not in _YEARS:
        raise ValueError("there is no time where one is expected")
    cursor.span(8 + 4 + 8 + 56 + (24 if version == 6 else 0))
    x, y, z = (value if math.isfinite(value) else 0.0 for value in place)
    return PointTime(time, (x, y, z))


def point_values(tree: Tree, signal: PeakSightSignal) -> np.ndarray:
    """The points of an item: f64 (points, columns); ValueError where they are of several versions."""
    if signal.points is None:
        return np.zeros((0, len(POINT_COLUMNS)))
    layout = np.dtype(
        {
            "names": list(_POINT_FIELDS),
            "formats": [form for form, _ in _POINT_FIELDS.values()],
            "offsets": [offset for _, offset in _POINT_FIELDS.values()],
            "itemsize": signal.point_bytes,
        }
    )
    found = np.frombuffer(tree.read(signal.points.path, signal.points.offset, signal.points.length), layout)
    if len(np.unique(found["version"])) > 1 or (found["subcounts"] > 30).any():
        raise ValueError("its points are of a layout that is not known")
    with np.errstate(invalid="ignore"):  # a NaN of some bit patterns
        return found["values"].astype("f8")
