"""How a frame's bytes are encoded: a pipeline, stated in full by a short ASCII descriptor in the frame.

    descriptor = [ "head=" BYTES "|" ] [ "tail=" BYTES "|" ] [ "delta=" WIDTH "x" STRIDE "|" ] coder
    coder      = "raw"
               | "zstd:" LEVEL                       LEVEL 1–22
               | "pco:" ELEMENT ":" LEVEL            ELEMENT u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8, LEVEL 0–12

Numbers are decimal without sign or leading zero. At most 64 bytes. Anything else is damage. Examples: `raw`, `zstd:3`,
`head=12|tail=12|delta=4x2049|pco:u4:8`.

Encoding, left to right:

- `head=12`, `tail=12`: the first and last bytes, set apart. Data shorter than both together are all head.
- `delta=4x2049`: the rest is taken as little-endian unsigned integers of WIDTH 1, 2, 4 or 8 bytes, and each element
  from the STRIDE-th on becomes its difference, modulo 256^WIDTH, with the original element STRIDE before it (in an
  image whose rows hold 2,049 numbers: the pixel above). Bytes after the last whole element stay.
- the coder encodes what is left.

The payload is head, tail, coder's output. Its sizes follow from the descriptor and the raw size in the frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sxeslake.codecs.coder import Buffer, Coder
from sxeslake.codecs.pco import Pco
from sxeslake.codecs.raw import Raw
from sxeslake.codecs.zstd import Zstd
from sxeslake.errors import DamagedLakeError
from sxeslake.model import MIB

CODERS: tuple[type[Coder], ...] = (Raw, Zstd, Pco)
"""Every codec there is; a new one is a file and a place here."""

MAX_RAW_BYTES = 256 * MIB  # far above any frame written; refuses a damaged frame's absurd claim
MAX_DESCRIPTOR = 64
_NUMBER = r"(0|[1-9][0-9]{0,8})"
_GRAMMAR = re.compile(
    rf"(?:head={_NUMBER}\|)?(?:tail={_NUMBER}\|)?(?:delta=([1248])x{_NUMBER}\|)?([a-z]+)(?::([a-z0-9:]+))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Delta:
    """`4x2049`: differences of little-endian integers of `width` bytes, `stride` elements apart."""

    width: int
    stride: int

    def encode(self, data: Buffer) -> Buffer:
        """Element minus the element `stride` before it; the first ones stay."""
        numbers = self._numbers(data)
        out = np.frombuffer(bytearray(data), np.uint8)
        np.subtract(numbers[self.stride :], numbers[: -self.stride], out=self._numbers(out.data)[self.stride :])
        return out.data

    def decode(self, data: Buffer) -> Buffer:
        """Running sums down each column."""
        out = np.frombuffer(bytearray(data), np.uint8)
        numbers = self._numbers(out.data)
        rows, odd = divmod(len(numbers), self.stride)
        if rows == 0:
            return out.data
        whole = numbers[: rows * self.stride].reshape(rows, self.stride)
        np.add.accumulate(whole, axis=0, out=whole)
        if odd:
            numbers[rows * self.stride :] += whole[-1, :odd]
        return out.data

    def _numbers(self, data: Buffer) -> npt.NDArray[np.unsignedinteger]:
        return np.frombuffer(data, f"<u{self.width}", len(data) // self.width)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`head=12|tail=12|delta=4x2049|pco:u4:8`"""

    coder: Coder
    head: int = 0
    tail: int = 0
    delta: Delta | None = None

    @property
    def descriptor(self) -> str:
        """The text that stands in the frame."""
        stages = []
        if self.head:
            stages.append(f"head={self.head}")
        if self.tail:
            stages.append(f"tail={self.tail}")
        if self.delta:
            stages.append(f"delta={self.delta.width}x{self.delta.stride}")
        argument = self.coder.argument
        return "|".join([*stages, f"{self.coder.name}:{argument}" if argument else self.coder.name])

    @staticmethod
    def parse(descriptor: str) -> Pipeline:
        """The pipeline that a descriptor states; DamagedLakeError if it states none, or not in the one right way."""
        return _parse(descriptor)

    def _edges(self, size: int) -> tuple[int, int]:
        """Head and tail bytes of data of that size."""
        return (self.head, self.tail) if size >= self.head + self.tail else (size, 0)


def encode(pipeline: Pipeline, raw: Buffer) -> bytes:
    """The payload of a frame that holds `raw`, of any length."""
    view = memoryview(raw)
    head, tail = pipeline._edges(len(view))
    body: Buffer = view[head : len(view) - tail]
    if pipeline.delta:
        body = pipeline.delta.encode(body)
    encoded = pipeline.coder.encode(body)
    if not head and not tail:
        return encoded
    return b"".join((view[:head], view[len(view) - tail :], encoded))


def decode(pipeline: Pipeline | str, encoded: Buffer, raw_size: int) -> bytes:
    """The `raw_size` bytes that a payload holds; DamagedLakeError for anything else, whatever the payload is."""
    if isinstance(pipeline, str):
        pipeline = _parse(pipeline)
    if not 0 <= raw_size <= MAX_RAW_BYTES:
        raise DamagedLakeError(f"A frame claims {raw_size:,} bytes.")
    view = memoryview(encoded)
    head, tail = pipeline._edges(raw_size)
    if len(view) < head + tail:
        raise DamagedLakeError(f"A payload of {len(view):,} bytes is too short for its header and trailer.")
    body = pipeline.coder.decode(view[head + tail :], raw_size - head - tail)
    if pipeline.delta:
        body = pipeline.delta.decode(body)
    if not head and not tail:
        return bytes(body)
    return b"".join((view[:head], body, view[head : head + tail]))


@lru_cache(maxsize=1024)
def _parse(descriptor: str) -> Pipeline:
    match = _GRAMMAR.fullmatch(descriptor) if len(descriptor) <= MAX_DESCRIPTOR else None
    if match is not None:
        head, tail, width, stride, name, argument = match.groups()
        coder = next((coder for coder in CODERS if coder.name == name), None)
        if coder is not None and stride != "0":
            delta = Delta(int(width), int(stride)) if width else None
            try:
                pipeline = Pipeline(coder.parse(argument or ""), int(head or 0), int(tail or 0), delta)
            except ValueError:
                pipeline = None
            if pipeline is not None and pipeline.descriptor == descriptor:
                return pipeline
    raise DamagedLakeError(f"No codec pipeline is called {descriptor[:MAX_DESCRIPTOR]!r}.")
