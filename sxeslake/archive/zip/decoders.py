"""The compression methods of zip: each gives the raw bytes of a member as bounded blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sxeslake.archive.stages import (
    ByteSource,
    Bzip2Decoder,
    CopyDecoder,
    Deflate64Decoder,
    DeflateDecoder,
    LiblzmaDecoder,
    PpmdDecoder,
    Stage,
    ZstdDecoder,
    lzma_filter,
)
from sxeslake.archive.zip import format as zip_format
from sxeslake.errors import DamagedArchiveError, UnsupportedMethodError
from sxeslake.model import MIB

BLOCK_BYTES = MIB
MAX_ZSTD_WINDOW = 128 * MIB  # zstd's own default for those who did not ask for more

_NAMES = {
    zip_format.STORE: "stored",
    zip_format.DEFLATE: "Deflate",
    zip_format.DEFLATE64: "Deflate64",
    zip_format.BZIP2: "BZip2",
    zip_format.LZMA: "LZMA",
    zip_format.ZSTD_OLD: "zstd",
    zip_format.ZSTD: "zstd",
    zip_format.XZ: "xz",
    zip_format.PPMD: "PPMd",
} | zip_format.METHOD_NAMES


def open_stream(method: int, source: ByteSource, size: int) -> Iterator[bytes]:
    """The raw blocks of a member, exactly `size` bytes in all; what is wrong as an InputError without a place."""
    stage, done = STAGES[method](source, size), 0
    while block := stage.read(BLOCK_BYTES):
        done += len(block)
        yield block
    if done < size:
        raise DamagedArchiveError(f"ends after {done:,} of {size:,} bytes")
    stage.check_end()
    if not stage.has_ended:
        raise DamagedArchiveError("has no end mark: it is truncated")


def method_name(method: int) -> str:
    """`14 → LZMA`; `method 77` for what no list knows."""
    return _NAMES.get(method, f"method {method}")


def check_method(method: int) -> None:
    """Refuse what cannot be decoded here."""
    if method not in STAGES:
        raise UnsupportedMethodError(f"compressed with {method_name(method)}, which cannot be decoded here")


def _head(source: ByteSource, size: int) -> bytes:
    """The bytes before the packed data; fewer at the end of the source."""
    head = b""
    while len(head) < size and (data := source.read(size - len(head))):
        head += data
    return head


def _lzma(source: ByteSource, size: int) -> Stage:
    """A head of version (2 bytes), length of properties (2), properties (5), then raw LZMA."""
    head = _head(source, 9)
    if head[2:4] != b"\x05\x00":
        raise DamagedArchiveError("the properties of LZMA are damaged")
    # an end mark is optional here, and asking for a byte beyond the end would invent one
    return LiblzmaDecoder(source, size, "LZMA", [lzma_filter(head[4:], size)], has_end=False)


def _xz(source: ByteSource, size: int) -> Stage:
    return LiblzmaDecoder(source, size, "xz")


def _zstd(source: ByteSource, size: int) -> Stage:
    return ZstdDecoder(source, size, MAX_ZSTD_WINDOW)


def _ppmd(source: ByteSource, size: int) -> Stage:
    """A head of 16 bits: order − 1 (4), memory in MiB − 1 (8), restoration (4); then PPMd variant I."""
    head = _head(source, 2)
    bits = int.from_bytes(head, "little")
    order, memory, restore = (bits & 15) + 1, ((bits >> 4 & 255) + 1) * MIB, bits >> 12
    if order < 2 or restore > 1 or len(head) < 2:
        raise DamagedArchiveError("the properties of PPMd are damaged")
    return PpmdDecoder(source, size, "Ppmd8Decoder", (order, memory, restore), memory)


STAGES: dict[int, Callable[[ByteSource, int], Stage]] = {
    zip_format.STORE: CopyDecoder,
    zip_format.DEFLATE: DeflateDecoder,
    zip_format.DEFLATE64: Deflate64Decoder,
    zip_format.BZIP2: Bzip2Decoder,
    zip_format.LZMA: _lzma,
    zip_format.ZSTD_OLD: _zstd,
    zip_format.ZSTD: _zstd,
    zip_format.XZ: _xz,
    zip_format.PPMD: _ppmd,
}
