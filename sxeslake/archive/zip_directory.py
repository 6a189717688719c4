"""A zip's central directory as columns: a map of 500,000 members takes 100 MB, not a gigabyte of objects."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from sxeslake.archive import names, zip_format
from sxeslake.archive.names import UNIX_ATTRIBUTES
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.archive.zip_format import CENTRAL, END, END64, LOCATOR64, MAX_16, MAX_32
from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsafeNameError, UnsupportedMethodError
from sxeslake.model import GIB, Limits, Member

MAX_DIRECTORY_BYTES: Final = 2 * GIB  # it is held in memory
TAIL_BYTES: Final = END.size + MAX_16

_NAME_FIELDS: Final = struct.Struct("<B2xH18xHH6xL").unpack_from  # of a central record, from byte 5
_UNICODE_PATH_TAG: Final = zip_format.EXTRA_UNICODE_PATH.to_bytes(2, "little")

Column = npt.NDArray[Any]


class Place(NamedTuple):
    """Where the central directory stands, and what was put before the zip."""

    start: int
    size: int
    members: int
    count_is_16_bit: bool
    shift: int  # bytes prepended that the offsets do not know of
    comment: bytes


def locate(file: RangedFile) -> Place:
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
    comment = tail[at + END.size : at + END.size + comment_size]
    end_at = tail_at + at
    wide = _zip64(file, end_at)
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
    return Place(start + shift, size, count, count_is_16_bit, shift, comment)


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


def _zip64(file: RangedFile, end_at: int) -> tuple[int, tuple[Any, ...]] | None:
    """The zip64 end record and its position, where a locator stands before the end record."""
    at = end_at - LOCATOR64.size
    if at < 0:
        return None
    magic, _, position, disks = LOCATOR64.unpack(file.read(at, LOCATOR64.size))
    if magic != zip_format.LOCATOR64_MAGIC:
        return None
    if disks > 1:
        raise UnsupportedMethodError("one part of a zip that was split over several files", where=file.path)
    for place in (position, at - END64.size):  # as said, or where it must be when something was prepended
        if 0 <= place <= at - END64.size:
            record = END64.unpack(file.read(place, END64.size))
            if record[0] == zip_format.END64_MAGIC:
                return place, record
    raise DamagedArchiveError("its zip64 end record is missing", where=file.path)


def _shift(file: RangedFile, start: int, actual: int, size: int) -> int:
    """How far the directory stands behind where the end record says it is."""
    if size == 0 and actual >= 0:
        return max(0, actual - start)
    for place in (actual, start):
        if place >= 0 and place + size <= file.size and file.read(place, 4) == zip_format.CENTRAL_MAGIC:
            return place - start
    raise DamagedArchiveError("its central directory is not where the end record says", where=file.path)


class Row(NamedTuple):
    """What is needed to decode one member: plain numbers, a few thousand at a time."""

    member: int  # place among all members
    offset: int  # of its local header in the file
    packed: int
    size: int
    method: int
    crc32: int
    name_at: int  # where the name stands in the directory's bytes
    name_size: int
    limit: int  # where the next member or the directory begins
    is_folder: bool


class Directory(Sequence[Member]):
    """The members of a zip, built on demand from the central directory's bytes."""

    def __init__(self, file: RangedFile, *, encoding: str | None, limits: Limits) -> None:
        self._path: Path = file.path
        self._encoding = encoding
        self.place = locate(file)
        if self.place.size > MAX_DIRECTORY_BYTES:
            raise LimitExceededError(f"a central directory of {self.place.size:,} bytes", where=self._path)
        self._buffer = file.read(self.place.start, self.place.size)
        self._at = self._walk(limits)
        self._read_columns()
        self._widen()
        self._check_layout()
        self.first_byte = min(int(self.offset.min()) if len(self) else self.place.start, self.place.start)
        self._check_contents(limits, file.size)
        self.is_folder: Column = np.zeros(len(self), dtype=bool)  # filled by the one pass over all names
        names.check_names(self._named, where=self._path)
        for index in np.flatnonzero(self.is_folder & (self.size > 0)).tolist():
            raise DamagedArchiveError(f"{self.path_of(index)}: a folder that holds bytes", where=self._path)

    # what is there

    def _walk(self, limits: Limits) -> array[int]:
        """The position of every record."""
        places = array("q")
        at, end, buffer = 0, len(self._buffer), self._buffer
        lengths = struct.Struct("<HHH").unpack_from
        magic, fixed = zip_format.CENTRAL_MAGIC, CENTRAL.size
        while at + fixed <= end and buffer.startswith(magic, at):
            places.append(at)
            name, extra, comment = lengths(buffer, at + 28)
            at += fixed + name + extra + comment
            if len(places) > limits.members:
                break
        names.check_limits(limits, members=len(places), raw_bytes=0, archive_bytes=0, where=self._path)
        if at != end and not buffer.startswith(zip_format.SIGNATURE_MAGIC, at):
            raise DamagedArchiveError(
                f"its central directory is damaged after {len(places):,} members", where=self._path
            )
        # writers without zip64 let 65,536 members wrap to 0
        found = len(places) & MAX_16 if self.place.count_is_16_bit else len(places)
        if found != self.place.members:
            raise DamagedArchiveError(
                f"its central directory holds {len(places):,} members, the end record counts {self.place.members:,}",
                where=self._path,
            )
        return places

    def _read_columns(self) -> None:
        octets = np.frombuffer(self._buffer, dtype=np.uint8)
        at = np.array(self._at, dtype=np.int64)

        def column(offset: int, width: int) -> Column:
            wide = np.zeros(len(at), dtype={1: np.uint8, 2: np.uint16, 4: np.uint32}[width])
            for byte in range(width):
                wide |= octets[at + (offset + byte)].astype(wide.dtype) << wide.dtype.type(8 * byte)
            return wide

        self._system = column(5, 1)
        self.flags = column(8, 2)
        self.method = column(10, 2)
        self.crc32 = column(16, 4)
        self.packed = column(20, 4).astype(np.int64)
        self.size = column(24, 4).astype(np.int64)
        self.name_size = column(28, 2)
        self._disk = column(34, 2)
        self._external = column(38, 4)
        self.offset = column(42, 4).astype(np.int64)

    def _widen(self) -> None:
        """Take from zip64 fields what does not fit 32 bits, and add what was prepended to the file."""
        wide = (self.size == MAX_32) | (self.packed == MAX_32) | (self.offset == MAX_32) | (self._disk == MAX_16)
        for index in np.flatnonzero(wide).tolist():
            body = next((body for tag, body in zip_format.extra_fields(self._extra(index)) if tag == 1), b"")
            at = 0
            for values in (self.size, self.packed, self.offset):
                if values[index] == MAX_32 and at + 8 <= len(body):
                    value = int.from_bytes(body[at : at + 8], "little")
                    values[index] = min(value, (1 << 62) - 1)  # nothing that large is in any file: refused below
                    at += 8
            if self._disk[index] == MAX_16 and at + 4 <= len(body):
                self._disk[index] = min(int.from_bytes(body[at : at + 4], "little"), MAX_16)
        self.offset += self.place.shift
        if (self._disk != 0).any():
            raise UnsupportedMethodError("one part of a zip that was split over several files", where=self._path)

    def _check_layout(self) -> None:
        """No member may reach into the next: overlapping members are how small zip bombs are made."""
        order = np.argsort(self.offset, kind="stable")
        starts = self.offset[order]
        limits = np.append(starts[1:], self.place.start)
        self.limit = np.empty_like(self.offset)  # where the next member or the directory begins
        self.limit[order] = limits
        # the sizes are bounded first: sums of hostile 62-bit numbers must not wrap
        outside = (self.offset < 0) | (self.offset > self.place.start) | (self.packed > self.place.start)
        least = self.offset + zip_format.LOCAL.size + self.name_size + np.where(outside, 0, self.packed)
        bad = outside | (least > self.limit)
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            raise DamagedArchiveError(
                f"{self.path_of(index)}: its data reach outside the archive or into another member", where=self._path
            )

    def _check_contents(self, limits: Limits, archive_bytes: int) -> None:
        raw_bytes = int(self.size.astype(np.float64).sum()) if len(self) else 0  # a float cannot wrap
        names.check_limits(
            limits, members=len(self), raw_bytes=raw_bytes, archive_bytes=archive_bytes, where=self._path
        )
        unix = np.isin(self._system, zip_format.UNIX_SYSTEMS)
        mode = np.where(unix, self._external >> 28, 0)
        special = ~np.isin(mode, (0, 0o10, 0o04)) | ((self._external & names.WINDOWS_REPARSE != 0) & ~unix)
        for index in np.flatnonzero(special).tolist():
            if reason := names.special_reason(self._attributes(index)):
                raise UnsafeNameError(f"{self.path_of(index)!r} {reason}", where=self._path)

    def rows(self, start: int, stop: int) -> list[Row]:
        """The facts of members `start` to `stop`, made in one go: numpy's single numbers are slow."""
        part = slice(start, stop)
        columns = (self.offset, self.packed, self.size, self.method, self.crc32)
        rows = zip(
            range(start, stop),
            *(column[part].tolist() for column in columns),
            [at + CENTRAL.size for at in self._at[part]],
            *(column[part].tolist() for column in (self.name_size, self.limit, self.is_folder)),
            strict=True,
        )
        return [Row(*row) for row in rows]

    def name_bytes(self, row: Row) -> bytes:
        """A member's name as it stands in the archive."""
        return self._buffer[row.name_at : row.name_at + row.name_size]

    # one member

    def path_of(self, index: int) -> str:
        """The member's path, for messages too."""
        return self._name(index)[0]

    def _extra(self, index: int) -> bytes:
        at = self._at[index]
        name, extra = struct.unpack_from("<HH", self._buffer, at + 28)
        start = at + CENTRAL.size + name
        return self._buffer[start : start + extra]

    def _named(self) -> Iterator[tuple[str, bool]]:
        for index in range(len(self)):
            path, is_folder, _ = self._name(index)
            if is_folder:
                self.is_folder[index] = True
            yield path, is_folder

    def _name(self, index: int) -> tuple[str, bool, bytes | None]:
        """Path, whether it is a folder, and the raw bytes where the path alone would not give them again."""
        at = self._at[index]
        system, flags, size, extra_size, external = _NAME_FIELDS(self._buffer, at + 5)
        start = at + CENTRAL.size
        raw = self._buffer[start : start + size]
        extra = self._buffer[start + size : start + size + extra_size]
        if _UNICODE_PATH_TAG not in extra:
            extra = b""  # nothing that concerns the name
        path, is_folder, faithful = zip_format.member_path(
            raw, flags=flags, system=system, extra=extra, encoding=self._encoding
        )
        if external and not is_folder and not self.size[index]:
            unix_folder = system in zip_format.UNIX_SYSTEMS and external >> 28 == 0o04
            is_folder = unix_folder or bool(external & zip_format.DOS_DIRECTORY)
            faithful = faithful and not is_folder
        return path, is_folder, None if faithful else raw

    def _attributes(self, index: int) -> int | None:
        external = int(self._external[index])
        if not external:
            return None
        if self._system[index] in zip_format.UNIX_SYSTEMS and external >> 16:
            return external & 0xFFFF_0000 | UNIX_ATTRIBUTES | external & 0x7FFF
        return external & 0x7FFF

    def __len__(self) -> int:
        return len(self._at)

    @overload
    def __getitem__(self, index: int) -> Member: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Member]: ...

    def __getitem__(self, index: int | slice) -> Member | Sequence[Member]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        path, is_folder, raw_name = self._name(index)
        clock, date = struct.unpack_from("<HH", self._buffer, self._at[index] + 12)
        return Member(
            path=path,
            kind="directory" if is_folder else "file",
            size=int(self.size[index]),
            modified_ns=zip_format.modified_ns(self._extra(index)),
            attributes=self._attributes(index),
            crc32=None if is_folder else int(self.crc32[index]),
            dos_time=date << 16 | clock,
            raw_name=raw_name,
        )
