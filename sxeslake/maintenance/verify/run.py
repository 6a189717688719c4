"""Verify: does the lake hold what its log promises? Structure always; every byte, or a sample, on request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError, UsageError
from sxeslake.format import identity, keys
from sxeslake.format.logentry import ManifestAdded, PackAdded
from sxeslake.format.manifest import Manifest
from sxeslake.maintenance.gc.digests import U64, among, keys_of, needed_by
from sxeslake.maintenance.report import Problem, VerifyReport
from sxeslake.maintenance.verify.findings import Findings
from sxeslake.maintenance.verify.log import LogCheck
from sxeslake.maintenance.verify.packs import Elsewhere, Extent, PackVerifier
from sxeslake.model import Progress
from sxeslake.text.wording import said
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_REPUBLISH = "`sxeslake repair` publishes it again"
_LOG = logging.getLogger(__name__)


class Verifier:
    """One verification of one lake at one head."""

    def __init__(
        self, vault: Vault, extent: Extent, progress: Progress | None = None, elsewhere: Elsewhere | None = None
    ) -> None:
        self._vault, self._extent, self._progress, self._elsewhere = vault, extent, progress, elsewhere
        self.report = VerifyReport(seed=extent.seed if extent.sample_percent is not None else None)
        self.findings = Findings()
        # What is forgotten can still be restored.
        self._versions = vault.state.versions("status <> 'collected'")
        self._needed: dict[str, set[str]] = {}

    def run(self) -> VerifyReport:
        """Look at everything; problems are collected, not raised."""
        LogCheck(self._vault, self.report, self.findings).run(checkpoints=self._extent.data)
        packs = list(self._vault.state.packs().values())
        check = PackVerifier(
            self._vault, self._extent, self.report, self.findings, self._pack_problem, self._advance, self._elsewhere
        )
        try:
            self._start(packs)
            self._check_manifests(check.footers(packs))
            if self._extent.reads_frames:
                check.frames(packs)
        finally:
            if self._progress is not None:
                self._progress.finish()
        self._name_affected()
        _LOG.info("%d packs checked, %d problems", len(packs), len(self.report.problems))
        self.report.ok = self.report.complete and not self.report.problems
        return self.report

    def _problem(self, kind: str, key: str, detail: str, affects: Sequence[str] = ()) -> None:
        self.report.problems.append(Problem(kind, key, detail, list(affects)))

    def _pack_problem(self, kind: str, record: PackAdded, detail: str) -> None:
        self._problem(kind, keys.pack_key(record.id), detail)

    def _start(self, packs: Sequence[PackAdded]) -> None:
        if self._progress is not None:
            share = (self._extent.sample_percent or 100.0) / 100 if self._extent.reads_frames else 0.0
            total = sum(item.footer_bytes + share * (item.bytes - item.footer_bytes) for item in packs)
            self._progress.start("verify", int(total))

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(done)

    # --- manifests -----------------------------------------------------------------------------------------------

    def _check_manifests(self, known: U64) -> None:
        live = self._vault.state.manifests()
        of_manifest: dict[str, list[Version]] = {manifest_id: [] for manifest_id in live}
        for version in self._versions:
            of_manifest.setdefault(version.archive.manifest, []).append(version)
        for manifest_id, versions in of_manifest.items():
            self.report.checked.manifests += 1
            try:
                manifest, data = self._manifest(manifest_id, live.get(manifest_id))
            except (DamagedLakeError, ObjectNotFoundError) as error:
                self._manifest_is_bad(manifest_id, error.what, versions)
                continue
            for version in versions:
                self._check_version(version, manifest, data, known)

    def _manifest(self, manifest_id: str, record: ManifestAdded | None) -> tuple[Manifest, bytes]:
        if record is None:
            raise DamagedLakeError("the log has no such manifest alive, and versions need it")
        data = self._vault.store.get(keys.manifest_key(manifest_id))
        if blake3(data).hexdigest() != record.blake3:
            raise DamagedLakeError("the manifest does not agree with its hash in the log")
        return Manifest(record.id, len(data), data[len(data) - record.footer_bytes :]), data

    def _manifest_is_bad(self, manifest_id: str, detail: str, versions: Sequence[Version]) -> None:
        self._vault.sync()
        if not versions and manifest_id not in self._vault.state.manifests():
            return  # collected meanwhile
        self.findings.manifests.setdefault(manifest_id, []).extend(versions)
        self._problem("manifest", keys.manifest_key(manifest_id), detail, [version.name for version in versions])

    def _check_version(self, version: Version, manifest: Manifest, data: bytes, known: U64) -> None:
        where = self._vault.manifests.range_of(version)
        try:
            table = manifest.table(range(where.first_group, where.first_group + where.groups), [(0, data)])
            rows = ((row.member, row.digest) for row in manifest.rows(table, "path"))
            if identity.content_id(rows) != version.archive.content_id:
                raise DamagedLakeError("its rows do not give the content id of the log")
        except DamagedLakeError as error:
            self._manifest_is_bad(version.archive.manifest, error.what, [version])
            return
        wanted = np.unique(keys_of(needed_by(version.archive, table)))
        lost = int((~among(wanted, known)).sum())
        if lost:
            self.findings.lost[version.name] = version

    # --- who is touched ------------------------------------------------------------------------------------------

    def _name_affected(self) -> None:
        """Whom a damaged pack touches: of those that need it, the versions that name one of its lost blobs."""
        touched: dict[str, list[str]] = {}
        for pack_id, finding in self.findings.packs.items():
            needing = [version for version in self._versions if pack_id in self._needs(version)]
            if finding.footer is not None and finding.digests:
                wanted = np.sort(keys_of(np.frombuffer(b"".join(finding.digests), np.uint8).reshape(-1, 32)))
                needing = [version for version in needing if self._names_any(version, wanted)]
            touched[keys.pack_key(pack_id)] = [version.name for version in needing]
        for number, problem in enumerate(self.report.problems):
            if problem.object in touched:
                self.report.problems[number] = Problem(
                    problem.kind, problem.object, problem.detail, touched[problem.object]
                )
        explained = {name for names in touched.values() for name in names}
        for name, version in self.findings.lost.items():
            if name not in explained:  # no damaged pack says it already
                key = keys.manifest_key(version.archive.manifest)
                self._problem("blob", key, "some of its blobs are in no pack of the lake", [name])

    def _needs(self, version: Version) -> set[str]:
        if version.name not in self._needed:
            self._needed[version.name] = self._vault.state.resolved(version.archive.needs)
        return self._needed[version.name]

    def _names_any(self, version: Version, wanted: U64) -> bool:
        try:
            table = self._vault.manifests.table(version)
            return bool(among(keys_of(needed_by(version.archive, table)), wanted).any())
        except (DamagedLakeError, ObjectNotFoundError):
            return True  # its member table is damaged too


def verify(
    vault: Vault, extent: Extent, wrong_catalog: Callable[[], Mapping[str, str]], progress: Progress | None = None,
    elsewhere: Elsewhere | None = None,
) -> VerifyReport:  # fmt: skip
    """Verify what the bucket holds, then the published catalogue: `wrong_catalog` gives key and fault of each part."""
    if extent.sample_percent is not None and not 0 < extent.sample_percent <= 100:
        raise UsageError("a sample is more than 0 and at most 100 percent.")
    if extent.sample_percent is not None and extent.resume:
        raise UsageError("a sample cannot be resumed; take another one.")
    if elsewhere is not None and extent.max_duration_s is not None:
        raise UsageError("a limit of time is for one process.", hint="Leave out `executor` or `max_duration_s`.")
    with vault.from_bucket(remembering=True) as fresh:
        report = Verifier(fresh, extent, progress, elsewhere).run()
    report.notes += fresh.notes
    if not report.problems:  # else what the archives say cannot be told for certain
        report.problems += [
            Problem("checkpoint", key, f"{what}; {said(_REPUBLISH)}", []) for key, what in wrong_catalog().items()
        ]
        report.ok = report.complete and not report.problems
    return report
