"""Electron images of JEOL microprobes and microscopes: a picture, and beside it a text with its condition.

`NAME.tif` (or .bmp, .jpg) and `NAME.txt` with lines `$CM_MAG 1000`. The magnification is that of a field 120 mm wide:
a pixel is 120,000 µm / magnification / width. The stored picture may be narrower than the raster (`$CM_FULL_SIZE`),
and taller by a bar of words below it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..jeol import FIELD_MM
from ..pictures import MAGIC_BYTES, media_type, picture_size
from ..reading import fields_of, head_of
from ..records import AnalysisRecord, Finding, ImageRecord, Json, Span, Warned
from ..texts import Fields, Warn, number_of
from ..tree import Tree, folder_of
from ..values import common, counted, number_text, state_of, words_as_numbers

_SIDECAR_BYTES = 256 * 1024
_UNITS_UM = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "mm": 1e3}
_MARKER = re.compile(r"([\d.,]+)\s*(nm|um|µm|μm|mm)")
_LARGEST_SIDE = 2**20
_HIGHEST_BAR = 0.25  # of the raster's height; known ones are 1/15


@dataclass(frozen=True, slots=True)
class PixelSize:
    """µm a pixel of the raster, the key that says so, and what says otherwise."""

    um: float
    source: str
    doubt: str = ""


class JeolImage:
    """Pictures with `$CM_` conditions, a folder at a time."""

    name = "jeol-image"
    title = "JEOL images with their conditions ($CM_ text files)"
    verified = (
        "On nine real conditions and five pictures of a JXA-8530F (TIFF, BMP, JPEG): pixel sizes agree with every "
        "micron bar. That stage x grows to the left and y downwards is confirmed by a calibration of Probe for EPMA; "
        "that the stage position is the middle of the picture is by description only."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Folders with conditions, each with its pictures; folders that have pictures alone, with little faith."""
        pictures: dict[str, list[str]] = defaultdict(list)
        sidecars: dict[str, list[str]] = defaultdict(list)
        for path in tree.sizes:
            if media_type(head_of(tree, path, MAGIC_BYTES)):
                pictures[folder_of(path)].append(path)
            elif _is_sidecar(tree, path):
                sidecars[folder_of(path)].append(path)
        for folder in sorted(pictures.keys() | sidecars.keys()):
            here, texts = pictures[folder], sidecars[folder]
            stems = {_stem(path) for path in texts}
            alone = sum(_stem(path) not in stems for path in here)
            files = tuple(sorted([*here, *texts]))
            if texts:
                what = f"JEOL images: {counted(len(here), 'picture')}, {counted(len(texts), 'condition')}"
                notes = (f"{counted(alone, 'picture')} without a condition",) if alone else ()
                yield Finding(self.name, folder, what, 0.95, files, notes)
            else:
                yield Finding(self.name, folder, f"{counted(alone, 'picture')} without a condition", 0.2, files)

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """One analysis a folder, its pictures in order of name."""
        pictures = [path for path in finding.files if media_type(head_of(tree, path, MAGIC_BYTES))]
        stems = {_stem(path) for path in pictures}
        conditions: dict[str, Fields] = {}
        for path in finding.files:
            if path not in pictures and (keys := _condition(tree, path)):
                conditions[_stem(path)] = keys
                if _stem(path) not in stems:
                    warn(Warned(path, "there is no picture next to this condition; it is kept as an original"))
        images = tuple(_image(tree, path, conditions.get(_stem(path)), warn) for path in pictures)
        if images:
            dates = [image.state["saveDate"] for image in images if "saveDate" in image.state]
            yield AnalysisRecord(
                name=PurePosixPath(finding.path).name or PurePosixPath(tree.name).stem,
                operator=common(keys.text("CM_OPERATOR") for keys in conditions.values()),
                instrument=common(keys.text("CM_INSTRUMENT") for keys in conditions.values()),
                acquisition_date=min(dates, default=""),
                images=images,
            )


def pixel_size(keys: Fields) -> PixelSize | None:
    """µm a pixel of the raster by the magnification, or by the micron bar (whole pixels, cut off) if that disagrees."""
    raster = _raster(keys)
    magnification = keys.number("CM_MAG")
    bar = keys.number("SM_MICRON_BAR") or 0.0
    marker = _MARKER.fullmatch(keys.text("SM_MICRON_MARKER"))
    length = (number_of(marker[1]) or 0.0) * _UNITS_UM[marker[2]] if marker else 0.0
    by_bar = PixelSize(length / bar, "$$SM_MICRON_BAR") if bar > 0 and length > 0 else None
    if raster is None or magnification is None or magnification <= 0:
        return by_bar
    um = FIELD_MM * 1000 / magnification / raster[0]
    if by_bar is None or bar - 1e-6 <= length / um <= bar + 1 + 1e-6:
        return PixelSize(um, "$CM_MAG")
    doubt = f"$CM_MAG gives {um:.6g} µm a pixel, $$SM_MICRON_BAR {by_bar.um:.6g} µm, which is taken"
    return PixelSize(by_bar.um, by_bar.source, doubt)


