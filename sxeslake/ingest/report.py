"""What an ingest tells: one line an archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class ArchiveReport:
    """What became of one archive."""

    path: str
    sample: str | None = None
    version: int | None = None
    status: Literal["added", "unchanged", "failed"] = "failed"
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
    exact: bool = False  # whether the very file can be pulled
    exact_reason: str | None = None  # why not
    duplicate_of: str | None = None  # another version with the same names and contents


@dataclass(slots=True)
class IngestReport:
    """What became of a batch; `commit` is the number of the last commit, None where nothing was new."""

    lake: str
    commit: int | None = None
    archives: list[ArchiveReport] = field(default_factory=list)
    unrecognised: list[str] = field(default_factory=list)
    dry_run: bool = False

    @property
    def failed(self) -> bool:
        """Whether any archive could not be taken."""
        return any(archive.status == "failed" for archive in self.archives)
