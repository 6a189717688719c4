"""Raw deflate and CRC-32, by ISA-L where it is installed, else by zlib: one place that knows which."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

from sxeslake.errors import DamagedArchiveError

try:  # isal has no wheel for Windows on Arm
    from isal import igzip_lib, isal_zlib
except ImportError:  # the same calls of zlib stand in, a little slower
    HAVE_ISAL = False
else:
    HAVE_ISAL = True

RAW = -15  # window bits: 32 KiB, neither header nor trailer
_TINY_BYTES = 2048  # even a bomb of this size gives 2 MiB only: decoded in one call, which is four times as fast
ISAL_LEVELS = range(1, 4)  # ISA-L's own; 4 to 9 are zlib's
FICKLE_LEVELS = range(1, 3)
"""Of ISA-L's: one stream in some ten thousand comes out otherwise, as the addresses of its buffers fall."""


class Compressor(Protocol):
    """What `compressor` makes: zlib's compress object."""

    def compress(self, data: bytes, /) -> bytes:
        """Take more raw bytes; gives what is ready."""

    def flush(self, mode: int = ..., /) -> bytes:
        """End a block or the stream; gives what is left."""


class Decompressor(Protocol):
    """What `decompressor` makes: bz2's decompress object, whose output can be bounded."""

    @property
    def eof(self) -> bool:
        """Whether the stream has said that it ends."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""

    def decompress(self, data: bytes | memoryview, max_length: int = ...) -> bytes:
        """At most `max_length` raw bytes of what was given so far."""


class _ZlibDecompressor:
    """zlib's decompress object with the face of bz2's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(RAW)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.eof and not self._inner.unconsumed_tail

    def decompress(self, data: bytes | memoryview, max_length: int = -1) -> bytes:
        waiting = self._inner.unconsumed_tail
        return self._inner.decompress(waiting + data if waiting else data, max(0, max_length))


def decompressor() -> Decompressor:
    """A bounded raw inflater; it raises what `INFLATE_ERRORS` lists."""
    if HAVE_ISAL:
        return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
    return _ZlibDecompressor()


# isal's stub declares its error class as an instance
_ISAL_ERRORS = (cast("type[Exception]", igzip_lib.IsalError),) if HAVE_ISAL else ()
INFLATE_ERRORS: tuple[type[Exception], ...] = (zlib.error, *_ISAL_ERRORS)


def steady_level(level: int) -> int:
    """The level that a writer uses for the one it was asked for: the same bytes each time, and hardly slower."""
    return FICKLE_LEVELS.stop if level in FICKLE_LEVELS else level


def _zlib_level(level: int) -> int:
    return 1 if level in ISAL_LEVELS else level  # where isal is missing, its levels mean "fast"


def deflate(data: bytes, level: int) -> bytes:
    """One raw deflate stream; levels 1 to 3 are ISA-L's, 4 to 9 zlib's."""
    if HAVE_ISAL and level in ISAL_LEVELS:
        return isal_zlib.compress(data, level, RAW)
    packer = zlib.compressobj(_zlib_level(level), zlib.DEFLATED, RAW)
    return packer.compress(data) + packer.flush()


def deflate_block(data: bytes, level: int, *, last: bool) -> bytes:
    """A stretch of a longer stream that ends on a byte, so that stretches made in several threads can be joined."""
    packer: Compressor
    if HAVE_ISAL and level in ISAL_LEVELS:
        packer = isal_zlib.compressobj(level, isal_zlib.DEFLATED, RAW)
        return packer.compress(data) + packer.flush(isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(_zlib_level(level), zlib.DEFLATED, RAW)
    return packer.compress(data) + packer.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)


def inflate(data: bytes | memoryview, size: int) -> bytes:
    """Exactly `size` raw bytes, never much more memory; what is wrong as DamagedArchiveError without a place."""
    if HAVE_ISAL and len(data) <= _TINY_BYTES:
        with suppress(*INFLATE_ERRORS):  # which the way below puts into words
            raw = isal_zlib.decompress(data, RAW, size + 1)
            if len(raw) == size:
                return raw
    try:
        worker = decompressor()
        raw = worker.decompress(data, size + 1)
        # ISA-L stops where its output buffer is full, also when only the end mark is left
        if not worker.eof and len(raw) <= size:
            raw += worker.decompress(b"", size + 1 - len(raw))
    except INFLATE_ERRORS as error:
        raise DamagedArchiveError(f"the Deflate data is damaged ({error})") from error
    if len(raw) > size:
        raise DamagedArchiveError(f"holds more than the {size:,} bytes that are declared")
    if len(raw) < size or not worker.eof:
        raise DamagedArchiveError(f"ends after {len(raw):,} of {size:,} bytes")
    return raw


crc32: Callable[..., int] = isal_zlib.crc32 if HAVE_ISAL else zlib.crc32
