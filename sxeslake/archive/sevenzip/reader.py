"""Reading 7z: members from columns, folders decoded in parallel where they are small, as a stream where not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Final, TypeVar

import numpy as np

from sxeslake.archive.base import WAS_ENCRYPTED
from sxeslake.archive.deflate import crc32
from sxeslake.archive.keyring import Keyring
from sxeslake.archive.names import check_limits, check_safe
from sxeslake.archive.ranged_file import RangedFile, notes_on_outside
from sxeslake.archive.sevenzip.aes import check_keys, is_encrypted
from sxeslake.archive.sevenzip.coders import check_supported, is_silent, open_folder
from sxeslake.archive.sevenzip.format import SIGNATURE_HEADER_BYTES, FolderCoders
from sxeslake.archive.sevenzip.members import SevenZipMembers
from sxeslake.archive.sevenzip.opening import end_of, folder_source, open_header, read_exactly
from sxeslake.archive.sevenzip.program import unpack
from sxeslake.archive.stages import ByteSource, Stage
from sxeslake.closing import Closing
from sxeslake.errors import DamagedArchiveError, InputError, UnsafeNameError, UnsupportedMethodError
from sxeslake.model import MIB, ContainerKind, Job, Limits, Piece

_T = TypeVar("_T")

WHOLE_FOLDER_BYTES: Final = 16 * MIB  # folders up to this size are decoded in one go, several at a time
READ_AHEAD_BYTES: Final = MIB  # of a larger folder, so that tiny members cost no call into the decoder each
TRIAL_BYTES: Final = MIB  # no decoder takes so much noise for data, but for those that take anything


class _Unpacked:
    """A folder's content, front to back, a little read ahead."""

    def __init__(self, source: ByteSource, size: int, ahead: int) -> None:
        self._source = source
        self._left = size  # not yet taken from the source
        self._ahead = ahead
        self._buffer = memoryview(b"")
        self.position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self._buffer):
            held = bytes(self._buffer)
            wanted = min(self._left, max(size - len(held), self._ahead))
            fresh = read_exactly(self._source, wanted)
            self._left -= wanted
            self._buffer = memoryview(held + fresh if held else fresh)
        data = bytes(self._buffer[:size])
        self._buffer = self._buffer[size:]
        self.position += size
        return data


