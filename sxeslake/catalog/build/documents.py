"""One archive's JSON members, read once: what each describes, whether it is readable, and its typed fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from sxeslake.archive.encodings import CONFIDENT, detect
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.bounds import (
    PARSED_BYTES,
    TOO_MANY_VALUES,
    is_apple_double,
    parsed_bytes,
    too_large,
)
from sxeslake.archive.sxes.documents.fields import (
    InfoFields,
    StateFields,
    read_info,
    read_state,
    unread_in,
    unread_text,
)
from sxeslake.archive.sxes.documents.text import parse as parse_document
from sxeslake.archive.sxes.documents.units import is_odd_number, is_odd_time, local_time, number, text
from sxeslake.archive.sxes.extensions.array_fields import ArrayFields, read_array
from sxeslake.archive.sxes.extensions.map_fields import MapFields, read_map
from sxeslake.catalog.build.json_shapes import Leaf, Shapes
from sxeslake.catalog.model import Document
from sxeslake.model import DOCUMENT_BYTES, MIB

_NO_OBJECT: Final = "not a JSON object"
_BLOCK: Final = 4096
_BLOCK_BYTES: Final = 8 * MIB
_ALIKE_BYTES: Final = 4096  # nothing that comes by the thousand is longer, and no number in it too long for a parser


class PositionState(NamedTuple):
    """A `state.json`: what differs from position to position, and the rest, which many share."""

    saved_local: datetime | None
    stage_x_mm: float | None
    stage_y_mm: float | None
    stage_z_mm: float | None
    shared: StateFields


class SharedInfo(NamedTuple):
    """What many `info.json` share, with the optional fields that other techniques add."""

    fields: InfoFields
    extra: Mapping[str, object]


class Info(NamedTuple):
    """An `info.json`: what differs from position to position, less its UUID, which is its folder's name; the rest."""

    comment: str | None
    shared: SharedInfo


DescribedArrays = tuple[tuple[str, ArrayFields], ...]
"""What an `arrays.json` says of each data type; the positions of a map share one."""


class Owner(NamedTuple):
    """What a JSON member describes: `("position", "<uuid>")`; (None, None) for any other file."""

    kind: str | None
    id: str | None


@dataclass(slots=True)
class DocumentRows:
    """JSON members in the order they came, for the table `documents`."""

    paths: list[str] = field(default_factory=list)
    owners: list[str | None] = field(default_factory=list)
    owner_ids: list[str | None] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    texts: list[pa.Array] = field(default_factory=list)
    """Block by block: as Python values 200,000 of them would take 100 MB."""

    def add(
        self,
        paths: Sequence[str],
        sizes: Sequence[int],
        owners: Sequence[str | None],
        owner_ids: Sequence[str | None],
        texts: Sequence[bytes | str | None],
        problems: Sequence[str | None],
    ) -> None:
        """A block of members; a text may be given as its UTF-8 bytes."""
        self.paths += paths
        self.sizes += sizes
        self.owners += owners
        self.owner_ids += owner_ids
        self.problems += problems
        self.texts.append(_column_of(texts))


def _column_of(texts: Sequence[bytes | str | None]) -> pa.Array:
    """Texts as a column; they are joined, for Arrow makes the same of a list in three times the time."""
    raw = [text_.encode() if isinstance(text_, str) else text_ for text_ in texts]
    known = [each for each in raw if each is not None]
    if len(known) < len(raw):
        return pa.array(raw, pa.binary()).cast(pa.string())
    ends = np.cumsum([0, *map(len, known)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(known))]
    return pa.Array.from_buffers(pa.binary(), len(known), buffers).cast(pa.string())


@dataclass(slots=True)
class Contents:
    """What the JSON members of an archive say; a broken one is named in `problems` and otherwise absent."""

    files: DocumentRows = field(default_factory=DocumentRows)
    """Those that were not taken into the table yet."""
    documents: int = 0
    unreadable: int = 0
    parsed_bytes: int = 0
    """What long documents take that are parsed and kept, about."""
    metadata: object = None
    metadata_problem: str | None = "metadata.json: missing"
    infos: dict[str, Info] = field(default_factory=dict)
    states: dict[str, PositionState] = field(default_factory=dict)
    image_infos: dict[str, Info] = field(default_factory=dict)
    image_states: dict[str, PositionState] = field(default_factory=dict)
    maps: dict[str, MapFields] = field(default_factory=dict)
    map_states: dict[str, PositionState] = field(default_factory=dict)
    arrays: dict[str, DescribedArrays] = field(default_factory=dict)
    """Position → what its `arrays.json` says."""
    conditions: dict[str, object] = field(default_factory=dict)
    raw_conditions: dict[str, object] = field(default_factory=dict)
    texts: dict[str, str | None] = field(default_factory=dict)
    """Path of a member that belongs to no position → its text."""
    problems: dict[str, str] = field(default_factory=dict)
    """Path of an unreadable member → why."""
    unread: dict[str, str] = field(default_factory=dict)
    """Position → the values of its state that mean something and cannot be read."""


