"""Which blobs of the lake an ingest may build on: only those in packs that are there, and, on request, undamaged."""

from __future__ import annotations

from collections.abc import Sequence

from sxeslake.format.manifest import Blob
from sxeslake.ingest.forecast import Forecast
from sxeslake.model import Digest
from sxeslake.vault.packcheck import PackCheck, Read
from sxeslake.vault.uploads import Uploads
from sxeslake.vault.vault import Vault


class Reuse:
    """Finds blobs; what stands in a pack that is missing or damaged is not found, and so it is stored again."""

    def __init__(self, vault: Vault, uploads: Uploads | Forecast, check: PackCheck) -> None:
        self._vault, self._uploads, self._check = vault, uploads, check

    def find(self, digests: Sequence[Digest]) -> dict[Digest, Blob]:
        """Where some blobs stand, of those that can be read there."""
        found = self._uploads.find(digests)
        faulty = self._faulty(found)
        if not faulty:
            return found
        good = {digest: blob for digest, blob in found.items() if _pack(blob) not in faulty}
        lost = [digest for digest in found if digest not in good]
        places = self._vault.index.find_all(lost, live=self._vault.state.live_packs)
        self._check.faulty({_pack(blob) for blobs in places.values() for blob in blobs})
        for digest, blobs in places.items():
            for blob in blobs:
                if not self._check.faulty([_pack(blob)]):
                    good[digest] = blob
        return good

    def _faulty(self, found: dict[Digest, Blob]) -> dict[str, str]:
        packs = {_pack(blob) for blob in found.values()}
        return self._check.faulty(packs - self._uploads.trusted)


def _pack(blob: Blob) -> str:
    return "" if blob.hint is None else blob.hint.pack


def reader(vault: Vault) -> Read:
    """Reads whole packs: for an ingest that is told to check the data that it builds on."""
    from sxeslake.vault.presence import Presence  # noqa: PLC0415 - loads numpy, which most ingests of known files lack

    presence = Presence(vault, data=True)
    return lambda record: presence.look_at(record.id).fault
