"""The verbs of a lake that keep it right, apart from the others: what `Lake` inherits."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sxeslake.errors import UsageError
from sxeslake.text.html import Rows
from sxeslake.text.wording import said
from sxeslake.version import TOOL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sxeslake.archive.migration.report import MigrationReport
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

    def migrate(
        self,
        patterns: str | Sequence[str],
        *,
        to: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
        progress: Progress | None = None,
        told: Callable[[MigrationReport], None] | None = None,
    ) -> Rows[MigrationReport]:
        """Bring older groups to a newer form of the format, each as the next version of its sample.

        Misspelt keys are corrected; maps, axes and the extensions that are used are added where they are sure. No
        array is read or written. A version that has the form already gets no new one; archives that are no sxes groups
        are passed over where a pattern names them. Each version is a commit of its own: an interruption keeps those
        before it. Of several, one that fails does not stop the others. Files: `sxeslake.archive.migrate`.

        Parameters
        ----------
        patterns
            Names and globs, ``"map"``, ``"2018/*"``.
        to
            ``"0.1.0"``, ``"0.1.0+maps"`` or ``"0.1.0+maps+arrays"``; the newest by default.
        dry_run
            Tell what would be changed, and write nothing.
        message
            A word on it, for the log.
        progress
            What is told of the work.
        told
            Called with each report as soon as it is there.

        Returns
        -------
        Rows of MigrationReport
            One a version.

        Raises
        ------
        UsageError
            For an unknown form.
        ReadOnlyError
            For a group of a newer format, where it is the only one.
        InputError
            If the only one is no group, or a change would lose something.

        Examples
        --------
        >>> (report,) = lake.migrate("map")
        >>> report.status, report.to_version
        ('migrated', 2)
        """
        from sxeslake.maintenance.migrate import migrate_versions
        from sxeslake.vault import refs

        names = [patterns] if isinstance(patterns, str) else list(patterns)
        self._vault.sync()
        state = self._vault.state
        given = {refs.find(state, name).name for name in names if not refs.is_pattern(state, name)}
        versions = [
            version
            for version in refs.find_all(state, names)
            if version.archive.kind == "sxes" or version.name in given
        ]
        reports = migrate_versions(
            self._vault, versions, to=to, dry_run=dry_run, tool=TOOL, message=message, progress=progress
        )
        found: Rows[MigrationReport] = Rows()
        for report in reports:
            found.append(report)
            if told is not None:
                told(report)
        return found
