"""Verifying packs: footers always, frames on request, all of them or a sample."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sxeslake.batching import batches
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys, pack
from sxeslake.format.logentry import PackAdded
from sxeslake.format.pack import Footer
from sxeslake.machine.concurrency import in_order
from sxeslake.maintenance.gc.digests import U64, keys_of
from sxeslake.maintenance.report import VerifyReport
from sxeslake.maintenance.verify.findings import Findings, PackFinding
from sxeslake.maintenance.verify.progress import Verified
from sxeslake.model import MIB
from sxeslake.vault.blobs.proving import check_frame
from sxeslake.vault.vault import Vault

_READ_BYTES = 16 * MIB  # of a pack at once
_FOOTER_READERS = 8
_THREADS_PER_CORE = 2  # while one waits for the disk or the bucket, the other decodes


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of the packs to read: none of the frames, all, or a sample; for how long, and from where on."""

    data: bool = False
    sample_percent: float | None = None
    seed: int = 0
    max_duration_s: float | None = None
    resume: bool = False
    threads: int | None = None

    @property
    def reads_frames(self) -> bool:
        """Whether any frame is read."""
        return self.data or self.sample_percent is not None


class _Bad(NamedTuple):
    """A frame that is wrong: its number, in words, and the blobs that cannot be had from it."""

    frame: int
    detail: str
    digests: list[bytes]


class _Done(NamedTuple):
    """What reading some frames of a pack came to; `last` closes the pack."""

    finding: PackFinding
    bad: list[_Bad]
    read: int
    raw: int
    last: bool


class PackRead(NamedTuple):
    """What reading all frames of a pack that were asked for came to."""

    pack: str
    bad: list[_Bad]
    read: int
    raw: int


Problem = Callable[[str, PackAdded, str], None]
Advance = Callable[[int], None]
Elsewhere = Callable[[Sequence[PackAdded], Extent], Iterator[PackRead]]
"""Reads the frames of packs by other processes or machines."""


