"""Frames and packs: round trips of anything; no flipped byte is ever taken for data."""

from __future__ import annotations

from typing import NamedTuple

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake import codecs
from sxeslake.errors import DamagedLakeError
from sxeslake.format import frame, pack
from sxeslake.vault.blobs.reader import decode_frame

PIPELINES = st.sampled_from(["raw", "zstd:3", "pco:u4:4", "head=3|tail=2|delta=2x3|zstd:1", "transpose=1x4|raw"])
BLOBS = st.lists(st.binary(max_size=60), min_size=1, max_size=8)
ID = "0123456789abcdef" * 2


class Packed(NamedTuple):
    """A pack and what is in it."""

    data: bytes
    frames: list[tuple[int, int]]
    blobs: list[list[bytes]]


def sealed(pipeline: str, blobs: list[bytes]) -> bytes:
    return frame.seal(
        pipeline, [len(blob) for blob in blobs], codecs.encode(codecs.Pipeline.parse(pipeline), b"".join(blobs))
    )


def packed(frames: list[tuple[str, list[bytes]]]) -> Packed:
    bodies = [sealed(pipeline, blobs) for pipeline, blobs in frames]
    flat = [blob for _, blobs in frames for blob in blobs]
    lengths = [len(body) for body in bodies]
    digests, counts = [blake3(blob).digest() for blob in flat], [len(blobs) for _, blobs in frames]
    tail = pack.footer(ID, digests, lengths, counts, [len(blob) for blob in flat])
    offsets = [pack.HEADER_BYTES + sum(lengths[:number]) for number in range(len(lengths))]
    data = pack.header(ID) + b"".join(bodies) + tail
    return Packed(data, list(zip(offsets, lengths, strict=True)), [blobs for _, blobs in frames])


def blobs_in(body: bytes) -> list[bytes]:
    """The blobs of a frame, as a reader takes them."""
    raw, found, at = decode_frame(body, where="here"), [], 0
    for size in frame.unseal(body, where="here").sizes:
        found.append(raw[at : at + size])
        at += size
    return found


@given(PIPELINES, BLOBS)
def test_frames_come_back(pipeline: str, blobs: list[bytes]) -> None:
    assert blobs_in(sealed(pipeline, blobs)) == blobs


@given(PIPELINES, BLOBS, st.data())
def test_a_flipped_byte_of_a_frame_is_noticed(pipeline: str, blobs: list[bytes], data: st.DataObject) -> None:
    body = bytearray(sealed(pipeline, blobs))
    at, bits = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(1, 255))
    body[at] ^= bits
    try:
        found = blobs_in(bytes(body))
    except DamagedLakeError:
        return
    raise AssertionError(f"byte {at} was flipped, and {found} came out")


@given(st.binary(max_size=200), st.sampled_from([b"", b"SXf1"]))
def test_no_bytes_crash_the_reader(noise: bytes, magic: bytes) -> None:
    try:
        blobs_in(magic + noise)
    except DamagedLakeError:
        return
    raise AssertionError("noise was taken for a frame")


@given(st.lists(st.tuples(PIPELINES, BLOBS), max_size=4))
def test_packs_come_back(frames: list[tuple[str, list[bytes]]]) -> None:
    made = packed(frames)
    start = pack.footer_start(made.data[-pack.TAIL_BYTES :], len(made.data), where="here")
    footer = pack.load_footer(ID, made.data[start:], where="here")
    assert list(zip(footer.frame_offsets.tolist(), footer.frame_lengths.tolist(), strict=True)) == made.frames
    flat = [blob for blobs in made.blobs for blob in blobs]
    assert [blake3(blob).digest() for blob in flat] == [digest.tobytes() for digest in footer.digests]
    for blob, offset, length, inner in zip(flat, *(column.tolist() for column in footer.locations()), strict=True):
        raw = decode_frame(made.data[offset : offset + length], where="here")
        assert raw[inner : inner + len(blob)] == blob


@settings(max_examples=60)
@given(st.lists(st.tuples(PIPELINES, BLOBS), min_size=1, max_size=3), st.data())
def test_a_flipped_byte_of_a_pack_is_noticed(frames: list[tuple[str, list[bytes]]], data: st.DataObject) -> None:
    made = packed(frames)
    at, bits = data.draw(st.integers(0, len(made.data) - 1)), data.draw(st.integers(1, 255))
    body = bytearray(made.data)
    body[at] ^= bits
    damaged = bytes(body)
    noticed = damaged[: pack.HEADER_BYTES] != pack.header(ID)
    try:
        start = pack.footer_start(damaged[-pack.TAIL_BYTES :], len(damaged), where="here")
        pack.load_footer(ID, damaged[start:], where="here")
    except DamagedLakeError:
        noticed = True
    for (offset, length), blobs in zip(made.frames, made.blobs, strict=True):
        try:
            assert blobs_in(damaged[offset : offset + length]) == blobs
        except DamagedLakeError:
            noticed = True
    assert noticed, f"nobody saw the change at {at}"


@settings(max_examples=60)
@given(st.lists(st.tuples(PIPELINES, BLOBS), min_size=1, max_size=4), st.integers(0, 10**6))
def test_a_cut_pack_gives_back_its_whole_frames(frames: list[tuple[str, list[bytes]]], cut: int) -> None:
    made = packed(frames)
    body = made.data[: cut % len(made.data)]
    expected = [place for place in made.frames if sum(place) <= len(body)]
    assert list(pack.scan(body))[: len(expected)] == expected
