"""Reading a zip: jobs of some MiB from contiguous reads, checked against size and CRC-32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from sxeslake.archive import zip_format
from sxeslake.archive.deflate import crc32, inflate
from sxeslake.archive.parallel import CHUNK_BYTES
from sxeslake.archive.ranged_file import RangedFile, notes_on_stub
from sxeslake.archive.zip_decoders import check_method, open_stream
from sxeslake.archive.zip_directory import Directory, Row
from sxeslake.archive.zip_format import DEFLATE, LOCAL, STORE
from sxeslake.errors import (
    DamagedArchiveError,
    EncryptedArchiveError,
    InputError,
    UnsupportedMethodError,
    UsageError,
)
from sxeslake.model import MIB, ContainerKind, Job, Limits, Member, Piece

JOB_MEMBERS = 4096  # a job of nothing but tiny members stays short
READ_BYTES = MIB  # packed bytes at a time where a member is streamed
MAX_GAP = 128 * 1024  # an extra field and a descriptor fit between members; more is not worth reading over


class ZipReader:
    """A zip, opened: members from its central directory, contents through jobs or one by one."""

    kind: ContainerKind = "zip"

    def __init__(self, path: Path, *, encoding: str | None = None, limits: Limits | None = None) -> None:
        _check_encoding(encoding)
        self.path = path
        self._file = RangedFile(path)
        try:
            self._directory = Directory(self._file, encoding=encoding, limits=limits or Limits())
            self._refuse_what_cannot_be_read()
        except BaseException:
            self._file.close()
            raise
        self.comment = self._directory.place.comment
        self.notes = notes_on_stub(self._directory.first_byte)

    @property
    def members(self) -> Sequence[Member]:
        """All members in the order of the central directory, built on demand."""
        return self._directory

    def jobs(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Job]:
        """All contents in archive order; members within `chunk_bytes` decode inside their jobs, larger ones here."""
        listing = self._directory
        weights = np.where(listing.is_folder, 0, np.maximum(listing.size, listing.packed))
        ends = np.cumsum(weights)  # what lies before and in each member; the layout is checked: it cannot wrap
        start, count = 0, len(listing)
        while start < count:
            if weights[start] > chunk_bytes:
                yield from self._stream(start, chunk_bytes)
                start += 1
                continue
            before = int(ends[start] - weights[start])
            stop = int(np.searchsorted(ends, before + chunk_bytes, side="right"))
            stop = min(max(stop, start + 1), start + JOB_MEMBERS)
            yield partial(self._decode_run, start, stop)
            start = stop

    def read(self, index: int) -> bytes:
        """The whole content of one member."""
        index = range(len(self._directory))[index]
        row = self._directory.rows(index, index + 1)[0]
        return b"" if row.is_folder else b"".join(self._blocks(row))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_what_cannot_be_read(self) -> None:
        listing = self._directory
        locked = listing.flags & (zip_format.ENCRYPTED | zip_format.STRONG_ENCRYPTION | zip_format.MASKED_HEADER)
        for index in np.flatnonzero(locked | (listing.method == zip_format.AES)).tolist():
            raise EncryptedArchiveError(f"{listing.path_of(index)}: is encrypted", where=self.path)
        for index in np.flatnonzero(listing.flags & zip_format.PATCH).tolist():
            raise UnsupportedMethodError(f"{listing.path_of(index)}: holds patch data", where=self.path)
        for method in np.unique(listing.method[~listing.is_folder]).tolist():
            index = int(np.flatnonzero((listing.method == method) & ~listing.is_folder)[0])
            try:
                check_method(method)
            except UnsupportedMethodError as error:
                raise UnsupportedMethodError(f"{listing.path_of(index)}: {error.what}", where=self.path) from error

    # many small members

    def _decode_run(self, start: int, stop: int) -> list[Piece]:
        """The members `start` to `stop`, read in as few stretches as their places allow."""
        rows = [row for row in self._directory.rows(start, stop) if not row.is_folder]
        pieces: list[Piece] = []
        while rows:
            count = _contiguous(rows)
            begin = rows[0].offset
            stretch = self._file.read(begin, _latest_end(rows[count - 1]) - begin)
            for row in rows[:count]:
                data = self._small(row, stretch, row.offset - begin)
                if data:
                    pieces.append(Piece(row.member, 0, data))
            rows = rows[count:]
        return pieces

    def _small(self, row: Row, stretch: bytes, at: int) -> bytes:
        begin = at + self._check_local(row, stretch, at)
        packed = memoryview(stretch)[begin : begin + row.packed]
        try:
            if row.method == DEFLATE:
                data = inflate(packed, row.size)
            elif row.method == STORE and len(packed) == row.size:
                data = bytes(packed)
            else:
                data = b"".join(open_stream(row.method, _once(packed), row.size))
        except InputError as error:
            raise self._with_place(row, error) from error
        self._check_crc(row, crc32(data))
        return data

    # one large member

    def _stream(self, index: int, chunk_bytes: int) -> Iterator[Job]:
        """Pieces cut at multiples of `chunk_bytes`; the last leaves only when the CRC-32 is right."""
        offset = 0
        waiting = bytearray()
        for block in self._blocks(self._directory.rows(index, index + 1)[0]):
            waiting += block
            while len(waiting) > chunk_bytes:
                yield partial(list, (Piece(index, offset, bytes(memoryview(waiting)[:chunk_bytes])),))
                del waiting[:chunk_bytes]
                offset += chunk_bytes
        if waiting:
            yield partial(list, (Piece(index, offset, bytes(waiting)),))

    def _blocks(self, row: Row) -> Iterator[bytes]:
        head = self._file.read(row.offset, min(LOCAL.size + 2 * zip_format.MAX_16, row.limit - row.offset))
        begin = row.offset + self._check_local(row, head, 0)
        checksum = 0
        try:
            for block in open_stream(row.method, _ranges(self._file, begin, row.packed), row.size):
                checksum = crc32(block, checksum)
                yield block
        except InputError as error:
            raise self._with_place(row, error) from error
        self._check_crc(row, checksum)

    # checks

    def _check_local(self, row: Row, stretch: bytes, at: int) -> int:
        """The local header must tell of the same member as the directory; gives its length."""
        if len(stretch) < at + LOCAL.size or not stretch.startswith(zip_format.LOCAL_MAGIC, at):
            raise self._damaged(row, "there is no member where the directory says")
        _, _, flags, method, _, _, _, _, name_size, extra_size = LOCAL.unpack_from(stretch, at)
        same_name = name_size == row.name_size and stretch.startswith(self._directory.name_bytes(row), at + LOCAL.size)
        if not same_name:
            raise self._damaged(row, "the directory and the member itself tell different names")
        if method != row.method:
            raise self._damaged(row, "the directory and the member itself tell different methods")
        if flags & zip_format.ENCRYPTED:
            raise EncryptedArchiveError(f"{self._directory.path_of(row.member)}: is encrypted", where=self.path)
        length = LOCAL.size + int(name_size) + int(extra_size)
        if row.offset + length + row.packed > row.limit:
            raise self._damaged(row, "its data reach into another member")
        return length

    def _check_crc(self, row: Row, found: int) -> None:
        if found != row.crc32:
            raise self._damaged(row, "CRC-32 mismatch: the content is damaged")

    def _damaged(self, row: Row, what: str) -> DamagedArchiveError:
        return DamagedArchiveError(f"{self._directory.path_of(row.member)}: {what}", where=self.path)

    def _with_place(self, row: Row, error: InputError) -> InputError:
        if error.where is not None:
            return error
        return type(error)(f"{self._directory.path_of(row.member)}: {error.what}", where=self.path, hint=error.hint)


def _least_end(row: Row) -> int:
    return row.offset + LOCAL.size + row.name_size + row.packed


def _latest_end(row: Row) -> int:
    """Where a member ends at the latest: its local extra field may be as long as 64 KiB."""
    return min(row.limit, _least_end(row) + zip_format.MAX_16)


def _contiguous(rows: list[Row]) -> int:
    """How many of the members, from the first, stand one behind the other in the file."""
    for count in range(1, len(rows)):
        if not 0 <= rows[count].offset - _least_end(rows[count - 1]) <= MAX_GAP:
            return count
    return len(rows)


def _once(data: memoryview) -> Callable[[], memoryview]:
    waiting = [data]
    return lambda: waiting.pop() if waiting else memoryview(b"")


def _ranges(file: RangedFile, begin: int, count: int) -> Callable[[], bytes]:
    """A source that reads `count` bytes from `begin`, a MiB at a time."""
    starts = iter(range(begin, begin + count, READ_BYTES))
    end = begin + count

    def more() -> bytes:
        at = next(starts, end)
        return file.read(at, min(READ_BYTES, end - at)) if at < end else b""

    return more


def _check_encoding(encoding: str | None) -> None:
    try:
        b"name".decode(encoding or "utf-8")
    except (LookupError, UnicodeError) as error:
        raise UsageError(f"{encoding!r} is no encoding of names", hint="Try cp437, cp932 or utf-8.") from error
