"""Repack a lake: read packs, encode their frames by a preset, commit new packs in place of the old; beside writers.

Each round is one commit: it adds the new packs, condemns the old, and says which stand in for which. Every blob of an
old pack is in the new ones, so it does not matter who needs which. What is cut short has its finished rounds, and the
next run passes over packs that are done: their frames say so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np

from sxeslake import codecs
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import frame, keys
from sxeslake.format.logentry import Entry, PackAdded
from sxeslake.format.pack import Footer
from sxeslake.machine.concurrency import in_order
from sxeslake.maintenance.gc.rewrite import rewrite
from sxeslake.maintenance.repack.frames import Reframer
from sxeslake.model import MIB, Preset, Progress
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.blobs.proving import frames_with
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head
from sxeslake.vault.packs.packing import Packer, WrittenPack
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_ROUND_BYTES = 256 * MIB  # of old packs to a commit: what an interruption can cost
_SAMPLES = 8  # frames of a pack that tell whether it is done, and what it would save
_STEP = 0.618034  # of the pack from one to the next: kinds of frames come in turn, at equal distances
_DONE = 0.5  # of the samples' bytes
_WORTH = 0.001  # of a pack: what it must save to be written again


@dataclass(slots=True)
class RepackReport(HtmlRecord):
    """What a repack did, or would do.

    Attributes
    ----------
    preset : str
        How frames are encoded.
    dry_run : bool
        Whether nothing was changed; sizes are then estimated from some frames of each pack.
    commit : int or None
        The last commit; None where nothing was changed.
    packs : int
        Packs that the lake had.
    packs_done : int
        Packs that were encoded with as much effort before, or would save nothing.
    packs_rewritten : int
        Packs that others stand in for now.
    packs_left : int
        Packs that are left to another run, because time was up.
    bytes_before : int
        Bytes of the packs that were rewritten.
    bytes_after : int
        Bytes of what stands in for them.
    damaged : list of str
        Packs that were found damaged and left alone, in words.

    Examples
    --------
    >>> report = lake.repack(dry_run=True)
    >>> report.preset, report.commit
    ('small', None)
    """

    preset: str
    dry_run: bool
    commit: int | None = None
    packs: int = 0
    packs_done: int = 0
    packs_rewritten: int = 0
    packs_left: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _SampledPack:
    """A pack whose frames were sampled."""

    record: PackAdded
    footer: Footer | None = None
    is_done: bool = False
    saves: float = 0.0  # of its bytes
    fault: str | None = None


class Repacker:
    """One repack of one lake."""

    def __init__(
        self, vault: Vault, preset: Preset, *, dry_run: bool, seconds: float, tool: str, message: str | None,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        vault.check_writable()
        if vault.damage:
            raise DamagedLakeError("a lake whose log is damaged is not repacked.", hint="Run `sxeslake repair`.")
        self._vault, self._progress = vault, progress
        self._until = monotonic() + seconds
        self._reframer = Reframer(preset)
        self._blank = blank_entry(tool, message)
        self.report = RepackReport(preset, dry_run)

    def run(self) -> RepackReport:
        """Round after round, until every pack is done or time is up."""
        self._vault.sync()
        records = sorted(self._vault.state.packs().values(), key=lambda record: record.id)
        self.report.packs = len(records)
        if self._progress is not None:
            self._progress.start(f"repack, {self.report.preset}", sum(record.bytes for record in records))
        looks = in_order((self._looking(record) for record in records), threads=self._vault.threads)
        try:
            for done, batch in self._rounds(looks):
                if batch and not self.report.dry_run:
                    self._round(batch)
                if done < len(records) and monotonic() >= self._until:
                    self.report.packs_left = len(records) - done
                    break
        finally:
            looks.close()
            if self._progress is not None:
                self._progress.finish()
        return self.report

    def _rounds(self, looks: Iterator[_SampledPack]) -> Iterator[tuple[int, list[_SampledPack]]]:
        """Packs that are rewritten together, with how many were looked at so far."""
        batch, size, number = list[_SampledPack](), 0, 0
        for number, look in enumerate(looks, 1):
            if look.fault is not None:
                self.report.damaged.append(look.fault)
            elif look.is_done or look.saves < _WORTH:
                self.report.packs_done += 1
            elif self.report.dry_run:
                self.report.packs_rewritten += 1
                self.report.bytes_before += look.record.bytes
                self.report.bytes_after += round(look.record.bytes * (1 - look.saves))
            else:
                batch.append(look)
                size += look.record.bytes
                if size >= _ROUND_BYTES or monotonic() >= self._until:
                    yield number, batch
                    batch, size = [], 0
                continue
            self._advance(look.record.bytes)
            if monotonic() >= self._until:
                yield number, batch
                batch, size = [], 0
        yield number, batch

    # --- looking -------------------------------------------------------------------------------------------------

    def _looking(self, record: PackAdded) -> Callable[[], _SampledPack]:
        def look() -> _SampledPack:
            try:
                return self._look(record)
            except (DamagedLakeError, ObjectNotFoundError) as error:
                return _SampledPack(record, fault=f"{keys.pack_key(record.id)}: {error.what.rstrip('.')}")

        return look

    def _look(self, record: PackAdded) -> _SampledPack:
        """Encode some frames again: few of a pack tell for all, for like lies beside like."""
        footer, key = self._vault.footer(record), keys.pack_key(record.id)
        places = list(frames_with(footer, np.ones(len(footer.digests), np.bool_)))
        chosen = sorted({int(number * _STEP % 1 * len(places)) for number in range(_SAMPLES)})
        ranges = [(key, places[at].offset, places[at].offset + places[at].length) for at in chosen]
        before = after = done = 0
        for body in self._vault.store.get_ranges(ranges):
            found = frame.unseal(body, where=key)
            before += len(body)
            if self._reframer.is_done(found.pipeline):
                done += len(body)
                after += len(body)
                continue
            raw = codecs.decode(found.pipeline, found.payload, found.raw_bytes)
            ends = np.cumsum(found.sizes).tolist()
            parts = [raw[end - size : end] for end, size in zip(ends, found.sizes, strict=True)]
            after += len(self._reframer.reframe(found.pipeline, parts, body))
        return _SampledPack(record, footer, done >= _DONE * before, (before - after) / max(1, before))

    # --- writing -------------------------------------------------------------------------------------------------

    def _round(self, batch: Sequence[_SampledPack]) -> None:
        new: dict[str, set[str]] = {}
        packer = Packer(self._vault.store)
        try:
            for look in batch:
                footer, record = look.footer, look.record
                if footer is None:
                    continue
                keep = np.ones(len(footer.digests), np.bool_)
                try:
                    new[record.id] = rewrite(
                        self._vault, packer, record.kind, footer, keep, self._advance, self._reframer.reframe
                    )
                except (DamagedLakeError, ObjectNotFoundError) as error:
                    self.report.damaged.append(f"{keys.pack_key(record.id)}: {error.what.rstrip('.')}")
                self._advance(record.footer_bytes)
            written = packer.finish()
        finally:
            packer.close()
        old = {look.record.id: look.record for look in batch if look.record.id in new}
        if old:
            self._commit(old, new, written)

    def _commit(self, old: dict[str, PackAdded], new: dict[str, set[str]], written: Sequence[WrittenPack]) -> None:
        state = self._vault.state

        def build(head: Head) -> Entry | None:
            alive = sorted(state.live_packs(sorted(old)))  # a collector may have been quicker
            made = set().union(*(new[pack] for pack in alive))
            if not alive:
                return None
            return replace(
                self._blank, number=head.number + 1, previous=head.digest,
                packs=tuple(item.record for item in written if item.record.id in made),
                condemned_packs=tuple(alive), replaced={pack: tuple(sorted(new[pack])) for pack in alive},
            )  # fmt: skip

        record = self._vault.commit(build)
        if record is None:
            return
        entry, report = record.entry, self.report
        self._vault.index.add([item.footer for item in written if item.record in entry.packs])
        report.commit = entry.number
        report.packs_rewritten += len(entry.condemned_packs)
        report.bytes_before += sum(old[pack].bytes for pack in entry.condemned_packs)
        report.bytes_after += sum(pack.bytes for pack in entry.packs)
        counts = len(entry.condemned_packs), len(entry.packs)
        _LOG.info("commit %d: %d packs encoded again into %d", entry.number, *counts)

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(done)


def repack(
    vault: Vault,
    preset: Preset,
    *,
    dry_run: bool,
    seconds: float,
    tool: str,
    message: str | None = None,
    progress: Progress | None = None,
) -> RepackReport:
    """Encode what the lake holds again, by another preset."""
    return Repacker(
        vault, preset, dry_run=dry_run, seconds=seconds, tool=tool, message=message, progress=progress
    ).run()
