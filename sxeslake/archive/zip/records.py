"""The records of a zip that is written, as bytes: headers before the data, the directory behind it.

What `ZipWriter` writes and what `StoredZip` says it would write are made by the same functions.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from sxeslake.archive import names
from sxeslake.archive.attributes import UNIX_ATTRIBUTES, expressible
from sxeslake.archive.times import DOS_EPOCH, dos_of_ns, filetime_of_ns
from sxeslake.archive.zip import format as zip_format
from sxeslake.archive.zip.format import CENTRAL, DEFLATE, END, END64, LOCAL, LOCATOR64, MAX_16, MAX_32
from sxeslake.errors import UnsafeNameError
from sxeslake.model import KIB, Member

VERSION_STORE, VERSION_DEFLATE, VERSION_ZIP64, VERSION_AES = 10, 20, 45, 51
SYSTEM_DOS, SYSTEM_UNIX = 0, 3


class HeaderEntry(NamedTuple):
    """What the headers say of a member before its content is known."""

    name: bytes
    flags: int
    time: int
    extra: bytes
    external: int
    system: int
    is_folder: bool


def is_beyond(value: int) -> bool:
    """Whether a size or an offset does not fit 32 bits."""
    return value >= MAX_32


def is_wide(size: int) -> bool:
    """Whether the local header of a large member keeps room for 64-bit sizes: deflate may make more of it, at worst."""
    return size + size // 1024 + 64 * KIB >= MAX_32


def entry_of(member: Member) -> HeaderEntry:
    """What the headers say of a member; UnsafeNameError for a name that no archive may hold."""
    is_folder = member.kind == "directory"
    if reason := names.unsafe_reason(member.path, is_directory=is_folder):
        raise UnsafeNameError(f"the name {member.path!r} {reason}")
    attributes = expressible(member.attributes, is_directory=is_folder, size=member.size) or 0
    has_mode = bool(attributes & UNIX_ATTRIBUTES)
    # readers take the backslash in a DOS name for a separator
    system = SYSTEM_UNIX if has_mode or "\\" in member.path else SYSTEM_DOS
    name, flags, extra = _plain_name(member) if member.raw_name is None else _raw_name(member, system)
    if len(name) > MAX_16:
        raise UnsafeNameError(f"the name {member.path[:80]!r}… is longer than a zip can hold")
    return HeaderEntry(
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
        path, _, _ = zip_format.member_path(raw, flags=0, system=system)
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


def _version(entry: HeaderEntry, method: int) -> int:
    if method == zip_format.AES:
        return VERSION_AES
    return VERSION_DEFLATE if method == DEFLATE or entry.is_folder else VERSION_STORE


def local_header(
    entry: HeaderEntry, method: int, checksum: int, packed: int, size: int, *, wide: bool = False
) -> bytes:
    """The header before a member's data; `wide` has both sizes in a zip64 field."""
    extra = entry.extra
    version = _version(entry, method)
    if wide:
        extra = _field(zip_format.EXTRA_ZIP64, struct.pack("<QQ", size, packed)) + extra
        version, packed, size = max(version, VERSION_ZIP64), MAX_32, MAX_32
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


def central_record(entry: HeaderEntry, method: int, checksum: int, packed: int, size: int, at: int) -> bytes:
    """A member's record in the directory; what does not fit 32 bits goes to a zip64 field."""
    wide = b"".join(value.to_bytes(8, "little") for value in (size, packed, at) if is_beyond(value))
    extra = _field(zip_format.EXTRA_ZIP64, wide) + entry.extra if wide else entry.extra
    version = max(VERSION_ZIP64 if wide else 0, _version(entry, method))
    head = CENTRAL.pack(
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
    return head + entry.name + extra


def end_records(start: int, size: int, count: int, comment: bytes) -> bytes:
    """What stands behind a directory of `count` records, which begins at `start` and is `size` bytes long."""
    wide = b""
    if start >= MAX_32 or size >= MAX_32 or count >= MAX_16:
        numbers = (VERSION_ZIP64, VERSION_ZIP64, 0, 0, count, count, size, start)
        wide = END64.pack(zip_format.END64_MAGIC, END64.size - 12, *numbers)
        wide += LOCATOR64.pack(zip_format.LOCATOR64_MAGIC, 0, start + size, 1)
    counted = min(count, MAX_16)
    extent = (min(size, MAX_32), min(start, MAX_32))
    return wide + END.pack(zip_format.END_MAGIC, 0, 0, counted, counted, *extent, len(comment)) + comment
