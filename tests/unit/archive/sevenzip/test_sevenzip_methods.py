"""Decoders: every method py7zr writes is read equal, in bounded steps; what nobody decodes is refused by name."""

from __future__ import annotations

import io
import lzma
import random
from pathlib import Path
from typing import Any

import bcj
import inflate64
import numpy as np
import py7zr
import py7zr.properties as p7
import pytest

from sxeslake.archive.sevenzip.coders import check_supported, open_folder
from sxeslake.archive.sevenzip.format import FolderCoder, FolderCoders
from sxeslake.archive.sevenzip.methods import COPY, DEFLATE64, DELTA, LZMA, LZMA2, PPMD
from sxeslake.archive.sevenzip.reader import SevenZipReader
from sxeslake.archive.stages import MAX_DICTIONARY_BYTES
from sxeslake.errors import (
    DamagedArchiveError,
    EncryptedArchiveError,
    LimitExceededError,
    UnsupportedMethodError,
)

PRESET = {"id": p7.FILTER_LZMA2, "preset": 1}
LZMA1 = {"id": p7.FILTER_LZMA, "preset": 1}
DELTA4 = {"id": p7.FILTER_DELTA, "dist": 4}
CHAINS: dict[str, list[dict[str, Any]]] = {
    "copy": [{"id": p7.FILTER_COPY}],
    "lzma": [LZMA1],
    "lzma2": [PRESET],
    "delta+lzma": [DELTA4, LZMA1],
    "delta+lzma2": [DELTA4, PRESET],
    "bzip2": [{"id": p7.FILTER_BZIP2}],
    "deflate": [{"id": p7.FILTER_DEFLATE}],
    "deflate64": [{"id": p7.FILTER_DEFLATE64}],
    "ppmd": [{"id": p7.FILTER_PPMD, "order": 6, "mem": 20}],
    "zstd": [{"id": p7.FILTER_ZSTD, "level": 3}],
    "brotli": [{"id": p7.FILTER_BROTLI, "level": 4}],
    "bcj+zstd": [{"id": p7.FILTER_X86}, {"id": p7.FILTER_ZSTD}],
    "bcj+bzip2": [{"id": p7.FILTER_X86}, {"id": p7.FILTER_BZIP2}],
    **{
        f"{name}+{last}": [{"id": getattr(p7, f"FILTER_{name}")}, method]
        for name in ("X86", "ARM", "ARMTHUMB", "POWERPC", "SPARC")
        for last, method in (("lzma", LZMA1), ("lzma2", PRESET))
    },
    "IA64+lzma2": [{"id": p7.FILTER_IA64}, PRESET],
}


def sample(size: int = 200_000) -> bytes:
    """Half program-like bytes with calls and jumps in them, half noise: something for every filter."""
    rnd = random.Random(7)
    words = [
        bytes((0xE8,)) + rnd.randbytes(2) + b"\x00\x00",
        b"\xeb\x00\x00\x10",
        b"\x48\x00\x12\x01",
        b"\x40\x00\x00\x99",
    ]
    return b"".join(rnd.choice(words) for _ in range(size // 8)) + rnd.randbytes(size // 2)


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_every_method_py7zr_writes_is_read(chain: list[dict[str, Any]], tmp_path: Path) -> None:
    contents = {
        "a/program.bin": sample(),
        "b.txt": b"grating JS300N\n" * 500,
        "c.bin": sample(3001),
        "d": sample(1000) * 3000,
    }
    path = tmp_path / "x.7z"
    with py7zr.SevenZipFile(path, "w", filters=chain) as archive:
        for name, data in contents.items():
            archive.writestr(data, name)
    with SevenZipReader(path) as reader:
        pieces = [piece for job in reader.jobs() for piece in job()]
        assert {reader.members[piece.member].path: piece.data for piece in pieces} == contents
        assert [reader.read(index) for index in range(4)] == list(contents.values())
        assert reader.read(0) == contents["a/program.bin"]


def chain(*coders: FolderCoder) -> FolderCoders:
    """Coders in decoding order, each fed by the one before it."""
    return FolderCoders(coders, tuple((index + 1, index) for index in range(len(coders) - 1)), (0,))


def decode(recipe: FolderCoders, packed: bytes, size: int, *, step: int = 1 << 20) -> bytes:
    """All that a folder's decoder gives, `step` bytes at most a call."""
    stage = open_folder(recipe, [size] * len(recipe.coders), io.BytesIO(packed))
    out = bytearray()
    while data := stage.read(step):
        assert len(data) <= step
        out += data
    stage.check_end()
    return bytes(out)


@pytest.mark.parametrize("distance", [1, 3, 4, 256])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_delta_alone_adds_what_came_before(distance: int, step: int) -> None:
    raw = np.frombuffer(sample(8_000), np.uint8)
    stored = raw.copy()
    stored[distance:] -= raw[:-distance]
    recipe = chain(FolderCoder(COPY), FolderCoder(DELTA, bytes((distance - 1,))))
    assert decode(recipe, stored.tobytes(), len(raw), step=step) == raw.tobytes()


def test_ia64_after_copy() -> None:
    raw = sample(9_999)
    encoder: Any = bcj.IA64Encoder()  # type: ignore[attr-defined]
    recipe = chain(FolderCoder(COPY), FolderCoder(b"\x03\x03\x04\x01"))
    assert decode(recipe, encoder.encode(raw) + encoder.flush(), len(raw)) == raw


@pytest.mark.parametrize("step", [1, 1000, 65_536])
def test_output_is_bounded_however_dense_the_input(step: int) -> None:
    size = 300_000
    packer = inflate64.Deflater()
    packed64 = packer.deflate(bytes(size)) + packer.flush()
    assert decode(chain(FolderCoder(DEFLATE64)), packed64, size, step=step) == bytes(size)
    packed = lzma.compress(bytes(size), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}])
    assert decode(chain(FolderCoder(LZMA2, b"\x10")), packed, size, step=step) == bytes(size)


