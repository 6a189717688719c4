"""Maps of JEOL microprobes with a PC (JXA-8230, 8530F …): `<project>_NNNN_MAP/Pos_NNNN/dataMMM.map` and `.cnd`.

A pair an element or signal. `.map`: a header of 32 bytes, then a double a pixel; how many the condition says
(`$XM_AP_SA_PIXELS%0`, stage scan, `$XM_AP_BSA_PIXELS%0`, beam scan). A stage scan stands column by column (x outer),
a beam scan row by row. `dataMMM.csv`, the export of a map as text, serves where the map itself is not there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..jeol import FIELD_MM, analysis_of, element_condition, element_of, xm_state
from ..rasters import doubts, named_apart, text_raster
from ..reading import beside, fields_of, head_of
from ..records import AnalysisRecord, ArrayRecord, ChannelRecord, Finding, Json, MapRecord, Span, Warned
from ..texts import Fields, Warn
from ..tree import Tree, folder_of
from ..values import counted, scaled, stage_frame, stated, words_as_numbers

_CONDITION_BYTES = 1024 * 1024
_LARGEST_HEADER = 1024
_LARGEST_SIDE = 2**16
_BEAM_COLUMNS, _BEAM_ROWS = 4096, 3072
_POSITION = re.compile(r"pos_\d+", re.ASCII)
_IMAGE_SIGNAL = 2
_SAID = {"min": "XM_DATA_COUNT_MIN", "max": "XM_DATA_COUNT_MAX", "mean": "XM_DATA_COUNT_AVE"}


@dataclass(frozen=True, slots=True)
class Scan:
    """The raster of a condition; `prefix` is that of its keys."""

    columns: int
    rows: int
    is_beam: bool

    @property
    def prefix(self) -> str:
        """`XM_AP_SA_` of the stage, `XM_AP_BSA_` of the beam."""
        return "XM_AP_BSA_" if self.is_beam else "XM_AP_SA_"

    @property
    def shape(self) -> tuple[int, int]:
        """Of the values as they stand in the file: columns of a stage scan, rows of a beam scan."""
        return (self.rows, self.columns) if self.is_beam else (self.columns, self.rows)


class JeolMap:
    """`_MAP` folders, an analysis each, with a map for every position and raster."""

    name = "jeol-map"
    title = "JEOL maps (_MAP folders, .map and .cnd)"
    verified = (
        "Conditions: on two real files of a JXA-8530F. Counts: by description only, no real .map was at hand; every "
        "map is held against the minimum, maximum and mean of its condition, and both orders of its axes."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Folders with conditions that give the raster of a scan; `Pos_NNNN` belong to the folder above."""
        folders: dict[str, set[str]] = defaultdict(set)
        for path, size in tree.sizes.items():
            if path.casefold().endswith(".cnd") and size <= _CONDITION_BYTES and _is_map(tree, path):
                folders[_acquisition(folder_of(path))] |= {path, *_beside(tree, path).values()}
        for folder, files in sorted(folders.items()):
            conditions = sum(path.casefold().endswith(".cnd") for path in files)
            arrays = len(files) - conditions
            what = f"JEOL map: {counted(conditions, 'condition')}, {arrays} file{'s' * (arrays != 1)} of counts"
            yield Finding(self.name, folder, what, 0.9, tuple(sorted(files)))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """One analysis; channels of one raster at one place are one map."""
        conditions = {
            path: keys
            for path in finding.files
            if path.casefold().endswith(".cnd") and _scan(keys := fields_of(tree, path)) is not None
        }
        places: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for path, keys in conditions.items():
            places[folder_of(path), *_place(keys)].append(path)
        names = Counter(folder for folder, *_ in places)
        maps = []
        for number, ((folder, *_), paths) in enumerate(places.items(), 1):
            channels = [found for path in paths if (found := _channel(tree, path, conditions[path], warn))]
            if channels:
                name = PurePosixPath(folder).name or tree.name
                name = name if names[folder] == 1 else f"{name} ({number})"
                maps.append(_map(name, conditions[paths[0]], named_apart(channels)))
        if conditions:
            name = PurePosixPath(finding.path).name or tree.name
            yield replace(analysis_of(name, conditions.values()), maps=tuple(maps))