_NOBODY: Final = Owner(None, None)
_FOLDER_OWNERS: Final = {layout.DATA: "position", layout.IMAGES: "image", layout.MAPS: "map"}
_SHARED_OWNERS: Final = {
    layout.CONDITIONS: "condition", layout.RAW_CONDITIONS: "raw_condition", layout.DOCUMENTS: "document",
    layout.SOURCES: "source",
}  # fmt: skip
_LISTED: Final = frozenset({None, "document", "source"})
"""Owners of documents that only the table `documents` has."""


def owner_of(path: str) -> Owner:
    """`data/<uuid>/state.json` → position and uuid, `conditions/<sha256>.json` → condition and hash."""
    parts = path.split("/")
    if len(parts) == 3 and parts[0] in _FOLDER_OWNERS:
        return Owner(_FOLDER_OWNERS[parts[0]], parts[1])
    if len(parts) == 2 and parts[0] in _SHARED_OWNERS:
        return Owner(_SHARED_OWNERS[parts[0]], layout.shared_digest(path))
    return Owner("archive", None) if path == layout.METADATA else _NOBODY


def parse(path: str, data: bytes) -> tuple[str | None, object, str | None]:
    """Text, value and problem of a JSON member; a text in a legacy encoding may still have values."""
    try:
        text_ = data.decode()
        return text_, json.loads(text_), None
    except (ValueError, RecursionError):
        guess = detect(data)
        document = parse_document(path, data, guess.encoding if guess.confidence >= CONFIDENT else None)
        return text_of(data), document.value, document.problem


def text_of(data: bytes) -> str | None:
    """The text of a JSON file, None where its encoding cannot be told."""
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        guess = detect(data)
        return data.decode(guess.encoding) if guess.confidence >= CONFIDENT else None


_EXTRA: Final = frozenset({"technique", "element", "line", "crystal", "order", "exposure", "backgroundCorrected"})
_NO_EXTRA: Final[Mapping[str, object]] = {}


def _read_info(value: dict[str, object]) -> SharedInfo:
    extra = _NO_EXTRA if _EXTRA.isdisjoint(value) else {key: value[key] for key in _EXTRA if key in value}
    return SharedInfo(read_info(value), extra)


class _Odd(NamedTuple):
    """A value that means something and cannot be read."""

    value: object


def _number_or_odd(value: object) -> float | _Odd | None:
    found = number(value)
    return _Odd(value) if found is None and is_odd_number(value) else found


def _time_or_odd(value: object) -> datetime | _Odd | None:
    found = local_time(value)
    return _Odd(value) if found is None and is_odd_time(value) else found


def _state(contents: Contents, uuid: str | None, reading: tuple[Any, ...]) -> PositionState:
    """The state that was read; what could not be is empty there, and named where it is a position's, of that UUID."""
    unread = reading[-1].unread
    if _Odd in map(type, reading):
        named = zip(_LEAVES, reading, strict=False)
        odd = [unread_text(path, value.value, what) for (path, what), value in named if isinstance(value, _Odd)]
        unread, reading = (*odd, *unread), tuple(None if isinstance(value, _Odd) else value for value in reading)
    if unread and uuid is not None:
        contents.unread[uuid] = f"{layout.STATE}: {'; '.join(unread)}"
    return PositionState._make(reading)


_LEAVES: Final = ((("saveDate",), "time"), *((("stage", axis), "number") for axis in "xyz"))


def _described(value: Mapping[str, object]) -> DescribedArrays:
    return tuple((data_type, read_array(each)) for data_type, each in value.items())


def _describing(data: bytes) -> DescribedArrays | None:
    """What a short and plain `arrays.json` says; any other is read like any document."""
    if len(data) > _DESCRIBING_BYTES:
        return None
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return _described(value) if isinstance(value, dict) else None


_POSITIONS: Final = f"{layout.DATA}/"
_DESCRIPTIONS: Final = 64  # those that are remembered
_DESCRIBING_BYTES: Final = 64 * 1024
_BACKGROUNDS: Final = f"{layout.BACKGROUNDS}/"


