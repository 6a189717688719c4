"""The columns of a 7z header → bytes: the inverse of `parse_header`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sxeslake.archive.sevenzip.format import (
    ATTRIBUTES,
    CRC,
    EMPTY_FILE,
    EMPTY_STREAM,
    ENCODED_HEADER,
    END,
    FILES,
    FOLDER,
    HEADER,
    MAIN_STREAMS,
    MODIFIED,
    NAMES,
    PACK_INFO,
    SIZE,
    STREAM_COUNTS,
    SUBSTREAMS,
    UNPACK_INFO,
    UNPACK_SIZES,
    FileColumns,
    Flags,
    FolderCoder,
    FolderCoders,
    Integers,
    Streams,
)

_RUN = 16_384  # numbers that stand in memory as objects


def number(value: int) -> bytes:
    """7z's own integer: `0x7F` → `7F`, `0x1234` → `92 34`: leading ones count the bytes that follow."""
    for extra in range(8):
        if value < 1 << 7 * (extra + 1):
            first = 0xFF00 >> extra & 0xFF | value >> 8 * extra
            return bytes((first,)) + (value & (1 << 8 * extra) - 1).to_bytes(extra, "little")
    return b"\xff" + value.to_bytes(8, "little")


def numbers(values: Integers) -> bytes:
    """Many numbers, one after another."""
    runs = (values[start : start + _RUN].tolist() for start in range(0, len(values), _RUN))
    return b"".join([b"".join(map(number, run)) for run in runs])


def _bits(flags: Flags) -> bytes:
    return np.packbits(flags).tobytes()


def _defined(flags: Flags) -> bytes:
    return b"\x01" if flags.all() else b"\x00" + _bits(flags)


def _checksums(crcs: npt.NDArray[np.uint32], defined: Flags) -> bytes:
    return number(CRC) + _defined(defined) + crcs[defined].astype("<u4").tobytes()


def _recipe(recipe: FolderCoders) -> bytes:
    """A chain of simple coders; the first packed input needs no mention."""
    parts = [number(len(recipe.coders)), *map(_coder, recipe.coders)]
    parts += [number(end) for bond in recipe.bonds for end in bond]
    return b"".join(parts)


def _coder(coder: FolderCoder) -> bytes:
    properties = number(len(coder.properties)) + coder.properties if coder.properties else b""
    return bytes((len(coder.method) | (0x20 if properties else 0),)) + coder.method + properties


def _streams(streams: Streams) -> bytes:
    """Pack info, folders, sub-streams and their end mark."""
    last = np.zeros(len(streams.sizes), np.bool_)
    counts = np.diff(streams.stream_starts)
    last[streams.stream_starts[1:][counts > 0] - 1] = True
    parts = [
        number(PACK_INFO) + number(streams.pack_position) + number(len(streams.pack_sizes)),
        number(SIZE) + numbers(streams.pack_sizes) + number(END),
        number(UNPACK_INFO) + number(FOLDER) + number(len(streams.recipes)) + b"\x00",
        *map(_recipe, streams.recipes),
        number(UNPACK_SIZES) + numbers(streams.coder_sizes),
        _checksums(streams.folder_crcs, streams.folder_has_crc) if streams.folder_has_crc.any() else b"",
        number(END),
    ]
    open_crc = np.ones(len(streams.sizes), np.bool_)
    open_crc[streams.stream_starts[:-1][(counts == 1) & streams.folder_has_crc]] = False
    if (counts != 1).any() or open_crc.any():
        parts.append(number(SUBSTREAMS))
        parts.append(number(STREAM_COUNTS) + numbers(counts) if (counts != 1).any() else b"")
        parts.append(number(SIZE) + numbers(streams.sizes[~last]) if not last.all() else b"")
        parts.append(_checksums(streams.crcs[open_crc], streams.has_crc[open_crc]) if open_crc.any() else b"")
        parts.append(number(END))
    parts.append(number(END))
    return b"".join(parts)


def _property(kind: int, content: bytes) -> bytes:
    return number(kind) + number(len(content)) + content


def _values(kind: int, values: npt.NDArray[np.unsignedinteger] | None, defined: Flags | None) -> bytes:
    if values is None or defined is None or not defined.any():
        return b""
    little = values[defined].astype(values.dtype.newbyteorder("<"))
    return _property(kind, _defined(defined) + b"\x00" + little.tobytes())


def _files(files: FileColumns) -> Iterator[bytes | memoryview]:
    yield number(files.count)
    if files.empty.any():
        yield _property(EMPTY_STREAM, _bits(files.empty))
        empty_files = ~files.directory[files.empty]
        if empty_files.any():
            yield _property(EMPTY_FILE, _bits(empty_files))
    yield number(NAMES) + number(1 + len(files.names)) + b"\x00"
    yield files.names
    yield _values(MODIFIED, files.modified, files.has_modified)
    yield _values(ATTRIBUTES, files.attributes, files.has_attributes)
    yield number(END)


def header_parts(streams: Streams, files: FileColumns) -> Iterator[bytes | memoryview]:
    """A plain header, from its `HEADER` id to its end mark, in parts: half a million names are not copied."""
    yield number(HEADER)
    if streams.recipes:
        yield number(MAIN_STREAMS) + _streams(streams)
    yield number(FILES)
    yield from _files(files)
    yield number(END)


def serialise_encoded_header(streams: Streams) -> bytes:
    """The stub that says where the packed header stands."""
    return number(ENCODED_HEADER) + _streams(streams)
