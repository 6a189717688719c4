"""Ingest: archives in, in batches; one log entry a batch, and nothing in the lake of a batch that fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sxeslake.errors import DeadObjectsError, NotFoundError, SxeslakeError
from sxeslake.format.logentry import check_name
from sxeslake.ingest import copies
from sxeslake.ingest import discovery as finding
from sxeslake.ingest.discovery import Candidate, Found, named_below
from sxeslake.ingest.known import KnownFiles
from sxeslake.ingest.options import Options
from sxeslake.ingest.report import LAKE_ERRORS, ArchiveReport, IngestReport, of_unexpected
from sxeslake.ingest.talk import Talk, Watcher
from sxeslake.ingest.vendors import Form, of_vendors
from sxeslake.machine.concurrency import usable_cpus
from sxeslake.model import Progress
from sxeslake.storage import is_remote
from sxeslake.vault.log.state import Head, LogRecord
from sxeslake.vault.packs.check import PackPresence, Read
from sxeslake.vault.vault import Vault

if TYPE_CHECKING:
    from sxeslake.format.logentry import Entry
    from sxeslake.ingest.survey.forecast import Forecast
    from sxeslake.vault.packs.uploads import Uploads

_LOG = logging.getLogger(__name__)

_FIRST_S = 2.0  # to the first commit; each interval is twice the one before, up to the longest
_FIRST_REMOTE_S = 8.0  # where a commit costs requests
_LONGEST_S = 30.0
_ATTEMPTS = 5  # a collector that condemns what is being reused is rare, twice in a row rarer


class Ingest:
    """One run over some archives."""

    def __init__(self, vault: Vault, options: Options, tool: str, talk: Talk) -> None:
        vault.check_writable()
        if options.sample is not None:
            check_name(options.sample)
        self._vault, self._options, self._tool, self._talk = vault, options, tool, talk
        self._check = PackPresence(vault.store, vault.state, _reader(vault) if options.check_data else None)
        self._known = KnownFiles(vault, options.sample, talk, self._check, options.encoding)
        self._threads = options.jobs or usable_cpus()
        self._seconds = _FIRST_REMOTE_S if is_remote(vault.store.url) else _FIRST_S

    def run(self, found: Found) -> IngestReport:
        """Take the archives in, batch by batch; a failed one does not stop the others."""
        report = IngestReport(self._vault.store.url, dry_run=self._options.dry_run)
        report.unrecognised = [str(path) for path in found.unrecognised]
        report.links = [f"{passed.path}: {passed.reason}" for passed in found.passed_over if passed.status == "link"]
        for passed in found.passed_over:
            if passed.status != "link":
                report.archives.append(ArchiveReport(str(passed.path), status=passed.status, error=passed.reason))
        self._talk.kept(report.archives, None)
        self._vault.sync()  # what is called unchanged must be there now, not when this lake was opened
        left = self._without_known(found.archives, report)
        self._add_paths(report)
        if not left:
            return report
        # What takes archives in takes a while to load: not for files that are there already.
        from sxeslake.ingest.survey.forecast import Forecast  # noqa: PLC0415
        from sxeslake.vault.packs.uploads import Uploads  # noqa: PLC0415

        self._vault.sync_index()
        with Forecast(self._vault) if self._options.dry_run else Uploads(self._vault) as uploads:
            uploads.take_up()
            while left:
                done, record = self._batch_again(left, uploads)
                self._keep(report, done, record)
                left = left[len(done) :]
                if left and self._talk.is_asked_to_end():
                    raise KeyboardInterrupt
        report.damaged = self._check.faults
        return report

    def _keep(self, report: IngestReport, done: Sequence[ArchiveReport], record: LogRecord | None) -> None:
        for archive in done:
            _LOG.info("%s: %s, %s@%s", archive.path, archive.status, archive.sample, archive.version)
        report.archives += done
        report.commit = record.entry.number if record else report.commit
        self._talk.go_on(len(done))
        self._talk.kept(done, record.entry.number if record else None)
        # Early at first, so that little is lost; later less often, for a commit takes requests.
        if record is not None or self._options.dry_run:
            self._seconds = min(2 * self._seconds, _LONGEST_S)

    def _without_known(self, candidates: Sequence[Candidate], report: IngestReport) -> list[Candidate]:
        """Report of the files before the first that is new."""
        for number, candidate in enumerate(candidates):
            try:
                known = self._known.report(candidate)
            except LAKE_ERRORS:
                raise
            except Exception:
                known = None  # the batch says what is wrong with it
            if known is None:
                return list(candidates[number:])
            self._keep(report, [known], None)
        return []

    def _add_paths(self, report: IngestReport) -> None:
        """Commit the paths of files that are in the lake and were not known to be there, too."""
        from sxeslake.vault.log.commit import blank_entry  # noqa: PLC0415 - only where there is something to commit

        met, state = list(self._known.met.values()), self._vault.state
        if not copies.new_paths(state, met) or self._options.dry_run:
            return
        blank = blank_entry(self._tool, self._options.message)

        def build(head: Head) -> Entry | None:
            paths = copies.new_paths(state, met)
            return replace(blank, number=head.number + 1, previous=head.digest, paths=paths) if paths else None

        record = self._vault.commit(build)
        report.commit = record.entry.number if record else report.commit

    def _batch_again(
        self, candidates: Sequence[Candidate], uploads: Uploads | Forecast
    ) -> tuple[list[ArchiveReport], LogRecord | None]:
        from sxeslake.ingest.batch import IngestBatch  # noqa: PLC0415 - as above

        for attempt in range(_ATTEMPTS):
            batch = IngestBatch(
                self._vault, uploads, self._known, self._check, self._options, self._tool, self._threads,
                self._talk, self._seconds,
            )  # fmt: skip
            self._talk.begin_batch()
            try:
                return batch.run(candidates)
            except DeadObjectsError:
                if attempt == _ATTEMPTS - 1:
                    raise
                _LOG.info("what this batch refers to was collected meanwhile; it is read again")
                self._vault.sync()
                self._vault.sync_index()
                uploads.take_up()  # what is left of this attempt, too
            except LAKE_ERRORS:
                raise
            except Exception as error:  # in the commit: which archive it comes from shows when each comes alone
                uploads.take_up()
                if batch.begun <= 1:
                    return [_failed(candidates[0], error)], None
                return self._one_by_one(candidates[: batch.begun], uploads)
        raise AssertionError("the loop returns or raises")

    def _one_by_one(
        self, candidates: Sequence[Candidate], uploads: Uploads | Forecast
    ) -> tuple[list[ArchiveReport], LogRecord | None]:
        reports, last = list[ArchiveReport](), None
        for candidate in candidates:
            done, record = self._batch_again([candidate], uploads)
            self._talk.go_on(len(done))
            reports += done
            last = record or last
        self._talk.go_on(-len(reports))  # the caller counts them
        return reports, last


def _reader(vault: Vault) -> Read:
    from sxeslake.ingest.reuse import reader  # noqa: PLC0415 - as above

    return reader(vault)


def _failed(candidate: Candidate, error: Exception) -> ArchiveReport:
    if isinstance(error, SxeslakeError):
        return ArchiveReport(str(candidate.path), error=f"{candidate.path}: {error}")
    return of_unexpected(str(candidate.path), error)


def ingest(
    vault: Vault,
    paths: Sequence[Path],
    *,
    form: Form,
    options: Options,
    tool: str,
    below: Path | None = None,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
) -> IngestReport:
    """Search `paths` for archives and vendor folders, and take them in; names are as if `below` were searched."""
    found = of_vendors(finding.find(paths, tree=form == "tree", links=options.links), paths, form)
    if below is not None:
        found = replace(found, archives=[named_below(candidate, below) for candidate in found.archives])
    if not found.archives and not found.missed:
        raise no_archive(paths)
    sampled = None
    if options.quick:
        from sxeslake.ingest.survey.run import estimate, sample  # noqa: PLC0415 - only a quick dry run needs them

        sampled = sample(found.archives)
        found = replace(found, archives=sampled.chosen)
    with closing(Talk(found.archives, progress, watcher)) as talk:
        report = Ingest(vault, options, tool, talk).run(found)
    if sampled is not None:
        report.estimate = estimate(sampled, report.archives[len(found.missed) :])
    return report


def no_archive(paths: Sequence[Path]) -> NotFoundError:
    """The error for paths in which nothing is to be ingested."""
    return NotFoundError(
        "no archive is in there.",
        where=", ".join(str(path) for path in paths),
        hint="Looked for .plzip, .pl7z, .zip, .7z, unpacked groups and files of instruments (`sxeslake formats`); "
        "`--as tree` (`--tree`) takes any folder.",
    )
