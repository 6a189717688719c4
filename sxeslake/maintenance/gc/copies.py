"""What a collection knows of copies: which were read, and which are whole. Only for a whole one is another dropped.

Memory: two bytes for each blob of a pack that was read. In most lakes few packs are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.logentry import PackAdded
from sxeslake.format.pack import Footer
from sxeslake.maintenance.gc.holdings import I64, NO_ROWS, Bools, Holdings
from sxeslake.maintenance.gc.plan import marked
from sxeslake.model import Progress
from sxeslake.vault.blobs.proving import good_blobs
from sxeslake.vault.log.state import LogState
from sxeslake.vault.vault import Vault


@dataclass(slots=True)
class _ReadBlobs:
    """Of the blobs of a pack, in its footer's order: which were read, and which were as they should be."""

    read: Bools
    good: Bools


class Copies:
    """Reads what stands in for copies that are to be dropped, each blob once in a collection."""

    def __init__(self, vault: Vault, progress: Progress | None) -> None:
        self._vault, self._progress = vault, progress
        self._proofs: dict[str, _ReadBlobs] = {}
        self.unreadable: set[str] = set()  # packs that are missing or have no footer, but are needed

    def bad(self, held: Holdings) -> I64:
        """Of all blobs that are held, the places of those found damaged."""
        found = [NO_ROWS]
        for number, pack in enumerate(held.packs):
            proof = self._proofs.get(pack)
            if proof is not None:
                found.append(np.flatnonzero(proof.read & ~proof.good) + held.place_of(number).start)
        return np.concatenate(found)

    def prove(self, held: Holdings, relied: I64, records: Mapping[str, PackAdded]) -> bool:
        """Read blobs that are held, by their places, where that was not done yet; whether all of them are whole."""
        wanted: dict[str, Bools] = {}
        for number in np.unique(np.searchsorted(held.starts, relied, "right") - 1).tolist():
            pack, here = held.packs[number], marked(relied, held.place_of(number))
            left = here if pack not in self._proofs else here & ~self._proofs[pack].read
            if left.any():
                wanted[pack] = left
        if not wanted:
            return True
        whole = True
        if self._progress is not None:
            self._progress.start("prove copies", sum(records[pack].bytes for pack in wanted))
        try:
            for pack, blobs in wanted.items():
                try:
                    footer = self._vault.footer(records[pack])
                except (DamagedLakeError, ObjectNotFoundError):  # it was there a moment ago
                    self._note(pack, blobs, np.zeros(len(blobs), np.bool_))
                    whole = False
                else:
                    whole &= self.prove_pack(footer, blobs)
                self._advance(records[pack].footer_bytes)
        finally:
            if self._progress is not None:
                self._progress.finish()
        return whole

    def prove_pack(self, footer: Footer, wanted: Bools) -> bool:
        """Read some blobs of a pack; whether all of them are whole."""
        good = good_blobs(self._vault.store, footer, wanted, self._vault.threads, self._advance)
        self._note(footer.pack_id, wanted, good)
        return bool(good[wanted].all())

    def damaged_keys(self) -> list[str]:
        """The packs of which blobs were found damaged."""
        return sorted(keys.pack_key(pack) for pack in self._rotten())

    def damaged(self, state: LogState) -> list[str]:
        """What was found damaged in packs that are alive, for people."""
        rotten = self._rotten()
        alive = state.live_packs(sorted(rotten.keys() | self.unreadable))  # another collector may have taken some
        found = [
            f"{keys.pack_key(pack)}: {rotten[pack]} blobs are damaged or missing; their other copies stay"
            if pack in rotten
            else f"{keys.pack_key(pack)}: missing, or its footer is damaged"
            for pack in alive
        ]
        return sorted(found)

    def _rotten(self) -> dict[str, int]:
        counts = {pack: int((proof.read & ~proof.good).sum()) for pack, proof in self._proofs.items()}
        return {pack: count for pack, count in counts.items() if count}

    def _note(self, pack: str, read: Bools, good: Bools) -> None:
        proof = self._proofs.setdefault(pack, _ReadBlobs(np.zeros(len(read), np.bool_), np.zeros(len(read), np.bool_)))
        proof.read |= read
        proof.good = (proof.good & ~read) | (good & read)

    def _advance(self, count: int) -> None:
        if self._progress is not None:
            self._progress.advance(count)
