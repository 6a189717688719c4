"""Verify: does the lake hold what its log promises? Structure always; every byte with `data`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from sxeslake.archive.parallel import in_order
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError, SxeslakeError
from sxeslake.format import frame, identity, keys, pack
from sxeslake.format.logentry import ManifestAdded, PackAdded
from sxeslake.format.manifest import Manifest, Row
from sxeslake.model import MIB, Digest, Member, Progress
from sxeslake.upkeep.report import Problem, VerifyReport
from sxeslake.vault import log
from sxeslake.vault.blobs import decode_frame
from sxeslake.vault.state import LogRecord, Version
from sxeslake.vault.vault import Vault

_READ_BYTES = 16 * MIB  # of a pack at once
_FrameResults = tuple[list[tuple[int, str, list[bytes]]], int]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]


class Verifier:
    """One verification of one lake at one head."""

    def __init__(self, vault: Vault, *, data: bool, progress: Progress | None = None) -> None:
        self._vault, self._data, self._progress = vault, data, progress
        self.report = VerifyReport()
        self._versions = vault.state.versions("status <> 'collected'")  # what is forgotten can still be restored
        self._missing: dict[str, set[bytes]] = defaultdict(set)  # pack → digests that cannot be had from it

    def run(self) -> VerifyReport:
        """Look at everything; problems are collected, not raised."""
        self._check_log()
        packs = list(self._vault.state.packs().values())
        self._start(packs)
        footers = self._check_packs(packs)
        known = (
            np.sort(np.concatenate([_keys(footer.digests) for footer in footers]))
            if footers
            else np.empty(0, np.uint64)
        )
        self._check_manifests(known)
        self._name_affected()
        self.report.ok = not self.report.problems
        if self._progress is not None:
            self._progress.finish()
        return self.report

    def _problem(self, kind: str, key: str, detail: str, affects: Sequence[str] = ()) -> None:
        self.report.problems.append(Problem(kind, key, detail, list(affects)))

    def _start(self, packs: Sequence[PackAdded]) -> None:
        if self._progress is not None:
            total = sum(item.bytes if self._data else item.footer_bytes for item in packs)
            self._progress.start("verify", total)

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(done)

    # --- the log -------------------------------------------------------------------------------------------------

    def _check_log(self) -> None:
        """Every entry, read from the bucket again: its hash, and that of the one before."""
        previous = None
        folded = {number: digest for number, digest, *_ in self._vault.state.log()}
        jobs = (lambda number=number: self._entry(number) for number in folded)
        for number, (found, reason) in zip(folded, in_order(jobs, threads=8), strict=True):
            self.report.checked.log_entries += 1
            if found is None:
                self._problem("log", keys.log_key(number), reason, self._of_entry(number))
            elif found.entry.previous != previous or found.digest != folded[number]:
                self._problem(
                    "log", keys.log_key(number), "the chain of the log is broken here.", self._of_entry(number)
                )
            previous = folded[number]

    def _entry(self, number: int) -> tuple[LogRecord | None, str]:
        try:
            return log.read_entry(self._vault.store, number), ""
        except (DamagedLakeError, ObjectNotFoundError) as error:
            return None, str(error)

    def _of_entry(self, number: int) -> list[str]:
        return [version.name for version in self._versions if version.number == number]

    # --- packs ---------------------------------------------------------------------------------------------------

    def _check_packs(self, packs: Sequence[PackAdded]) -> list[pack.Footer]:
        footers = []
        for record, footer in zip(
            packs, in_order((self._footer_job(record) for record in packs), threads=8), strict=True
        ):
            self.report.checked.packs += 1
            if isinstance(footer, SxeslakeError):
                self._problem("pack", keys.pack_key(record.id), str(footer), self._needing(record.id))
                self._advance(record.bytes if self._data else record.footer_bytes)
                continue
            footers.append(footer)
            self.report.checked.blobs += len(footer.digests)
            if self._data:
                self._check_frames(record, footer)
            else:
                self._advance(record.footer_bytes)
        return footers

    def _footer_job(self, record: PackAdded) -> Callable[[], pack.Footer | SxeslakeError]:
        def job() -> pack.Footer | SxeslakeError:
            key = keys.pack_key(record.id)
            try:
                size = self._vault.store.size(key)
                if size != record.bytes:
                    found = "is missing" if size is None else f"has {size} bytes instead of {record.bytes}"
                    return DamagedLakeError(f"the pack {found}.", where=key)
                return self._vault.footer(record)
            except (DamagedLakeError, ObjectNotFoundError) as error:
                return error

        return job

    def _check_frames(self, record: PackAdded, footer: pack.Footer) -> None:
        key = keys.pack_key(record.id)
        if self._vault.store.get_range(key, 0, pack.HEADER_BYTES) != pack.header(record.id):
            self._problem("pack", key, "the pack's header is not its own.", self._needing(record.id))
        jobs = (self._frame_job(key, footer, first, last) for first, last in _runs(footer))
        for bad, read in in_order(jobs, threads=self._vault.threads):
            self._advance(read)
            for frame_number, detail, digests in bad:
                self._missing[record.id].update(digests)
                offset = int(footer.frame_offsets[frame_number])
                self._problem("frame", key, f"frame at {offset}: {detail}", [])
        self.report.checked.bytes += footer.raw_bytes
        self._advance(record.footer_bytes)

    def _frame_job(self, key: str, footer: pack.Footer, first: int, last: int) -> Callable[[], _FrameResults]:
        def job() -> _FrameResults:
            start = int(footer.frame_offsets[first])
            end = int(footer.frame_offsets[last]) + int(footer.frame_lengths[last])
            body = memoryview(self._vault.store.get_range(key, start, end))
            blob = int(footer.frame_blobs[:first].sum())
            bad = []
            for number in range(first, last + 1):
                at = int(footer.frame_offsets[number]) - start
                count = int(footer.frame_blobs[number])
                here = slice(blob, blob + count)
                wrong = _check_frame(body[at : at + int(footer.frame_lengths[number])], footer, here, key)
                if wrong is not None:
                    bad.append((number, *wrong))
                blob += count
            return bad, end - start

        return job

    # --- manifests -----------------------------------------------------------------------------------------------

    def _check_manifests(self, known: U64) -> None:
        live = self._vault.state.manifests()
        of_manifest: dict[str, list[Version]] = {manifest_id: [] for manifest_id in live}
        for version in self._versions:
            of_manifest.setdefault(version.archive.manifest, []).append(version)
        for manifest_id, versions in of_manifest.items():
            self.report.checked.manifests += 1
            key, names = keys.manifest_key(manifest_id), [version.name for version in versions]
            record = live.get(manifest_id)
            try:
                if record is None:
                    raise DamagedLakeError("the log has condemned this manifest, and versions need it.")
                manifest, data = self._manifest(record)
            except (DamagedLakeError, ObjectNotFoundError) as error:
                self._problem("manifest", key, str(error), names)
                continue
            for version in versions:
                self._check_version(version, manifest, data, known)

    def _manifest(self, record: ManifestAdded) -> tuple[Manifest, bytes]:
        data = self._vault.store.get(keys.manifest_key(record.id))
        if blake3(data).hexdigest() != record.blake3:
            raise DamagedLakeError("the manifest does not agree with its hash in the log.")
        return Manifest(record.id, len(data), data[len(data) - record.footer_bytes :]), data

    def _check_version(self, version: Version, manifest: Manifest, data: bytes, known: U64) -> None:
        where = self._vault.manifests.range_of(version)
        key = keys.manifest_key(version.archive.manifest)
        try:
            table = manifest.table(range(where.first_group, where.first_group + where.groups), [(0, data)])
            digests = bytearray()
            if identity.content_id(_noting(manifest.rows(table), digests)) != version.archive.content_id:
                raise DamagedLakeError("its rows do not give the content id of the log.")
        except DamagedLakeError as error:
            self._problem("manifest", key, str(error), [version.name])
            return
        if digests:
            wanted = np.unique(_keys(np.frombuffer(digests, np.uint8).reshape(-1, 32)))
            at = np.minimum(np.searchsorted(known, wanted), max(0, len(known) - 1))
            lost = int((known[at] != wanted).sum()) if len(known) else len(wanted)
            if lost:
                self._problem("blob", key, f"{lost} blobs are in no pack of the lake.", [version.name])

    # --- who is touched ------------------------------------------------------------------------------------------

    def _needing(self, pack_id: str) -> list[str]:
        return [version.name for version in self._versions if pack_id in version.archive.needs]

    def _name_affected(self) -> None:
        """Of the versions that need a pack, those that need one of its damaged blobs."""
        for pack_id, digests in self._missing.items():
            affected = [
                version.name
                for version in self._versions
                if pack_id in version.archive.needs and self._holds(version, digests)
            ]
            key = keys.pack_key(pack_id)
            for number, problem in enumerate(self.report.problems):
                if problem.kind == "frame" and problem.object == key:
                    self.report.problems[number] = Problem(problem.kind, key, problem.detail, affected)

    def _holds(self, version: Version, digests: set[bytes]) -> bool:
        try:
            return any(blob.digest in digests for row in self._vault.rows(version, by_path=True) for blob in row.blobs)
        except (DamagedLakeError, ObjectNotFoundError):
            return True


def _keys(digests: U8) -> U64:
    """The first 8 bytes of each digest: enough to see that one is missing."""
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64).ravel()


def _noting(rows: Iterable[Row], digests: bytearray) -> Iterator[tuple[Member, Digest]]:
    """Rows as `content_id` wants them; the addresses of their blobs are collected on the way."""
    for row in rows:
        for blob in row.blobs:
            digests += blob.digest
        yield row.member, row.digest


def _runs(footer: pack.Footer) -> Iterator[tuple[int, int]]:
    """First and last frame of what is read at once."""
    first, size = 0, 0
    for number, length in enumerate(footer.frame_lengths.tolist()):
        if size and size + length > _READ_BYTES:
            yield first, number - 1
            first, size = number, 0
        size += length
    if size:
        yield first, len(footer.frame_lengths) - 1


def _check_frame(body: memoryview, footer: pack.Footer, here: slice, key: str) -> tuple[str, list[bytes]] | None:
    """Decode a frame and hash its blobs: what is wrong, and with which."""
    wanted = [footer.digests[number].tobytes() for number in range(here.start, here.stop)]
    try:
        sizes = frame.unseal(body, where=key).sizes
        raw = memoryview(decode_frame(body, where=key))
    except DamagedLakeError as error:
        return error.what, wanted
    if list(sizes) != footer.sizes[here].tolist():
        return "its sizes are not those of the footer.", wanted
    bad, at = [], 0
    for digest, size in zip(wanted, sizes, strict=True):
        if blake3(raw[at : at + size]).digest() != digest:
            bad.append(digest)
        at += size
    return (f"{len(bad)} blobs do not agree with their hash.", bad) if bad else None
