"""What zip and 7z decode with: a stage for each compression that both know, bounded in its output.

A stage pulls packed bytes from a source and gives decoded ones, never past its declared size. What is wrong with the
data is an error of ours without a place, whatever library found it. Decoders other than the standard library's are
imported where they are built: most archives need none of them.
"""

from __future__ import annotations

import bz2
import lzma
import struct
from collections.abc import Sequence
from typing import IO, Any, Final, Protocol, cast

from sxeslake.archive.deflate import INFLATE_ERRORS, decompressor
from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsupportedMethodError
from sxeslake.model import GIB, KIB, MIB

MAX_DICTIONARY_BYTES: Final = 3 * GIB // 2  # the largest that 7-Zip's own dialogs offer
FEED_BYTES: Final = MIB  # packed bytes handed to a decoder at once
PPMD_PADDING_BYTES: Final = 16  # the range decoder reads a little past the end of its input


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

    @property
    def has_ended(self) -> bool:
        """Whether the stream has said that it ends; True where it does not say."""
        return True

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

    @property
    def has_ended(self) -> bool:
        return not self.ends_itself or bool(self._decoder.eof)

    def _decode(self, size: int) -> bytes:
        while not self._decoder.eof:
            fed = b""
            if self._decoder.needs_input and not (fed := self.source.read(FEED_BYTES)):
                return b""
            if data := self._decoder.decompress(fed, size):
                return bytes(data)
        return b""


class LiblzmaDecoder(Push):
    """LZMA, LZMA2 or xz, with the filters after it that liblzma can run in the same pass; no filters: xz."""

    errors = (lzma.LZMAError, EOFError, ValueError)

    def __init__(
        self, source: ByteSource, size: int, name: str, filters: Sequence[dict[str, int]] = (), *, has_end: bool = True
    ) -> None:
        """`has_end`: whether the stream must say that it ends; LZMA need not."""
        super().__init__(source, size)
        self.name, self.ends_itself = name, has_end
        try:
            if filters:
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
            else:
                self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DICTIONARY_BYTES + 64 * MIB)
        except (lzma.LZMAError, ValueError) as error:
            raise DamagedArchiveError(f"the properties of {name} are damaged ({error})") from error
        except MemoryError as error:
            raise LimitExceededError(f"{name} needs more memory than is available") from error


def dictionary_of(stated: int, size: int, name: str) -> int:
    """No match reaches back further than the data goes: a stated dictionary beyond that costs memory for nothing."""
    needed = max(4 * KIB, min(stated, size))
    if needed > MAX_DICTIONARY_BYTES:
        raise LimitExceededError(f"{name} with a dictionary of {needed:,} bytes; the limit is {MAX_DICTIONARY_BYTES:,}")
    return needed


def lzma_filter(properties: bytes, size: int) -> dict[str, int]:
    """liblzma's filter for the five bytes that zip and 7z keep of an LZMA encoder."""
    if len(properties) < 5 or properties[0] >= 9 * 5 * 5:
        raise DamagedArchiveError("the properties of LZMA are damaged")
    literal, dictionary = struct.unpack_from("<BL", properties)
    rest, lc = divmod(literal, 9)
    pb, lp = divmod(rest, 5)
    if lc + lp > 4:
        raise UnsupportedMethodError(f"LZMA with lc={lc} and lp={lp} is not supported")
    return {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary_of(dictionary, size, "LZMA")}


class Bzip2Decoder(Push):
    name, errors, ends_itself = "BZip2", (OSError, EOFError, ValueError), True

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._decoder = bz2.BZ2Decompressor()


class DeflateDecoder(Push):
    name, errors, ends_itself = "Deflate", (*INFLATE_ERRORS, EOFError, ValueError), True

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._decoder = decompressor()


class PpmdDecoder(Stage):
    name = "PPMd"

    def __init__(self, source: ByteSource, size: int, decoder: str, settings: tuple[int, ...], memory: int) -> None:
        """`decoder` is pyppmd's class, made with its settings; it takes `memory` bytes."""
        import pyppmd  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        # pyppmd's MemoryError is damage, too
        self.errors = (pyppmd.PpmdError, ValueError, RuntimeError, EOFError, SystemError, MemoryError)
        if memory > MAX_DICTIONARY_BYTES:
            raise LimitExceededError(f"PPMd needs {memory:,} bytes; the limit is {MAX_DICTIONARY_BYTES:,}")
        self._decoder = getattr(pyppmd, decoder)(*settings)
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


class Buffered(Stage):
    """Decoders without an output bound: fed little, their surplus kept for the next call."""

    feed_bytes = 64 * KIB

    def __init__(self, source: ByteSource, size: int) -> None:
        super().__init__(source, size)
        self._surplus = memoryview(b"")

    def _decode(self, size: int) -> bytes:
        while not self._surplus:
            fed = self._next()
            if not fed:
                return b""
            self._surplus = memoryview(self._step(fed))
        return self._kept(size)

    def _next(self) -> bytes:
        return self.source.read(self.feed_bytes)

    def _kept(self, size: int) -> bytes:
        data, self._surplus = bytes(self._surplus[:size]), self._surplus[size:]
        return data

    def _step(self, fed: bytes) -> bytes:
        return fed


class Deflate64Decoder(Buffered):
    name, errors, ends_itself = "Deflate64", (ValueError, RuntimeError, EOFError, OSError), True
    feed_bytes = 512  # its decoder has no output bound; 18 bits can become 64 KiB, so this becomes ≤ 15 MiB

    def __init__(self, source: ByteSource, size: int) -> None:
        import inflate64  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        self._decoder = inflate64.Inflater()
        self._packed = memoryview(b"")

    def _next(self) -> bytes:
        if not self._packed:
            self._packed = memoryview(self.source.read(FEED_BYTES))
        fed, self._packed = bytes(self._packed[: self.feed_bytes]), self._packed[self.feed_bytes :]
        return fed

    def _step(self, fed: bytes) -> bytes:
        return b"" if self._decoder.eof else self._decoder.inflate(fed)


class ZstdDecoder(Stage):
    name, ends_itself = "zstd", True

    def __init__(self, source: ByteSource, size: int, window_bytes: int = MAX_DICTIONARY_BYTES) -> None:
        import zstandard  # noqa: PLC0415 - rarely needed

        super().__init__(source, size)
        self.errors = (zstandard.ZstdError, ValueError)
        decoder = zstandard.ZstdDecompressor(max_window_size=window_bytes)
        self._reader = decoder.stream_reader(cast(IO[bytes], source), read_size=FEED_BYTES, read_across_frames=True)

    def _decode(self, size: int) -> bytes:
        return self._reader.read(size)
