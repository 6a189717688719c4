"""A manifest: the member tables of the archives of one commit, as Parquet.

Rows of an archive stand in row groups of their own, sorted by the UTF-8 bytes of their path within each; which group
holds which rows says `rowgroups`: one member of 100,000 positions is found with the footer and one row group. Columns:

    path           string
    ordinal        uint32   place in the archive
    directory      bool
    size           uint64   bytes
    modified_ns    int64?   UTC since 1970
    attributes     uint32?  see `model.Member`
    dos_time       uint32?
    raw_name       binary?
    crc32          uint32?
    blake3         fixed[32]  of the whole member; 32 zero bytes for a folder
    pack           uint16?  index into the file's `packs` (key-value metadata `sxeslake`); with the next three columns
    frame_offset   uint32?  the location hint of a member that is one blob
    frame_length   uint32?
    blob_offset    uint32?
    chunks         binary?  a larger member: 56 bytes a blob: BLAKE3, then u32 size, pack, frame offset, frame length,
                            blob offset and one u32 of zero

An empty file has no blob and no hint. Hints may be stale after a repack; the blob index answers then.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sxeslake.errors import DamagedLakeError, LimitExceededError
from sxeslake.format.keys import check_id
from sxeslake.format.rowgroups import ROW_GROUP, RowGroups, Runs
from sxeslake.model import Digest, Member

MAX_PACKS = 65_535  # of one manifest: `pack` is a u16
CHUNK = struct.Struct("<32sIIIIII")
NO_DIGEST = bytes(32)
_META_KEY = b"sxeslake"

SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("ordinal", pa.uint32(), nullable=False),
        pa.field("directory", pa.bool_(), nullable=False),
        pa.field("size", pa.uint64(), nullable=False),
        pa.field("modified_ns", pa.int64()),
        pa.field("attributes", pa.uint32()),
        pa.field("dos_time", pa.uint32()),
        pa.field("raw_name", pa.binary()),
        pa.field("crc32", pa.uint32()),
        pa.field("blake3", pa.binary(32), nullable=False),
        pa.field("pack", pa.uint16()),
        pa.field("frame_offset", pa.uint32()),
        pa.field("frame_length", pa.uint32()),
        pa.field("blob_offset", pa.uint32()),
        pa.field("chunks", pa.binary()),
    ]
)


LISTED = pa.schema([pa.field("listed_in", pa.uint16()), pa.field("listed_at", pa.uint32())])
"""Columns behind the others, optional: see `Manifest.outline`."""


class Hint(NamedTuple):
    """Where a blob stood when the manifest was written."""

    pack: str
    frame_offset: int
    frame_length: int
    blob_offset: int


class Blob(NamedTuple):
    """One blob of a member: its address, size and hint."""

    digest: Digest
    size: int
    hint: Hint | None


class ManifestRow(NamedTuple):
    """A member as a manifest knows it."""

    member: Member
    ordinal: int
    digest: Digest
    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class RowRange:
    """The part of a manifest that is one archive."""

    first_group: int
    groups: int
    rows: int


class ManifestBuilder:
    """Collects the member tables of a commit, one archive at a time, and makes the object of them."""

    def __init__(self) -> None:
        self._packs: dict[str, int] = {}
        self._buffer = io.BytesIO()
        self._writer: pq.ParquetWriter | None = None
        self._groups = 0
        self._outlines: list[dict[str, object]] = []

    def outline(self, metadata: Mapping[str, object], runs: Runs) -> None:
        """Say the outline of the archive whose rows come next; see `Manifest.outline`. Runs count from its groups."""
        moved = replace(runs, group=self._groups + runs.group)
        self._outlines.append({"first_group": self._groups, "metadata": metadata, **moved.dump()})

    def pack_index(self, pack_id: str) -> int:
        """The number under which rows name a pack."""
        number = self._packs.setdefault(pack_id, len(self._packs))
        if number >= MAX_PACKS:
            raise LimitExceededError(
                f"the archives of one commit need more than {MAX_PACKS:,} packs.", hint="Ingest them in smaller parts."
            )
        return number

    def add(self, tables: Iterable[pa.Table]) -> RowRange:
        """Append one archive's rows: tables of `SCHEMA`, a row group each, as `rowgroups.arranged` has them."""
        if self._writer is None:
            self._writer = _writer(self._buffer)
        first, rows = self._groups, 0
        for table in tables:
            self._writer.write_table(_with_listed(table), row_group_size=ROW_GROUP)
            self._groups, rows = self._groups + 1, rows + table.num_rows
        return RowRange(first, self._groups - first, rows)

    def finish(self) -> bytes:
        """The object's bytes."""
        if self._writer is None:
            self._writer = _writer(self._buffer)
        said = {"packs": list(self._packs)} | ({"outlines": self._outlines} if self._outlines else {})
        self._writer.add_key_value_metadata({_META_KEY: json.dumps(said).encode()})
        self._writer.close()
        return self._buffer.getvalue()


def _with_listed(table: pa.Table) -> pa.Table:
    """The table with the columns of `LISTED`, empty where it has none."""
    for field in LISTED:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table


