"""What a command's summary says that a record keeps: bytes, archives, failures. Messages may still hold secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sxeslake.catalog.catalog import CheckpointReport
    from sxeslake.ingest.report import ArchiveReport, IngestReport
    from sxeslake.maintenance.gc.run import GcReport
    from sxeslake.maintenance.repack.run import RepackReport
    from sxeslake.maintenance.report import CopyReport, RepairReport, VerifyReport


class Figures(NamedTuple):
    """Of one run, or of a part of it."""

    bytes_read: int = 0
    bytes_written: int = 0
    bytes_freed: int = 0
    archives: int = 0
    failures: tuple[str, ...] = ()
    complete: bool = True


def of_archives(archives: Iterable[ArchiveReport]) -> Figures:
    """Of archives that came in, and of what could not be read."""
    read = written = stored = 0
    failures: list[str] = []
    for archive in archives:
        if archive.status in ("added", "unchanged"):
            read += archive.bytes_source
            written += archive.bytes_stored
            stored += archive.status == "added"
            failures += [f"{archive.path}: left out: {each}" for each in archive.left_out]
        else:
            failures.append(f"{archive.status}: {_named(archive.path, archive.error)}")
    return Figures(read, written, archives=stored, failures=tuple(failures))


def of_ingest(report: IngestReport) -> Figures:
    """What an ingest adds to that of its archives."""
    return Figures(failures=tuple(f"damaged: {each}" for each in report.damaged))


def of_verify(report: VerifyReport) -> Figures:
    """Of a check of the lake."""
    problems = tuple(f"{each.kind}: {each.object}: {each.detail}" for each in report.problems)
    return Figures(report.checked.bytes, failures=problems, complete=report.complete)


def of_copy(report: CopyReport) -> Figures:
    """Of a second lake."""
    failed = tuple(
        f"failed: {each.sample}@{each.version}: {each.error}" for each in report.archives if each.status == "failed"
    )
    copied = sum(each.status == "copied" for each in report.archives)
    return Figures(report.bytes_raw, report.bytes_written, archives=copied, failures=failed)


def of_gc(report: GcReport) -> Figures:
    """Of a collection."""
    return Figures(
        bytes_written=report.bytes_written,
        bytes_freed=report.bytes_freed - report.bytes_written,
        failures=tuple(f"damaged: {each}" for each in report.damaged),
    )


def of_checkpoint(report: CheckpointReport) -> Figures:
    """Of a published checkpoint."""
    return Figures(bytes_written=report.new_bytes)


def of_repair(report: RepairReport) -> Figures:
    """Of a repair: what is lost."""
    lost = tuple(
        f"lost: {each.archive}{f': {each.member}' if each.member else ''}: {each.detail}" for each in report.lost
    )
    return Figures(failures=lost)


def of_repack(report: RepackReport) -> Figures:
    """Of packs that were compressed again; `gc` frees what it saves."""
    return Figures(
        report.bytes_before,
        report.bytes_after,
        failures=tuple(f"damaged: {each}" for each in report.damaged),
        complete=not report.packs_left,
    )


def _named(path: str, error: str | None) -> str:
    """An error that begins with the path already stays as it is."""
    return error if error and error.startswith(path) else f"{path}: {error}"


_OF = {
    "IngestReport": of_ingest, "VerifyReport": of_verify, "CopyReport": of_copy, "GcReport": of_gc,
    "CheckpointReport": of_checkpoint, "RepairReport": of_repair, "RepackReport": of_repack,
}  # fmt: skip
"""By the name of the report's class: its module is loaded by whoever has one, and by nobody else."""


def figures_of(report: object) -> Figures:
    """What a report of one of the recorded commands says; a sequence is one of archives."""
    if isinstance(report, list | tuple):
        return of_archives(report)
    return _OF[type(report).__name__](report)  # type: ignore[operator,no-any-return]
