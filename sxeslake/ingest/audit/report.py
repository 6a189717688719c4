"""Audit reports: written as CSV, and checked against the lake later."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from sxeslake.archive.ranged_file import open_regular
from sxeslake.errors import InputError
from sxeslake.ingest.audit.run import AuditRow
from sxeslake.model import Progress
from sxeslake.text.html import HtmlRecord
from sxeslake.text.safe import inert, visible
from sxeslake.vault.log.state import Version
from sxeslake.vault.presence import Presence
from sxeslake.vault.recipes import is_exact, why_not
from sxeslake.vault.vault import Vault

COLUMNS = tuple(field.name for field in fields(AuditRow))
_NEEDED = {"path", "status", "archive", "sha256", "archive_sha256", "lake", "commit", "commit_blake3"}


@dataclass(frozen=True, slots=True)
class ReportRow(HtmlRecord):
    """A row of a report, checked against the lake as it is now.

    `was` is what the report says, `status` what is true now. Rows that claim nothing of the lake (`absent`, `changed`,
    `damaged`, …) always hold.

    Attributes
    ----------
    path : str
        The file or folder.
    was : str
        What the report says.
    status : str
        What is true now.
    holds : bool
        Whether that is no worse.
    archive : str or None
        The version, ``map@1``.
    sha256 : str or None
        SHA-256 of the file; None for a folder.
    checked : str or None
        What was asked of the bucket: ``presence`` or ``data``.
    reason : str or None
        Why, in words.

    Examples
    --------
    >>> import subprocess, sys
    >>> words = ["audit", "map.plzip", "--lake", "lake", "-o", "report.csv"]
    >>> done = subprocess.run([sys.executable, "-m", "sxeslake", *words], check=True, capture_output=True)
    >>> [(row.was, row.status, row.holds) for row in lake.verify_audit("report.csv")]
    [('stored', 'stored', True)]
    """

    path: str
    was: str
    status: str
    holds: bool
    archive: str | None = None
    sha256: str | None = None
    checked: str | None = None
    reason: str | None = None


def written(rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, raw: bool = False) -> str:
    """CSV; without `raw` no cell is a formula to a spreadsheet, and none holds a control character."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [_cell(row[name]) for name in columns]
        writer.writerow(cells if raw else [inert(visible(cell)) for cell in cells])
    return text.getvalue()


def verify(
    vault: Vault, report: Path, *, check_data: bool = False, progress: Progress | None = None
) -> list[ReportRow]:
    """Check every row of a report against the lake; InputError for a file that is no report of this lake."""
    rows = _read(report)
    vault.sync()
    lakes = {row["lake"] for row in rows} - {vault.file.lake_id}
    if lakes:
        raise InputError(
            f"this report is of another lake: {', '.join(sorted(lakes))}.",
            where=report,
            hint=f"This one is {vault.file.lake_id}; --lake URL names another.",
        )
    if progress is not None:
        progress.start(f"verify {report.name}", None)
    try:
        check = _ReportCheck(vault, Presence(vault, data=check_data))
        return [check.row(row) for row in rows]
    finally:
        if progress is not None:
            progress.finish()


class _ReportCheck:
    def __init__(self, vault: Vault, presence: Presence) -> None:
        self._vault, self._presence = vault, presence
        self._head = vault.state.head().number

    def row(self, said: Mapping[str, str]) -> ReportRow:
        """One row; it holds if one of the versions that match it is intact."""
        was, sha256 = said["status"], said["sha256"] or None
        blank = ReportRow(said["path"], was, was, True, said["archive"] or None, sha256)
        if was not in ("stored", "same-content"):
            return blank
        lost = self._rolled_back(said)
        if lost is not None:
            return _failed(blank, "absent", lost)
        versions = self._versions(said)
        if not versions:
            return _failed(blank, "absent", "no version in the lake has this content any more")
        rows = [self._checked(blank, version) for version in versions]
        return next((row for row in rows if row.holds), rows[0])

    def _rolled_back(self, said: Mapping[str, str]) -> str | None:
        """Whether the log is not the one that the report has seen."""
        number = int(said["commit"]) if said["commit"].isdecimal() else -1
        if number < 0 or number > self._head or self._vault.state.digest(number) not in (None, said["commit_blake3"]):
            return f"commit {said['commit']} of this report is not in the lake's log: the lake was set back or replaced"
        return None

    def _versions(self, said: Mapping[str, str]) -> list[Version]:
        """The version that the report names first, then others that came from the same file."""
        named, sha256 = _plain(said["archive"]), said["archive_sha256"]
        versions = self._vault.state.versions("status = 'live' AND v.sample || '@' || v.version = ?", (named,))
        versions = [version for version in versions if (version.archive.source.get("sha256") or "") == sha256]
        if sha256:
            others = self._vault.state.versions("status = 'live' AND v.sha256 = ?", (sha256,))
            versions += [version for version in others if version.name != named]
        if said["status"] == "stored":
            versions = [
                version for version in versions if (version.archive.source.get("sha256") or "") == said["sha256"]
            ]
        return versions

    def _checked(self, blank: ReportRow, version: Version) -> ReportRow:
        row = ReportRow(
            blank.path, blank.was, blank.was, True, version.name, blank.sha256, self._presence.checked
        )  # fmt: skip
        fault = self._presence.fault(version)
        if fault is not None:
            return _failed(row, "damaged", f"the lake is damaged: {fault}")
        is_file = version.archive.source.get("sha256") is not None
        if blank.was == "stored" and is_file and not is_exact(version.archive):
            return _failed(row, "same-content", str(why_not(version.archive)))
        return row


def _failed(row: ReportRow, status: str, reason: str) -> ReportRow:
    return ReportRow(row.path, row.was, status, False, row.archive, row.sha256, row.checked, reason)


def _read(report: Path) -> list[dict[str, str]]:
    try:
        with TextIOWrapper(BufferedReader(open_regular(report)), "utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="", strict=True)
            if not _NEEDED.issubset(reader.fieldnames or ()):
                raise InputError("this is not a report of `sxeslake audit`: columns are missing.", where=report)
            return [{name: row.get(name) or "" for name in COLUMNS} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot be read: {said}", where=report) from error


def _plain(cell: str) -> str:
    """A cell without the `'` that `inert` puts before a formula."""
    return cell[1:] if cell.startswith("'") and inert(cell[1:]) == cell else cell


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else str(value)
