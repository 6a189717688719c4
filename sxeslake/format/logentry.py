"""A log entry: one commit. JSON whose first field is the BLAKE3 of everything behind it.

    {"blake3":"<64 hexadecimal digits>","format":1,"number":12,"previous":"<hash of entry 11>",…}

The hash is taken over the bytes from offset `HASHED_FROM` to the end: nothing has to be brought into a canonical
form to prove it. Lists that would make an entry longer than `MAX_ENTRY_BYTES` go to a body object that is uploaded
first and named by the hash of its bytes; it holds the transaction's uuid, and so no name is ever used twice.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple, TypeVar

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, InputError, ReadOnlyError, UsageError
from sxeslake.format import calibration
from sxeslake.format.keys import check_digest, check_id
from sxeslake.format.lakefile import FORMAT, HASH_PREFIX, HASHED_FROM, is_proved, sealed
from sxeslake.model import MIB

MAX_ENTRY_BYTES = 1 * MIB
MAX_BODY_BYTES = 256 * MIB
MAX_INLINE_CHARS = 64 * 1024  # of a recipe in an entry, in base64
MAX_NAME_CHARS = 512
MAX_VERSION = 2**53 - 1
MAX_NESTING = 16  # of objects and lists within an item
_TOO_MUCH = 2**63
_MAX_GROUPS = 2**31  # of a manifest: Parquet counts them in 32 bits
_YEARS = range(1970, 10_000)
_UNFIT = re.compile(r"[\x00-\x1f\x7f@\ud800-\udfff]")  # `@` parts a name from its version; lone surrogates are no text
UNFIT_NEW = re.compile(r"[\x00-\x1f\x7f-\x9f@\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NO_NUMBER = False  # stands for a number that no field takes: too long, or not finite
BODY_HEAD_BYTES = 128
_BODY_HEAD = re.compile(rb'\{"transaction":"[0-9A-Za-z-]{1,64}","number":([0-9]{1,18})[,}]')


_WRONG = (
    DamagedLakeError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError,
)  # fmt: skip
T = TypeVar("T")


class Void(NamedTuple):
    """A part of an entry that breaks a rule: every reader passes it over, and the rest of the entry counts."""

    what: str  # `archives[3]`, `time`
    why: str
    field: str = ""  # of an item that can be read: where it stands in the `Entry`
    at: int = -1


@dataclass(frozen=True, slots=True)
class PackAdded:
    """A pack that a commit adds."""

    id: str
    kind: str  # "json" or "array"
    bytes: int
    footer_bytes: int
    blobs: int
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class ManifestAdded:
    """A manifest that a commit adds; the hashes are what partial and whole reads are proved by."""

    id: str
    bytes: int
    footer_bytes: int
    blake3: str
    footer_blake3: str


@dataclass(frozen=True, slots=True)
class ArchiveAdded:
    """An archive version that a commit adds; `needs` are the ids of the packs that hold its blobs."""

    sample: str
    version: int
    manifest: str
    first_group: int
    groups: int
    rows: int
    content_id: str
    layout_id: str
    kind: str
    members: int
    bytes_source: int
    bytes_raw: int
    blobs: int
    blobs_new: int
    bytes_stored: int
    source: Mapping[str, Any]
    analyses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    comment: str = ""  # the container's own comment, in hexadecimal
    origin: Mapping[str, Any] = field(default_factory=dict)  # of a copy: who stored it where it comes from, and when
    recipe: Mapping[str, Any] = field(default_factory=dict)  # how the original file is rebuilt, or `reason`: why not


@dataclass(frozen=True, slots=True)
class Moved:
    """A version whose member table was rewritten: where it stands from here on, and the packs that it needs."""

    sample: str
    version: int
    manifest: str
    first_group: int
    groups: int
    rows: int
    needs: tuple[str, ...] = ()
    recipe: Mapping[str, Any] | None = None  # None: as it was


@dataclass(frozen=True, slots=True)
class Entry:
    """What one commit did."""

    number: int
    previous: str | None
    transaction: str
    time: str
    who: str
    host: str
    tool: str
    message: str | None = None
    packs: tuple[PackAdded, ...] = ()
    manifests: tuple[ManifestAdded, ...] = ()
    archives: tuple[ArchiveAdded, ...] = ()
    forgotten: tuple[tuple[str, int], ...] = ()
    restored: tuple[tuple[str, int], ...] = ()
    collected: tuple[tuple[str, int], ...] = ()
    condemned_packs: tuple[str, ...] = ()
    condemned_manifests: tuple[str, ...] = ()
    replaced: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # condemned pack → packs that took its blobs
    moved: tuple[Moved, ...] = ()
    tags: tuple[Mapping[str, Any], ...] = ()  # {"sample","version","tag","action":"add|remove","kind":"tag|hold"}
    annotations: tuple[Mapping[str, Any], ...] = ()  # {"sample","version","target","uuid","key","value"}
    paths: tuple[Mapping[str, Any], ...] = ()  # {"sample","version","path","host","name","modified_ns"}
    calibrations: tuple[Mapping[str, Any], ...] = ()  # {"id","calibration"}; without a calibration it is taken back
    stands_for: str | None = None  # the hash of a lost entry whose place this one takes: what the next one names
    settled: tuple[int, ...] = ()  # entries whose void items a repair has dealt with
    format: int = FORMAT
    void: tuple[Void, ...] = ()  # what could not be read of it; never written

    def referenced(self) -> tuple[set[str], set[str]]:
        """Every pack and every manifest that this entry needs to be alive."""
        tables: tuple[ArchiveAdded | Moved, ...] = (*self.archives, *self.moved)
        packs = {pack.id for pack in self.packs} | {pack for table in tables for pack in table.needs}
        packs |= {pack for replacements in self.replaced.values() for pack in replacements}
        return packs, {manifest.id for manifest in self.manifests} | {table.manifest for table in tables}


_LONG = (
    "pack_ids", "packs", "manifests", "archives", "forgotten", "restored", "collected", "condemned_packs",
    "condemned_manifests", "replaced", "moved", "tags", "annotations", "paths",
    "calibrations",
)  # fmt: skip


def dump(entry: Entry) -> tuple[bytes, tuple[str, bytes] | None]:
    """The entry's bytes, and its body (hash, bytes) where the entry alone would be too long."""
    values = {key: value for key, value in _plain(entry).items() if value not in (None, [], {})}
    data = _sealed(values)
    if len(data) <= MAX_ENTRY_BYTES:
        return data, None
    long = {key: values.pop(key) for key in _LONG if key in values}
    # With its number a body belongs to one entry for ever: once that entry is there and names another, it is waste.
    head = {"transaction": entry.transaction, "number": entry.number}
    body = json.dumps({**head, **long}, separators=(",", ":"), ensure_ascii=False).encode()
    digest = blake3(body).hexdigest()
    data = _sealed({**values, "body": {"blake3": digest, "bytes": len(body)}})
    if len(data) > MAX_ENTRY_BYTES:
        raise InputError("the message of this commit is longer than a log entry may be.", hint="Say it in fewer words.")
    return data, (digest, body)


