"""Putting one damaged byte right: whatever is short and has a hash can be searched for what it was.

A flipped bit is found among eight times the length, any other byte among 255 times; a hash of 256 bits proves the
find, so this can fail, but never lie.
"""

from __future__ import annotations

from blake3 import blake3

from sxeslake.format.lakefile import HASH_PREFIX, HASHED_FROM
from sxeslake.model import KIB

MAX_BIT_BYTES = 256 * KIB  # two million candidates of that length take about two minutes
MAX_BYTE_BYTES = 4 * KIB


def corrected_sealed(data: bytes, expected: str | None, *, any_byte: bool = True) -> bytes | None:
    """A sealed JSON object (a log entry, `lake.json`) with one wrong byte, as it was; `expected` is its hash if known.

    Without `expected`, the hash in the object itself is what the bytes are held against.
    """
    rest = data[HASHED_FROM:]
    computed = blake3(rest).hexdigest()
    whole = HASH_PREFIX + computed.encode() + rest
    if computed == expected or (expected is None and _differences(whole, data) <= 1):  # the wrong byte is in the head
        return whole
    digest = expected or data[len(HASH_PREFIX) : HASHED_FROM].decode("ascii", "replace")
    found = corrected(rest, digest, any_byte=any_byte)
    return None if found is None else HASH_PREFIX + digest.encode() + found


def _differences(one: bytes, other: bytes) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True)) if len(one) == len(other) else len(one)


def corrected(data: bytes, digest: str, *, any_byte: bool = True) -> bytes | None:
    """The bytes with this BLAKE3 that differ from `data` in one bit; or, where `data` is short, in `any_byte`."""
    if len(data) > MAX_BIT_BYTES:
        return None
    try:
        wanted = bytes.fromhex(digest)
    except ValueError:
        return None
    changes = [1 << bit for bit in range(8)]
    if any_byte and len(data) <= MAX_BYTE_BYTES:
        changes += [change for change in range(1, 256) if change.bit_count() > 1]
    tried = bytearray(data)
    for change in changes:
        for at in range(len(tried)):
            tried[at] ^= change
            if blake3(tried).digest() == wanted:
                return bytes(tried)
            tried[at] ^= change
    return None