class DocumentReader:
    """Reads the documents of one archive after the other, and remembers what they have in common."""

    def __init__(self, limit: int = DOCUMENT_BYTES) -> None:
        self.limit = limit
        stage = [Leaf(("stage", axis), _number_or_odd) for axis in "xyz"]
        self._states = Shapes([Leaf(("saveDate",), _time_or_odd), *stage], read_state)
        self._infos = Shapes([Leaf(("uuid",), None), Leaf(("comment",), text)], _read_info)
        self._arrays: dict[bytes, DescribedArrays] = {}

    def read(
        self,
        contents: Contents,
        documents: Iterable[Document],
        *,
        sxes: bool,
        large: Sequence[tuple[str, int]] = (),
    ) -> Iterator[int]:
        """Read every JSON member; of a generic archive only whether it is readable. Bytes read, block by block.

        `large` are path and size of those that are larger than the limit, and so are not in `documents`.
        """
        self._pass_over(contents, large, sxes=sxes)
        for block in _blocks(documents, self.limit, sxes=sxes):
            self._read_block(contents, block, sxes=sxes)
            yield sum(len(data) for _, data in block)
        if layout.METADATA in contents.texts:
            problem = contents.problems.get(layout.METADATA)
            problem = problem or unread_in(contents.metadata)
            contents.metadata_problem = problem and f"{layout.METADATA}: {problem}"

    def _pass_over(self, contents: Contents, large: Sequence[tuple[str, int]], *, sxes: bool) -> None:
        """List members that are too large to be read."""
        large = [(path, size) for path, size in large if not _is_no_document(path, sxes=sxes)]
        if not large:
            return
        problems = [too_large(size, self.limit) for _, size in large]
        for (path, _), problem in zip(large, problems, strict=True):
            contents.problems[path] = problem or ""
            if path == layout.METADATA:
                contents.metadata_problem = f"{path}: {problem}"
        owners = [owner_of(path) if sxes else _NOBODY for path, _ in large]
        contents.files.add(
            [path for path, _ in large], [size for _, size in large],
            [owner.kind for owner in owners], [owner.id for owner in owners], [None] * len(large), problems,
        )  # fmt: skip
        contents.documents += len(large)
        contents.unreadable += len(large)

    def _read_block(self, contents: Contents, block: Sequence[Document], *, sxes: bool) -> None:
        """Read members of positions in short where they are like others, and parse what is left."""
        owner_ids: list[str | None] = [None] * len(block)
        if sxes:
            self._read_alike(contents, block, owner_ids)
        owners: list[str | None] = ["position"] * len(block)
        texts: list[bytes | str | None] = [data for _, data in block]
        problems: list[str | None] = [None] * len(block)
        for place in [place for place, uuid in enumerate(owner_ids) if uuid is None]:
            path, data = block[place]
            owner = owner_of(path) if sxes else _NOBODY
            owners[place], owner_ids[place] = owner
            texts[place], problems[place] = self._read_other(contents, path, data, owner)
        contents.files.add(
            [path for path, _ in block], [len(data) for _, data in block], owners, owner_ids, texts, problems
        )
        contents.documents += len(block)
        contents.unreadable += len(block) - problems.count(None)

    def _read_alike(self, contents: Contents, block: Sequence[Document], found: list[str | None]) -> None:
        """Read what is like documents that were read before; `found` takes their positions, by place in the block."""
        named = _of_positions(block)
        for place, uuid, reading in _match(self._states, block, named[layout.STATE]):
            contents.states[uuid] = _state(contents, uuid, reading)
            found[place] = uuid
        for place, uuid, reading in _match(self._infos, block, named[layout.INFO]):
            contents.infos[uuid] = Info._make(reading)
            found[place] = uuid
        for place, uuid in named[layout.ARRAYS]:
            described = self._described(block[place][1])
            if described is not None:
                contents.arrays[uuid] = described
                found[place] = uuid

    def _described(self, data: bytes) -> DescribedArrays | None:
        """What an `arrays.json` says; equal bytes, a map's, are parsed once."""
        described = self._arrays.get(data)
        if described is None:
            described = _describing(data)
        if described is not None:
            if len(self._arrays) >= _DESCRIPTIONS:
                self._arrays.clear()
            self._arrays[data] = described
        return described

    def _read_other(self, contents: Contents, path: str, data: bytes, owner: Owner) -> tuple[str | None, str | None]:
        """Parse a member; its text and its problem."""
        needed = parsed_bytes(data)
        keeps_text = owner.kind not in _LISTED and owner.kind not in ("position", "map")
        if keeps_text and needed:
            needed += len(data)
        if needed + contents.parsed_bytes <= PARSED_BYTES:
            text_, value, problem = parse(path, data)
        else:
            text_, value, problem, needed = text_of(data), None, TOO_MANY_VALUES, 0
            keeps_text = False
        if problem is not None:
            contents.problems[path] = problem
        if keeps_text:
            contents.texts[path] = text_
        if owner.kind not in _LISTED:
            contents.parsed_bytes += needed
            self._keep(contents, path, owner, value)
        elif owner.kind is not None and not isinstance(value, dict):
            contents.problems.setdefault(path, _NO_OBJECT)
        return text_, problem

    def _keep(self, contents: Contents, path: str, owner: Owner, value: object) -> None:
        """Put a parsed value where it belongs."""
        name = path.rpartition("/")[2]
        if owner.id is None:
            contents.metadata = value
        elif owner.kind == "condition":
            contents.conditions[owner.id] = value
        elif owner.kind == "raw_condition":
            contents.raw_conditions[owner.id] = value
        elif isinstance(value, dict):
            self._keep_item(contents, owner, owner.id, name, value)
        if not isinstance(value, dict) and (owner.kind != "position" or name in _READ_NAMES):
            problem = contents.problems.setdefault(path, _NO_OBJECT)
            if owner.kind == "position" and name == layout.ARRAYS:
                contents.unread.setdefault(owner.id or "", f"{layout.ARRAYS}: {problem}")

    def _keep_item(self, contents: Contents, owner: Owner, uuid: str, name: str, value: dict[str, object]) -> None:
        """Keep an object that is of a position, an image or a map."""
        if name == layout.STATE:
            states = {"image": contents.image_states, "map": contents.map_states}.get(owner.kind or "", contents.states)
            states[uuid] = _state(contents, uuid if owner.kind == "position" else None, self._states.plain(value))
        elif name == layout.INFO and owner.kind != "map":
            infos = contents.image_infos if owner.kind == "image" else contents.infos
            infos[uuid] = Info._make(self._infos.plain(value))
        elif name == layout.MAP and owner.kind == "map":
            contents.maps[uuid] = read_map(value)
        elif name == layout.ARRAYS and owner.kind == "position":
            contents.arrays[uuid] = _described(value)


