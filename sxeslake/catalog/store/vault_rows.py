"""The rows of a lake as the catalogue reads them: member tables, documents of JSON packs, and what packs hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, pairwise, tee
from typing import Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.catalog.model import Document, PackHeader, VersionHeader, VersionMembers
from sxeslake.format.manifest import Manifest, digest_column
from sxeslake.model import DOCUMENT_BYTES, MIB
from sxeslake.vault.blobs.contents import fetched_ahead, read_ahead
from sxeslake.vault.blobs.reader import FrameBlobs
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_ROWS_AT_ONCE: Final = 4096
_BYTES_AT_ONCE: Final = 16 * MIB


_WHOSE: Final = "whose"  # of rows of several versions: the number of each
_LOCATED: Final = {"path", "size", "blake3", "pack", "frame_offset", "frame_length", "blob_offset", _WHOSE}


class VaultRows:
    """Reads from the packs and manifests of a vault; calls may come from several threads."""

    def __init__(self, vault: Vault, document_bytes: int = DOCUMENT_BYTES) -> None:
        self._vault, self._document_bytes = vault, document_bytes

    def members(self, headers: Sequence[VersionHeader]) -> list[pa.Table]:
        """The rows of each version's manifest."""
        return self._vault.manifests.tables(list(map(_version, headers)))

    def documents(self, versions: Sequence[VersionMembers]) -> Iterator[Iterable[Document]]:
        """Of each version every JSON member that is not too large, read from the JSON packs alone."""
        for manifest_id, group in groupby(versions, lambda each: _version(each.header).archive.manifest):
            manifest, tables = self._vault.manifests.open(manifest_id), [each.table for each in group]
            if len(tables) == 1:
                yield self._documents(manifest, *self._located(manifest, tables[0]))
                continue
            counts = [table.num_rows for table in tables]
            whose = pa.array(np.repeat(np.arange(len(tables)), counts))
            together = pa.concat_tables(tables).combine_chunks().append_column(_WHOSE, whose)
            plain, others = self._located(manifest, together)
            found: list[list[Document]] = [[] for _ in tables]
            places = chain(plain[_WHOSE].to_pylist(), others[_WHOSE].to_pylist())
            for place, document in zip(places, self._documents(manifest, plain, others), strict=True):
                found[place].append(document)
            yield from found

    def _located(self, manifest: Manifest, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The rows of documents that are to be read: of those that are one blob each, and of the others."""
        wanted = pc.and_(pc.ends_with(table["path"], ".json"), pc.invert(table["directory"]))
        wanted = pc.and_(wanted, pc.less_equal(table["size"], self._document_bytes))
        plain = _plain(table, len(manifest.packs))
        others = pc.and_(wanted, pc.invert(plain))
        located = [name for name in table.column_names if name in _LOCATED]
        return table.select(located).filter(pc.and_(wanted, plain)), table.filter(others)

    def _documents(self, manifest: Manifest, plain: pa.Table, others: pa.Table) -> Iterator[Document]:
        yield from self._one_blob_each(manifest, plain)
        planned, rows = tee(manifest.rows(others))
        stream = read_ahead(self._vault.blobs, (blob for row in planned for blob in row.blobs))
        for row in rows:
            yield row.member.path, b"".join(next(stream) for _ in row.blobs)

    def _one_blob_each(self, manifest: Manifest, table: pa.Table) -> Iterator[Document]:
        """Members that are one blob, as nearly all are: neither their rows nor their blobs are made into objects."""
        if table.num_rows == 0:
            return
        windows = list(_windows(table))
        if len(windows) == 1:
            yield from zip(table["path"].to_pylist(), self._fetch(manifest, table), strict=True)
            return
        paths = (path for part in windows for path in part["path"].to_pylist())
        fetched = fetched_ahead(self._vault.blobs, iter(windows), partial(self._fetch, manifest))
        yield from zip(paths, fetched, strict=True)

    def _fetch(self, manifest: Manifest, table: pa.Table, *, one_thread: bool = False) -> list[bytes]:
        return self._vault.blobs.fetch_columns(list(_by_frame(manifest.packs, table)), one_thread=one_thread)

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


def _windows(table: pa.Table) -> Iterator[pa.Table]:
    """The rows in parts that are read at once."""
    windows = np.cumsum(table["size"].to_numpy()) // _BYTES_AT_ONCE
    rows = np.arange(table.num_rows) // _ROWS_AT_ONCE
    firsts = np.flatnonzero(np.diff(windows, prepend=0) + np.diff(rows, prepend=0)).tolist()
    for start, end in pairwise(dict.fromkeys([0, *firsts, table.num_rows])):
        yield table.slice(start, end - start)


def _by_frame(packs: Sequence[str], table: pa.Table) -> Iterator[FrameBlobs]:
    """The blobs of members that are one each, frame by frame."""
    frames = np.stack([table[name].to_numpy() for name in ("pack", "frame_offset", "frame_length")])
    order = np.lexsort(frames)
    changes = np.any(np.diff(frames[:, order]), axis=0)
    firsts = np.append(0, np.flatnonzero(changes) + 1)
    keys = frames[:, order[firsts]].T.tolist()
    places = pa.array(order)
    columns = [
        order.tolist(),
        table["blake3"].take(places).to_numpy().tolist(),
        table["blob_offset"].take(places).to_pylist(),
        table["size"].take(places).to_pylist(),
    ]
    for (pack, offset, length), (start, end) in zip(keys, pairwise([*firsts.tolist(), len(order)]), strict=True):
        yield FrameBlobs((packs[pack], offset, length), *(column[start:end] for column in columns))


def _version(header: VersionHeader) -> Version:
    return cast("Version", header.locator)
