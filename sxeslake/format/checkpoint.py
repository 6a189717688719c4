"""The log's part of a checkpoint: its entries again, many to an object, and the index that names these segments.

    checkpoints/<20 digits>/log.json            the index: a sealed JSON object (see `lakefile.sealed`)
    checkpoints/<20 digits>/log-<blake3>.zst    a segment: zstd over u32 bytes of an entry, u32 bytes of its body
                                                (0: it has none), the entry, the body; and so on

A segment belongs to the checkpoint that first needed it (`home`); later indexes name it where it lies.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import zstandard
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import lakefile
from sxeslake.format.keys import check_digest, checkpoint_prefix
from sxeslake.format.logentry import MAX_BODY_BYTES, MAX_ENTRY_BYTES
from sxeslake.model import MIB

SEGMENT_ENTRIES = 10_000
SEGMENT_BYTES = 64 * MIB  # raw: what a reader holds at once
_MAX_RAW_BYTES = SEGMENT_BYTES + MAX_ENTRY_BYTES + MAX_BODY_BYTES  # a segment holds one entry at least
_LENGTHS = struct.Struct("<II")
_FORMAT = 1


class Stored(NamedTuple):
    """An entry's exact bytes, and its body's."""

    data: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class LogSegment:
    """The entries from `first` to `last` in one object."""

    first: int
    last: int
    home: int
    raw_bytes: int
    bytes: int
    blake3: str

    @property
    def key(self) -> str:
        """`checkpoints/00000000000000000012/log-ab12….zst`."""
        return f"{checkpoint_prefix(self.home)}log-{check_digest(self.blake3)}.zst"

    @property
    def entries(self) -> int:
        """How many it holds."""
        return self.last - self.first + 1

    @property
    def is_full(self) -> bool:
        """Whether merging it with later ones would gain nothing."""
        return self.entries >= SEGMENT_ENTRIES or self.raw_bytes >= SEGMENT_BYTES // 2


@dataclass(frozen=True, slots=True)
class Index:
    """All segments up to an entry, that entry's hash, and the text of `lake.json`."""

    number: int
    entry_hash: str
    lake: str
    segments: tuple[LogSegment, ...]

    def dump(self) -> bytes:
        """The object's bytes."""
        values = {"format": _FORMAT, "number": self.number, "entry_hash": self.entry_hash, "lake": self.lake}
        plain = {**values, "segments": [asdict(segment) for segment in self.segments]}
        return lakefile.sealed(json.dumps(plain, separators=(",", ":")).encode())


def index_key(number: int) -> str:
    """12 → `checkpoints/00000000000000000012/log.json`."""
    return f"{checkpoint_prefix(number)}log.json"


def load_index(data: bytes, *, where: str) -> Index:
    """Read an index: its segments must lead from entry 1 to its number without a gap."""
    try:
        if not lakefile.is_proved(data):
            raise ValueError("it does not agree with its hash")
        raw = json.loads(data)
        if raw["format"] != _FORMAT:
            raise ValueError(f"format {raw['format']}")
        segments = tuple(_segment(item) for item in raw["segments"])
        firsts = [1, *(segment.last + 1 for segment in segments)]
        if firsts != [*(segment.first for segment in segments), int(raw["number"]) + 1]:
            raise ValueError("its segments leave a gap")
        return Index(int(raw["number"]), check_digest(raw["entry_hash"]), str(raw["lake"]), segments)
    except DamagedLakeError as error:  # a hash that is none
        raise DamagedLakeError(error.what, where=where) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedLakeError(f"a checkpoint's index of the log cannot be read: {error}.", where=where) from error


def _segment(item: dict[str, object]) -> LogSegment:
    values: dict[str, Any] = {spec.name: item[spec.name] for spec in fields(LogSegment)}
    check_digest(values["blake3"])
    if not all(type(values[spec.name]) is int and values[spec.name] >= 0 for spec in fields(LogSegment)[:-1]):
        raise ValueError("a segment's numbers are invalid")
    segment = LogSegment(**values)
    if segment.last < segment.first:
        raise ValueError("a segment ends before it begins")
    return segment


def dump_segment(entries: Iterable[Stored]) -> tuple[bytes, int]:
    """A segment's bytes, and how many raw ones they stand for."""
    raw = bytearray()
    for data, body in entries:
        raw += _LENGTHS.pack(len(data), len(body or b"")) + data + (body or b"")
    return zstandard.ZstdCompressor(level=9).compress(raw), len(raw)


def load_segment(data: bytes, segment: LogSegment) -> Iterator[Stored]:
    """The entries of a segment, once its hash has been proved; what they say is still to be held against the chain."""
    if len(data) != segment.bytes or blake3(data).hexdigest() != segment.blake3:
        raise DamagedLakeError("a segment of the log does not agree with its hash.", where=segment.key)
    try:
        if zstandard.frame_content_size(data) != segment.raw_bytes or segment.raw_bytes > _MAX_RAW_BYTES:
            raise ValueError("it has another length")
        raw = zstandard.decompress(data, max_output_size=segment.raw_bytes)
        at = 0
        while at < len(raw):
            size, body = _LENGTHS.unpack_from(raw, at)
            start, end = at + _LENGTHS.size, at + _LENGTHS.size + size + body
            if end > len(raw):
                raise ValueError("it is cut short")
            yield Stored(raw[start : start + size], raw[start + size : end] or None)
            at = end
    except (ValueError, struct.error, zstandard.ZstdError) as error:
        raise DamagedLakeError(f"a segment of the log cannot be read: {error}.", where=segment.key) from error


def kept(segments: Sequence[LogSegment], head: int) -> list[LogSegment]:
    """Which segments stay as they are in a checkpoint at `head`; entries behind them are rewritten.

    A segment that is not full is merged once the new ones are half as many: each entry moves a few times in its life,
    and there are never many segments.
    """
    left = list(segments)
    while left and not left[-1].is_full and left[-1].entries <= 2 * (head - left[-1].last):
        left.pop()
    return left
