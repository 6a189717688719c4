"""The 7z header: bytes ↔ columns. One numpy column a property, so that 500,000 members cost megabytes, not objects.

    signature header (32 bytes) → packed streams … → next header: pack info, folders, sub-streams, files

A *folder* is one compressed run (a solid block) made by a chain of coders; its *streams* are the contents of members.
Every count is checked against the bytes that could back it before anything is allocated.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsupportedMethodError

Integers = npt.NDArray[np.int64]
Checksums = npt.NDArray[np.uint32]
Times = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

SIGNATURE: Final = b"7z\xbc\xaf\x27\x1c"
SIGNATURE_HEADER_BYTES: Final = 32
WINDOWS_EPOCH_TICKS: Final = 116_444_736_000_000_000  # 1601 → 1970 in units of 100 ns
DIRECTORY_ATTRIBUTE: Final = 0x10

MAX_CODERS: Final = 32  # in a folder; 7-Zip's own bound
MAX_CODER_STREAMS: Final = 32
MAX_TOTAL_BYTES: Final = 1 << 62  # sums of sizes must stay far from the sign bit of their columns

END, HEADER, ARCHIVE_PROPERTIES, ADDITIONAL_STREAMS, MAIN_STREAMS, FILES, PACK_INFO, UNPACK_INFO = range(8)
SUBSTREAMS, SIZE, CRC, FOLDER, UNPACK_SIZES, STREAM_COUNTS, EMPTY_STREAM, EMPTY_FILE, ANTI, NAMES = range(8, 18)
CREATED, ACCESSED, MODIFIED, ATTRIBUTES, COMMENT, ENCODED_HEADER, START_POSITION, DUMMY = range(18, 26)


class Coder(NamedTuple):
    """One step of a folder's chain: method id `030101` (LZMA), its properties, how many streams go in and out."""

    method: bytes
    properties: bytes = b""
    inputs: int = 1
    outputs: int = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a folder is decoded: coders, bonds (input ← output) between them, inputs fed by packed streams."""

    coders: tuple[Coder, ...]
    bonds: tuple[tuple[int, int], ...] = ()
    packed: tuple[int, ...] = (0,)

    @property
    def outputs(self) -> int:
        """How many unpack sizes the folder states."""
        return sum(coder.outputs for coder in self.coders)

    @property
    def main_output(self) -> int:
        """The output that no other coder takes: the folder's content."""
        taken = {output for _, output in self.bonds}
        return next(index for index in range(self.outputs) if index not in taken)


def _integers(count: int = 0) -> Integers:
    return np.zeros(count, np.int64)


def _starts(counts: Integers) -> Integers:
    """`[2, 3]` → `[0, 2, 5]`: where each run begins, and the end of the last."""
    return np.concatenate((_integers(1), np.cumsum(counts)))


@dataclass(slots=True)
class Streams:
    """Packed streams, folders and the streams (member contents) in them, by column."""

    pack_position: int = 0
    pack_sizes: Integers = field(default_factory=_integers)
    recipes: list[Recipe] = field(default_factory=list)
    coder_sizes: Integers = field(default_factory=_integers)
    coder_starts: Integers = field(default_factory=lambda: _integers(1))
    folder_sizes: Integers = field(default_factory=_integers)
    folder_crcs: Checksums = field(default_factory=lambda: np.zeros(0, np.uint32))
    folder_has_crc: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    folder_pack_starts: Integers = field(default_factory=lambda: _integers(1))
    stream_starts: Integers = field(default_factory=lambda: _integers(1))
    sizes: Integers = field(default_factory=_integers)
    crcs: Checksums = field(default_factory=lambda: np.zeros(0, np.uint32))
    has_crc: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))


@dataclass(slots=True)
class Files:
    """The members, by column. `names` is UTF-16-LE, NUL after each; name i is `names[name_ends[i-1]+2 : name_ends[i]]`."""

    count: int = 0
    names: memoryview = field(default_factory=lambda: memoryview(b""))
    name_ends: Integers | None = None
    empty: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    directory: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    modified: Times | None = None
    has_modified: Flags | None = None
    attributes: Checksums | None = None
    has_attributes: Flags | None = None


class StartHeader(NamedTuple):
    """Where the next header stands, counted from the end of the signature header."""

    offset: int
    size: int
    crc: int


def parse_start_header(data: bytes, where: object) -> StartHeader:
    """The first 32 bytes of an archive; their own CRC is checked."""
    if len(data) < SIGNATURE_HEADER_BYTES:
        raise DamagedArchiveError("the 7z archive is cut off inside its first 32 bytes", where=where)
    major, _, crc = struct.unpack_from("<BBL", data, 6)
    if zlib.crc32(data[12:32]) != crc:
        raise DamagedArchiveError("the 7z start header fails its CRC", where=where)
    if major != 0:
        raise UnsupportedMethodError(f"7z format version {major} is unknown", where=where)
    return StartHeader(*struct.unpack_from("<QQL", data, 12))


