"""A recipe's bytes: columns of units, and the skeleton (all of the file that is no packed content).

    "SXEXACT1", u32 length of the head, head: JSON
    columns: one Zstandard frame of `columns_bytes` packed bytes: for each column one byte, its width 1, 2, 4 or 8, and
        its values (little-endian, unsigned): skeleton bytes before the unit, packed bytes, encoder (place in the
        head's `encoders`), members; then, a value a member, its place minus that of the member before less one, zigzag
    skeleton: one Zstandard frame, to the end

The head's keys: format, bytes, sha256 (of the whole file), encoders, tools, units, members, columns_bytes,
skeleton_bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol, cast

import numpy as np
import numpy.typing as npt
import zstandard

from sxeslake.archive.exact.spec import Spec
from sxeslake.errors import DamagedArchiveError, UnsupportedMethodError
from sxeslake.model import GIB, KIB, MIB

FORMAT: Final = 1
MAGIC: Final = b"SXEXACT1"
MAX_HEAD_BYTES: Final = MIB
MAX_UNITS: Final = 1 << 27
# Largest skeleton and its level of Zstandard. For one of 6 kB, level 15 saves 0.8 % and takes 1.3 ms; 12 takes 0.4.
_LEVELS: Final = ((16 * MIB, 12), (64 * MIB, 6))
_HUGE_LEVEL: Final = 3
_MAX_WINDOW_LOG: Final = 27  # 128 MiB: the directory of a zip repeats the local headers far behind it
_SKELETON_PART: Final = 256 * KIB
_LENGTH: Final = struct.Struct("<I")

Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a file of its members; the skeleton's bytes come beside it."""

    size: int
    sha256: str
    encoders: tuple[Spec, ...]
    tools: tuple[str, ...]  # `7-Zip 26.02`, `zlib 1.3.1`: what the units were proved with
    gaps: Column  # skeleton bytes before each unit, and behind the last
    packed: Column
    encoder: Column
    first: Column  # unit u is made of members[first[u] : first[u + 1]]
    members: Column

    def __len__(self) -> int:
        return len(self.packed)

    def spec(self, unit: int) -> Spec:
        """The encoder of a unit."""
        return self.encoders[int(self.encoder[unit])]

    @property
    def skeleton_bytes(self) -> int:
        """Bytes of the file that are no packed content."""
        return int(self.gaps.sum())


