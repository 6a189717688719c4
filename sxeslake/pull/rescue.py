"""What is left of a damaged version: every member that is whole, and word of those that are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from sxeslake.batching import batches
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format.manifest import SCHEMA, ManifestRow
from sxeslake.vault.blobs.contents import WINDOW_BLOBS, Content, read_ahead
from sxeslake.vault.blobs.reader import BlobReader, total_size
from sxeslake.vault.log.state import Version
from sxeslake.vault.packs.kinds import WINDOW_BYTES
from sxeslake.vault.vault import Vault


def table_left(vault: Vault, version: Version, lost: list[str]) -> pa.Table:
    """The row groups of a version that can be read; of others, the first and last path go to `lost`."""
    where = vault.manifests.range_of(version)
    manifest = vault.manifests.open(version.archive.manifest)
    tables = []
    for group in range(where.first_group, where.first_group + where.groups):
        try:
            tables.append(vault.manifests.groups(version, [group]))
        except (DamagedLakeError, ObjectNotFoundError):
            first, last = manifest.bounds(group)
            count = manifest.rows_of(group)
            lost.append(first if first == last else f"{first} … {last} ({count:,} members, whose names are lost, too)")
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def contents_left(reader: BlobReader, rows: Iterable[ManifestRow], lost: list[str]) -> Iterator[Content]:
    """Every member that is whole, in order; the paths of the others go to `lost`."""
    for window in batches(rows, lambda row: row.member.size, WINDOW_BYTES, WINDOW_BLOBS):
        blobs = [blob for row in window for blob in row.blobs]
        if total_size(blobs) > WINDOW_BYTES:  # one large member: looked through before it is begun
            whole = all(reader.fetch_some([blob])[0] is not None for blob in blobs)
            if whole:
                yield Content(window[0].member, read_ahead(reader, blobs))
            else:
                lost.append(window[0].member.path)
            continue
        found = iter(reader.fetch_some(blobs) if blobs else [])
        for row in window:
            parts = [next(found) for _ in row.blobs]
            left = [part for part in parts if part is not None]
            if len(left) == len(parts):
                yield Content(row.member, iter(left))
            else:
                lost.append(row.member.path)
