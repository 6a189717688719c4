"""Databases of Probe for EPMA: `.MDB` says what the images of the `.BIM` beside it are, and where points were.

Table `Image` has a row an image, in the order of the `.BIM`; table `Line` a row a point, which names its row in
`Sample`. Coordinates are in the unit of the instrument's stage: mm of JEOL, µm of Cameca; which is not stated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import PurePosixPath

from sxeslake.errors import MissingExtraError

from ..jet import INSTALL, MAGIC, MAGIC_AT, read_tables
from ..rasters import named_apart
from ..reading import beside, head_of
from ..records import (
    AnalysisRecord,
    ArrayRecord,
    ChannelRecord,
    DocumentRecord,
    Finding,
    Json,
    MapRecord,
    Span,
    Warned,
)
from ..texts import Warn, number_of
from ..tree import Tree
from ..values import scaled, state_of
from .probe_for_epma import bim_images

POINTS_SCHEMA = "sxeslake/points/1"

_TABLES = ("File", "Image", "Sample", "Line")
_BY_HAND = (
    "Probe for EPMA itself exports points (Output, User Specified Output) and images (.GRD, by CalcImage); mdb-export "
    "of mdbtools gives any table as CSV"
)


class ProbeDatabase:
    """A database with its images, an analysis each."""

    name = "probe-database"
    title = "Probe for EPMA databases (.MDB) with their images (.BIM)"
    verified = (
        "Tables: on five published databases of standards of Probe for EPMA, by the package access-parser (extra mdb); "
        "tables Image and Line by description, on files made from it. A table of which that package loses values is "
        "left out. Raw counts are kept and not read."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Jet databases of that suffix; with the package, the images beside them are theirs."""
        is_readable = find_spec("access_parser") is not None
        for path in tree.sizes:
            if path.casefold().endswith(".mdb") and head_of(tree, path, 64)[MAGIC_AT:].startswith(MAGIC):
                images = beside(tree, path, ".bim") if is_readable else ""
                notes = () if is_readable else (f"to read it: {INSTALL}",)
                files = (path, images) if images else (path,)
                yield Finding(self.name, path, "Probe for EPMA database (.MDB)", 0.92, files, notes)

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """What the tables say of images and points; images alone where the tables cannot be read."""
        path, *images = finding.files
        tables: dict[str, list[Json] | None] | None = None
        try:
            tables = read_tables(tree, path, _TABLES)
        except MissingExtraError as error:
            warn(Warned(path, f"{error.what} {error.hint} It is kept as an original; {_BY_HAND}"))
        except (ValueError, OSError) as error:
            warn(Warned(path, f"{error}; it is kept as an original; {_BY_HAND}"))
        for name, rows in (tables or {}).items():
            if rows is None:
                warn(Warned(path, f"table {name} could not be read whole; it is left out; {_BY_HAND}"))
        known = {name: rows or [] for name, rows in (tables or {}).items()}
        maps = _maps(tree, PurePosixPath(path).stem, images[0], known.get("Image", []), warn) if images else []
        points = _points(known.get("Line", []), known.get("Sample", []))
        if tables is not None and not maps and not points:
            warn(Warned(path, "it holds no images and no points of Probe for EPMA; it is kept as an original"))
        if not maps and not points:
            return
        about = next(iter(known.get("File", [])), {})
        yield AnalysisRecord(
            name=PurePosixPath(path).stem,
            comment=" ".join(filter(None, (_text(about.get("Title")), _text(about.get("Description"))))),
            operator=_text(about.get("User")),
            maps=tuple(maps),
            documents=(DocumentRecord(POINTS_SCHEMA, {"source": path, "points": points}),) if points else (),
        )


def _maps(tree: Tree, name: str, path: str, rows: list[Json], warn: Warn) -> list[MapRecord]:
    """Images of one size as one map, with what their rows say."""
    images = bim_images(tree, path, warn)
    ordered = sorted(rows, key=lambda row: _number(row.get("ImageNumber")) or 0.0)
    if rows and len(ordered) != len(images):
        warn(Warned(path, f"the database has {len(ordered):,} images, this file {len(images):,}; they have no titles"))
        ordered = []
    sizes: dict[tuple[int, int], list[ChannelRecord]] = {}
    states: dict[tuple[int, int], Json] = {}
    for number, (span, width, height) in enumerate(images):
        row = ordered[number] if ordered else {}
        if row and (_number(row.get("ImageIx")), _number(row.get("ImageIy"))) != (width, height):
            warn(Warned(path, f"image {number + 1} is {width} × {height}, not as its row says; it has no title"))
            row = {}
        sizes.setdefault((height, width), []).append(_channel(span, (height, width), row, number + 1))
        states.setdefault((height, width), _state(row))
    return [
        MapRecord(name if at == 0 else f"{name} ({at + 1})", "stage", shape, named_apart(channels), state=states[shape])
        for at, (shape, channels) in enumerate(sizes.items())
    ]


def _channel(span: Span, shape: tuple[int, int], row: Json, number: int) -> ChannelRecord:
    titles = [_text(row.get(key)) for key in ("ImageChannelName", "ImageTitle")]
    title = " ".join(dict.fromkeys(filter(None, titles))) or f"image {number}"
    array = ArrayRecord("counts", "<i4", shape, span=span)
    texts = {key: text for key, value in row.items() if (text := _text(value))}
    return ChannelRecord(title, array, {"quantity": "counts"}, raw_condition=texts)


def _state(row: Json) -> Json:
    current = _number(row.get("ImageBeamCurrent"))
    return state_of(
        kilovolts=_text(row.get("ImageKilovolts")),
        current=f"{scaled(current, 1e-9):.9g}" if current else None,
        magnification=_text(row.get("ImageMag")),
        diameter=_text(row.get("ImageBeamSize")),
    )


def _points(lines: list[Json], samples: list[Json]) -> list[Json]:
    """Number, sample and place of each point, in the unit of the stage."""
    names = {row.get("SampleToRow", number): _text(row.get("Names") or row.get("Name"))
             for number, row in enumerate(samples, 1)}  # fmt: skip
    found = []
    for row in lines:
        place = {axis: value for axis in "XYZ" if (value := _number(row.get(f"Stage{axis}"))) is not None}
        if place:
            sample = row.get("LineToRow")
            point: Json = {"number": row.get("Number"), "row": sample, "sample": names.get(sample, "")}
            found.append(point | {"stage": {axis.casefold(): value for axis, value in place.items()}})
    return found


def _number(value: object) -> float | None:
    return number_of(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    """A text or a number, as it stands."""
    if isinstance(value, bool) or value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value).strip()
