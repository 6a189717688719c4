"""Ingest: archives in, in batches; one log entry a batch, and nothing in the lake of a batch that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
from blake3 import blake3

from sxeslake.archive.container import open_container
from sxeslake.archive.parallel import usable_cpus
from sxeslake.errors import DeadObjectsError, InputError, NotFoundError, UsageError
from sxeslake.format import keys
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, PackAdded
from sxeslake.format.manifest import ManifestBuilder, RowRange, footer_bytes
from sxeslake.ingest import finding, naming
from sxeslake.ingest import source as sources
from sxeslake.ingest.absorb import Absorbed, Absorber, data_digests
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.exact import Kept, Mode, RecipeSeeker
from sxeslake.ingest.finding import Candidate
from sxeslake.ingest.report import ArchiveReport, IngestReport
from sxeslake.ingest.tables import tables_of
from sxeslake.model import GIB, Limits, Progress, Source
from sxeslake.vault.commit import blank_entry
from sxeslake.vault.frames import FrameMaker
from sxeslake.vault.packing import Packer
from sxeslake.vault.state import Head, LogRecord, Version
from sxeslake.vault.uploads import Uploads
from sxeslake.vault.vault import Vault

NO_LIMITS = Limits()  # of its own: the defaults
_BATCH_ARCHIVES = 256  # an entry stays well below its limit of 1 MiB
_BATCH_MEMBERS = 1_000_000  # bounds the memory of member tables
_BATCH_BYTES = 8 * GIB  # raw and new: what an interruption can cost
_ATTEMPTS = 5  # a collector that condemns what is being reused is rare, twice in a row rarer


@dataclass(frozen=True, slots=True)
class Options:
    """What an ingest was asked for."""

    sample: str | None = None
    jobs: int | None = None
    dry_run: bool = False
    encoding: str | None = None
    limits: Limits = NO_LIMITS
    message: str | None = None
    exact: Mode = "auto"


@dataclass(slots=True)
class _Taken:
    """An archive between its file and the log."""

    candidate: Candidate
    report: ArchiveReport
    source: Source
    absorbed: Absorbed
    order: list[int]
    content_id: str
    recipe: Kept
    rows: RowRange | None = None


class Ingest:
    """One run over some archives."""

    def __init__(self, vault: Vault, options: Options, tool: str, progress: Progress | None = None) -> None:
        vault.file.check_writable(vault.store.url)
        if options.sample is not None:
            finding.check_name(options.sample)
        self._vault, self._options, self._tool, self._progress = vault, options, tool, progress
        self._threads = options.jobs or usable_cpus()

    def run(self, candidates: Sequence[Candidate], unrecognised: Sequence[Path] = ()) -> IngestReport:
        """Take the archives in, batch by batch; a failed one does not stop the others."""
        report = IngestReport(self._vault.store.url, dry_run=self._options.dry_run)
        report.unrecognised = [str(path) for path in unrecognised]
        self._vault.sync()  # what is called unchanged must be there now, not when this lake was opened
        self._vault.sync_index()
        left = list(candidates)
        with Uploads(self._vault) as uploads:
            if not self._options.dry_run:
                uploads.take_up()
            while left:
                done, record = self._batch_again(left, uploads)
                report.archives += done
                report.commit = record.entry.number if record else report.commit
                left = left[len(done) :]
        return report

    def _batch_again(
        self, candidates: Sequence[Candidate], uploads: Uploads
    ) -> tuple[list[ArchiveReport], LogRecord | None]:
        for attempt in range(_ATTEMPTS):
            try:
                return _Batch(self._vault, uploads, self._options, self._tool, self._threads, self._progress).run(
                    candidates
                )
            except DeadObjectsError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._vault.sync()
                self._vault.sync_index()
                uploads.take_up()  # what is left of this attempt, too
        raise AssertionError("the loop returns or raises")


class _Batch:
    """Some archives that go into the log together."""

    def __init__(
        self, vault: Vault, uploads: Uploads, options: Options, tool: str, threads: int, progress: Progress | None
    ) -> None:
        self._vault, self._uploads = vault, uploads
        self._options, self._threads, self._progress = options, threads, progress
        self._blobs = BlobTable(uploads.packs)
        self._packer = Packer(vault.store, uploading=uploads.note)
        self._frames = None if options.dry_run else FrameMaker(self._packer, self._blobs.place, threads)
        self._absorber = Absorber(
            self._blobs, uploads.find, self._frames,
            chunk_bytes=vault.file.chunk_bytes, threads=threads, encoding=options.encoding,
        )  # fmt: skip
        self._recipes = RecipeSeeker(
            self._blobs, uploads.find, self._frames,
            mode=options.exact, chunk_bytes=vault.file.chunk_bytes, threads=threads,
        )  # fmt: skip
        self._entry = blank_entry(tool, options.message)
        self._taken: list[_Taken] = []
        self._members = 0

    def run(self, candidates: Sequence[Candidate]) -> tuple[list[ArchiveReport], LogRecord | None]:
        """Take as many of the archives as one commit should hold; says what became of those."""
        reports = []
        try:
            with ThreadPoolExecutor(1, thread_name_prefix="sha256") as side:
                for candidate in candidates:
                    reports.append(self._try(candidate, side))
                    if self._is_full(len(reports)):
                        break
            return reports, self._finish()
        finally:
            if self._frames is not None:
                self._frames.close()
            self._packer.close()

    def _is_full(self, archives: int) -> bool:
        new_bytes = sum(taken.report.bytes_raw for taken in self._taken if taken.report.blobs_new)
        return archives >= _BATCH_ARCHIVES or self._members >= _BATCH_MEMBERS or new_bytes >= _BATCH_BYTES

    # --- one archive ---------------------------------------------------------------------------------------------

    def _try(self, candidate: Candidate, side: ThreadPoolExecutor) -> ArchiveReport:
        report = ArchiveReport(str(candidate.path))
        try:
            if not self._known_file(candidate, report):
                self._take(candidate, report, side)
        except (InputError, NotFoundError, UsageError) as error:
            report.status, report.error = "failed", str(error)
        except OSError as error:
            report.status, report.error = "failed", f"{candidate.path}: {error.strerror or error}"
        finally:
            if self._progress is not None:
                self._progress.finish()
        return report

    def _known_file(self, candidate: Candidate, report: ArchiveReport) -> bool:
        """Whether the very file is in the lake under its name: then its SHA-256 says all, and nothing is unpacked."""
        path = candidate.path
        if path.is_dir():
            return False
        before = sources.stamp(path)
        alike = self._vault.state.versions("status = 'live' AND v.bytes = ? AND v.sha256 IS NOT NULL", (before.size,))
        if not alike:
            return False
        self._start(path, before.size)
        sha256 = sources.sha256_of(path)
        same = [version for version in alike if version.archive.source.get("sha256") == sha256]
        if not same:
            return False
        source = sources.describe_file(path, before, sha256)
        known = same[0].archive
        place = self._decide(
            naming.Newcomer(self._wanted(candidate), self._options.sample is not None, known.content_id,
                            known.layout_id, source, frozenset(known.analyses), lambda _: False)
        )  # fmt: skip
        if not place.unchanged:
            return False
        report.status, report.sample, report.version = "unchanged", place.sample, place.version
        report.kind, report.members, report.bytes_source = known.kind, known.members, before.size
        report.bytes_raw, report.blobs, report.warnings = known.bytes_raw, known.blobs, known.warnings
        return True

    def _take(self, candidate: Candidate, report: ArchiveReport, side: ThreadPoolExecutor) -> None:
        path, began = candidate.path, monotonic()
        before = sources.stamp(path)
        sha256 = sources.later(side, path)
        with open_container(path, encoding=self._options.encoding, limits=self._options.limits) as container:
            absorbed = self._absorber.absorb(container, lambda total: self._start(path, total), self._advance)
            digest = sha256.result()
            recipe = self._recipes.seek(container, path, digest, monotonic() - began)
            source = sources.describe(path, before, container.kind, absorbed.raw_bytes, digest)
        order = absorbed.order()
        report.kind = "sxes" if absorbed.metadata.is_group else "generic"
        report.members, report.bytes_source, report.bytes_raw = len(absorbed.members), source.size, absorbed.raw_bytes
        report.blobs, report.warnings = len(absorbed.blob_numbers()), (*absorbed.notes, *absorbed.metadata.warnings())
        report.blobs_new = self._blobs.fresh(absorbed.new_numbers)[0]
        self._members += len(absorbed.members)
        self._taken.append(_Taken(candidate, report, source, absorbed, order, absorbed.content_id(order), recipe))
        report.exact, report.exact_reason = recipe.found, recipe.details.get("reason")

    def _start(self, path: Path, total: int) -> None:
        if self._progress is not None:
            self._progress.start(f"ingest {path.name}", total)

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(done)

    # --- the commit ----------------------------------------------------------------------------------------------

    def _finish(self) -> LogRecord | None:
        if self._frames is not None:
            self._frames.flush()
        for taken in self._taken:
            taken.report.blobs_new, taken.report.bytes_stored = self._blobs.fresh(taken.absorbed.new_numbers)
            taken.report.bytes_stored += self._blobs.fresh(taken.recipe.new_numbers)[1]
        if self._options.dry_run:
            self._place_all()
            return None
        written = {item.record.id: item for item in self._packer.finish()}
        added = [taken for taken, place in zip(self._taken, self._place_all(), strict=True) if not place.unchanged]
        needed = {pack for taken in added for pack in self._packs(taken)}
        self._drop([pack for pack in written if pack not in needed])
        if not added:
            return None
        manifest = self._manifest(added)
        packs = [self._uploads.packs[pack] for pack in sorted(needed & self._uploads.packs.keys())]
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

    def _build(self, head: Head, packs: Sequence[PackAdded], manifest: ManifestAdded) -> Entry | None:
        archives = [
            self._archive(taken, place, manifest)
            for taken, place in zip(self._taken, self._place_all(), strict=True)
            if not place.unchanged
        ]
        if not archives:
            return None
        # The run that was interrupted can have committed at its last moment: what is there is not added again.
        there = self._vault.state.known("packs", [pack.id for pack in packs])
        return replace(
            self._entry, number=head.number + 1, previous=head.digest, archives=tuple(archives),
            packs=tuple(pack for pack in packs if pack.id not in there), manifests=(manifest,),
        )  # fmt: skip

    def _archive(self, taken: _Taken, place: naming.Place, manifest: ManifestAdded) -> ArchiveAdded:
        if taken.rows is None:
            # It was unchanged when the manifest was made; its twin has been forgotten since: begin again.
            raise DeadObjectsError("a version was forgotten while its copy came in.")
        report, rows = taken.report, taken.rows
        return ArchiveAdded(
            place.sample, place.version, manifest.id, rows.first_group, rows.groups, rows.rows,
            taken.content_id, taken.absorbed.layout_id, report.kind or "generic", report.members,
            report.bytes_source, report.bytes_raw, report.blobs, report.blobs_new, report.bytes_stored,
            asdict(taken.source), tuple(taken.absorbed.metadata.analyses), report.warnings,
            tuple(sorted(self._packs(taken))), taken.absorbed.comment.hex(), recipe=taken.recipe.record(self._blobs),
        )  # fmt: skip

    # --- names ---------------------------------------------------------------------------------------------------

    def _wanted(self, candidate: Candidate) -> str:
        return self._options.sample or candidate.name

    def _decide(self, newcomer: naming.Newcomer, batch: Sequence[Version] = ()) -> naming.Place:
        def versions_of(name: str) -> list[Version]:
            return [*self._vault.state.versions("v.sample = ?", (name,)), *(v for v in batch if v.sample == name)]

        def next_version(name: str) -> int:
            newest = max((v.version for v in batch if v.sample == name), default=0)
            return max(self._vault.state.next_version(name), newest + 1)

        return naming.decide(newcomer, versions_of, next_version)

    def _place_all(self) -> list[naming.Place]:
        """Decide for the whole batch at the folded head, each archive beside those before it; tell the reports."""
        places: list[naming.Place] = []
        batch: list[Version] = []
        for taken in self._taken:
            newcomer = self._newcomer(taken, batch)
            place = self._decide(newcomer, batch)
            report = taken.report
            report.status = "unchanged" if place.unchanged else "added"
            report.sample, report.version = place.sample, place.version
            report.renamed_from = newcomer.wanted if place.sample != newcomer.wanted else None
            report.duplicate_of = None if place.unchanged else self._twin(taken, batch)
            places.append(place)
            if not place.unchanged:
                batch.append(self._provisional(taken, place))
        return places

    def _newcomer(self, taken: _Taken, batch: Sequence[Version]) -> naming.Newcomer:
        in_batch = {version.name: other for version, other in zip(batch, self._added_before(taken), strict=True)}
        met = taken.absorbed.arrays_met

        def shares_array(version: Version) -> bool:
            if not met:
                return False
            if version.name in in_batch:
                return not met.isdisjoint(data_digests(in_batch[version.name].absorbed))
            return any(row.digest in met for row in self._vault.rows_between(version, "data/", "data0"))

        return naming.Newcomer(
            self._wanted(taken.candidate), self._options.sample is not None, taken.content_id,
            taken.absorbed.layout_id, taken.source, frozenset(taken.absorbed.metadata.analyses), shares_array,
        )  # fmt: skip

    def _added_before(self, taken: _Taken) -> Iterator[_Taken]:
        for other in self._taken:
            if other is taken:
                return
            if other.report.status == "added":
                yield other

    def _provisional(self, taken: _Taken, place: naming.Place) -> Version:
        archive = ArchiveAdded(
            place.sample, place.version, "", 0, 0, 0, taken.content_id, taken.absorbed.layout_id, "", 0, 0, 0, 0, 0, 0,
            asdict(taken.source), tuple(taken.absorbed.metadata.analyses),
        )  # fmt: skip
        return Version(0, "", "live", archive)

    def _twin(self, taken: _Taken, batch: Sequence[Version]) -> str | None:
        same = self._vault.state.versions("status = 'live' AND v.content_id = ?", (taken.content_id,))
        same += [version for version in batch if version.archive.content_id == taken.content_id]
        return same[0].name if same else None


def ingest(
    vault: Vault, paths: Sequence[Path], *, tree: bool, options: Options, tool: str, progress: Progress | None = None
) -> IngestReport:
    """Search `paths` for archives and take them in."""
    found = finding.find(paths, tree=tree)
    if not found.archives and not options.dry_run:
        names = ", ".join(str(path) for path in paths)
        raise NotFoundError(
            "no archive is in there.",
            where=names,
            hint="Looked for .plzip, .pl7z, .zip, .7z and unpacked groups; `--tree` takes any folder.",
        )
    return Ingest(vault, options, tool, progress).run(found.archives, found.unrecognised)
