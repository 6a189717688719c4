"""From a file to the columns of its 7z header: signature, start header, encoded headers; bounded, then believed."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Final

from sxeslake.archive.base import PROGRAM_MAGICS
from sxeslake.archive.keyring import Keyring
from sxeslake.archive.ranged_file import PackedStream, RangedFile
from sxeslake.archive.sevenzip.aes import check_keys, is_encrypted
from sxeslake.archive.sevenzip.coders import check_supported, open_folder
from sxeslake.archive.sevenzip.format import (
    ENCODED_HEADER,
    HEADER,
    SIGNATURE,
    SIGNATURE_HEADER_BYTES,
    Cursor,
    FileColumns,
    StartHeader,
    Streams,
    parse_start_header,
)
from sxeslake.archive.sevenzip.parser import parse_header, parse_streams
from sxeslake.archive.stages import ByteSource
from sxeslake.errors import DamagedArchiveError, InputError, LimitExceededError, NotAnArchiveError
from sxeslake.model import GIB, MIB, Limits

STUB_BYTES: Final = 2 * MIB  # a self-extracting program before the archive is smaller than this
MAX_HEADER_BYTES: Final = GIB  # some 8 million members
HEADER_RATIO: Final = 200  # of a header to its packed form; names and times hardly reach 30
HEADER_RATIO_FLOOR_BYTES: Final = 64 * MIB
MAX_HEADER_DEPTH: Final = 4  # encoded headers within encoded headers


def read_exactly(source: ByteSource, size: int) -> bytes:
    """`size` bytes, or DamagedArchiveError where the source ends before."""
    parts: list[bytes] = []
    left = size
    while left and (part := source.read(left)):
        parts.append(part)
        left -= len(part)
    if left:
        raise DamagedArchiveError(f"the packed data ends {left:,} bytes early")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def open_header(file: RangedFile, limits: Limits, keyring: Keyring | None = None) -> tuple[int, Streams, FileColumns]:
    """Where packed streams are counted from, and the header's columns; an encrypted one finds its password."""
    keyring = keyring or Keyring()
    base, start = find_start(file)
    body = base + SIGNATURE_HEADER_BYTES
    if start.size == 0:
        return body, Streams(), FileColumns()
    if body + start.offset + start.size > file.size:
        raise DamagedArchiveError("the 7z archive is cut off: its header would begin after its end", where=file.path)
    if start.size > MAX_HEADER_BYTES:
        raise LimitExceededError(f"a 7z header of {start.size:,} bytes", where=file.path)
    data = file.read(body + start.offset, start.size)
    if zlib.crc32(data) != start.crc:
        raise DamagedArchiveError("the 7z header fails its CRC", where=file.path)
    for _ in range(MAX_HEADER_DEPTH):
        cursor = Cursor(data, file.path)
        kind = cursor.number()
        if kind == HEADER:
            streams, files = parse_header(cursor, max_members=limits.members)
            _check_extent(file, body, streams)
            return body, streams, files
        if kind != ENCODED_HEADER:
            raise cursor.damaged(f"it begins with property {kind:#x}")
        data = _decode_header(file, body, parse_streams(cursor), keyring)
    raise DamagedArchiveError("7z headers are nested too deeply", where=file.path)


def end_of(file: RangedFile, body: int) -> int:
    """Where the archive ends: behind its header; `body` is where its packed streams are counted from."""
    start = parse_start_header(file.read(body - SIGNATURE_HEADER_BYTES, SIGNATURE_HEADER_BYTES), file.path)
    return body + start.offset + start.size


def find_start(file: RangedFile) -> tuple[int, StartHeader]:
    """The archive's first byte, also behind the program of a self-extracting archive."""
    head = file.read(0, SIGNATURE_HEADER_BYTES)
    if head.startswith(SIGNATURE):
        return 0, parse_start_header(head, file.path)
    if head.startswith(PROGRAM_MAGICS):
        stub = file.read(0, STUB_BYTES)
        base = stub.find(SIGNATURE)
        while base >= 0:
            try:
                return base, parse_start_header(file.read(base, SIGNATURE_HEADER_BYTES), file.path)
            except InputError:  # the program's own copy of the signature
                base = stub.find(SIGNATURE, base + 1)
    raise NotAnArchiveError("this is not a 7z archive", where=file.path)


def _check_extent(file: RangedFile, body: int, streams: Streams) -> None:
    if body + streams.pack_position + int(streams.pack_starts[-1]) > file.size:
        raise DamagedArchiveError("the 7z archive is cut off: packed data would begin after its end", where=file.path)


def folder_source(file: RangedFile, body: int, streams: Streams, folder: int) -> tuple[ByteSource, list[int]]:
    """The packed bytes of a folder, and the unpack sizes of its coders."""
    first = int(streams.folder_pack_starts[folder])
    offset = body + streams.pack_position + int(streams.pack_starts[first])
    begin, end = streams.coder_starts[folder : folder + 2]
    return PackedStream(file, offset, int(streams.pack_sizes[first])), streams.coder_sizes[begin:end].tolist()


def _decode_header(file: RangedFile, body: int, streams: Streams, keyring: Keyring) -> bytes:
    """Unpack an encoded header; its size is believed only as far as its packed size allows."""
    if len(streams.recipes) != 1:
        raise DamagedArchiveError(f"an encoded 7z header of {len(streams.recipes)} folders", where=file.path)
    _check_extent(file, body, streams)
    (recipe,) = streams.recipes

    def unpacked(password: str | None) -> bytes:
        source, sizes = folder_source(file, body, streams, 0)
        data = read_exactly(open_folder(recipe, sizes, source, password), int(streams.folder_sizes[0]))
        if streams.folder_has_crc[0] and zlib.crc32(data) != int(streams.folder_crcs[0]):
            raise DamagedArchiveError("it fails its CRC")
        if password is not None and not streams.folder_has_crc[0]:
            _check_sense(data, file.path)
        return data

    try:
        check_supported(recipe, keyring.password)
        packed = int(streams.pack_sizes[0])
        most = min(MAX_HEADER_BYTES, max(HEADER_RATIO_FLOOR_BYTES, HEADER_RATIO * packed))
        largest = max(folder_source(file, body, streams, 0)[1])
        if largest > most:
            raise LimitExceededError(f"{packed:,} bytes of header unpack to {largest:,}")
        if not is_encrypted(recipe):
            return unpacked(None)
        check_keys([recipe])
        return keyring.unlock(unpacked)
    except InputError as error:
        raise type(error)(f"the 7z header: {error.what}", where=file.path, hint=error.hint) from error


def _check_sense(data: bytes, path: Path) -> None:
    """Refuse what is no header: py7zr encrypts headers without a CRC."""
    cursor = Cursor(data, path)
    kind = cursor.number()
    if kind == ENCODED_HEADER:
        parse_streams(cursor)
    elif kind == HEADER:
        parse_header(cursor, max_members=MAX_HEADER_BYTES)
    else:
        raise cursor.damaged(f"it begins with property {kind:#x}")
