"""One archive's JSON members, read once: what each describes, whether it is readable, and its typed fields."""

from __future__ import annotations

import json
import marshal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from json.scanner import make_scanner
from typing import NamedTuple

import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents import parse as parse_document
from sxeslake.archive.sxes_metadata import InfoFields, StateFields, read_info, read_state
from sxeslake.archive.units import integer, local_time, number, text
from sxeslake.catalog.model import Document

_NO_OBJECT = "not a JSON object"
_PACKED_TOGETHER = 8192
_SHARED_STATES = 65_536  # remembered readings of the part of state.json that positions have in common


class State(NamedTuple):
    """A `state.json`: what differs from position to position, and the rest, which many share."""

    saved_local: datetime | None
    stage_x_mm: float | None
    stage_y_mm: float | None
    stage_z_mm: float | None
    shared: StateFields


class Info(NamedTuple):
    """An `info.json`, with the optional fields that other techniques add."""

    fields: InfoFields
    extra: Mapping[str, object]


class Owner(NamedTuple):
    """What a JSON member describes: `("position", "<uuid>")`; (None, None) for any other file."""

    kind: str | None
    id: str | None


@dataclass(slots=True)
class Files:
    """All JSON members in the order they came, for the table `documents`."""

    paths: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)
    owners: list[Owner] = field(default_factory=list)
    _texts: list[str | None] = field(default_factory=list)
    _packed: list[pa.Array] = field(default_factory=list)

    def add(self, path: str, size: int, text_: str | None, problem: str | None, owner: Owner) -> None:
        """One member. Texts are packed now and then: as Python values 200,000 of them would take 100 MB."""
        self.paths.append(path)
        self.sizes.append(size)
        self.problems.append(problem)
        self.owners.append(owner)
        self._texts.append(text_)
        if len(self._texts) >= _PACKED_TOGETHER:
            self._pack()

    def texts(self) -> pa.ChunkedArray:
        """All texts, in order."""
        self._pack()
        return pa.chunked_array(self._packed, pa.string())

    def forget_texts(self) -> None:
        """Let go of the texts, once they are in a table."""
        self._packed = []

    def _pack(self) -> None:
        self._packed.append(pa.array(self._texts, pa.string()))
        self._texts = []


@dataclass(slots=True)
class Contents:
    """What the JSON members of an archive say; a broken one is named in `files.problems` and otherwise absent."""

    files: Files = field(default_factory=Files)
    metadata: object = None
    metadata_problem: str | None = "metadata.json: missing"
    infos: dict[str, Info] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    image_infos: dict[str, Info] = field(default_factory=dict)
    image_states: dict[str, State] = field(default_factory=dict)
    conditions: dict[str, object] = field(default_factory=dict)
    raw_conditions: dict[str, object] = field(default_factory=dict)
    texts: dict[str, str | None] = field(default_factory=dict)
    """Path of a member that belongs to no position → its text."""
    problems: dict[str, str] = field(default_factory=dict)
    """Path of an unreadable member → why."""


_NOBODY = Owner(None, None)
_FOLDER_OWNERS = {layout.DATA: "position", layout.IMAGES: "image"}
_SHARED_OWNERS = {layout.CONDITIONS: "condition", layout.RAW_CONDITIONS: "raw_condition"}


def owner_of(path: str) -> Owner:
    """`data/<uuid>/state.json` → position and uuid, `conditions/<sha256>.json` → condition and hash."""
    parts = path.split("/")
    if len(parts) == 3 and parts[0] in _FOLDER_OWNERS:
        return Owner(_FOLDER_OWNERS[parts[0]], parts[1])
    if len(parts) == 2 and parts[0] in _SHARED_OWNERS:
        return Owner(_SHARED_OWNERS[parts[0]], layout.shared_digest(path))
    return Owner("archive", None) if path == layout.METADATA else _NOBODY


def read_documents(documents: Iterable[Document], *, sxes: bool) -> Contents:
    """Read every JSON member; of a generic archive only whether it is readable."""
    contents = Contents()
    files = contents.files
    reader = _StateReader()
    for path, data in documents:
        if sxes and path.startswith(f"{layout.BACKGROUNDS}/"):
            continue  # binaries, also those that an old bug saved with the suffix .json
        text_, value, problem = parse(path, data)
        owner = owner_of(path) if sxes else _NOBODY
        files.add(path, len(data), text_, problem, owner)
        if problem is not None:
            contents.problems[path] = problem
        if owner.kind is not None:
            _keep(contents, reader, path, owner, text_, value)
    if layout.METADATA in contents.texts:
        problem = contents.problems.get(layout.METADATA)
        contents.metadata_problem = problem and f"{layout.METADATA}: {problem}"
    return contents


