"""Maps of JEOL microprobes of the UNIX time (JXA-8600 to 8200): `.map/<n>/0.cnd` and `k.map`, one an element.

`0.cnd` says a value and its description a line, in 40 lines about all and 22 about each element. `k.map` is the
counts of element k and nothing else, big-endian, 16 or 32 bits each: a stage scan column by column (x outer), a beam
scan row by row. Also `k.map.Z` of compress(1), and the export `k_map.txt`, a line of numbers a row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..compress import decompressed
from ..rasters import doubts, named_apart, text_raster
from ..reading import fields_of, head_of, text_bytes
from ..records import AnalysisRecord, ArrayRecord, ChannelRecord, Finding, Json, MapRecord, Warned
from ..texts import Fields, Warn, decode, number_of
from ..tree import Tree, folder_of
from ..values import common, counted, scaled, stage_frame, state_of, stated, unix_time, wds_condition

CONDITION = "0.cnd"

_CONDITION_BYTES = 1024 * 1024
_MOST_COMPRESSED = 40_000  # times that 16-bit LZW can make a file smaller, generously
_LARGEST_SIDE = 2**16
_OF_ONE = re.compile(r"([1-9]\d{0,2})(?:\.map|\.map\.z|_map\.txt|\.cnd)", re.ASCII)
_PHA = ("hv", "gain", "mode", "base", "window")
_TOLERANCE = {"min": 0.5, "max": 0.5, "mean": 1.0}  # the mean is cut off to a whole number
_SIGNALS = {"W": "WDS", "E": "EDS", "I": "IMS"}

_OF_ALL = {
    "elements": "Number of measured elements",
    "kilovolts": "EOS Acc. Voltage",
    "diameter": "EOS Probe Diameter",
    "magnification": "EOS Mag.",
    "current": "Probe Current Avg",
    "scan": "Stage[S] or Beam[B] Scan",
    "centre_x": "Measurement Center Position X",
    "centre_y": "Measurement Center Position Y",
    "centre_z": "Measurement Center Position Z",
    "start_x": "Measurement Start Position X",
    "start_y": "Measurement Start Position Y",
    "start_z": "Measurement Start Position Z",
    "columns": "X-axis Step Number",
    "rows": "Y-axis Step Number",
    "step_x": "X Step Size",
    "step_y": "Y Step Size",
    "bytes": "Data Byte Length",
    "dwell_time": "Dwell Time",
    "scan_magnification": "Scan Mag.",
}
_OF_ELEMENT = {
    "element": "Element Name",
    "line": "X-ray Name",
    "order": "X-ray Order",
    "signal": "Signal Name",
    "channel": "Channel Number",
    "crystal": "Crystal Name",
    "peak": "Peak Position",
    "gain": "PHA Gain",
    "hv": "PHA Detector HV",
    "base": "PHA Base Level",
    "window": "PHA Window Level",
    "mode": "PHA Int[I]",
    "max": "Max Value",
    "min": "Min Value",
    "mean": "Ave Value",
    "accumulation": "Accumulation Number",
}


@dataclass(frozen=True, slots=True)
class Said:
    """Values of one part of `0.cnd`, known and all of them by their description."""

    known: Mapping[str, str]
    texts: Mapping[str, str]

    def text(self, key: str) -> str:
        """The value, or ''."""
        return self.known.get(key, "")

    def number(self, key: str) -> float | None:
        """The number, or None."""
        return number_of(self.text(key))

    def whole_number(self, key: str) -> int | None:
        """The number where it is whole, or None."""
        value = self.number(key)
        return int(value) if value is not None and value.is_integer() else None


_NOTHING = Said({}, {})


@dataclass(frozen=True, slots=True)
class MapCondition:
    """What `0.cnd` says: of all, of each element in order of its number, and two lines without description."""

    of_all: Said
    elements: tuple[Said, ...]
    comment: str
    date: str

    def element(self, number: int) -> Said:
        """Fields of element 1, 2, …."""
        return self.elements[number - 1] if 0 < number <= len(self.elements) else _NOTHING

    @property
    def size(self) -> tuple[int, int] | None:
        """Columns and rows."""
        columns, rows = self.of_all.whole_number("columns"), self.of_all.whole_number("rows")
        if columns is None or rows is None or not (0 < columns <= _LARGEST_SIDE and 0 < rows <= _LARGEST_SIDE):
            return None
        return columns, rows

    @property
    def is_beam_scan(self) -> bool:
        """Whether the beam was moved, not the stage."""
        return self.of_all.text("scan").upper().startswith("B")

    @property
    def shape(self) -> tuple[int, int]:
        """Of the counts as they stand in a file: columns of a stage scan, rows of a beam scan."""
        columns, rows = self.size or (0, 0)
        return (rows, columns) if self.is_beam_scan else (columns, rows)


class JeolUnix:
    """Map folders of UNIX-time instruments, an analysis each."""

    name = "jeol-unix"
    title = "JEOL maps of UNIX-time microprobes (0.cnd, k.map)"
    verified = (
        "On one real condition and one real map of 920 × 1000 (stage scan, 16 bits): its minimum, maximum and mean, "
        "and the order of its axes. Beam scans, 32 bits, .map.Z and _map.txt: by description only."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Folders with a `0.cnd` that gives the axes of a map."""
        folders: dict[str, list[str]] = defaultdict(list)
        for path in tree.sizes:
            if _number(path) is not None or _is_condition(tree, path):
                folders[folder_of(path)].append(path)
        for folder, files in sorted(folders.items()):
            if any(_is_condition(tree, path) for path in files):
                maps = {_number(path) for path in files if not path.casefold().endswith(".cnd")}
                what = f"JEOL map of a UNIX-time microprobe: {counted(len(maps), 'element')}"
                yield Finding(self.name, folder, what, 0.95, tuple(sorted(files)))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """One analysis of one map."""
        path = next((path for path in finding.files if _is_condition(tree, path)), None)
        if path is None:
            return
        condition = parse_condition(decode(text_bytes(tree, path)).text)
        if condition.size is None:
            warn(Warned(path, "it gives no size of the map; nothing of this map can be read"))
            return
        own: dict[int, Fields] = {}
        counts: dict[int, list[str]] = defaultdict(list)
        for other in finding.files:
            if (number := _number(other)) is not None:
                if other.casefold().endswith(".cnd"):
                    own[number] = fields_of(tree, other)
                else:
                    counts[number].append(other)
        channels = []
        for number in sorted({*counts, *range(1, len(condition.elements) + 1)}):
            if number not in counts:
                warn(Warned(path, f"there is no {number}.map, of {_title(condition, number, own)}"))
            elif channel := _channel(tree, condition, number, counts[number], own, warn):
                channels.append(channel)
        name = PurePosixPath(finding.path).name or tree.name
        yield AnalysisRecord(
            name=name,
            comment=condition.comment,
            instrument=common(keys.text("CM_INSTRUMENT") for keys in own.values()),
            acquisition_date=condition.date,
            maps=(_map(condition, named_apart(channels), name),) if channels else (),
        )


