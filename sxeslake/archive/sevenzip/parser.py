"""A plain 7z header → columns. Every count is checked against the bytes that could back it before it allocates."""

from __future__ import annotations

from typing import Final

import numpy as np

from sxeslake.archive.sevenzip.format import (
    ADDITIONAL_STREAMS,
    ANTI,
    ARCHIVE_PROPERTIES,
    ATTRIBUTES,
    CRC,
    EMPTY_FILE,
    EMPTY_STREAM,
    END,
    FILES,
    FOLDER,
    MAIN_STREAMS,
    MAX_CODER_STREAMS,
    MAX_CODERS,
    MAX_TOTAL_BYTES,
    MODIFIED,
    NAMES,
    PACK_INFO,
    SIZE,
    STREAM_COUNTS,
    SUBSTREAMS,
    UNPACK_INFO,
    UNPACK_SIZES,
    Cursor,
    FileColumns,
    Flags,
    FolderCoder,
    FolderCoders,
    Integers,
    Streams,
    integers,
    starts_of,
)
from sxeslake.errors import LimitExceededError, UnsupportedMethodError

_NAMELESS: Final = 1024  # members at most that may have no names


def parse_header(cursor: Cursor, *, max_members: int) -> tuple[Streams, FileColumns]:
    """All that follows the `HEADER` id of a plain (decoded) header."""
    streams, files = Streams(), FileColumns()
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
        raise cursor.damaged("implausibly large packed sizes")
    streams.pack_starts = starts_of(streams.pack_sizes)


def _parse_folders(cursor: Cursor, streams: Streams) -> None:
    cursor.expect(FOLDER, "folders")
    count = cursor.count("folders", bytes_each=2)
    cursor.inline()
    recipes: list[FolderCoders] = []
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
    streams.coder_starts = starts_of(shape[:, 0])
    streams.folder_sizes = streams.coder_sizes[streams.coder_starts[:-1] + shape[:, 1]]
    streams.folder_pack_starts = starts_of(shape[:, 2])
    streams.folder_crcs, streams.folder_has_crc = np.zeros(count, np.uint32), np.zeros(count, np.bool_)
    kind = cursor.number()
    if kind == CRC:
        streams.folder_crcs, streams.folder_has_crc = cursor.checksums(count)
        kind = cursor.number()
    if kind != END:
        raise cursor.damaged(f"unknown folder property {kind:#x}")
    if int(streams.folder_pack_starts[-1]) > len(streams.pack_sizes):
        raise cursor.damaged("folders need more packed streams than there are")
    if float(streams.folder_sizes.sum(dtype=np.float64)) > MAX_TOTAL_BYTES:
        raise cursor.damaged("implausibly large unpacked sizes")


def _parse_recipe(cursor: Cursor) -> FolderCoders:
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
    return FolderCoders(coders, bonds, packed)


def _parse_coder(cursor: Cursor) -> FolderCoder:
    flags = cursor.byte()
    if flags & 0xC0:
        raise cursor.damaged("reserved bits in a coder")
    method = bytes(cursor.take(flags & 0x0F)) or b"\x00"
    inputs, outputs = (cursor.number(), cursor.number()) if flags & 0x10 else (1, 1)
    if max(inputs, outputs) > MAX_CODER_STREAMS:
        raise cursor.damaged(f"a coder of {inputs:,} inputs and {outputs:,} outputs")
    return FolderCoder(method, bytes(cursor.take(cursor.number())) if flags & 0x20 else b"", inputs, outputs)


def _parse_substreams(cursor: Cursor, streams: Streams, counts: Integers, kind: int) -> int:
    """Sizes and CRCs of the streams; returns the property that follows them."""
    total = int(counts.sum(dtype=np.float64))
    if total - len(counts) > cursor.remaining:
        raise cursor.damaged(f"{total:,} contents do not fit in {cursor.remaining:,} bytes")
    starts = starts_of(counts)
    last = np.zeros(total, np.bool_)
    last[starts[1:][counts > 0] - 1] = True
    sizes = integers(total)
    if kind == SIZE:
        sizes[~last] = cursor.numbers(total - int(last.sum()))
        kind = cursor.number()
    elif not last.all():
        raise cursor.damaged("members share a folder, but their sizes are missing")
    if float(sizes.sum(dtype=np.float64)) > MAX_TOTAL_BYTES:
        raise cursor.damaged("implausibly large member sizes")
    running = starts_of(sizes)
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


def _parse_files(cursor: Cursor, max_members: int) -> FileColumns:
    count = cursor.number()
    if count > max_members:
        what = f"the archive states {count:,} members; the limit is {max_members:,}"
        raise LimitExceededError(what, where=cursor.where, hint="Raise the limit if you trust the archive.")
    if count > _NAMELESS and 2 * count > cursor.remaining:  # a few members may stand without names
        raise cursor.damaged(f"{count:,} members do not fit in {cursor.remaining:,} bytes")
    files = FileColumns(count, empty=np.zeros(count, np.bool_), directory=np.zeros(count, np.bool_))
    empty_files = np.zeros(0, np.bool_)
    while (kind := cursor.number()) != END:
        part = Cursor(cursor.take(cursor.number()), cursor.where)
        if kind == EMPTY_STREAM:
            files.empty = part.bits(count)
            empty_files = np.zeros(int(files.empty.sum()), np.bool_)
        elif kind == EMPTY_FILE:
            empty_files = part.bits(len(empty_files))
        elif kind == ANTI and part.bits(len(empty_files)).any():
            raise UnsupportedMethodError("7z anti items (deletions) are not supported", where=cursor.where)
        else:
            _parse_property(part, kind, files)
    files.directory[files.empty] = ~empty_files
    return files


def _parse_property(part: Cursor, kind: int, files: FileColumns) -> None:
    """Names, times, attributes; what else there may be (other times, padding) says nothing we keep."""
    if kind == NAMES:
        _parse_names(part, files)
    elif kind == MODIFIED:
        defined = _parse_defined(part, files.count)
        files.modified, files.has_modified = np.zeros(files.count, np.uint64), defined
        files.modified[defined] = np.frombuffer(part.take(8 * int(defined.sum())), "<u8")
    elif kind == ATTRIBUTES:
        defined = _parse_defined(part, files.count)
        files.attributes, files.has_attributes = np.zeros(files.count, np.uint32), defined
        files.attributes[defined] = np.frombuffer(part.take(4 * int(defined.sum())), "<u4")


def _parse_defined(part: Cursor, count: int) -> Flags:
    defined = part.defined(count)
    part.inline()
    return defined


def _parse_names(part: Cursor, files: FileColumns) -> None:
    part.inline()
    names = part.take(part.remaining)
    if len(names) % 2:
        raise part.damaged("names of an odd number of bytes")
    ends = np.flatnonzero(np.frombuffer(names, "<u2") == 0)
    if len(ends) != files.count or (files.count and 2 * int(ends[-1]) + 2 != len(names)):
        raise part.damaged(f"{len(ends):,} names for {files.count:,} members")
    files.names, files.name_ends = names, ends * 2
