"""Reading a zip: jobs of some MiB from contiguous reads, checked against size and CRC-32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO
from operator import eq, itemgetter
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sxeslake.archive.base import WAS_ENCRYPTED
from sxeslake.archive.deflate import crc32, inflate
from sxeslake.archive.keyring import Keyring, password_hint
from sxeslake.archive.ranged_file import PackedStream, RangedFile, notes_on_outside
from sxeslake.archive.stages import ByteSource
from sxeslake.archive.zip import format as zip_format
from sxeslake.archive.zip.aes import AesSettings, DecryptedSource, settings_of
from sxeslake.archive.zip.decoders import check_method, open_stream
from sxeslake.archive.zip.directory import Directory, DirectoryRow
from sxeslake.archive.zip.format import DEFLATE, LOCAL, STORE
from sxeslake.closing import Closing
from sxeslake.errors import (
    DamagedArchiveError,
    EncryptedArchiveError,
    InputError,
    UnsupportedMethodError,
    UsageError,
)
from sxeslake.machine.concurrency import CHUNK_BYTES
from sxeslake.model import MIB, ContainerKind, Job, Limits, Member, Piece

JOB_MEMBERS = 4096  # a job of nothing but tiny members stays short
MAX_GAP = 128 * 1024  # an extra field and a descriptor fit between members; more is not worth reading over
_CRC_MISMATCH = "CRC-32 mismatch: the content is damaged"
_LOCAL = np.dtype([
    ("magic", "S4"), ("version", "<u2"), ("flags", "<u2"), ("method", "<u2"), ("time", "<u4"), ("crc32", "<u4"),
    ("packed", "<u4"), ("size", "<u4"), ("name_size", "<u2"), ("extra_size", "<u2"),
])  # fmt: skip

Places = npt.NDArray[np.int64]

_PROVED_BYTES: Final = 16 * MIB  # packed; of a larger member the two bytes that check a password must do


class ZipReader(Closing):
    """A zip, opened: members from its central directory, contents through jobs or one by one.

    Members that are encrypted with AES are decrypted with the first of the `passwords` that fits.
    """

    kind: ContainerKind = "zip"
    left_out: tuple[str, ...] = ()

    def __init__(
        self,
        path: Path,
        *,
        encoding: str | None = None,
        limits: Limits | None = None,
        passwords: Sequence[str] = (),
    ) -> None:
        _check_encoding(encoding)
        self.path = path
        self._keyring = Keyring(passwords)
        self._locked: dict[int, AesSettings] = {}  # the members that are encrypted
        self._file = RangedFile(path)
        try:
            self._directory = Directory(self._file, encoding=encoding, limits=limits or Limits())
            self._refuse_what_cannot_be_read()
            self._unlock()
        except BaseException:
            self._file.close()
            raise
        self.comment = self._directory.place.comment
        self._outside = notes_on_outside(self._directory.first_byte, self._directory.place.behind)
        if self._locked:
            self._outside += (WAS_ENCRYPTED,)
        self.misnamed: set[int] = set()  # members before whose data another name stands than in the directory

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know; complete when all contents have been read."""
        misnamed = sorted(self.misnamed)
        if not misnamed:
            return (*self._outside, *self._directory.notes)
        first = self._directory.path_of(misnamed[0])
        more = f" and {len(misnamed) - 1:,} more" if len(misnamed) > 1 else ""
        note = f"{first}{more}: the name before the data differs from the directory's, which is used"
        return (*self._outside, *self._directory.notes, note)

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
            yield partial(self._decode_run, np.arange(start, stop))
            start = stop

    def read(self, index: int) -> bytes:
        """The whole content of one member."""
        index = range(len(self._directory))[index]
        row = self._directory.rows(index, index + 1)[0]
        return b"" if row.is_folder else b"".join(self._blocks(row))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _refuse_what_cannot_be_read(self) -> None:
        listing = self._directory
        is_aes = (listing.method == zip_format.AES) & ~listing.is_folder
        strong = listing.flags & (zip_format.STRONG_ENCRYPTION | zip_format.MASKED_HEADER)
        for index in np.flatnonzero((strong != 0) | ((listing.flags & zip_format.ENCRYPTED != 0) & ~is_aes)).tolist():
            way = "PKWARE's strong encryption" if strong[index] else "ZipCrypto"
            raise EncryptedArchiveError(
                f"{listing.path_of(index)}: is encrypted with {way}, which is not supported",
                where=self.path,
                hint="Unpack it with its password, and pack it with AES or without encryption.",
            )
        for index in np.flatnonzero(is_aes).tolist():
            if self._keyring.password is None:
                what = f"{listing.path_of(index)}: is encrypted"
                raise EncryptedArchiveError(what, where=self.path, hint=password_hint())
            try:
                self._locked[index] = settings_of(listing.extra(index))
            except DamagedArchiveError as error:
                raise self._damaged(index, error.what) from error
            listing.method[index] = self._locked[index].method
        for index in np.flatnonzero(listing.flags & zip_format.PATCH).tolist():
            raise UnsupportedMethodError(f"{listing.path_of(index)}: holds patch data", where=self.path)
        for method in np.unique(listing.method[~listing.is_folder]).tolist():
            index = int(np.flatnonzero((listing.method == method) & ~listing.is_folder)[0])
            try:
                check_method(method)
            except UnsupportedMethodError as error:
                raise UnsupportedMethodError(f"{listing.path_of(index)}: {error.what}", where=self.path) from error

    def _unlock(self) -> None:
        """Find the password that fits, by the smallest encrypted member."""
        if not self._locked:
            return
        smallest = min(self._locked, key=lambda index: int(self._directory.packed[index]))
        row = self._directory.rows(smallest, smallest + 1)[0]

        def attempt(password: str) -> None:
            source = self._decrypted(row, password)
            if row.packed <= _PROVED_BYTES:
                source.prove()

        try:
            self._keyring.unlock(attempt)
        except EncryptedArchiveError as error:
            raise EncryptedArchiveError(error.what, where=self.path, hint=error.hint) from error

    def _decrypted(self, row: DirectoryRow, password: str) -> DecryptedSource:
        packed = PackedStream(self._file, self._begin_of(row), row.packed)
        return DecryptedSource(packed, row.packed, self._locked[row.member], password)

    def _begin_of(self, row: DirectoryRow) -> int:
        head = self._file.read(row.offset, min(LOCAL.size + 2 * zip_format.MAX_16, row.limit - row.offset))
        return row.offset + self._check_local(row, head, 0)

    # many small members

    def _decode_run(self, places: Places) -> list[Piece]:
        """Some small members, in order, read in as few stretches as they stand in."""
        listing = self._directory
        places = places[~listing.is_folder[places]]
        locked = [place for place in places.tolist() if place in self._locked] if self._locked else []
        if locked:
            places = np.setdiff1d(places, locked)
        standing = places[np.argsort(listing.offset[places], kind="stable")]
        ends = _least_end(listing, standing)
        gaps = listing.offset[standing[1:]] - ends[:-1]
        pieces: list[Piece] = []
        for run in np.split(standing, np.flatnonzero((gaps < 0) | (gaps > MAX_GAP)) + 1):
            if len(run):
                self._decode_stretch(run, pieces)
        pieces += [Piece(index, 0, data) for index in locked if (data := self.read(index))]
        pieces.sort(key=itemgetter(0))
        return pieces

    def _decode_stretch(self, run: Places, pieces: list[Piece]) -> None:
        """Members that stand one behind the other."""
        listing = self._directory
        begin = int(listing.offset[run[0]])
        # the local extra field of the last one may be as long as 64 KiB
        end = min(int(listing.limit[run[-1]]), int(_least_end(listing, run)[-1]) + 2 * zip_format.MAX_16)
        stretch = self._file.read(begin, end - begin)
        view = memoryview(stretch)
        starts = self._starts(run, stretch, begin)
        columns = (run, starts, listing.packed[run], listing.size[run], listing.method[run], listing.crc32[run])
        for member, at, packed, size, method, checksum in zip(*(column.tolist() for column in columns), strict=True):
            data = self._small(member, method, view[at : at + packed], size)
            if crc32(data) != checksum:
                raise self._damaged(member, _CRC_MISMATCH)
            if data:
                pieces.append(Piece(member, 0, data))

    def _starts(self, run: Places, stretch: bytes, begin: int) -> Places:
        """Where in a stretch the data of its members begin: local headers are checked all at once."""
        listing = self._directory
        at = listing.offset[run] - begin
        octets = np.frombuffer(stretch, np.uint8)
        if int(at[-1]) + LOCAL.size <= len(stretch):
            heads = octets[at[:, None] + np.arange(LOCAL.size)].view(_LOCAL).ravel()
            lengths: Places = LOCAL.size + heads["name_size"].astype(np.int64) + heads["extra_size"]
            right = heads["magic"] == zip_format.LOCAL_MAGIC
            right &= (heads["name_size"] == listing.name_size[run]) & (heads["method"] == listing.method[run])
            right &= heads["flags"] & zip_format.ENCRYPTED == 0
            right &= listing.offset[run] + lengths + listing.packed[run] <= listing.limit[run]
            begins, sizes = (at + LOCAL.size).tolist(), listing.name_size[run].tolist()
            names = [stretch[begin : begin + size] for begin, size in zip(begins, sizes, strict=True)]
            if right.all() and all(map(eq, map(hash, names), map(listing.name_hashes.__getitem__, run.tolist()))):
                return at + lengths
        rows = [listing.rows(member, member + 1)[0] for member in run.tolist()]
        return np.array(
            [place + self._check_local(row, stretch, place) for row, place in zip(rows, at.tolist(), strict=True)]
        )

    def _small(self, member: int, method: int, packed: memoryview, size: int) -> bytes:
        try:
            if method == DEFLATE:
                return inflate(packed, size)
            if method == STORE and len(packed) == size:
                return bytes(packed)
            return b"".join(open_stream(method, BytesIO(packed), size))
        except InputError as error:
            raise self._with_place(member, error) from error

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

    def _blocks(self, row: DirectoryRow) -> Iterator[bytes]:
        checksum, settings = 0, self._locked.get(row.member)
        try:
            source: ByteSource = PackedStream(self._file, self._begin_of(row), row.packed)
            decrypted = None
            if settings is not None:
                source = decrypted = self._decrypted(row, self._keyring.password or "")
            for block in open_stream(row.method, source, row.size):
                checksum = crc32(block, checksum)
                yield block
            if decrypted is not None:
                decrypted.prove()
        except InputError as error:
            raise self._with_place(row.member, error) from error
        if checksum != row.crc32 and (settings is None or settings.has_crc):
            raise self._damaged(row.member, _CRC_MISMATCH)

    # checks

    def _check_local(self, row: DirectoryRow, stretch: bytes, at: int) -> int:
        """The local header must tell of the same member as the directory; gives its length."""
        if len(stretch) < at + LOCAL.size or not stretch.startswith(zip_format.LOCAL_MAGIC, at):
            raise self._damaged(row.member, "there is no member where the directory says")
        _, _, flags, method, _, _, _, _, name_size, extra_size = LOCAL.unpack_from(stretch, at)
        if not stretch.startswith(self._directory.name_bytes(row), at + LOCAL.size) or name_size != row.name_size:
            self.misnamed.add(row.member)  # the directory counts
        is_locked = row.member in self._locked
        if method != (zip_format.AES if is_locked else row.method) or bool(flags & zip_format.ENCRYPTED) != is_locked:
            raise self._damaged(row.member, "the directory and the member itself tell different methods")
        length = LOCAL.size + int(name_size) + int(extra_size)
        if row.offset + length + row.packed > row.limit:
            raise self._damaged(row.member, "its data reach into another member")
        return length

    def _damaged(self, member: int, what: str) -> DamagedArchiveError:
        return DamagedArchiveError(f"{self._directory.path_of(member)}: {what}", where=self.path)

    def _with_place(self, member: int, error: InputError) -> InputError:
        if error.where is not None:
            return error
        return type(error)(f"{self._directory.path_of(member)}: {error.what}", where=self.path, hint=error.hint)


def _least_end(listing: Directory, run: Places) -> Places:
    """Where members end, if their local headers have no extra fields."""
    ends: Places = listing.offset[run] + LOCAL.size + listing.name_size[run] + listing.packed[run]
    return ends


def _check_encoding(encoding: str | None) -> None:
    try:
        b"name".decode(encoding or "utf-8")
    except (LookupError, UnicodeError) as error:
        raise UsageError(f"{encoding!r} is not an encoding of names", hint="Try cp437, cp932 or utf-8.") from error
