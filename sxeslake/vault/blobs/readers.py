"""What reads members and blobs of a lake, made together when the first of them is asked for."""

from __future__ import annotations

from pathlib import Path

from sxeslake.storage import Store
from sxeslake.vault.blobs.cache import FrameCache
from sxeslake.vault.blobs.index import LAYOUT, BlobIndex
from sxeslake.vault.blobs.ranges import RangeReader
from sxeslake.vault.blobs.reader import BlobReader, Locate, Places
from sxeslake.vault.log.state import LogState
from sxeslake.vault.manifests import Manifests


class Readers:
    """Blob index, manifests, blobs and parts of blobs of one lake."""

    def __init__(
        self,
        store: Store,
        state: LogState,
        folder: Path,
        translate: Locate,
        relocate: Places,
        threads: int,
        keep_bytes: int,
    ) -> None:
        """`keep_bytes`: how much of what is fetched stays on this machine; 0 where fetching costs nothing."""
        self.index = BlobIndex(folder / f"index-{LAYOUT}")
        self.manifests = Manifests(store, state)
        disk = FrameCache(folder / "frames", keep_bytes) if keep_bytes else None
        self.blobs = BlobReader(store, translate, relocate, threads, disk)
        self.ranges = RangeReader(self.blobs)

    def close(self) -> None:
        """Stop threads, and close files."""
        self.blobs.close()
        self.index.close()