def _writer(buffer: io.BytesIO) -> pq.ParquetWriter:
    """Deltas only where numbers follow each other: zstd makes less of packed bits than of plain numbers."""
    few_values = ["directory", "attributes", "pack"]
    return pq.ParquetWriter(
        buffer,
        pa.schema([*SCHEMA, *LISTED]),
        compression="zstd",
        compression_level=6,
        use_dictionary=few_values,
        column_encoding={
            "path": "DELTA_BYTE_ARRAY",
            "ordinal": "DELTA_BINARY_PACKED",
            "listed_in": "DELTA_BINARY_PACKED",
            "listed_at": "DELTA_BINARY_PACKED",
        },
        write_statistics=["path"],
        write_page_checksum=True,
        store_schema=False,
    )


def footer_bytes(data: bytes) -> int:
    """Bytes from the start of the Parquet footer to the end of the object."""
    return int(struct.unpack("<I", data[-8:-4])[0]) + 8


class SparseFile(io.RawIOBase):
    """A file of which only some runs of bytes are at hand; zeros stand for the rest.

    Parquet readers ask for more than they use (the last 64 KiB for a footer of one); what they then believe is proved
    by page checksums, which zeros do not pass.
    """

    def __init__(self, size: int, runs: Sequence[tuple[int, bytes]]) -> None:
        self._size, self._runs, self._at = size, sorted(runs), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        start, self._at = self._at, max(self._at, end)
        for first, data in self._runs:
            if first <= start and end <= first + len(data):
                return data[start - first : end - first]
        piece = bytearray(max(0, end - start))
        for first, data in self._runs:
            low, high = max(first, start), min(first + len(data), end)
            if low < high:
                piece[low - start : high - start] = data[low - first : high - first]
        return bytes(piece)


