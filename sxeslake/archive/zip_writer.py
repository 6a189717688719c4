"""Writing a zip: small members packed in batches by threads, large ones block by block, all in the order given."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from sxeslake.archive import names, zip_format
from sxeslake.archive.deflate import crc32, deflate, deflate_block
from sxeslake.archive.names import UNIX_ATTRIBUTES
from sxeslake.archive.parallel import OrderedPool
from sxeslake.archive.times import DOS_EPOCH, dos_of_ns, filetime_of_ns
from sxeslake.archive.zip_format import CENTRAL, DEFLATE, END, END64, LOCAL, LOCATOR64, MAX_16, MAX_32, STORE
from sxeslake.errors import InputError, UnsafeNameError, UsageError
from sxeslake.model import KIB, MIB, Member

BATCH_BYTES = 2 * MIB  # of small members to one thread: long enough to hide the hand-over
BATCH_MEMBERS = 1024
LARGE_BYTES = 4 * MIB  # beyond this a member is not held whole
BLOCK_BYTES = MIB  # of a large member to one thread
WRITE_BYTES = 256 * KIB

VERSION_STORE, VERSION_DEFLATE, VERSION_ZIP64 = 10, 20, 45
SYSTEM_DOS, SYSTEM_UNIX = 0, 3


class _Entry(NamedTuple):
    """What the headers say of a member before its content is known."""

    name: bytes
    flags: int
    time: int
    extra: bytes
    external: int
    system: int
    is_folder: bool


class _Packed(NamedTuple):
    """A member as it will stand in the archive."""

    entry: _Entry
    method: int
    checksum: int
    size: int
    data: bytes


Event = Callable[[], None]
"""Something to do to the file, once everything before it is there."""


class ZipWriter:
    """Appends members to a zip; the same members, level and library versions give the same bytes."""

    def __init__(self, out: BinaryIO, *, level: int = 1, threads: int | None = None, comment: bytes = b"") -> None:
        if len(comment) > MAX_16:
            raise UsageError(f"a zip comment of {len(comment):,} bytes; it may have {MAX_16:,}")
        self._out = out
        self._origin = out.tell()
        self._level = level
        self._comment = comment
        self._position = 0
        self._central = bytearray()
        self._count = 0
        self._batch: list[tuple[_Entry, bytes]] = []
        self._batch_bytes = 0
        self._pool: OrderedPool[Event] = OrderedPool(lambda event: event(), threads=threads)

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """Append a member; `data` must give exactly `member.size` bytes."""
        entry = _entry_of(member)
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    # small members

    def _flush_batch(self) -> None:
        if self._batch:
            self._pool.submit(self._pack_batch, self._batch)
            self._batch, self._batch_bytes = [], 0

    def _pack_batch(self, batch: list[tuple[_Entry, bytes]]) -> Event:
        return partial(self._write_batch, [_pack(entry, content, self._level) for entry, content in batch])

    def _write_batch(self, batch: list[_Packed]) -> None:
        waiting: list[bytes] = []
        at = self._position
        for packed in batch:
            header = _local_header(packed.entry, packed.method, packed.checksum, len(packed.data), packed.size)
            waiting += (header, packed.data)
            self._record(packed.entry, packed.method, packed.checksum, len(packed.data), packed.size, at)
            at += len(header) + len(packed.data)
        self._write(b"".join(waiting))

    # large members

    def _add_large(self, entry: _Entry, member: Member, data: Iterable[bytes]) -> None:
        """Header with room for the sizes, blocks as the threads make them, then the sizes by seeking back."""
        blocks = _equal_blocks(data, BLOCK_BYTES)
        first = next(blocks, b"")
        # one block tells whether the rest will shrink: the data come only once
        stored = self._level == 0 or len(deflate(first, self._level)) >= len(first)
        large = _Large(entry, STORE if stored else DEFLATE, member.size)
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

    def _pack_block(self, large: _Large, block: bytes, *, last: bool) -> Event:
        return partial(self._write_block, large, deflate_block(block, self._level, last=last))

    def _begin_large(self, large: _Large) -> None:
        large.at = self._position
        self._write(_local_header(large.entry, large.method, 0, 0, large.size, wide=large.wide))

    def _write_block(self, large: _Large, data: bytes) -> None:
        large.packed += len(data)
        self._write(data)

    def _end_large(self, large: _Large, checksum: int) -> None:
        header = _local_header(large.entry, large.method, checksum, large.packed, large.size, wide=large.wide)
        self._out.seek(self._origin + large.at)
        self._out.write(header)
        self._out.seek(self._origin + self._position)
        self._record(large.entry, large.method, checksum, large.packed, large.size, large.at)

    # the file

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)

    def _record(self, entry: _Entry, method: int, checksum: int, packed: int, size: int, at: int) -> None:
        """Append to the central directory; what does not fit 32 bits goes to a zip64 field."""
        wide = b"".join(value.to_bytes(8, "little") for value in (size, packed, at) if value >= MAX_32)
        extra = _field(zip_format.EXTRA_ZIP64, wide) + entry.extra if wide else entry.extra
        version = VERSION_ZIP64 if wide else _version(entry, method)
        self._central += CENTRAL.pack(
            zip_format.CENTRAL_MAGIC,
            entry.system << 8 | max(version, VERSION_DEFLATE),
            version,
            entry.flags,
            method,
            entry.time,
            checksum,
            min(packed, MAX_32),
            min(size, MAX_32),
            len(entry.name),
            len(extra),
            0,
            0,
            0,
            entry.external,
            min(at, MAX_32),
        )
        self._central += entry.name
        self._central += extra
        self._count += 1

    def _write_end(self) -> None:
        start, size, count = self._position, len(self._central), self._count
        for at in range(0, size, WRITE_BYTES):  # a copy of the whole directory would double its memory
            self._out.write(self._central[at : at + WRITE_BYTES])
        self._position += size
        if start >= MAX_32 or size >= MAX_32 or count >= MAX_16:
            wide = END64.pack(
                zip_format.END64_MAGIC,
                END64.size - 12,
                VERSION_ZIP64,
                VERSION_ZIP64,
                0,
                0,
                count,
                count,
                size,
                start,
            )
            self._out.write(wide + LOCATOR64.pack(zip_format.LOCATOR64_MAGIC, 0, self._position, 1))
        counted = min(count, MAX_16)
        self._out.write(
            END.pack(
                zip_format.END_MAGIC,
                0,
                0,
                counted,
                counted,
                min(size, MAX_32),
                min(start, MAX_32),
                len(self._comment),
            )
            + self._comment
        )


class _Large:
    """A large member on its way: where it begins, what it has grown to."""

    def __init__(self, entry: _Entry, method: int, size: int) -> None:
        self.entry = entry
        self.method = method
        self.size = size
        self.wide = size + size // 1024 + 64 * KIB >= MAX_32  # what deflate may make of it at worst
        self.at = 0
        self.packed = 0


def _event(event: Event) -> Event:
    return event


def _pack(entry: _Entry, content: bytes, level: int) -> _Packed:
    if level and content:
        data = deflate(content, level)
        if len(data) < len(content):
            return _Packed(entry, DEFLATE, crc32(content), len(content), data)
    return _Packed(entry, STORE, crc32(content), len(content), content)


def _entry_of(member: Member) -> _Entry:
    is_folder = member.kind == "directory"
    if reason := names.unsafe_reason(member.path, is_directory=is_folder):
        raise UnsafeNameError(f"the name {member.path!r} {reason}")
    attributes = member.attributes or 0
    has_mode = bool(attributes & UNIX_ATTRIBUTES)
    # readers take the backslash in a DOS name for a separator
    system = SYSTEM_UNIX if has_mode or "\\" in member.path else SYSTEM_DOS
    name, flags, extra = _plain_name(member) if member.raw_name is None else _raw_name(member, system)
    if len(name) > MAX_16:
        raise UnsafeNameError(f"the name {member.path[:80]!r}… is longer than a zip can hold")
    return _Entry(
        name=name,
        flags=flags,
        time=_dos_time(member),
        extra=extra + _time_fields(member.modified_ns),
        external=attributes & ~UNIX_ATTRIBUTES if has_mode else attributes & (UNIX_ATTRIBUTES - 1),
        system=system,
        is_folder=is_folder,
    )


def _plain_name(member: Member) -> tuple[bytes, int, bytes]:
    name = (member.path + "/" if member.kind == "directory" else member.path).encode()
    return name, 0 if name.isascii() else zip_format.UTF8_NAME, b""


def _raw_name(member: Member, system: int) -> tuple[bytes, int, bytes]:
    """The bytes the name had; where they alone would read otherwise, the path beside them in UTF-8."""
    raw = member.raw_name or b""
    if b"\0" in raw or raw.startswith(b"/") or b".." in raw.split(b"/"):
        raise UnsafeNameError(f"the name {raw!r} of {member.path!r} could leave its folder")
    path, is_folder, _ = zip_format.member_path(raw, flags=0, system=system)
    if member.kind == "directory" and not is_folder:
        raw += b"/"
    if path == member.path:
        return raw, 0, b""
    text = (member.path + "/" if member.kind == "directory" else member.path).encode()
    body = b"\1" + zlib.crc32(raw).to_bytes(4, "little") + text
    return raw, 0, _field(zip_format.EXTRA_UNICODE_PATH, body)


def _dos_time(member: Member) -> int:
    if member.dos_time is not None:
        return member.dos_time
    return DOS_EPOCH if member.modified_ns is None else dos_of_ns(member.modified_ns)


def _time_fields(modified_ns: int | None) -> bytes:
    """NTFS for 100 ns, Unix seconds for the readers that know only these."""
    if modified_ns is None:
        return b""
    fields = b""
    filetime = filetime_of_ns(modified_ns)
    if filetime is not None:
        # the format has three times; one that is not known would read as 1601
        fields = _field(zip_format.EXTRA_NTFS, struct.pack("<LHHQQQ", 0, 1, 24, filetime, filetime, filetime))
    seconds = modified_ns // 1_000_000_000
    if -(1 << 31) <= seconds < 1 << 31:
        fields += _field(zip_format.EXTRA_TIMESTAMP, struct.pack("<Bl", 1, seconds))
    return fields


def _field(tag: int, body: bytes) -> bytes:
    return struct.pack("<HH", tag, len(body)) + body


def _version(entry: _Entry, method: int) -> int:
    return VERSION_DEFLATE if method == DEFLATE or entry.is_folder else VERSION_STORE


def _local_header(entry: _Entry, method: int, checksum: int, packed: int, size: int, *, wide: bool = False) -> bytes:
    """The header before a member's data; `wide` has both sizes in a zip64 field."""
    extra = entry.extra
    version = _version(entry, method)
    if wide:
        extra = _field(zip_format.EXTRA_ZIP64, struct.pack("<QQ", size, packed)) + extra
        version, packed, size = VERSION_ZIP64, MAX_32, MAX_32
    head = LOCAL.pack(
        zip_format.LOCAL_MAGIC,
        version,
        entry.flags,
        method,
        entry.time,
        checksum,
        packed,
        size,
        len(entry.name),
        len(extra),
    )
    return head + entry.name + extra


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
