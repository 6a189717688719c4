"""A zip of copied members, known before it is made: where every header, byte of data and record stands.

The same bytes as `ZipWriter` writes at level 0, any run of them without the others. Sizes, names and checksums tell it
all; offsets are columns, so that half a million members cost some 20 MB and are laid out at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sxeslake.archive.times import FILETIME_OF_1970
from sxeslake.archive.zip import records as zip_records
from sxeslake.archive.zip.format import CENTRAL, LOCAL, MAX_16, STORE
from sxeslake.errors import UsageError
from sxeslake.model import Member

_BATCH = 256  # members whose headers are made at once

I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Members = Callable[[int, int], Sequence[Member]]
"""The members of some places, from the first to before the last; with size and CRC-32."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the layout follows from, a value a member in archive order."""

    path_bytes: I64  # of the path in UTF-8
    folder: Bools
    size: I64
    modified_ns: I64
    timed: Bools  # whether `modified_ns` is known
    raw_named: Bools  # whether the member has a name in other bytes than its path


class Data(NamedTuple):
    """Some of a member's own bytes: its place in the archive, from where, to where."""

    place: int
    start: int
    end: int


class StoredZip:
    """The layout of one archive; `parts` says what any run of its bytes is made of."""

    def __init__(self, columns: Columns, members: Members, comment: bytes = b"") -> None:
        if len(comment) > MAX_16:
            raise UsageError(f"a zip comment of {len(comment):,} bytes; it may have {MAX_16:,}")
        self._members, self._count = members, len(columns.size)
        named = columns.path_bytes + columns.folder + _time_bytes(columns)
        for place in np.flatnonzero(columns.raw_named).tolist():
            entry = zip_records.entry_of(members(place, place + 1)[0])
            named[place] = len(entry.name) + len(entry.extra)
        wide_header = _each(zip_records.is_wide, columns.size)
        header = LOCAL.size + named + 20 * wide_header
        self._starts = _offsets(header + columns.size)  # one more than members: the last is the directory's
        self._data = self._starts[:-1] + header
        self._size = columns.size
        wide = 2 * _each(zip_records.is_beyond, columns.size) + _each(zip_records.is_beyond, self._starts[:-1])
        record = CENTRAL.size + named + np.where(wide, 4 + 8 * wide, 0)
        self._records = _offsets(record) + self._starts[-1]
        directory, end = int(self._starts[-1]), int(self._records[-1])
        self._end = zip_records.end_records(directory, end - directory, self._count, comment)
        self.size = end + len(self._end)

    def parts(self, start: int, end: int) -> Iterator[bytes | Data]:
        """What stands from `start` to before `end`, in order: bytes of headers, and members' own."""
        end = min(end, self.size)
        if start >= end:
            return
        yield from self._local(start, min(end, int(self._starts[-1])))
        yield from self._directory(start, min(end, int(self._records[-1])))
        behind = int(self._records[-1])
        if end > behind:
            yield self._end[max(0, start - behind) : end - behind]

    def _local(self, start: int, end: int) -> Iterator[bytes | Data]:
        """Headers and data of the members that reach into the run."""
        for first, last in _batches(self._starts, start, end):
            headers: Sequence[Member] = ()
            if last - first > 1 or start < self._data[first]:  # a run within one member's data needs no header
                headers = self._members(first, last)
            starts, begins = self._starts[first:last].tolist(), self._data[first:last].tolist()
            for number, (at, begin, size) in enumerate(zip(starts, begins, self._size[first:last], strict=True)):
                if start < begin:
                    header = self._header(headers[number])
                    yield header[max(0, start - at) : end - at]
                low, high = max(start - begin, 0), min(end - begin, int(size))
                if low < high:
                    yield Data(first + number, low, high)

    def _directory(self, start: int, end: int) -> Iterator[bytes]:
        for first, last in _batches(self._records, start, end):
            places, members = self._starts[first:last].tolist(), self._members(first, last)
            run = b"".join(map(_record, members, places))
            at = int(self._records[first])
            yield run[max(0, start - at) : end - at]

    @staticmethod
    def _header(member: Member) -> bytes:
        size, wide = member.size, zip_records.is_wide(member.size)
        return zip_records.local_header(zip_records.entry_of(member), STORE, member.crc32 or 0, size, size, wide=wide)


def _record(member: Member, at: int) -> bytes:
    entry, size = zip_records.entry_of(member), member.size
    return zip_records.central_record(entry, STORE, member.crc32 or 0, size, size, at)


def _time_bytes(columns: Columns) -> I64:
    """Bytes of the extra fields that hold the time."""
    ntfs = columns.modified_ns // 100 + FILETIME_OF_1970 > 0
    seconds = columns.modified_ns // 1_000_000_000
    unix = (seconds >= -(1 << 31)) & (seconds < 1 << 31)
    return np.where(columns.timed, 36 * ntfs + 9 * unix, 0)


def _each(test: Callable[[int], bool], values: I64) -> Bools:
    return np.fromiter(map(test, values.tolist()), np.bool_, len(values))


def _offsets(lengths: I64) -> I64:
    """Where each of some runs begins, and where the last ends."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _batches(offsets: I64, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The places of the runs that reach between two offsets, some at once."""
    if start >= end or start >= offsets[-1]:
        return
    first = max(0, int(np.searchsorted(offsets, start, "right")) - 1)
    last = min(len(offsets) - 1, int(np.searchsorted(offsets, end, "left")))
    for at in range(first, last, _BATCH):
        yield at, min(at + _BATCH, last)