class Manifest:
    """A manifest's footer, and the plan of what to fetch for the rows that are wanted."""

    def __init__(self, manifest_id: str, size: int, footer: bytes) -> None:
        self.manifest_id, self._size, self._footer = manifest_id, size, footer
        self._footer_run = (size - len(footer), footer)
        with _as_damage(manifest_id):
            file = pq.ParquetFile(SparseFile(size, [self._footer_run]), pre_buffer=False)
            self._meta = file.metadata
            raw = cast("dict[bytes, bytes]", self._meta.metadata or {})
            said = json.loads(raw[_META_KEY])
            self.packs = [check_id(pack) for pack in said["packs"]]
            self._outlines = {int(each["first_group"]): each for each in _outlines(said)}
            self._runs = {first: _runs(each) for first, each in self._outlines.items() if "names" in each}
            fields = list(file.schema_arrow)  # `metadata.schema` makes a cycle: only Python's gc frees it
            self._has_listed = set(LISTED.names) <= {spec.name for spec in fields}
        if fields[: len(SCHEMA)] != list(SCHEMA):  # columns behind them are a later version's
            raise DamagedLakeError("a manifest's columns are not those of the format.", where=manifest_id)

    def outline(self, where: RowRange) -> Any:
        """The `metadata.json` of a large group without its lists of positions; None where the manifest has none.

        Then `listed_in` and `listed_at` of the first row of a position's folder say which analysis lists it, and where.
        """
        return self._outlines.get(where.first_group, {}).get("metadata") if self._has_listed else None

    def row_groups(self, where: RowRange) -> RowGroups:
        """Finds the row groups of an archive that can hold some paths."""
        groups = range(where.first_group, where.first_group + where.groups)
        runs = self._runs.get(where.first_group) if self.outline(where) is not None else None
        if runs is not None and not groups.start <= runs.group <= groups.stop - len(runs.starts):
            raise DamagedLakeError("a manifest's runs lie outside of their archive.", where=self.manifest_id)
        return RowGroups(groups.start, [self.bounds(group) for group in groups], runs)

    def group_bytes(self, group: int) -> tuple[int, int]:
        """Where a row group's bytes begin and end."""
        with _as_damage(self.manifest_id):
            columns = [self._meta.row_group(group).column(i) for i in range(self._meta.num_columns)]
            starts = [min(filter(None, (c.dictionary_page_offset, c.data_page_offset))) for c in columns]
            start = min(starts)
            end = max(s + c.total_compressed_size for s, c in zip(starts, columns, strict=True))
        if not 0 <= start <= end <= self._size:
            raise DamagedLakeError("a manifest's row groups lie outside of it.", where=self.manifest_id)
        return start, end

    def rows_of(self, group: int) -> int:
        """How many rows a row group has."""
        with _as_damage(self.manifest_id):
            return int(self._meta.row_group(group).num_rows)

    def bounds(self, group: int) -> tuple[str, str]:
        """The first and the last path of a row group."""
        with _as_damage(self.manifest_id):
            statistics = self._meta.row_group(group).column(0).statistics
            return str(statistics.min), str(statistics.max)

    @property
    def row_groups_in_all(self) -> int:
        """How many row groups the object has."""
        return int(self._meta.num_row_groups)

    def table(
        self,
        groups: Sequence[int],
        runs: Sequence[tuple[int, bytes]],
        *,
        listed: bool = False,
        columns: Sequence[str] = SCHEMA.names,
    ) -> pa.Table:
        """The rows of some row groups, of which `runs` holds the bytes; with `listed`, those columns too."""
        names = [*SCHEMA.names, *LISTED.names] if listed else list(columns)
        if not groups:
            return pa.schema([*SCHEMA, *LISTED] if listed else SCHEMA).empty_table()
        with _as_damage(self.manifest_id):
            if max(groups) >= self._meta.num_row_groups:
                raise DamagedLakeError("a manifest has fewer rows than its log entry says.", where=self.manifest_id)
            file = pq.ParquetFile(
                SparseFile(self._size, [*runs, self._footer_run]),
                metadata=self._meta,  # else the footer is read again: with 256 small archives the longest part
                page_checksum_verification=True,
                pre_buffer=False,
            )
            return file.read_row_groups(list(groups), columns=names, use_threads=False)

    def rows(self, table: pa.Table, by: Literal["path", "archive"] | None = None) -> Iterator[ManifestRow]:
        """Rows as objects: as the table has them, by path, or in archive order; built on demand."""
        order = None if by is None else _order(table, by)
        for start in range(0, table.num_rows, ROW_GROUP):
            part = table.slice(start, ROW_GROUP) if order is None else table.take(order[start : start + ROW_GROUP])
            with _as_damage(self.manifest_id):  # a path that is no UTF-8
                columns = {name: part[name].to_pylist() for name in SCHEMA.names}
            for values in zip(*columns.values(), strict=True):
                yield self._row(*values)

    def _row(self, path: str, ordinal: int, directory: bool, size: int, modified_ns: int | None,
             attributes: int | None, dos_time: int | None, raw_name: bytes | None, crc32: int | None,
             digest: bytes, pack: int | None, frame_offset: int | None, frame_length: int | None,
             blob_offset: int | None, chunks: bytes | None) -> ManifestRow:  # fmt: skip
        kind = cast("Any", "directory" if directory else "file")
        member = Member(path, kind, size, modified_ns, attributes, crc32, dos_time, raw_name)
        if directory or size == 0:
            blobs: tuple[Blob, ...] = ()
        elif chunks is not None:
            blobs = self._chunks(chunks)
        else:
            hint = None
            if pack is not None and frame_offset is not None and frame_length is not None and blob_offset is not None:
                hint = Hint(self._pack(pack), frame_offset, frame_length, blob_offset)
            blobs = (Blob(digest, size, hint),)
        if sum(blob.size for blob in blobs) != (0 if directory else size):
            raise DamagedLakeError(f"the blobs of {path} do not add up to its size.", where=self.manifest_id)
        return ManifestRow(member, ordinal, digest, blobs)

    def _chunks(self, packed: bytes) -> tuple[Blob, ...]:
        if len(packed) % CHUNK.size:
            raise DamagedLakeError("a manifest's list of chunks is cut short.", where=self.manifest_id)
        return tuple(
            Blob(digest, size, Hint(self._pack(pack), offset, length, inner))
            for digest, size, pack, offset, length, inner, _ in CHUNK.iter_unpack(packed)
        )

    def _pack(self, number: int) -> str:
        if number >= len(self.packs):
            raise DamagedLakeError("a manifest names a pack that it does not list.", where=self.manifest_id)
        return self.packs[number]


def _outlines(said: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The outlines of a manifest's archives; older ones have them by number and without runs: all rows are by path."""
    found = said.get("outlines", [])
    if isinstance(found, dict):
        return [{"first_group": int(first), "metadata": metadata} for first, metadata in found.items()]
    return cast("Sequence[Mapping[str, Any]]", found)


def _runs(outline: Mapping[str, Any]) -> Runs:
    runs = Runs.load(outline)
    if len(runs.lists) != len(outline["metadata"]["analyses"]):
        raise ValueError("an outline has other analyses than its lists")
    return runs


def _order(table: pa.Table, by: Literal["path", "archive"]) -> pa.Array | None:
    """The places of rows in an order; None where they stand in it."""
    import pyarrow.compute as pc  # noqa: PLC0415 - 50 ms of start-up that most commands need not wait for

    order = pc.sort_indices(table["path" if by == "path" else "ordinal"])
    steps = order.to_numpy()
    return None if bool(np.all(steps == np.arange(len(steps)))) else order


class _as_damage:  # noqa: N801 — reads as a word in a `with`
    """What Parquet cannot read is damage, whatever the library raises."""

    def __init__(self, manifest_id: str) -> None:
        self._where = manifest_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(
            error, (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError)
        ):
            raise DamagedLakeError(f"a manifest cannot be read: {error}.", where=self._where) from error


def digest_column(digests: npt.NDArray[np.uint8]) -> pa.Array:
    """n × 32 bytes as a Parquet column, without a Python object a row."""
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(digests), [None, pa.py_buffer(digests.tobytes())])