def _plain(entry: Entry) -> dict[str, Any]:
    values = {item.name: getattr(entry, item.name) for item in fields(entry) if item.name != "void"}
    tables: tuple[ArchiveAdded | Moved, ...] = (*entry.archives, *entry.moved)
    packs = sorted({pack for table in tables for pack in table.needs})
    number = {pack: index for index, pack in enumerate(packs)}
    values["pack_ids"] = packs
    values["packs"] = [plain(pack) for pack in entry.packs]
    values["manifests"] = [plain(manifest) for manifest in entry.manifests]
    values["archives"] = [_with_places(archive, number) for archive in entry.archives]
    values["moved"] = [_with_places(moved, number) for moved in entry.moved]
    lists = ("forgotten", "restored", "collected", "condemned_packs", "condemned_manifests")
    for key in (*lists, "tags", "annotations", "paths", "calibrations", "settled"):
        values[key] = list(values[key])
    values["replaced"] = {old: list(new) for old, new in entry.replaced.items()}
    return values


def plain(item: PackAdded | ManifestAdded | ArchiveAdded | Moved) -> dict[str, Any]:
    """The fields by name. As `asdict`, which copies all that is in them: a third of the time of a commit."""
    return {name: getattr(item, name) for name in item.__slots__}


def _with_places(table: ArchiveAdded | Moved, number: Mapping[str, int]) -> dict[str, Any]:
    values = {**plain(table), "needs": [number[pack] for pack in table.needs]}
    for key in ("origin", "recipe"):
        if not values.get(key):
            values.pop(key, None)
    return values


