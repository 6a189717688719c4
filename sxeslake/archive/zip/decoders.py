"""Every zip compression method we can undo, each as a stream of bounded blocks."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import cast

from sxeslake.archive import deflate
from sxeslake.archive.deflate import Decompressor
from sxeslake.archive.zip import format as zip_format
from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsupportedMethodError
from sxeslake.model import MIB

BLOCK_BYTES = MIB
MAX_DICTIONARY = 1536 * MIB  # what 7-Zip itself refuses to go beyond
MAX_ZSTD_WINDOW = 128 * MIB  # zstd's own default for those who did not ask for more
DEFLATE64_STEP = 512  # input at a time: one length code may give 64 KiB, so 512 bytes stay below 16 MiB

_DAMAGE: tuple[type[Exception], ...] = (*deflate.INFLATE_ERRORS, lzma.LZMAError, OSError, ValueError, EOFError)

Source = Callable[[], bytes | memoryview]
"""Gives the next stretch of packed bytes; nothing at the end."""

Opener = Callable[[Source, int], Iterator[bytes]]
"""Decodes a source of so many raw bytes."""


def open_stream(method: int, source: Source, size: int) -> Iterator[bytes]:
    """The raw blocks of a member, exactly `size` bytes in all; what is wrong as an InputError without a place."""
    try:
        yield from _exactly(size, DECODERS[method](source, size))
    except _DAMAGE as error:
        raise DamagedArchiveError(f"damaged {method_name(method)} data ({error})") from error
    except MemoryError as error:
        raise LimitExceededError(f"{method_name(method)} needs more memory than is available") from error


def method_name(method: int) -> str:
    """`14 → LZMA`; `method 77` for what no list knows."""
    known = {
        zip_format.STORE: "stored",
        zip_format.DEFLATE: "Deflate",
        zip_format.DEFLATE64: "Deflate64",
        zip_format.BZIP2: "BZip2",
        zip_format.LZMA: "LZMA",
        zip_format.ZSTD_OLD: "zstd",
        zip_format.ZSTD: "zstd",
        zip_format.XZ: "xz",
        zip_format.PPMD: "PPMd",
    }
    return (known | zip_format.METHOD_NAMES).get(method, f"method {method}")


def check_method(method: int) -> None:
    """Refuse what nobody here can decode."""
    if method not in DECODERS:
        raise UnsupportedMethodError(f"compressed with {method_name(method)}, which cannot be decoded here")


def _exactly(size: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    done = 0
    for block in blocks:
        done += len(block)
        if done > size:
            raise DamagedArchiveError(f"holds more than the {size:,} bytes that are declared")
        if block:
            yield block
    if done < size:
        raise DamagedArchiveError(f"ends after {done:,} of {size:,} bytes")


def _stored(source: Source, _: int) -> Iterator[bytes]:
    while block := source():
        yield bytes(block)


def _pump(worker: Decompressor, source: Source, size: int, *, has_end: bool = True) -> Iterator[bytes]:
    """Drive a bounded decompressor; `has_end` asks for one byte more than declared, to catch what lies."""
    left = size + 1 if has_end else size
    while left and not worker.eof:
        data = source() if worker.needs_input else b""
        block = worker.decompress(data, min(left, BLOCK_BYTES))
        if not block and not data and not worker.eof:
            break  # it waits for bytes that are not there
        left -= len(block)
        yield block
    if has_end and left == 1 and not worker.eof:
        raise DamagedArchiveError("has no end mark: it is cut off")


def _deflate(source: Source, size: int) -> Iterator[bytes]:
    return _pump(deflate.decompressor(), source, size)


def _deflate64(source: Source, _: int) -> Iterator[bytes]:
    import inflate64  # noqa: PLC0415  (rare: loaded where it is met)

    worker = inflate64.Inflater()
    while data := source():
        for at in range(0, len(data), DEFLATE64_STEP):
            yield cast("bytes", worker.inflate(bytes(data[at : at + DEFLATE64_STEP])))
            if worker.eof:
                return


def _bzip2(source: Source, size: int) -> Iterator[bytes]:
    return _pump(bz2.BZ2Decompressor(), source, size)


def _xz(source: Source, size: int) -> Iterator[bytes]:
    return _pump(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DICTIONARY + 64 * MIB), source, size)


def _lzma(source: Source, size: int) -> Iterator[bytes]:
    """A head of version (2 bytes), length of properties (2), properties (5), then raw LZMA."""
    head = b""
    while len(head) < 9 and (data := source()):
        head += bytes(data)
    properties = head[4:9]
    if len(properties) < 5 or head[2:4] != b"\x05\x00" or properties[0] >= 9 * 5 * 5:
        raise DamagedArchiveError("damaged LZMA data (its properties make no sense)")
    settings, dictionary = properties[0], int.from_bytes(properties[1:5], "little")
    # a distance never reaches further back than the member is long
    dictionary = max(4096, min(dictionary, size))
    if dictionary > MAX_DICTIONARY:
        raise LimitExceededError(f"LZMA needs a dictionary of {dictionary:,} bytes")
    options = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": dictionary,
        "lc": settings % 9,
        "lp": settings // 9 % 5,
        "pb": settings // 45,
    }
    worker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])
    # an end mark is optional here, and asking for a byte beyond the end would invent one
    yield from _pump(worker, _after(head[9:], source), size, has_end=False)


def _after(first: bytes, source: Source) -> Source:
    waiting = [first] if first else []
    return lambda: waiting.pop() if waiting else source()


class _Readable:
    """A source as the file-like object that zstandard reads from."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rest = memoryview(b"")

    def read(self, count: int = -1) -> bytes:
        if not self._rest:
            self._rest = memoryview(self._source())
        head, self._rest = self._rest[:count], self._rest[count:]
        return bytes(head)


