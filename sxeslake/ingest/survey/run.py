"""What a drive would take before anything is stored: a dry run, summed up by folder, year or kind; or a quick estimate.

Survey.rows      one for each folder: archives, bytes, copies, and what an ingest would store of them
estimate(...)    what all archives would take, from those of a sample, with its error
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from sxeslake.ingest import sums
from sxeslake.ingest.discovery import Candidate
from sxeslake.ingest.report import ArchiveReport, Estimate, IngestReport
from sxeslake.ingest.talk import size_of
from sxeslake.text.html import HtmlRecord

By = Literal["folder", "year", "kind"]

_READ_SHARE: Final = 0.05  # of the files, for a quick estimate
_READ_LEAST: Final = 12  # a smaller sample has no error worth telling
_SURE: Final = 1.96  # standard errors: 95 of 100 estimates are nearer
_SEED: Final = 20  # the same files give the same estimate


@dataclass(frozen=True, slots=True)
class SurveyRow(HtmlRecord):
    """Some archives together. `duplicates` are those whose whole content is in the lake or in an archive before them.

    `bytes_saved` is what the originals take beyond `bytes_stored`: free once they are ingested, audited and deleted.
    """

    group: str
    archives: int
    bytes_source: int
    duplicates: int
    bytes_duplicate: int
    bytes_stored: int
    bytes_saved: int
    failed: int


@dataclass(frozen=True, slots=True)
class Survey(HtmlRecord):
    """A dry run in groups, the total, and the single archives.

    Attributes
    ----------
    lake : str
        The lake's URL.
    by : By
        What a row is.
    rows : list of SurveyRow
        A row a group.
    total : SurveyRow
        All groups together.
    archives : list of ArchiveReport
        What became of each archive.

    Examples
    --------
    >>> found = lake.survey("map.plzip")
    >>> found.total.archives, found.failed
    (1, False)
    """

    lake: str
    by: By
    rows: list[SurveyRow]
    total: SurveyRow
    archives: list[ArchiveReport]

    @property
    def failed(self) -> bool:
        """Whether anything could not be read."""
        return self.total.failed > 0


def survey(report: IngestReport, by: By) -> Survey:
    """Sum up a dry run by the folders that the archives lie in, the years of their files, or their kinds."""
    group_of: Mapping[By, Callable[[ArchiveReport], str]] = {
        "folder": lambda archive: str(Path(archive.path).parent),
        "year": _year,
        "kind": lambda archive: archive.kind or "unknown",
    }
    groups: dict[str, list[ArchiveReport]] = defaultdict(list)
    for archive in report.archives:
        groups[group_of[by](archive)].append(archive)
    rows = [_row(group, groups[group]) for group in sorted(groups)]
    return Survey(report.lake, by, rows, _row("total", report.archives), report.archives)


def is_duplicate(archive: ArchiveReport) -> bool:
    """Whether all names and contents are in the lake, or in an archive before this one."""
    return archive.status == "unchanged" or (archive.status == "added" and archive.duplicate_of is not None)


def _row(group: str, archives: Sequence[ArchiveReport]) -> SurveyRow:
    read = [archive for archive in archives if archive.status in ("added", "unchanged")]
    copies = [archive for archive in read if is_duplicate(archive)]
    source, stored = sum(each.bytes_source for each in read), sum(each.bytes_stored for each in read)
    return SurveyRow(
        group, len(read), source, len(copies), sum(copy.bytes_source for copy in copies), stored, source - stored,
        len(archives) - len(read),
    )  # fmt: skip


def _year(archive: ArchiveReport) -> str:
    """When the file was written last."""
    try:
        return str(datetime.fromtimestamp(Path(archive.path).stat().st_mtime, UTC).year)
    except (OSError, OverflowError, ValueError):
        return "unknown"


# --- a quick estimate ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sampled:
    """The files that a quick estimate reads, the sizes of all that differ, and copies, which take nothing."""

    chosen: list[Candidate]
    sizes: list[int]
    copies: list[int]


def sample(candidates: Sequence[Candidate]) -> Sampled:
    """Choose some files by chance, always the same; files of equal SHA-256 count once."""
    distinct, copies = _without_copies([(candidate, size_of(candidate.path)) for candidate in candidates])
    count = min(len(distinct), max(_READ_LEAST, math.ceil(_READ_SHARE * len(distinct))))
    chosen = sorted(random.Random(_SEED).sample(range(len(distinct)), count))
    return Sampled([distinct[at][0] for at in chosen], [size for _, size in distinct], copies)


def _without_copies(sized: Sequence[tuple[Candidate, int]]) -> tuple[list[tuple[Candidate, int]], list[int]]:
    of_size: dict[int, int] = defaultdict(int)
    for _, size in sized:
        of_size[size] += 1
    distinct, copies, seen = [], [], set[str]()
    for candidate, size in sized:
        if of_size[size] > 1 and candidate.path.is_file():
            try:
                sha256 = sums.sha256_of(candidate.path)
            except OSError:
                sha256 = str(candidate.path)  # the run says what is wrong with it
            if sha256 in seen:
                copies.append(size)
                continue
            seen.add(sha256)
        distinct.append((candidate, size))
    return distinct, copies


def estimate(sampled: Sampled, read: Iterable[ArchiveReport]) -> Estimate:
    """What all would take: the share that the sample takes, of all bytes; the error from how much it varies."""
    pairs = [(each.bytes_source, each.bytes_stored) for each in read if each.status in ("added", "unchanged")]
    source, stored = sum(size for size, _ in pairs), sum(taken for _, taken in pairs)
    whole, left = sum(sampled.sizes), len(sampled.sizes) - len(sampled.chosen)
    share = stored / source if source else 0.0
    error = 0.0
    if left and len(pairs) > 1 and source:
        spread = sum((taken - share * size) ** 2 for size, taken in pairs) * len(pairs) / (len(pairs) - 1)
        error = _SURE * math.sqrt(spread * left / len(sampled.sizes)) / source * whole
    return Estimate(
        archives=len(sampled.sizes) + len(sampled.copies), archives_read=len(sampled.chosen),
        copies=len(sampled.copies), bytes_source=whole + sum(sampled.copies), bytes_stored=round(share * whole),
        error_bytes=round(error),
    )  # fmt: skip
