"""What a reader of vendor files yields: records of what was measured, which one writer turns into an archive.

Times are the instrument's wall clock as ISO text; units are those of the archive (ARCHIVE.md): A, kV, mm, ms. A value
that the vendor's file does not give, or gives as `---`, is left out, never zero. What a record says of bytes, it says
by `Span`, so that an array which a file holds verbatim is stored once, and the file can be rebuilt from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .tree import Tree

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of one vendor file, as they stand there."""

    path: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class AxisRecord:
    """An axis as the vendor's file states it.

    `start` and `step` (linear), or `values`; `source` is the key or field it stands in.
    """

    quantity: str
    unit: str
    start: float | None = None
    step: float | None = None
    values: tuple[float, ...] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class ArrayRecord:
    """An array of a file.

    Its bytes as they stand there (`span`), or as `load` makes it where the file holds it otherwise (text, another
    byte order). `dtype` is a numpy type text with its byte order (`<f8`), `shape` in C order; `extra` holds further
    keys of the array's entry (columns, condition).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    span: Span | None = None
    load: Callable[[], np.ndarray] | None = None
    axis: AxisRecord | None = None
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PositionRecord:
    """One place on the sample and what was measured there.

    The mappings are in the form of the archive's state, condition and raw condition.
    """

    name: str
    arrays: tuple[ArrayRecord, ...]
    state: Json = field(default_factory=dict)
    condition: Json = field(default_factory=dict)
    raw_condition: Mapping[str, str] = field(default_factory=dict)
    background: ArrayRecord | None = None
    comment: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """One layer of a map.

    Its array, and what it shows (`info`: quantity, unit, element, line, spectrometer, crystal, peak, dwellTime, check
    …).
    """

    name: str
    array: ArrayRecord
    info: Json = field(default_factory=dict)
    condition: Json = field(default_factory=dict)
    raw_condition: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapRecord:
    """A raster or a set of points.

    `kind` is stage, beam, line or free; `shape` (ny, nx); `frame` as in ARCHIVE.md; `order` row or column.
    `positions` names those of this analysis' positions (`PositionRecord.name`) that are the map's points, in its
    order, `None` where one is missing.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    channels: tuple[ChannelRecord, ...] = ()
    frame: Json | None = None
    order: str = "row"
    xy: np.ndarray | None = None
    positions: tuple[str | None, ...] | None = None
    state: Json = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A picture, its file unchanged.

    `media_type` from its first bytes, not from its suffix; `registration` as in ARCHIVE.md.
    """

    name: str
    span: Span
    media_type: str
    info: Json = field(default_factory=dict)
    registration: Json | None = None
    state: Json = field(default_factory=dict)
    raw_condition: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A table or report as JSON.

    `schema` names its form (`sxeslake/quant/1`), `about` the names of positions or maps of this analysis.
    """

    schema: str
    data: Json
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnalysisRecord:
    """One acquisition: a folder of positions, a map, a set of images.

    Positions are read one at a time: a map may have thousands.
    """

    name: str
    project: str = ""
    comment: str = ""
    operator: str = ""
    instrument: str = ""
    acquisition_date: str = ""
    positions: Callable[[], Iterator[PositionRecord]] = lambda: iter(())
    maps: tuple[MapRecord, ...] = ()
    images: tuple[ImageRecord, ...] = ()
    documents: tuple[DocumentRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Warned:
    """Something odd about one file, that the rest does not suffer from.

    `path` and a sentence that says what, and what was done.
    """

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a file or folder is.

    `reader` (its name), `what` in words, `confidence` 0–1, the `files` that belong to it, `notes` (a wrong suffix,
    say).
    """

    reader: str
    path: str
    what: str
    confidence: float
    files: tuple[str, ...]
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """One vendor format. Reading never fails for one odd file: it yields the rest and calls `warn`."""

    name: str
    title: str
    verified: str
    """How the reader was verified: on which real files, or from which description only."""

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """What of this tree is of this format, judged by content.

        Files in several findings of other readers go to the most confident.
        """
        ...

    def read(self, tree: Tree, finding: Finding, warn: Callable[[Warned], None]) -> Iterator[AnalysisRecord]:
        """The acquisitions of a finding."""
        ...