def _zstd(source: Source, _: int) -> Iterator[bytes]:
    import zstandard  # noqa: PLC0415  (rare: loaded where it is met)

    worker = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
    with worker.stream_reader(cast("bytes", _Readable(source)), read_across_frames=True) as stream:
        try:
            while block := stream.read(BLOCK_BYTES):
                yield block
        except zstandard.ZstdError as error:
            raise ValueError(error) from error


def _ppmd(source: Source, size: int) -> Iterator[bytes]:
    """A head of 16 bits: order − 1 (4), memory in MiB − 1 (8), restoration (4); then PPMd variant I."""
    import pyppmd  # noqa: PLC0415  (rare: loaded where it is met)

    head = b""
    while len(head) < 2 and (data := source()):
        head += bytes(data)
    bits = int.from_bytes(head[:2], "little")
    order, memory, restore = (bits & 15) + 1, ((bits >> 4 & 255) + 1) * MIB, bits >> 12
    if order < 2 or restore > 1 or len(head) < 2:
        raise DamagedArchiveError("damaged PPMd data (its properties make no sense)")
    worker = pyppmd.Ppmd8Decoder(order, memory, restore)
    source = _after(head[2:], source)
    left = size
    while left and not worker.eof:
        data = source() if worker.needs_input else b""
        try:
            block = worker.decode(bytes(data), min(left, BLOCK_BYTES))
        except pyppmd.PpmdError as error:
            raise ValueError(error) from error
        if not block and not data:
            break
        left -= len(block)
        yield block


DECODERS: dict[int, Opener] = {
    zip_format.STORE: _stored,
    zip_format.DEFLATE: _deflate,
    zip_format.DEFLATE64: _deflate64,
    zip_format.BZIP2: _bzip2,
    zip_format.LZMA: _lzma,
    zip_format.ZSTD_OLD: _zstd,
    zip_format.ZSTD: _zstd,
    zip_format.XZ: _xz,
    zip_format.PPMD: _ppmd,
}
