"""Which blobs of the lake an ingest may build on: only those in packs that are there, and, on request, undamaged."""

from __future__ import annotations

from collections.abc import Sequence

from sxeslake.format.manifest import Blob
from sxeslake.ingest.survey.forecast import Forecast
from sxeslake.model import Digest
from sxeslake.vault.packs.check import PackPresence, Read, usable_places
from sxeslake.vault.packs.uploads import Uploads
from sxeslake.vault.presence import Presence
from sxeslake.vault.vault import Vault


class Reuse:
    """Finds blobs; what stands in a pack that is missing or damaged is not found, and so it is stored again."""

    def __init__(self, vault: Vault, uploads: Uploads | Forecast, check: PackPresence) -> None:
        self._vault, self._uploads, self._check = vault, uploads, check

    def find(self, digests: Sequence[Digest]) -> dict[Digest, Blob]:
        """Where some blobs stand, of those that can be read there."""
        return usable_places(self._vault, self._check, self._uploads.find(digests), self._uploads.trusted)


def reader(vault: Vault) -> Read:
    """Reads whole packs: for an ingest that is told to check the data that it builds on."""
    presence = Presence(vault, data=True)
    return lambda record: presence.look_at(record.id).fault
