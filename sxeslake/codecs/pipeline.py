"""How a frame's bytes are encoded: a pipeline, stated in full by a short ASCII descriptor in the frame.

    descriptor = [ "head=" BYTES "|" ] [ "tail=" BYTES "|" ] [ "sums=" WIDTH "x" STRIDE "|" ] 0*4( filter "|" ) coder
    filter     = ( "delta=" | "transpose=" ) WIDTH "x" STRIDE      WIDTH 1, 2, 4 or 8
    coder      = "raw"
               | "zstd:" LEVEL                                     LEVEL 1–22
               | "pco:" ELEMENT ":" LEVEL [ ( ":d" ORDER | ":v" TAPS ) [ ":q" BITS ] [ ":c" CHUNKS ] ]
                                 ELEMENT u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8, LEVEL 0–12, ORDER 0–7, TAPS 1–8, CHUNKS 2–99,
                                 BITS for f2, f4, f8 only, up to the 10, 23, 52 of the mantissa;
                                 TAPS for elements of up to four bytes only

Numbers are decimal, 1 or more unless said otherwise, without sign or leading zero, of at most nine digits; the whole is
at most 128 bytes. Anything else is damage. Examples: `raw`, `zstd:19`, `pco:f8:7:d2:q29`,
`head=12|tail=12|delta=4x1|transpose=4x2049|pco:i4:8:v1:c3`.

Encoding, left to right:

- `head=12`, `tail=12`: the first and last bytes, set apart. Data shorter than both together are all head.
- `sums=4x2049`: what stands between head and tail, taken as little-endian unsigned integers of WIDTH bytes in rows of
  STRIDE elements, is summed down its columns; each byte of the tail becomes its difference, modulo 256, with the low
  byte of the sum of its column (the whole rows count; bytes of the tail behind the last column stay). A `sum.data` that
  follows its `xes.data` in one frame becomes zeros.
- the filters, each over the whole of what is left, taken as little-endian unsigned integers of WIDTH bytes in rows of
  STRIDE elements; bytes after the last whole element stay where they are. `delta`: each element from the STRIDE-th on
  becomes its difference, modulo 256^WIDTH, with the original element STRIDE before it (in an image: the pixel above).
  `transpose`: the whole rows are written column by column; a short last row stays where it is.
- the coder: `zstd` one Zstandard frame with its content size; `pco` a standalone pco file of the elements, then the
  bytes after the last whole element. LEVEL, ORDER, TAPS, BITS, CHUNKS tell how the writer set the coder; readers need
  none of them.

The payload is the edges, head and tail behind each other, then the coder's output. Edges of more than 64 bytes are
kept as their encoded length, a little-endian uint32, and a Zstandard frame with its content size. All other sizes
follow from the descriptor and the raw size in the frame.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sxeslake.codecs.coder import Buffer, Coder
from sxeslake.codecs.filters import FILTERS, ColumnSums, FilterStage
from sxeslake.codecs.pco import Pco
from sxeslake.codecs.raw import Raw
from sxeslake.codecs.zstd import Zstd
from sxeslake.errors import DamagedLakeError
from sxeslake.model import MIB

CODERS: tuple[type[Coder], ...] = (Raw, Zstd, Pco)
"""Every codec there is; a new one is a file and a place here."""

MAX_RAW_BYTES = 256 * MIB  # far above any frame written; refuses a damaged frame's absurd claim
MAX_DESCRIPTOR = 128
MAX_FILTERS = 4
PLAIN_EDGES = 64  # bytes of header and trailer up to which zstd would save nothing
_NUMBER = r"([1-9][0-9]{0,8})"
_EDGES = re.compile(rf"(?:head={_NUMBER}\|)?(?:tail={_NUMBER}\|)?(?:sums=([1248]x[1-9][0-9]{{0,8}})\|)?", re.ASCII)
_EDGE_LENGTH = struct.Struct("<I")
_EDGE_CODER = Zstd(19)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`head=12|tail=12|delta=4x2049|pco:u4:8`"""

    coder: Coder
    filters: tuple[FilterStage, ...] = ()
    head: int = 0
    tail: int = 0
    sums: ColumnSums | None = None

    @property
    def descriptor(self) -> str:
        """The text that stands in the frame."""
        stages = [f"{name}={size}" for name, size in (("head", self.head), ("tail", self.tail)) if size]
        stages += [f"sums={self.sums.argument}"] if self.sums else []
        stages += [f"{stage.name}={stage.argument}" for stage in self.filters]
        argument = self.coder.argument
        return "|".join([*stages, f"{self.coder.name}:{argument}" if argument else self.coder.name])

    @staticmethod
    def parse(descriptor: str) -> Pipeline:
        """The pipeline that a descriptor states; DamagedLakeError if it states none, or not in the one right way."""
        return _parse(descriptor)

    def edges(self, size: int) -> tuple[int, int]:
        """Head and tail bytes of data of that size."""
        return (self.head, self.tail) if size >= self.head + self.tail else (size, 0)


