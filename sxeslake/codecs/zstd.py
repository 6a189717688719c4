"""The `zstd` codec: `zstd:19`, one Zstandard frame that states its content size."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import ClassVar

import zstandard

from sxeslake.codecs.coder import Buffer
from sxeslake.errors import DamagedLakeError

LEVELS = range(1, 23)
_contexts = threading.local()  # zstd contexts are costly to make and belong to one thread at a time


@dataclass(frozen=True, slots=True)
class Zstd:
    """`zstd:3`: Zstandard at a level; the level matters to the writer only."""

    name: ClassVar[str] = "zstd"
    level: int

    @property
    def argument(self) -> str:
        """`3`"""
        return str(self.level)

    @classmethod
    def parse(cls, argument: str) -> Zstd:
        """`3` → level 3."""
        level = int(argument)
        if level not in LEVELS:
            raise ValueError(argument)
        return cls(level)

    def encode(self, data: Buffer) -> bytes:
        """One frame, with its content size and without a checksum: blobs have their own hash."""
        return _compressor(self.level).compress(data)

    def decode(self, payload: Buffer, size: int) -> bytes:
        """The content of one frame of exactly `size` bytes."""
        try:
            # Memory is asked for by what the frame claims: believe it only when it claims the right size.
            if (claimed := zstandard.frame_content_size(payload)) != size:
                raise DamagedLakeError(f"A zstd payload claims {claimed:,} bytes where {size:,} were stored.")
            data = _decompressor().decompress(payload, max_output_size=size, allow_extra_data=False)
        except (zstandard.ZstdError, ValueError) as error:
            raise DamagedLakeError(f"A zstd payload does not decode: {error}.") from error
        if len(data) != size:
            raise DamagedLakeError(f"A zstd payload holds {len(data):,} bytes where {size:,} were stored.")
        return data


def _compressor(level: int) -> zstandard.ZstdCompressor:
    """This thread's compressor of that level."""
    made: dict[int, zstandard.ZstdCompressor] | None = getattr(_contexts, "compressors", None)
    if made is None:
        made = _contexts.compressors = {}
    if level not in made:
        made[level] = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False)
    return made[level]


def _decompressor() -> zstandard.ZstdDecompressor:
    """This thread's decompressor."""
    made: zstandard.ZstdDecompressor | None = getattr(_contexts, "decompressor", None)
    if made is None:
        made = _contexts.decompressor = zstandard.ZstdDecompressor()
    return made
