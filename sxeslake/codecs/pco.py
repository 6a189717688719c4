"""The `pco` codec: `pco:i4:8:d0:c4`, numbers in pco's standalone format (PyPI `pcodec`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, PagingSpec, standalone

from sxeslake.codecs.coder import Buffer
from sxeslake.errors import DamagedLakeError

_ARGUMENT = re.compile(
    r"(?P<element>[ui][1248]|f[248]):(?P<level>[0-9]|1[012])"
    r"(?:(?::d(?P<order>[0-7])|:v(?P<taps>[1-8]))(?::q(?P<quantum>[1-9][0-9]?))?(?::c(?P<chunks>[1-9][0-9]?))?)?",
    re.ASCII,
)
FEWEST_IN_CHUNK = 64  # no chunks that are all header
BATCH = 256  # elements that pco encodes at once
MOST_IN_CHUNK = 1 << 18  # pco's own preference; its limit is 2^24
WIDEST_FITTED = 4  # bytes of an element that pco fits weights for
MANTISSA_BITS = {"f2": 10, "f4": 23, "f8": 52}


@dataclass(frozen=True, slots=True)
class Pco:
    """`pco:f8:7:d2:q29`: little-endian float64 at level 7, differences of order 2, 29 low bits of the mantissa apart.

    What a reader needs is the element; pco's own bytes state the rest. `chunks` cuts the elements into so many chunks
    of equal length, each with statistics of its own. Without `d` pco searches for the differences and the mode
    itself, which costs about as much time again. `v1` stands in place of `d`: each element is predicted from so many
    before it, with weights that pco fits to the chunk (a fraction of the neighbour, where all of it is too much).
    Bytes after the last whole element follow pco's own, as they are.
    """

    name: ClassVar[str] = "pco"
    element: str
    level: int
    order: int | None = None
    quantum: int | None = None
    chunks: int = 1
    taps: int | None = None

    @property
    def argument(self) -> str:
        """`i4:8:d0:c4`"""
        delta = f":v{self.taps}" if self.taps else "" if self.order is None else f":d{self.order}"
        quantum = "" if self.quantum is None else f":q{self.quantum}"
        chunks = "" if self.chunks == 1 else f":c{self.chunks}"
        return f"{self.element}:{self.level}{delta}{quantum}{chunks}"

    @property
    def width(self) -> int:
        """Bytes of an element."""
        return int(self.element[1:])

    @classmethod
    def parse(cls, argument: str) -> Pco:
        """`i4:8:d0:c4` → int32 at level 8, no differences, four chunks."""
        match = _ARGUMENT.fullmatch(argument)
        if match is None:
            raise ValueError(argument)
        order, quantum, chunks, taps = (
            None if match[name] is None else int(match[name]) for name in ("order", "quantum", "chunks", "taps")
        )
        if taps is not None and int(match["element"][1:]) > WIDEST_FITTED:
            raise ValueError(argument)
        if quantum is not None and quantum > MANTISSA_BITS.get(match["element"], 0):
            raise ValueError(argument)
        return cls(match["element"], int(match["level"]), order, quantum, chunks or 1, taps)

    def encode(self, data: Buffer) -> bytes:
        """The elements in pco, then the odd bytes."""
        whole = len(data) - len(data) % self.width
        numbers = np.require(np.frombuffer(data, f"<{self.element}", whole // self.width), requirements="A")
        encoded: bytes = standalone.simple_compress(numbers, self._config(len(numbers)))
        return encoded + bytes(data[whole:]) if whole < len(data) else encoded

    def decode(self, payload: Buffer, size: int) -> Buffer:
        """As many elements as fit into `size` bytes, written into an array of that size, so bounded by it."""
        odd = size % self.width
        if odd > len(payload):
            raise DamagedLakeError(f"A pco payload of {len(payload):,} bytes is too short.")
        out = np.empty(size, np.uint8)
        numbers: npt.NDArray[np.generic] = out[: size - odd].view(f"<{self.element}")
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

    def _config(self, count: int) -> ChunkConfig:
        """What pco is told about so many elements."""
        eight_bit = self.width == 1
        sizes = self._sizes(count)
        if self.taps and all(map(self._takes, sizes)):
            delta = DeltaSpec.try_conv1(self.taps)
        elif self.taps or self.order is not None:
            delta = DeltaSpec.try_consecutive(self.order) if self.order else DeltaSpec.no_op()
        else:
            return ChunkConfig(compression_level=self.level, enable_8_bit=eight_bit)
        mode = ModeSpec.try_float_quant(self.quantum) if self.quantum else ModeSpec.classic()
        config = {"compression_level": self.level, "delta_spec": delta, "mode_spec": mode, "enable_8_bit": eight_bit}
        if len(sizes) > 1:
            config["paging_spec"] = PagingSpec.exact_page_sizes(sizes)
        return ChunkConfig(**config)

    def _sizes(self, count: int) -> list[int]:
        """The lengths of the chunks of so many elements; one where they are too few, or so many that pco cuts them."""
        if not (self.chunks > 1 and FEWEST_IN_CHUNK * self.chunks <= count <= MOST_IN_CHUNK * self.chunks):
            return [count]
        edges = np.linspace(0, count, self.chunks + 1).astype(int)
        sizes: list[int] = np.diff(edges).tolist()
        return sizes

    def _takes(self, count: int) -> bool:
        """Whether a chunk can have weights: pcodec 1.1 panics where fewer elements than taps are left for a batch."""
        taps = self.taps or 0
        whole = count <= MOST_IN_CHUNK or taps == 1
        return count >= FEWEST_IN_CHUNK and whole and not 0 < count % BATCH < taps
