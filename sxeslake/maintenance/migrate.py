"""Migration in the lake: a version in a newer form becomes the next version of its sample; only JSON is moved."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from blake3 import blake3

from sxeslake.archive.migration.contents import GroupContents
from sxeslake.archive.migration.files import migrated_members
from sxeslake.archive.migration.plan import MigrationPlan, check_form, plan_migration
from sxeslake.archive.migration.report import MigrationReport
from sxeslake.archive.names import NameBatch, check_safe
from sxeslake.archive.sxes.documents.listing import LEAST_POSITIONS, listing_in
from sxeslake.errors import DamagedLakeError, DeadObjectsError, SampleNotFoundError, SxeslakeError
from sxeslake.format import identity, keys
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded
from sxeslake.format.manifest import Blob, Hint, ManifestBuilder, ManifestRow, RowRange, footer_bytes
from sxeslake.format.rows import by_path, tables_of
from sxeslake.model import Digest, Progress
from sxeslake.reading.rows import MemberRows, joined
from sxeslake.text.html import Rows
from sxeslake.vault import refs
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, Version
from sxeslake.vault.packs.check import PackPresence, usable_places
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.holding import NewBlob
from sxeslake.vault.packs.packing import Packer, WrittenPack
from sxeslake.vault.vault import Vault

NO_FILE: Final = "it was migrated in the lake, and no file is its source"

_AT_ONCE: Final = 4096  # digests asked of the index at once
_ATTEMPTS: Final = 5  # a collector that condemns what is being reused is rare, twice in a row rarer


def migrate(
    vault: Vault,
    names: Sequence[str],
    *,
    to: str | None,
    dry_run: bool,
    tool: str,
    message: str | None,
    progress: Progress | None,
    told: Callable[[MigrationReport], None] | None,
) -> Rows[MigrationReport]:
    """Migrate the versions that names and globs mean; archives that are no groups only where they are named."""
    vault.sync()
    versions = refs.find_of_kind(vault.state, names, "sxes")
    reports = migrate_versions(vault, versions, to=to, dry_run=dry_run, tool=tool, message=message, progress=progress)
    return Rows.collected(reports, told)


def migrate_versions(
    vault: Vault,
    versions: Sequence[Version],
    *,
    to: str | None = None,
    dry_run: bool = False,
    tool: str,
    message: str | None = None,
    progress: Progress | None = None,
) -> Iterator[MigrationReport]:
    """Migrate versions one after the other, each in a commit of its own; one that fails does not stop the others."""
    form = check_form(to)
    if not dry_run:
        vault.check_writable()
        vault.sync_index()
    for version in versions:
        report = MigrationReport("failed", form, version.sample, version.version)
        try:
            if progress is not None:
                progress.start(f"migrate {version.name}", None)
            _again(vault, version, report, dry_run=dry_run, tool=tool, message=message)
        except SxeslakeError as error:
            if len(versions) == 1:
                raise
            report.status, report.error, report.exit_code = "failed", str(error), error.exit_code
        finally:
            if progress is not None:
                progress.finish()
        yield report


def _again(
    vault: Vault, version: Version, report: MigrationReport, *, dry_run: bool, tool: str, message: str | None
) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            with vault.reading(version):
                _Migration(vault, version, report, tool, message).run(dry_run=dry_run)
        except DeadObjectsError:
            if attempt == _ATTEMPTS - 1:
                raise
            vault.sync()
            vault.sync_index()
        else:
            return


class _Migration:
    """One version on its way to a newer form."""

    def __init__(self, vault: Vault, version: Version, report: MigrationReport, tool: str, message: str | None) -> None:
        self._vault, self._version, self._report = vault, version, report
        said = f"{version.name} migrated to {report.form}"
        self._entry = blank_entry(tool, f"{message} ({said})" if message else said)

    def run(self, *, dry_run: bool) -> None:
        """Plan, and write what is new; nothing is committed where the version has that form already."""
        members = MemberRows(self._vault, self._version)
        table = joined([found for found, _ in members.below([""])])
        rows = sorted(members.rows(table), key=lambda row: row.ordinal)
        plan = plan_migration(self._contents(members, rows), self._report.form, where=self._version.name)
        self._report.steps, self._report.members = plan.steps, plan.members
        self._report.bytes_written = sum(map(len, plan.written.values()))
        if not plan.changes:
            self._report.status = "unchanged"
        elif dry_run:
            self._report.status = "planned"
        else:
            self._write(rows, plan)

    def _contents(self, members: MemberRows, rows: Sequence[ManifestRow]) -> GroupContents:
        def read(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
            return members.read(joined([found for found, _ in members.at(paths)]))

        files = ((row.member.path, row.member.size) for row in rows if row.member.kind == "file")
        return GroupContents.of(files, read, self._version.archive.source.get("encoding"))

    # --- the new version -----------------------------------------------------------------------------------------

    def _write(self, rows: Sequence[ManifestRow], plan: MigrationPlan) -> None:
        chunk_bytes = self._vault.file.chunk_bytes
        made = list(_migrated(rows, plan, chunk_bytes))
        names = NameBatch([row.member.path for row in made], [row.member.kind == "directory" for row in made])
        check_safe([names], where=self._version.name)
        ordered = by_path(made)
        content_id = identity.content_id((row.member, row.digest) for row in ordered)
        layout_id = identity.layout_id(row.member for row in made)
        if self._is_there(content_id, layout_id):
            return
        chunks = ((path, chunk) for path, data in plan.written.items() for chunk in _chunks(data, chunk_bytes))
        fresh = {blake3(chunk).digest(): (path, chunk) for path, chunk in chunks}
        places = self._places({blob.digest for row in made for blob in row.blobs}, fresh.keys())
        new = {digest: item for digest, item in fresh.items() if digest not in places}
        _check_whole(made, places.keys() | new.keys(), self._version)
        stored, written = self._store(new, places)
        manifest, where = self._manifest(ordered, places, plan)
        before = self._version.archive
        archive = ArchiveAdded(
            before.sample, 0, manifest.id, where.first_group, where.groups, where.rows, content_id, layout_id,
            before.kind, len(made), self._raw_bytes(made), self._raw_bytes(made),
            len({blob.digest for row in made for blob in row.blobs}), len(new), stored,
            _source_of(self._version, self._raw_bytes(made)), before.analyses, before.warnings,
            tuple(sorted({hint.pack for hint in places.values()})), before.comment, recipe={"reason": NO_FILE},
        )  # fmt: skip
        self._commit(archive, manifest, written)

    def _is_there(self, content_id: str, layout_id: str) -> bool:
        """Whether a version of the sample is what this one would become: it was migrated before."""
        there = self._vault.state.versions(
            "status = 'live' AND v.sample = ? AND v.content_id = ? AND v.layout_id = ?",
            (self._version.sample, content_id, layout_id),
        )
        if there:
            self._report.status, self._report.to_version = "unchanged", there[-1].version
        return bool(there)

    @staticmethod
    def _raw_bytes(rows: Sequence[ManifestRow]) -> int:
        return sum(row.member.size for row in rows)

    def _places(self, digests: set[Digest], at_hand: Set[Digest]) -> dict[Digest, Hint]:
        """Where blobs stand now, of those that the lake has; one that is at hand is not sought in a damaged pack."""
        asked, found = sorted(digests), dict[Digest, Blob]()
        for start in range(0, len(asked), _AT_ONCE):
            found |= self._vault.find(asked[start : start + _AT_ONCE])
        check = PackPresence(self._vault.store, self._vault.state)
        there = {digest: blob for digest, blob in found.items() if digest in at_hand}
        usable = usable_places(self._vault, check, there, frozenset()) if there else {}
        kept = {digest: blob for digest, blob in found.items() if digest not in at_hand} | usable
        return {digest: blob.hint for digest, blob in kept.items() if blob.hint is not None}

    def _store(
        self, new: dict[Digest, tuple[str, bytes]], places: dict[Digest, Hint]
    ) -> tuple[int, Sequence[WrittenPack]]:
        """Upload what the lake lacks; adds its places, and says how many bytes it takes."""
        digests, total = list(new), 0

        def placed(number: int, hint: Hint, share: int) -> None:
            nonlocal total
            places[digests[number]] = hint
            total += share

        packer = Packer(self._vault.store)
        frames = FrameMaker(packer, placed, self._vault.threads)
        try:
            for number, (digest, (path, data)) in enumerate(new.items()):
                frames.add(path, NewBlob(number, digest, data))
            frames.flush()
            return total, packer.finish()
        finally:
            frames.close()
            packer.close()

    def _manifest(
        self, rows: Sequence[ManifestRow], places: dict[Digest, Hint], plan: MigrationPlan
    ) -> tuple[ManifestAdded, RowRange]:
        builder, manifest_id = ManifestBuilder(), keys.new_id()

        def hint_of(blob: Blob) -> Hint | None:
            return places.get(blob.digest)

        metadata = plan.metadata if len(rows) >= LEAST_POSITIONS else b""
        where = builder.add(tables_of(rows, hint_of, builder, listing_in(metadata)))
        data = builder.finish()
        self._vault.store.create(keys.manifest_key(manifest_id), data)
        footer = footer_bytes(data)
        digests = blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest()
        return ManifestAdded(manifest_id, len(data), footer, *digests), where

    def _commit(self, archive: ArchiveAdded, manifest: ManifestAdded, written: Sequence[WrittenPack]) -> None:
        version, state = self._version, self._vault.state

        def build(head: Head) -> Entry | None:
            if state.live_version(version.sample, version.version) is None:
                raise SampleNotFoundError(f"{version.name} was forgotten meanwhile; nothing was migrated.")
            if self._is_there(archive.content_id, archive.layout_id):
                return None  # somebody else was first
            self._report.to_version = state.next_version(version.sample)
            return replace(
                self._entry, number=head.number + 1, previous=head.digest, manifests=(manifest,),
                archives=(replace(archive, version=self._report.to_version),),
                packs=tuple(item.record for item in written),
            )  # fmt: skip

        record = self._vault.commit(build)
        if record is not None:
            self._vault.index.add([item.footer for item in written])
            self._report.status, self._report.commit = "migrated", record.entry.number


def _migrated(rows: Sequence[ManifestRow], plan: MigrationPlan, chunk_bytes: int) -> Iterator[ManifestRow]:
    """The rows of the new version, in archive order; those that no step names stand as they stood."""
    last = max((row.ordinal for row in rows), default=-1)
    for old, member in migrated_members([row.member for row in rows], plan):
        data = plan.written.get(member.path)
        if old is None:
            last += 1
        ordinal = last if old is None else rows[old].ordinal
        if data is None:
            assert old is not None  # only what is written is new
            yield rows[old]._replace(member=member)
            continue
        blobs = tuple(Blob(blake3(chunk).digest(), len(chunk), None) for chunk in _chunks(data, chunk_bytes))
        yield ManifestRow(replace(member, crc32=zlib.crc32(data)), ordinal, blake3(data).digest(), blobs)


def _chunks(data: bytes, chunk_bytes: int) -> list[bytes]:
    """A member as the lake cuts it."""
    return [data[start : start + chunk_bytes] for start in range(0, len(data), chunk_bytes)]


def _check_whole(rows: Sequence[ManifestRow], places: Set[Digest], version: Version) -> None:
    lost = [row.member.path for row in rows if any(blob.digest not in places for blob in row.blobs)]
    if lost:
        more = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise DamagedLakeError(
            f"the lake has lost the content of {lost[0]}{more}.", where=version.name, hint="Run `sxeslake repair`."
        )


def _source_of(version: Version, size: int) -> dict[str, Any]:
    """The source of a version that no file is: name and container of the one it was made from, and which that was."""
    before = version.archive.source
    kept = {key: before[key] for key in ("name", "container", "modified_ns", "encoding") if key in before}
    return {"path": "", "host": "", **kept, "size": size, "sha256": None, "migrated_from": version.name}