class PackVerifier:
    """Looks at packs; what is wrong goes into `findings`, in words to `problem`."""

    def __init__(
        self, vault: Vault, extent: Extent, report: VerifyReport, findings: Findings, problem: Problem,
        advance: Advance, elsewhere: Elsewhere | None = None,
    ) -> None:  # fmt: skip
        self._vault, self._extent, self._report, self._findings = vault, extent, report, findings
        self._problem, self._advance, self._elsewhere = problem, advance, elsewhere
        self._decoding = threading.Semaphore(vault.threads)  # more threads only wait for each other

    # --- footers -------------------------------------------------------------------------------------------------

    def footers(self, packs: Sequence[PackAdded]) -> U64:
        """Read every footer; the sorted first 8 bytes of all blobs that the lake has."""
        known = []
        for finding in in_order((self._footer_job(record) for record in packs), threads=_FOOTER_READERS):
            self._report.checked.packs += 1
            if isinstance(finding, PackFinding):
                self._report.checked.blobs += finding.record.blobs
                known.append(keys_of(finding.footer.digests) if finding.footer is not None else np.empty(0, np.uint64))
            self._advance(finding.record.footer_bytes if isinstance(finding, PackFinding) else finding[0].footer_bytes)
            if not isinstance(finding, PackFinding):
                self._pack_is_bad(*finding)
        self._findings.known = np.sort(np.concatenate(known)) if known else np.empty(0, np.uint64)
        return self._findings.known

    def _pack_is_bad(self, record: PackAdded, detail: str) -> None:
        if not self._still_alive(record):
            return
        self._findings.packs[record.id] = PackFinding(record)
        self._problem("pack", record, detail)

    def _still_alive(self, record: PackAdded) -> bool:
        """Whether the pack is still in the lake: a collector can have taken it meanwhile."""
        self._vault.sync()
        return bool(self._vault.state.live_packs([record.id]))

    def _footer_job(self, record: PackAdded) -> Callable[[], PackFinding | tuple[PackAdded, str]]:
        def job() -> PackFinding | tuple[PackAdded, str]:
            key = keys.pack_key(record.id)
            try:
                size = self._vault.store.size(key)
                if size != record.bytes:
                    found = "is missing" if size is None else f"has {size} bytes instead of {record.bytes}"
                    return record, f"the pack {found}"
                return PackFinding(record, self._vault.footer(record))
            except DamagedLakeError as error:
                return record, error.what
            except ObjectNotFoundError:
                return record, "the pack is missing"

        return job

    # --- frames --------------------------------------------------------------------------------------------------

    def frames(self, packs: Sequence[PackAdded]) -> None:
        """Decode and hash the frames that were asked for."""
        extent = self._extent
        verified = Verified(self._vault.folder, resume=extent.resume)
        by_id = {record.id: record for record in packs if record.id not in self._findings.packs}
        left = verified.left(by_id) if extent.sample_percent is None else list(by_id)
        self._report.passed_over = len(by_id) - len(left)
        if extent.max_duration_s is not None:
            random.Random(extent.seed).shuffle(left)  # runs that are cut short still see everything in time
        for done in self._read([by_id[pack_id] for pack_id in left]):
            self._take(done)
            self._report.packs_read += done.last
            if done.last and extent.sample_percent is None and done.finding.record.id not in self._findings.packs:
                verified.add(done.finding.record.id)
        if not self._report.complete:
            self._report.packs_unread = len(left) - self._report.packs_read
        if extent.sample_percent is None:
            verified.clear() if self._report.complete else verified.save()

    def _read(self, packs: Sequence[PackAdded]) -> Iterator[_Done]:
        """Read frames here, or have it done."""
        if self._elsewhere is None:
            yield from self.here(packs)
            return
        by_id = {record.id: record for record in packs}
        for found in self._elsewhere(packs, self._extent):
            record = by_id[found.pack]
            finding = PackFinding(record, self._vault.footer(record) if found.bad else None)
            yield _Done(finding, found.bad, found.read, found.raw, last=True)

    def here(self, packs: Sequence[PackAdded]) -> Iterator[_Done]:
        """Read the frames of packs in threads."""
        threads = self._extent.threads or _THREADS_PER_CORE * self._vault.threads
        return in_order(self._jobs(packs), threads=threads)

    def _take(self, done: _Done) -> None:
        self._advance(done.read)
        self._report.checked.bytes += done.raw
        if not done.bad or not self._still_alive(done.finding.record):
            return
        finding = self._findings.packs.setdefault(done.finding.record.id, done.finding)
        for number, detail, digests in done.bad:
            finding.digests.update(digests)
            if number >= 0 and finding.footer is not None:
                finding.frames.append(number)
                at = int(finding.footer.frame_offsets[number])
                self._problem("frame", finding.record, f"frame at {at}: {detail}")
            else:
                self._problem("pack", finding.record, detail)

    def _jobs(self, packs: Sequence[PackAdded]) -> Iterator[Callable[[], _Done]]:
        """Reads of some frames each, pack after pack, without a pause between packs; stops when the time is up."""
        until = None if self._extent.max_duration_s is None else time.monotonic() + self._extent.max_duration_s
        for finding in in_order((self._footer_job(record) for record in packs), threads=2):
            if until is not None and time.monotonic() > until:
                self._report.complete = False
                return
            if not isinstance(finding, PackFinding) or finding.footer is None:
                continue  # it went bad, or away, since its footer was read; the next run will say
            runs = list(_runs(finding.footer, self._chosen(finding.footer)))
            for number, run in enumerate(runs):
                yield self._frames_job(finding, finding.footer, run, first=number == 0, last=number == len(runs) - 1)

    def _chosen(self, footer: Footer) -> Sequence[int]:
        """All frames, or a sample: the same for the same seed."""
        count, percent = len(footer.frame_lengths), self._extent.sample_percent
        if percent is None:
            return range(count)
        dice = random.Random(f"{self._extent.seed} {footer.pack_id}")
        return sorted(dice.sample(range(count), min(count, max(1, round(count * percent / 100)))))

    def _frames_job(
        self, finding: PackFinding, footer: Footer, run: Sequence[int], *, first: bool, last: bool
    ) -> Callable[[], _Done]:
        key = keys.pack_key(footer.pack_id)

        def job() -> _Done:
            bad, read, raw = [], 0, 0
            if first and self._vault.store.get_range(key, 0, pack.HEADER_BYTES) != pack.header(footer.pack_id):
                bad.append(_Bad(-1, "the pack's header is not its own", []))
            bodies = self._bodies(key, footer, run)
            with self._decoding:
                for number, body in zip(run, bodies, strict=True):
                    blobs = footer.blobs_in(number)
                    wrong = check_frame(body, footer, blobs, key)
                    read += len(body)
                    raw += int(footer.sizes[blobs].sum(dtype=np.uint64))
                    if wrong is not None:
                        bad.append(_Bad(number, *wrong))
            return _Done(finding, bad, read, raw, last)

        return job

    def _bodies(self, key: str, footer: Footer, run: Sequence[int]) -> Sequence[bytes | memoryview]:
        starts, lengths = footer.frame_offsets, footer.frame_lengths
        begin, end = int(starts[run[0]]), int(starts[run[-1]]) + int(lengths[run[-1]])
        try:
            if len(run) == run[-1] - run[0] + 1:
                body = memoryview(self._vault.store.get_range(key, begin, end))
                return [body[int(starts[n]) - begin : int(starts[n]) - begin + int(lengths[n])] for n in run]
            return self._vault.store.get_ranges([(key, int(starts[n]), int(starts[n]) + int(lengths[n])) for n in run])
        except (DamagedLakeError, ObjectNotFoundError):  # shorter than a moment ago: frames of nothing are bad ones
            return [b""] * len(run)


def read_packs(vault: Vault, extent: Extent, packs: Sequence[PackAdded]) -> list[PackRead]:
    """Read frames for a verification that runs elsewhere; a pack that is gone since is not among the answers."""
    check = PackVerifier(vault, extent, VerifyReport(), Findings(), lambda *_: None, lambda _: None)
    found: list[PackRead] = []
    bad: list[_Bad] = []
    read = raw = 0
    for done in check.here(packs):
        bad, read, raw = [*bad, *done.bad], read + done.read, raw + done.raw
        if done.last:
            found.append(PackRead(done.finding.record.id, bad, read, raw))
            bad, read, raw = [], 0, 0
    return found


def _runs(footer: Footer, chosen: Sequence[int]) -> Iterator[list[int]]:
    """The frames that are read at once."""
    return batches(chosen, lambda number: int(footer.frame_lengths[number]), _READ_BYTES)
