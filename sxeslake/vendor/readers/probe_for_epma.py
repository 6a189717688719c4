"""Maps of Probe for EPMA: `.GRD` (Surfer 7), `.PrbImg` (Probe Image), `.BIM`; its `.MDB` has a reader of its own.

All of them stand row by row from the bottom of the picture, and are given so. `.ACQ` beside a `.GRD` says in which
unit its axes are.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..rasters import disagreement
from ..reading import beside, head_of, text_bytes
from ..records import AnalysisRecord, ArrayRecord, ChannelRecord, Finding, Json, MapRecord, Span, Warned
from ..texts import Fields, Warn, ini
from ..tree import Tree
from ..values import state_of

_GRID = struct.Struct("<2i8d")
_GRID_AT, _DATA_AT = 20, 100  # DSRB and its section of 4 bytes, GRID of 72 bytes and its 8, DATA and its length
_LARGEST_SIDE = 2**16
_MOST_IMAGES = 1000


class ProbeForEpma:
    """A map a file, an analysis each; all images of a `.BIM` are channels by number."""

    name = "probe-for-epma"
    title = "Probe for EPMA maps (.GRD, .PrbImg, .BIM)"
    verified = ".GRD and .ACQ: on one published modelled map of 384 × 512. .PrbImg and .BIM: by description only."

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Files of these formats, each by its first bytes."""
        for path, size in tree.sizes.items():
            kind = _kind(head_of(tree, path, 256), path, size)
            if kind:
                acq = beside(tree, path, ".acq") if kind == "grid" else ""
                files = (path, acq) if acq else (path,)
                yield Finding(self.name, path, _KINDS[kind], 0.9, files)

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """The map of a file."""
        path = finding.files[0]
        kind = _kind(head_of(tree, path, 256), path, tree.sizes[path])
        readers: dict[str, Callable[[Tree, str, Warn], MapRecord]] = {"grid": _grid, "probe": _probe, "bim": _bim}
        try:
            found = readers[kind](tree, path, warn)
        except (ValueError, OSError, KeyError, struct.error) as error:
            warn(Warned(path, f"{error}; the file is kept as an original"))
            return
        yield AnalysisRecord(
            name=PurePosixPath(path).stem, maps=(found,), acquisition_date=found.state.get("saveDate", "")
        )


_KINDS = {
    "grid": "Surfer grid (.GRD)",
    "probe": "Probe Image (.PrbImg)",
    "bim": "Probe for EPMA images (.BIM)",
}


def _kind(head: bytes, path: str, size: int) -> str:
    suffix = PurePosixPath(path).suffix.casefold()
    if head[:8] == b"DSRB\x04\0\0\0" and head[12:20] == b"GRID\x48\0\0\0":
        return "grid"
    if b"[probeimage]" in head.lower():
        return "probe"
    if suffix == ".bim" and len(head) >= 8:
        width, height = struct.unpack_from("<2I", head)
        return "bim" if _fits(width, height, size - 8) else ""
    return ""


def _grid(tree: Tree, path: str, warn: Warn) -> MapRecord:
    """A Surfer 7 grid: doubles from the bottom row upwards."""
    rows, columns, x, y, across, up, low, high, _, blank = _GRID.unpack(tree.read(path, _GRID_AT, _GRID.size))
    length = 8 * rows * columns
    if min(rows, columns) < 1 or _DATA_AT + length > tree.sizes[path]:
        raise ValueError(f"{tree.sizes[path]:,} bytes do not hold {columns} × {rows} doubles")
    span = Span(path, _DATA_AT, length)
    values = np.frombuffer(tree.read(path, span.offset, length), "<f8")
    check = {name: value for name, value in (("min", low), ("max", high)) if math.isfinite(value)}
    known = values[values != blank]
    if odd := disagreement(known, check, dict.fromkeys(check, 1e-6 * (1 + max(map(abs, check.values()), default=0.0)))):
        warn(Warned(path, odd))
    unit = _unit(tree, path)
    frame: Json | None = None
    if unit:
        frame = {"quantity": "stage", "unit": unit, "origin": [x, y], "step": [[across, 0.0], [0.0, up]]}
    else:
        warn(Warned(path, "there is no .ACQ next to it that gives the unit of its axes; its place is left out"))
    info: Json = {"check": check, "blank": blank}  # of counts, percent or anything: a grid does not say
    name = PurePosixPath(path).stem
    channel = ChannelRecord(name, ArrayRecord("values", "<f8", (rows, columns), span=span), info)
    return MapRecord(name, "stage", (rows, columns), (channel,), frame=frame)


