"""A version as a zip that is nowhere: a file whose bytes are made as they are asked for, and never stored."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.archive.zip.layout import Columns, Data, StoredZip
from sxeslake.format.manifest import ManifestRow
from sxeslake.model import Member
from sxeslake.reading.rows import check_table, in_archive_order
from sxeslake.vault.blobs.ranges import BlobSlice, slices_of
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_RUN = 256  # rows that become objects together
_KEEP_RUNS = 64


class VirtualZip:
    """The zip that `pull -o x.plzip --level 0` writes, byte for byte; any range of it costs only what it covers.

    Opening reads the version's manifest rows, and keeps them as columns.
    """

    def __init__(self, vault: Vault, version: Version) -> None:
        self.version = version
        self._vault = vault
        self._manifest = vault.manifests.open(version.archive.manifest)
        with vault.reading(version):
            table = vault.manifests.table(version)
        check_table(table, version.name)
        self._table = in_archive_order(table).combine_chunks()
        self._runs: OrderedDict[int, list[ManifestRow]] = OrderedDict()
        self._lock = threading.Lock()
        self._zip = StoredZip(_columns(self._table), self._members, bytes.fromhex(version.archive.comment))

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._zip.size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`; fewer at the file's end. Safe for many threads at once."""
        return b"".join(self.parts(start, end))

    def parts(self, start: int, end: int) -> Iterator[bytes]:
        """The same bytes, as they come."""
        parts = [part if isinstance(part, bytes) else list(self._slices(part)) for part in self._zip.parts(start, end)]
        stored = self._vault.ranges.read([item for part in parts if not isinstance(part, bytes) for item in part])
        with self._vault.reading(self.version):
            for part in parts:
                if isinstance(part, bytes):
                    yield part
                else:
                    for _ in part:
                        yield next(stored)

    def _slices(self, data: Data) -> Iterator[BlobSlice]:
        run = data.place // _RUN
        return slices_of(self._rows(run)[data.place - run * _RUN].blobs, data.start, data.end)

    def _members(self, first: int, last: int) -> Sequence[Member]:
        runs = range(first // _RUN, (last - 1) // _RUN + 1)
        rows = [row for run in runs for row in self._rows(run)]
        skip = first - runs.start * _RUN
        return [row.member for row in rows[skip : skip + last - first]]

    def _rows(self, run: int) -> list[ManifestRow]:
        with self._lock:
            if run in self._runs:
                self._runs.move_to_end(run)
                return self._runs[run]
        rows = list(self._manifest.rows(self._table.slice(run * _RUN, _RUN)))
        with self._lock:
            self._runs[run] = rows
            while len(self._runs) > _KEEP_RUNS:
                self._runs.popitem(last=False)
        return rows


def _columns(table: pa.Table) -> Columns:
    return Columns(
        path_bytes=pc.binary_length(table["path"]).to_numpy().astype(np.int64),
        folder=table["directory"].to_numpy(),
        size=table["size"].to_numpy().astype(np.int64),
        modified_ns=table["modified_ns"].fill_null(0).to_numpy(),
        timed=table["modified_ns"].is_valid().to_numpy(),
        raw_named=table["raw_name"].is_valid().to_numpy(),
    )