def parse_condition(text: str) -> MapCondition:
    """The condition of all elements: lines are known by their description, never by their place."""
    parts: list[tuple[dict[str, str], dict[str, str]]] = [({}, {})]
    free = []
    for line in text.splitlines():
        if "Element Name" in line:
            parts.append(({}, {}))
        known, texts = parts[-1]
        key, value, description = _split(line, _OF_ELEMENT if len(parts) > 1 else _OF_ALL)
        if key:
            known.setdefault(key, value)
        if description:
            texts.setdefault(description, value)
        elif len(parts) == 1 and value:
            free.append(value)
    dates = [time for line in free if (time := unix_time(line))]
    comments = [line for line in free if not unix_time(line)]
    of_all, *elements = (Said(known, texts) for known, texts in parts)
    return MapCondition(of_all, tuple(elements), "".join(comments[:1]), "".join(dates[:1]))


def _split(line: str, descriptions: Mapping[str, str]) -> tuple[str, str, str]:
    """Key, value and description of a line; what has no description has neither key."""
    for key, words in descriptions.items():
        at = line.find(words)
        if at >= 0:
            return key, line[:at].strip(), line[at:].strip()
    value, _, description = line.partition("\t")
    return "", value.strip(), description.strip()


def _map(condition: MapCondition, channels: tuple[ChannelRecord, ...], name: str) -> MapRecord:
    """The raster of all elements."""
    said, is_beam = condition.of_all, condition.is_beam_scan
    columns, rows = condition.size or (0, 0)
    average, pre, post, *_ = (*said.text("current").split(), None, None, None)
    return MapRecord(
        name=name,
        kind="beam" if is_beam else "stage",
        shape=(rows, columns),
        channels=channels,
        frame=None if is_beam else _frame(said),
        order="row" if is_beam else "column",
        state=state_of(
            saved=condition.date,
            stage=[said.number(f"centre_{axis}") for axis in "xyz"],
            kilovolts=said.text("kilovolts"),
            current=average,
            current_pre=pre,
            current_post=post,
            magnification=said.text("scan_magnification" if is_beam else "magnification"),
            diameter=said.text("diameter"),
            dwell_time=said.text("dwell_time"),
        ),
        comment=condition.comment,
    )


def _frame(said: Said) -> Json | None:
    """Where a stage scan lies: its start is the middle of the first pixel."""
    x, y, z = (said.number(f"start_{axis}") for axis in "xyz")
    across, down = said.number("step_x"), said.number("step_y")
    if x is None or y is None or across is None or down is None:
        return None
    return stage_frame((x, y) if z is None else (x, y, z), (scaled(across, 1e-3), scaled(down, 1e-3)))


