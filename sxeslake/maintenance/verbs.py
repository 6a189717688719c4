"""The verbs of a lake that keep it right, apart from the others: what `Lake` inherits."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sxeslake.errors import UsageError
from sxeslake.text.html import Rows
from sxeslake.text.wording import said
from sxeslake.version import TOOL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sxeslake.maintenance.report import Check, CopyReport, Stats, VerifyReport
    from sxeslake.model import Progress
    from sxeslake.vault.vault import Vault

# The engines are imported by the verbs that need them: `ls` on a thin laptop must not wait for codecs.


_REPUBLISH = "`sxeslake repair` publishes it again"


class UpkeepVerbs:
    """Figures, checks, copies."""

    _vault: Vault

    def stats(self) -> Stats:
        """The lake in figures.

        Examples
        --------
        >>> lake.stats().samples
        1
        """
        from sxeslake.maintenance.stats import stats

        return stats(self._vault)

    def doctor(self) -> Rows[Check]:
        """Whether this machine can work with this lake.

        Examples
        --------
        >>> [check.name for check in lake.doctor() if check.damage]
        []
        """
        from sxeslake.maintenance.doctor import doctor

        return Rows(doctor(self._vault))

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
        `max_duration_s` seconds no more packs are begun: `report.complete` and `report.ok` are False then, and
        `report.packs_unread` says how many are left; `resume` passes over the packs that such a run has found right.
        Problems are reported, not raised; see `report.problems`.

        Examples
        --------
        >>> lake.verify(data=True).ok
        True
        """
        from sxeslake.maintenance.report import Problem
        from sxeslake.maintenance.verify.packs import Extent
        from sxeslake.maintenance.verify.run import Verifier

        if sample_percent is not None and not 0 < sample_percent <= 100:
            raise UsageError("a sample is more than 0 and at most 100 percent.")
        if sample_percent is not None and resume:
            raise UsageError("a sample cannot be resumed; take another one.")
        seed = secrets.randbelow(2**32) if seed is None else seed
        extent = Extent(data, sample_percent, seed, max_duration_s, resume, jobs)
        with self._vault.from_bucket(remembering=True) as vault:
            report = Verifier(vault, extent, progress).run()
        report.notes += vault.notes
        if not report.problems:  # else what the archives say cannot be told for certain
            wrong = self._wrong_catalog(everything=data, seed=seed)
            report.problems += [
                Problem("checkpoint", key, f"{what}; {said(_REPUBLISH)}", []) for key, what in wrong.items()
            ]
            report.ok = report.complete and not report.problems
        return report

    def _wrong_catalog(self, *, everything: bool, seed: int | None) -> dict[str, str]:  # noqa: ARG002 - `Lake` has one
        """Published catalogues that are not what the archives say: key, and what is wrong."""
        return {}

    def copy_to(
        self, target: UpkeepVerbs, refs: Sequence[str] = (), *, dry_run: bool = False, progress: Progress | None = None
    ) -> CopyReport:
        """Copy archives into another lake: all versions of everything, or those that names and globs mean.

        Each blob is hashed on the way. Names, versions, tags, annotations, who stored it and when go with an archive,
        as far as they are free in the target; calibrations go with a whole lake.
        Run again, it copies what is new. With `dry_run` nothing is written:
        the report says which versions would go and, in `bytes_raw`, how much content the target lacks, unpacked.

        Examples
        --------
        >>> with sxeslake.init("memory://copy") as other:
        ...     [row.sample for row in lake.copy_to(other, ["map"]).archives]
        ['map']
        """
        from sxeslake.maintenance.copy.run import CopyRun
        from sxeslake.vault import refs as names

        with self._vault.from_bucket() as source, target._vault.from_bucket() as into:
            versions = names.find_all(source.state, refs) if refs else source.state.versions()
            work = CopyRun(source, into, TOOL, progress)
            return work.foresee(versions, whole=not refs) if dry_run else work.run(versions, whole=not refs)
