"""Frames: what is sealed comes back, what is hostile is damage and costs nothing."""

from __future__ import annotations

import struct

import pytest
import zstandard
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import frame
from sxeslake.model import MIB


def forged(head: bytes, payload: bytes, raw: int, blobs: int) -> bytes:
    """A frame with any values at all and a right checksum."""
    lengths = struct.pack("<IIII", len(head), len(payload), raw, blobs)
    return b"SXf1" + lengths + blake3(lengths + head + payload).digest(length=8) + head + payload


RAW_HEAD = b"\x03raw\x00"


@pytest.mark.parametrize("sizes", [[5], [2, 3], [3, 3, 3], [0, 7], [1] * 300, list(range(300))])
def test_a_frame_comes_back(sizes: list[int]) -> None:
    payload = bytes(range(256)) * 200
    sealed = frame.seal("zstd:3", sizes, payload)
    found = frame.unseal(sealed, where="here")
    assert (found.pipeline, found.sizes, found.raw_bytes, bytes(found.payload)) == (
        "zstd:3",
        tuple(sizes),
        sum(sizes),
        payload,
    )
    assert frame.length_at(b"xx" + sealed + b"yy", 2) == len(sealed)


def test_equal_sizes_cost_nothing() -> None:
    assert len(frame.seal("raw", [4] * 1000, b"")) == len(frame.seal("raw", [4000], b""))


def test_a_pipeline_of_any_length_is_not_taken() -> None:
    with pytest.raises(DamagedLakeError, match="255"):
        frame.seal("x" * 256, [1], b"")


@pytest.mark.parametrize("sizes", [[], [1] * 65_537, [64 * MIB, 1]])
def test_what_no_reader_would_take_is_not_sealed(sizes: list[int]) -> None:
    with pytest.raises(DamagedLakeError, match="not a frame that readers accept"):
        frame.seal("raw", sizes, b"")


def test_every_cut_is_noticed() -> None:
    sealed = frame.seal("raw", [2, 3], b"hello")
    for length in range(len(sealed)):
        with pytest.raises(DamagedLakeError, match=r"^here: "):
            frame.unseal(sealed[:length], where="here")


def test_every_flipped_bit_is_noticed() -> None:
    sealed = frame.seal("raw", [2, 3], b"hello")
    for at in range(8 * len(sealed)):
        damaged = bytearray(sealed)
        damaged[at // 8] ^= 1 << at % 8
        with pytest.raises(DamagedLakeError):
            frame.unseal(bytes(damaged), where="here")


@pytest.mark.parametrize(
    "hostile",
    [
        forged(RAW_HEAD, b"", 64 * MIB + 1, 1),
        forged(RAW_HEAD, b"", 4, 0),
        forged(RAW_HEAD, b"", 4, 65_537),
        forged(RAW_HEAD, b"abc", 3, 2),  # 3 bytes are no two equal blobs
        forged(b"", b"abc", 3, 1),
        forged(b"\xffraw\x00", b"abc", 3, 1),  # the pipeline is longer than the head
        forged(b"\x03raw", b"abc", 3, 1),  # no form
        forged(b"\x03raw\x02", b"abc", 3, 1),  # an unknown form
        forged(b"\x03r\xe9w\x00", b"abc", 3, 1),  # no ASCII
        forged(b"\x03raw\x01", b"abc", 3, 2),  # no table
        forged(b"\x03raw\x01garbage", b"abc", 3, 2),
        forged(b"\x03raw\x01" + zstandard.compress(struct.pack("<II", 1, 1)), b"abc", 3, 2),  # they do not add up
        forged(b"\x03raw\x01" + zstandard.compress(struct.pack("<II", 2**32 - 1, 4)), b"abc", 3, 2),  # nor do these
        forged(b"\x03raw\x01" + zstandard.compress(bytes(8 * MIB)), b"abc", 3, 2),  # a bomb
    ],
)
def test_hostile_values_are_damage(hostile: bytes) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        frame.unseal(hostile, where="here")


def test_absurd_lengths_cost_no_memory() -> None:
    claims = struct.pack("<4sIIII8s", b"SXf1", 2**32 - 1, 2**32 - 1, 64 * MIB, 1, bytes(8))
    assert frame.length_at(claims) == 28 + 2 * (2**32 - 1)
    with pytest.raises(DamagedLakeError):
        frame.unseal(claims, where="here")