def _map(name: str, keys: Fields, channels: tuple[ChannelRecord, ...]) -> MapRecord:
    scan = _scan(keys) or Scan(0, 0, False)
    return MapRecord(
        name=name,
        kind="beam" if scan.is_beam else "stage",
        shape=(scan.rows, scan.columns),
        channels=channels,
        frame=_beam_frame(keys, scan) if scan.is_beam else _stage_frame(keys, scan),
        order="row" if scan.is_beam else "column",
        state=xm_state(
            keys,
            stage=words_as_numbers(keys.text(f"{scan.prefix}STAGE_POS%0{'' if scan.is_beam else '_0'}"))[:3],
            magnification=keys.get("XM_AP_BSA_MAGNIFICATION%0"),
            diameter=keys.get(f"{scan.prefix}PROBE_DIAMETER%0"),
            dwell_time=keys.get(f"{scan.prefix}DWELL_TIME%0"),
        ),
        comment=keys.text("XM_AP_COMMENT%0") or keys.text("XM_AP_COMMENT"),
    )


def _channel(tree: Tree, path: str, keys: Fields, warn: Warn) -> ChannelRecord | None:
    """What was counted under one condition: its map, else the export of it, else nothing."""
    scan = _scan(keys) or Scan(0, 0, False)
    files = _beside(tree, path)
    if not files:
        name = f"{PurePosixPath(path).stem}.map"
        warn(Warned(path, f"there is no {name} next to this condition; its channel is left out"))
    array, values = None, np.zeros(0)
    for suffix, read in ((".map", _counts), (".csv", _exported)):
        if array is None and suffix in files:
            try:
                array, values = read(tree, files[suffix], scan)
            except (ValueError, OSError) as error:
                warn(Warned(files[suffix], f"{error}; the file is kept as an original"))
    if array is None:
        return None
    check = {name: value for name, key in _SAID.items() if (value := keys.number(key, warn)) is not None}
    tolerance = {"min": 0.5, "max": 0.5, "mean": 0.001 + 1e-5 * abs(check.get("mean", 0.0))}
    for odd in doubts(values, check, tolerance):
        warn(Warned(path, odd))
    info: Json = {"quantity": "counts", "unit": "1"} | element_of(keys)
    signal = keys.text("XM_ELEM_IMS_SIGNAL_TYPE%0")
    if keys.whole_number("XM_ELEM_COND_TYPE%0") == _IMAGE_SIGNAL:
        info = {"quantity": "signal", "signal": signal}
    info |= {"dwellTime": keys.number(f"{scan.prefix}DWELL_TIME%0"), "check": check}
    title = f"{info.get('element', '')} {info.get('line', '')}".strip() or signal or PurePosixPath(path).stem
    return ChannelRecord(
        name=title,
        array=array,
        info=stated(info),
        condition=element_condition(keys),
        raw_condition=keys,
    )


def _counts(tree: Tree, path: str, scan: Scan) -> tuple[ArrayRecord, np.ndarray]:
    """The doubles of a map; ValueError where the file does not hold so many."""
    length, size = 8 * scan.columns * scan.rows, tree.sizes[path]
    offset = size - length
    if not 0 <= offset <= _LARGEST_HEADER:
        raise ValueError(f"{size:,} bytes are not {scan.columns} × {scan.rows} doubles and a header")
    header = tree.read(path, 0, min(offset, 16))
    if len(header) == 16 and (width := int.from_bytes(header[12:], "little")) != 8:
        raise ValueError(f"its header says {width} bytes a value, where 8 are known")
    values = np.frombuffer(tree.read(path, offset, length), "<f8")
    if values.size != scan.columns * scan.rows:
        raise ValueError("the file is shorter than its size")
    return ArrayRecord("counts", "<f8", scan.shape, span=Span(path, offset, length)), values.reshape(scan.shape)


