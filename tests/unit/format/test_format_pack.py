"""Packs: the footer finds every blob; without it the frames are found again."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import zstandard
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import frame, pack
from sxeslake.format.pack import Footer

ID = "00112233445566778899aabbccddeeff"
BLOBS = ([b"a", b"bc"], [b"d" * 70], [b"e", b"", b"f"])


def whole(pack_id: str = ID) -> bytes:
    frames = [frame.seal("raw", [len(blob) for blob in blobs], b"".join(blobs)) for blobs in BLOBS]
    flat = [blob for blobs in BLOBS for blob in blobs]
    digests = [blake3(blob).digest() for blob in flat]
    lengths, counts = [len(one) for one in frames], [len(blobs) for blobs in BLOBS]
    tail = pack.footer(pack_id, digests, lengths, counts, [len(blob) for blob in flat])
    return pack.header(pack_id) + b"".join(frames) + tail


def footer_of(data: bytes, pack_id: str = ID) -> Footer:
    start = pack.footer_start(data[-pack.TAIL_BYTES :], len(data), where="here")
    return pack.load_footer(pack_id, data[start:], where="here")


def forged(
    lengths: list[int], counts: list[int], sizes: list[int], *, blobs: int, frames: int, start: int = 24
) -> bytes:
    """A footer with any values at all and a right hash."""
    table = zstandard.compress(np.asarray([*lengths, *counts, *sizes], "<u4").tobytes())
    hashes = bytes(32 * blobs)
    fields = struct.pack("<IIIQ", frames, blobs, len(table), start)
    digest = blake3(pack.header(ID) + hashes + table + fields).digest()
    return hashes + table + fields + digest + pack.END_MAGIC


def test_every_blob_is_found() -> None:
    data = whole()
    footer = footer_of(data)
    offsets, lengths, inner = footer.locations()
    found = []
    for number, size in enumerate(footer.sizes.tolist()):
        one = frame.unseal(data[offsets[number] : offsets[number] + lengths[number]], where="here")
        blob = bytes(one.payload[inner[number] : inner[number] + size])
        assert blake3(blob).digest() == footer.digests[number].tobytes()
        found.append(blob)
    assert found == [blob for blobs in BLOBS for blob in blobs]
    assert footer.raw_bytes == sum(map(len, found))


def test_frames_are_found_without_a_footer() -> None:
    data = whole()
    footer = footer_of(data)
    places = list(zip(footer.frame_offsets.tolist(), footer.frame_lengths.tolist(), strict=True))
    cut = data[: -pack.TAIL_BYTES - 10]
    assert list(pack.scan(cut))[: len(places)] == places
    damaged = bytearray(cut)
    damaged[places[0][0]] ^= 1  # the first magic: the others are found all the same
    assert list(pack.scan(bytes(damaged)))[: len(places) - 1] == places[1:]


def test_a_scan_of_anything_ends() -> None:
    assert list(pack.scan(b"")) == []
    assert list(pack.scan(b"SXf1" * 1000)) == []
    assert list(pack.scan(bytes(1000))) == []


def test_a_pack_under_another_name_is_refused() -> None:
    with pytest.raises(DamagedLakeError, match="does not agree with its hash"):
        footer_of(whole(), "ff" * 16)


def test_every_cut_is_noticed() -> None:
    data = whole()
    for length in range(len(data)):
        with pytest.raises(DamagedLakeError):
            footer_of(data[:length])


def test_every_flipped_byte_of_the_footer_is_noticed() -> None:
    data = whole()
    start = pack.footer_start(data, len(data), where="here")
    for at in range(start, len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x21
        with pytest.raises(DamagedLakeError):
            footer_of(bytes(damaged))


def test_an_empty_footer_is_whole() -> None:
    assert footer_of(pack.header(ID) + pack.footer(ID, [], [], [], [])).locations()[0].tolist() == []


@pytest.mark.parametrize(
    "footer",
    [
        forged([10], [1], [1], blobs=1, frames=1, start=24),  # the frame does not reach to the footer
        forged([0], [2], [1], blobs=1, frames=1),  # more blobs in frames than there are
        forged([0, 0], [1, 0], [1], blobs=1, frames=2),  # a frame without a blob
        forged([0, 0], [0, 1], [1], blobs=1, frames=2),
        forged([0], [1], [1, 2, 3], blobs=1, frames=1),  # more numbers than there should be
        forged([0], [1], [], blobs=1, frames=1),
        forged([2**32 - 1, 2**32 - 1], [1, 1], [1, 1], blobs=2, frames=2, start=24 + 2 * (2**32 - 1)),
    ],
)
def test_hostile_footers_are_damage(footer: bytes) -> None:
    with pytest.raises(DamagedLakeError, match=r"^here: "):
        pack.load_footer(ID, footer, where="here")


def test_absurd_counts_are_refused_before_anything_is_read() -> None:
    for frames, blobs, table, start in (
        (1, 65_537, 10, 24),
        (2, 1, 10, 24),
        (1, 1, 2**32 - 1, 24),
        (2**32 - 1, 2**32 - 1, 0, 0),
    ):
        tail = struct.pack("<IIIQ", frames, blobs, table, start) + bytes(32) + pack.END_MAGIC
        for size in (100, start + 32 * blobs + table + pack.TAIL_BYTES):
            with pytest.raises(DamagedLakeError, match="does not fit"):
                pack.footer_start(tail, size, where="here")
