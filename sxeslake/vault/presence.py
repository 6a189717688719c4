"""Whether what a version needs of the bucket is there: asked of the bucket itself, of each object once a run.

No cache on this machine is used: the answer decides whether originals are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.logentry import PackAdded
from sxeslake.format.manifest import Blob
from sxeslake.model import Digest
from sxeslake.vault.blobs.proving import good_blobs
from sxeslake.vault.log.state import Version
from sxeslake.vault.packs.check import manifest_fault, wrong_size
from sxeslake.vault.recipes import recipe_blobs
from sxeslake.vault.vault import Vault

_AT_ONCE = 16  # requests for sizes
_LOOK_UP = 4096  # blobs asked of the index at once

Checked = Literal["presence", "data"]
"""How far the bucket was asked: whether objects are there in their size, or whether their bytes are right, too."""


@dataclass(frozen=True, slots=True)
class PackState:
    """What became of a pack: `fault` in words; of a pack that is there, the blobs that are damaged."""

    fault: str | None = None
    is_there: bool = True
    bad: frozenset[Digest] = field(default_factory=frozenset)

    def has(self, digest: Digest) -> bool:
        return self.is_there and digest not in self.bad


class Presence:
    """Asks the bucket for manifests and packs; remembers what it was told."""

    def __init__(self, vault: Vault, *, data: bool = False, advance: Callable[[int], None] = lambda _: None) -> None:
        """With `data` every manifest and pack that is asked for is read and hashed; `advance` is told of the bytes."""
        self.checked: Checked = "data" if data else "presence"
        self._vault, self._advance = vault, advance
        self._manifests: dict[str, str | None] = {}
        self._packs: dict[str, PackState] = {}
        self._records = vault.state.packs()
        self._is_indexed = False

    def fault(self, version: Version) -> str | None:
        """Why a version cannot be given back whole; None where all that it needs is there."""
        head = self._vault.state.head()
        found = self._fault_now(version)
        if found is None or self._vault.sync() == head:
            return found
        # A collector may have moved everything meanwhile: what was asked before says nothing of the new places.
        self._manifests.clear()
        self._packs.clear()
        self._records, self._is_indexed = self._vault.state.packs(), False
        return self._fault_now(version)

    def _fault_now(self, version: Version) -> str | None:
        """Check the version as it stands at the folded head: a collector may have rewritten what it needs."""
        now = self._vault.state.live_version(version.sample, version.version)
        return f"{version.name} was forgotten meanwhile" if now is None else self._fault(now)

    def _fault(self, version: Version) -> str | None:
        fault = self._manifest(version.archive.manifest)
        if fault is not None:
            return fault
        needs = sorted(self._vault.state.resolved(version.archive.needs))
        self._ask(needs)
        faults = [pack.fault for pack in map(self._packs.__getitem__, needs) if pack.fault is not None]
        if not faults or self._stands_elsewhere(version):
            return None
        return faults[0] if len(faults) == 1 else f"{faults[0]}, and {len(faults) - 1} more packs are damaged"

    # --- manifests -----------------------------------------------------------------------------------------------

    def _manifest(self, manifest_id: str) -> str | None:
        if manifest_id not in self._manifests:
            self._manifests[manifest_id] = self._look_at_manifest(manifest_id)
        return self._manifests[manifest_id]

    def _look_at_manifest(self, manifest_id: str) -> str | None:
        fault = manifest_fault(self._vault.store, self._vault.state, manifest_id)
        if fault is not None or self.checked == "presence":
            return fault
        known = self._vault.state.manifest(manifest_id)
        try:
            data = self._vault.store.get(keys.manifest_key(manifest_id))
        except ObjectNotFoundError:
            return wrong_size("manifest", manifest_id, None, known.bytes)
        self._advance(len(data))
        if blake3(data).hexdigest() != known.blake3:
            return f"the manifest {manifest_id} does not agree with its hash"
        return None

    def look_at(self, pack: str) -> PackState:
        """What is known of a pack."""
        self._ask([pack])
        return self._packs[pack]

    # --- packs ---------------------------------------------------------------------------------------------------

    def _ask(self, packs: Iterable[str]) -> None:
        """Look at packs that were not looked at before."""
        fresh = [pack for pack in packs if pack not in self._packs]
        if len(fresh) == 1 or self.checked == "data":  # which reads with many threads itself
            self._packs |= {pack: self._look_at_pack(pack) for pack in fresh}
        elif fresh:
            with ThreadPoolExecutor(_AT_ONCE) as askers:
                self._packs |= dict(zip(fresh, askers.map(self._look_at_pack, fresh), strict=True))

    def _look_at_pack(self, pack: str) -> PackState:
        record = self._records.get(pack)
        if record is None:
            return PackState(f"the log names no pack {pack} that is alive", is_there=False)
        size = self._vault.store.size(keys.pack_key(pack))
        if size != record.bytes:
            return PackState(wrong_size("pack", pack, size, record.bytes), is_there=False)
        return PackState() if self.checked == "presence" else self._read(record)

    def _read(self, record: PackAdded) -> PackState:
        try:
            footer = self._vault.footer(record)
        except (DamagedLakeError, ObjectNotFoundError) as error:
            return PackState(f"the pack {record.id} is damaged: {error.what}", is_there=False)
        wanted = np.ones(len(footer.digests), np.bool_)
        good = good_blobs(self._vault.store, footer, wanted, self._vault.threads, self._advance)
        bad = frozenset(footer.digests[number].tobytes() for number in np.flatnonzero(~good).tolist())
        fault = f"the pack {record.id} is damaged: {len(bad):,} of {len(good):,} blobs cannot be read" if bad else None
        return PackState(fault, bad=bad)

    # --- copies --------------------------------------------------------------------------------------------------

    def _stands_elsewhere(self, version: Version) -> bool:
        """Whether every blob of a version is in some pack that is there and undamaged, of those it needs or others."""
        if not self._is_indexed:
            self._vault.sync_index()
            self._is_indexed = True
        try:
            left = sorted({blob.digest for blob in self._blobs(version)})
        except (DamagedLakeError, ObjectNotFoundError):
            return False
        return all(self._are_there(left[start : start + _LOOK_UP]) for start in range(0, len(left), _LOOK_UP))

    def _blobs(self, version: Version) -> Iterable[Blob]:
        for row in self._vault.rows(version):
            yield from row.blobs
        yield from recipe_blobs(version.archive)

    def _are_there(self, digests: list[Digest]) -> bool:
        places = self._vault.index.find_all(digests, live=self._vault.state.live_packs)
        self._ask({blob.hint.pack for blobs in places.values() for blob in blobs if blob.hint is not None})
        return all(
            any(blob.hint is not None and self._packs[blob.hint.pack].has(digest) for blob in places.get(digest, ()))
            for digest in digests
        )
