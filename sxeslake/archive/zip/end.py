"""The end of a zip: where its central directory stands, whatever was put before or behind the archive."""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

from sxeslake.archive.ranged_file import RangedFile
from sxeslake.archive.zip import format as zip_format
from sxeslake.archive.zip.format import END, END64, LOCATOR64, MAX_16, MAX_32
from sxeslake.errors import DamagedArchiveError, UnsupportedMethodError

TAIL_BYTES: Final = END.size + MAX_16


class DirectoryPlace(NamedTuple):
    """Where the central directory stands, and what was put before the zip."""

    start: int
    size: int
    members: int
    count_is_16_bit: bool
    shift: int  # bytes prepended that the offsets do not know of
    comment: bytes
    behind: int  # bytes after the archive's end


def locate(file: RangedFile) -> DirectoryPlace:
    """Find the end records; a DamagedArchiveError says what a truncated or multi-part file lacks."""
    tail_at = max(0, file.size - TAIL_BYTES)
    tail = file.read(tail_at, file.size - tail_at)
    at = _end_record(tail)
    if at is None:
        raise DamagedArchiveError(
            "truncated: the zip's central directory is missing",
            where=file.path,
            hint="Copy the file again from where it came.",
        )
    _, disk, first_disk, here, count, size, start, comment_size = END.unpack_from(tail, at)
    behind = len(tail) - (at + END.size + comment_size)
    comment = tail[at + END.size : at + END.size + comment_size]
    end_at = tail_at + at
    needed = MAX_16 in (disk, first_disk, here, count) or MAX_32 in (size, start)
    wide = _zip64(file, end_at, needed=needed)
    if wide is not None:
        end_at, record = wide
        disk = record[4] if disk == MAX_16 else disk
        first_disk = record[5] if first_disk == MAX_16 else first_disk
        here = record[6] if here == MAX_16 else here
        size = record[8] if size == MAX_32 else size
        start = record[9] if start == MAX_32 else start
        count_is_16_bit = count != MAX_16
        count = count if count_is_16_bit else record[7]
    else:
        count_is_16_bit = True
    if disk or first_disk or here != count:
        raise UnsupportedMethodError(
            "one part of a zip that was split over several files", where=file.path, hint="Join the parts first."
        )
    actual = end_at - size
    shift = _shift(file, start, actual, size)
    return DirectoryPlace(start + shift, size, count, count_is_16_bit, shift, comment, behind)


def _end_record(tail: bytes) -> int | None:
    """The last end record whose comment reaches the file's end; else the last that is whole."""
    fallback: int | None = None
    at = tail.rfind(zip_format.END_MAGIC)
    while at >= 0:
        if at + END.size <= len(tail):
            end = at + END.size + struct.unpack_from("<H", tail, at + 20)[0]
            if end == len(tail):
                return at
            if fallback is None and end < len(tail):
                fallback = at  # something was appended to the archive
        at = tail.rfind(zip_format.END_MAGIC, 0, at)
    return fallback


def _zip64(file: RangedFile, end_at: int, *, needed: bool) -> tuple[int, tuple[Any, ...]] | None:
    """The zip64 end record and its position, where a locator stands before the end record.

    The same four bytes can end a name or a comment there: a locator is one that leads to a record, if not `needed`.
    """
    at = end_at - LOCATOR64.size
    if at < 0:
        return None
    magic, _, position, disks = LOCATOR64.unpack(file.read(at, LOCATOR64.size))
    if magic != zip_format.LOCATOR64_MAGIC:
        return None
    for place in (position, at - END64.size):  # as said, or where it must be when something was prepended
        if 0 <= place <= at - END64.size:
            record = END64.unpack(file.read(place, END64.size))
            if record[0] == zip_format.END64_MAGIC:
                return place, record
    if not needed:
        return None
    if disks > 1:
        raise UnsupportedMethodError("one part of a zip that was split over several files", where=file.path)
    raise DamagedArchiveError("its zip64 end record is missing", where=file.path)


def _shift(file: RangedFile, start: int, actual: int, size: int) -> int:
    """How far the directory stands behind where the end record says it is."""
    if size == 0 and actual >= 0:
        return max(0, actual - start)
    for place in (actual, start):
        if place >= 0 and place + size <= file.size and file.read(place, 4) == zip_format.CENTRAL_MAGIC:
            return place - start
    raise DamagedArchiveError("its central directory is not where the end record says", where=file.path)
