"""One wrong byte is found and put right; two are not, and nothing else is ever made up."""

from __future__ import annotations

import pytest
from blake3 import blake3

from sxeslake.format import correction
from sxeslake.format.lakefile import sealed

SHORT = sealed(b'{"format":1,"number":7,"who":"curie"}')
LONG = sealed(b'{"format":1,"message":"' + b"x" * 6000 + b'"}')
DIGEST = SHORT[11:75].decode()


def changed(data: bytes, at: int, change: int) -> bytes:
    return data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]


@pytest.mark.parametrize("expected", [DIGEST, None])
def test_any_wrong_byte_of_a_short_entry_is_put_right(expected: str | None) -> None:
    for at in range(len(SHORT)):
        for change in (0x01, 0x10, 0x80, 0x55):
            assert correction.corrected_sealed(changed(SHORT, at, change), expected) == SHORT, (at, change)


def test_a_flipped_bit_of_a_longer_one_is_put_right() -> None:
    for at in (5, 40, 80, 3000, len(LONG) - 1):
        assert correction.corrected_sealed(changed(LONG, at, 0x20), LONG[11:75].decode()) == LONG


def test_more_than_that_is_not() -> None:
    assert correction.corrected_sealed(changed(changed(SHORT, 80, 1), 90, 1), DIGEST) is None
    assert correction.corrected_sealed(SHORT[:-1], DIGEST) is None
    assert correction.corrected_sealed(b"", None) is None
    assert correction.corrected(b"x" * (correction.MAX_BIT_BYTES + 1), DIGEST) is None
    assert correction.corrected(b"abc", "no digest") is None


def test_whole_bytes_under_another_hash_are_not_bent() -> None:
    assert correction.corrected_sealed(SHORT, blake3(b"another").hexdigest()) is None
