"""Copy: archives of one lake into another. What is there stays as it is; every blob is hashed on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from blake3 import blake3

from sxeslake.errors import DamagedLakeError, DeadObjectsError, ObjectNotFoundError
from sxeslake.format import keys
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded
from sxeslake.format.manifest import Blob, Hint, ManifestBuilder, ManifestRow, RowRange, footer_bytes
from sxeslake.format.rows import HintOf, tables_of
from sxeslake.maintenance.copy import marks as copy_marks
from sxeslake.maintenance.gc.digests import among, keys_of, needed_by
from sxeslake.maintenance.gc.rewrite import rewrite
from sxeslake.maintenance.report import Copied, CopyReport
from sxeslake.maintenance.retention.readding import free_number, origin_of
from sxeslake.model import GIB, Digest, Progress
from sxeslake.vault import refs
from sxeslake.vault.listings import listing_of
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogRecord, Version
from sxeslake.vault.packs.check import PackPresence, usable_places
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.holding import NewBlob
from sxeslake.vault.packs.packing import Packer, WrittenPack
from sxeslake.vault.presence import Presence
from sxeslake.vault.recipes import RECIPE_PATH, as_record, recipe_blobs
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_BATCH_ARCHIVES = 256  # an entry stays well below its limit of 1 MiB
_BATCH_MEMBERS = 500_000  # bounds the memory of what is looked up
_BATCH_BYTES = 4 * GIB  # raw: what an interruption can cost
_ATTEMPTS = 5  # a collector in the target that condemns what is being reused is rare, twice in a row rarer
_AT_ONCE = 4096  # digests asked of an index at once


class _Missing(NamedTuple):
    """A blob that the target lacks, and a member that it is of."""

    blob: Blob
    path: str


class CopyRun:
    """One run from one lake into another."""

    def __init__(self, source: Vault, target: Vault, tool: str, progress: Progress | None = None) -> None:
        target.check_writable()
        self._source, self._target, self._tool, self._progress = source, target, tool, progress
        self._check = PackPresence(target.store, target.state)
        self.report = CopyReport(source.store.url, target.store.url)

    def run(self, versions: Sequence[Version], *, whole: bool) -> CopyReport:
        """Copy what the target lacks, the oldest first; batch by batch, so that an interruption costs one batch.

        `whole` brings what belongs to the lake and to no archive: its calibrations.
        """
        left = self._left(versions)
        _LOG.info("%d of %d versions to copy", len(left), len(versions))
        try:
            if self._progress is not None:
                self._progress.start("copy", sum(version.archive.bytes_raw for version in left))
            for batch in _batches(left):
                self._batch_again(batch)
        finally:
            if self._progress is not None:
                self._progress.finish()
        copy_marks.copy(self._source, self._target, self.report, self._tool, whole=whole)
        return self.report

    def foresee(self, versions: Sequence[Version], *, whole: bool) -> CopyReport:
        """What `run` would do, by member tables and by which packs are there; nothing is written."""
        self.report.dry_run = True
        presence, counted = Presence(self._source), set[Digest]()
        for version in self._left(versions):
            fault = presence.fault(version)
            status = "copied" if fault is None else "failed"
            self.report.archives.append(Copied(version.sample, version.version, None, status, fault))
            if fault is not None:
                continue
            sizes = {blob.digest: blob.size for row in self._source.rows(version) for blob in row.blobs}
            fresh = sorted(sizes.keys() - counted)
            counted.update(fresh)
            for start in range(0, len(fresh), _AT_ONCE):
                some = fresh[start : start + _AT_ONCE]
                there = self._target.index.find(some, live=self._target.state.live_packs)
                self.report.bytes_raw += sum(sizes[digest] for digest in some if digest not in there)
        missing = copy_marks.missing_calibrations(self._source.state, self._target.state)
        self.report.calibrations = sum(1 for _ in missing) if whole else 0
        return self.report

    def _left(self, versions: Sequence[Version]) -> list[Version]:
        """The versions that the target lacks, the oldest first; the others are reported."""
        self._target.sync()
        self._target.sync_index()
        left = []
        for version in sorted(versions, key=lambda version: (version.number, version.archive.version)):
            there = _present(self._target, version.archive)
            if there is None:
                left.append(version)
            else:
                self.report.archives.append(Copied(version.sample, version.version, there, "present"))
        return left

    def _batch_again(self, versions: Sequence[Version]) -> None:
        for attempt in range(_ATTEMPTS):
            batch = _CopyBatch(self._source, self._target, self._tool, self._check, self._advance)
            try:
                archives, record = batch.run(versions)
            except DeadObjectsError:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._target.sync()
                self._target.sync_index()
            else:
                self.report.archives += archives
                self.report.bytes_raw += batch.bytes_raw
                self.report.bytes_written += batch.bytes_written
                self.report.commits += [record.entry.number] if record is not None else []
                return

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(done)


def _present(target: Vault, archive: ArchiveAdded) -> int | None:
    """The version of the target that this archive is already, under the same name."""
    same = target.state.versions(
        "status <> 'collected' AND v.sample = ? AND v.content_id = ? AND v.layout_id = ?",
        (archive.sample, archive.content_id, archive.layout_id),
    )
    equal = [version.version for version in same if version.version == archive.version]
    return equal[0] if equal else same[0].version if same else None


def _batches(versions: Sequence[Version]) -> Iterator[list[Version]]:
    batch: list[Version] = []
    members, size = 0, 0
    for version in versions:
        archive = version.archive
        full = members + archive.members > _BATCH_MEMBERS or size + archive.bytes_raw > _BATCH_BYTES
        if batch and (full or len(batch) >= _BATCH_ARCHIVES):
            yield batch
            batch, members, size = [], 0, 0
        batch.append(version)
        members += archive.members
        size += archive.bytes_raw
    if batch:
        yield batch


class _CopyBatch:
    """Some archives that go into the target's log together."""

    def __init__(
        self, source: Vault, target: Vault, tool: str, check: PackPresence, advance: Callable[[int], None]
    ) -> None:
        self._source, self._target, self._check, self._advance = source, target, check, advance
        self._entry = blank_entry(tool, f"copied from {source.store.url}")
        self._failed: dict[str, str] = {}
        self._recipes: dict[str, Mapping[str, Any]] = {}  # as the target's log says them
        self._new_of: dict[str, tuple[int, int]] = {}  # version → blobs and raw bytes that it was the first to bring
        self.bytes_written = 0

    def run(self, versions: Sequence[Version]) -> tuple[list[Copied], LogRecord | None]:
        """Copy blobs, then member tables, then commit."""
        missing = self._missing(versions)
        _LOG.debug("batch of %d versions: %d blobs are missing in the target", len(versions), len(missing))
        written = self._copy_blobs(missing)
        self.bytes_written = sum(item.record.bytes for item in written)
        self._target.index.add([item.footer for item in written])
        made = {item.record.id for item in written}
        manifest, rows, needs = self._manifest([v for v in versions if v.name not in self._failed], made)
        places: dict[str, int] = {}
        record = None
        if manifest is not None:
            packs = [item for item in written if any(item.record.id in packs for packs in needs.values())]
            archives = {name: self._archive(version, manifest, where, needs[name], written)
                        for name, (version, where) in rows.items()}  # fmt: skip
            with self._target.having_found(lambda: self._check.found):
                record = self._target.commit(self._build(archives, packs, manifest, places))
        return [self._told(version, places, record) for version in versions], record

    @property
    def bytes_raw(self) -> int:
        """Bytes of content, unpacked, that the target lacked."""
        return sum(size for _, size in self._new_of.values())

    def _told(self, version: Version, places: Mapping[str, int], record: LogRecord | None) -> Copied:
        name = version.name
        if name in self._failed:
            return Copied(version.sample, version.version, None, "failed", self._failed[name])
        if record is None or name not in places:
            return Copied(version.sample, version.version, _present(self._target, version.archive), "present")
        return Copied(version.sample, version.version, places[name], "copied")

    # --- what is missing -----------------------------------------------------------------------------------------

    def _missing(self, versions: Sequence[Version]) -> dict[Digest, _Missing]:
        """The blobs that the target lacks, with the place of each in the source."""
        missing: dict[Digest, _Missing] = {}
        for version in versions:
            try:
                table = self._source.manifests.table(version)
                digests = np.unique(needed_by(version.archive, table).view("V32").ravel())
                lacking = self._lacking([bytes(digest) for digest in digests]) - missing.keys()
                count, size = 0, 0
                for row in self._source.rows(version, by_path=True) if lacking else ():
                    for blob in row.blobs:
                        if blob.digest in lacking and blob.digest not in missing:
                            missing[blob.digest] = _Missing(blob, row.member.path)
                            count, size = count + 1, size + blob.size
                for blob in recipe_blobs(version.archive):
                    if blob.digest in lacking:
                        missing.setdefault(blob.digest, _Missing(blob, RECIPE_PATH))
                self._new_of[version.name] = count, size
                self._advance(version.archive.bytes_raw - size)
            except (DamagedLakeError, ObjectNotFoundError) as error:
                self._failed[version.name] = str(error)
        return missing

    def _lacking(self, digests: Sequence[Digest]) -> set[Digest]:
        lacking = set(digests)
        for start in range(0, len(digests), _AT_ONCE):
            found = self._target.find(digests[start : start + _AT_ONCE])
            lacking -= usable_places(self._target, self._check, found, frozenset()).keys()
        return lacking

    # --- blobs ---------------------------------------------------------------------------------------------------

    def _copy_blobs(self, missing: dict[Digest, _Missing]) -> list[WrittenPack]:
        packer = Packer(self._target.store)
        frames = FrameMaker(packer, lambda *_: None, self._source.threads)
        try:
            left = self._copy_frames(missing, packer)
            self._copy_singly({digest: missing[digest] for digest in left}, frames)
            frames.flush()
            return packer.finish()
        finally:
            frames.close()
            packer.close()

    def _copy_frames(self, missing: dict[Digest, _Missing], packer: Packer) -> set[Digest]:
        """Frames as they stand, pack after pack of the source; says which blobs could not be had that way."""
        left = set(missing)
        hints = {item.blob.hint.pack for item in missing.values() if item.blob.hint is not None}
        live = self._source.state.live_packs(sorted(self._source.state.resolved(sorted(hints))))
        for pack_id in sorted(live):
            record = self._source.state.pack(pack_id)
            wanted = np.sort(keys_of(np.frombuffer(b"".join(left), np.uint8).reshape(-1, 32)))
            try:
                footer = self._source.footer(record)
                keep = among(keys_of(footer.digests), wanted)
                if keep.any():
                    rewrite(self._source, packer, record.kind, footer, keep, lambda _: None)
                    self._advance(int(footer.sizes[keep].sum(dtype=np.uint64)))
                    left -= {digest.tobytes() for digest in footer.digests[keep]}
            except (DamagedLakeError, ObjectNotFoundError):
                continue  # something in it is wrong: its blobs are asked for one by one
        return left

    def _copy_singly(self, missing: Mapping[Digest, _Missing], frames: FrameMaker) -> None:
        items = list(missing.values())
        for start in range(0, len(items), 64):
            part = items[start : start + 64]
            found = self._source.blobs.fetch_some([item.blob for item in part])
            for number, (item, data) in enumerate(zip(part, found, strict=True), start):
                if data is not None:
                    frames.add(item.path, NewBlob(number, item.blob.digest, data))
                    self._advance(len(data))

    # --- member tables -------------------------------------------------------------------------------------------

    def _manifest(
        self, versions: Sequence[Version], made: set[str]
    ) -> tuple[ManifestAdded | None, dict[str, tuple[Version, RowRange]], dict[str, set[str]]]:
        builder, manifest_id = ManifestBuilder(), keys.new_id()
        rows: dict[str, tuple[Version, RowRange]] = {}
        needs: dict[str, set[str]] = {}
        for version in versions:
            table = list(self._source.rows(version, by_path=True))
            found = self._places(table, made)
            lost = [row.member.path for row in table if any(blob.digest not in found for blob in row.blobs)]
            if lost:
                more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
                self._failed[version.name] = f"the source has lost the content of {lost[0]}{more}."
                continue
            listing = listing_of(self._source.blobs, table, lambda blob: blob.hint)
            rows[version.name] = version, builder.add(tables_of(table, _hints(found), builder, listing))
            needs[version.name] = {blob.hint.pack for blob in found.values() if blob.hint is not None}
            needs[version.name] |= self._place_recipe(version, made)
        if not rows:
            return None, rows, needs
        data = builder.finish()
        self._target.store.create(keys.manifest_key(manifest_id), data)
        footer = footer_bytes(data)
        digests = blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest()
        return ManifestAdded(manifest_id, len(data), footer, *digests), rows, needs

    def _places(self, table: Sequence[ManifestRow], made: set[str]) -> dict[Digest, Blob]:
        """Where the blobs of an archive stand in the target, in packs that are alive or that this batch adds."""
        return self._find([*{blob.digest for row in table for blob in row.blobs}], made)

    def _place_recipe(self, version: Version, made: set[str]) -> set[str]:
        """Where a version's recipe stands in the target; without it the copy is not exact."""
        wanted = recipe_blobs(version.archive)
        found = self._find([blob.digest for blob in wanted], made)
        if not wanted:
            self._recipes[version.name] = version.archive.recipe
            return set()
        if any(blob.digest not in found for blob in wanted):
            self._recipes[version.name] = {"reason": "the lake that it was copied from has lost the recipe"}
            return set()
        more = {key: value for key, value in version.archive.recipe.items() if key != "blobs"}
        self._recipes[version.name] = as_record([found[blob.digest] for blob in wanted], **more)
        return {blob.hint.pack for blob in found.values() if blob.hint is not None}

    def _find(self, digests: Sequence[Digest], made: set[str]) -> dict[Digest, Blob]:
        found: dict[Digest, Blob] = {}
        for start in range(0, len(digests), _AT_ONCE):
            there = self._target.index.find(
                digests[start : start + _AT_ONCE],
                live=lambda packs: self._target.state.live_packs(packs) | (made & set(packs)),
            )
            found |= usable_places(self._target, self._check, there, made)
        return found

    # --- the commit ----------------------------------------------------------------------------------------------

    def _archive(
        self,
        version: Version,
        manifest: ManifestAdded,
        where: RowRange,
        needs: set[str],
        written: Sequence[WrittenPack],
    ) -> ArchiveAdded:
        count, size = self._new_of[version.name]
        stored, raw = (sum(getattr(item.record, name) for item in written) for name in ("bytes", "raw_bytes"))
        origin = origin_of(self._source.state, self._source.file.lake_id, version)
        origin.pop("place", None)  # which is in the source's log
        return replace(
            version.archive, manifest=manifest.id, first_group=where.first_group, groups=where.groups, rows=where.rows,
            needs=tuple(sorted(needs)), blobs_new=count, bytes_stored=stored * size // raw if raw else 0,
            origin=origin, recipe=self._recipes[version.name],
        )  # fmt: skip

    def _build(
        self,
        archives: Mapping[str, ArchiveAdded],
        packs: Sequence[WrittenPack],
        manifest: ManifestAdded,
        places: dict[str, int],
    ) -> Callable[[Head], Entry | None]:
        def build(head: Head) -> Entry | None:
            places.clear()
            added: list[ArchiveAdded] = []
            for name, archive in archives.items():
                if _present(self._target, archive) is None:
                    places[name] = free_number(self._target.state, archive, added)
                    added.append(replace(archive, version=places[name]))
            if not added:
                return None
            return replace(
                self._entry, number=head.number + 1, previous=head.digest, archives=tuple(added),
                packs=tuple(item.record for item in packs), manifests=(manifest,),
            )  # fmt: skip

        return build


def _hints(found: Mapping[Digest, Blob]) -> HintOf:
    def hint_of(blob: Blob) -> Hint | None:
        return found[blob.digest].hint

    return hint_of


def copy(
    source: Vault, target: Vault, names: Sequence[str], *, dry_run: bool, tool: str, progress: Progress | None = None
) -> CopyReport:
    """Copy the versions that names and globs mean, or the whole lake where none is given."""
    with source.from_bucket() as origin, target.from_bucket() as into:
        versions = refs.find_all(origin.state, names) if names else origin.state.versions()
        work = CopyRun(origin, into, tool, progress)
        return work.foresee(versions, whole=not names) if dry_run else work.run(versions, whole=not names)