def _channel(
    tree: Tree, condition: MapCondition, number: int, paths: list[str], own: Mapping[int, Fields], warn: Warn
) -> ChannelRecord | None:
    """The map of one element, from the first of its files that can be read."""
    for path in sorted(paths, key=_preference):
        try:
            array, values = _counts(tree, path, condition)
        except (ValueError, OSError) as error:
            warn(Warned(path, f"{error}; the file is kept as an original"))
            continue
        said = condition.element(number)
        check = {key: value for key in ("min", "max", "mean") if (value := said.number(key)) is not None}
        for odd in doubts(values, check, _TOLERANCE):
            warn(Warned(path, odd))
        info, wds = _info(condition, number, own)
        return ChannelRecord(
            name=_title(condition, number, own),
            array=array,
            info=info | {"check": check} if check else info,
            condition=wds_condition(wds, {key: said.text(key) for key in _PHA}) if wds else {},
            raw_condition={**condition.of_all.texts, **said.texts, **own.get(number, {})},
        )
    return None


def _info(condition: MapCondition, number: int, own: Mapping[int, Fields]) -> tuple[Json, Json]:
    """What a channel shows; and what of it is the spectrometer's, where one counts."""
    said = condition.element(number)
    signal = said.text("signal").upper()
    peak = said.number("peak")
    shown: Json = {
        "element": _element(condition, number, own),
        "line": said.text("line"),
        "order": said.whole_number("order"),
        "spectrometer": said.whole_number("channel"),
    }
    if signal == "W":
        shown |= {"crystal": said.text("crystal"), "peak": None if peak is None else {"value": peak, "unit": "mm"}}
    shown = stated(shown)
    info: Json = {"quantity": "counts", "unit": "1", **shown}
    if signal:
        info["signal"] = _SIGNALS.get(signal, signal)
    if (dwell_time := condition.of_all.number("dwell_time")) is not None:
        info["dwellTime"] = dwell_time
    return info, shown if signal == "W" else {}


def _counts(tree: Tree, path: str, condition: MapCondition) -> tuple[ArrayRecord, np.ndarray]:
    """The counts of a file, from its bytes or its text; ValueError where it does not hold them."""
    (columns, rows), size = condition.size or (0, 0), tree.sizes[path]
    if path.casefold().endswith("_map.txt"):
        text = partial(text_raster, tree, path, columns, rows, by_columns=not condition.is_beam_scan)
        return ArrayRecord("counts", "<f8", condition.shape, load=text), text()
    count, said = columns * rows, condition.of_all.whole_number("bytes")
    if path.casefold().endswith(".z"):
        if count * 2 > size * _MOST_COMPRESSED:
            raise ValueError(f"{columns} × {rows} counts cannot be in {size:,} bytes of compress(1)")
        size = len(decompressed(tree.read(path), count * 4 + 1))
    width, rest = divmod(size, count)
    if rest or width not in (2, 4):
        raise ValueError(f"{size:,} bytes are not {columns} × {rows} counts of 2 or 4 bytes")
    if said in (2, 4) and said != width:
        raise ValueError(f"the condition says {said} bytes a count, its size {width}")
    load = partial(_little_endian, tree, path, condition.shape, width)
    return ArrayRecord("counts", f"<u{width}", condition.shape, load=load), load()


def _little_endian(tree: Tree, path: str, shape: tuple[int, int], width: int) -> np.ndarray:
    data = tree.read(path)
    if path.casefold().endswith(".z"):
        data = decompressed(data, shape[0] * shape[1] * width)
    return np.frombuffer(data, f">u{width}").reshape(shape).astype(f"<u{width}")


def _is_condition(tree: Tree, path: str) -> bool:
    """A `0.cnd` that gives the axes of a map; that of a point analysis gives none."""
    if PurePosixPath(path).name.casefold() != CONDITION or tree.sizes[path] > _CONDITION_BYTES:
        return False
    return b"-axis Step Number" in head_of(tree, path)


def _number(path: str) -> int | None:
    """The element that a file is of: 7 of `7.map`, `7.map.Z`, `7_map.txt` and `7.cnd`."""
    match = _OF_ONE.fullmatch(PurePosixPath(path).name.casefold())
    return int(match[1]) if match else None


def _preference(path: str) -> int:
    """Counts before compressed counts before an export."""
    name = path.casefold()
    return 0 if name.endswith(".map") else 1 if name.endswith(".z") else 2


def _element(condition: MapCondition, number: int, own: Mapping[int, Fields]) -> str:
    return condition.element(number).text("element") or (own[number].text("XM_ELEMENT") if number in own else "")


def _title(condition: MapCondition, number: int, own: Mapping[int, Fields]) -> str:
    """`Si Ka`, or the number of the element."""
    words = f"{_element(condition, number, own)} {condition.element(number).text('line')}"
    return words.strip() or f"element {number}"