def _sealed(values: Mapping[str, Any]) -> bytes:
    ordered = {"format": values["format"], **values}
    return sealed(json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode())


def digest_of(data: bytes, *, where: str) -> str:
    """The entry's own hash, after it has been proved."""
    if not is_proved(data):
        raise DamagedLakeError("a log entry does not agree with its hash.", where=where)
    return data[len(HASH_PREFIX) : HASHED_FROM].decode()


def body_of(data: bytes, *, where: str) -> tuple[str, int] | None:
    """Hash and length of the entry's body object, if it has one."""
    try:
        raw = _json(data)
        if raw.get("body") is None:
            return None
        digest, size = check_digest(raw["body"]["blake3"]), int(raw["body"]["bytes"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedLakeError(f"a log entry cannot be read: {error}.", where=where) from error
    if not 0 <= size <= MAX_BODY_BYTES:
        raise DamagedLakeError(f"a log entry claims a body of {size} bytes.", where=where)
    return digest, size


def number_of_body(start: bytes) -> int | None:
    """The number of the only entry that can ever name a body, from the body's first `BODY_HEAD_BYTES`."""
    match = _BODY_HEAD.match(start)
    return None if match is None else int(match[1])


def load(data: bytes, body: bytes | None = None, *, where: str) -> Entry:
    """Read an entry that its hash proves.

    A part of it that is wrong is in `void`, and the rest counts; unknown fields are passed over. Only where nothing
    can be made of it, the bytes are damage: no JSON object, no number, a body that is missing.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise DamagedLakeError("a log entry is longer than entries may be.", where=where)
    own = digest_of(data, where=where)
    try:
        raw = _json(data)
        if is_later(raw.get("format")):
            raise ReadOnlyError(
                f"this log entry has format {raw['format']}.", where=where, hint="Install a newer sxeslake."
            )
        odd = any(mark in part for part in (data, body or b"") for mark in (b"\\u", b"\xed"))
        if raw.get("body") is not None or body is not None:
            if body is None:
                raise DamagedLakeError("the body of a log entry is missing.", where=where)
            if blake3(body).hexdigest() != raw["body"]["blake3"]:
                raise DamagedLakeError("the body of a log entry does not agree with its hash.", where=where)
            inner = _json(body)
            if inner["transaction"] != raw["transaction"]:
                raise DamagedLakeError("the body of a log entry belongs to another transaction.", where=where)
            raw.update({key: inner[key] for key in _LONG if key in inner})  # never the number or the hash before
        return _Reading(raw, odd=odd).entry()
    except DamagedLakeError as error:  # an id that is none
        raise DamagedLakeError(error.what, where=where, hint=error.hint) from error
    except _WRONG as error:
        raise DamagedLakeError(f"log entry {own[:12]} cannot be read: {error}.", where=where) from error


def is_later(number: object) -> bool:
    """Whether this is the number of a format that came after this one."""
    return isinstance(number, int | float) and not isinstance(number, bool) and FORMAT < number < _TOO_MUCH


def _json(data: bytes) -> dict[str, Any]:
    """A JSON object; numbers that no field takes are `_NO_NUMBER`, so that they spoil no more than their item."""
    text = data.decode(errors="surrogatepass")
    try:
        raw = _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of thousands of digits
        raw = _SLOW_DECODER.decode(text)
    if not isinstance(raw, dict):
        raise ValueError("it is not a JSON object")
    return raw


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= 20 else _NO_NUMBER


def _float(digits: str) -> float:
    value = float(digits)
    return value if isfinite(value) else _NO_NUMBER


_DECODER = json.JSONDecoder(parse_float=_float, parse_constant=lambda _: _NO_NUMBER)
_SLOW_DECODER = json.JSONDecoder(parse_float=_float, parse_constant=lambda _: _NO_NUMBER, parse_int=_integer)


def is_time(text: str) -> bool:
    """Whether a text is a moment from 1970 to 9999: `2026-11-23T02:34:57Z`, also with an offset."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is None else found.astimezone(UTC)).year in _YEARS
    except (ValueError, OverflowError):
        return False


def is_sample_name(name: str) -> bool:
    """Whether a sample can be called that: names become paths when archives are written out."""
    parts = name.split("/")
    return bool(name) and len(name) <= MAX_NAME_CHARS and not _UNFIT.search(name) and not {"", ".", ".."} & set(parts)


def check_name(name: str) -> str:
    """`name`, if a new sample can be called that: no character that steers a terminal, which old names may have."""
    if not is_sample_name(name) or UNFIT_NEW.search(name):
        raise UsageError(
            f"{name!r} cannot be the name of a sample.",
            hint="Use letters, digits, spaces, `/` between parts; no `@`, no `..`, no control characters.",
        )
    return name


class _Reading:
    """An entry out of JSON: each part by itself, so that one that is wrong spoils no other."""

    def __init__(self, raw: Mapping[str, Any], *, odd: bool) -> None:
        self._raw, self._odd = raw, odd  # `odd`: there may be half a character
        self._void: list[Void] = []
        self._pack_ids: list[Any] = []

    def entry(self) -> Entry:
        """The entry; only a number or a hash before that is none ends the reading."""
        raw = self._raw
        previous = raw.get("previous")
        number = _count(raw["number"])
        listed = raw.get("pack_ids")
        self._pack_ids = listed if isinstance(listed, list) else []
        made = Entry(
            number=number,
            previous=None if previous is None else check_digest(previous),
            transaction=self._text("transaction"),
            time=self._text("time", _time),
            who=self._text("who"),
            host=self._text("host"),
            tool=self._text("tool"),
            message=self._optional("message", _text),
            packs=self._each("packs", lambda item: PackAdded(**_object(PackAdded, item))),
            manifests=self._each("manifests", lambda item: ManifestAdded(**_object(ManifestAdded, item))),
            archives=self._each("archives", lambda item: _archive(item, self._pack_ids)),
            forgotten=self._each("forgotten", _named),
            restored=self._each("restored", _named),
            collected=self._each("collected", _named),
            condemned_packs=self._each("condemned_packs", check_id),
            condemned_manifests=self._each("condemned_manifests", check_id),
            replaced=dict(self._each("replaced", _replaced, dict)),
            moved=self._each("moved", lambda item: _moved(item, self._pack_ids)),
            tags=self._each("tags", _tag),
            annotations=self._each("annotations", _annotation),
            paths=self._each("paths", _path),
            calibrations=self._each("calibrations", calibration.check_item),
            stands_for=self._optional("stands_for", check_digest),
            settled=self._each("settled", _count),
        )
        if type(raw.get("format")) is not int or raw["format"] != FORMAT:
            self._void.append(Void("format", f"{_shown(raw.get('format'))} is not a format version"))
        if not self._void:
            return made
        return replace(made, void=tuple(self._void))

    def _text(self, key: str, read: Callable[[Any], str] | None = None) -> str:
        try:
            return (read or _text)(self._raw[key])
        except _WRONG as error:
            self._void.append(Void(key, _reason(error)))
            return ""

    def _optional(self, key: str, read: Callable[[Any], T]) -> T | None:
        value = self._raw.get(key)
        try:
            return None if value is None else read(value)
        except _WRONG as error:
            self._void.append(Void(key, _reason(error)))
            return None

    def _each(
        self, key: str, read: Callable[[Any], T], kind: type[list[Any]] | type[dict[str, Any]] = list
    ) -> tuple[T, ...]:
        items = self._raw.get(key)
        if items is not None and not isinstance(items, kind):
            self._void.append(Void(key, "it is not " + ("an object" if kind is dict else "a list")))
            return ()
        found: list[T] = []
        for place, item in enumerate(items.items() if isinstance(items, dict) else items or ()):
            try:
                _check_nesting(item, MAX_NESTING)
                if self._odd:
                    json.dumps(item, ensure_ascii=False).encode()  # a lone surrogate is in no database and no file name
                found.append(read(item))
            except _WRONG as error:
                self._void.append(Void(f"{key}[{place}]", _reason(error)))
        return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return (error.what if isinstance(error, DamagedLakeError) else str(error)).rstrip(".")


def _shown(value: object) -> str:
    """A value in few words: it can be as long as an entry."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _check_nesting(value: Any, levels: int) -> None:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    if not levels:
        raise ValueError("it nests too deeply")
    for item in value:
        if isinstance(item, dict | list):
            _check_nesting(item, levels - 1)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not text")
    value.encode()  # half a character that an escape stands for
    return value


def _time(value: Any) -> str:
    if not is_time(_text(value)):
        raise ValueError(f"{_shown(value)} is not a time")
    return str(value)


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    value = item.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")
    return value


def _places(item: Mapping[str, Any], pack_ids: list[Any]) -> tuple[str, ...]:
    places = _list(item, "needs")
    if any(type(place) is not int or not 0 <= place < len(pack_ids) for place in places):
        raise ValueError("needs names a place that is not in pack_ids")
    return tuple(check_id(pack_ids[place]) for place in places)


def _archive(item: Mapping[str, Any], pack_ids: list[Any]) -> ArchiveAdded:
    known = _known(ArchiveAdded, item)
    known["needs"] = _places(item, pack_ids)
    known["analyses"], known["warnings"] = _words(item, "analyses"), _words(item, "warnings")
    known["source"] = _source(known["source"])
    known["origin"] = _origin(item.get("origin", {}))
    known["recipe"] = _recipe(item.get("recipe", {}))
    _check_place(known)
    bytes.fromhex(known.get("comment", ""))
    if not is_sample_name(known["sample"]):
        raise ValueError(f"{_shown(known['sample'])} is not a sample name")
    if not 1 <= known["version"] <= MAX_VERSION:
        raise ValueError(f"{known['version']} is not a version number")
    return ArchiveAdded(**known)


def _check_place(known: Mapping[str, Any]) -> None:
    check_id(known["manifest"])
    if known["first_group"] + known["groups"] > _MAX_GROUPS:
        raise ValueError("its row groups are more than a manifest can have")


def _named(item: Any) -> tuple[str, int]:
    if not isinstance(item, list) or len(item) != 2:
        raise ValueError(f"{_shown(item)} is not a name and number")
    return _text(item[0]), _count(item[1])


def _replaced(item: tuple[Any, Any]) -> tuple[str, tuple[str, ...]]:
    old, new = item
    if not isinstance(new, list):
        raise ValueError(f"{_shown(new)} is not a list of packs")
    return check_id(old), tuple(check_id(pack) for pack in new)


def _count(value: Any) -> int:
    """`value`, if it is a number from 0 on that a database holds."""
    if type(value) is not int or not 0 <= value < _TOO_MUCH:
        raise ValueError(f"{_shown(value)} is not a number")
    return value


def _words(item: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(_text(word) for word in _list(item, key))


def _source(raw: Any) -> dict[str, Any]:
    """Where an archive came from; fields that are unknown here are kept as they are."""
    known = _dict(raw, "source")
    for key in ("path", "host", "name", "container", "sha256"):
        if not isinstance(known.get(key), str | None):
            raise ValueError(f"the source's {key} is {_shown(known[key])}")
    _count(known.get("size", 0))
    _signed(known.get("modified_ns", 0), "the source's modified_ns")
    return known


def _origin(raw: Any) -> dict[str, str | None]:
    known = {key: None if value is None else _text(value) for key, value in _dict(raw, "origin").items()}
    if known.get("time") and not is_time(str(known["time"])):
        del known["time"]
    return known


def _dict(raw: Any, what: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ValueError(f"{what} is {_shown(raw)}")
    return dict(raw)


def _recipe(raw: Any) -> dict[str, Any]:
    """`{"blobs": [[BLAKE3, bytes, pack, frame offset, frame length, blob offset], …], …}` or `{"reason": "…"}`."""
    known = _dict(raw, "recipe")
    for digest, size, pack, *place in _list(known, "blobs"):
        check_digest(digest)
        check_id(pack)
        if len([_count(value) for value in (size, *place)]) != 4:
            raise ValueError("a recipe's blob has no location")
    inline = known.get("inline", "")
    if not isinstance(inline, str) or len(inline) > MAX_INLINE_CHARS:
        raise ValueError("a recipe in the log is not text, or too long")
    b64decode(inline, validate=True)
    if not isinstance(known.get("reason"), str | None):
        raise ValueError("a recipe's reason is not text")
    return known


def _moved(item: Mapping[str, Any], pack_ids: list[Any]) -> Moved:
    known = _known(Moved, item)
    known["needs"] = _places(item, pack_ids)
    _check_place(known)
    known["recipe"] = None if item.get("recipe") is None else _recipe(item["recipe"])
    return Moved(**known)


def _tag(raw: Any) -> dict[str, Any]:
    known = _dict(raw, "a mark")
    _text(known["sample"])
    _text(known["tag"])
    _text(known.get("kind", "tag"))
    if known.get("action") not in ("add", "remove"):
        raise ValueError(f"{_shown(known.get('action'))} is nothing that is done to a mark")
    if known["action"] == "add" or known.get("version") is not None:
        _count(known["version"])
    return known


def _annotation(raw: Any) -> dict[str, Any]:
    """An annotation of a sample, an analysis or a position; no version means all of them, no value takes it back."""
    raw = _dict(raw, "an annotation")
    known = {key: raw.get(key) for key in ("sample", "version", "target", "uuid", "key", "value")}
    if known["version"] is not None:
        _count(known["version"])
    for key in ("sample", "target", "key"):
        if not isinstance(known[key], str):
            raise ValueError(f"an annotation's {key} is {known[key]!r}")
    for key in ("uuid", "value"):
        if not isinstance(known[key], str | None):
            raise ValueError(f"an annotation's {key} is {known[key]!r}")
    return {**raw, **known}


def _path(raw: Any) -> dict[str, Any]:
    """Another path at which the file of a version was found; `place` only where another entry than this counts."""
    known = _dict(raw, "a path")
    for key in ("sample", "path", "host", "name"):
        _text(known[key])
    _count(known["version"])
    _signed(known["modified_ns"], "a path's modified_ns")
    if known.get("place") is not None:
        _count(known["place"])
    for key in ("who", "time"):
        if known.get(key) is not None:
            (_time if key == "time" else _text)(known[key])
    return known


def _signed(value: Any, what: str) -> None:
    if type(value) is not int or not -_TOO_MUCH <= value < _TOO_MUCH:
        raise ValueError(f"{what} is {_shown(value)}")


def _object(kind: type[Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a pack or a manifest; its footer is a part of it."""
    known = _known(kind, item)
    check_id(known["id"])
    if not 0 < known["footer_bytes"] <= known["bytes"]:
        raise ValueError(f"a footer of {known['footer_bytes']} bytes in an object of {known['bytes']}")
    return known


def _known(kind: type[Any], raw: Any) -> dict[str, Any]:
    """The fields of an item that this version knows, of the types that it expects."""
    item = _dict(raw, "the item")
    plain = {"str": str, "int": int}
    known = {}
    for spec in fields(kind):
        if spec.name in item:
            value = item[spec.name]
            wanted = plain.get(str(spec.type))
            if wanted is not None and type(value) is not wanted:
                raise ValueError(f"{spec.name} is {_shown(value)}")
            if wanted is int:
                _count(value)
            known[spec.name] = value
        elif spec.default is MISSING and spec.default_factory is MISSING:
            raise KeyError(spec.name)
    return known
