"""An archive of vendor files, planned: every member by path, size and SHA-256 before the first is written.

Planning reads each file, but holds none: of thousands of positions only their documents stay in memory.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import PurePosixPath
from typing import Any, Final, Literal, NamedTuple, TypeVar

from sxeslake.archive.names import collision_key, escape_bytes, printable, unsafe_reason
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.extensions.array_fields import size_problem
from sxeslake.archive.sxes.extensions.originals import FilePart, OriginalFile, OriginalsRecipe, recipe_json
from sxeslake.archive.sxes.extensions.stated import Extension, state
from sxeslake.errors import UsageError
from sxeslake.model import MIB, Progress

from ..classify import Leftover, classify
from ..readers import READERS
from ..records import (
    AnalysisRecord,
    ArrayRecord,
    ChannelRecord,
    DocumentRecord,
    Finding,
    ImageRecord,
    MapRecord,
    PositionRecord,
    Reader,
    Warned,
)
from ..texts import MOST_TEXT_BYTES, decode, looks_like_text
from ..tree import Tree, folder_of
from . import documents
from .lattices import map_of, spot_of
from .members import Content, DecodedArray, FileRange, MemberPlan, PackedBytes, PlannedMember, content_of, digest_of
from .tiling import Placed, digests_of, tiles

Originals = Literal["recipe", "members", "none"]
"""Whether the vendor's files can be had again: from the members, by a recipe; as members of their own; or not."""

ORIGINALS: Final = "originals"
"""The folder of the vendor's files where they are members of their own."""

_UNREADABLE = (OSError, ValueError, ArithmeticError, LookupError, struct.error, UsageError)
"""What odd bytes make of a reader."""
_SNIFFED_BYTES: Final = 4096
_KEPT_BYTES: Final = MIB
_TOOL: Final = "sxeslake convert"


_Record = TypeVar("_Record")


class Recognised(NamedTuple):
    """A finding, in which root it is, and the encodings of its texts."""

    root: str
    finding: Finding
    encodings: tuple[str, ...]


class Unrecognised(NamedTuple):
    """A file that no reader takes, in which root it is, and the encoding of a text."""

    root: str
    leftover: Leftover
    encodings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConversionPlan:
    """An archive that can be written."""

    trees: tuple[Tree, ...]
    members: tuple[PlannedMember, ...]
    recognised: tuple[Recognised, ...]
    unrecognised: tuple[Unrecognised, ...]
    warnings: tuple[Warned, ...]
    left_out: tuple[Warned, ...]
    """Files and links of which nothing is in the archive, and why."""
    analyses: int
    positions: int
    maps: int
    images: int
    documents: int
    originals: Originals
    files: int
    """Vendor files that can be had again from the archive."""
    modified: Mapping[tuple[int, str], float | None]
    """When each vendor file was changed last: by its root and path."""

    @property
    def bytes_source(self) -> int:
        """Bytes of all vendor files."""
        return sum(sum(tree.sizes.values()) for tree in self.trees)

    @property
    def in_words(self) -> str:
        """`1 analysis, 14 positions; 45 of 47 files recognised`."""
        held = contents_in_words(self.analyses, self.positions, self.maps, self.images, self.documents)
        files = sum(len(tree.sizes) for tree in self.trees)
        read = sum(len(each.finding.files) for each in self.recognised)
        return f"{held}; {read:,} of {files:,} file{'s' * (files != 1)} recognised"


def contents_in_words(analyses: int, positions: int, maps: int, images: int, tables: int) -> str:
    """`1 analysis, 14 positions, 2 pictures`."""
    counts = (
        (analyses, "analysis", "analyses"), (positions, "position", "positions"), (maps, "map", "maps"),
        (images, "picture", "pictures"), (tables, "document", "documents"),
    )  # fmt: skip
    held = [f"{number:,} {one if number == 1 else many}" for number, one, many in counts if number]
    return ", ".join(held) or "originals only"


