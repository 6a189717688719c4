"""One ingest by many workers: what each says, as one progress, one report and one end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Final

from sxeslake.clusters.grouping import shares as dealt
from sxeslake.clusters.rows import Plan, PlanRow, total_bytes
from sxeslake.clusters.work import WorkReport, WorkShare
from sxeslake.ingest.report import ArchiveReport, IngestReport
from sxeslake.ingest.talk import Watcher
from sxeslake.model import MIB, Progress

_LOG = logging.getLogger(__name__)

SHARES_PER_WORKER: Final = 4
"""Not one: archives of equal size take unequal time."""
_SHARE_BYTES: Final = 256 * MIB
"""Not smaller, unless a worker would have nothing: each share ends with a commit and packs that are not full."""


def shares_of(rows: Sequence[PlanRow], workers: int) -> list[WorkShare]:
    """Deal the groups of a plan out; rows of a group keep their order."""
    groups: dict[int, list[PlanRow]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    members = list(groups.values())
    rounds = min(SHARES_PER_WORKER, max(1, total_bytes(rows) // _SHARE_BYTES // workers))
    made = dealt([total_bytes(group) for group in members], workers * rounds)
    return [
        WorkShare(number, tuple(row for group in sorted(numbers) for row in members[group]))
        for number, numbers in enumerate(made)
    ]


class Coordinator:
    """What all workers say, for one watcher; and what became of every row in the end."""

    MOST_LOSSES: Final = 3
    """So many workers are lost with a group before it is given up."""

    def __init__(
        self, plan: Plan, report: IngestReport, progress: Progress | None = None, watcher: Watcher | None = None
    ) -> None:
        self._plan, self._progress, self._watcher = plan, progress, watcher
        self.report = report
        self._final: dict[str, ArchiveReport] = {}
        self._announced: set[str] = set()
        self._losses: Counter[int] = Counter()  # by group
        self._told: Counter[int] = Counter()  # bytes, by share
        self._total, self._read, self._counted = total_bytes(plan.rows), 0, 0
        self._began = monotonic()

    def begin(self) -> None:
        """Report what the search could not look into, and show a progress."""
        for passed in self._plan.passed_over:
            if passed.status == "link":
                self.report.links.append(f"{passed.path}: {passed.reason}")
            else:
                self.report.archives.append(ArchiveReport(str(passed.path), status=passed.status, error=passed.reason))
        self.report.unrecognised = [str(path) for path in self._plan.unrecognised]
        if self._watcher is not None:
            self._watcher.kept(self.report.archives, None)
        if self._progress is not None:
            self._progress.start("ingest", self._total)

    def end(self) -> None:
        """Put the report together, in the order of the plan."""
        if self._progress is not None:
            self._progress.finish()
        self.report.changed.sort()
        self.report.archives += [
            self._final[path] for path in dict.fromkeys(str(row.path) for row in self._plan.rows) if path in self._final
        ]

    # --- what workers say: see `work.WorkListener` -----------------------------------------------------------------

    def advanced(self, share: int, done_bytes: int) -> None:
        """Some bytes of a share were read; bytes that are read again after a loss are counted once."""
        self._told[share] += done_bytes
        self._read += done_bytes
        if self._progress is not None and self._read > self._counted:
            self._progress.advance(self._read - self._counted)
        self._counted = max(self._counted, self._read)

    def done(self, share: int, archive: ArchiveReport) -> None:  # noqa: ARG002 - of any share
        """An archive was read."""
        if self._watcher is None or archive.path in self._announced:
            return
        self._announced.add(archive.path)
        left = (monotonic() - self._began) * (self._total - self._read) / self._read if self._read else None
        self._watcher.done(archive, len(self._announced), len(self._plan.rows), None if left is None else max(0, left))

    def kept(self, share: int, archives: Sequence[ArchiveReport], commit: int | None) -> None:  # noqa: ARG002
        """Some are final; what was told before, by an event or a worker that is lost, is told once."""
        archives = [archive for archive in archives if archive.path not in self._final]
        self._final |= {archive.path: archive for archive in archives}
        if commit is not None:
            self.report.commit = max(commit, self.report.commit or 0)
        if self._watcher is not None and archives:
            self._watcher.kept(archives, commit)

    def changed(self, share: int, path: str) -> None:  # noqa: ARG002 - of any share
        """A file is not as planned."""
        if path not in self.report.changed:
            self.report.changed.append(path)

    def asked_to_end(self) -> bool:
        """Whether the run is to end."""
        return self._watcher is not None and self._watcher.asked_to_end()

    # --- shares ----------------------------------------------------------------------------------------------------

    def finished(self, share: WorkShare, found: WorkReport) -> None:
        """A share is done; `found` has its archives where they were not told one by one."""
        for archive in found.archives:
            self.done(share.number, archive)
        self.kept(share.number, found.archives, None)
        for commit in found.commits:
            self.report.commit = max(commit, self.report.commit or 0)
        self.report.damaged += [fault for fault in found.damaged if fault not in self.report.damaged]
        if found.complete and (left := total_bytes(share.rows) - self._told[share.number]) > 0:
            self.advanced(share.number, left)

    def lost(self, share: WorkShare, why: str) -> WorkShare | None:
        """A worker was lost with a share: what another is to do of it; None where nothing is left."""
        self.report.lost_workers += 1
        left = [row for row in share.rows if str(row.path) not in self._final]
        self._read -= self._told[share.number] - total_bytes(
            [row for row in share.rows if str(row.path) in self._final]
        )
        self._told[share.number] = total_bytes(share.rows) - total_bytes(left)
        in_work = next((row.group for row in left if str(row.path) not in self._announced), None)
        if in_work is None and left:
            in_work = left[-1].group
        if in_work is not None:
            self._losses[in_work] += 1
            if self._losses[in_work] >= self.MOST_LOSSES:
                self.given_up([row for row in left if row.group == in_work], why)
                left = [row for row in left if row.group != in_work]
        _LOG.info("%d archives of the lost worker are given to another", len(left))
        return replace(share, rows=tuple(left)) if left else None

    def given_up(self, rows: Sequence[PlanRow], why: str) -> None:
        """Report rows as failed: no worker came back from them."""
        reports = [
            ArchiveReport(
                str(row.path),
                error=f"{row.path}: not stored: the worker {why}, {self.MOST_LOSSES} times."
                if self._losses[row.group] >= self.MOST_LOSSES
                else f"{row.path}: not stored: the worker {why}. Run the same again.",
            )
            for row in rows
            if str(row.path) not in self._final
        ]
        for report in reports:
            self.done(0, report)
        self.kept(0, reports, None)
