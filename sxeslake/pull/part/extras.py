"""What a part has of the format's extensions: maps, described arrays, documents, the vendor's files.

A map comes along with its analysis; points whose positions are not in the part have none. A description of arrays is
restricted to the types that are taken. Documents come with what they are about, a source when all of it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import Document, dump, parse
from sxeslake.archive.sxes.documents.units import text
from sxeslake.archive.sxes.extensions import carried
from sxeslake.archive.sxes.extensions.array_fields import ArrayFields, read_array
from sxeslake.archive.sxes.extensions.map_fields import ChannelFields, read_map
from sxeslake.archive.sxes.extensions.originals import read_recipe
from sxeslake.errors import DamagedArchiveError, UnsafeNameError
from sxeslake.model import Digest
from sxeslake.pull.part.assembly import GeneratedMember, made_from
from sxeslake.pull.part.outline import Fields, Outline, map_hints
from sxeslake.pull.part.wanted import PartSpec
from sxeslake.reading.rows import MemberRows, joined, where_true

ROOTS: Final = tuple(f"{root}/" for root in (layout.MAPS, layout.DOCUMENTS, layout.SOURCES))

_LEGACY = "cp932"
_MAPS: Final = f"{layout.MAPS}/"


@dataclass(slots=True)
class Extras:
    """What a share has of them. Values are those of the part, in which some references are empty.

    Attributes
    ----------
    maps : dict of str to Document
        UUID of a map, its folder's name, → its `map.json`.
    arrays : dict of bytes to mapping
        BLAKE3 of an `arrays.json` → what it says of the types that are taken.
    documents, sources : dict of str to Document
        Their ids; each document comes after the one that it supersedes.
    made : dict of str to GeneratedMember
        Members that differ from those of the version, by path.
    """

    maps: dict[str, Document] = field(default_factory=dict)
    arrays: dict[Digest, Mapping[str, Any]] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    sources: dict[str, Document] = field(default_factory=dict)
    made: dict[str, GeneratedMember] = field(default_factory=dict)


@dataclass(slots=True)
class MapRows:
    """The maps of a version: the rows of their folders, each `map.json`, and the analysis that each belongs to."""

    tables: list[pa.Table]
    documents: dict[str, Document]
    owners: dict[str, str]


def read_maps(rows: MemberRows, outline: Outline) -> MapRows:
    """The maps of a version, whoever owns them."""
    tables = [table for table, _ in rows.below([_MAPS])]
    hints = map_hints(outline)
    documents = {path.split("/")[1]: found for path, found in _read(rows, tables, _is_map).items()}
    owners = {uuid: read_map(found.value).analysis_uuid or hints.get(uuid) for uuid, found in documents.items()}
    return MapRows(tables, documents, {uuid: owner for uuid, owner in owners.items() if owner is not None})


def take_maps(
    rows: MemberRows, maps: MapRows, metadata: Fields, positions: Collection[str], extras: Extras
) -> list[pa.Table]:
    """The rows of the maps of analyses that are taken; a `map.json` that names positions is made anew."""
    analyses = {text(entry.get("uuid")) for entry in metadata["analyses"]}
    kept = {uuid for uuid, owner in maps.owners.items() if owner in analyses}
    place = _staying({"position": positions})
    for uuid in sorted(kept):
        document = maps.documents[uuid]
        extras.maps[uuid] = document
        if document.fields:
            value = carried.map_as(document.fields, place)
            extras.maps[uuid] = _with_value(document, value)
    tables = [
        where_true(table, [path.split("/")[1] in kept for path in table["path"].to_pylist()]) for table in maps.tables
    ]
    changed = {found.path: found.raw for uuid, found in extras.maps.items() if found is not maps.documents[uuid]}
    _make(rows, joined(tables), changed, extras)
    return tables


def _staying(there: Mapping[str, Collection[str]]) -> carried.Place:
    """Whatever is there keeps its id; of kinds that are not named everything is."""
    return lambda what, uuid: uuid if what not in there or uuid in there[what] else None


def _with_value(document: Document, value: Mapping[str, Any]) -> Document:
    """The same, or a document that says something else."""
    if value is document.value or document.encoding is None:
        return document
    return Document(document.path, dump(value, document.encoding), value, document.encoding)


def take_arrays(rows: MemberRows, tables: Sequence[pa.Table], wanted: PartSpec, extras: Extras) -> list[pa.Table]:
    """The tables of positions, with each `arrays.json` restricted to the types that are taken."""
    described = joined([where_true(table, list(map(_is_arrays, table["path"].to_pylist()))) for table in tables])
    if not described.num_rows:
        return list(tables)
    first = {digest: at for at, digest in reversed(list(enumerate(described["blake3"].to_pylist())))}
    one_each = described.take(pa.array(sorted(first.values()), pa.int64()))
    documents = _read(rows, [one_each], _is_arrays)
    contents = {digest: documents[path] for path, digest in zip(*_columns(one_each, "path", "blake3"), strict=True)}
    new: dict[str, bytes] = {}
    for digest, document in contents.items():
        extras.arrays[digest] = kept = {
            data_type: value
            for data_type, value in document.fields.items()
            if wanted.keeps(f"{data_type}{layout.TYPE_SUFFIX}")
        }
        contents[digest] = document if len(kept) == len(document.fields) else _with_value(document, kept)
    for path, digest in zip(*_columns(described, "path", "blake3"), strict=True):
        if contents[digest].value is extras.arrays[digest]:
            new[path] = contents[digest].raw
    empty = {path for path, raw in new.items() if raw == b"{}"}
    _make(rows, described, {path: raw for path, raw in new.items() if path not in empty}, extras)
    if not empty:
        return list(tables)
    return [where_true(table, [path not in empty for path in table["path"].to_pylist()]) for table in tables]


def named_files(extras: Extras) -> Iterator[str]:
    """The paths that shared files of channels and described arrays may have."""
    for document in extras.maps.values():
        for channel in read_map(document.value).channels:
            yield from _conditions(channel)
    for entries in extras.arrays.values():
        yield from described_files(entries)


def described_files(entries: Mapping[str, Any]) -> Iterator[str]:
    """The paths that shared files of described arrays may have."""
    for value in entries.values():
        yield from _conditions(read_array(value))


def _conditions(fields: ChannelFields | ArrayFields) -> Iterator[str]:
    if fields.condition_id:
        yield from layout.shared_candidates(layout.CONDITIONS, fields.condition_id)
    if fields.raw_condition_id:
        yield from layout.shared_candidates(layout.RAW_CONDITIONS, fields.raw_condition_id)


def take_sources(rows: MemberRows, there: Callable[[], Iterable[str]], extras: Extras) -> list[pa.Table]:
    """The rows of sources of which every member is taken as it is, and of the residue that they need."""
    tables = [table for table, _ in rows.below([f"{layout.SOURCES}/"])]
    documents = _read(rows, tables, _is_shared)
    if not documents:
        return []
    paths = set(there()) - extras.made.keys() - {layout.METADATA}
    needs = {path: _members(found) for path, found in documents.items()}
    residues = {each for members in needs.values() for each in members or () if each.startswith(f"{layout.RESIDUE}/")}
    found = [table for table, _ in rows.at(residues)]
    paths.update(path for table in found for path in table["path"].to_pylist())
    kept = {path: members for path, members in needs.items() if members is not None and members <= paths}
    extras.sources = {layout.shared_digest(path): documents[path] for path in sorted(kept)}
    used = {*kept, *(each for members in kept.values() for each in members if each in residues)}
    return [where_true(table, [path in used for path in table["path"].to_pylist()]) for table in (*tables, *found)]


def _members(document: Document) -> set[str] | None:
    """The members that a source takes bytes from; None where it is no recipe."""
    try:
        return read_recipe(document.value, document.path).members
    except (DamagedArchiveError, UnsafeNameError):
        return None


def take_documents(
    rows: MemberRows, there: Mapping[str, Collection[str | None]], extras: Extras
) -> list[pa.Table]:  # fmt: skip
    """The rows of documents about something that is there or about the group, and of what they supersede."""
    tables = [table for table, _ in rows.below([f"{layout.DOCUMENTS}/"])]
    found = {layout.shared_digest(path): each for path, each in _read(rows, tables, _is_shared).items()}
    values = {digest: each.value for digest, each in found.items()}
    kept: list[str] = []
    while True:  # a document may be about another one
        known = set(kept)
        is_there = lambda what, uuid: uuid in (known if what == "document" else there.get(what, ()))  # noqa: B023, E731
        more = carried.wanted_documents(values, is_there)
        if len(more) == len(kept):
            break
        kept = more
    extras.documents = {digest: found[digest] for digest in kept}
    paths = {each.path for each in extras.documents.values()}
    return [where_true(table, [path in paths for path in table["path"].to_pylist()]) for table in tables]


def _make(rows: MemberRows, table: pa.Table, contents: Mapping[str, bytes], extras: Extras) -> None:
    """Add members with other contents than those of the version."""
    if contents:
        chosen = where_true(table, [path in contents for path in table["path"].to_pylist()])
        for row in rows.rows(chosen):
            path = row.member.path
            extras.made[path] = made_from(row.member, path, contents[path])


def _read(rows: MemberRows, tables: Iterable[pa.Table], is_one: Callable[[str], bool]) -> dict[str, Document]:
    """The documents among some rows, by path."""
    table = joined(list(tables))
    paths, folders = _columns(table, "path", "directory")
    chosen = [not folder and is_one(path) for path, folder in zip(paths, folders, strict=True)]
    if not any(chosen):
        return {}
    found = dict(rows.read(where_true(table, chosen)))
    return {path: parse(path, found[path], _LEGACY) for path in sorted(found)}


def _columns(table: pa.Table, *names: str) -> list[list[Any]]:
    return [table[name].to_pylist() for name in names]


def _is_map(path: str) -> bool:
    return path.endswith(f"/{layout.MAP}") and path.count("/") == 2


def _is_arrays(path: str) -> bool:
    return path.endswith(f"/{layout.ARRAYS}") and path.count("/") == 2


def _is_shared(path: str) -> bool:
    return path.endswith(".json") and path.count("/") == 1