def plan_conversion(
    trees: Sequence[Tree],
    *,
    originals: Originals = "recipe",
    readers: Sequence[Reader] = READERS,
    progress: Progress | None = None,
) -> ConversionPlan:
    """Plan the archive of some trees.

    Parameters
    ----------
    trees
        Folders of vendor files.
    originals
        Whether, and how, the files can be had again from the archive.
    readers
        Which formats are looked for.
    progress
        Hears of each byte of the vendor's files once.

    Returns
    -------
    ConversionPlan
        Equal files give an equal plan.
    """
    return _Planner(trees, originals, readers, progress).run()


@dataclass(slots=True)
class _AnalysisInWork:
    """An analysis in work."""

    record: AnalysisRecord
    positions: dict[str, None] = field(default_factory=dict)
    """UUIDs, in order, each once."""
    by_name: dict[str, str] = field(default_factory=dict)
    maps: dict[str, None] = field(default_factory=dict)
    map_names: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)


class _PlannedArray(NamedTuple):
    """An array as it goes in."""

    array: ArrayRecord
    content: Content
    dtype: str
    shape: tuple[int, ...]
    sha256: str


class _Planner:
    def __init__(
        self, trees: Sequence[Tree], originals: Originals, readers: Sequence[Reader], progress: Progress | None
    ) -> None:
        self._trees, self._originals, self._readers, self._progress = tuple(trees), originals, readers, progress
        self._roots = _distinct([documents.shown_name(tree.name) or "root" for tree in trees])
        self._members = MemberPlan(self._trees)
        self._warnings: list[Warned] = []
        self._left_out: list[Warned] = []
        self._placed: dict[tuple[int, str], list[Placed]] = {}
        self._projects: dict[str, dict[str, Any]] = {}
        self._analyses: list[dict[str, Any]] = []
        self._used: set[Extension] = set()
        self._seen: dict[str, str] = {}
        """What an item of some UUID is, so that the same measurement is one item and another has a UUID of its own."""
        self._counts = dict.fromkeys(("positions", "maps", "images", "documents"), 0)
        self._files = 0
        self._modified: dict[tuple[int, str], float | None] = {}

    def run(self) -> ConversionPlan:
        by_name = {reader.name: reader for reader in self._readers}
        recognised: list[Recognised] = []
        unrecognised: list[Unrecognised] = []
        if self._progress is not None:
            self._progress.start("read", sum(sum(tree.sizes.values()) for tree in self._trees))
        for root, tree in enumerate(self._trees):
            for path, why in tree.left_out.items():
                self._leave_out(root, path, why)
            classified = classify(tree, self._readers)
            for finding in classified.findings:
                self._finding(root, finding, by_name[finding.reader])
            encodings = self._source(root, tree)
            recognised += [
                Recognised(self._roots[root], finding, _encodings_of(finding.files, encodings))
                for finding in classified.findings
            ]
            unrecognised += [
                Unrecognised(self._roots[root], leftover, _encodings_of((leftover.path,), encodings))
                for leftover in classified.leftovers
            ]
        self._metadata()
        if self._progress is not None:
            self._progress.finish()
        return ConversionPlan(
            self._trees, self._members.in_order(), tuple(recognised), tuple(unrecognised),
            tuple(self._warnings), tuple(self._left_out),
            len(self._analyses), originals=self._originals, files=self._files,
            modified=self._modified, **self._counts,
        )  # fmt: skip

    # --- what was measured ---------------------------------------------------------------------------------------

    def _finding(self, root: int, finding: Finding, reader: Reader) -> None:
        def warn(warned: Warned) -> None:
            self._warnings.append(self._named(root, warned))

        for record in self._readable(root, finding, reader.read(self._trees[root], finding, warn)):
            self._analysis(root, finding, record)

    def _analysis(self, root: int, finding: Finding, record: AnalysisRecord) -> None:
        entry = _AnalysisInWork(record)
        spots = []
        for position in self._readable(root, finding, record.positions()):
            self._position(root, entry, position)
            if self._progress is not None:
                self._progress.advance(0)  # who asked to end is heard here, too
            spots.append(spot_of(position.name, position.state))
        key = self._analysis_uuid(entry)
        for found in record.maps:
            self._map(root, entry, key, found)
        if not record.maps and (raster := map_of(record.name, spots)):
            self._map(root, entry, key, raster)
        for image in record.images:
            self._image(root, entry, image)
        if not (entry.positions or entry.maps or entry.images):
            self._warn(root, finding.path or ".", f"{finding.what}: nothing in it can be read; its files are kept")
            return
        for document in record.documents:
            self._document(entry, document)
        self._list(root, finding, entry, key)

    def _readable(self, root: int, finding: Finding, records: Iterator[_Record]) -> Iterator[_Record]:
        """What a reader yields, as far as it can read: what came before something odd is not lost."""
        try:
            yield from records
        except _UNREADABLE as error:
            self._warn(root, finding.path or ".", f"{finding.what} cannot be read on ({error}); its files are kept")

    def _position(self, root: int, entry: _AnalysisInWork, record: PositionRecord) -> None:
        arrays = self._stored(root, record.arrays)
        background = None
        if record.background is not None and (dark := self._stored(root, (record.background,))):
            path = layout.shared_path(layout.BACKGROUNDS, dark[0].sha256)
            background = self._add(path, dark[0], self._beside(root, dark))
        condition = self._shared(layout.CONDITIONS, documents.condition_json(record))
        raw = self._shared(layout.RAW_CONDITIONS, documents.raw_condition_json(record.raw_condition))
        state_bytes = documents.json_bytes(record.state)
        measured = [part for each in arrays for part in (each.array.name, each.dtype, each.shape, each.sha256)]
        uuid, is_new = self._uuid(
            "position", (*measured, state_bytes),
            documents.json_bytes(documents.info_json("", record, condition, raw, background)),
        )  # fmt: skip
        entry.by_name.setdefault(record.name, uuid)
        if uuid in entry.positions:
            self._warn(root, record.name, "is the same measurement as an earlier one; the archive holds it once")
        entry.positions[uuid] = None
        folder, beside = layout.item_folder(layout.DATA, uuid), self._beside(root, arrays)
        taken: dict[str, _PlannedArray] = {}
        for each in arrays:
            taken[documents.data_type(each.array.name, taken)] = each
        for name, each in taken.items():  # also of a position that is there: a second file has the same bytes
            self._add(layout.type_path(uuid, name), each, beside)
        if not is_new:
            return
        self._counts["positions"] += 1
        info = documents.info_json(uuid, record, condition, raw, background)
        self._members.add(f"{folder}{layout.INFO}", documents.json_bytes(info), beside)
        self._members.add(f"{folder}{layout.STATE}", state_bytes, beside)
        if taken:
            said = {name: documents.entry_of_array(each.array, each.dtype, each.shape) for name, each in taken.items()}
            self._members.add(f"{folder}{layout.ARRAYS}", documents.json_bytes(said), beside)
            self._used.add("arrays")

    def _map(self, root: int, entry: _AnalysisInWork, analysis: str, record: MapRecord) -> None:
        channels: list[tuple[ChannelRecord, _PlannedArray]] = []
        for channel in record.channels:
            channels += [(channel, stored) for stored in self._stored(root, (channel.array,))]
        uuids = None if record.positions is None else [entry.by_name.get(name or "") for name in record.positions]
        if not channels and not any(uuids or ()):
            self._warn(root, record.name, "this map has neither counts nor positions that can be read; it is left out")
            return
        state_bytes = documents.json_bytes(record.state)
        first: object = channels[0][1].sha256 if channels else uuids and uuids[0]
        shape = record.shape if channels else ()  # a raster of positions grows as they are measured
        seed = (record.name, record.kind, shape, first, state_bytes)
        entries, members = [], {"xy.data": None}
        for channel, stored in channels:
            name = documents.member_name(channel.name, members)
            members[name] = None
            entries.append(self._channel(channel, stored, name))
        uuid, is_new = self._uuid("map", seed, documents.json_bytes({"channels": entries, "of": analysis}))
        folder, beside = layout.map_folder(uuid), self._beside(root, [stored for _, stored in channels])
        for said, (_, stored) in zip(entries, channels, strict=True):
            self._add(f"{folder}{said['member']}", stored, beside)
        entry.maps[uuid] = None
        entry.map_names.setdefault(record.name, uuid)
        if not is_new:
            return
        self._counts["maps"] += 1
        self._used.add("maps")
        xy = None
        if record.xy is not None:
            xy = "xy.data"
            self._members.add(f"{folder}{xy}", record.xy.astype("<f8").tobytes(), beside)
        document = documents.map_document(uuid, analysis, record, entries, positions=uuids, xy=xy)
        self._members.add(f"{folder}{layout.MAP}", documents.json_bytes(document), beside)
        if record.state:
            self._members.add(f"{folder}{layout.STATE}", state_bytes, beside)

    def _channel(self, channel: ChannelRecord, stored: _PlannedArray, member: str) -> dict[str, Any]:
        condition = self._shared(layout.CONDITIONS, channel.condition) if channel.condition else None
        raw = None
        if channel.raw_condition:
            raw = self._shared(layout.RAW_CONDITIONS, documents.raw_condition_json(channel.raw_condition))
        return documents.channel_entry(channel, member, stored.dtype, stored.shape, condition, raw)

    def _image(self, root: int, entry: _AnalysisInWork, record: ImageRecord) -> None:
        content = FileRange(root, record.span.path, record.span.offset, record.span.length)
        try:
            _, sha256 = digest_of(content, self._trees)
        except OSError as error:
            self._warn(root, record.span.path, f"this picture cannot be read: {error}")
            return
        condition = self._shared(layout.CONDITIONS, documents.NO_CONDITION)
        raw = self._shared(layout.RAW_CONDITIONS, documents.raw_condition_json(record.raw_condition))
        state_bytes = documents.json_bytes(record.state)
        said = documents.json_bytes(documents.info_json("", record, condition, raw))
        uuid, is_new = self._uuid("image", (sha256, state_bytes), said)
        if uuid not in entry.images:
            entry.images.append(uuid)
        folder, beside = layout.item_folder(layout.IMAGES, uuid), (root, record.span.path)
        path = f"{folder}image.{documents.image_type(record)}"
        self._members.add(path, content, sha256=sha256)
        self._place(content, path)
        if is_new:
            self._counts["images"] += 1
            info = documents.info_json(uuid, record, condition, raw)
            self._members.add(f"{folder}{layout.INFO}", documents.json_bytes(info), beside)
            self._members.add(f"{folder}{layout.STATE}", state_bytes, beside)

    def _document(self, entry: _AnalysisInWork, record: DocumentRecord) -> None:
        about = [
            {what: names[name]}
            for name in record.about
            for what, names in (("position", entry.by_name), ("map", entry.map_names))
            if name in names
        ]
        document = {"schema": record.schema, "version": 1, "about": about, "data": record.data}
        data = documents.json_bytes(document)
        _, sha256 = digest_of(data, self._trees)
        path = layout.hashed_path(layout.DOCUMENTS, sha256)
        if path not in self._members:
            self._counts["documents"] += 1
        self._members.add(path, data, sha256=sha256)
        self._used.add("documents")

    def _analysis_uuid(self, entry: _AnalysisInWork) -> str:
        """By what an acquisition is called, and what it begins with: it stays as the folder grows."""
        record = entry.record
        first: object = next(iter(entry.positions), None)
        if first is None and record.images:
            first = record.images[0].name
        if first is None and record.maps:
            first = (
                record.maps[0].name,
                record.maps[0].shape,
                [channel.name for channel in record.maps[0].channels[:1]],
            )
        parts = (record.name, record.project, record.acquisition_date, record.instrument, first)
        number, uuid = 1, documents.uuid_of("analysis", *parts)
        while any(each["uuid"] == uuid for each in self._analyses):
            number += 1
            uuid = documents.uuid_of("analysis", *parts, number)
        return uuid

    def _list(self, root: int, finding: Finding, entry: _AnalysisInWork, uuid: str) -> None:
        """Name an analysis in `metadata.json`."""
        record = entry.record
        listed: dict[str, Any] = {
            "uuid": uuid, "name": record.name, "comment": record.comment, "operator": record.operator,
            "instrument": record.instrument, "acquisitionDate": record.acquisition_date,
            "positionUuids": list(entry.positions), "imageUuids": entry.images,
        }  # fmt: skip
        if entry.maps:
            listed[layout.MAP_KEY] = list(entry.maps)
        self._analyses.append(listed)
        above = documents.shown_name(folder_of(finding.path)) if finding.path else ""
        name = record.project or above or self._roots[root]
        project = self._projects.setdefault(
            name,
            {"uuid": documents.uuid_of("project", name), "name": name, "comment": "", "operator": record.operator,
             "analysisUuids": []},
        )  # fmt: skip
        project["analysisUuids"].append(uuid)

    # --- members -------------------------------------------------------------------------------------------------

    def _stored(self, root: int, arrays: Sequence[ArrayRecord]) -> list[_PlannedArray]:
        """The arrays that can be read, each with its type, shape and hash."""
        found = []
        for array in arrays:
            try:
                content: Content = content_of(array, root)
                dtype, shape = array.dtype, array.shape
                if isinstance(content, DecodedArray):
                    dtype, shape, stored = content.stored()
                    size, sha256 = digest_of(stored, self._trees)
                    if size <= _KEPT_BYTES:  # neither decoded again, nor held by its reader
                        content = PackedBytes.of(stored)
                else:
                    size, sha256 = digest_of(content, self._trees)
                if problem := size_problem(dtype, shape, size):
                    raise ValueError(problem)
            except _UNREADABLE as error:
                path = array.span.path if array.span is not None else array.name
                self._warn(root, path, f"the array {array.name} cannot be read ({error}); the file is kept")
                continue
            found.append(_PlannedArray(array, content, dtype, shape, sha256))
        return found

    def _add(self, path: str, stored: _PlannedArray, beside: tuple[int, str]) -> str:
        if isinstance(stored.content, FileRange):
            self._place(stored.content, path)
        return self._members.add(path, stored.content, beside, stored.sha256)

    def _place(self, content: FileRange, member: str) -> None:
        """Remember that a range of a file is in a member."""
        part = Placed(content.offset, content.length, member)
        self._placed.setdefault((content.root, content.path), []).append(part)

    def _beside(self, root: int, arrays: Sequence[_PlannedArray]) -> tuple[int, str]:
        """The vendor file that the documents of an item stand with."""
        paths = (each.content.path for each in arrays if isinstance(each.content, FileRange))
        return root, next(paths, "")

    def _shared(self, kind: layout.SharedKind, value: Mapping[str, Any]) -> str:
        data = documents.json_bytes(value)
        _, sha256 = digest_of(data, self._trees)
        return self._members.add(layout.shared_path(kind, sha256), data, sha256=sha256)

    def _uuid(self, kind: str, parts: tuple[object, ...], said: bytes) -> tuple[str, bool]:
        """The UUID of an item, and whether it is new; what says something else of the same content has another."""
        number, uuid = 1, documents.uuid_of(kind, *parts)
        _, digest = digest_of(said, self._trees)
        while self._seen.get(uuid, digest) != digest:
            number += 1
            uuid = documents.uuid_of(kind, *parts, number)
        is_new = uuid not in self._seen
        self._seen[uuid] = digest
        return uuid, is_new

    # --- the vendor's files --------------------------------------------------------------------------------------

    def _source(self, root: int, tree: Tree) -> dict[str, str]:
        """Plan how the files of a root can be had again; the encodings of its texts."""
        files: list[OriginalFile] = []
        encodings: dict[str, str] = {}
        called: set[str] = set()
        for path, size in tree.sizes.items():
            if self._progress is not None:
                self._progress.advance(size)
            name = self._recipe_name(root, tree, path, called)
            parts = tiles(size, self._placed.get((root, path), ()) if self._originals == "recipe" else ())
            try:
                self._modified[root, path] = tree.modified(path)
                digests = digests_of(tree, path, parts)
                if encoding := _encoding_of(tree, path, size):
                    encodings[path] = encoding
            except OSError as error:
                self._leave_out(root, path, f"cannot be read: {error.strerror or error}")
                continue
            if name is None or self._originals == "none":
                continue
            taken = tuple(
                self._part(root, path, name, part, sha256)
                for part, sha256 in zip(parts, digests.parts, strict=True)
            )  # fmt: skip
            files.append(OriginalFile(name, digests.sha256, size, taken, self._modified[root, path]))
        if files:
            folders = tuple(path for path in map(_text_path, tree.empty_folders) if unsafe_reason(path) is None)
            sources = OriginalsRecipe(self._roots[root], tuple(files), _TOOL, folders)
            recipe = documents.json_bytes(recipe_json(sources))
            _, sha256 = digest_of(recipe, self._trees)
            self._members.add(layout.hashed_path(layout.SOURCES, sha256), recipe, sha256=sha256)
            self._used.add("sources")
            self._files += len(files)
        return encodings

    def _part(self, root: int, path: str, name: str, part: Placed, sha256: str) -> FilePart:
        """A part of a file, planned as residue where no member has it."""
        if part.member is not None:
            return FilePart(part.member, part.length)
        member = layout.hashed_path(layout.RESIDUE, sha256)
        if self._originals == "members":
            member = f"{ORIGINALS}/{self._roots[root]}/{name}"
        self._members.add(member, FileRange(root, path, part.offset, part.length), sha256=sha256)
        return FilePart(member, part.length)

    def _recipe_name(self, root: int, tree: Tree, path: str, called: set[str]) -> str | None:
        """A file's name as text, of its own; None where no archive can hold it."""
        name = _text_path(path)
        if reason := unsafe_reason(name):
            self._leave_out(root, path, f"its name {reason}")
            return None
        odd = "is not UTF-8" if name != path else ""
        if collision_key(name) in called:
            odd = odd or "is that of another file but for the form of its letters"
            name = _free_name(name, called, tree.sizes)
        if odd:
            self._warn(root, path, f"its name {odd}; it is kept as {name}")
        called.add(collision_key(name))
        return name

    # --- the rest ------------------------------------------------------------------------------------------------

    def _metadata(self) -> None:
        projects = list(self._projects.values())
        metadata: dict[str, object] = {"version": layout.WRITTEN_VERSION}
        for extension in sorted(self._used):
            state(metadata, extension)
        metadata |= {"projects": projects, "analyses": self._analyses}
        self._members.add(layout.METADATA, documents.json_bytes(metadata), (-2, ""))

    def _warn(self, root: int, path: str, text: str) -> None:
        self._warnings.append(self._named(root, Warned(path, text)))

    def _leave_out(self, root: int, path: str, why: str) -> None:
        self._left_out.append(self._named(root, Warned(path, why)))

    def _named(self, root: int, warned: Warned) -> Warned:
        """With the root before the path, where there are several."""
        path = printable(warned.path)
        return replace(warned, path=f"{self._roots[root]}/{path}" if len(self._trees) > 1 else path)


def _text_path(path: str) -> str:
    """A path as text: bytes that are not UTF-8 as `%8E`."""
    return "/".join(map(escape_bytes, path.split("/")))


def _free_name(name: str, called: set[str], listed: Container[str]) -> str:
    """A name that no file has or was given: `a-2.txt`."""
    path = PurePosixPath(name)
    made = (path.with_name(f"{path.stem}-{number}{path.suffix}").as_posix() for number in count(2))
    return next(each for each in made if collision_key(each) not in called and each not in listed)


def _encoding_of(tree: Tree, path: str, size: int) -> str | None:
    """The encoding of a text; None of what is none."""
    if not 0 < size <= MOST_TEXT_BYTES or not looks_like_text(tree.read(path, 0, _SNIFFED_BYTES)):
        return None
    return decode(tree.read(path)).encoding


def _encodings_of(paths: Sequence[str], encodings: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted({encodings[path] for path in paths if path in encodings}))


def _distinct(names: Sequence[str]) -> list[str]:
    """Names of roots, the later of two equal ones with a number."""
    found: list[str] = []
    for name in names:
        number, made = 1, name
        while made in found:
            number += 1
            made = f"{name}-{number}"
        found.append(made)
    return found
