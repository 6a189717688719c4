"""AES of WinZip (AE-1 and AE-2) in a zip: members decrypted and encrypted.

A member is salt · check of the password (2 bytes) · contents by AES in counter mode · HMAC-SHA1 (10 bytes). The HMAC
proves password and data; AE-2 has no CRC-32 beside it. Names stay readable.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from typing import Any, Final, NamedTuple

from sxeslake.archive.stages import ByteSource
from sxeslake.archive.zip.format import extra_fields
from sxeslake.errors import DamagedArchiveError, EncryptedArchiveError

EXTRA: Final = 0x9901

_FIELD: Final = struct.Struct("<H2sBH")
_KEY_BYTES: Final = {1: 16, 2: 24, 3: 32}
_STRENGTH: Final = 3
_CHECK_BYTES: Final = 2
_TAG_BYTES: Final = 10
_ROUNDS: Final = 1000


class AesSettings(NamedTuple):
    """What the extra field of a member says."""

    key_bytes: int
    method: int  # by which the contents are compressed
    has_crc: bool

    @property
    def salt_bytes(self) -> int:
        """Of the salt before the contents."""
        return self.key_bytes // 2

    @property
    def overhead(self) -> int:
        """Bytes around the encrypted contents."""
        return self.salt_bytes + _CHECK_BYTES + _TAG_BYTES


def settings_of(extra: bytes) -> AesSettings:
    """The settings in a member's extra fields."""
    for tag, body in extra_fields(extra):
        if tag == EXTRA and len(body) >= _FIELD.size:
            version, vendor, strength, method = _FIELD.unpack_from(body)
            if version in (1, 2) and vendor == b"AE" and strength in _KEY_BYTES:
                return AesSettings(_KEY_BYTES[strength], method, version == 1)
    raise DamagedArchiveError("the AES field is missing or damaged")


def field_of(method: int) -> bytes:
    """The extra field of a member that is written, compressed by `method`."""
    return struct.pack("<HH", EXTRA, _FIELD.size) + _FIELD.pack(2, b"AE", _STRENGTH, method)


class _AesKeys(NamedTuple):
    cipher: Any
    tag: hmac.HMAC
    check: bytes


def _keys(password: str, salt: bytes, key_bytes: int) -> _AesKeys:
    from Cryptodome.Cipher import AES  # noqa: PLC0415 - rarely needed
    from Cryptodome.Util import Counter  # noqa: PLC0415 - as above

    words = password.encode("utf-8", "surrogateescape")
    made = hashlib.pbkdf2_hmac("sha1", words, salt, _ROUNDS, 2 * key_bytes + _CHECK_BYTES)
    counter = Counter.new(128, initial_value=1, little_endian=True)
    cipher = AES.new(made[:key_bytes], AES.MODE_CTR, counter=counter)
    return _AesKeys(cipher, hmac.new(made[key_bytes : 2 * key_bytes], digestmod="sha1"), made[2 * key_bytes :])


class DecryptedSource:
    """The packed contents of an encrypted member; EncryptedArchiveError at once for a wrong password."""

    def __init__(self, source: ByteSource, packed: int, settings: AesSettings, password: str) -> None:
        self._source, self._left = source, packed - settings.overhead
        head = source.read(settings.salt_bytes + _CHECK_BYTES)
        if self._left < 0 or len(head) < settings.salt_bytes + _CHECK_BYTES:
            raise DamagedArchiveError("the encrypted data is truncated")
        salt, check = head[: settings.salt_bytes], head[settings.salt_bytes :]
        self._cipher, self._tag, expected = _keys(password, salt, settings.key_bytes)
        if not hmac.compare_digest(check, expected):
            raise EncryptedArchiveError("wrong password")

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        data = self._source.read(min(size, self._left))
        self._left -= len(data)
        self._tag.update(data)
        return bytes(self._cipher.decrypt(data)) if data else b""

    def prove(self) -> None:
        """After the last byte: DamagedArchiveError where the contents were changed."""
        while self.read(1 << 20):
            pass
        tag = self._source.read(_TAG_BYTES)
        if self._left or not hmac.compare_digest(tag, self._tag.digest()[:_TAG_BYTES]):
            raise DamagedArchiveError("the encrypted data is damaged: its HMAC differs")


class MemberEncryptor:
    """Encrypts the packed contents of one member, AE-2 with 256 bits."""

    def __init__(self, password: str) -> None:
        self._salt = secrets.token_bytes(_KEY_BYTES[_STRENGTH] // 2)
        self._cipher, self._tag, self._check = _keys(password, self._salt, _KEY_BYTES[_STRENGTH])

    def head(self) -> bytes:
        """What stands before the contents."""
        return self._salt + self._check

    def take(self, data: bytes) -> bytes:
        """The next bytes, encrypted."""
        made = bytes(self._cipher.encrypt(data))
        self._tag.update(made)
        return made

    def tail(self) -> bytes:
        """What stands behind the contents."""
        return self._tag.digest()[:_TAG_BYTES]
