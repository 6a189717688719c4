"""The rows of a lake as the catalogue reads them: member tables, documents of JSON packs, and what packs hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import tee
from typing import Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.catalog.model import Document, PackHeader, VersionHeader
from sxeslake.format.manifest import Blob, Hint, Manifest, digest_column
from sxeslake.model import DOCUMENT_BYTES, MIB
from sxeslake.vault.blobs.contents import read_ahead
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_TABLES_KEPT: Final = 4  # as many as are read ahead
_ROWS_AT_ONCE: Final = 8192
_BYTES_AT_ONCE: Final = 16 * MIB


_LOCATED: Final = ["path", "size", "blake3", "pack", "frame_offset", "frame_length", "blob_offset"]


class VaultRows:
    """Reads from the packs and manifests of a vault; calls may come from several threads."""

    def __init__(self, vault: Vault, document_bytes: int = DOCUMENT_BYTES) -> None:
        self._vault, self._document_bytes = vault, document_bytes
        self._tables: dict[int, pa.Table] = {}  # just read, for the documents that are asked for next
        self._lock = threading.Lock()

    def members(self, header: VersionHeader) -> pa.Table:
        """The rows of the manifest."""
        table = self._vault.manifests.table(_version(header))
        with self._lock:
            self._tables[header.archive_id] = table
            while len(self._tables) > _TABLES_KEPT:
                del self._tables[next(iter(self._tables))]
        return table

    def documents(self, header: VersionHeader) -> Iterator[Document]:
        """Every JSON member that is not too large, read from the JSON packs alone."""
        with self._lock:
            table = self._tables.pop(header.archive_id, None)
        if table is None:
            table = self._vault.manifests.table(_version(header))
        manifest = self._vault.manifests.open(_version(header).archive.manifest)
        table = table.filter(pc.and_(pc.ends_with(table["path"], ".json"), pc.invert(table["directory"])))
        table = table.filter(pc.less_equal(table["size"], self._document_bytes))
        plain = _plain(table, len(manifest.packs))
        others, table = table.filter(pc.invert(plain)), table.select(_LOCATED).filter(plain)
        yield from self._one_blob_each(manifest, table)
        planned, rows = tee(manifest.rows(others))
        stream = read_ahead(self._vault.blobs, (blob for row in planned for blob in row.blobs))
        for row in rows:
            yield row.member.path, b"".join(next(stream) for _ in row.blobs)

    def _one_blob_each(self, manifest: Manifest, table: pa.Table) -> Iterator[Document]:
        """Members that are one blob, as nearly all are: their rows need not be made into objects."""
        if table.num_rows == 0:
            return
        if table.num_rows <= _ROWS_AT_ONCE and pc.sum(table["size"]).as_py() <= _BYTES_AT_ONCE:
            yield from zip(
                table["path"].to_pylist(), self._vault.blobs.fetch(list(_blobs(manifest.packs, table))), strict=True
            )
            return
        parts = [table.slice(start, _ROWS_AT_ONCE) for start in range(0, table.num_rows, _ROWS_AT_ONCE)]
        paths = (path for part in parts for path in part["path"].to_pylist())
        blobs = (blob for part in parts for blob in _blobs(manifest.packs, part))
        yield from zip(paths, read_ahead(self._vault.blobs, blobs), strict=True)

    def blobs(self, pack: PackHeader) -> pa.Table:
        """What a pack holds, from its footer; a blob's share of its frame is what it takes."""
        footer = self._vault.footer(self._vault.state.pack(pack.pack_id))
        _, lengths, _ = footer.locations()
        firsts = (np.cumsum(footer.frame_blobs) - footer.frame_blobs).astype(np.int64)
        frame_raw = np.add.reduceat(footer.sizes.astype(np.uint64), firsts) if len(firsts) else np.empty(0, np.uint64)
        raw = np.repeat(np.maximum(frame_raw, 1), footer.frame_blobs)
        stored = lengths.astype(np.uint64) * footer.sizes // raw
        return pa.table(
            {
                "blake3": digest_column(footer.digests),
                "bytes_raw": footer.sizes.astype(np.int64),
                "bytes_stored": stored.astype(np.int64),
                "codec": pa.nulls(len(footer.sizes), pa.string()),
            }
        )


def _plain(table: pa.Table, packs: int) -> pa.ChunkedArray:
    """Which members are one blob whose place is known."""
    plain = pc.and_(pc.is_null(table["chunks"]), pc.greater(table["size"], 0))
    for name in ("frame_offset", "frame_length", "blob_offset"):
        plain = pc.and_(plain, pc.is_valid(table[name]))
    return pc.and_(plain, pc.less(table["pack"], packs)).fill_null(False)


def _blobs(packs: Sequence[str], table: pa.Table) -> Iterator[Blob]:
    """The blobs of members that are one each."""
    located = [table[name].to_pylist() for name in ("frame_offset", "frame_length", "blob_offset")]
    hints = map(Hint, map(packs.__getitem__, table["pack"].to_pylist()), *located)
    return map(Blob, table["blake3"].to_numpy().tolist(), table["size"].to_pylist(), hints)


def _version(header: VersionHeader) -> Version:
    return cast("Version", header.locator)
