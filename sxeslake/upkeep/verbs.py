"""The verbs of a lake that keep it right, apart from the others: what `Lake` inherits."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sxeslake.errors import UsageError
from sxeslake.version import TOOL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sxeslake.model import Progress
    from sxeslake.upkeep.report import RepairReport, VerifyReport
    from sxeslake.vault.vault import Vault

# The engines are imported by the verbs that need them: `ls` on a thin laptop must not wait for codecs.


class UpkeepVerbs:
    """Verify, repair, and the like."""

    _vault: Vault

    def verify(
        self,
        *,
        data: bool = False,
        sample_percent: float | None = None,
        seed: int | None = None,
        max_duration_s: float | None = None,
        resume: bool = False,
        jobs: int | None = None,
        progress: Progress | None = None,
    ) -> VerifyReport:
        """Whether the lake holds what its log promises; with `data`, every byte is read and hashed.

        `sample_percent` reads that share of each pack's frames, chosen by `seed` (see the report's). After
        `max_duration_s` seconds no more packs are begun (`report.complete` is False); `resume` passes over the packs
        that such a run has found right. Problems are reported, not raised; see `report.ok`.
        """
        from sxeslake.upkeep.verify import Verifier
        from sxeslake.upkeep.verify_packs import Extent

        if sample_percent is not None and not 0 < sample_percent <= 100:
            raise UsageError("a sample is more than 0 and at most 100 percent.")
        if sample_percent is not None and resume:
            raise UsageError("a sample cannot be resumed; take another one.")
        seed = secrets.randbelow(2**32) if seed is None else seed
        extent = Extent(data, sample_percent, seed, max_duration_s, resume, jobs)
        return Verifier(self._vault, extent, progress).run()

    def repair(
        self,
        archives: Iterable[Path] = (),
        lakes: Iterable[UpkeepVerbs] = (),
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> RepairReport:
        """Put right what `verify` finds wrong, with the content of the archives, group folders and lakes offered.

        Open the lake with `tolerant=True`, or a damaged log stops you before. What cannot be mended is listed in
        `report.lost` by archive and member; the rest stays readable.
        """
        from sxeslake.upkeep.offers import ArchiveOffer, LakeOffer, Offer
        from sxeslake.upkeep.repair import Repair

        chunk_bytes, threads = self._vault.file.chunk_bytes, self._vault.threads
        offers: list[Offer] = [LakeOffer(lake._vault) for lake in lakes]
        offers += [ArchiveOffer(path, chunk_bytes, threads) for path in archives]
        return Repair(self._vault, offers, TOOL, dry_run=dry_run, progress=progress).run()
