"""JEOL soft X-ray spectra (SS-94000SXES): `_QLW` directories of camera images and spectra.

An acquisition is a folder with `MapRawCond.mrc` and, below it, folders with `data001.qlw`, `data001.cnd` and a camera
image `*.xes`. Parts of such folders are read, too: without `.mrc`, without `.cnd`, or camera images alone. Whether a
file is one of these is judged by its content; every size that a header states is held against the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from ..reading import head_of
from ..records import AnalysisRecord, ArrayRecord, AxisRecord, Finding, Json, PositionRecord, Span, Warned
from ..texts import MOST_TEXT_BYTES, Fields, Warn, ini, keyed
from ..tree import Tree, folder_of
from ..values import counted, stated

_XES_HEADER: Final = 892
_XES_ROWS: Final = 876
_XES_COLUMNS: Final = 884
_XES_BETWEEN: Final = 10  # from the end of the signal to the background's slice
_BACKGROUND_FRAME: Final = 24  # the words before and after the dark frame that belong to its slice
_XES_END: Final = 2
_QLW_HEADER: Final = struct.pack("<8I", 1, 0, 0, 8, 0, 0, 0, 0)
_QLW_START: Final = 40  # the header, and channel 0, which archives do not have
_QLW_BYTES: Final = 32_800
_MRC_SECTION: Final = b"[map_raw_condition]"
_RAW_MAP: Final = "maprawdata.mrd"


@dataclass(slots=True)
class _Acquisition:
    """A folder of one acquisition, as far as it is there."""

    folder: str
    mrc: str = ""
    condition: str = ""
    spots: dict[str, list[str]] = field(default_factory=dict)
    """Folders of positions, and their spectra and camera images."""
    conditions: dict[str, str] = field(default_factory=dict)
    """Folders of positions, and their `data001.cnd`."""


class JeolQlw:
    """The reader of `_QLW` directories."""

    name = "jeol-qlw"
    title = "JEOL SXES (_QLW directories: .qlw, .xes, .cnd, .mrc)"
    verified = "on directories made from converted archives; not on data of an instrument"

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """An acquisition each: by its `.mrc`, else by the spectra or camera images in a folder."""
        for found in _acquisitions(tree, tuple(tree.sizes)):
            files = tuple(path for path in tree.sizes if _belongs(path, found))
            confidence = 0.95 if found.mrc and found.spots else 0.8 if found.mrc else 0.7
            what = f"JEOL SXES acquisition of {counted(len(found.spots), 'position')}"
            unread = [path for path in files if PurePosixPath(path).name.lower() == _RAW_MAP]
            notes = [f"{path}: the map's raw data cannot be read; the file is kept as it is" for path in unread]
            if not found.mrc:
                notes.append("no MapRawCond.mrc: camera and beam are not known")
            yield Finding(self.name, found.folder, what, confidence, files, tuple(notes))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """The acquisition of a finding; its positions are read as they are asked for."""
        for found in _acquisitions(tree, finding.files):
            if found.folder != finding.path:
                continue
            condition = _text(tree, found.condition, warn)
            sections = ini(_bytes(tree, found.mrc, warn), found.mrc) if found.mrc else {}
            yield AnalysisRecord(
                name=PurePosixPath(found.folder).name or tree.name,
                project=condition.text("XM_CP_PROJECT_NAME"),
                comment=condition.text("XM_CP_COMMENT"),
                operator=condition.text("XM_CP_OPERATOR"),
                instrument=condition.text("XM_ANALYSIS_INSTRUMENT"),
                acquisition_date=condition.text("XM_ANALYSIS_ACQ_DATE"),
                positions=partial(_positions, tree, found, condition, sections, warn),
            )


def _acquisitions(tree: Tree, paths: tuple[str, ...]) -> list[_Acquisition]:
    """Every acquisition of these files, in order of its folder."""
    found = {
        folder_of(path): _Acquisition(folder_of(path), mrc=path)
        for path in paths
        if path.lower().endswith(".mrc") and _MRC_SECTION in head_of(tree, path).lower()
    }
    for path in paths:
        if not (_is_qlw(tree, path) or _frame_of(tree, path)):
            continue
        spot = folder_of(path)
        home = next((folder for folder in (spot, *_parents(spot)) if folder in found), None)
        if home is None:
            home = folder_of(spot) if spot else ""
            found[home] = _Acquisition(home)
        found[home].spots.setdefault(spot, []).append(path)
    of_spots = {spot: acquisition for acquisition in found.values() for spot in acquisition.spots}
    for path in paths:
        name, folder = PurePosixPath(path).name.lower(), folder_of(path)
        if name == "map.cnd" and folder in found:
            found[folder].condition = path
        elif name == "data001.cnd" and folder in of_spots:
            of_spots[folder].conditions[folder] = path
    return [found[folder] for folder in sorted(found)]


def _parents(folder: str) -> Iterator[str]:
    while folder:
        folder = folder_of(folder)
        yield folder


def _belongs(path: str, found: _Acquisition) -> bool:
    folder = folder_of(path)
    return folder in found.spots or path == found.condition or (folder == found.folder and bool(found.mrc))


def _is_qlw(tree: Tree, path: str) -> bool:
    """A spectrum: named so, and with the header of one."""
    return (
        path.lower().endswith(".qlw")
        and tree.sizes[path] > _QLW_START
        and head_of(tree, path, len(_QLW_HEADER)) == _QLW_HEADER
    )


def _frame_of(tree: Tree, path: str) -> tuple[int, int] | None:
    """Rows and columns that a camera image states; None for any other file, and one of no size."""
    if not path.lower().endswith(".xes") or tree.sizes[path] < _XES_HEADER:
        return None
    head = head_of(tree, path, _XES_HEADER)
    if len(head) < _XES_HEADER:
        return None
    rows, columns = *struct.unpack_from("<I", head, _XES_ROWS), *struct.unpack_from("<I", head, _XES_COLUMNS)
    return (rows, columns) if rows and columns else None


def _positions(
    tree: Tree, found: _Acquisition, whole: Fields, sections: dict[str, Fields], warn: Warn
) -> Iterator[PositionRecord]:
    condition = _condition(sections, found.mrc, warn)
    for spot, paths in found.spots.items():
        own = _text(tree, found.conditions.get(spot, ""), warn)
        if not own.path:
            warn(Warned(spot or ".", "no data001.cnd: place, beam and time of this position are not known"))
        arrays: list[ArrayRecord] = []
        background: ArrayRecord | None = None
        for path in paths:
            if _is_qlw(tree, path) and not any(each.name == "qlw" for each in arrays):
                arrays.extend(_spectrum(tree, path, own, warn))
            elif (frame := _frame_of(tree, path)) and not any(each.name == "xes" for each in arrays):
                image, background = _camera(tree, path, frame, warn)
                arrays.extend(image)
            else:
                warn(Warned(path, "a second file of its kind for this position; it is kept and not read"))
        if arrays:
            yield PositionRecord(
                name=spot or tree.name,
                arrays=tuple(arrays),
                state=_state(own, whole, sections, warn),
                condition=condition,
                raw_condition={**own, **_prefixed(whole, sections)},
                background=background,
                comment=own.text("XM_CP_COMMENT"),
                operator=own.text("XM_CP_OPERATOR"),
            )


def _spectrum(tree: Tree, path: str, own: Fields, warn: Warn) -> list[ArrayRecord]:
    size = tree.sizes[path]
    channels = (size - _QLW_START) // 8
    if size != _QLW_BYTES:
        warn(Warned(path, f"has {size} bytes where a spectrum has {_QLW_BYTES}; {channels} channels are taken"))
    if not channels:
        return []
    span = Span(path, _QLW_START, channels * 8)
    return [ArrayRecord("qlw", "<f8", (channels,), span, axis=_axis(own, warn))]


def _axis(own: Fields, warn: Warn) -> AxisRecord | None:
    """The stated axis, from channel 1, the first that is taken; its unit is not known."""
    start = own.number("XM_WDS_SCAN_START_POS%0", warn)
    step = own.number("XM_WDS_STEP_SIZE%0", warn)
    if start is None or not step:
        return None
    return AxisRecord("position", "", start + step, step, source="XM_WDS_SCAN_START_POS%0")


def _camera(tree: Tree, path: str, frame: tuple[int, int], warn: Warn) -> tuple[list[ArrayRecord], ArrayRecord | None]:
    """The signal and the dark frame, as far as the file has them."""
    rows, columns = frame
    size, length = tree.sizes[path], 4 * rows * columns
    if _XES_HEADER + length > size:
        warn(Warned(path, f"states {rows} rows of {columns}, more than its {size} bytes hold; it is kept, not read"))
        return [], None
    signal = ArrayRecord("xes", "<u4", frame, Span(path, _XES_HEADER, length))
    start = _XES_HEADER + length + _XES_BETWEEN
    dark = length + _BACKGROUND_FRAME
    words = tree.read(path, start, 12) if size >= start + dark else b""
    if words != struct.pack("<3I", 0, columns, 0):
        warn(Warned(path, "has no whole dark frame; the image is taken without a background"))
        return [signal], None
    if size != start + dark + _XES_END:
        warn(Warned(path, f"has {size - start - dark - _XES_END} bytes more than expected; they are kept"))
    return [signal], ArrayRecord("background", "u1", (dark,), Span(path, start, dark))


def _state(own: Fields, whole: Fields, sections: dict[str, Fields], warn: Warn) -> Json:
    """The state as converted archives have it: numbers of the stage as numbers, others as the instrument's text."""
    beam = sections.get("map_raw_condition", Fields("", ""))
    element = sections.get("element_map_condition", Fields("", ""))
    camera = sections.get("ccd_parameter", Fields("", ""))
    stage: Json = {}
    place = own.numbers("XM_AP_ACM_STAGE_POS%0_0", warn)
    if len(place) >= 3:
        stage.update(zip("xyz", (_plain(value) for value in place[:3]), strict=True))
    for key, name in (("TILT", "tilt"), ("ROT", "rotation")):
        pair = own.numbers(f"XM_AP_ACM_STAGE_{key}%0_0", warn)
        if len(pair) == 2:
            stage[name] = [_plain(value) for value in pair]
    current = {
        "target": own.text("XM_EC_TARGET_PROBE_CURRENT"),
        "pre": own.text("XM_DATA_PROBE_CURRENT_PRE"),
        "average": own.text("XM_DATA_PROBE_CURRENT"),
        "post": own.text("XM_DATA_PROBE_CURRENT_POST"),
    }
    probe = {
        "acceleratingVoltage": own.text("XM_EC_ACCEL_VOLT"),
        "beam": {
            "x": beam.text("beam_num_x"),
            "y": beam.text("beam_num_y"),
            "magnification": beam.text("beam_mag"),
            "rotation": beam.text("beam_rotation"),
        },
        "current": current,
        "magnification": own.text("XM_AP_MAGNIFICATION%0"),
        "diameter": whole.text("XM_AP_SA_PROBE_DIAMETER%0"),
    }
    temperature = {
        "target": camera.text("target_temperature"),
        "pre": element.text("temperature_start"),
        "post": element.text("temperature_end"),
    }
    return stated({
        "saveDate": own.text("XM_DATA_SAVE_DATE"), "stage": stage, "probe": probe,
        "ccd": {"temperature": temperature}, "dwellTime": own.text("XM_WDS_DWELL_TIME%0"),
    })  # fmt: skip