def _probe(tree: Tree, path: str, warn: Warn) -> MapRecord:
    """A Probe Image: INI text, with a row of floats in base64 a line."""
    sections = {name.casefold(): fields for name, fields in ini(text_bytes(tree, path, 1 << 30), path).items()}
    empty = Fields(path, "")
    raw, column = sections.get("rawdata", empty), sections.get("columnconditions", empty)
    width, height = raw.whole_number("Width") or 0, raw.whole_number("Height") or 0
    if not _fits(width, height, tree.sizes[path]):
        raise ValueError(f"{tree.sizes[path]:,} bytes do not hold {width} × {height} floats")
    load = partial(_rows, raw, width, height)
    values = load()
    check = {name: value for name in ("min", "max") if (value := raw.number(name.title())) is not None}
    if odd := disagreement(values, check, dict.fromkeys(check, 1e-5 * (1 + float(np.abs(values).max())))):
        warn(Warned(path, odd))
    is_stage = sections.get("probeimage", empty).text("ScanType").casefold() == "stage"
    state = state_of(
        saved=sections.get("measured/time", empty).text("Start").replace("T", " "),
        kilovolts=column.get("HighVoltage"),
        current=column.get("BeamCurrent"),
        magnification=column.get("Magnification"),
        dwell_time=column.get("PixelTime"),
    )
    plain = {
        f"{name}.{key}": text for name, fields in sections.items() if name != "rawdata" for key, text in fields.items()
    }
    name = PurePosixPath(path).stem
    array = ArrayRecord("counts", "<f4", (height, width), load=load)
    channel = ChannelRecord(name, array, {"quantity": "counts", "check": check}, raw_condition=plain)
    return MapRecord(name, "stage" if is_stage else "beam", (height, width), (channel,), state=state)


def _rows(raw: Fields, width: int, height: int) -> np.ndarray:
    try:
        data = b"".join(base64.b64decode(raw.text(f"Row{row}"), validate=True) for row in range(height))
    except binascii.Error as error:
        raise ValueError(f"a row is not base64: {error}") from error
    if len(data) != 4 * width * height:
        raise ValueError(f"its rows hold {len(data):,} bytes, not {width} × {height} floats")
    return np.frombuffer(data, "<f4").reshape(height, width)


def bim_images(tree: Tree, path: str, warn: Warn) -> list[tuple[Span, int, int]]:
    """The images of a `.BIM`, one after another: values, width, height."""
    size, at = tree.sizes[path], 0
    images: list[tuple[Span, int, int]] = []
    while at + 8 <= size and len(images) < _MOST_IMAGES:
        width, height = struct.unpack("<2I", tree.read(path, at, 8))
        if not _fits(width, height, size - at - 8):
            warn(Warned(path, f"no image begins at byte {at:,}; what follows is left out"))
            break
        images.append((Span(path, at + 8, 4 * width * height), width, height))
        at += 8 + 4 * width * height
    return images


def _bim(tree: Tree, path: str, warn: Warn) -> MapRecord:
    """The images of one size; those of another than the first are left out."""
    images = bim_images(tree, path, warn)
    first = images[0][2], images[0][1]
    channels: list[ChannelRecord] = []
    for span, width, height in images:
        if (height, width) == first:
            array = ArrayRecord("counts", "<i4", first, span=span)
            channels.append(ChannelRecord(f"image {len(channels) + 1}", array, {"quantity": "counts"}))
        else:
            said = f"the image at byte {span.offset - 8:,} is of another size, {width} × {height}; it is left out"
            warn(Warned(path, said))
    return MapRecord(PurePosixPath(path).stem, "stage", first, tuple(channels))


def _fits(width: int, height: int, size: int) -> bool:
    """Whether so many values of four bytes can be in so many bytes."""
    return 0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE and 4 * width * height <= size


def _unit(tree: Tree, path: str) -> str:
    """The unit of the stage that the `.ACQ` beside a grid gives."""
    acq = beside(tree, path, ".acq")
    if not acq:
        return ""
    try:
        sections = ini(text_bytes(tree, acq), acq)
    except (ValueError, OSError):
        return ""
    units = [fields.text("Stage_Units").strip('"') for fields in sections.values() if "Stage_Units" in fields]
    return {"mm": "mm", "um": "µm", "microns": "µm"}.get("".join(units[:1]).casefold(), "")
