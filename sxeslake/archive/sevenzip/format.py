"""The words of the 7z format, and its header as columns: 500,000 members cost megabytes, not objects.

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

from sxeslake.errors import DamagedArchiveError, UnsupportedMethodError

Integers = npt.NDArray[np.int64]
Checksums = npt.NDArray[np.uint32]
Times = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

SIGNATURE: Final = b"7z\xbc\xaf\x27\x1c"
SIGNATURE_HEADER_BYTES: Final = 32
DIRECTORY_ATTRIBUTE: Final = 0x10
ARCHIVE_ATTRIBUTE: Final = 0x20  # what Windows gives every ordinary file

MAX_CODERS: Final = 32  # in a folder; 7-Zip's own bound
MAX_CODER_STREAMS: Final = 32
MAX_TOTAL_BYTES: Final = 1 << 62  # sums of sizes must stay far from the sign bit of their columns

END, HEADER, ARCHIVE_PROPERTIES, ADDITIONAL_STREAMS, MAIN_STREAMS, FILES, PACK_INFO, UNPACK_INFO = range(8)
SUBSTREAMS, SIZE, CRC, FOLDER, UNPACK_SIZES, STREAM_COUNTS, EMPTY_STREAM, EMPTY_FILE, ANTI, NAMES = range(8, 18)
CREATED, ACCESSED, MODIFIED, ATTRIBUTES, COMMENT, ENCODED_HEADER, START_POSITION, DUMMY = range(18, 26)


class FolderCoder(NamedTuple):
    """One step of a folder's chain: method id `030101` (LZMA), its properties, how many streams go in and out."""

    method: bytes
    properties: bytes = b""
    inputs: int = 1
    outputs: int = 1


@dataclass(frozen=True, slots=True)
class FolderCoders:
    """How a folder is decoded: coders, bonds (input ← output) between them, inputs fed by packed streams."""

    coders: tuple[FolderCoder, ...]
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


def integers(count: int = 0) -> Integers:
    return np.zeros(count, np.int64)


def starts_of(counts: Integers) -> Integers:
    """`[2, 3]` → `[0, 2, 5]`: where each run begins, and the end of the last."""
    return np.concatenate((integers(1), np.cumsum(counts)))


@dataclass(slots=True)
class Streams:
    """Packed streams, folders and the streams (member contents) in them, by column."""

    pack_position: int = 0
    pack_sizes: Integers = field(default_factory=integers)
    pack_starts: Integers = field(default_factory=lambda: integers(1))
    recipes: list[FolderCoders] = field(default_factory=list)
    coder_sizes: Integers = field(default_factory=integers)
    coder_starts: Integers = field(default_factory=lambda: integers(1))
    folder_sizes: Integers = field(default_factory=integers)
    folder_crcs: Checksums = field(default_factory=lambda: np.zeros(0, np.uint32))
    folder_has_crc: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))
    folder_pack_starts: Integers = field(default_factory=lambda: integers(1))
    stream_starts: Integers = field(default_factory=lambda: integers(1))
    sizes: Integers = field(default_factory=integers)
    crcs: Checksums = field(default_factory=lambda: np.zeros(0, np.uint32))
    has_crc: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))


@dataclass(slots=True)
class FileColumns:
    """The members, by column. `names` is UTF-16-LE, NUL after each; name i ends at `name_ends[i]`."""

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
        return DamagedArchiveError(f"the 7z header is inconsistent: {what}", where=self.where)

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
            raise self.damaged(f"{count:,} {what} do not fit in {self.remaining:,} bytes")
        return count

    def numbers(self, count: int) -> Integers:
        """`count` numbers, each below 2⁶²."""
        if count > self.remaining:
            raise self.damaged(f"{count:,} numbers do not fit in {self.remaining:,} bytes")
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
