"""Repair: put right what verify finds wrong, from what is left, from caches and copies, and from what is offered.

Nothing is overwritten but a log entry (or `lake.json`) by its own bytes: damaged packs and manifests are condemned,
and new ones take their place. What cannot be repaired is listed, and the rest stays readable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sxeslake.errors import DamagedLakeError, InputError, ReadOnlyError
from sxeslake.format import keys, logentry
from sxeslake.format.checkpoint import Stored
from sxeslake.format.logentry import Entry, ManifestAdded, Moved
from sxeslake.format.manifest import ManifestRow
from sxeslake.maintenance.gc.digests import among, blobs_of, keys_of
from sxeslake.maintenance.gc.leftovers import LeftoverOffer
from sxeslake.maintenance.repair import log as mend_log
from sxeslake.maintenance.repair.log import LogMender
from sxeslake.maintenance.repair.manifests import Found, NewManifest, salvaged
from sxeslake.maintenance.repair.offers import ArchiveOffer, BlobSpool, LakeOffer, Offer, Search, ids_of
from sxeslake.maintenance.repair.packs import PackMender, places_of
from sxeslake.maintenance.repair.recommit import CommitAgain
from sxeslake.maintenance.report import Lost, Mended, OfferFault, RepairReport, VerifyReport
from sxeslake.maintenance.verify.findings import Findings
from sxeslake.maintenance.verify.log import LogCheck
from sxeslake.maintenance.verify.packs import Extent
from sxeslake.maintenance.verify.run import Verifier
from sxeslake.model import Digest, Progress
from sxeslake.text.wording import said
from sxeslake.vault.log import segments
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogRecord, Version
from sxeslake.vault.packs.packing import WrittenPack
from sxeslake.vault.recipes import recipe_digests
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

U8 = npt.NDArray[np.uint8]

_RECIPE_LOST = "how its original file is rebuilt is lost; `sxeslake exact` with the file finds that out again"


class _Tables(NamedTuple):
    """Member tables of the versions that damage touches: blobs as arrays, rows of what is rewritten."""

    blobs: dict[str, U8]
    rows: Found
    unreadable: list[Version]


class Repair:
    """One repair of one lake."""

    def __init__(
        self,
        vault: Vault,
        offers: Sequence[Offer],
        tool: str,
        *,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> None:
        if not dry_run:
            vault.file.check_writable(vault.store.url)
        self._vault, self._tool, self._progress = vault, tool, progress
        self._offers: list[Offer] = [LeftoverOffer(vault), *offers]
        self._dry_run = dry_run
        self._displaced: list[LogRecord] = []
        self.report = RepairReport(dry_run=dry_run)

    def run(self) -> RepairReport:
        """Look, repair, and say what became of it."""
        self._mend_log()
        if self._is_stuck():
            return self.report
        self._commit_again()
        if not self._dry_run:
            self._vault.index.clear()  # derived: rebuilt from footers
        self._vault.sync_index()
        verifier = Verifier(self._vault, Extent(data=True), self._progress)
        self.report.problems += len(verifier.run().problems)
        findings = verifier.findings
        damaged = len(findings.packs), len(findings.manifests), len(findings.lost)
        _LOG.info("damaged: %d packs, %d manifests; %d versions lack blobs", *damaged)
        if findings.checkpoints:
            self.report.mended += mend_log.checkpoints(self._vault, dry_run=self._dry_run)
        if findings.packs or findings.manifests or findings.lost:
            self._mend_objects(findings)
        self._check_opens()
        self.report.ok = not self.report.lost
        return self.report

    def _is_stuck(self) -> bool:
        """Whether nothing can be committed, as an entry is of a later format, or could not be put back."""
        if self._dry_run or not (self._vault.damage or self._vault.file_damage):
            return False
        self._check_opens()
        self.report.ok = False
        return True

    def _check_opens(self) -> None:
        """List what somebody who opens the lake now would still be told."""
        if self._dry_run:
            return
        vault = Vault(self._vault.store, None)
        try:
            known = {lost.archive for lost in self.report.lost}
            left = [(keys.log_key(damage.number), damage.detail) for damage in vault.damage]
            left += [(keys.LAKE, vault.file_damage)] if vault.file_damage else []
            self.report.lost += [Lost(key, None, f"still damaged: {what}") for key, what in left if key not in known]
        finally:
            vault._release()

    # --- the log -------------------------------------------------------------------------------------------------

    def _mend_log(self) -> None:
        found, seen = Findings(), VerifyReport()
        LogCheck(self._vault, seen, found).run(checkpoints=False)
        self._displaced = self._known_forks()
        if not found.lake_file and not found.log_entries and not found.strays:
            return
        self.report.problems += len(seen.problems) if not self._dry_run else 0  # a dry run meets them again
        others = [offer.vault.store for offer in self._offers if isinstance(offer, LakeOffer)]
        mender = LogMender(self._vault, others, self._tool, dry_run=self._dry_run)
        if found.lake_file:
            mender.lake_file()
        mender.entries(found.log_entries)
        mender.strays(found.strays)
        self._displaced += mender.displaced
        self.report.mended += mender.mended
        self.report.lost += mender.lost
        if mender.mended and not self._dry_run:
            self._vault.reload()

    def _known_forks(self) -> list[LogRecord]:
        """Entries that this machine has read, and in whose place the log has others now."""
        found: list[LogRecord] = []
        kept = [stored for _, stored in self._vault.displaced()]
        memory = self._vault.memory
        if memory is not None:
            kept += [
                Stored(data, body)
                for number, digest, data, body in memory.log()
                if data and self._vault.state.digest(number) not in (None, digest)
            ]
        for stored in kept:
            with suppress(DamagedLakeError, ReadOnlyError):
                number = logentry.load(stored.data, stored.body, where="an entry kept here").number
                record = segments.record_of(number, stored, "an entry kept here")
                if record.digest != self._vault.state.digest(number):
                    found.append(record)
        return found

    def _commit_again(self) -> None:
        again = CommitAgain(self._vault, self._displaced, self._tool)
        self.report.problems += again.problems if not self._dry_run else len(self._displaced)
        self.report.commit = again.run(dry_run=self._dry_run)
        self.report.mended += again.mended
        self.report.lost += again.lost
        if not self._dry_run:
            for path, _ in self._vault.displaced():
                path.unlink(missing_ok=True)
                path.with_suffix(".body").unlink(missing_ok=True)

    # --- packs and manifests -------------------------------------------------------------------------------------

    def _mend_objects(self, findings: Findings) -> None:
        versions = self._touched(findings)
        tables = self._read_tables(versions, findings)
        mender = PackMender(self._vault, findings)
        spool = BlobSpool()
        try:
            wanted = mender.wanted(tables.blobs.values())
            asked: dict[tuple[str, str], list[ManifestRow] | None] = {
                ids_of(v.archive): None for v in tables.unreadable
            }
            search = Search(spool, wanted, asked, _recipes_lost(versions, wanted))
            self._search(search)
            # Tables that were found name blobs in their turn, which may be lost as well.
            for version in list(tables.unreadable):
                rows = asked[ids_of(version.archive)]
                if rows is not None:
                    tables.rows[version.name] = rows
                    recipe = recipe_digests([version.archive])
                    tables.blobs[version.name] = np.concatenate((_blobs_of_rows(rows), recipe))
                    tables.unreadable.remove(version)
            more = mender.wanted(tables.blobs.values()) - wanted
            if more:
                self._search(Search(spool, more, {}, _recipes_lost(versions, more)))
            wanted |= more
            self._list_lost({digest for digest in wanted if digest not in spool}, versions, tables)
            self._commit(findings, mender, tables, versions, spool, wanted)
        finally:
            spool.close()

    def _touched(self, findings: Findings) -> list[Version]:
        """The versions that need something which is damaged."""
        named = {version.name for versions in findings.manifests.values() for version in versions} | set(findings.lost)
        damaged = set(findings.packs)
        return [
            version
            for version in self._vault.state.versions("status <> 'collected'")
            if version.name in named or (damaged and damaged & self._vault.state.resolved(version.archive.needs))
        ]

    def _read_tables(self, versions: Sequence[Version], findings: Findings) -> _Tables:
        tables = _Tables({}, {}, [])
        for manifest_id, damaged in findings.manifests.items():
            tables.rows.update(salvaged(self._vault, manifest_id, damaged))
        in_damaged = {version.name for damaged in findings.manifests.values() for version in damaged}
        for version in versions:
            if version.name in tables.rows:
                tables.blobs[version.name] = _blobs_of_rows(tables.rows[version.name])
            elif version.name in in_damaged:
                tables.unreadable.append(version)
            else:
                tables.blobs[version.name] = blobs_of(self._vault.manifests.table(version))
            if version.name in tables.blobs:
                recipe = recipe_digests([version.archive])
                tables.blobs[version.name] = np.concatenate((tables.blobs[version.name], recipe))
        return tables

    def _search(self, search: Search) -> None:
        for offer in self._offers:
            if search.done:
                return
            try:
                offer.search(search)
            except (InputError, OSError) as error:
                fault = OfferFault(offer.name, str(error))
                if fault not in self.report.offer_faults:  # an offer may be searched twice
                    self.report.offer_faults.append(fault)

    def _list_lost(self, lost: set[Digest], versions: Sequence[Version], tables: _Tables) -> None:
        for version in tables.unreadable:
            self.report.lost.append(
                Lost(
                    version.name,
                    None,
                    said("its member table is lost; offer the archive with --from, or ingest it again"),
                )
            )
        if not lost:
            return
        lost_keys = np.sort(keys_of(np.frombuffer(b"".join(lost), np.uint8).reshape(-1, 32)))
        for version in versions:
            blobs = tables.blobs.get(version.name)
            if blobs is None or not among(keys_of(blobs), lost_keys).any():
                continue
            rows = tables.rows.get(version.name) or self._vault.rows(version)
            self.report.lost += [
                Lost(version.name, row.member.path, "nothing that was offered has its content")
                for row in rows
                if any(blob.digest in lost for blob in row.blobs)
            ]
            if _needs_recipe(version, lost):
                self.report.lost.append(Lost(version.name, None, said(_RECIPE_LOST)))

    # --- the commit ----------------------------------------------------------------------------------------------

    def _commit(
        self, findings: Findings, mender: PackMender, tables: _Tables, versions: Sequence[Version], spool: BlobSpool,
        wanted: set[Digest],
    ) -> None:  # fmt: skip
        packs = self._worth_it(mender, spool, wanted, versions)
        for pack_id in set(mender.remains) - set(packs):
            del mender.remains[pack_id]
        gone = [name for name, left in findings.manifests.items() if not any(v in tables.unreadable for v in left)]
        self.report.mended += [Mended("pack", keys.pack_key(item), "rewritten") for item in packs]
        self.report.mended += [
            Mended("manifest", keys.manifest_key(name), "rewritten")
            for name, left in findings.manifests.items()
            if name in gone or any(v.name in tables.rows for v in left)
        ]
        stray = [version for version in findings.lost.values() if version.name not in tables.rows and len(spool)]
        if self._dry_run or not (packs or gone or tables.rows or stray):
            return
        needed = self._needed(tables)
        if tables.unreadable:  # what those need is not known: nothing that is whole is dropped
            needed = np.unique(np.concatenate([needed, *(keys_of(i.footer.digests) for i in mender.remains.values())]))
        written = mender.write(needed, spool)
        new = NewManifest(self._vault, places_of(written))
        for version in versions:
            if version.name in tables.rows:
                new.add(version, tables.rows[version.name])
        manifests = (new.finish(),) if new.moved else ()
        anew = {(item.sample, item.version) for item in new.moved}
        without = {digest for digest in wanted if digest not in spool}
        moved = [*new.moved, *(self._extended(version, written) for version in stray)]
        moved += [
            self._extended(version, ())
            for version in versions
            if version not in stray
            and (version.sample, version.version) not in anew
            and _needs_recipe(version, without)
            and version not in tables.unreadable
        ]
        lacking = {(version.sample, version.version) for version in versions if _needs_recipe(version, without)}
        moved = [
            replace(item, recipe={"reason": _RECIPE_LOST}) if (item.sample, item.version) in lacking else item
            for item in moved
        ]
        made = {item.record.id for item in written}
        replaced = {item: tuple(sorted(made | mender.elsewhere)) for item in packs}
        self._vault.index.add([item.footer for item in written])
        record = self._vault.commit(self._entry(written, replaced, manifests, moved, gone))
        self.report.commit = record.entry.number if record is not None else self.report.commit

    def _worth_it(
        self, mender: PackMender, spool: BlobSpool, wanted: set[Digest], versions: Sequence[Version]
    ) -> list[str]:
        """The damaged packs that can be rewritten with something gained; others stay, for a better offer."""
        needed = self._vault.state.resolved(sorted({item for version in versions for item in version.archive.needs}))
        return [
            pack_id
            for pack_id, item in mender.remains.items()
            if pack_id not in needed
            or (
                (len(spool) or len(item.footer.digests))
                and (not (bad := item.digests(good=False)) or bad - wanted or any(digest in spool for digest in bad))
            )
        ]

    def _needed(self, tables: _Tables) -> npt.NDArray[np.uint64]:
        found = [np.unique(keys_of(blobs)) for blobs in tables.blobs.values()]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)

    def _extended(self, version: Version, written: Sequence[WrittenPack]) -> Moved:
        """The version where it was, needing the new packs as well."""
        archive = version.archive
        needs = self._vault.state.resolved(archive.needs) | {item.record.id for item in written}
        alive = self._vault.state.live_packs(sorted(needs)) | {item.record.id for item in written}
        return Moved(
            archive.sample, archive.version, archive.manifest, archive.first_group, archive.groups, archive.rows,
            tuple(sorted(needs & alive)),
        )  # fmt: skip

    def _entry(
        self, written: Sequence[WrittenPack], replaced: dict[str, tuple[str, ...]], manifests: Sequence[ManifestAdded],
        moved: Sequence[Moved], gone: Sequence[str],
    ) -> Callable[[Head], Entry]:  # fmt: skip
        entry = blank_entry(self._tool, "repair")

        def build(head: Head) -> Entry:
            state = self._vault.state
            live_packs = state.live_packs(sorted(replaced))
            return replace(
                entry, number=head.number + 1, previous=head.digest, packs=tuple(item.record for item in written),
                manifests=tuple(manifests), moved=tuple(moved),
                condemned_packs=tuple(sorted(live_packs)),
                replaced={old: packs for old, packs in replaced.items() if old in live_packs},
                condemned_manifests=tuple(name for name in gone if name in state.manifests()),
            )  # fmt: skip

        return build


def _needs_recipe(version: Version, digests: set[Digest]) -> bool:
    return any(digest.tobytes() in digests for digest in recipe_digests([version.archive]))


def _recipes_lost(versions: Sequence[Version], wanted: set[Digest]) -> set[str]:
    """The files whose recipe is among what is wanted, by their SHA-256."""
    return {str(version.archive.source.get("sha256")) for version in versions if _needs_recipe(version, wanted)}


def _blobs_of_rows(rows: Sequence[ManifestRow]) -> U8:
    digests = b"".join(blob.digest for row in rows for blob in row.blobs)
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


def repair(
    vault: Vault,
    archives: Sequence[Path],
    lakes: Sequence[Vault],
    tool: str,
    *,
    dry_run: bool = False,
    passwords: Sequence[str] = (),
    progress: Progress | None = None,
) -> RepairReport:
    """Repair a lake, with what some archives and other lakes have."""
    offers: list[Offer] = [LakeOffer(lake) for lake in lakes]
    offers += [ArchiveOffer(path, vault.file.chunk_bytes, vault.threads, passwords) for path in archives]
    return Repair(vault, offers, tool, dry_run=dry_run, progress=progress).run()