def test_bytes_past_the_declared_size_are_noticed() -> None:
    packed = lzma.compress(bytes(1000), lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}])
    for recipe, data in ((chain(FolderCoder(LZMA2, b"\x10")), packed), (chain(FolderCoder(COPY)), bytes(1000))):
        with pytest.raises(DamagedArchiveError, match="more than the archive declares"):
            decode(recipe, data, 999)


@pytest.mark.parametrize(
    ("method", "word"),
    [
        (b"\x03\x03\x01\x1b", "BCJ2"),
        (b"\x0a", "ARM64"),
        (b"\x04\xf7\x11\x04", "LZ4"),
        (b"\x7f\x12", "7f12"),
    ],
)
def test_unknown_methods_are_named(method: bytes, word: str) -> None:
    with pytest.raises(UnsupportedMethodError, match=word):
        check_supported(chain(FolderCoder(method)))


@pytest.mark.parametrize("other", [LZMA2, b"\x0a"])
def test_encryption_is_said_before_anything_else(other: bytes) -> None:
    for coders in (
        (FolderCoder(b"\x06\xf1\x07\x01"), FolderCoder(other)),
        (FolderCoder(other), FolderCoder(b"\x06\xf1\x07\x01")),
    ):
        with pytest.raises(EncryptedArchiveError):
            check_supported(chain(*coders))


def test_several_streams_into_one_coder_are_refused() -> None:
    with pytest.raises(UnsupportedMethodError, match="several streams"):
        check_supported(FolderCoders((FolderCoder(COPY, inputs=2),), (), (0, 1)))


def test_coders_that_go_in_a_circle_are_refused() -> None:
    circle = FolderCoders((FolderCoder(COPY), FolderCoder(COPY), FolderCoder(COPY)), ((1, 2), (2, 1)), (0,))
    with pytest.raises(DamagedArchiveError, match="no chain"):
        open_folder(circle, [1, 1, 1], io.BytesIO(b"x"))


@pytest.mark.parametrize(
    "coder",
    [
        FolderCoder(LZMA2, b"\x29"),
        FolderCoder(LZMA2, b""),
        FolderCoder(LZMA, b"\xff\x00\x00\x01\x00"),
        FolderCoder(LZMA, b"\x5d"),
        FolderCoder(PPMD, b"\x01\x00\x00\x01\x00"),
        FolderCoder(PPMD, b"\x06"),
        FolderCoder(DELTA, b"\x01\x02"),
    ],
)
def test_damaged_properties_are_refused(coder: FolderCoder) -> None:
    with pytest.raises(DamagedArchiveError, match="properties"):
        open_folder(chain(coder), [10], io.BytesIO(b"x"))


def test_a_dictionary_costs_no_more_than_the_data() -> None:
    packed = lzma.compress(b"abc", lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}])
    assert decode(chain(FolderCoder(LZMA2, b"\x28")), packed, 3) == b"abc"  # 4 GiB stated, 4 KiB taken
    with pytest.raises(LimitExceededError, match="dictionary"):
        open_folder(chain(FolderCoder(LZMA2, b"\x28")), [MAX_DICTIONARY_BYTES + 1], io.BytesIO(packed))
    with pytest.raises(LimitExceededError, match="PPMd"):
        open_folder(chain(FolderCoder(PPMD, b"\x06\xff\xff\xff\xff")), [10], io.BytesIO(b"x"))
