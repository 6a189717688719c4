"""How an archive that is stored already lists its positions: for those who rewrite its member table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sxeslake.archive.sxes.documents.listing import LEAST_POSITIONS, PositionListing, listing_in
from sxeslake.archive.sxes.layout import METADATA
from sxeslake.format.manifest import Blob, Hint, ManifestRow
from sxeslake.model import MIB
from sxeslake.vault.blobs.reader import BlobReader

_MOST_BYTES = 64 * MIB


def listing_of(
    reader: BlobReader, rows: Sequence[ManifestRow], hint_of: Callable[[Blob], Hint | None]
) -> PositionListing | None:
    """What its `metadata.json` lists, where that is large and can be had; `hint_of` says where blobs stand now."""
    row = next((row for row in rows if row.member.path == METADATA), None) if len(rows) >= LEAST_POSITIONS else None
    if row is None or row.member.size > _MOST_BYTES:
        return None
    parts = reader.fetch_some([blob._replace(hint=hint_of(blob)) for blob in row.blobs])
    whole = [part for part in parts if part is not None]
    return listing_in(b"".join(whole)) if len(whole) == len(parts) else None