def _condition(sections: dict[str, Fields], mrc: str, warn: Warn) -> Json:
    """The condition in the order of converted archives, so that it is the same file there; `bins` swapped as always."""
    if not mrc:
        return {}
    raw = sections.get("map_raw_condition", Fields(mrc, ""))
    element = sections.get("element_map_condition", Fields(mrc, ""))
    camera = sections.get("ccd_parameter", Fields(mrc, ""))
    width, height = (camera.number(f"ccd_size_{side}", warn) for side in "xy")
    across, down = (camera.number(f"binning_param_{side}", warn) for side in "xy")
    order = min(raw.whole_number("fitting_order", warn) or 0, len(raw))
    ccd = {
        "name": camera.text("ccd_name"),
        "model": element.text("model_name"),
        "spectrometer": raw.text("spec_type"),
        "grating": raw.text("crystal_name"),
        "mode": _number(camera, "binning_mode", warn),
        "accumulation": _number(camera, "accum_num", warn),
        "gain": _number(camera, "gain", warn),
        "image": {
            "rotation": _number(camera, "img_rotation", warn),
            "orientation": _number(camera, "img_orientation", warn),
        },
        "size": {"x": _plain(width), "y": _plain(height)},
        "bins": {
            "x": _plain(height / down + 1 if height and down else None),
            "y": _plain(width / across if width and across else None),
        },
    }
    coefficients = [raw.text(f"fitting_coef_{index}") for index in range(order)]
    return {"calibrationCoefficients": coefficients, "probe": {}, "ccd": stated(ccd)}


