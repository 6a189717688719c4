"""Thermo NSS (Noran System Six) and Pathfinder: folders `NAME.PS.EDS` of spots and `NAME.MAP.EDS` of maps.

Pictures and element maps are TIFF under ten suffixes, spectra EMSA/MAS under six; both are known by content. Two
private fields of the TIFF hold what its 8-bit picture does not: 34472 the true 16-bit counts, 34471 a structure with
stage, kV, magnification, current and pixel size. `.p_s` lists spots by their place on the reference picture, `.csi`
the maps, components and phases of a spectrum image.
"""

from __future__ import annotations

import math
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..emsa import SNIFF_BYTES, is_emsa
from ..pictures import MAGIC_BYTES, media_type, picture_size, read_tiff
from ..rasters import named_apart
from ..reading import head_of, text_bytes
from ..records import (
    AnalysisRecord,
    ArrayRecord,
    ChannelRecord,
    DocumentRecord,
    Finding,
    ImageRecord,
    Json,
    MapRecord,
    PositionRecord,
    Span,
    Warned,
)
from ..texts import Warn, decode
from ..thermo import PHASES_SCHEMA, parse_phases, parse_spots
from ..tree import Tree, folder_of
from ..values import counted, state_of
from .emsa import spectrum_position

STRUCTURE_TAG, COUNTS_TAG = 34471, 34472
STRUCTURE_BYTES = 7866

_FOLDER = re.compile(r".*\.(?:ps|map)\.eds", re.IGNORECASE | re.DOTALL)
_FILE_NAME = re.compile(r"[^#,][^,]*\.[A-Za-z_]{2,5}", re.ASCII)
_REFERENCES = (".psref", ".siref", ".sitif")
_COMPUTED = {
    **dict.fromkeys((".pcm", ".pcma", ".pcsa", ".pcse"), "component"),
    **dict.fromkeys((".fzma", ".fzme", ".fzsa", ".fzse"), "phase"),
}
"""Pictures and spectra that the vendor's program made of counts: principal components, and phases."""

_MOST_KILOVOLTS = 60.0
_ELEMENT = re.compile(r".*\bSpec\d+ ([A-Z][a-z]?)|.*[ _]([A-Z][a-z]?)[ _][KLM](?:[ _].*)?", re.DOTALL)
_PIXEL, _LOW, _HIGH = 3248, 3272, 3280
_STAGE, _KILOVOLTS, _MAGNIFICATION, _CURRENT_NA, _DISTANCE_MM = (3304, 3312, 3320), 3352, 3360, 3368, 3408


@dataclass(frozen=True, slots=True)
class NssPicture:
    """A TIFF of these programs: size, where its true counts stand, and what its structure says."""

    path: str
    width: int
    height: int
    counts: Span | None
    structure: Mapping[str, float]


