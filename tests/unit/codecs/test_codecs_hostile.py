"""Payloads that were damaged or forged: an error or bytes of the right size, never a crash or unbounded memory."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pcodec import ChunkConfig, standalone

from sxeslake.codecs import Pipeline, decode, encode
from sxeslake.errors import DamagedLakeError

_RANDOM = np.random.default_rng(7)
_IMAGE = _RANDOM.poisson(np.tile(np.linspace(50, 900, 300), (17, 1))).astype("<u4").tobytes()
_CURVE = np.cumsum(_RANDOM.normal(size=2000)).astype("<f4").astype("<f8").tobytes()
_TEXT = b'{"uuid":"5c0f","comment":"Pos. : 1"}' * 50

VALID = [
    (descriptor, encode(Pipeline.parse(descriptor), raw), len(raw))
    for descriptor, raw in (
        ("delta=4x300|delta=4x1|transpose=4x300|pco:i4:8:d0:c3", _IMAGE),
        ("delta=4x1|transpose=4x300|pco:i4:8:v3:c3", _IMAGE),
        ("head=12|tail=90|pco:u4:8", _IMAGE),
        ("pco:f8:8:d2:q29", _CURVE),
        ("pco:f8:8", _CURVE),
        ("pco:u1:4", _TEXT),
        ("transpose=1x8|zstd:3", _CURVE),
        ("zstd:9", _TEXT),
        ("head=99|raw", _TEXT),
    )
]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes, int]:
    """A valid frame after some flipped, lost and strange bytes, mostly in its first hundred, where its claims stand."""
    descriptor, payload, size = draw(st.sampled_from(VALID))
    forged = bytearray(payload)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, min(len(forged), draw(st.sampled_from([8, 100, len(payload)])))))
        match draw(st.sampled_from(["flip", "put", "cut", "add", "end"])):
            case "flip" if place < len(forged):
                forged[place] ^= 1 << draw(st.integers(0, 7))
            case "put":
                forged[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del forged[place : place + draw(st.integers(1, 9))]
            case "add":
                forged[place:place] = draw(st.binary(min_size=1, max_size=9))
            case _:
                del forged[place:]
    return descriptor, bytes(forged), draw(st.sampled_from([size, size, size, 0, size - 1, size + 1, size * 3]))


@settings(max_examples=600)
@given(damaged())
def test_damage_is_an_error_or_as_many_bytes_as_stored(frame: tuple[str, bytes, int]) -> None:
    descriptor, payload, size = frame
    try:
        data = decode(descriptor, payload, size)
    except DamagedLakeError:
        return
    assert len(data) == size


@pytest.mark.parametrize("frame", VALID, ids=[descriptor for descriptor, _, _ in VALID])
def test_every_truncation_is_an_error(frame: tuple[str, bytes, int]) -> None:
    descriptor, payload, size = frame
    for length in sorted({*range(40), *range(0, len(payload), 97), len(payload) - 1}):
        with pytest.raises(DamagedLakeError):
            decode(descriptor, payload[:length], size)


@pytest.mark.parametrize("size_off", [-80, -8, 8, 1 << 20])
@pytest.mark.parametrize("frame", VALID, ids=[descriptor for descriptor, _, _ in VALID])
def test_another_size_than_stored_is_an_error(frame: tuple[str, bytes, int], size_off: int) -> None:
    descriptor, payload, size = frame
    with pytest.raises(DamagedLakeError):
        decode(descriptor, payload, size + size_off)


def test_another_element_than_stored_is_an_error() -> None:
    payload = encode(Pipeline.parse("pco:u4:8"), _IMAGE)
    with pytest.raises(DamagedLakeError):
        decode("pco:f4:8", payload, len(_IMAGE))


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage")
def test_a_bomb_never_gets_its_memory() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(200 << 20))
    numbers = standalone.simple_compress(np.zeros(50 << 20, "<u4"), ChunkConfig(compression_level=0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for descriptor, payload in (("zstd:3", bomb), ("pco:u4:8", numbers)):
        with pytest.raises(DamagedLakeError):
            decode(descriptor, payload, 4096)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10


def test_a_frame_without_its_size_is_refused() -> None:
    payload = zstandard.ZstdCompressor(write_content_size=False).compress(_TEXT)
    with pytest.raises(DamagedLakeError, match="claims"):
        decode("zstd:3", payload, len(_TEXT))


def test_bytes_after_a_zstd_frame_are_an_error() -> None:
    payload = encode(Pipeline.parse("zstd:3"), _TEXT)
    with pytest.raises(DamagedLakeError):
        decode("zstd:3", payload + b"more", len(_TEXT))


class _Panic(BaseException):
    """As a Rust panic arrives: not an Exception."""


@pytest.mark.parametrize(("raised", "expected"), [(_Panic, DamagedLakeError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_panic_is_damage_and_an_interrupt_is_not(
    monkeypatch: pytest.MonkeyPatch, raised: type[BaseException], expected: type[BaseException]
) -> None:
    def panic(*_: object) -> None:
        raise raised

    monkeypatch.setattr(standalone, "simple_decompress_into", panic)
    with pytest.raises(expected):
        decode("pco:u4:8", b"\0" * 50, 400)
