"""What the lake holds already, told by the SHA-256 of a file: nothing is unpacked, and nothing heavy is loaded."""

from __future__ import annotations

import logging
from pathlib import Path

from sxeslake.ingest import naming, sums
from sxeslake.ingest import source as sources
from sxeslake.ingest.copies import Met
from sxeslake.ingest.discovery import Candidate
from sxeslake.ingest.report import ArchiveReport
from sxeslake.model import OPAQUE, Progress
from sxeslake.vault import recipes
from sxeslake.vault.packs.check import PackPresence
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)


class KnownFiles:
    """Recognises files that are in the lake, whatever they are called there."""

    def __init__(
        self,
        vault: Vault,
        sample: str | None,
        progress: Progress | None,
        check: PackPresence,
        encoding: str | None = None,
    ) -> None:
        self._check = check
        self._vault, self._sample, self._progress, self._encoding = vault, sample, progress, encoding
        self.names = naming.Names(vault.state)
        self.met: dict[str, Met] = {}  # path → what was recognised there
        self._sums: dict[tuple[Path, sources.Stamp], str] = {}  # of files that were asked for and are not known

    def wanted(self, candidate: Candidate) -> str:
        """The name that an archive would have."""
        return self._sample or candidate.name

    def report(self, candidate: Candidate) -> ArchiveReport | None:
        """What to report of a file whose bytes are in the lake, in packs that are there; else None.

        InputError or OSError where the file cannot be read.
        """
        path = candidate.path
        if candidate.made is not None or path.is_dir():
            return None
        before = sources.stamp(path)
        if not self._vault.state.holds_file_of(before.size):
            return None
        sha256 = self._sum(path, before)
        same = self._vault.state.versions("status = 'live' AND v.bytes = ? AND v.sha256 = ?", (before.size, sha256))
        if not same:
            return None
        known = same[-1].archive
        if known.kind == OPAQUE or self._encoding not in (None, known.source.get("encoding")):
            return None  # perhaps it can be taken apart now, or is read otherwise
        source = sources.describe_file(path, before, sha256, known.source)
        place = self.names.decide(
            naming.Newcomer(self.wanted(candidate), self._sample is not None, known.content_id,
                            known.layout_id, source, frozenset(known.analyses), None),
            naming.NamedBatch(),
        )  # fmt: skip
        if not place.unchanged or self.fault_of(place) is not None:
            return None
        report = ArchiveReport(str(path), sample=place.sample, version=place.version)
        report.status, report.kind, report.members = "unchanged", known.kind, known.members
        report.bytes_source, report.bytes_raw = before.size, known.bytes_raw
        report.blobs, report.warnings = known.blobs, known.warnings
        report.exact, report.exact_reason = recipes.is_exact(known), recipes.why_not(known)
        _LOG.debug("%s is %s@%d, by its SHA-256", path, place.sample, place.version)
        self.met[report.path] = Met(place, source, report)
        return report

    def fault_of(self, place: naming.Assignment) -> str | None:
        """Why the version at a place cannot be read whole."""
        version = self._vault.state.live_version(place.sample, place.version)
        return None if version is None else self._check.fault_of(version)

    def _sum(self, path: Path, before: sources.Stamp) -> str:
        found = self._sums.get((path, before))
        if found is not None:
            return found
        if self._progress is not None:
            self._progress.start(f"ingest {path.name}", before.size)
        try:
            found = self._sums[path, before] = sums.sha256_of(path)
        finally:
            if self._progress is not None:
                self._progress.finish()
        return found
