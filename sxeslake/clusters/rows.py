"""A plan and its rows: archives, and what tells cheaply which others each is likely to share content with."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from stat import S_ISDIR
from time import monotonic
from typing import Final

import numpy as np
from blake3 import blake3

from sxeslake.archive.columns import ABSENT, batches_of
from sxeslake.archive.container import open_container, sniff
from sxeslake.archive.file_facts import Links
from sxeslake.archive.ranged_file import open_regular
from sxeslake.clusters.grouping import Likeness, group_numbers
from sxeslake.errors import NotAnArchiveError, SxeslakeError
from sxeslake.ingest import discovery as finding
from sxeslake.ingest import sums
from sxeslake.ingest.discovery import Candidate, Found, PassedOver, default_name
from sxeslake.ingest.engine import no_archive
from sxeslake.ingest.vendors import Form, of_vendors
from sxeslake.machine.concurrency import in_order
from sxeslake.model import MIB, Progress

_LOG = logging.getLogger(__name__)

SMALL_BYTES: Final = MIB
"""Files up to this size are hashed whole; of larger ones only those that look like another."""
_END_BYTES: Final = 64 * 1024  # of a file's head and of its tail
_SKETCH: Final = 8  # members that stand for all: two archives that share a third have one in common in 96 of 100 cases
_LEAST_MEMBER_BYTES: Final = 1024  # smaller members are documents, which many archives share
_READERS: Final = 8  # files looked at at once, where each takes long: a network share answers slowly
_TRIED: Final = 8  # files that tell how long one takes
_QUICK_S: Final = 0.002  # on a disk of this machine, 200 small archives take 0.1 s with one thread, 0.25 with eight
_MOST_NS: Final = (1 << 63) - 1

_FOLDERS: Final = ("folder", "vendor")


@dataclass(frozen=True, slots=True)
class PlanRow:
    """An archive of a plan. `kind` is zip, 7z, folder, vendor, or other where nobody can tell before it is read.

    `ends` is a hash of the file's size, head and tail; `sketch` are the members with the smallest hashes of size and
    CRC-32. `group` counts from 0: archives of one group are ingested by one worker.
    """

    path: Path
    relative: Path
    kind: str
    size: int
    mtime_ns: int
    sha256: str | None = None
    ends: str | None = None
    sketch: tuple[int, ...] = ()
    group: int = 0

    @property
    def candidate(self) -> Candidate:
        """The row as an ingest takes it."""
        return Candidate(self.path, self.relative, vendor=self.kind == "vendor")

    @property
    def stamp(self) -> tuple[int, int]:
        """What tells that nothing was changed."""
        return self.size, self.mtime_ns

    def has_changed(self) -> bool:
        """Whether the file or folder is not what it was when it was planned, or is not there."""
        try:
            return stamp_of(self.path) != self.stamp
        except OSError:
            return True


@dataclass(slots=True)
class Plan:
    """What is to be ingested: archives, and what the search found beside them.

    `complete` is False where planning was interrupted; such a plan only spares the next one some reading.
    """

    rows: list[PlanRow]
    form: Form = "auto"
    links: Links = "keep"
    unrecognised: list[Path] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    complete: bool = True


def stamp_of(path: Path) -> tuple[int, int]:
    """Size and modification time; of a folder the sum of sizes and the newest time of all its files."""
    found = path.stat()
    if not S_ISDIR(found.st_mode):
        return found.st_size, _bounded(found.st_mtime_ns)
    size, newest = 0, found.st_mtime_ns
    for folder, _, names in os.walk(path):
        for name in names:
            facts = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - a million paths
            size, newest = size + facts.st_size, max(newest, facts.st_mtime_ns)
    return size, _bounded(newest)


def _bounded(modified_ns: int) -> int:
    return min(max(modified_ns, -_MOST_NS), _MOST_NS)


def looked_at(
    candidates: Sequence[Candidate], before: dict[Path, PlanRow], progress: Progress | None = None
) -> Iterator[PlanRow]:
    """A row for each candidate, in order, without group and mostly without SHA-256.

    What is known from `before` is not read again where size and time are the same.
    """
    jobs = ((lambda each=each: _row(each, before.get(each.path))) for each in candidates)
    if progress is not None:
        progress.start("plan", None)
    try:
        for row in _looks(jobs):
            if progress is not None:
                progress.advance(row.size)
            yield row
    finally:
        if progress is not None:
            progress.finish()


def _looks(jobs: Iterator[Callable[[], PlanRow]]) -> Iterator[PlanRow]:
    """Rows, in order: by one thread where the disk answers at once, for threads then wait for one another only."""
    began = monotonic()
    for job in islice(jobs, _TRIED):
        yield job()
    if monotonic() - began < _TRIED * _QUICK_S:
        yield from (job() for job in jobs)
    else:
        yield from in_order(jobs, threads=_READERS)


def hashed(rows: Sequence[PlanRow], small_bytes: int = SMALL_BYTES) -> Iterator[PlanRow]:
    """The same rows, with the SHA-256 of small files and of those that agree with another in size, head and tail."""
    twins = Counter(row.ends for row in rows if row.ends is not None)

    def wanted(row: PlanRow) -> bool:
        return row.ends is not None and (row.size <= small_bytes or twins[row.ends] > 1)

    jobs = ((lambda row=row: _with_sha256(row) if wanted(row) else row) for row in rows)
    return in_order(jobs, threads=_READERS)


def grouped(rows: Sequence[PlanRow]) -> list[PlanRow]:
    """The same rows with their groups: by group, the largest first, and in it in the order in which they came."""
    numbers = group_numbers([_likeness(row) for row in rows])
    made = [replace(row, group=number) for row, number in zip(rows, numbers, strict=True)]
    return sorted(made, key=lambda row: row.group)


def _likeness(row: PlanRow) -> Likeness:
    same: list[tuple[str, object]] = []
    if row.sha256 is not None:
        same.append(("sha256", row.sha256))
    if row.sketch:
        same.append(("sketch", row.sketch))
    try:
        same.append(("sample", default_name(row.relative)))  # versions of one sample get their numbers in order
    except SxeslakeError:  # the ingest says that nothing can be called that
        _LOG.debug("%s gives no name", row.relative)
    stem = row.relative.stem if row.kind not in _FOLDERS else row.relative.name
    return Likeness(row.size, tuple(same), (*(("member", number) for number in row.sketch), ("stem", stem.casefold())))


def searched(paths: Sequence[Path], form: Form, links: Links) -> Found:
    """What an ingest of the same paths would find; NotFoundError where that is nothing."""
    found = of_vendors(finding.find(paths, tree=form == "tree", links=links), paths, form)
    if not found.archives and not found.missed:
        raise no_archive(paths)
    return found


def unwritten(found: Found, form: Form, links: Links) -> Plan:
    """A plan for one run, that nobody keeps; the ingest hashes small files itself."""
    rows = list(hashed(list(looked_at(found.archives, {})), 0))
    return Plan(grouped(rows), form, links, found.unrecognised, found.passed_over)


# --- looking at one -----------------------------------------------------------------------------------------------


def _row(candidate: Candidate, known: PlanRow | None) -> PlanRow:
    path = candidate.path
    try:
        size, mtime_ns = stamp_of(path)
        if known is not None and known.stamp == (size, mtime_ns) and (known.kind == "vendor") == candidate.vendor:
            return replace(known, path=path, relative=candidate.relative)
        kind = "vendor" if candidate.vendor else _kind(path)
        row = PlanRow(path, candidate.relative, kind, size, mtime_ns)
        if path.is_dir():
            return row
        return replace(row, ends=_ends(path, size), sketch=_sketch(path) if kind in ("zip", "7z") else ())
    except (OSError, SxeslakeError) as error:
        _LOG.info("%s cannot be looked at: %s", path, error)
        return PlanRow(path, candidate.relative, "other", 0, 0)


def _kind(path: Path) -> str:
    try:
        return sniff(path)
    except NotAnArchiveError:
        return "other"


def _ends(path: Path, size: int) -> str:
    with open_regular(path) as file:
        head = file.read(_END_BYTES) or b""
        file.seek(max(len(head), size - _END_BYTES))
        tail = file.read(_END_BYTES) or b""
    return blake3(size.to_bytes(8, "little") + head + tail).hexdigest(32)[:32]


def _sketch(path: Path) -> tuple[int, ...]:
    """Of the members of an archive, those with the smallest hashes, by its directory alone."""
    found = np.empty(0, np.uint64)
    try:
        with open_container(path) as container:
            for batch in batches_of(container.members):
                sizes, sums = np.asarray(batch.sizes), np.asarray(batch.crc32)
                big = (sizes >= _LEAST_MEMBER_BYTES) & (sums != ABSENT)
                found = np.unique(np.append(found, _mixed(sizes[big], sums[big])))[:_SKETCH]
    except (OSError, SxeslakeError) as error:  # encrypted, damaged: the ingest says so
        _LOG.debug("%s has no directory that can be read: %s", path, error)
    return tuple(found.tolist())


def _mixed(sizes: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """A hash of 64 bits for each member, whose order has nothing to do with size or CRC-32."""
    mixed = (sums.astype(np.uint64) << np.uint64(32)) ^ sizes.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _with_sha256(row: PlanRow) -> PlanRow:
    if row.sha256 is not None:
        return row
    try:
        return replace(row, sha256=sums.sha256_of(row.path))
    except OSError as error:
        _LOG.info("%s cannot be hashed: %s", row.path, error)
        return row


def total_bytes(rows: Iterable[PlanRow]) -> int:
    """The bytes of some rows."""
    return sum(row.size for row in rows)