def _exported(tree: Tree, path: str, scan: Scan) -> tuple[ArrayRecord, np.ndarray]:
    """The export of a map as text, a line a row, in the order of the map."""
    load = partial(text_raster, tree, path, scan.columns, scan.rows, by_columns=not scan.is_beam)
    return ArrayRecord("counts", "<f8", scan.shape, load=load), load()


def _stage_frame(keys: Fields, scan: Scan) -> Json | None:
    """Where a stage scan lies: corners 1, 2, 3 are (max, min), (min, min), (min, max), each with z of the surface."""
    step = [scaled(um, 1e-3) for um in keys.numbers("XM_AP_SA_PIXEL_SIZE%0")[:2]]
    right, corner, down = (keys.numbers(f"XM_AP_SA_STAGE_POS%0_{number}")[:3] for number in (1, 2, 3))
    if len(step) < 2 or len(corner) < 2:
        return None
    slope = (0.0, 0.0)
    if len(right) == len(corner) == len(down) == 3:
        slope = (scaled(right[2] - corner[2], 1 / scan.columns), scaled(down[2] - corner[2], 1 / scan.rows))
    first = (scaled(corner[0] + step[0] / 2, 1), scaled(corner[1] + step[1] / 2, 1), *corner[2:])
    return stage_frame(first, (step[0], step[1]), slope)


def _beam_frame(keys: Fields, scan: Scan) -> Json | None:
    """Where a beam scan lies, by the field of its magnification: stage x grows to the left, y downwards."""
    magnification = keys.number("XM_AP_BSA_MAGNIFICATION%0")
    stage = keys.numbers("XM_AP_BSA_STAGE_POS%0")[:3]
    start, end = (keys.numbers(f"XM_AP_BSA_BEAM_{which}_POS%0") for which in ("START", "END"))
    if magnification is None or magnification <= 0 or min(len(stage), len(start), len(end)) < 2:
        return None
    dot = FIELD_MM / magnification / _BEAM_COLUMNS
    step = (dot * (end[0] - start[0]) / scan.columns, dot * (end[1] - start[1]) / scan.rows)
    if min(step) <= 0:
        return None
    x = stage[0] - dot * (start[0] - _BEAM_COLUMNS / 2) - step[0] / 2
    y = stage[1] + dot * (start[1] - _BEAM_ROWS / 2) + step[1] / 2
    return stage_frame((x, y, *stage[2:]), (-step[0], step[1])) | {"source": "XM_AP_BSA_MAGNIFICATION%0"}


def _scan(keys: Fields) -> Scan | None:
    """The raster that a condition gives."""
    for key, is_beam in (("XM_AP_SA_PIXELS%0", False), ("XM_AP_BSA_PIXELS%0", True)):
        size = keys.numbers(key)
        if len(size) >= 2 and all(1 <= side <= _LARGEST_SIDE and side.is_integer() for side in size[:2]):
            return Scan(int(size[0]), int(size[1]), is_beam)
    return None


def _place(keys: Fields) -> tuple[str, ...]:
    """What channels of one map have in common."""
    names = ("SA_PIXELS%0", "BSA_PIXELS%0", "SA_STAGE_POS%0_0", "BSA_STAGE_POS%0", "BSA_BEAM_START_POS%0")
    return tuple(keys.text(f"XM_AP_{name}") for name in names)


def _is_map(tree: Tree, path: str) -> bool:
    return b"$XM_" in head_of(tree, path) and _scan(fields_of(tree, path)) is not None


def _beside(tree: Tree, path: str) -> dict[str, str]:
    """The files of counts of a condition, by suffix."""
    return {suffix: found for suffix in (".csv", ".map") if (found := beside(tree, path, suffix))}


def _acquisition(folder: str) -> str:
    """The folder of an acquisition: above `Pos_NNNN`."""
    return folder_of(folder) if _POSITION.fullmatch(PurePosixPath(folder).name.casefold()) else folder