def registration_of(keys: Fields, size: tuple[int, int] | None) -> tuple[Json | None, str]:
    """Where a picture of this width and height lies, and what is odd about it.

    `affine` takes a column and a row, counted from the outer edges of the upper left pixel, to stage x and y in mm:
    x = a column + b row + c, y = d column + e row + f. It is left out where the scan was rotated.
    """
    raster, pixel = _raster(keys), pixel_size(keys)
    if pixel is None:
        return None, "the condition gives no magnification and no micron bar; the pixel size is not known"
    if raster is None or size is None:
        return None, "the size of the picture or of its raster is not known; the pixel size is left out"
    scale = size[0] / raster[0]
    rows = round(raster[1] * scale)
    if not rows <= size[1] <= rows * (1 + _HIGHEST_BAR):
        odd = f"the picture of {size[0]} × {size[1]} is not a copy of the raster of {raster[0]} × {raster[1]}"
        return None, f"{odd}; the pixel size is left out"
    um = pixel.um / scale
    found: Json = {
        "pixel": [um, um],
        "raster": list(raster),
        "infoBarRows": size[1] - rows,
        "source": pixel.source,
    }
    x, y, *_ = (*words_as_numbers(keys.text("CM_STAGE_POS")), None, None)
    if x is not None and y is not None and not keys.number("SM_SCAN_ROTATION"):
        step = um / 1000  # stage x grows to the left, y downwards
        found["affine"] = [-step, 0.0, x + step * size[0] / 2, 0.0, step, y - step * rows / 2]
        found["to"] = "stage mm"
    return found, pixel.doubt


def _image(tree: Tree, path: str, keys: Fields | None, warn: Warn) -> ImageRecord:
    """A picture with what its condition says."""
    media = media_type(head_of(tree, path, MAGIC_BYTES)) or "application/octet-stream"
    try:
        size = picture_size(tree, path)
    except OSError as error:
        size = None
        warn(Warned(path, f"it cannot be read: {error}"))
    if size is None:
        warn(Warned(path, f"the header of this {media} gives no size; the picture is kept as it is"))
    info: Json = {} if size is None else {"width": size[0], "height": size[1]}
    if keys is None:
        warn(Warned(path, "there is no condition next to this picture; its pixel size and place are not known"))
        return ImageRecord(PurePosixPath(path).stem, Span(path, 0, tree.sizes[path]), media, info)
    registration, odd = registration_of(keys, size)
    if odd:
        warn(Warned(path, odd))
    texts = {"signal": "CM_SIGNAL", "detector": "CM_DETECTOR", "title": "CM_TITLE", "label": "CM_LABEL"}
    info |= {name: text for name, key in texts.items() if (text := keys.text(key))}
    if distance := number_text(keys.get("SM_WD")):
        info["workingDistance"] = distance
    return ImageRecord(
        name=PurePosixPath(path).stem,
        span=Span(path, 0, tree.sizes[path]),
        media_type=media,
        info=info,
        registration=registration,
        state=state_of(
            saved=f"{keys.text('CM_DATE')} {keys.text('CM_TIME')}",
            stage=words_as_numbers(keys.text("CM_STAGE_POS"))[:3],
            kilovolts=keys.get("CM_ACCEL_VOLT"),
            current=keys.get("SM_PROBE_CURRENT"),
            magnification=keys.get("CM_MAG"),
        ),
        raw_condition=keys,
        comment=keys.text("CM_COMMENT"),
    )


def _is_sidecar(tree: Tree, path: str) -> bool:
    small = 0 < tree.sizes[path] <= _SIDECAR_BYTES
    return small and b"$CM_" in head_of(tree, path) and _condition(tree, path) is not None


def _condition(tree: Tree, path: str) -> Fields | None:
    """The condition of a picture, or None where this is none."""
    keys = fields_of(tree, path)
    return keys if "CM_FORMAT" in keys or {"CM_MAG", "CM_FULL_SIZE"} <= keys.keys() else None


def _raster(keys: Fields) -> tuple[int, int] | None:
    size = keys.numbers("CM_FULL_SIZE")
    if len(size) < 2 or not all(1 <= side <= _LARGEST_SIDE for side in size[:2]):
        return None
    return int(size[0]), int(size[1])


def _stem(path: str) -> str:
    """What a picture and its condition have in common; Windows does not tell small letters from capitals."""
    return path.removesuffix(PurePosixPath(path).suffix).casefold()