def _prefixed(whole: Fields, sections: dict[str, Fields]) -> dict[str, str]:
    """What the acquisition's files say: `MAP.cnd:KEY`, `section:key`; a position's own keys stand bare."""
    found = {f"MAP.cnd:{key}": value for key, value in whole.items()}
    for name, section in sections.items():
        found.update({f"{name}:{key}": value for key, value in section.items()})
    return found


def _number(fields: Fields, key: str, warn: Warn) -> float | int | None:
    return _plain(fields.number(key, warn))


def _plain(value: float | None) -> float | int | None:
    """A whole number without its fraction, as the archive's JSON has it."""
    return int(value) if value is not None and value.is_integer() else value


def _text(tree: Tree, path: str, warn: Warn) -> Fields:
    if not path:
        return Fields("", "")
    fields = keyed(_bytes(tree, path, warn), path)
    if fields.encoding not in ("ascii", "utf-8", "utf-8-sig"):
        warn(Warned(path, f"its text is read as {fields.encoding}"))
    return fields


def _bytes(tree: Tree, path: str, warn: Warn) -> bytes:
    if tree.sizes[path] > MOST_TEXT_BYTES:
        warn(Warned(path, f"has {tree.sizes[path]} bytes, too many for a condition; it is kept, not read"))
        return b""
    try:
        return tree.read(path)
    except OSError as error:
        warn(Warned(path, f"cannot be read: {error.strerror or error}; what it says is left out"))
        return b""
