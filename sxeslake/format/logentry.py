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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, InputError, ReadOnlyError
from sxeslake.format.keys import check_digest, check_id
from sxeslake.format.lakefile import FORMAT, HASH_PREFIX, HASHED_FROM, is_proved, sealed
from sxeslake.model import MIB

MAX_ENTRY_BYTES = 1 * MIB
MAX_BODY_BYTES = 256 * MIB
MAX_INLINE_CHARS = 64 * 1024  # of a recipe in an entry, in base64
_TOO_MUCH = 2**63
BODY_HEAD_BYTES = 128
_BODY_HEAD = re.compile(rb'\{"transaction":"[0-9A-Za-z-]{1,64}","number":([0-9]{1,18})[,}]')


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
    recipe: Mapping[str, Any] = field(default_factory=dict)  # how the very file is made again, or `reason`: why not


@dataclass(frozen=True, slots=True)
class Moved:
    """A version whose member table was written anew: where it stands from here on, and the packs that it needs."""

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
    stands_for: str | None = None  # the hash of a lost entry whose place this one takes: what the next one names
    format: int = FORMAT

    def referenced(self) -> tuple[set[str], set[str]]:
        """Every pack and every manifest that this entry needs to be alive."""
        tables: tuple[ArchiveAdded | Moved, ...] = (*self.archives, *self.moved)
        packs = {pack.id for pack in self.packs} | {pack for table in tables for pack in table.needs}
        packs |= {pack for replacements in self.replaced.values() for pack in replacements}
        return packs, {manifest.id for manifest in self.manifests} | {table.manifest for table in tables}