_scan = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # its stub wants itself


def parse(path: str, data: bytes) -> tuple[str | None, object, str | None]:
    """Text, value and problem of a JSON member; a text in a legacy encoding may still have values.

    The bare scanner takes a third of the time of `json.loads`; what it does not take whole goes the long way.
    """
    try:
        text_ = data.decode()
        value, end = _scan(text_, 0)
        if end == len(text_):
            return text_, value, None
    except (ValueError, StopIteration, RecursionError):
        pass
    document = parse_document(path, data)
    return text_of(data), document.value, document.problem


def text_of(data: bytes) -> str | None:
    """The text of a JSON file, None where it is no Unicode text."""
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return None


def _keep(contents: Contents, reader: _StateReader, path: str, owner: Owner, text_: str | None, value: object) -> None:
    """Put a member's value where it belongs."""
    name = path.rpartition("/")[2]
    if owner.id is None:
        contents.metadata = value
    elif owner.kind == "condition":
        contents.conditions[owner.id] = value
    elif owner.kind == "raw_condition":
        contents.raw_conditions[owner.id] = value
    elif isinstance(value, dict):
        infos, states = contents.infos, contents.states
        if owner.kind == "image":
            infos, states = contents.image_infos, contents.image_states
        if name == layout.STATE:
            states[owner.id] = reader.read(value)
        elif name == layout.INFO:
            infos[owner.id] = read_info_file(value)
    if owner.kind != "position":
        contents.texts[path] = text_
    if not isinstance(value, dict) and (owner.kind != "position" or name in _READ_NAMES):
        contents.problems.setdefault(path, _NO_OBJECT)


_READ_NAMES = frozenset({layout.STATE, layout.INFO})


_HASHES = ("conditionUuid", "rawConditionUuid", "rawCondtionUuid", "backgroundUuid")


def read_info_file(value: dict[str, object]) -> Info:
    """Typed fields of an `info.json`; hashes that many positions name are kept once."""
    for key in _HASHES:
        if type(named := value.get(key)) is str:
            value[key] = sys.intern(named)
    if _EXTRA.isdisjoint(value):
        return Info(read_info(value), _NO_EXTRA)
    return Info(read_info(value), {key: value[key] for key in _EXTRA if key in value})


_EXTRA = frozenset({"technique", "element", "line", "crystal", "order", "exposure", "backgroundCorrected"})
_NO_EXTRA: Mapping[str, object] = {}


class _StateReader:
    """Reads states; the beam and camera part, equal in most positions of a map, is read once for all of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, StateFields] = {}

    def read(self, state: dict[str, object]) -> State:
        """Read a state; the mapping is taken apart."""
        saved = state.pop("saveDate", None)
        stage = state.get("stage")
        place = (stage.pop("x", None), stage.pop("y", None), stage.pop("z", None)) if isinstance(stage, dict) else _OFF
        key = marshal.dumps(state, _PLAIN_MARSHAL)  # unlike a hash of the values, it tells True from 1
        shared = self._known.get(key)
        if shared is None:
            shared = read_state(state)
            if len(self._known) < _SHARED_STATES:
                self._known[key] = shared
        x, y, z = place
        return State(local_time(saved), _number(x), _number(y), _number(z), shared)


def _number(value: object) -> float | None:
    """`units.number`, with a short way for what a stage coordinate nearly always is: a finite float."""
    return value if type(value) is float and value - value == 0 else number(value)


_OFF = (None, None, None)
_PLAIN_MARSHAL = 2  # later versions write references, so that equal values differ in bytes


def extra_text(info: Info, name: str) -> str | None:
    """An optional text of an `info.json`: `crystal` → `TAP`."""
    return text(info.extra.get(name))


def extra_number(info: Info, name: str) -> float | None:
    """An optional number of an `info.json`."""
    return number(info.extra.get(name))


def extra_integer(info: Info, name: str) -> int | None:
    """An optional whole number of an `info.json`."""
    return integer(info.extra.get(name))
