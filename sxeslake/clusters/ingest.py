"""Ingest a plan by worker processes of this machine or by an executor; the report is that of a plain ingest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from sxeslake.clusters import cluster, futures
from sxeslake.clusters.processes import WorkerPool, unable_here
from sxeslake.clusters.rows import Plan, searched, unwritten
from sxeslake.clusters.run import Coordinator, shares_of
from sxeslake.clusters.work import IngestJob, OpenVault, WorkShare
from sxeslake.errors import InputError, UsageError
from sxeslake.ingest.discovery import Found
from sxeslake.ingest.engine import Ingest
from sxeslake.ingest.options import Options
from sxeslake.ingest.report import IngestReport
from sxeslake.ingest.talk import Talk, Watcher
from sxeslake.ingest.vendors import Form
from sxeslake.machine.processes import cores_of, held_to
from sxeslake.model import Progress
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)


class ParallelIngest:
    """An ingest by several workers, or of a plan by one."""

    def __init__(
        self, vault: Vault, options: Options, tool: str, *, workers: int | None, executor: Executor | None
    ) -> None:
        """Without `workers` and `executor`, this process does it on all cores; as one worker, on a worker's cores."""
        self._vault, self._options, self._tool = vault, options, tool
        self._executor, self._is_worker = executor, workers == 1
        self._workers = futures.width(executor) if executor is not None else workers or 1
        if executor is not None or workers is not None:
            self._options = replace(options, jobs=options.jobs or 1)
        self._check()

    def run(
        self, paths: Sequence[Path], file: Path | None, form: Form, opener: Callable[[], OpenVault],
        progress: Progress | None = None, watcher: Watcher | None = None,
    ) -> IngestReport:  # fmt: skip
        """Ingest all that a plan in a file has, or all that is found in `paths`."""
        archives, plan = self._source(paths, file, form)
        if self._is_alone:
            return self._alone(plan(), progress, watcher)
        job = IngestJob(opener(), self._options, self._tool)
        if self._executor is not None:
            run = partial(futures.run_shares, self._executor, job)
            return self._together(plan(), run, progress, watcher)
        with WorkerPool(job, min(self._workers, archives)) as pool:  # processes start while the archives are looked at
            return self._together(plan(), pool.run, progress, watcher)

    def _source(self, paths: Sequence[Path], file: Path | None, form: Form) -> tuple[int, Callable[[], Plan]]:
        """How many archives there are, and what gives the plan of them."""
        if file is not None:
            plan = self._read(file)
            return len(plan.rows), lambda: plan
        if self._executor is not None:
            paths = [path.absolute() for path in paths]  # the workers of a cluster have other working folders
        found = searched(paths, form, self._options.links)
        return len(found.archives), partial(unwritten, found, form, self._options.links)

    @property
    def _is_alone(self) -> bool:
        return self._executor is None and self._workers == 1

    def _read(self, file: Path) -> Plan:
        """A plan that is whole; its links are those of the run."""
        from sxeslake.clusters.planfile import read_plan  # noqa: PLC0415 - Parquet costs start-up time

        plan = read_plan(file)
        if not plan.complete:
            raise InputError(
                "this plan is not complete: making it was interrupted.", where=file,
                hint="Make the same plan again; it goes on from there.",
            )  # fmt: skip
        self._options = replace(self._options, links=plan.links)
        return plan

    def _together(
        self, plan: Plan, run: Callable[[Sequence[WorkShare], Coordinator], None], progress: Progress | None,
        watcher: Watcher | None,
    ) -> IngestReport:  # fmt: skip
        """One report of what all workers do."""
        shares = shares_of(plan.rows, self._workers)
        count = min(self._workers, len(shares))
        report = IngestReport(self._vault.store.url, workers=max(1, count))
        coordinator = Coordinator(plan, report, progress, watcher)
        _LOG.info("%d archives in %d shares for %d workers", len(plan.rows), len(shares), count)
        coordinator.begin()
        try:
            run(shares, coordinator)
        finally:
            coordinator.end()
        self._vault.sync()
        return report

    def _alone(self, plan: Plan, progress: Progress | None, watcher: Watcher | None) -> IngestReport:
        """In this process, as without a plan."""
        changed = sorted(str(row.path) for row in plan.rows if row.has_changed())
        found = Found([row.candidate for row in plan.rows], plan.unrecognised, plan.passed_over)
        cores = cores_of(0, self._options.jobs or 1) if self._is_worker else ()
        with held_to(cores), closing(Talk(found.archives, progress, watcher)) as talk:
            report = Ingest(self._vault, self._options, self._tool, talk).run(found)
        report.changed = changed
        return report

    def _check(self) -> None:
        """UsageError, before anything is read, for what several workers cannot do."""
        if self._is_alone:
            return
        self._vault.check_writable()
        if self._options.dry_run:
            raise UsageError("a dry run looks at all archives together: it is for one worker.")
        if self._options.sample is not None:
            raise UsageError("the versions of one sample are stored in their order: `--sample` is for one worker.")
        if self._executor is None:
            if self._vault.store.url.startswith("memory:"):
                raise UsageError("a lake in memory is seen by this process alone.", where=self._vault.store.url)
            if (why := unable_here()) is not None:
                raise UsageError(why)
            return
        futures.check_reach(self._executor, self._vault.store.url)
        if cluster.is_cluster(self._executor):
            if self._options.passwords:
                raise UsageError(
                    "passwords are not sent to a cluster.", hint="Ingest encrypted archives with `--workers`."
                )
            cluster.check_versions(self._executor)
