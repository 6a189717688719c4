"""Writing a zip: small members packed in batches by threads, large ones block by block, all in the order given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from sxeslake.archive.deflate import crc32, deflate, deflate_block, steady_level
from sxeslake.archive.zip.aes import MemberEncryptor, field_of
from sxeslake.archive.zip.format import AES, DEFLATE, ENCRYPTED, MAX_16, STORE
from sxeslake.archive.zip.records import HeaderEntry, central_record, end_records, entry_of, is_wide, local_header
from sxeslake.closing import Finishing
from sxeslake.errors import InputError, UsageError
from sxeslake.machine.concurrency import OrderedPool
from sxeslake.model import KIB, MIB, Member

BATCH_BYTES = 2 * MIB  # of small members to one thread: long enough to hide the hand-over
BATCH_MEMBERS = 1024
LARGE_BYTES = 4 * MIB  # beyond this a member is not held whole
BLOCK_BYTES = MIB  # of a large member to one thread
WRITE_BYTES = 256 * KIB


class _Packed(NamedTuple):
    """A member as it will stand in the archive."""

    entry: HeaderEntry
    method: int
    checksum: int
    size: int
    data: bytes


Event = Callable[[], None]
"""Something to do to the file, once everything before it is there."""


class ZipWriter(Finishing):
    """Appends members to a zip; the same members, level and library versions give the same bytes.

    With a `password` contents are encrypted with AES-256, each from a salt of its own; names are not.
    """

    def __init__(
        self,
        out: BinaryIO,
        *,
        level: int = 1,
        threads: int | None = None,
        comment: bytes = b"",
        password: str | None = None,
    ) -> None:
        if len(comment) > MAX_16:
            raise UsageError(f"a zip comment of {len(comment):,} bytes; it may have {MAX_16:,}")
        if password == "":
            raise UsageError("a password is not empty")
        self._out = out
        self._origin = out.tell()
        self._level = steady_level(level)
        self._comment, self._password = comment, password
        self._position = 0
        self._central = bytearray()
        self._count = 0
        self._batch: list[tuple[HeaderEntry, bytes]] = []
        self._batch_bytes = 0
        self._pool: OrderedPool[Event] = OrderedPool(lambda event: event(), threads=threads)

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """Append a member; `data` must give exactly `member.size` bytes."""
        entry = entry_of(member)
        if member.size > LARGE_BYTES:
            self._flush_batch()
            self._add_large(entry, member, data)
            return
        content = data if isinstance(data, bytes) else b"".join(data)
        if len(content) != member.size:
            raise _wrong_size(member, len(content))
        self._batch.append((entry, content))
        self._batch_bytes += len(content)
        if self._batch_bytes >= BATCH_BYTES or len(self._batch) >= BATCH_MEMBERS:
            self._flush_batch()

    def close(self) -> None:
        """Write what is still in work, then the central directory; the file beneath stays open."""
        try:
            self._flush_batch()
            self._pool.drain()
        finally:
            self._pool.abort()
        self._write_end()

    def abort(self) -> None:
        """End the threads and leave the archive unfinished."""
        self._pool.abort()

    # small members

    def _flush_batch(self) -> None:
        if self._batch:
            self._pool.submit(self._pack_batch, self._batch)
            self._batch, self._batch_bytes = [], 0

    def _pack_batch(self, batch: list[tuple[HeaderEntry, bytes]]) -> Event:
        packed = [_pack(entry, content, self._level) for entry, content in batch]
        if self._password is not None:
            packed = [_encrypted(each, self._password) for each in packed]
        return partial(self._write_batch, packed)

    def _write_batch(self, batch: list[_Packed]) -> None:
        waiting: list[bytes] = []
        at = self._position
        for packed in batch:
            header = local_header(packed.entry, packed.method, packed.checksum, len(packed.data), packed.size)
            waiting += (header, packed.data)
            self._record(packed.entry, packed.method, packed.checksum, len(packed.data), packed.size, at)
            at += len(header) + len(packed.data)
        self._write(b"".join(waiting))

    # large members

    def _add_large(self, entry: HeaderEntry, member: Member, data: Iterable[bytes]) -> None:
        """Header with room for the sizes, blocks as the threads make them, then the sizes by seeking back."""
        blocks = _equal_blocks(data, BLOCK_BYTES)
        first = next(blocks, b"")
        # one block tells whether the rest will shrink: the data come only once
        stored = self._level == 0 or len(deflate(first, self._level)) >= len(first)
        large = _LargeMember(entry, STORE if stored else DEFLATE, member.size)
        if self._password is not None:
            large.encrypt(self._password)
        self._pool.submit(_event, partial(self._begin_large, large))
        done, checksum = 0, 0
        following: bytes | None = first
        while following:
            block, following = following, next(blocks, None)
            done += len(block)
            checksum = crc32(block, checksum)
            if stored:
                self._pool.submit(_event, partial(self._write_block, large, block))
            else:
                self._pool.submit(self._pack_block, large, block, last=following is None)
        if done != member.size:
            raise _wrong_size(member, done)
        self._pool.submit(_event, partial(self._end_large, large, checksum))

    def _pack_block(self, large: _LargeMember, block: bytes, *, last: bool) -> Event:
        return partial(self._write_block, large, deflate_block(block, self._level, last=last))

    def _begin_large(self, large: _LargeMember) -> None:
        large.at = self._position
        self._write(local_header(large.entry, large.method, 0, 0, large.size, wide=large.wide))
        if large.encryptor is not None:
            self._write_packed(large, large.encryptor.head())

    def _write_block(self, large: _LargeMember, data: bytes) -> None:
        self._write_packed(large, data if large.encryptor is None else large.encryptor.take(data))

    def _write_packed(self, large: _LargeMember, data: bytes) -> None:
        large.packed += len(data)
        self._write(data)

    def _end_large(self, large: _LargeMember, checksum: int) -> None:
        if large.encryptor is not None:
            self._write_packed(large, large.encryptor.tail())
            checksum = 0  # the HMAC stands for it
        header = local_header(large.entry, large.method, checksum, large.packed, large.size, wide=large.wide)
        self._out.seek(self._origin + large.at)
        self._out.write(header)
        self._out.seek(self._origin + self._position)
        self._record(large.entry, large.method, checksum, large.packed, large.size, large.at)

    # the file

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)

    def _record(self, entry: HeaderEntry, method: int, checksum: int, packed: int, size: int, at: int) -> None:
        self._central += central_record(entry, method, checksum, packed, size, at)
        self._count += 1

    def _write_end(self) -> None:
        start, size = self._position, len(self._central)
        for at in range(0, size, WRITE_BYTES):  # a copy of the whole directory would double its memory
            self._out.write(self._central[at : at + WRITE_BYTES])
        self._position += size
        self._out.write(end_records(start, size, self._count, self._comment))


class _LargeMember:
    """A large member on its way: where it begins, what it has grown to."""

    def __init__(self, entry: HeaderEntry, method: int, size: int) -> None:
        self.entry = entry
        self.method = method
        self.size = size
        self.wide = is_wide(size)
        self.at = 0
        self.packed = 0
        self.encryptor: MemberEncryptor | None = None

    def encrypt(self, password: str) -> None:
        """Encrypt what is written from now on."""
        self.entry, self.method = _locked(self.entry, self.method), AES
        self.encryptor = MemberEncryptor(password)


def _event(event: Event) -> Event:
    return event


def _pack(entry: HeaderEntry, content: bytes, level: int) -> _Packed:
    if level and content:
        data = deflate(content, level)
        if len(data) < len(content):
            return _Packed(entry, DEFLATE, crc32(content), len(content), data)
    return _Packed(entry, STORE, crc32(content), len(content), content)


def _encrypted(packed: _Packed, password: str) -> _Packed:
    """The same member, encrypted; there is nothing to hide in an empty one."""
    if not packed.size:
        return packed
    encryptor = MemberEncryptor(password)
    data = encryptor.head() + encryptor.take(packed.data) + encryptor.tail()
    return _Packed(_locked(packed.entry, packed.method), AES, 0, packed.size, data)


def _locked(entry: HeaderEntry, method: int) -> HeaderEntry:
    return entry._replace(flags=entry.flags | ENCRYPTED, extra=entry.extra + field_of(method))


def _equal_blocks(data: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes cut at multiples of `size`: what is written must not depend on how they came."""
    waiting = bytearray()
    for block in data:
        waiting += block
        while len(waiting) >= size:
            yield bytes(memoryview(waiting)[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def _wrong_size(member: Member, found: int) -> InputError:
    return InputError(f"{member.path}: {found:,} bytes came, {member.size:,} were announced")