class SevenZipReader(Closing):
    """A 7z archive as a container. An encrypted one is opened with the first of the `passwords` that fits.

    Raises
    ------
    NotAnArchiveError, DamagedArchiveError, EncryptedArchiveError, UnsupportedMethodError, UnsafeNameError,
    LimitExceededError
        On opening where the header shows it, else on decoding.
    """

    kind: ContainerKind = "7z"
    left_out: tuple[str, ...] = ()
    comment = b""

    def __init__(self, path: Path, *, limits: Limits | None = None, passwords: Sequence[str] = ()) -> None:
        self.path = path
        self._keyring = Keyring(passwords)
        self._program: str | None = None  # of 7-Zip, where nothing else decodes all methods
        self._unknown = ""  # why
        self._outside: IO[bytes] | None = None
        self._file = RangedFile(path)
        try:
            self._body, self._streams, files = open_header(self._file, limits or Limits(), self._keyring)
            self.members = SevenZipMembers(self._streams, files, path.stem)
            recipes = {id(recipe): recipe for recipe in self._streams.recipes}.values()
            self._is_locked = any(map(is_encrypted, recipes))
            self._check(limits or Limits(), recipes)
            if self._is_locked and self._program is None and not self._keyring.is_proved:
                self._unlock()
            end = end_of(self._file, self._body)
        except BaseException:
            self._file.close()
            raise
        self.notes = notes_on_outside(self._body - SIGNATURE_HEADER_BYTES, self._file.size - end)
        if self._is_locked or self._keyring.is_proved:
            self.notes += (WAS_ENCRYPTED,)
        self._lock = threading.Lock()
        self._cached: tuple[int, _Unpacked] | None = None
        self._whole: tuple[int, bytes] | None = None

    def _check(self, limits: Limits, recipes: Collection[FolderCoders]) -> None:
        raw_bytes = int(self._streams.sizes.sum())
        check_limits(
            limits, members=len(self.members), raw_bytes=raw_bytes, archive_bytes=self._file.size, where=self.path
        )
        if special := self.members.special():
            raise UnsafeNameError(f"{self.members.name(special[0])!r} {special[1]}", where=self.path)
        check_safe(self.members.name_batches(), where=self.path)
        try:
            for recipe in sorted(recipes, key=is_encrypted, reverse=True):  # without a password there is no more to say
                check_supported(recipe, self._keyring.password)
            check_keys(recipes)
        except UnsupportedMethodError as error:
            from sxeslake.archive.exact.programs import find_program  # noqa: PLC0415 - rarely needed

            self._program, self._unknown = find_program("7-Zip"), error.what
            if self._program is None:
                hint = f"{error.hint} 7-Zip, where it is installed, is used to read it."
                raise UnsupportedMethodError(error.what, where=self.path, hint=hint) from None
        except InputError as error:
            raise type(error)(error.what, where=self.path, hint=error.hint) from None

    def _unlock(self) -> None:
        """Find the password, by the encrypted folder whose first content is the shortest."""
        firsts = self._streams.stream_starts[:-1].tolist()
        counts = np.diff(self._streams.stream_starts).tolist()
        folders = [
            folder for folder, recipe in enumerate(self._streams.recipes) if counts[folder] and is_encrypted(recipe)
        ]
        if not folders:
            return
        folder = min(folders, key=lambda number: int(self._streams.sizes[firsts[number]]))
        stream = firsts[folder]
        size = int(self._streams.sizes[stream])

        def attempt(password: str) -> None:
            source = self._folder_source(folder, password)
            if size > TRIAL_BYTES and not is_silent(self._streams.recipes[folder]):
                read_exactly(source, TRIAL_BYTES)
                return
            crc = 0
            for start in range(0, size, READ_AHEAD_BYTES):
                crc = crc32(read_exactly(source, min(READ_AHEAD_BYTES, size - start)), crc)
            self._check_crc(stream, crc)

        self._unlocked(attempt)

    def _unlocked(self, attempt: Callable[[str], _T]) -> _T:
        try:
            return self._keyring.unlock(attempt)
        except InputError as error:
            raise type(error)(error.what, where=self.path, hint=error.hint) from None

    def _outside_jobs(self, chunk_bytes: int) -> Iterator[Job]:
        """Contents that 7-Zip has unpacked, from front to back."""
        offset = 0
        for stream, size in enumerate(self._streams.sizes.tolist()):
            crc = 0
            for start in range(0, size, chunk_bytes):
                data = self._from_outside(offset + start, min(chunk_bytes, size - start))
                crc = crc32(data, crc)
                if start + len(data) == size:
                    self._check_outside(stream, crc)
                yield partial(list, (Piece(int(self.members.member_of[stream]), start, data),))
            offset += size

    def _from_outside(self, offset: int, size: int) -> bytes:
        """A run of all contents, which the program of 7-Zip unpacks when they are first asked for."""
        with self._lock:
            if self._outside is None:
                self._outside = self._unlocked(self._unpacked) if self._is_locked else self._unpacked(None)
            self._outside.seek(offset)
            return self._outside.read(size)

    def _unpacked(self, password: str | None) -> IO[bytes]:
        try:
            return unpack(self._program or "", self.path, int(self._streams.sizes.sum()), password)
        except UnsupportedMethodError as error:
            raise UnsupportedMethodError(f"{self._unknown}; {error.what}", where=self.path) from error

    def _check_outside(self, stream: int, crc: int) -> None:
        try:
            self._check_crc(stream, crc)
        except InputError as error:
            raise self._at(error, stream) from error

    def jobs(self, chunk_bytes: int = 4 * MIB) -> Iterator[Job]:
        """Jobs that decode all contents in archive order: small folders in parallel, a large one by this iterator."""
        if self._program is not None:
            yield from self._outside_jobs(chunk_bytes)
            return
        group: list[int] = []
        held = 0
        for folder, size in enumerate(self._streams.folder_sizes.tolist()):
            if size <= WHOLE_FOLDER_BYTES:
                group.append(folder)
                held += size
                if held >= chunk_bytes:
                    yield self._job(group, chunk_bytes)
                    group, held = [], 0
                continue
            if group:
                yield self._job(group, chunk_bytes)
                group, held = [], 0
            yield from self._stream_jobs(folder, chunk_bytes)
        if group:
            yield self._job(group, chunk_bytes)

    def _job(self, folders: list[int], chunk_bytes: int) -> Job:
        return lambda: [piece for folder in folders for piece in self._pieces(folder, chunk_bytes, WHOLE_FOLDER_BYTES)]

    def _stream_jobs(self, folder: int, chunk_bytes: int) -> Iterator[Job]:
        pieces: list[Piece] = []
        held = 0
        for piece in self._pieces(folder, chunk_bytes, READ_AHEAD_BYTES):
            pieces.append(piece)
            held += len(piece.data)
            if held >= chunk_bytes:
                yield pieces.copy
                pieces, held = [], 0
        if pieces:
            yield pieces.copy

    def _pieces(self, folder: int, chunk_bytes: int, ahead: int) -> Iterator[Piece]:
        """Decode one folder; the last piece of each member comes only after the member's CRC was found right."""
        first, end = self._streams.stream_starts[folder : folder + 2].tolist()
        if first == end:
            return
        content: _Unpacked | None = None
        whole_crc = 0
        check_whole = bool(self._streams.folder_has_crc[folder]) and end - first > 1
        stream = first
        try:
            source = self._folder_source(folder)
            content = _Unpacked(source, int(self._streams.folder_sizes[folder]), ahead)
            for stream, size in enumerate(self._streams.sizes[first:end].tolist(), first):
                crc = 0
                for offset in range(0, size, chunk_bytes):
                    data = content.take(min(chunk_bytes, size - offset))
                    crc = crc32(data, crc)
                    whole_crc = crc32(data, whole_crc) if check_whole else 0
                    if offset + len(data) == size:
                        self._check_crc(stream, crc)
                    yield Piece(int(self.members.member_of[stream]), offset, data)
            source.check_end()
            if check_whole and whole_crc != int(self._streams.folder_crcs[folder]):
                raise DamagedArchiveError("the folder it ends fails its CRC")
        except InputError as error:
            raise self._at(error, stream) from error

    def _check_crc(self, stream: int, crc: int) -> None:
        if self._streams.has_crc[stream] and crc != int(self._streams.crcs[stream]):
            raise DamagedArchiveError(f"CRC-32 is {crc:08x}, {int(self._streams.crcs[stream]):08x} was stored")

    def _at(self, error: InputError, stream: int) -> InputError:
        """The same error, with the archive and the member."""
        if error.where is not None:
            return error
        name = self.members.name(int(self.members.member_of[stream]))
        return type(error)(f"{name!r}: {error.what}", where=self.path, hint=error.hint)

    def _folder_source(self, folder: int, password: str | None = None) -> Stage:
        packed, sizes = folder_source(self._file, self._body, self._streams, folder)
        return open_folder(self._streams.recipes[folder], sizes, packed, password or self._keyring.password)

    def read(self, index: int) -> bytes:
        """One member's content. Reading members in ascending order never decodes a byte twice."""
        stream = int(self.members.stream_of[index])
        if stream < 0 or not self._streams.sizes[stream]:
            return b""
        if self._program is not None:
            data = self._from_outside(int(self._streams.sizes[:stream].sum()), int(self._streams.sizes[stream]))
            self._check_outside(stream, crc32(data))
            return data
        folder = int(np.searchsorted(self._streams.stream_starts, stream, "right")) - 1
        first = int(self._streams.stream_starts[folder])
        offset = int(self._streams.sizes[first:stream].sum())
        with self._lock:
            try:
                data = self._cut(folder, offset, int(self._streams.sizes[stream]))
                self._check_crc(stream, crc32(data))
            except InputError as error:
                self._cached = self._whole = None
                raise self._at(error, stream) from error
        return data

    def _cut(self, folder: int, offset: int, size: int) -> bytes:
        """Bytes of a folder's content; a small folder that is read backwards is decoded once more and kept whole."""
        if self._whole and self._whole[0] == folder:
            return self._whole[1][offset : offset + size]
        content = self._cached[1] if self._cached and self._cached[0] == folder else None
        folder_size = int(self._streams.folder_sizes[folder])
        if content and content.position > offset and folder_size <= WHOLE_FOLDER_BYTES:
            whole = read_exactly(self._folder_source(folder), folder_size)
            self._whole, self._cached = (folder, whole), None
            return whole[offset : offset + size]
        if content is None or content.position > offset:
            content = _Unpacked(self._folder_source(folder), folder_size, READ_AHEAD_BYTES)
            self._cached, self._whole = (folder, content), None
        while content.position < offset:
            content.take(min(READ_AHEAD_BYTES, offset - content.position))
        return content.take(size)

    def close(self) -> None:
        """Close the file; jobs not yet run fail."""
        self._cached = self._whole = None
        if self._outside is not None:
            self._outside.close()
        self._file.close()
