"""What the bucket still holds beside the packs that are alive: condemned packs, and uploads without a commit.

A repair draws on them before anything is called lost: a bucket restored from a backup, under a log that went on, has
its good copies there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys, pack
from sxeslake.format.pack import Footer
from sxeslake.maintenance.gc.digests import among, keys_of
from sxeslake.maintenance.repair.offers import Search
from sxeslake.storage import ObjectInfo
from sxeslake.vault.blobs.proving import frames_with
from sxeslake.vault.blobs.reader import decode_frame
from sxeslake.vault.vault import Vault


class LeftoverOffer:
    """Packs of this lake's bucket that no version is to be read from any more."""

    name = "condemned packs and uploads in this lake's bucket"

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def search(self, search: Search) -> None:
        """Blobs by the footers of the packs, one frame in memory at a time."""
        wanted = sorted(digest for digest in search.blobs if digest not in search.spool)
        if not wanted:
            return
        sought = np.sort(keys_of(np.frombuffer(b"".join(wanted), np.uint8).reshape(-1, 32)))
        for footer in self._footers():
            has = among(keys_of(footer.digests), sought)
            for place in frames_with(footer, has):
                self._take(footer, place.offset, place.length, place.blobs, search)

    def _footers(self) -> Iterator[Footer]:
        found = {keys.id_of(info.key): info for info in self._vault.store.list(keys.PACK_PREFIX)}
        packs = {name: info for name, info in found.items() if name is not None and keys.pack_key(name) == info.key}
        for name in sorted(packs.keys() - self._vault.state.live_packs(sorted(packs))):
            footer = self._footer(name, packs[name])
            if footer is not None:
                yield footer

    def _footer(self, name: str, info: ObjectInfo) -> Footer | None:
        try:
            tail, size = self._vault.store.get_tail(info.key, pack.TAIL_BYTES)
            start = pack.footer_start(tail, size, where=info.key)
            return pack.load_footer(name, self._vault.store.get_range(info.key, start, size), where=info.key)
        except (DamagedLakeError, ObjectNotFoundError):
            return None

    def _take(self, footer: Footer, offset: int, length: int, blobs: slice, search: Search) -> None:
        key = keys.pack_key(footer.pack_id)
        try:
            raw = decode_frame(self._vault.store.get_range(key, offset, offset + length), where=key)
        except (DamagedLakeError, ObjectNotFoundError):
            return
        at = 0
        for row, size in zip(footer.digests[blobs], footer.sizes[blobs].tolist(), strict=True):
            digest, data = row.tobytes(), raw[at : at + size]
            at += size
            if digest in search.blobs and blake3(data).digest() == digest:
                search.spool.put(digest, "", data)
