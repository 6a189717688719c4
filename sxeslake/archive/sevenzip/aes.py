"""AES-256 of 7z: passwords and their keys, folders decrypted and encrypted.

py7zr makes a key of a password, which takes a tenth of a second: keys are kept, for all folders of an archive and all
archives of a password have the same. It is loaded when the first key is wanted.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sxeslake.archive.sevenzip.format import FolderCoder, FolderCoders
from sxeslake.archive.stages import Buffered, ByteSource
from sxeslake.errors import (
    DamagedArchiveError,
    LimitExceededError,
    UnsupportedMethodError,
)

AES256: Final = b"\x06\xf1\x07\x01"
BLOCK_BYTES: Final = 16

_ROUNDS_POWER: Final = 19  # as 7-Zip has it: 2¹⁹ rounds of SHA-256
_MOST_POWER: Final = 24
_PLAIN_POWER: Final = 0x3F  # the password itself is the key
_MOST_ROUNDS: Final = 1 << 26  # for all keys of an archive: some ten seconds
_KEYS: Final = 1024


class _Words(NamedTuple):
    """What a coder's properties say: how the key is made, and where the cipher starts."""

    power: int
    salt: bytes
    start: bytes


def _words(coder: FolderCoder) -> _Words:
    data = coder.properties
    power, salt_size, start_size = data[0] & 0x3F if data else 0, 0, 0
    if len(data) >= 2:
        salt_size = (data[0] >> 7) + (data[1] >> 4)
        start_size = (data[0] >> 6 & 1) + (data[1] & 0x0F)
    if not data or len(data) != (2 if data[0] & 0xC0 else 1) + salt_size + start_size:
        raise DamagedArchiveError("the properties of AES-256 are damaged")
    if power > _MOST_POWER and power != _PLAIN_POWER:
        raise UnsupportedMethodError(f"AES-256 with a key of 2^{power} rounds is not supported")
    salt, start = data[2 : 2 + salt_size], data[2 + salt_size :] if len(data) > 1 else b""
    return _Words(power, salt, start.ljust(BLOCK_BYTES, b"\0"))


def is_encrypted(recipe: FolderCoders) -> bool:
    """Whether a folder can be decrypted with a password."""
    return any(coder.method == AES256 for coder in recipe.coders)


def check_keys(recipes: Iterable[FolderCoders]) -> None:
    """Refuse an archive whose keys would take minutes: each with a salt of its own, or of too many rounds."""
    words = [_words(coder) for recipe in recipes for coder in recipe.coders if coder.method == AES256]
    rounds = sum(1 << power for power, _ in {(power, salt) for power, salt, _ in words} if power != _PLAIN_POWER)
    if rounds > _MOST_ROUNDS:
        raise LimitExceededError(f"its keys take {rounds:,} rounds of SHA-256; the limit is {_MOST_ROUNDS:,}")


@lru_cache(maxsize=_KEYS)
def _key(password: str, power: int, salt: bytes) -> bytes:
    from py7zr.helpers import calculate_key  # noqa: PLC0415 - rarely needed

    return bytes(calculate_key(password.encode("utf-16-le", "surrogatepass"), power, salt, "sha256"))


def _cipher(password: str, words: _Words) -> Any:
    from Cryptodome.Cipher import AES  # noqa: PLC0415 - rarely needed

    return AES.new(_key(password, words.power, words.salt), AES.MODE_CBC, iv=words.start)


class Aes(Buffered):
    """A folder's packed stream, decrypted; what fills its last block is cut off by its size."""

    name = "AES-256"

    def __init__(self, source: ByteSource, size: int, coder: FolderCoder, password: str) -> None:
        super().__init__(source, size)
        self._cipher = _cipher(password, _words(coder))
        self._held = b""  # less than a block

    def _step(self, fed: bytes) -> bytes:
        fed = self._held + fed
        whole = len(fed) - len(fed) % BLOCK_BYTES
        self._held = fed[whole:]
        return bytes(self._cipher.decrypt(fed[:whole]))


class Encryptor:
    """Encrypts one packed stream, block after block, from a start of its own."""

    def __init__(self, password: str) -> None:
        words = _Words(_ROUNDS_POWER, b"", secrets.token_bytes(BLOCK_BYTES))
        self.coder = FolderCoder(AES256, bytes((words.power | 0x40, BLOCK_BYTES - 1)) + words.start)
        self._cipher = _cipher(password, words)
        self._held = b""

    def take(self, data: bytes, *, last: bool) -> bytes:
        """The next bytes, encrypted; the last ones with zeros up to a whole block."""
        data = self._held + data
        if last:
            data += bytes(-len(data) % BLOCK_BYTES)
        whole = len(data) - len(data) % BLOCK_BYTES
        self._held = data[whole:]
        return bytes(self._cipher.encrypt(data[:whole]))


def encrypted(recipe: FolderCoders, coder: FolderCoder) -> FolderCoders:
    """A folder of one coder, with the decryption before it."""
    return FolderCoders((coder, *recipe.coders), bonds=((1, 0),))
