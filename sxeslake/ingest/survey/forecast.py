"""What an ingest would store, found out by doing it: archives are read and encoded, and the packs thrown away.

A forecast stands where `Uploads` stands in an ingest. It remembers the packs that were thrown away in an index of its
own, in a temporary folder, and the archives that would be versions by then: what a later archive has in common with
an earlier one of the same run is counted once, as in the ingest that follows. Memory stays that of an ingest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from sxeslake.format.logentry import PackAdded
from sxeslake.format.manifest import Blob
from sxeslake.format.pack import Footer
from sxeslake.model import Digest
from sxeslake.vault.blobs.index import BlobIndex
from sxeslake.vault.local.database import no_room
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_KEY_BYTES = 8  # of an array's digest: enough to tell related archives from others


class Forecast:
    """The uploads of a run that uploads nothing."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        try:
            self._folder = TemporaryDirectory(prefix="sxeslake-forecast-", ignore_cleanup_errors=True)
        except OSError as error:
            raise no_room(error) from error
        self._index = BlobIndex(Path(self._folder.name))
        self._arrays: dict[str, npt.NDArray[np.uint64]] = {}
        self.packs: dict[str, PackAdded] = {}
        self.trusted: set[str] = set()  # packs that were thrown away: the bucket is not asked for them
        self.versions: list[Version] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._index.close()
        self._folder.cleanup()

    def take_up(self) -> None:
        """Nothing: what interrupted runs have uploaded is counted as new, as an ingest counts it."""

    def note(self, record: PackAdded) -> None:
        """Nothing is on its way."""

    def leave(self, pack_ids: Iterable[str]) -> bool:
        """Nothing was noted."""
        return not list(pack_ids)

    def find(self, digests: Sequence[Digest]) -> dict[Digest, Blob]:
        """Where some blobs stand, in the lake or in a pack that was thrown away."""
        found = self._vault.find(digests)
        if len(found) < len(digests) and self.versions:
            found |= self._index.find([digest for digest in digests if digest not in found])
        return found

    def remember(self, footers: Sequence[Footer], versions: Iterable[tuple[Version, Iterable[Digest]]]) -> None:
        """Take a batch as committed: its packs, and its versions with the digests of their arrays."""
        self._index.add(footers)
        self.trusted.update(footer.pack_id for footer in footers)
        for version, arrays in versions:
            self.versions.append(version)
            self._arrays[version.name] = np.sort(_keys(arrays))

    def shares_array(self, version: Version, digests: Iterable[Digest]) -> bool | None:
        """Whether a version of this run has one of some arrays; None for a version of the lake."""
        arrays = self._arrays.get(version.name)
        return None if arrays is None else bool(np.isin(_keys(digests), arrays).any())


def _keys(digests: Iterable[Digest]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(b"".join(digest[:_KEY_BYTES] for digest in digests), np.uint64)
