"""The methods of 7z: a decoder for each, which pulls from the one before it, and never past its declared size.

Decoders other than the standard library's are imported where they are built: most archives need none of them.
"""

from __future__ import annotations

import bz2
import lzma
import struct
from collections.abc import Sequence
from typing import IO, Any, Final, Protocol, cast

import numpy as np

from sxeslake.archive.deflate import INFLATE_ERRORS, decompressor
from sxeslake.archive.sevenzip.format import FolderCoder
from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsupportedMethodError
from sxeslake.model import GIB, KIB, MIB

MAX_DICTIONARY_BYTES: Final = 3 * GIB // 2  # the largest that 7-Zip's own dialogs offer
FEED_BYTES: Final = MIB  # packed bytes handed to a decoder at once
DEFLATE64_FEED_BYTES: Final = (
    512  # its decoder has no output bound; 18 bits can become 64 KiB, so this becomes ≤ 15 MiB
)
BROTLI_MT_MAGIC: Final = b"\x50\x2a\x4d\x18"  # a skippable frame before each block: no Brotli decoder knows it
PPMD_PADDING_BYTES: Final = 16  # the range decoder reads a little past the end of its input

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


class ByteSource(Protocol):
    """Where bytes come from, front to back."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none only at the end."""


class Stage:
    """One decoder: `read` gives at most its declared size; the library's own errors become ours."""

    name = "Copy"
    errors: tuple[type[Exception], ...] = ()
    ends_itself = False  # the stream says where it ends, so bytes past the declared size can be told

    def __init__(self, source: ByteSource, size: int) -> None:
        self.source = source
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Decoded bytes; none at the declared size, or where the input ends before it."""
        if not self._left:
            return b""
        data = self._guarded(min(size, self._left))
        self._left -= len(data)
        return data

    def check_end(self) -> None:
        """After the last byte: nothing may follow it, where that can be known."""
        if self.ends_itself and not self._left and self._guarded(1):
            raise DamagedArchiveError(f"the {self.name} data holds more than the archive declares")

    def _guarded(self, size: int) -> bytes:
        try:
            return self._decode(size)
        except self.errors as error:
            raise DamagedArchiveError(f"the {self.name} data is damaged ({error or type(error).__name__})") from error
        except MemoryError as error:
            raise LimitExceededError(f"{self.name} needs more memory than is available") from error

    def _decode(self, size: int) -> bytes:
        return self.source.read(size)


class CopyDecoder(Stage):
    ends_itself = True


class Push(Stage):
    """Decoders in the manner of `lzma.LZMADecompressor`: `needs_input`, `eof`, bounded `decompress`."""

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._decoder: Any = None

    def _decode(self, size: int) -> bytes:
        while not self._decoder.eof:
            fed = b""
            if self._decoder.needs_input and not (fed := self.source.read(FEED_BYTES)):
                return b""
            if data := self._decoder.decompress(fed, size):
                return bytes(data)
        return b""


class Lzma(Push):
    """LZMA or LZMA2, with the filters after it that liblzma can run in the same pass."""

    errors = (lzma.LZMAError, EOFError, ValueError)

    def __init__(self, source: ByteSource, size: int, coder: FolderCoder, filters: Sequence[dict[str, int]]) -> None:
        super().__init__(source, size)
        self.name = "LZMA" if coder.method == LZMA else "LZMA2"
        self.ends_itself = coder.method == LZMA2
        first = _lzma_filter(coder, size) if coder.method == LZMA else _lzma2_filter(coder, size)
        chain = [*reversed(filters), first]
        try:
            self._decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain)
        except (lzma.LZMAError, ValueError) as error:
            raise DamagedArchiveError(f"the properties of {self.name} are damaged ({error})") from error
        except MemoryError as error:
            raise LimitExceededError(f"{self.name} needs more memory than is available") from error


def _dictionary(stated: int, size: int, name: str) -> int:
    """No match reaches back further than the data goes: a stated dictionary beyond that costs memory for nothing."""
    needed = max(4 * KIB, min(stated, size))
    if needed > MAX_DICTIONARY_BYTES:
        raise LimitExceededError(f"{name} with a dictionary of {needed:,} bytes; the limit is {MAX_DICTIONARY_BYTES:,}")
    return needed


def _lzma_filter(coder: FolderCoder, size: int) -> dict[str, int]:
    if len(coder.properties) < 5 or coder.properties[0] >= 9 * 5 * 5:
        raise DamagedArchiveError("the properties of LZMA are damaged")
    literal, dictionary = struct.unpack_from("<BL", coder.properties)
    rest, lc = divmod(literal, 9)
    pb, lp = divmod(rest, 5)
    if lc + lp > 4:
        raise UnsupportedMethodError(f"LZMA with lc={lc} and lp={lp} is not supported")
    return {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": _dictionary(dictionary, size, "LZMA")}


def _lzma2_filter(coder: FolderCoder, size: int) -> dict[str, int]:
    if len(coder.properties) != 1 or coder.properties[0] > 40:
        raise DamagedArchiveError("the properties of LZMA2 are damaged")
    step = coder.properties[0]
    stated = (2 | step & 1) << (step // 2 + 11) if step < 40 else 0xFFFFFFFF
    return {"id": lzma.FILTER_LZMA2, "dict_size": _dictionary(stated, size, "LZMA2")}


class Bzip2(Push):
    name, errors, ends_itself = "BZip2", (OSError, EOFError, ValueError), True

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._decoder = bz2.BZ2Decompressor()

    def _decode(self, size: int) -> bytes:
        while not (data := super()._decode(size)) and self._decoder.eof:
            fed = self._decoder.unused_data or self.source.read(FEED_BYTES)  # several streams in a row are legal
            if not fed:
                return b""
            self._decoder = bz2.BZ2Decompressor()
            if data := bytes(self._decoder.decompress(fed, size)):
                return data
        return data


class Ppmd(Stage):
    name = "PPMd"
    errors = (ValueError, RuntimeError, EOFError, SystemError, MemoryError)  # pyppmd's MemoryError is damage, too

    def __init__(self, source: ByteSource, size: int, coder: FolderCoder) -> None:
        import pyppmd  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        if len(coder.properties) not in {5, 7}:
            raise DamagedArchiveError("the properties of PPMd are damaged")
        order, memory = struct.unpack_from("<BL", coder.properties)
        if not 2 <= order <= 64 or memory < 2 * KIB:
            raise DamagedArchiveError("the properties of PPMd are damaged")
        if memory > MAX_DICTIONARY_BYTES:
            raise LimitExceededError(f"PPMd needs {memory:,} bytes; the limit is {MAX_DICTIONARY_BYTES:,}")
        self._decoder = pyppmd.Ppmd7Decoder(order, memory)
        self._padding = PPMD_PADDING_BYTES

    def _decode(self, size: int) -> bytes:
        while True:  # its `eof` says that the input is used up, not that the output is out
            fed = b""
            if self._decoder.needs_input and not (fed := self.source.read(FEED_BYTES)):
                if not self._padding:
                    return b""
                self._padding, fed = self._padding - 1, b"\x00"
            if (data := bytes(self._decoder.decode(fed, size))) or not fed:
                return data


class Deflate(Push):
    name, errors, ends_itself = "Deflate", (*INFLATE_ERRORS, EOFError, ValueError), True

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._decoder = decompressor()


class Buffered(Stage):
    """Decoders without an output bound: fed little, their surplus kept for the next call."""

    feed_bytes = 64 * KIB

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._surplus = memoryview(b"")

    def _decode(self, size: int) -> bytes:
        while not self._surplus:
            fed = self.source.read(self.feed_bytes)
            if not fed:
                return b""
            self._surplus = memoryview(self._step(fed))
        return self._kept(size)

    def _kept(self, size: int) -> bytes:
        data, self._surplus = bytes(self._surplus[:size]), self._surplus[size:]
        return data

    def _step(self, fed: bytes) -> bytes:
        return fed


class Deflate64(Buffered):
    name, errors, feed_bytes = "Deflate64", (ValueError, RuntimeError, EOFError, OSError), DEFLATE64_FEED_BYTES

    def __init__(self, source: ByteSource, size: int) -> None:
        import inflate64  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        self._decoder = inflate64.Inflater()

    def _step(self, fed: bytes) -> bytes:
        return b"" if self._decoder.eof else self._decoder.inflate(fed)


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


class ZstdDecoder(Stage):
    name, ends_itself = "zstd", True

    def __init__(self, source: ByteSource, size: int) -> None:
        import zstandard  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        self.errors = (zstandard.ZstdError, ValueError)
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_DICTIONARY_BYTES)
        self._reader = decoder.stream_reader(cast(IO[bytes], source), read_size=FEED_BYTES, read_across_frames=True)

    def _decode(self, size: int) -> bytes:
        return self._reader.read(size)


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
