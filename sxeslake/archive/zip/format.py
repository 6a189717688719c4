"""The zip format's records and numbers, for reader and writer alike (PKWARE APPNOTE 6.3, Info-ZIP extra fields)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

from sxeslake.archive.names import is_plain, normal_path
from sxeslake.archive.times import ns_of_filetime

LOCAL: Final = struct.Struct("<4sHHHLLLLHH")  # signature … name length, extra length, with the time as one number
CENTRAL: Final = struct.Struct("<4sHHHHLLLLHHHHHLL")
END: Final = struct.Struct("<4sHHHHLLH")
END64: Final = struct.Struct("<4sQHHLLQQQQ")
LOCATOR64: Final = struct.Struct("<4sLQL")

LOCAL_MAGIC: Final = b"PK\x03\x04"
CENTRAL_MAGIC: Final = b"PK\x01\x02"
END_MAGIC: Final = b"PK\x05\x06"
END64_MAGIC: Final = b"PK\x06\x06"
LOCATOR64_MAGIC: Final = b"PK\x06\x07"
SIGNATURE_MAGIC: Final = b"PK\x05\x05"

ENCRYPTED: Final = 0x0001
PATCH: Final = 0x0020
STRONG_ENCRYPTION: Final = 0x0040
UTF8_NAME: Final = 0x0800
MASKED_HEADER: Final = 0x2000

STORE: Final = 0
DEFLATE: Final = 8
DEFLATE64: Final = 9
BZIP2: Final = 12
LZMA: Final = 14
ZSTD_OLD: Final = 20  # written by some tools before 93 was assigned
ZSTD: Final = 93
XZ: Final = 95
PPMD: Final = 98
AES: Final = 99
METHOD_NAMES: Final = {
    1: "Shrink",
    **{number: f"Reduce-{number - 1}" for number in range(2, 6)},
    6: "Implode",
    10: "PKWARE Implode",
    16: "IBM z/OS CMPSC",
    18: "IBM TERSE",
    19: "IBM LZ77",
    94: "MP3",
    96: "JPEG",
    97: "WavPack",
}

EXTRA_ZIP64: Final = 0x0001
EXTRA_NTFS: Final = 0x000A
EXTRA_PKWARE_UNIX: Final = 0x000D
EXTRA_TIMESTAMP: Final = 0x5455
EXTRA_INFOZIP_UNIX: Final = 0x5855
EXTRA_UNICODE_PATH: Final = 0x7075

DOS_SYSTEMS: Final = (0, 6, 10, 11, 14)  # FAT, HPFS, NTFS by either number, VFAT
UNIX_SYSTEMS: Final = (3, 19)  # Unix, macOS: the high half of external attributes is a mode
MAX_16: Final = 0xFFFF
MAX_32: Final = 0xFFFF_FFFF
DOS_DIRECTORY: Final = 0x10


_NTFS_HEAD: Final = b"\x0a\0\x20\0"
_FILETIME: Final = struct.Struct("<Q").unpack_from


def extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """`(tag, body)` for each field; stops where the rest is no field."""
    at = 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + size]
        if len(body) < size:
            return
        yield tag, body
        at += 4 + size


def modified_ns(extra: bytes) -> int | None:
    """The modification time in UTC: NTFS (100 ns) before Unix seconds; None where no field tells."""
    if extra.startswith(_NTFS_HEAD) and extra.startswith(b"\1\0\x18\0", 8) and len(extra) >= 36:
        filetime = _FILETIME(extra, 12)[0]  # as 7-Zip, Windows and we ourselves write it
        if 0 < filetime < 1 << 63:
            return ns_of_filetime(filetime)
    seconds: int | None = None
    for tag, body in extra_fields(extra):
        if tag == EXTRA_NTFS and (filetime := _ntfs_mtime(body)) is not None:
            return ns_of_filetime(filetime)
        if tag == EXTRA_TIMESTAMP and len(body) >= 5 and body[0] & 1:
            seconds = struct.unpack_from("<l", body, 1)[0]
        elif tag in (EXTRA_INFOZIP_UNIX, EXTRA_PKWARE_UNIX) and len(body) >= 8 and seconds is None:
            seconds = struct.unpack_from("<l", body, 4)[0]
    return None if seconds is None else seconds * 1_000_000_000


def _ntfs_mtime(body: bytes) -> int | None:
    for tag, times in extra_fields(body[4:]):
        if tag == 1 and len(times) >= 8:
            filetime: int = struct.unpack_from("<Q", times)[0]
            return filetime if 0 < filetime < 1 << 63 else None
    return None


def unicode_path(extra: bytes, raw_name: bytes) -> str | None:
    """Info-ZIP's UTF-8 name, where it belongs to the name beside it and is valid."""
    for tag, body in extra_fields(extra):
        if tag == EXTRA_UNICODE_PATH and len(body) > 5 and body[0] == 1:
            if struct.unpack_from("<L", body, 1)[0] != zlib.crc32(raw_name):
                return None  # the name was changed by a tool that did not know this field
            try:
                return body[5:].decode()
            except UnicodeDecodeError:
                return None
    return None


def legacy_text(raw: bytes, encoding: str | None, guess: str = "cp437") -> str:
    """A name that says no encoding: the given one, else UTF-8 where it is valid, else the guess."""
    for name in (encoding or "utf-8", guess):
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437")  # knows every byte


def member_path(
    raw: bytes, *, flags: int, system: int, extra: bytes = b"", encoding: str | None = None, guess: str = "cp437"
) -> tuple[str, bool, bool]:
    """Path, whether it names a folder, and whether the path alone would give the same bytes again.

    `b"data\\\\x.bin"` from a Windows tool → `("data/x.bin", False, False)`.
    """
    plain = raw.isascii()
    if plain and not extra and is_plain(text := raw.decode("ascii")):
        return text, False, True
    known = raw.decode("ascii") if plain else None
    if not plain and flags & UTF8_NAME:
        try:
            known = raw.decode()
        except UnicodeDecodeError:
            known = None  # the flag lies: a legacy name
    faithful = known is not None
    if (plain or not faithful) and extra and (wide := unicode_path(extra, raw)) is not None:
        faithful = faithful and wide == known
        known = wide
    text = name = legacy_text(raw, encoding, guess) if known is None else known
    if system in DOS_SYSTEMS and "\\" in name and "/" not in name:
        name = name.replace("\\", "/")  # as Info-ZIP does for archives of careless Windows tools
    is_folder = name.endswith("/")
    path = normal_path(name)
    return path, is_folder, faithful and text == (path + "/" if is_folder else path)
