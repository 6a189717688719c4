"""Encoders in this process: a content comes in parts, packed bytes go out; equal settings, equal bytes."""

from __future__ import annotations

import lzma
import zlib
from typing import Any, Final, Protocol

from sxeslake.archive import deflate
from sxeslake.archive.exact.spec import Spec
from sxeslake.archive.sevenzip.writer import lzma2_run
from sxeslake.errors import UnsupportedMethodError
from sxeslake.model import KIB, MIB

_STORED_FEED: Final = 8 * KIB
WHOLE_BYTES: Final = 16 * MIB  # contents up to this size are held whole; larger ones stream
ENCODER_BYTES_PER_DICTIONARY_BYTE: Final = 12


class Encoder(Protocol):
    """One content on its way."""

    def feed(self, data: bytes) -> bytes:
        """Take the next part; gives what is ready."""

    def finish(self) -> bytes:
        """Give the rest."""


class _StoreEncoder:
    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Zlib:
    def __init__(self, level: int, memory: int, strategy: int) -> None:
        self._packer = zlib.compressobj(level, zlib.DEFLATED, deflate.RAW, memory, strategy)
        self._level = level

    def feed(self, data: bytes) -> bytes:
        if self._level:
            return self._packer.compress(data)
        # Level 0 cuts its blocks by what it is given at once; programs give it no more than this.
        return b"".join(self._packer.compress(data[at : at + _STORED_FEED]) for at in range(0, len(data), _STORED_FEED))

    def finish(self) -> bytes:
        return self._packer.flush()


class _Isal:
    """ISA-L's output depends on how its input is cut: everything in one call."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._held: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self._held.append(data)
        return b""

    def finish(self) -> bytes:
        from isal import isal_zlib  # noqa: PLC0415  # no wheel for Windows on Arm: see `missing`

        return isal_zlib.compress(b"".join(self._held), self._level, deflate.RAW)


class _Blocks:
    """Blocks of equal size that each end on a byte, as our own writers make them in several threads."""

    def __init__(self, block: int) -> None:
        self._block = block
        self._held = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._held += data
        parts = []
        while len(self._held) > self._block:  # the last block waits: it ends the stream
            parts.append(self._pack(bytes(memoryview(self._held)[: self._block]), last=False))
            del self._held[: self._block]
        return b"".join(parts)

    def finish(self) -> bytes:
        return self._pack(bytes(self._held), last=True)

    def _pack(self, block: bytes, *, last: bool) -> bytes:
        return deflate.deflate_block(block, 0, last=last)  # stored; each kind of blocks packs in its own way


class _DeflateBlocks(_Blocks):
    def __init__(self, level: int, block: int, whole_tail: int) -> None:
        super().__init__(block)
        self._level, self._whole_tail = level, bool(whole_tail)

    def _pack(self, block: bytes, *, last: bool) -> bytes:
        if last and self._whole_tail:
            return deflate.deflate(block, self._level)
        return deflate.deflate_block(block, self._level, last=last)


class _Lzma2Blocks(_Blocks):
    def __init__(self, level: int, block: int) -> None:
        super().__init__(block)
        self._level = level

    def _pack(self, block: bytes, *, last: bool) -> bytes:
        return lzma2_run(block, last, level=self._level)


class _Liblzma:
    def __init__(self, spec: Spec) -> None:
        kind, preset, dictionary, lc, lp, pb, extreme, x86 = spec.numbers
        filters: list[dict[str, Any]] = [{"id": lzma.FILTER_X86}] if x86 else []
        filters.append({
            "id": lzma.FILTER_LZMA2 if kind == 2 else lzma.FILTER_LZMA1,
            "preset": preset | (lzma.PRESET_EXTREME if extreme else 0),
            "dict_size": dictionary, "lc": lc, "lp": lp, "pb": pb,
        })  # fmt: skip
        self._packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=filters)

    def feed(self, data: bytes) -> bytes:
        return self._packer.compress(data)

    def finish(self) -> bytes:
        return self._packer.flush()


def open_encoder(spec: Spec) -> Encoder:
    """An encoder for one content; UnsupportedMethodError where its library is missing or refuses the settings."""
    if (reason := missing(spec)) is not None:
        raise UnsupportedMethodError(reason)
    numbers = spec.numbers
    try:
        if spec.family == "zlib":
            return _Zlib(*numbers)
        if spec.family == "isal":
            return _Isal(*numbers)
        if spec.family == "blocks":
            return _DeflateBlocks(*numbers)
        if spec.family == "lzma2-blocks":
            return _Lzma2Blocks(*numbers)
        if spec.family == "liblzma":
            return _Liblzma(spec)
    except (ValueError, lzma.LZMAError, zlib.error) as error:
        raise UnsupportedMethodError(f"the encoder {spec} refuses its settings: {error}") from error
    return _StoreEncoder()


def missing(spec: Spec) -> str | None:
    """Why this process cannot run an encoder; None where it can."""
    needs_isal = spec.family == "isal" or (spec.family == "blocks" and spec.numbers[0] in deflate.ISAL_LEVELS)
    return f"{spec} needs the library isal" if needs_isal and not deflate.HAVE_ISAL else None


def pack(spec: Spec, data: bytes) -> bytes:
    """One content in one go."""
    encoder = open_encoder(spec)
    return encoder.feed(data) + encoder.finish()


def streams(spec: Spec) -> bool:
    """Whether a large content passes through without being held whole."""
    return spec.family != "isal"


def encoder_bytes(spec: Spec) -> int:
    """What one encoder takes of memory, when it is much."""
    if spec.family == "liblzma":
        return spec.numbers[2] * ENCODER_BYTES_PER_DICTIONARY_BYTE
    if spec.family == "lzma2-blocks":
        return spec.numbers[1] * ENCODER_BYTES_PER_DICTIONARY_BYTE
    return 0


def is_fickle(spec: Spec) -> bool:
    """Whether an encoder gives other bytes once in a while, and is worth another try; see `deflate.FICKLE_LEVELS`."""
    return spec.family in {"isal", "blocks"} and spec.numbers[0] in deflate.FICKLE_LEVELS


def library_of(spec: Spec) -> str | None:
    """The library whose version decides on the bytes: `zlib 1.3.1`."""
    if spec.family == "isal" or (spec.family == "blocks" and spec.numbers[0] in deflate.ISAL_LEVELS):
        return "isal"
    if spec.family in {"zlib", "blocks"}:
        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return "liblzma" if spec.family in {"liblzma", "lzma2-blocks"} else None
