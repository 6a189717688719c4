"""What an ingest tells: one row an archive, and one for everything that it could not read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from sxeslake.errors import ConflictError, DamagedLakeError, ObjectNotFoundError, ReadOnlyError, StorageError
from sxeslake.text.html import HtmlRecord
from sxeslake.text.wording import either

_LOG = logging.getLogger(__name__)

LAKE_ERRORS = (StorageError, DamagedLakeError, ConflictError, ObjectNotFoundError, ReadOnlyError)
"""Errors of the lake, not of an archive: the next archive would meet them, too, and so they end a run."""


@dataclass(slots=True)
class ArchiveReport(HtmlRecord):
    """What became of one archive, or of what could not be read: `unreadable` or `skipped`, see `finding.PassedOver`."""

    html_columns: ClassVar[Mapping[str, str]] = {
        "path": "archive", "sample": "sample", "version": "version", "status": "status", "bytes_source": "size",
        "bytes_stored": "stored", "duplicate_of": "same as", "error": "error", "warnings": "warnings",
    }  # fmt: skip

    path: str
    sample: str | None = None
    version: int | None = None
    status: Literal["added", "unchanged", "failed", "unreadable", "skipped"] = "failed"
    error: str | None = None
    kind: str | None = None
    members: int = 0
    bytes_source: int = 0
    bytes_raw: int = 0
    blobs: int = 0
    blobs_new: int = 0
    bytes_stored: int = 0
    warnings: tuple[str, ...] = ()
    renamed_from: str | None = None  # the name that it would have had, were that not an unrelated archive's
    exact: bool = False  # whether the original file can be pulled
    exact_reason: str | None = None  # why not
    path_added: bool = False  # whether this is one more path of a version that the lake holds
    duplicate_of: str | None = None  # another version with the same names and contents
    healed: int = 0  # blobs that were stored again, for the packs that held them are missing or damaged
    left_out: tuple[str, ...] = ()  # of a folder: what could not be read, and why
    converted: str | None = None  # of files of an instrument: what they are


@dataclass(frozen=True, slots=True)
class Estimate(HtmlRecord):
    """What archives would take, from those of a sample that were read: `bytes_stored` ± `error_bytes` (95 %).

    Content that files share in part is counted once only within the sample: where they do, it will be less.
    """

    archives: int
    archives_read: int
    copies: int  # files of equal SHA-256: they take nothing
    bytes_source: int
    bytes_stored: int
    error_bytes: int


@dataclass(slots=True)
class IngestReport(HtmlRecord):
    """What became of a batch; `commit` is the number of the last commit, None where nothing was new.

    Attributes
    ----------
    lake : str
        The lake's URL.
    commit : int or None
        The newest commit; None where nothing was stored.
    archives : list of ArchiveReport
        What became of each archive.
    unrecognised : list of str
        Files that are no archives.
    dry_run : bool
        Whether nothing was changed.
    damaged : list of str
        What was found wrong with packs and manifests, in words.
    links : list of str
        Links that were not followed, with the reason; nothing is missed with them.
    estimate : Estimate or None
        Of a quick dry run: what all would take; `archives` are those of its sample.
    workers : int
        How many ingested at the same time; after more than one, `Lake.gc` frees what two of them stored.
    changed : list of str
        Of a planned ingest: files that were not as planned any more; they were stored as they are.
    lost_workers : int
        Workers that ended unexpectedly; others did their work.

    Examples
    --------
    >>> report = lake.ingest("map.plzip", dry_run=True)
    >>> report.commit, report.failed
    (None, False)
    """

    lake: str
    commit: int | None = None
    archives: list[ArchiveReport] = field(default_factory=list)
    unrecognised: list[str] = field(default_factory=list)
    dry_run: bool = False
    damaged: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    estimate: Estimate | None = None
    workers: int = 1
    changed: list[str] = field(default_factory=list)
    lost_workers: int = 0

    @property
    def failed(self) -> bool:
        """Whether any archive could not be taken whole, or anything could not be searched for archives."""
        return any(archive.status not in ("added", "unchanged") or archive.left_out for archive in self.archives)


def of_unexpected(path: str, error: Exception) -> ArchiveReport:
    """The row of an archive that failed with an unexpected error; its traceback goes to the log."""
    _LOG.info("%s could not be stored", path, exc_info=error)
    where = either("`-v` shows where it arose.", f"the logger {__name__!r} has its traceback.")
    text = f"{path}: cannot be stored because of an error in sxeslake ({described(error)}); {where}"
    return ArchiveReport(path, error=text)


def described(error: Exception) -> str:
    """An unexpected error for people: its kind, and what it says."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