class ThermoNss:
    """`.PS.EDS` and `.MAP.EDS` folders, an analysis each."""

    name = "thermo-nss"
    title = "Thermo NSS and Pathfinder folders (.PS.EDS, .MAP.EDS)"
    verified = (
        "On 20 real files of NSS and Pathfinder: counts and stage, kV, magnification and current of the private fields "
        "equal the EMSA/MAS headers of the same acquisitions. The pixel size is inferred: it doubles where a field is "
        "measured with half the pixels, and agrees with the magnification within 4 %. Spectrum images (.si) are kept "
        "and not read."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Folders of that name, or with pictures that have the private fields."""
        folders: dict[str, list[str]] = defaultdict(list)
        for path in tree.sizes:
            folders[folder_of(path)].append(path)
        for folder, paths in folders.items():
            named = bool(_FOLDER.fullmatch(PurePosixPath(folder).name or tree.name))
            known = {path: kind for path in paths if (kind := _kind(tree, path, named))}
            if (named and known) or "picture" in known.values():
                kinds = list(known.values())
                pictures, others = sum("picture" in kind for kind in kinds), kinds.count("spectrum")
                lists = counted(kinds.count("list"), "list")
                spectra = "1 spectrum" if others == 1 else f"{others} spectra"
                what = f"Thermo NSS: {counted(pictures, 'picture')}, {spectra}, {lists}"
                yield Finding(self.name, folder, what, 0.95, tuple(known))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """One analysis: pictures, element maps of one size as one map, and spectra at their spots."""
        kinds = {path: _kind(tree, path, True) for path in finding.files}
        pictures = [
            picture for path, kind in kinds.items() if "picture" in kind and (picture := _picture(tree, path, warn))
        ]
        lists = {path: text for path, kind in kinds.items() if kind == "list" and (text := _text(tree, path, warn))}
        places: dict[str, Json] = {}
        phases: list[Json] = []
        for path, text in lists.items():
            _name_missing(tree, path, text, warn)
            if path.casefold().endswith(".p_s"):
                places |= parse_spots(text)
            elif found := parse_phases(text):
                phases.append({"source": path, **found})
        spectra = [path for path, kind in kinds.items() if kind == "spectrum"]
        name = PurePosixPath(finding.path).name or tree.name
        maps = tuple(_maps(name, pictures))
        about = tuple(found.name for found in maps)
        yield AnalysisRecord(
            name=name,
            positions=partial(_positions, tree, spectra, places, warn),
            maps=maps,
            images=tuple(_image(tree, picture) for picture in pictures),
            documents=tuple(DocumentRecord(PHASES_SCHEMA, found, about) for found in phases),
        )


def read_picture(tree: Tree, path: str) -> tuple[NssPicture | None, str]:
    """A picture with its private fields, and what is odd about them; None where it is no TIFF with a size."""
    tiff, size = read_tiff(tree, path), picture_size(tree, path)
    if tiff is None or size is None:
        return None, "its header gives no size"
    width, height = size
    plain = NssPicture(path, width, height, None, {})
    fields, counts = tiff.tags.get(STRUCTURE_TAG), tiff.tags.get(COUNTS_TAG)
    span = None
    if counts is not None and tiff.order == "<" and counts.length == 2 * width * height:
        span = Span(path, counts.offset, counts.length)
    odd = "its true counts are not those of its size; they are left out" if counts is not None and span is None else ""
    if fields is None or tiff.order != "<" or fields.length != STRUCTURE_BYTES:
        return replace(plain, counts=span), odd
    structure = _structure(tree.read(path, fields.offset, fields.length))
    if structure is not None and span is not None:
        values = np.frombuffer(tree.read(path, span.offset, span.length), "<u2")
        if (structure["low"], structure["high"]) != (float(values.min()), float(values.max())):
            structure = None
    if structure is None:
        return replace(plain, counts=span), odd or "its private structure is of another release; it is left out"
    return replace(plain, counts=span, structure=structure), odd


def _positions(tree: Tree, paths: list[str], places: Mapping[str, Json], warn: Warn) -> Iterator[PositionRecord]:
    """A position a spectrum, with its spot where the list has one; computed spectra are data of another type."""
    for path in paths:
        position = spectrum_position(tree, path, warn, PurePosixPath(path).name)
        if position is not None:
            if computed := _COMPUTED.get(PurePosixPath(path).suffix.lower()):
                arrays = tuple(replace(array, name=f"{array.name}-{computed}") for array in position.arrays)
                position = replace(position, arrays=arrays)
            spot = places.get(PurePosixPath(path).name)
            yield replace(position, state={**position.state, "spot": spot}) if spot else position


def _maps(name: str, pictures: list[NssPicture]) -> Iterator[MapRecord]:
    """Pictures of counts of one size are one map; the reference pictures among them are channels, too."""
    sizes: dict[tuple[int, int], list[NssPicture]] = defaultdict(list)
    for picture in pictures:
        if picture.counts is not None:
            sizes[picture.height, picture.width].append(picture)
    for number, (shape, group) in enumerate(sizes.items(), 1):
        yield MapRecord(
            name=name if number == 1 else f"{name} ({number})",
            kind="beam",
            shape=shape,
            channels=named_apart(_channel(picture) for picture in group),
            frame=_frame(group[0]),
            order="row",
            state=_state(next((picture.structure for picture in group if picture.structure), {})),
        )


def _channel(picture: NssPicture) -> ChannelRecord:
    path = PurePosixPath(picture.path)
    reference = path.suffix.lower() in _REFERENCES
    match = None if reference else _ELEMENT.fullmatch(path.stem)
    if reference:
        info: Json = {"quantity": "signal"}
    elif computed := _COMPUTED.get(path.suffix.lower()):
        info = {"quantity": computed}
    else:
        info = {"quantity": "counts", "unit": "1"}
    if match:
        info["element"] = match[1] or match[2]
    array = ArrayRecord("counts", "<u2", (picture.height, picture.width), span=picture.counts)
    return ChannelRecord(path.name, array, info)


def _image(tree: Tree, picture: NssPicture) -> ImageRecord:
    um = picture.structure.get("pixel")
    registration: Json | None = None
    if um:
        size = [picture.width, picture.height]
        registration = {"pixel": [um, um], "raster": size, "infoBarRows": 0, "source": f"TIFF {STRUCTURE_TAG}"}
    info: Json = {"width": picture.width, "height": picture.height}
    if distance := picture.structure.get("distance"):
        info["workingDistance"] = distance
    return ImageRecord(
        name=PurePosixPath(picture.path).name,
        span=Span(picture.path, 0, tree.sizes[picture.path]),
        media_type="image/tiff",
        info=info,
        registration=registration,
        state=_state(picture.structure),
    )


def _state(said: Mapping[str, float]) -> Json:
    """The state that a structure gives; a current or magnification of zero is not given."""
    shown = {key: f"{value:.9g}" for key in ("kilovolts", "magnification") if (value := said.get(key, 0.0))}
    current = said.get("current", 0.0)
    return state_of(
        stage=[said.get(axis) for axis in "xyz"],
        kilovolts=shown.get("kilovolts"),
        magnification=shown.get("magnification"),
        current=f"{current * 1e-9:.9g}" if current > 0 else None,
    )


def _frame(picture: NssPicture) -> Json | None:
    """Steps of the beam from the first pixel: that the stage position is the middle of the field is not known."""
    um = picture.structure.get("pixel")
    if not um:
        return None
    return {
        "quantity": "beam",
        "unit": "mm",
        "origin": [0.0, 0.0, 0.0],
        "step": [[um / 1000, 0.0, 0.0], [0.0, um / 1000, 0.0]],
    }


def _structure(data: bytes) -> dict[str, float] | None:
    """The quantities of the private structure, or None where they are of no microprobe."""
    if len(data) < STRUCTURE_BYTES:
        return None
    places = {"pixel": _PIXEL, "low": _LOW, "high": _HIGH, **dict(zip("xyz", _STAGE, strict=True))}
    places |= {"kilovolts": _KILOVOLTS, "magnification": _MAGNIFICATION, "current": _CURRENT_NA}
    places["distance"] = _DISTANCE_MM
    found = {key: struct.unpack_from("<d", data, at)[0] for key, at in places.items()}
    if not all(math.isfinite(value) and abs(value) < 1e9 for value in found.values()):
        return None
    if not 0 < found["kilovolts"] <= _MOST_KILOVOLTS or found["low"] > found["high"]:
        return None
    return {key: value for key, value in found.items() if key != "pixel" or value > 0}


def _picture(tree: Tree, path: str, warn: Warn) -> NssPicture | None:
    try:
        picture, odd = read_picture(tree, path)
    except (OSError, ValueError) as error:
        picture, odd = None, str(error)
    if odd:
        warn(Warned(path, odd if picture else f"{odd}; the file is kept as an original"))
    return picture


def _text(tree: Tree, path: str, warn: Warn) -> str:
    """The text of a list; '' where it cannot be read."""
    try:
        return decode(text_bytes(tree, path)).text
    except (OSError, ValueError) as error:
        warn(Warned(path, f"{error}; what it lists is left out"))
        return ""


def _name_missing(tree: Tree, path: str, text: str, warn: Warn) -> None:
    """Files that a list names and its folder has not; a name that leads elsewhere is none of ours."""
    folder = folder_of(path)
    missing = []
    for name in dict.fromkeys(line.strip() for line in text.splitlines()):
        if not _FILE_NAME.fullmatch(name):
            continue
        if "/" in name or "\\" in name or ".." in name:
            warn(Warned(path, f"it names {name[:80]!r}, which leads out of its folder; that is not followed"))
        elif (f"{folder}/{name}" if folder else name) not in tree.sizes:
            missing.append(name[:80])
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        warn(Warned(path, f"of the files that it names these are not there: {', '.join(missing[:3])}{more}"))


def _kind(tree: Tree, path: str, named: bool) -> str:
    """`picture` with private fields, `plain picture`, `spectrum` or `list`; '' for anything else."""
    if path.casefold().endswith((".p_s", ".csi")):
        return "list" if named else ""
    head = head_of(tree, path, SNIFF_BYTES)
    if is_emsa(head):
        return "spectrum"
    if media_type(head[:MAGIC_BYTES]) != "image/tiff":
        return ""
    try:
        tiff = read_tiff(tree, path)
    except OSError:
        return ""
    if tiff is not None and STRUCTURE_TAG in tiff.tags:
        return "picture"
    return "plain picture" if named else ""
