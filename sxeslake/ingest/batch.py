"""Some archives on their way into the lake together: read, framed, uploaded, then one log entry for all of them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from blake3 import blake3

from sxeslake.archive.base import WAS_ENCRYPTED, Container
from sxeslake.archive.columns import Numbers
from sxeslake.archive.container import open_container
from sxeslake.archive.folder import FolderReader
from sxeslake.archive.held import HeldContainer
from sxeslake.archive.names import check_limits
from sxeslake.archive.opaque import OpaqueFile
from sxeslake.errors import (
    DamagedArchiveError,
    DamagedLakeError,
    DeadObjectsError,
    EncryptedArchiveError,
    InputError,
    NotAnArchiveError,
    ObjectNotFoundError,
    SxeslakeError,
    UnsafeNameError,
    UnsupportedMethodError,
)
from sxeslake.format import keys
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, Moved, PackAdded
from sxeslake.format.manifest import ManifestBuilder, RowRange, footer_bytes
from sxeslake.ingest import naming
from sxeslake.ingest import source as sources
from sxeslake.ingest.absorb import Absorbed, Absorber, data_digests
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.copies import Met, new_paths
from sxeslake.ingest.discovery import Candidate, Fresh
from sxeslake.ingest.exact import LongRecipe, RecipeResult, RecipeSeeker, no_recipe, stored_whole
from sxeslake.ingest.known import KnownFiles
from sxeslake.ingest.options import Opaque, Options
from sxeslake.ingest.report import LAKE_ERRORS, ArchiveReport, of_unexpected
from sxeslake.ingest.reuse import Reuse
from sxeslake.ingest.survey.forecast import Forecast
from sxeslake.ingest.tables import tables_of
from sxeslake.ingest.talk import AskedToEndError, Talk
from sxeslake.model import GIB, OPAQUE, Piece, Source
from sxeslake.text.wording import said
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogRecord, Version
from sxeslake.vault.packs.check import PackPresence
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.kinds import PackKind, kind_of
from sxeslake.vault.packs.packing import Packer
from sxeslake.vault.packs.uploads import Uploads
from sxeslake.vault.recipes import recipe_blobs
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_FOLDER_ATTEMPTS = 4  # of a folder in which files change
_NAMED = 20  # of what was left out, in the log; the rest is counted
_BATCH_ARCHIVES = 256  # an entry stays well below its limit of 1 MiB
_BATCH_MEMBERS = 1_000_000  # bounds the memory of member tables
_RECIPE_SECONDS = 30.0  # a batch: only an archive that comes back exactly may be deleted where it came from
_SOUGHT_AHEAD = 2  # recipes of small archives that are sought while others are read: their contents are in memory
_BATCH_BYTES = 8 * GIB  # raw and new: what an interruption can cost


@dataclass(frozen=True, slots=True)
class _Planning:
    """The progress of a plan: it moves no bar, for the members come after it, but hears who asks to end."""

    talk: Talk

    def start(self, task: str, total_bytes: int | None) -> None:
        """A plan begins."""

    def advance(self, _: int) -> None:
        """A file was read."""
        if self.talk.is_asked_to_end():
            raise AskedToEndError

    def finish(self) -> None:
        """It is made."""


@dataclass(slots=True)
class _Taken:
    """An archive between its file and the log."""

    candidate: Candidate
    report: ArchiveReport
    source: Source
    absorbed: Absorbed
    order: Numbers
    content_id: str
    recipe: RecipeResult = field(default_factory=RecipeResult)
    rows: RowRange | None = None

    def set_recipe(self, recipe: RecipeResult) -> None:
        """Say what became of the search for the recipe."""
        self.recipe, reason = recipe, recipe.details.get("reason")
        self.report.exact, self.report.exact_reason = recipe.found, None if reason is None else said(reason)


class _Sought(NamedTuple):
    """An archive whose recipe another thread seeks, and that is open until then."""

    taken: _Taken
    container: Container
    result: Future[RecipeResult | LongRecipe]


class IngestBatch:
    """Some archives that go into the log together."""

    def __init__(
        self,
        vault: Vault,
        uploads: Uploads | Forecast,
        known: KnownFiles,
        check: PackPresence,
        options: Options,
        tool: str,
        threads: int,
        talk: Talk,
        seconds: float,
    ) -> None:
        """After `seconds` the batch is committed with what it has."""
        self._vault, self._uploads, self._known = vault, uploads, known
        self._options, self._threads, self._talk = options, threads, talk
        self._until = monotonic() + seconds
        self._check, self._reuse = check, Reuse(vault, uploads, check)
        self._blobs = BlobTable(uploads.packs)
        self._forecast = uploads if isinstance(uploads, Forecast) else None
        self._packer = Packer(None if options.dry_run else vault.store, uploading=uploads.note)
        self._frames = FrameMaker(self._packer, self._blobs.place, threads, options.preset)
        self._absorber = Absorber(
            self._blobs, self._reuse.find, self._frames,
            chunk_bytes=vault.file.chunk_bytes, threads=threads, encoding=options.encoding,
            document_bytes=options.limits.document_bytes,
        )  # fmt: skip
        self._recipes = RecipeSeeker(
            self._blobs, self._reuse.find, self._frames,
            mode=options.recipes, chunk_bytes=vault.file.chunk_bytes, threads=threads, grace_seconds=_RECIPE_SECONDS,
        )  # fmt: skip
        self._entry = blank_entry(tool, options.message)
        self._taken: list[_Taken] = []
        self._pending: deque[_Sought] = deque()
        self._prover = ThreadPoolExecutor(1, thread_name_prefix="recipe")  # one: each search teaches the next
        self._met: list[Met] = []  # recognised without being read
        self._members = 0
        self.begun = 0  # archives that this batch has looked at

    def run(self, candidates: Sequence[Candidate]) -> tuple[list[ArchiveReport], LogRecord | None]:
        """Take as many of the archives as one commit should hold; says what became of those."""
        reports = list[ArchiveReport]()
        side = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        try:
            with suppress(AskedToEndError):  # the archive in work is not finished: those before it are
                for candidate in candidates:
                    self.begun += 1
                    reports.append(self._try(candidate, side))
                    self._talk.done(reports[-1])
                    if self._is_full(len(reports)) or self._talk.is_asked_to_end():
                        break
            record = self._finish()
        except Exception:
            self._close(side, wait=True)
            raise
        except BaseException:
            self._close(side, wait=False)  # Ctrl-C: what is on its way over a slow link is left behind
            raise
        self._close(side, wait=True)
        return reports, record

    def _close(self, side: ThreadPoolExecutor, *, wait: bool) -> None:
        side.shutdown(wait=wait, cancel_futures=True)
        self._prover.shutdown(wait=wait, cancel_futures=True)
        for sought in self._pending:
            sought.container.close()
        self._frames.close()
        self._packer.close(wait=wait)

    def _is_full(self, archives: int) -> bool:
        new_bytes = sum(taken.report.bytes_raw for taken in self._taken if taken.report.blobs_new)
        if archives >= _BATCH_ARCHIVES or self._members >= _BATCH_MEMBERS or new_bytes >= _BATCH_BYTES:
            return True
        return bool(self._taken) and monotonic() >= self._until

    # --- one archive ---------------------------------------------------------------------------------------------

    def _try(self, candidate: Candidate, side: ThreadPoolExecutor) -> ArchiveReport:
        report = ArchiveReport(str(candidate.path))
        try:
            known = self._known.report(candidate)
            if known is not None:
                self._met.append(self._known.met[known.path])
                return known
            self._take(candidate, report, side)
        except LAKE_ERRORS:
            raise
        except SxeslakeError as error:
            report.status, report.error = "failed", str(error)
        except OSError as error:
            report.status, report.error = "failed", f"{candidate.path}: {error.strerror or error}"
        except Exception as error:  # one archive's trouble, whatever it is, is not that of the others
            report = of_unexpected(str(candidate.path), error)
        return report

    def _take(self, candidate: Candidate, report: ArchiveReport, side: ThreadPoolExecutor) -> None:
        path = candidate.path
        if candidate.made is not None:
            self._take_in(candidate, report, side, candidate.made.container)
            return
        if candidate.vendor:
            self._take_vendor(candidate, report, side)
            return
        if path.is_dir():
            self._take_folder(candidate, report, side)
            return
        try:
            container = open_container(
                path,
                encoding=self._options.encoding,
                limits=self._options.limits,
                password=self._options.passwords,
            )
            self._take_in(candidate, report, side, container)
        except InputError as error:
            if not _is_kept_whole(error, self._options.opaque):
                raise
            is_locked = isinstance(error, EncryptedArchiveError) and error.hint
            reason = f"{error.what}. {error.hint}" if is_locked else error.what
            self._take_in(candidate, report, side, OpaqueFile(path, reason))

    def _take_vendor(self, candidate: Candidate, report: ArchiveReport, side: ThreadPoolExecutor) -> None:
        """Take in the archive that a vendor folder is converted to: its members come straight from the files."""
        from sxeslake.vendor.writing.container import PlannedContainer  # noqa: PLC0415 - few ingests need the readers
        from sxeslake.vendor.writing.convert import planned  # noqa: PLC0415 - as above

        plan = planned([candidate.path], progress=_Planning(self._talk))
        check_limits(
            self._options.limits, members=len(plan.members), raw_bytes=plan.bytes_source, archive_bytes=1 << 62,
            where=candidate.path,
        )  # fmt: skip
        report.converted = plan.in_words
        self._take_in(candidate, report, side, PlannedContainer(plan), plan.bytes_source)

    def _take_folder(self, candidate: Candidate, report: ArchiveReport, side: ThreadPoolExecutor) -> None:
        """Take a folder in, without files that change meanwhile: it is read again, without those."""
        without: dict[str, str] = {}
        options = self._options
        for attempt in range(_FOLDER_ATTEMPTS):
            reader = FolderReader(
                candidate.path, encoding=options.encoding, limits=options.limits, links=options.links, without=without
            )
            try:
                self._take_in(candidate, report, side, reader)
            except InputError:
                if not reader.changed or attempt == _FOLDER_ATTEMPTS - 1:
                    raise
                without |= reader.changed
            else:
                return

    def _take_in(
        self,
        candidate: Candidate,
        report: ArchiveReport,
        side: ThreadPoolExecutor,
        container: Container,
        vendor_bytes: int | None = None,
    ) -> None:
        path, began, made = candidate.path, monotonic(), candidate.made
        before = None if made else sources.stamp(path)
        sha256 = None if candidate.vendor or made else sources.later(side, path)  # a converted archive is no file yet
        is_opaque = isinstance(container, OpaqueFile)
        with ExitStack() as opened:
            opened.enter_context(container)
            absorbed = self._absorber.absorb(
                container, lambda total: self._talk.start(path.name, total), self._talk.advance
            )
            pieces, absorbed.pieces = absorbed.pieces, None  # a batch has many archives
            digest = None if sha256 is None else sha256.result()
            recipe = self._recipe(candidate, container, pieces, digest, monotonic() - began)
            encoding = self._options.encoding if absorbed.is_legacy else None
            size = absorbed.raw_bytes if vendor_bytes is None else vendor_bytes
            if made is not None:
                source = made.source
            else:
                assert before is not None  # only what is made here is no file
                source = sources.describe(path, before, container.kind, size, digest, encoding)
            if isinstance(recipe, Future):
                opened.pop_all()
        order = absorbed.members.order()
        report.kind = OPAQUE if is_opaque else "sxes" if absorbed.metadata.is_group else "generic"
        report.left_out = container.left_out
        report.members, report.bytes_source, report.bytes_raw = len(absorbed.members), source.size, absorbed.raw_bytes
        left_out = tuple(f"left out: {text}" for text in container.left_out)
        report.warnings = (*left_out[:_NAMED], *absorbed.notes, *absorbed.metadata.warnings())
        if len(left_out) > _NAMED:
            report.warnings = (f"{len(left_out):,} files and folders were left out", *report.warnings)
        report.blobs = len(absorbed.blob_numbers())
        report.blobs_new = self._blobs.fresh(absorbed.new_numbers)[0]
        if made is not None:
            made.added.update(self._fresh_by_kind(absorbed))
        self._members += len(absorbed.members)
        taken = _Taken(candidate, report, source, absorbed, order, absorbed.content_id(order))
        self._taken.append(taken)
        if isinstance(recipe, Future):
            self._pending.append(_Sought(taken, container, recipe))
            self._settle(_SOUGHT_AHEAD)
        else:
            taken.set_recipe(recipe)

    def _recipe(
        self, candidate: Candidate, container: Container, pieces: list[Piece] | None, sha256: str | None, took: float
    ) -> RecipeResult | Future[RecipeResult | LongRecipe]:
        """The recipe of an archive that was read in so many seconds; of a small one it is sought meanwhile."""
        if isinstance(container, OpaqueFile) and sha256 is not None:
            return stored_whole(sum(member.size for member in container.members), sha256)
        if candidate.made is not None:
            return no_recipe(candidate.made.reason)
        if WAS_ENCRYPTED in container.notes:
            return no_recipe(WAS_ENCRYPTED)
        if sha256 is None or pieces is None:
            self._settle()  # what it has found guides this search
            return self._recipes.seek(container, candidate.path, sha256, took)
        held = HeldContainer(container, pieces)
        return self._prover.submit(self._recipes.prove, held, candidate.path, sha256, took)

    def _settle(self, left: int = 0) -> None:
        """Wait for recipes that are sought meanwhile, until so many are left; keep what was found, in order."""
        while len(self._pending) > left:
            taken, container, sought = self._pending.popleft()
            try:
                with container:
                    taken.set_recipe(self._recipes.keep(sought.result()))
            except LAKE_ERRORS:
                raise
            except OSError as error:
                self._fail(taken, f"{taken.candidate.path}: {error.strerror or error}")
            except Exception as error:  # as in `_try`
                self._fail(taken, of_unexpected(str(taken.candidate.path), error).error)

    def _fail(self, failed: _Taken, error: str | None) -> None:
        failed.report.status, failed.report.error = "failed", error
        self._taken = [taken for taken in self._taken if taken is not failed]

    def _fresh_by_kind(self, absorbed: Absorbed) -> dict[PackKind, Fresh]:
        """What the lake lacked of an archive: arrays and JSON apart."""
        found: dict[PackKind, set[int]] = {"array": set(), "json": set()}
        sizes = absorbed.members.sizes.tolist()
        for member, (path, first) in enumerate(
            zip(absorbed.members.all_paths(), absorbed.first_blob.tolist(), strict=True)
        ):
            numbers = absorbed.chunks.get(member, [first])
            found[kind_of(path, sizes[member]).pack].update(
                number for number in numbers if number in absorbed.new_numbers and self._blobs.is_new(number)
            )
        return {
            kind: Fresh(len(numbers), sum(self._blobs.sizes[number] for number in numbers))
            for kind, numbers in found.items()
        }

    # --- the commit ----------------------------------------------------------------------------------------------

    def _finish(self) -> LogRecord | None:
        self._settle()
        self._frames.flush()
        for taken in self._taken:
            taken.report.blobs_new, taken.report.bytes_stored = self._blobs.fresh(taken.absorbed.new_numbers)
            taken.report.bytes_stored += self._blobs.fresh(taken.recipe.new_numbers)[1]
        placed = list(zip(self._taken, self._place_all(), strict=True))
        paths = self._new_paths(placed)
        written = {item.record.id: item for item in self._packer.finish()}
        added = [taken for taken, place in placed if not place.unchanged or self._to_heal(place)]
        needed = {pack for taken in added for pack in self._packs(taken)}
        if self._forecast is not None:
            versions = [
                (self._provisional(taken, place), data_digests(taken.absorbed))
                for taken, place in placed
                if not place.unchanged
            ]
            self._forecast.remember([written[pack].footer for pack in sorted(needed & written.keys())], versions)
            return None
        reused = sum(taken.report.blobs - taken.report.blobs_new for taken in self._taken)
        _LOG.debug("batch: %d archives, %d to add; %d blobs reused", len(placed), len(added), reused)
        self._drop([pack for pack in written if pack not in needed])
        if not added and not paths:
            return None
        manifest = self._manifest(added) if added else None
        packs = [self._uploads.packs[pack] for pack in sorted(needed & self._uploads.packs.keys())]
        with self._vault.having_found(lambda: self._check.found):
            record = self._vault.commit(lambda head: self._build(head, packs, manifest))
        if record is not None:
            self._uploads.leave(needed)
        self._vault.index.add([written[pack].footer for pack in sorted(needed & written.keys())])
        return record

    def _packs(self, taken: _Taken) -> set[str]:
        return self._blobs.packs(np.append(taken.absorbed.blob_numbers(), np.array(taken.recipe.numbers, np.int64)))

    def _drop(self, packs: Sequence[str]) -> None:
        """Take back packs of which nothing is needed: their archives failed.

        Ids are never reused, and nobody else can have taken them up: they are off the journal before they go.
        """
        if self._uploads.leave(packs):
            self._vault.store.delete([keys.pack_key(pack) for pack in packs])

    def _manifest(self, added: Sequence[_Taken]) -> ManifestAdded:
        builder = ManifestBuilder()
        for taken in added:
            taken.rows = builder.add(tables_of(taken.absorbed, taken.order, self._blobs, builder))
        data = builder.finish()
        footer = footer_bytes(data)
        manifest_id = keys.new_id()
        self._vault.store.create(keys.manifest_key(manifest_id), data)
        digests = blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest()
        return ManifestAdded(manifest_id, len(data), footer, *digests)

    def _build(self, head: Head, packs: Sequence[PackAdded], manifest: ManifestAdded | None) -> Entry | None:
        placed = list(zip(self._taken, self._place_all(), strict=True))
        manifests = () if manifest is None else (manifest,)
        paths = self._new_paths(placed)
        archives = [self._archive(taken, place, manifest) for taken, place in placed if not place.unchanged]
        # Each version once: of two copies of one file, the first heals it.
        moved = {
            (place.sample, place.version): self._healed(taken, archive, manifest, taken.rows)
            for taken, place in reversed(placed)
            if place.unchanged
            and taken.rows is not None
            and manifest is not None
            and (archive := self._to_heal(place)) is not None
        }
        if not archives and not moved and not paths:
            return None
        # The run that was interrupted can have committed at its last moment: what is there is not added again.
        there = self._vault.state.known("packs", [pack.id for pack in packs])
        return replace(
            self._entry, number=head.number + 1, previous=head.digest, archives=tuple(archives),
            packs=tuple(pack for pack in packs if pack.id not in there), manifests=manifests,
            moved=tuple(moved.values()), paths=paths,
        )  # fmt: skip

    def _new_paths(self, placed: Sequence[tuple[_Taken, naming.Assignment]]) -> tuple[dict[str, Any], ...]:
        """The paths of archives that the lake holds, or that an archive of this batch is a copy of."""
        met = [
            *self._met,
            *(
                Met(place, taken.source, taken.report)
                for taken, place in placed
                if place.unchanged and not taken.candidate.made
            ),
        ]
        added = {(place.sample, place.version) for _, place in placed if not place.unchanged}
        if self._forecast is not None:
            added |= {(version.sample, version.version) for version in self._forecast.versions}
        return new_paths(self._vault.state, met, added)

    def _to_heal(self, place: naming.Assignment) -> ArchiveAdded | None:
        """The version at a place, where it has lost something that this copy of it has."""
        version = self._vault.state.live_version(place.sample, place.version)
        return version.archive if version is not None and self._check.fault_of(version) is not None else None

    def _healed(self, taken: _Taken, archive: ArchiveAdded, manifest: ManifestAdded, rows: RowRange) -> Moved:
        """A version that stands from here on where its copy does; its recipe stays, unless the copy has a whole one."""
        taken.report.healed = taken.report.blobs_new
        if (archive.content_id, archive.layout_id) != (taken.content_id, taken.absorbed.layout_id):
            return self._healed_in_place(taken, archive)
        recipe: Mapping[str, Any] | None = taken.recipe.record(self._blobs)
        needs = self._packs(taken)
        if recipe and "reason" in recipe and "reason" not in archive.recipe:
            kept = {blob.hint.pack for blob in recipe_blobs(archive) if blob.hint is not None}
            if not self._check.faulty(self._vault.state.resolved(sorted(kept))):
                recipe, needs = None, needs | self._vault.state.resolved(sorted(kept))
        return Moved(
            archive.sample, archive.version, manifest.id, rows.first_group, rows.groups, rows.rows,
            tuple(sorted(needs)), recipe,
        )  # fmt: skip

    def _healed_in_place(self, taken: _Taken, archive: ArchiveAdded) -> Moved:
        """A version with other member names, as of a file that is kept whole under another name: its table stays."""
        alive = self._vault.state.live_packs(sorted(self._vault.state.resolved(archive.needs)))
        return Moved(
            archive.sample, archive.version, archive.manifest, archive.first_group, archive.groups, archive.rows,
            tuple(sorted(self._packs(taken) | (alive - self._check.faulty(alive).keys()))),
        )  # fmt: skip

    def _archive(self, taken: _Taken, place: naming.Assignment, manifest: ManifestAdded | None) -> ArchiveAdded:
        if taken.rows is None or manifest is None:
            # It was unchanged when the manifest was made; its twin has been forgotten since: begin again.
            raise DeadObjectsError("a version was forgotten while its copy came in.")
        report, rows = taken.report, taken.rows
        return ArchiveAdded(
            place.sample, place.version, manifest.id, rows.first_group, rows.groups, rows.rows,
            taken.content_id, taken.absorbed.layout_id, report.kind or "generic", report.members,
            report.bytes_source, report.bytes_raw, report.blobs, report.blobs_new, report.bytes_stored,
            sources.record_of(taken.source), tuple(taken.absorbed.metadata.analyses), report.warnings,
            tuple(sorted(self._packs(taken))), taken.absorbed.comment.hex(), recipe=taken.recipe.record(self._blobs),
        )  # fmt: skip

    # --- names ---------------------------------------------------------------------------------------------------

    def _place_all(self) -> list[naming.Assignment]:
        """Decide for the whole batch at the folded head, each archive beside those before it; tell the reports."""
        places: list[naming.Assignment] = []
        batch = naming.NamedBatch(() if self._forecast is None else self._forecast.versions)
        for taken in self._taken:
            newcomer = self._newcomer(taken)
            place = self._known.names.decide(newcomer, batch)
            report = taken.report
            report.status = "unchanged" if place.unchanged else "added"
            report.sample, report.version = place.sample, place.version
            report.renamed_from = newcomer.wanted if place.by_name and place.sample != newcomer.wanted else None
            report.duplicate_of = None if place.unchanged else self._twin(taken, batch)
            places.append(place)
            if not place.unchanged:
                batch.add(self._provisional(taken, place))
        return places

    def _newcomer(self, taken: _Taken) -> naming.Newcomer:
        met = taken.absorbed.arrays_met

        @cache
        def batch_by_name() -> dict[str, _Taken]:
            return {f"{other.report.sample}@{other.report.version}": other for other in self._added_before(taken)}

        def shares_array(version: Version) -> bool:
            in_batch = batch_by_name()
            if version.name in in_batch:
                return not met.isdisjoint(data_digests(in_batch[version.name].absorbed))
            foreseen = None if self._forecast is None else self._forecast.shares_array(version, met)
            if foreseen is not None:
                return foreseen
            try:
                return any(row.digest in met for row in self._vault.rows_between(version, "data/", "data0"))
            except (DamagedLakeError, ObjectNotFoundError):  # its member table is lost: nobody can tell
                return False

        return naming.Newcomer(
            self._known.wanted(taken.candidate), self._options.sample is not None, taken.content_id,
            taken.absorbed.layout_id, taken.source, frozenset(taken.absorbed.metadata.analyses),
            shares_array if met else None,
            taken.report.kind == OPAQUE,
        )  # fmt: skip

    def _added_before(self, taken: _Taken) -> Iterator[_Taken]:
        for other in self._taken:
            if other is taken:
                return
            if other.report.status == "added":
                yield other

    def _provisional(self, taken: _Taken, place: naming.Assignment) -> Version:
        archive = ArchiveAdded(
            place.sample, place.version, "", 0, 0, 0, taken.content_id, taken.absorbed.layout_id,
            taken.report.kind or "", 0, 0, 0, 0, 0, 0,
            sources.record_of(taken.source), tuple(taken.absorbed.metadata.analyses),
        )  # fmt: skip
        return Version(0, "", "live", archive)

    def _twin(self, taken: _Taken, batch: naming.NamedBatch) -> str | None:
        return self._vault.state.first_of_content(taken.content_id) or batch.of_content(taken.content_id)


def _is_kept_whole(error: InputError, opaque: Opaque) -> bool:
    """Whether a file that cannot be taken apart is kept; a damaged one should be copied again."""
    if opaque == "always":
        kinds = (DamagedArchiveError, NotAnArchiveError, EncryptedArchiveError, UnsupportedMethodError, UnsafeNameError)
        return isinstance(error, kinds)
    return opaque == "auto" and isinstance(error, EncryptedArchiveError | UnsupportedMethodError | UnsafeNameError)
