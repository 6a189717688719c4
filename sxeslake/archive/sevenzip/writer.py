"""Writing 7z: blocks of consecutive members, encoded in parallel, written in order; the same input, the same bytes.

With a password each packed stream is encrypted as it is written, the header too; then no two archives are the same.
"""

from __future__ import annotations

import lzma
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from sxeslake.archive.attributes import expressible
from sxeslake.archive.deflate import crc32, deflate, deflate_block, steady_level
from sxeslake.archive.sevenzip.aes import Encryptor, encrypted
from sxeslake.archive.sevenzip.format import (
    ARCHIVE_ATTRIBUTE,
    DIRECTORY_ATTRIBUTE,
    SIGNATURE_HEADER_BYTES,
    FileColumns,
    FolderCoder,
    FolderCoders,
    StartHeader,
    Streams,
    start_header,
)
from sxeslake.archive.sevenzip.methods import COPY, DEFLATE, LZMA2
from sxeslake.archive.sevenzip.serialiser import header_parts, serialise_encoded_header
from sxeslake.archive.times import filetime_of_ns, ns_of_dos
from sxeslake.errors import UnsafeNameError, UsageError
from sxeslake.machine.concurrency import OrderedPool, in_order, usable_cpus
from sxeslake.model import KIB, MIB, Member

ENCODER_BUDGET_BYTES: Final = 400 * MIB  # for all LZMA2 encoders at once; the process stays below 600 MB
ENCODER_BYTES_PER_DICTIONARY_BYTE: Final = 12  # liblzma's binary trees: 11.5, and a little
PLAIN_HEADER_BYTES: Final = 4 * KIB  # a larger header is packed
HEADER_LEVEL: Final = 1  # names and CRCs: higher levels gain little and take long
HEADER_BLOCK_BYTES: Final = MIB  # its encoder takes 12 MiB; one for 4 MiB takes 50, and gains nothing to speak of


class _LevelMethod(NamedTuple):
    """What a level means."""

    block_bytes: int
    recipe: Callable[[int], FolderCoders]  # for a folder whose largest block is so long
    encode: Callable[[bytes, bool], bytes]  # a block, and whether it is its folder's last
    threads: int


def _simple(coder: FolderCoder) -> FolderCoders:
    return FolderCoders((coder,))


