"""Interpretation: trees that came in as they are become archives of their own, read straight from the lake.

The instrument's files stay whole members of the new archive, so that they are the blobs that the lake has. Members are
cut at fixed places (FORMAT.md): an array that is a part of a file is no blob of that file, and is stored once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sxeslake.archive.names import check_limits
from sxeslake.errors import AlreadyExistsError, InputError, NotFoundError, SxeslakeError, UsageError
from sxeslake.format.logentry import check_name
from sxeslake.ingest.discovery import Candidate, Found, MadeHere
from sxeslake.ingest.engine import Ingest
from sxeslake.ingest.interpret.report import InterpretReport, InterpretStatus
from sxeslake.ingest.options import Options
from sxeslake.ingest.report import ArchiveReport
from sxeslake.ingest.talk import Talk
from sxeslake.model import Limits, Progress, Source
from sxeslake.reading.tree import VersionTree
from sxeslake.text.html import Rows
from sxeslake.vault import refs
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault
from sxeslake.vendor.writing.container import PlannedContainer
from sxeslake.vendor.writing.plan import ConversionPlan, plan_conversion

NO_FILE: Final = "it was interpreted in the lake, and no file is its source"

_ANY_BYTES: Final = 1 << 62


def interpret(
    vault: Vault,
    names: Sequence[str],
    *,
    name: str | None,
    dry_run: bool,
    tool: str,
    message: str | None,
    limits: Limits,
    progress: Progress | None,
    told: Callable[[InterpretReport], None] | None,
) -> Rows[InterpretReport]:
    """Interpret the versions that names and globs mean; of a pattern only those that are no groups."""
    vault.sync()
    versions = refs.find_of_kind(vault.state, names, "generic")
    if name is not None:
        check_name(name)
        if len(versions) != 1:
            raise UsageError("one name is for one sample.", hint="Interpret them one at a time, or without a name.")
    options = Options(None, dry_run=dry_run, message=message, limits=limits)
    return Rows.collected(_each(vault, versions, name, options, tool, progress), told)


def _each(
    vault: Vault,
    versions: Sequence[Version],
    name: str | None,
    options: Options,
    tool: str,
    progress: Progress | None,
) -> Iterator[InterpretReport]:
    """Interpret versions one after the other, each in a commit of its own; one that fails does not stop the others."""
    for version in versions:
        report = InterpretReport(version.sample, version.version)
        try:
            _Interpretation(vault, version, name or f"{version.sample}-interpreted", report).run(
                options, tool, progress
            )
        except SxeslakeError as error:
            if len(versions) == 1:
                raise
            report.status, report.error, report.exit_code = "failed", str(error), error.exit_code
        yield report


class _Interpretation:
    """One stored tree on its way to an archive."""

    def __init__(self, vault: Vault, version: Version, name: str, report: InterpretReport) -> None:
        self._vault, self._version, self._name, self._report = vault, version, name, report

    def run(self, options: Options, tool: str, progress: Progress | None) -> None:
        """Read the tree, and take its archive in."""
        if not options.dry_run:
            self._vault.check_writable()
        self._check()
        plan = self._planned(options.limits, progress)
        self._describe(plan)
        made = MadeHere(PlannedContainer(plan), self._source(plan), NO_FILE)
        candidate = Candidate(Path(self._version.name), Path(self._name), vendor=True, made=made)
        said = f"{self._version.name} interpreted"
        message = f"{options.message} ({said})" if options.message else said
        options = Options(self._name, dry_run=options.dry_run, message=message, limits=options.limits)
        with closing(Talk([candidate], progress, None)) as talk:
            done = Ingest(self._vault, options, tool, talk).run(Found([candidate]))
        self._take_note(done.archives[0], made, done.commit, dry_run=options.dry_run)

    def _check(self) -> None:
        """Refuse what is no tree, and a name that another sample has."""
        version = self._version
        if version.archive.kind != "generic":
            what = "an archive already" if version.archive.kind == "sxes" else "a file that was kept whole"
            raise InputError(
                f"it is {what}, not a folder of files.",
                where=version.name,
                hint="`sxeslake ingest --tree DIR` stores folders so.",
            )
        others = self._vault.state.versions("status = 'live' AND v.sample = ?", (self._name,))
        own = [str(other.archive.source.get("interpreted_from", "")).rpartition("@")[0] for other in others]
        if any(sample != version.sample for sample in own):
            raise AlreadyExistsError(
                "this sample was not made from that tree.", where=self._name, hint="Give another name: --name NEW"
            )

    def _planned(self, limits: Limits, progress: Progress | None) -> ConversionPlan:
        plan = plan_conversion([VersionTree(self._vault, self._version)], originals="members", progress=progress)
        if not plan.recognised:
            raise NotFoundError(
                "no file of an instrument is recognised in there.",
                where=self._version.name,
                hint=f"`sxeslake members {self._version.name}` lists its files, `sxeslake formats` what is read.",
            )
        check_limits(
            limits, members=len(plan.members), raw_bytes=plan.bytes_source, archive_bytes=_ANY_BYTES,
            where=self._version.name,
        )  # fmt: skip
        return plan

    def _source(self, plan: ConversionPlan) -> Source:
        """A source that no file is: the name of the folder, and the version that it is of."""
        before = self._version.archive.source
        return Source(
            "", "", str(before.get("name", "")), "folder", plan.bytes_source, int(before.get("modified_ns") or 0), None,
            interpreted_from=self._version.name,
        )  # fmt: skip

    def _describe(self, plan: ConversionPlan) -> None:
        report = self._report
        report.contents = plan.in_words
        report.analyses, report.positions, report.maps = plan.analyses, plan.positions, plan.maps
        report.images, report.documents = plan.images, plan.documents
        report.vendor_files, report.bytes_source = len(plan.trees[0].sizes), plan.bytes_source
        report.warnings = [f"{warned.path}: {warned.text}" for warned in plan.warnings]
        report.left_out = [f"{warned.path}: {warned.text}" for warned in plan.left_out]

    def _take_note(self, taken: ArchiveReport, made: MadeHere, commit: int | None, *, dry_run: bool) -> None:
        report = self._report
        if taken.error is not None:
            raise InputError(taken.error, where=self._version.name)
        done: InterpretStatus = "planned" if dry_run else "interpreted"
        report.status = "unchanged" if taken.status == "unchanged" else done
        report.to_sample, report.to_version, report.commit = taken.sample, taken.version, commit
        report.members, report.blobs, report.blobs_new = taken.members, taken.blobs, taken.blobs_new
        report.bytes_stored = taken.bytes_stored
        report.arrays_new, report.bytes_arrays_new = made.added["array"]
        report.json_new, report.bytes_json_new = made.added["json"]
