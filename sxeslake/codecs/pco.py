"""The `pco` codec: `pco:u4:8`, numbers in pco's standalone format (PyPI `pcodec`)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, standalone

from sxeslake.codecs.coder import Buffer
from sxeslake.errors import DamagedLakeError

ELEMENTS = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
LEVELS = range(13)


class Pco:
    """`pco:u4:8`: little-endian uint32 at level 8; the level matters to the writer only.

    Bytes after the last whole element stand, as they are, after pco's own.
    """

    name: ClassVar[str] = "pco"

    def __init__(self, element: str, level: int) -> None:
        self.element = element
        self.level = level
        self.dtype = np.dtype("<" + element)

    @property
    def argument(self) -> str:
        """`u4:8`"""
        return f"{self.element}:{self.level}"

    @classmethod
    def parse(cls, argument: str) -> Pco:
        """`u4:8` → uint32 at level 8."""
        element, level = argument.split(":")
        if element not in ELEMENTS or int(level) not in LEVELS:
            raise ValueError(argument)
        return cls(element, int(level))

    def encode(self, data: Buffer) -> bytes:
        """The elements in pco, then the odd bytes."""
        whole = len(data) - len(data) % self.dtype.itemsize
        numbers = np.frombuffer(data, self.dtype, whole // self.dtype.itemsize)
        config = ChunkConfig(compression_level=self.level, enable_8_bit=self.dtype.itemsize == 1)
        encoded: bytes = standalone.simple_compress(numbers, config)
        return encoded + bytes(data[whole:]) if whole < len(data) else encoded

    def decode(self, payload: Buffer, size: int) -> Buffer:
        """As many elements as fit into `size` bytes, written into an array of that size, so bounded by it."""
        odd = size % self.dtype.itemsize
        if odd > len(payload):
            raise DamagedLakeError(f"A pco payload of {len(payload):,} bytes is too short.")
        out = np.empty(size, np.uint8)
        numbers: npt.NDArray[np.generic] = out[: size - odd].view(self.dtype)
        try:
            progress = standalone.simple_decompress_into(bytes(payload[: len(payload) - odd]), numbers)
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # pcodec raises RuntimeError, and a Rust panic comes as a BaseException
            raise DamagedLakeError(f"A pco payload does not decode: {type(error).__name__}.") from error
        if progress.n_processed != numbers.size or not progress.finished:
            raise DamagedLakeError(f"A pco payload does not hold the {numbers.size:,} numbers that were stored.")
        out[size - odd :] = np.frombuffer(payload, np.uint8, odd, len(payload) - odd)
        return out.data