def _dictionary_step(size: int) -> int:
    """The smallest LZMA2 property whose dictionary holds `size` bytes: 4 KiB is 0, 6 KiB 1, 8 KiB 2 …"""
    return next((step for step in range(40) if (2 | step & 1) << (step // 2 + 11) >= size), 40)


def lzma2_run(data: bytes, last: bool, *, level: int) -> bytes:
    """One LZMA2 run. It begins with a reset and ends with a zero byte: without that, the next run may follow."""
    step = _dictionary_step(len(data))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": (2 | step & 1) << (step // 2 + 11)}]
    packed = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
    return packed if last else packed[:-1]


def _method(level: int, threads: int) -> _LevelMethod:
    """Level 0 copies, 1–3 are ISA-L's deflate, 4–9 LZMA2 with a dictionary as large as its block."""
    if level == 0:
        return _LevelMethod(4 * MIB, lambda _: _simple(FolderCoder(COPY)), lambda data, _: data, 1)
    if level <= 3:
        steady = steady_level(level)
        return _LevelMethod(
            4 * MIB,
            lambda _: _simple(FolderCoder(DEFLATE)),
            lambda data, last: deflate(data, steady) if last else deflate_block(data, steady, last=False),
            threads,
        )
    block = (8 if level <= 6 else 16) * MIB
    return _LevelMethod(
        block,
        lambda size: _simple(FolderCoder(LZMA2, bytes((_dictionary_step(size),)))),
        lambda data, last: lzma2_run(data, last, level=level),
        max(1, min(threads, ENCODER_BUDGET_BYTES // (ENCODER_BYTES_PER_DICTIONARY_BYTE * block))),
    )


@dataclass(slots=True)
class _Folder:
    """One folder being written."""

    recipe: FolderCoders
    size: int
    encryptor: Encryptor | None = None
    encoded: int = 0  # bytes before they are encrypted
    packed: int = 0
    crcs: array[int] = field(default_factory=lambda: array("I"))

    @property
    def coder_sizes(self) -> tuple[int, ...]:
        """What comes out of each coder."""
        return (self.size,) if self.encryptor is None else (self.encoded, self.size)


class _EncodedFolder(NamedTuple):
    """What a thread has made for a folder: packed bytes, and the CRC-32 of the members in them."""

    folder: _Folder
    data: bytes
    crcs: list[int]
    last: bool = True


@dataclass(slots=True)
class _MemberTable:
    """Columns of the members added so far."""

    names: bytearray = field(default_factory=bytearray)
    name_ends: array[int] = field(default_factory=lambda: array("q"))
    empty: bytearray = field(default_factory=bytearray)
    directory: bytearray = field(default_factory=bytearray)
    modified: array[int] = field(default_factory=lambda: array("Q"))
    has_modified: bytearray = field(default_factory=bytearray)
    attributes: array[int] = field(default_factory=lambda: array("L"))
    has_attributes: bool = False

    def add(self, member: Member) -> None:
        """One more row."""
        try:
            self.names += member.path.encode("utf-16-le")
        except UnicodeEncodeError as error:
            raise UnsafeNameError(f"the name {member.path!r} is not valid text") from error
        self.name_ends.append(len(self.names))
        self.names += b"\x00\x00"
        is_directory = member.kind == "directory"
        self.empty.append(is_directory or not member.size)
        self.directory.append(is_directory)
        filetime = _filetime(member)
        self.modified.append(filetime or 0)
        self.has_modified.append(filetime is not None)
        attributes = expressible(member.attributes, is_directory=is_directory, size=member.size)
        self.has_attributes = self.has_attributes or is_directory or attributes is not None
        if is_directory:  # it always says so: some readers look nowhere else
            attributes = (attributes or 0) | DIRECTORY_ATTRIBUTE
        self.attributes.append(ARCHIVE_ATTRIBUTE if attributes is None else attributes)

    def files(self) -> FileColumns:
        """The rows as the serialiser takes them. Attributes go to all or none: libarchive reads no part of them."""
        return FileColumns(
            count=len(self.name_ends),
            names=memoryview(self.names),
            name_ends=np.array(self.name_ends, np.int64),
            empty=np.frombuffer(self.empty, np.bool_),
            directory=np.frombuffer(self.directory, np.bool_),
            modified=np.array(self.modified, np.uint64),
            has_modified=np.frombuffer(self.has_modified, np.bool_),
            attributes=np.array(self.attributes, np.uint32),
            has_attributes=np.full(len(self.name_ends), self.has_attributes),
        )


def _filetime(member: Member) -> int | None:
    if member.modified_ns is not None:
        return filetime_of_ns(member.modified_ns)
    return None if member.dos_time is None else filetime_of_ns(ns_of_dos(member.dos_time))


class SevenZipWriter:
    """A 7z archive that is being written to a seekable file; complete only after `close`.

    Parameters
    ----------
    level
        0 copies; 1 to 3 are fast deflate; 4 to 9 LZMA2, smaller and slower.
    threads
        How many encode at once; by default all processors. The bytes do not depend on it.
    password
        Encrypts contents and names with AES-256.
    """

    def __init__(self, out: BinaryIO, *, level: int, threads: int | None = None, password: str | None = None) -> None:
        if not 0 <= level <= 9:
            raise UsageError(f"level {level} is not one of 0 to 9")
        if password == "":
            raise UsageError("a password is not empty.")
        self._out, self._password = out, password
        self._base = out.tell()
        self._method = _method(level, threads or usable_cpus())
        in_flight = self._method.threads + (1 if level > 3 else 2)
        self._pool: OrderedPool[list[_EncodedFolder]] = OrderedPool(
            self._take, threads=self._method.threads, in_flight=in_flight
        )
        self._table = _MemberTable()
        self._folders: list[_Folder] = []
        self._sizes = array("q")
        self._counts = array("q")
        self._block: list[list[bytes]] = []  # runs of contents with no empty member between them
        self._block_bytes = 0
        self._gap = False
        self._packed = 0
        out.write(bytes(SIGNATURE_HEADER_BYTES))

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """Append a member; `data` is consumed inside the call and must be `member.size` bytes."""
        if member.kind == "directory" or not member.size:
            _content(member, data)
            self._gap = True
        elif member.size > self._method.block_bytes:
            self._flush()
            self._add_large(member, data)
        else:
            content = _content(member, data)
            if self._block_bytes + member.size > self._method.block_bytes:
                self._flush()
            if self._gap or not self._block:
                self._block.append([])
                self._gap = False
            self._block[-1].append(content)
            self._block_bytes += member.size
            self._sizes.append(member.size)
        self._table.add(member)

    def _flush(self, *, closing: bool = False) -> None:
        """Hand the block to the pool.

        Each run is a folder of its own: py7zr loses members of a folder that an empty member interrupts, unless it
        is the only folder.
        """
        runs = self._block
        if closing and not self._folders:
            runs = [[content for run in runs for content in run]] if runs else []
        if runs:
            sizes = [sum(map(len, run)) for run in runs]
            folders = [self._folder(size, size, len(run)) for size, run in zip(sizes, runs, strict=True)]
            self._pool.submit(_encode_block, folders, runs, self._method.encode)
        self._block, self._block_bytes = [], 0

    def _folder(self, size: int, block: int, count: int) -> _Folder:
        encryptor, recipe = self._encryption(self._method.recipe(block))
        folder = _Folder(recipe, size, encryptor)
        self._folders.append(folder)
        self._counts.append(count)
        return folder

    def _encryption(self, recipe: FolderCoders) -> tuple[Encryptor | None, FolderCoders]:
        """What encrypts a packed stream, if anything does, and the recipe of its folder."""
        if self._password is None:
            return None, recipe
        encryptor = Encryptor(self._password)
        return encryptor, encrypted(recipe, encryptor.coder)

    def _add_large(self, member: Member, data: Iterable[bytes]) -> None:
        """A folder of its own, encoded in blocks that decoders take for one stream."""
        size, block = member.size, self._method.block_bytes
        folder = self._folder(size, block, 1)
        self._sizes.append(size)
        crc = done = 0
        for content in _blocks(data, block):
            crc = crc32(content, crc)
            done += len(content)
            if done > size:
                break
            self._pool.submit(_encode_part, folder, content, self._method.encode, done == size)
        if done != size:
            raise _wrong_size(member, done)
        folder.crcs.append(crc)

    def _take(self, encoded: list[_EncodedFolder]) -> None:
        """Write what the pool has encoded."""
        for folder, data, crcs, last in encoded:
            folder.encoded += len(data)
            if folder.encryptor is not None:
                data = folder.encryptor.take(data, last=last)  # noqa: PLW2901
            self._out.write(data)
            folder.packed += len(data)
            folder.crcs.extend(crcs)
            self._packed += len(data)

    def close(self) -> None:
        """Write the header, then the first 32 bytes that make the file an archive; the file stays open."""
        self._flush(closing=True)
        self._pool.close()
        parts = list(header_parts(self._streams(), self._table.files())) if self._table.name_ends else []
        is_plain = sum(map(len, parts)) <= PLAIN_HEADER_BYTES and (self._password is None or not parts)
        header = b"".join(parts) if is_plain else self._packed_header(parts)
        self._out.write(header)
        end = self._out.tell()
        start = StartHeader(self._packed if header else 0, len(header), crc32(header))
        self._out.seek(self._base)
        self._out.write(start_header(start))
        self._out.seek(end)

    def _streams(self) -> Streams:
        folders = self._folders
        sizes = np.array([folder.size for folder in folders], np.int64)
        crcs = np.concatenate([np.zeros(0, np.uint32), *(np.array(folder.crcs, np.uint32) for folder in folders)])
        return Streams(
            pack_sizes=np.array([folder.packed for folder in folders], np.int64),
            recipes=[folder.recipe for folder in folders],
            coder_sizes=np.array([size for folder in folders for size in folder.coder_sizes], np.int64),
            folder_sizes=sizes,
            folder_crcs=np.zeros(len(folders), np.uint32),
            folder_has_crc=np.zeros(len(folders), np.bool_),
            stream_starts=np.concatenate(([0], np.cumsum(np.array(self._counts, np.int64)))).astype(np.int64),
            sizes=np.array(self._sizes, np.int64),
            crcs=crcs,
            has_crc=np.ones(len(crcs), np.bool_),
        )

    def _packed_header(self, parts: Sequence[bytes | memoryview]) -> bytes:
        """Write the header as one more packed stream; gives the stub that finds it."""
        total, crc = sum(map(len, parts)), 0
        for part in parts:
            crc = crc32(part, crc)
        blocks = zip(range(0, total, HEADER_BLOCK_BYTES), _blocks(parts, HEADER_BLOCK_BYTES), strict=True)
        jobs = (
            partial(lzma2_run, block, at + len(block) == total, level=HEADER_LEVEL) for at, block in blocks
        )  # fmt: skip
        packed = b"".join(in_order(jobs, threads=self._method.threads))
        size = np.array([total], np.int64)
        step = _dictionary_step(min(total, HEADER_BLOCK_BYTES))
        encryptor, recipe = self._encryption(_simple(FolderCoder(LZMA2, bytes((step,)))))
        coder_sizes = size
        if encryptor is not None:
            coder_sizes = np.array([len(packed), total], np.int64)
            packed = encryptor.take(packed, last=True)
        streams = Streams(
            pack_position=self._packed,
            pack_sizes=np.array([len(packed)], np.int64),
            recipes=[recipe],
            coder_sizes=coder_sizes,
            folder_sizes=size,
            folder_crcs=np.array([crc], np.uint32),
            folder_has_crc=np.ones(1, np.bool_),
            stream_starts=np.array([0, 1], np.int64),
            sizes=size,
            crcs=np.array([crc], np.uint32),
            has_crc=np.ones(1, np.bool_),
        )
        self._out.write(packed)
        self._packed += len(packed)
        return serialise_encoded_header(streams)


def _content(member: Member, data: Iterable[bytes]) -> bytes:
    content = b"".join(data)
    if len(content) != member.size:
        raise _wrong_size(member, len(content))
    return content


def _wrong_size(member: Member, found: int) -> UsageError:
    return UsageError(f"{member.path!r} was announced with {member.size:,} bytes, {found:,} came")


def _blocks(data: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """The same bytes in runs of `size`."""
    held: list[bytes] = []
    length = 0
    for chunk in data:
        view = memoryview(chunk)
        while length + len(view) >= size:
            cut = size - length
            yield b"".join((*held, view[:cut]))
            held, length, view = [], 0, view[cut:]
        if view:
            held.append(bytes(view))
            length += len(view)
    if held:
        yield b"".join(held)


def _encode_block(
    folders: list[_Folder], runs: list[list[bytes]], encode: Callable[[bytes, bool], bytes]
) -> list[_EncodedFolder]:
    """Folders in one go, and the CRC-32 of each member in them."""
    return [
        _EncodedFolder(folder, encode(b"".join(run), True), [crc32(content) for content in run])
        for folder, run in zip(folders, runs, strict=True)
    ]


def _encode_part(
    folder: _Folder, content: bytes, encode: Callable[[bytes, bool], bytes], last: bool
) -> list[_EncodedFolder]:
    """One block of a large member; its CRC-32 runs over all blocks and is made elsewhere."""
    return [_EncodedFolder(folder, encode(content, last), [], last)]