def _blocks(documents: Iterable[Document], limit: int, *, sxes: bool) -> Iterator[list[Document]]:
    """The documents by the thousand, or fewer long ones: as `batching.batches`, in half the time."""
    block: list[Document] = []
    room = _BLOCK_BYTES
    for document in documents:
        path, data = document
        size = len(data)
        is_plain = path.startswith(_POSITIONS) and "._" not in path  # as nearly all
        if size > limit or (not is_plain and _is_no_document(path, sxes=sxes)):
            continue
        if block and (size > room or len(block) == _BLOCK):
            yield block
            block, room = [], _BLOCK_BYTES
        block.append(document)
        room -= size
    if block:
        yield block


def _is_no_document(path: str, *, sxes: bool) -> bool:
    """Whether a member only has the suffix: a binary that an old bug saved as .json, or what macOS adds."""
    return is_apple_double(path) or (sxes and path.startswith(_BACKGROUNDS))


_READ_NAMES: Final = frozenset({layout.STATE, layout.INFO, layout.ARRAYS})


_Placed = list[tuple[int, str]]
"""Documents of a block by their places, with the UUIDs of the positions that they describe."""


def _of_positions(block: Sequence[Document]) -> dict[str, _Placed]:
    """By name, each `data/<uuid>/state.json`, `info.json` and `arrays.json` of a block."""
    named: dict[str, _Placed] = {name: [] for name in _READ_NAMES}
    start = len(_POSITIONS)
    for place, (path, _) in enumerate(block):
        if path.startswith(_POSITIONS):
            uuid, slash, name = path[start:].partition("/")
            if slash and name in named:
                named[name].append((place, uuid))
    return named


def _match(shapes: Shapes[Any], block: Sequence[Document], placed: _Placed) -> Iterator[tuple[int, str, Any]]:
    """Place, UUID and reading of each document that can be read in short."""
    texts = [_utf8(data) if len(data) <= _ALIKE_BYTES else "" for place, _ in placed for data in [block[place][1]]]
    for (place, uuid), reading in zip(placed, shapes.match_all(texts), strict=True):
        if reading is not None:
            yield place, uuid, reading


def _utf8(data: bytes) -> str:
    """The text, or none at all where it is in another encoding."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""