def start_header(header: StartHeader) -> bytes:
    """The 32 bytes that `parse_start_header` reads."""
    body = struct.pack("<QQL", *header)
    return SIGNATURE + b"\x00\x04" + struct.pack("<L", zlib.crc32(body)) + body


class Cursor:
    """Reads a header's bytes from front to back; whatever does not fit is a damaged archive."""

    __slots__ = ("data", "end", "position", "where")

    def __init__(self, data: bytes | memoryview, where: object) -> None:
        self.data = memoryview(data)
        self.position = 0
        self.end = len(self.data)
        self.where = where

    def damaged(self, what: str) -> DamagedArchiveError:
        """The error to raise."""
        return DamagedArchiveError(f"the 7z header does not hold together: {what}", where=self.where)

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self.end - self.position

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        if count > self.remaining:
            raise self.damaged("it ends early")
        self.position += count
        return self.data[self.position - count : self.position]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def number(self) -> int:
        """7z's own integer: the leading ones of the first byte count the bytes that follow (little-endian)."""
        first = self.byte()
        if first < 0x80:
            return first
        extra = 8 - (first ^ 0xFF).bit_length()
        high = first & (0x7F >> extra)
        return int.from_bytes(self.take(extra), "little") + (high << (8 * extra))

    def count(self, what: str, *, bytes_each: float) -> int:
        """A number of things of which each takes at least so many bytes of the rest."""
        count = self.number()
        if count * bytes_each > self.remaining:
            raise self.damaged(f"{count:,} {what} cannot stand in {self.remaining:,} bytes")
        return count

    def numbers(self, count: int) -> Integers:
        """`count` numbers, each below 2⁶²."""
        if count > self.remaining:
            raise self.damaged(f"{count:,} numbers cannot stand in {self.remaining:,} bytes")
        plain = np.frombuffer(self.data[self.position : self.position + count], np.uint8)
        if not (plain & 0x80).any():
            self.position += count
            return plain.astype(np.int64)
        values = array("q")
        number = self.number
        for _ in range(count):
            value = number()
            if value >= MAX_TOTAL_BYTES:
                raise self.damaged(f"a size of {value:,} bytes")
            values.append(value)
        return np.frombuffer(values, np.int64)

    def bits(self, count: int) -> Flags:
        """A vector of `count` bits, most significant first."""
        packed = np.frombuffer(self.take((count + 7) // 8), np.uint8)
        return np.unpackbits(packed, count=count).astype(np.bool_)

    def defined(self, count: int) -> Flags:
        """Which of `count` items have a value: one byte for "all", else a vector."""
        return np.ones(count, np.bool_) if self.byte() else self.bits(count)

    def checksums(self, count: int) -> tuple[Checksums, Flags]:
        """CRC-32 of `count` items, and which of them are defined."""
        defined = self.defined(count)
        values = np.zeros(count, np.uint32)
        values[defined] = np.frombuffer(self.take(4 * int(defined.sum())), "<u4")
        return values, defined

    def expect(self, expected: int, what: str) -> None:
        """The next property must be this one."""
        found = self.number()
        if found != expected:
            raise self.damaged(f"{what} expected, property {found:#x} found")

    def inline(self) -> None:
        """The "external" byte: values kept in another stream are a part of the format nobody writes."""
        if self.byte():
            raise UnsupportedMethodError("7z header values in an additional stream are not supported", where=self.where)


def parse_header(cursor: Cursor, *, max_members: int) -> tuple[Streams, Files]:
    """All that follows the `HEADER` id of a plain (decoded) header."""
    streams, files = Streams(), Files()
    while (kind := cursor.number()) != END:
        if kind == ARCHIVE_PROPERTIES:
            _skip_archive_properties(cursor)
        elif kind == ADDITIONAL_STREAMS:
            parse_streams(cursor)
        elif kind == MAIN_STREAMS:
            streams = parse_streams(cursor)
        elif kind == FILES:
            files = _parse_files(cursor, max_members)
        else:
            raise cursor.damaged(f"unknown part {kind:#x}")
    filled = files.count - int(files.empty.sum())
    if filled != len(streams.sizes):
        raise cursor.damaged(f"{filled:,} members with content, but {len(streams.sizes):,} contents")
    return streams, files


def _skip_archive_properties(cursor: Cursor) -> None:
    while cursor.number() != END:
        cursor.take(cursor.number())


def parse_streams(cursor: Cursor) -> Streams:
    """Pack info, folders and sub-streams, up to their end mark. Also what stands in an encoded header."""
    streams = Streams()
    kind = cursor.number()
    if kind == PACK_INFO:
        _parse_pack_info(cursor, streams)
        kind = cursor.number()
    if kind == UNPACK_INFO:
        _parse_folders(cursor, streams)
        kind = cursor.number()
    counts = np.ones(len(streams.recipes), np.int64)
    if kind == SUBSTREAMS:
        kind = cursor.number()
        if kind == STREAM_COUNTS:
            counts = cursor.numbers(len(streams.recipes))
            kind = cursor.number()
        kind = _parse_substreams(cursor, streams, counts, kind)
        if kind != END:
            raise cursor.damaged(f"unknown sub-stream property {kind:#x}")
        kind = cursor.number()
    else:
        _parse_substreams(cursor, streams, counts, END)
    if kind != END:
        raise cursor.damaged(f"unknown stream property {kind:#x}")
    return streams


def _parse_pack_info(cursor: Cursor, streams: Streams) -> None:
    streams.pack_position = cursor.number()
    count = cursor.count("packed streams", bytes_each=1)
    kind = cursor.number()
    if kind == SIZE:
        streams.pack_sizes = cursor.numbers(count)
        kind = cursor.number()
    elif count:
        raise cursor.damaged("packed streams without sizes")
    if kind == CRC:
        cursor.checksums(count)  # of packed bytes; the CRC of what they hold is checked instead
        kind = cursor.number()
    if kind != END:
        raise cursor.damaged(f"unknown pack property {kind:#x}")
    if streams.pack_position + float(streams.pack_sizes.sum(dtype=np.float64)) > MAX_TOTAL_BYTES:
        raise cursor.damaged("packed sizes beyond all measure")


def _parse_folders(cursor: Cursor, streams: Streams) -> None:
    cursor.expect(FOLDER, "folders")
    count = cursor.count("folders", bytes_each=2)
    cursor.inline()
    recipes: list[Recipe] = []
    previous = b""
    for _ in range(count):
        start = cursor.position
        if recipes and cursor.data[start : start + len(previous)] == previous:
            cursor.position += len(previous)  # the same bytes parse alike: share the recipe of the folder before
            recipes.append(recipes[-1])
        else:
            recipes.append(_parse_recipe(cursor))
            previous = bytes(cursor.data[start : cursor.position])
    streams.recipes = recipes
    shapes = {id(recipe): (recipe.outputs, recipe.main_output, len(recipe.packed)) for recipe in recipes}
    shape = np.array([shapes[id(recipe)] for recipe in recipes], np.int64).reshape(-1, 3)
    cursor.expect(UNPACK_SIZES, "unpack sizes")
    streams.coder_sizes = cursor.numbers(int(shape[:, 0].sum()))
    streams.coder_starts = _starts(shape[:, 0])
    streams.folder_sizes = streams.coder_sizes[streams.coder_starts[:-1] + shape[:, 1]]
    streams.folder_pack_starts = _starts(shape[:, 2])
    streams.folder_crcs, streams.folder_has_crc = np.zeros(count, np.uint32), np.zeros(count, np.bool_)
    kind = cursor.number()
    if kind == CRC:
        streams.folder_crcs, streams.folder_has_crc = cursor.checksums(count)
        kind = cursor.number()
    if kind != END:
        raise cursor.damaged(f"unknown folder property {kind:#x}")
    if int(streams.folder_pack_starts[-1]) > len(streams.pack_sizes):
        raise cursor.damaged("folders ask for more packed streams than there are")
    if float(streams.folder_sizes.sum(dtype=np.float64)) > MAX_TOTAL_BYTES:
        raise cursor.damaged("unpacked sizes beyond all measure")


def _parse_recipe(cursor: Cursor) -> Recipe:
    """One folder's coders and how they are bound."""
    count = cursor.number()
    if not 0 < count <= MAX_CODERS:
        raise cursor.damaged(f"a folder of {count:,} coders")
    coders = tuple(_parse_coder(cursor) for _ in range(count))
    inputs, outputs = sum(coder.inputs for coder in coders), sum(coder.outputs for coder in coders)
    if outputs == 0 or inputs < outputs - 1:
        raise cursor.damaged("coders that cannot be bound")
    bonds = tuple((cursor.number(), cursor.number()) for _ in range(outputs - 1))
    bound_inputs, bound_outputs = {pair[0] for pair in bonds}, {pair[1] for pair in bonds}
    free = [index for index in range(inputs) if index not in bound_inputs]
    if len(free) == 1 and inputs - len(bonds) == 1:
        packed = tuple(free)
    else:
        packed = tuple(cursor.number() for _ in range(inputs - len(bonds)))
    distinct = len(bound_inputs) == len(bound_outputs) == len(bonds)
    if not distinct or max(bound_outputs, default=0) >= outputs or sorted(packed) != free:
        raise cursor.damaged("coders bound in a way that makes no chain")
    return Recipe(coders, bonds, packed)


def _parse_coder(cursor: Cursor) -> Coder:
    flags = cursor.byte()
    if flags & 0xC0:
        raise cursor.damaged("reserved bits in a coder")
    method = bytes(cursor.take(flags & 0x0F)) or b"\x00"
    inputs, outputs = (cursor.number(), cursor.number()) if flags & 0x10 else (1, 1)
    if max(inputs, outputs) > MAX_CODER_STREAMS:
        raise cursor.damaged(f"a coder of {inputs:,} inputs and {outputs:,} outputs")
    return Coder(method, bytes(cursor.take(cursor.number())) if flags & 0x20 else b"", inputs, outputs)


def _parse_substreams(cursor: Cursor, streams: Streams, counts: Integers, kind: int) -> int:
    """Sizes and CRCs of the streams; returns the property that follows them."""
    total = int(counts.sum(dtype=np.float64))
    if total - len(counts) > cursor.remaining:
        raise cursor.damaged(f"{total:,} contents cannot stand in {cursor.remaining:,} bytes")
    starts = _starts(counts)
    last = np.zeros(total, np.bool_)
    last[starts[1:][counts > 0] - 1] = True
    sizes = _integers(total)
    if kind == SIZE:
        sizes[~last] = cursor.numbers(total - int(last.sum()))
        kind = cursor.number()
    elif not last.all():
        raise cursor.damaged("members share a folder, but their sizes are missing")
    if float(sizes.sum(dtype=np.float64)) > MAX_TOTAL_BYTES:
        raise cursor.damaged("member sizes beyond all measure")
    running = _starts(sizes)
    rest = streams.folder_sizes - (running[starts[1:]] - running[starts[:-1]])
    if (rest < 0).any():
        raise cursor.damaged("members larger than the folder that holds them")
    sizes[last] = rest[counts > 0]
    streams.stream_starts, streams.sizes = starts, sizes
    streams.crcs, streams.has_crc = np.zeros(total, np.uint32), np.zeros(total, np.bool_)
    whole = (counts == 1) & streams.folder_has_crc  # their CRC stands with the folder
    streams.crcs[starts[:-1][whole]] = streams.folder_crcs[whole]
    streams.has_crc[starts[:-1][whole]] = True
    if kind == CRC:
        missing = ~streams.has_crc
        streams.crcs[missing], streams.has_crc[missing] = cursor.checksums(int(missing.sum()))
        kind = cursor.number()
    return kind


def _parse_files(cursor: Cursor, max_members: int) -> Files:
    count = cursor.number()
    if count > max_members:
        raise LimitExceededError(f"the archive states {count:,} members; the limit is {max_members:,}", where=cursor.where)
    if count > 1 and 2 * count > cursor.remaining:  # a single member may stand without a name
        raise cursor.damaged(f"{count:,} members cannot stand in {cursor.remaining:,} bytes")
    files = Files(count, empty=np.zeros(count, np.bool_), directory=np.zeros(count, np.bool_))
    empty_files: Flags | None = None
    while (kind := cursor.number()) != END:
        part = Cursor(cursor.take(cursor.number()), cursor.where)
        if kind == EMPTY_STREAM:
            files.empty = part.bits(count)
        elif kind == EMPTY_FILE:
            empty_files = part.bits(int(files.empty.sum()))
        elif kind == ANTI:
            if part.bits(int(files.empty.sum())).any():
                raise UnsupportedMethodError("7z anti items (deletions) are not supported", where=cursor.where)
        elif kind == NAMES:
            _parse_names(part, files)
        elif kind == MODIFIED:
            files.modified, files.has_modified = _parse_values(part, count, np.dtype("<u8"))
        elif kind == ATTRIBUTES:
            files.attributes, files.has_attributes = _parse_values(part, count, np.dtype("<u4"))
    if files.name_ends is None and count > 1:
        raise cursor.damaged("members without names")
    files.directory[files.empty] = True if empty_files is None else ~empty_files[: int(files.empty.sum())]
    return files


def _parse_names(part: Cursor, files: Files) -> None:
    part.inline()
    names = part.take(part.remaining)
    if len(names) % 2:
        raise part.damaged("names of an odd number of bytes")
    ends = np.flatnonzero(np.frombuffer(names, "<u2") == 0)
    if len(ends) != files.count or (files.count and 2 * int(ends[-1]) + 2 != len(names)):
        raise part.damaged(f"{len(ends):,} names for {files.count:,} members")
    files.names, files.name_ends = names, ends * 2


def _parse_values(part: Cursor, count: int, kind: np.dtype[np.unsignedinteger[npt.NBitBase]]) -> tuple[np.ndarray, Flags]:
    defined = part.defined(count)
    part.inline()
    values = np.zeros(count, kind)
    values[defined] = np.frombuffer(part.take(kind.itemsize * int(defined.sum())), kind)
    return values, defined