class ContentReader(Protocol):
    """What a recipe is read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def write_recipe(recipe: Recipe, skeleton: Iterable[bytes], out: BinaryIO) -> None:
    """Write a recipe, then its skeleton, which comes in parts."""
    columns = zstandard.ZstdCompressor(level=12).compress(_columns(recipe))
    head = {
        "format": FORMAT,
        "bytes": recipe.size,
        "sha256": recipe.sha256,
        "encoders": [str(spec) for spec in recipe.encoders],
        "tools": list(recipe.tools),
        "units": len(recipe),
        "members": len(recipe.members),
        "columns_bytes": len(columns),
        "skeleton_bytes": recipe.skeleton_bytes,
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    out.write(MAGIC + _LENGTH.pack(len(text)) + text + columns)
    size = recipe.skeleton_bytes
    packer = zstandard.ZstdCompressor(compression_params=_parameters(size)).compressobj(size=size)
    for part in skeleton:
        out.write(packer.compress(part))
    out.write(packer.flush())


def _parameters(size: int) -> zstandard.ZstdCompressionParameters:
    level = next((level for limit, level in _LEVELS if size <= limit), _HUGE_LEVEL)
    window = min(_MAX_WINDOW_LOG, max(10, size.bit_length()))
    return zstandard.ZstdCompressionParameters.from_level(
        level, source_size=size, window_log=window, enable_ldm=size > 64 * MIB
    )


def _columns(recipe: Recipe) -> bytes:
    steps = np.diff(recipe.members, prepend=-1) - 1
    zigzag = (steps << 1) ^ (steps >> 63)
    return b"".join(map(_narrow, (recipe.gaps[:-1], recipe.packed, recipe.encoder, np.diff(recipe.first), zigzag)))


def _narrow(values: Column) -> bytes:
    """A column in as few bytes a value as its largest needs."""
    most = int(values.max()) if len(values) else 0
    width = next(width for width in (1, 2, 4, 8) if most < 1 << 8 * width)
    return bytes((width,)) + values.astype(f"<u{width}").tobytes()


def read_recipe(source: ContentReader, *, where: str) -> Recipe:
    """Read a recipe up to its skeleton; every count is checked before it allocates."""
    try:
        if _exactly(source, len(MAGIC)) != MAGIC:
            raise DamagedArchiveError("this is not a recipe", where=where)
        (length,) = _LENGTH.unpack(_exactly(source, _LENGTH.size))
        if length > MAX_HEAD_BYTES:
            raise DamagedArchiveError(f"a recipe's head of {length:,} bytes", where=where)
        head = json.loads(_exactly(source, length))
        if head["format"] != FORMAT:
            raise UnsupportedMethodError(
                f"this recipe has format {head['format']!r}", where=where, hint="Install a newer sxeslake."
            )
        return _recipe(head, source)
    except (ValueError, KeyError, TypeError, OverflowError, zstandard.ZstdError) as error:
        raise DamagedArchiveError(f"the recipe cannot be read: {error}", where=where) from error


def _recipe(head: dict[str, Any], source: ContentReader) -> Recipe:
    units, count = _bounded(head["units"], MAX_UNITS), _bounded(head["members"], MAX_UNITS)
    packed = _exactly(source, _bounded(head["columns_bytes"], GIB))
    most = 5 + 8 * (4 * units + count)
    if zstandard.frame_content_size(packed) not in range(most + 1):
        raise ValueError("its columns are too long")
    raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=most)
    at, columns = 0, list[Column]()
    for rows in (units, units, units, units, count):
        column, at = _column(raw, at, rows)
        columns.append(column)
    gaps, sizes, encoder, counts, zigzag = columns
    encoders = tuple(Spec.parse(str(text)) for text in head["encoders"])
    size, skeleton = _bounded(head["bytes"], 1 << 62), _bounded(head["skeleton_bytes"], 1 << 62)
    tail = skeleton - int(gaps.sum())
    recipe = Recipe(
        size=size,
        sha256=str(head["sha256"]),
        encoders=encoders,
        tools=tuple(map(str, head["tools"])),
        gaps=np.append(gaps, tail),
        packed=sizes,
        encoder=encoder,
        first=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        members=np.cumsum((zigzag >> 1 ^ -(zigzag & 1)) + 1) - 1,
    )
    _check(recipe, count, skeleton)
    return recipe


def _check(recipe: Recipe, members: int, skeleton: int) -> None:
    whole = np.concatenate((recipe.gaps, recipe.packed)).astype(np.float64)
    if whole.min() < 0 or whole.sum() > 2**62 or skeleton + int(recipe.packed.sum()) != recipe.size:
        raise ValueError("its lengths do not add up")
    if len(recipe) and int(recipe.encoder.max()) >= len(recipe.encoders):
        raise ValueError("it names an encoder that it does not have")
    if int(recipe.first[-1]) != members or (members and int(recipe.members.min()) < 0):
        raise ValueError("its members do not add up")


def _column(raw: bytes, at: int, count: int) -> tuple[Column, int]:
    width = raw[at : at + 1]
    if width not in {b"\x01", b"\x02", b"\x04", b"\x08"}:
        raise ValueError("a column of no width")
    values = np.frombuffer(raw, f"<u{width[0]}", count, at + 1).astype(np.int64)
    return values, at + 1 + count * width[0]


def _bounded(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r} is out of range")
    return value


def _exactly(source: ContentReader, size: int) -> bytes:
    parts: list[bytes] = []
    while size and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    if size:
        raise ValueError("it ends early")
    return b"".join(parts)


class Skeleton:
    """The skeleton's bytes, from where `read_recipe` stopped; never more of them in memory than asked for."""

    def __init__(self, source: ContentReader) -> None:
        unpacker = zstandard.ZstdDecompressor(max_window_size=1 << _MAX_WINDOW_LOG)
        self._stream = unpacker.stream_reader(cast("BinaryIO", source), read_size=_SKELETON_PART)

    def take(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes, in parts."""
        while size:
            try:
                part = self._stream.read(min(size, _SKELETON_PART))
            except zstandard.ZstdError as error:
                raise DamagedArchiveError(f"a recipe's skeleton is damaged: {error}") from error
            if not part:
                raise DamagedArchiveError("a recipe's skeleton ends early")
            yield part
            size -= len(part)