RAW = Pipeline(Raw())


def encode(pipeline: Pipeline, raw: Buffer) -> bytes:
    """The payload of a frame that holds `raw`, of any length."""
    view = memoryview(raw)
    head, tail = pipeline.edges(len(view))
    body: Buffer = view[head : len(view) - tail]
    if pipeline.filters:
        octets = np.frombuffer(body, np.uint8)
        for stage in pipeline.filters:
            octets = stage.encode(octets)
        body = octets.data
    encoded = pipeline.coder.encode(body)
    if not head and not tail:
        return encoded
    after: Buffer = view[len(view) - tail :]
    if pipeline.sums is not None:
        after = pipeline.sums.subtract(view[head : len(view) - tail], after)
    edges = b"".join((view[:head], after))
    if len(edges) > PLAIN_EDGES:
        edges = _EDGE_CODER.encode(edges)
        return b"".join((_EDGE_LENGTH.pack(len(edges)), edges, encoded))
    return edges + encoded


def encode_or_raw(pipeline: Pipeline, raw: Buffer) -> tuple[Pipeline, bytes]:
    """As `encode`, with the pipeline used: `raw` where the one asked for would not make these bytes smaller."""
    payload = encode(pipeline, raw)
    return (pipeline, payload) if len(payload) < len(raw) else (RAW, bytes(raw))


def decode(pipeline: Pipeline | str, encoded: Buffer, raw_size: int) -> bytes:
    """The `raw_size` bytes that a payload holds; DamagedLakeError for anything else, whatever the payload is."""
    if isinstance(pipeline, str):
        pipeline = _parse(pipeline)
    if not 0 <= raw_size <= MAX_RAW_BYTES:
        raise DamagedLakeError(f"A frame claims {raw_size:,} bytes.")
    head, tail = pipeline.edges(raw_size)
    edges, payload = _split(memoryview(encoded), head + tail)
    body = pipeline.coder.decode(payload, raw_size - head - tail)
    if pipeline.filters:
        octets = np.frombuffer(body, np.uint8)
        for stage in reversed(pipeline.filters):
            octets = stage.decode(octets)
        body = octets.data
    if not head and not tail:
        return bytes(body)
    after = edges[head:] if pipeline.sums is None else pipeline.sums.add(body, edges[head:])
    return b"".join((edges[:head], body, after))


def _split(payload: memoryview, size: int) -> tuple[Buffer, memoryview]:
    """A payload's edges of that size, decoded, and what the coder wrote."""
    if size <= PLAIN_EDGES:
        length, start = size, 0
    else:
        start = _EDGE_LENGTH.size
        length = _EDGE_LENGTH.unpack_from(payload)[0] if len(payload) >= start else len(payload)
    if len(payload) < start + length:
        raise DamagedLakeError(f"A payload of {len(payload):,} bytes is too short for its header and trailer.")
    edges = payload[start : start + length]
    return (_EDGE_CODER.decode(edges, size) if start else edges), payload[start + length :]


@lru_cache(maxsize=1024)
def _parse(descriptor: str) -> Pipeline:
    """Read leniently, then hold the text against the one that the pipeline writes itself."""
    try:
        pipeline = _read(descriptor) if len(descriptor) <= MAX_DESCRIPTOR else None
    except (ValueError, KeyError):
        pipeline = None
    if pipeline is None or pipeline.descriptor != descriptor:
        raise DamagedLakeError(f"No codec pipeline is called {descriptor[:MAX_DESCRIPTOR]!r}.")
    return pipeline


def _read(descriptor: str) -> Pipeline:
    """The pipeline of a descriptor; ValueError or KeyError where the grammar is left."""
    edges = _EDGES.match(descriptor)
    if edges is None:
        raise ValueError(descriptor)
    *stages, last = descriptor[edges.end() :].split("|")
    if len(stages) > MAX_FILTERS:
        raise ValueError(descriptor)
    name, _, argument = last.partition(":")
    head, tail, sums = edges.groups()
    return Pipeline(
        {coder.name: coder for coder in CODERS}[name].parse(argument),
        tuple(_read_filter(stage) for stage in stages),
        int(head or 0),
        int(tail or 0),
        ColumnSums.parse(sums) if sums else None,
    )


def _read_filter(stage: str) -> FilterStage:
    """`delta=4x2049` → Delta(4, 2049)."""
    name, _, argument = stage.partition("=")
    return {stage.name: stage for stage in FILTERS}[name].parse(argument)
