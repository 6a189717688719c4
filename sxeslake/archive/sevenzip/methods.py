"""The methods of 7z: their ids, their properties, and the decoders that only 7z has."""

from __future__ import annotations

import bz2
import lzma
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from sxeslake.archive.sevenzip.format import FolderCoder
from sxeslake.archive.stages import (
    FEED_BYTES,
    Buffered,
    ByteSource,
    Bzip2Decoder,
    LiblzmaDecoder,
    PpmdDecoder,
    dictionary_of,
    lzma_filter,
)
from sxeslake.errors import DamagedArchiveError, UnsupportedMethodError
from sxeslake.model import KIB

BROTLI_MT_MAGIC: Final = b"\x50\x2a\x4d\x18"  # a skippable frame before each block: no Brotli decoder knows it

COPY, DELTA, LZMA2, LZMA = b"\x00", b"\x03", b"\x21", b"\x03\x01\x01"
PPMD, DEFLATE, DEFLATE64, BZIP2 = b"\x03\x04\x01", b"\x04\x01\x08", b"\x04\x01\x09", b"\x04\x02\x02"
ZSTD, BROTLI = b"\x04\xf7\x11\x01", b"\x04\xf7\x11\x02"

BRANCH_FILTERS: Final = {  # method id → liblzma's filter, pybcj's decoder
    b"\x03\x03\x01\x03": (lzma.FILTER_X86, "BCJDecoder"),
    b"\x03\x03\x02\x05": (lzma.FILTER_POWERPC, "PPCDecoder"),
    b"\x03\x03\x04\x01": (lzma.FILTER_IA64, "IA64Decoder"),
    b"\x03\x03\x05\x01": (lzma.FILTER_ARM, "ARMDecoder"),
    b"\x03\x03\x07\x01": (lzma.FILTER_ARMTHUMB, "ARMTDecoder"),
    b"\x03\x03\x08\x05": (lzma.FILTER_SPARC, "SparcDecoder"),
    b"\x04": (lzma.FILTER_X86, "BCJDecoder"),
    b"\x05": (lzma.FILTER_POWERPC, "PPCDecoder"),
    b"\x06": (lzma.FILTER_IA64, "IA64Decoder"),
    b"\x07": (lzma.FILTER_ARM, "ARMDecoder"),
    b"\x08": (lzma.FILTER_ARMTHUMB, "ARMTDecoder"),
    b"\x09": (lzma.FILTER_SPARC, "SparcDecoder"),
}


def lzma_decoder(
    source: ByteSource, size: int, coder: FolderCoder, filters: Sequence[dict[str, int]]
) -> LiblzmaDecoder:
    """LZMA or LZMA2; `filters` come after it."""
    if coder.method == LZMA:
        return LiblzmaDecoder(
            source, size, "LZMA", [*reversed(filters), lzma_filter(coder.properties, size)], has_end=False
        )
    return LiblzmaDecoder(source, size, "LZMA2", [*reversed(filters), _lzma2_filter(coder, size)])


def _lzma2_filter(coder: FolderCoder, size: int) -> dict[str, int]:
    if len(coder.properties) != 1 or coder.properties[0] > 40:
        raise DamagedArchiveError("the properties of LZMA2 are damaged")
    step = coder.properties[0]
    stated = (2 | step & 1) << (step // 2 + 11) if step < 40 else 0xFFFFFFFF
    return {"id": lzma.FILTER_LZMA2, "dict_size": dictionary_of(stated, size, "LZMA2")}


class Bzip2Streams(Bzip2Decoder):
    """Several streams in a row are legal."""

    def _decode(self, size: int) -> bytes:
        while not (data := super()._decode(size)) and self._decoder.eof:
            fed = self._decoder.unused_data or self.source.read(FEED_BYTES)
            if not fed:
                return b""
            self._decoder = bz2.BZ2Decompressor()
            if data := bytes(self._decoder.decompress(fed, size)):
                return data
        return data


def ppmd_decoder(source: ByteSource, size: int, coder: FolderCoder) -> PpmdDecoder:
    """PPMd, variant H."""
    if len(coder.properties) not in {5, 7}:
        raise DamagedArchiveError("the properties of PPMd are damaged")
    order, memory = struct.unpack_from("<BL", coder.properties)
    if not 2 <= order <= 64 or memory < 2 * KIB:
        raise DamagedArchiveError("the properties of PPMd are damaged")
    return PpmdDecoder(source, size, "Ppmd7Decoder", (order, memory), memory)


class Branch(Buffered):
    """BCJ and its kin after coders that are not liblzma's: same length out as in."""

    name, errors = "BCJ", (ValueError, RuntimeError)

    def __init__(self, source: ByteSource, size: int, decoder: str) -> None:
        import bcj  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        self._decoder = getattr(bcj, decoder)(size)
        self._unfed = size
        self._held = b""  # the last bytes in, of which the decoder may not have given some

    def _decode(self, size: int) -> bytes:
        data = super()._decode(size)
        if not data and not self._unfed and self._left < 16:  # pybcj's IA64 keeps the bytes after the last bundle
            return self._held[-self._left :][:size]
        return data

    def _step(self, fed: bytes) -> bytes:
        self._unfed -= len(fed)
        self._held = (self._held + fed)[-16:]
        return bytes(self._decoder.decode(fed))


class DeltaDecoder(Buffered):
    """Each byte is the sum, modulo 256, of what is stored and the byte `distance` before it."""

    name = "Delta"

    def __init__(self, source: ByteSource, size: int, distance: int) -> None:
        super().__init__(source, size)
        self._before = np.zeros(distance, np.uint8)

    def _step(self, fed: bytes) -> bytes:
        distance = len(self._before)
        rows = -(-len(fed) // distance)
        grid = np.zeros((rows + 1, distance), np.uint8)
        grid[0] = self._before
        grid[1:].reshape(-1)[: len(fed)] = np.frombuffer(fed, np.uint8)
        flat = np.cumsum(grid, axis=0, dtype=np.uint8).reshape(-1)[: distance + len(fed)]
        self._before = flat[-distance:]
        return flat[distance:].tobytes()


class Brotli(Buffered):
    """Its bound is loose (a call may give some times as much), so that there is a surplus to keep."""

    name = "Brotli"

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        try:
            import brotli  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
        except ImportError as error:
            raise UnsupportedMethodError("Brotli needs a package that is absent", hint="pip install brotli") from error
        self.errors = (brotli.error, ValueError)
        self._decoder = brotli.Decompressor()
        self._first = self._drained = True
        if not hasattr(self._decoder, "can_accept_more_data"):
            raise UnsupportedMethodError(
                "this brotli package cannot bound its output", hint="pip install 'brotli>=1.2'"
            )

    def _decode(self, size: int) -> bytes:
        while not self._surplus and not self._decoder.is_finished():
            fed = b""
            if self._drained and self._decoder.can_accept_more_data() and not (fed := self.source.read(FEED_BYTES)):
                return b""
            if self._first and fed.startswith(BROTLI_MT_MAGIC):
                raise UnsupportedMethodError("Brotli in the frames of 7-Zip-zstd is not supported")
            self._first = False
            self._surplus = memoryview(self._decoder.process(fed, output_buffer_limit=self.feed_bytes))
            self._drained = not self._surplus  # it says it takes more also while it still has something to give
        return self._kept(size)