_LONG = (
    "pack_ids", "packs", "manifests", "archives", "forgotten", "restored", "collected", "condemned_packs",
    "condemned_manifests", "replaced", "moved", "tags", "annotations",
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
    values = {item.name: getattr(entry, item.name) for item in fields(entry)}
    tables: tuple[ArchiveAdded | Moved, ...] = (*entry.archives, *entry.moved)
    packs = sorted({pack for table in tables for pack in table.needs})
    number = {pack: index for index, pack in enumerate(packs)}
    values["pack_ids"] = packs
    values["packs"] = [asdict(pack) for pack in entry.packs]
    values["manifests"] = [asdict(manifest) for manifest in entry.manifests]
    values["archives"] = [_with_places(archive, number) for archive in entry.archives]
    values["moved"] = [_with_places(moved, number) for moved in entry.moved]
    for key in ("forgotten", "restored", "collected", "condemned_packs", "condemned_manifests", "tags", "annotations"):
        values[key] = list(values[key])
    values["replaced"] = {old: list(new) for old, new in entry.replaced.items()}
    return values


def _with_places(table: ArchiveAdded | Moved, number: Mapping[str, int]) -> dict[str, Any]:
    values = {**asdict(table), "needs": [number[pack] for pack in table.needs]}
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
        raw = json.loads(data)
        if "body" not in raw:
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
    """Read an entry; hostile values are refused here, unknown fields are passed over."""
    if len(data) > MAX_ENTRY_BYTES:
        raise DamagedLakeError("a log entry is longer than entries may be.", where=where)
    own = digest_of(data, where=where)
    try:
        raw = _json(data)
        if int(raw["format"]) > FORMAT:
            raise ReadOnlyError(
                f"this log entry has format {raw['format']}.", where=where, hint="Install a newer sxeslake."
            )
        if "body" in raw or body is not None:
            if body is None:
                raise DamagedLakeError("the body of a log entry is missing.", where=where)
            if blake3(body).hexdigest() != raw["body"]["blake3"]:
                raise DamagedLakeError("the body of a log entry does not agree with its hash.", where=where)
            inner = _json(body)
            if inner.pop("transaction") != raw["transaction"]:
                raise DamagedLakeError("the body of a log entry belongs to another transaction.", where=where)
            raw.update({key: inner[key] for key in _LONG if key in inner})  # never the number or the hash before
        return _entry(raw)
    except DamagedLakeError as error:  # an id that is none
        raise DamagedLakeError(error.what, where=where, hint=error.hint) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise DamagedLakeError(f"log entry {own[:12]} cannot be read: {error}.", where=where) from error


def _json(data: bytes) -> Any:
    """JSON whose strings are text: a lone surrogate, which JSON can escape, is in no database and no file name."""
    raw = json.loads(data)
    if b"\\u" in data:
        json.dumps(raw, ensure_ascii=False).encode()
    return raw


def _entry(raw: Mapping[str, Any]) -> Entry:
    pack_ids = [check_id(pack) for pack in raw.get("pack_ids", ())]
    archives = []
    for item in raw.get("archives", ()):
        known = _known(ArchiveAdded, item)
        known["needs"] = tuple(pack_ids[index] for index in item.get("needs", ()))
        known["analyses"], known["warnings"] = _words(item, "analyses"), _words(item, "warnings")
        known["source"] = _source(known["source"])
        known["origin"] = _origin(item.get("origin", {}))
        known["recipe"] = _recipe(item.get("recipe", {}))
        check_id(known["manifest"])
        bytes.fromhex(known.get("comment", ""))
        archives.append(ArchiveAdded(**known))
    previous, stands_for = raw.get("previous"), raw.get("stands_for")
    return Entry(
        number=_count(raw["number"]),
        previous=None if previous is None else check_digest(previous),
        transaction=str(raw["transaction"]),
        time=str(raw["time"]),
        who=str(raw["who"]),
        host=str(raw["host"]),
        tool=str(raw["tool"]),
        message=None if raw.get("message") is None else str(raw["message"]),
        packs=tuple(PackAdded(**_object(PackAdded, item)) for item in raw.get("packs", ())),
        manifests=tuple(ManifestAdded(**_object(ManifestAdded, item)) for item in raw.get("manifests", ())),
        archives=tuple(archives),
        forgotten=_versions(raw, "forgotten"),
        restored=_versions(raw, "restored"),
        collected=_versions(raw, "collected"),
        condemned_packs=tuple(check_id(pack) for pack in raw.get("condemned_packs", ())),
        condemned_manifests=tuple(check_id(manifest) for manifest in raw.get("condemned_manifests", ())),
        replaced={check_id(old): tuple(check_id(pack) for pack in new) for old, new in raw.get("replaced", {}).items()},
        moved=tuple(_moved(item, pack_ids) for item in raw.get("moved", ())),
        tags=tuple(_tag(tag) for tag in raw.get("tags", ())),
        annotations=tuple(_annotation(annotation) for annotation in raw.get("annotations", ())),
        stands_for=None if stands_for is None else check_digest(stands_for),
        format=int(raw["format"]),
    )


def _versions(raw: Mapping[str, Any], key: str) -> tuple[tuple[str, int], ...]:
    return tuple((str(sample), _count(version)) for sample, version in raw.get(key, ()))


def _count(value: Any) -> int:
    """`value`, if it is a number from 0 on that a database holds."""
    if type(value) is not int or not 0 <= value < _TOO_MUCH:
        raise ValueError(f"{value!r} is no number")
    return value


def _words(item: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(word) for word in item.get(key, ()))


def _source(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Where an archive came from; fields that are unknown here are kept as they are."""
    known = dict(raw)
    for key in ("path", "host", "name", "container", "sha256"):
        if not isinstance(known.get(key), str | None):
            raise ValueError(f"the source's {key} is {known[key]!r}")
    for key in ("size", "modified_ns"):
        if type(known.get(key, 0)) is not int:
            raise ValueError(f"the source's {key} is {known[key]!r}")
    return known


def _origin(raw: Mapping[str, Any]) -> dict[str, str | None]:
    return {str(key): None if value is None else str(value) for key, value in raw.items()}


def _recipe(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`{"blobs": [[BLAKE3, bytes, pack, frame offset, frame length, blob offset], …], …}` or `{"reason": "…"}`."""
    known = dict(raw)
    for digest, size, pack, *place in known.get("blobs", ()):
        check_digest(digest)
        check_id(pack)
        if len([_count(value) for value in (size, *place)]) != 4:
            raise ValueError("a recipe's blob stands in no place")
    inline = known.get("inline", "")
    if not isinstance(inline, str) or len(inline) > MAX_INLINE_CHARS:
        raise ValueError("a recipe in the log is no text, or too long")
    b64decode(inline, validate=True)
    if not isinstance(known.get("reason"), str | None):
        raise ValueError("a recipe's reason is no text")
    return known


def _moved(item: Mapping[str, Any], pack_ids: list[str]) -> Moved:
    known = _known(Moved, item)
    known["needs"] = tuple(pack_ids[index] for index in item.get("needs", ()))
    check_id(known["manifest"])
    known["recipe"] = None if item.get("recipe") is None else _recipe(item["recipe"])
    return Moved(**known)


def _tag(raw: Mapping[str, Any]) -> dict[str, Any]:
    known = dict(raw)
    known["sample"], known["tag"] = str(known["sample"]), str(known["tag"])
    if not isinstance(known.get("kind", "tag"), str):
        raise ValueError(f"a mark of kind {known['kind']!r}")
    if known.get("action") != "remove":
        known["version"] = _count(known["version"])
    return known


def _annotation(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of a sample, an analysis or a position; no version means all of them, no value takes it back."""
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


def _object(kind: type[Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a pack or a manifest; its footer is a part of it."""
    known = _known(kind, item)
    check_id(known["id"])
    if not 0 < known["footer_bytes"] <= known["bytes"]:
        raise ValueError(f"a footer of {known['footer_bytes']} bytes in an object of {known['bytes']}")
    return known


def _known(kind: type[Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `item` that this version knows, of the types that it expects."""
    plain = {"str": str, "int": int}
    known = {}
    for spec in fields(kind):
        if spec.name in item:
            value = item[spec.name]
            wanted = plain.get(str(spec.type))
            if wanted is not None and type(value) is not wanted:
                raise ValueError(f"{spec.name} is {value!r}")
            if wanted is int:
                _count(value)
            known[spec.name] = value
    return known
