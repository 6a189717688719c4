"""Audit: may this original be deleted? Each file is compared with what the bucket holds; nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from sxeslake.archive.base import WAS_ENCRYPTED
from sxeslake.archive.container import open_container
from sxeslake.archive.file_facts import Links
from sxeslake.archive.folder import FolderReader
from sxeslake.archive.ranged_file import outside_of
from sxeslake.errors import (
    DamagedArchiveError,
    DamagedLakeError,
    EncryptedArchiveError,
    InputError,
    NotAnArchiveError,
    ObjectNotFoundError,
)
from sxeslake.format.identity import content_ids_by_folders
from sxeslake.format.layout import columns_of, compare
from sxeslake.ingest import discovery as finding
from sxeslake.ingest import source as sources
from sxeslake.ingest import sums
from sxeslake.ingest.absorb import Absorbed, Absorber
from sxeslake.ingest.audit.originals import KeptOriginals
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.report import LAKE_ERRORS, described
from sxeslake.machine.concurrency import usable_cpus
from sxeslake.model import ContainerKind, Progress
from sxeslake.text.html import HtmlRecord
from sxeslake.text.wording import said
from sxeslake.vault.log.state import Version
from sxeslake.vault.presence import Presence
from sxeslake.vault.recipes import is_exact, why_not
from sxeslake.vault.vault import Vault

Status = Literal["stored", "same-content", "changed", "damaged", "absent", "unreadable", "skipped", "link"]
"""stored: a pull gives back this file, byte for byte (a folder: with every name, byte, time and attribute).
same-content: a pull gives back every name and content, but not what `differs` lists. changed: the lake holds another
state of the file at this path. damaged: the file, or what the lake has of it, is damaged; `reason` says which.
absent: the lake holds nothing of it. unreadable, skipped: the file could not be read, or a link was not followed, see
`finding.PassedOver`; link: a link with which nothing is lost."""

_LOCKED = "this file is encrypted, and the lake gives its contents back unencrypted"
_COMPARED = 8  # versions of the same content: all but one of them are copies


@dataclass(frozen=True, slots=True)
class AuditRow(HtmlRecord):
    """One file, and the version that proves the verdict on it.

    Attributes
    ----------
    path : str
        The file or folder.
    status : Status
        The verdict: ``stored``, ``same-content``, ``changed``, ``absent``, …
    archive : str or None
        The version that proves it, ``map@1``.
    size : int
        Bytes.
    sha256 : str or None
        SHA-256 of the file; None for a folder.
    exact : bool
        Whether a pull gives back this file byte for byte.
    checked : str or None
        What was asked of the bucket: ``presence`` or ``data`` of packs and manifest.
    differs : list of str
        What a pull does not give back.
    reason : str or None
        Why, in words.
    archive_sha256 : str or None
        SHA-256 of the file from which the version came.
    lake : str
        The lake's id.
    commit : int
        The newest commit when this was found.
    commit_blake3 : str or None
        Its hash.

    Examples
    --------
    >>> (row,) = lake.audit("map.plzip")
    >>> row.status, row.archive, row.is_safe
    ('stored', 'map@1', True)
    """

    path: str
    status: Status
    archive: str | None = None
    size: int = 0
    sha256: str | None = None
    exact: bool = False
    checked: str | None = None
    differs: list[str] = field(default_factory=list)
    reason: str | None = None
    archive_sha256: str | None = None
    lake: str = ""
    commit: int = 0
    commit_blake3: str | None = None

    @property
    def is_safe(self) -> bool:
        """Whether nothing is lost with this file."""
        return self.status in ("stored", "link")


def audit(
    vault: Vault,
    paths: Iterable[Path],
    progress: Progress | None = None,
    *,
    check_data: bool = False,
    tree: bool = False,
    links: Links = "keep",
    passwords: Sequence[str] = (),
) -> list[AuditRow]:
    """A row for every archive, every other file and everything that cannot be read below `paths`."""
    found = finding.find(paths, tree=tree, links=links)
    vault.sync()  # who reads "stored" may delete the original: say what is so now
    judge = _Auditor(vault, check_data, progress, passwords)
    rows = [judge.row(candidate.path, is_archive=True) for candidate in found.archives]
    rows += [judge.row(path, is_archive=False) for path in found.unrecognised]
    rows += [AuditRow(sources.text_of(it.path), it.status, reason=it.reason) for it in found.passed_over]
    head = vault.state.head()
    return [
        replace(row, lake=vault.file.lake_id, commit=head.number, commit_blake3=head.digest)
        for row in sorted(rows, key=lambda row: row.path)
    ]


class _Read(NamedTuple):
    """An archive or folder that was read, and what no version can hold of it."""

    kind: ContainerKind
    absorbed: Absorbed
    content_id: str
    lost: tuple[str, ...]


class _Auditor:
    """Compares files with the lake, one after the other."""

    def __init__(
        self, vault: Vault, check_data: bool, progress: Progress | None, passwords: Sequence[str] = ()
    ) -> None:
        self._vault, self._progress, self._passwords = vault, progress, passwords
        self._presence = Presence(vault, data=check_data)
        self._host = sources.this_host()
        self._originals = KeptOriginals(vault, self._host)

    def row(self, path: Path, *, is_archive: bool) -> AuditRow:
        """The row of one file or folder; one that cannot be read is no reason to end."""
        blank = AuditRow(sources.text_of(path), "absent")
        try:
            before = sources.stamp(path)
            blank = replace(blank, size=before.size)
            if self._progress is not None:
                self._progress.start(f"audit {path.name}", before.size)
            found = self._file(path, blank, is_archive=is_archive)
            if sources.stamp(path) != before:
                return replace(blank, status="unreadable", reason="it changed while it was read; audit it again")
            return found
        except LAKE_ERRORS:
            raise
        except OSError as error:
            return replace(blank, status="unreadable", reason=f"cannot be read: {error.strerror or error}")
        except InputError as error:  # no regular file any more, or a disk that gives no bytes
            return replace(blank, status="unreadable", reason=error.what)
        except Exception as error:  # an unexpected error of one file must not hide the others
            reason = f"cannot be audited because of an error ({described(error)})"
            return replace(blank, status="unreadable", reason=reason)
        finally:
            if self._progress is not None:
                self._progress.advance(blank.size)
                self._progress.finish()

    def _file(self, path: Path, blank: AuditRow, *, is_archive: bool) -> AuditRow:
        if not path.is_dir():
            blank = replace(blank, sha256=sums.sha256_of(path))
            same = self._preferred(path, "v.bytes = ? AND v.sha256 = ?", blank.size, blank.sha256)
            if same:
                return self._best([self._of_same_bytes(blank, version) for version in same])
            if (version := self._converted(path, blank)) is not None:
                return self._of_originals(blank, version)
        return self._content(path, blank) if is_archive else self._other_state(path, blank)

    def _content(self, path: Path, blank: AuditRow) -> AuditRow:
        """An archive or folder whose bytes are not those of a version's file."""
        try:
            read = self._read(path)
        except InputError as error:
            return self._unpackable(path, blank, error)
        absorbed = read.absorbed
        if read.kind == "folder":
            blank = replace(blank, size=absorbed.raw_bytes)
        same = self._preferred(path, "v.content_id = ?", read.content_id)
        if not same:
            ids = content_ids_by_folders(absorbed.contents(absorbed.members.order()))
            same = [version for each in ids for version in self._preferred(path, "v.content_id = ?", each)]
        if not same:
            return self._other_state(path, blank)
        return self._best([self._of_same_content(blank, read, version) for version in same[:_COMPARED]])

    def _unpackable(self, path: Path, blank: AuditRow, error: InputError) -> AuditRow:
        """A file that cannot be taken apart: damaged, no archive at all, or whole but of a kind that is not read."""
        if isinstance(error.__cause__, OSError):
            raise error
        known = self._other_state(path, blank)
        is_archive = not isinstance(error, NotAnArchiveError) or path.suffix.lower() in finding.SUFFIXES
        if is_archive and isinstance(error, DamagedArchiveError | NotAnArchiveError):
            alike = self._preferred(path, "v.bytes = ?", blank.size) if known.archive is None else []
            of = f"; perhaps a damaged copy of {alike[0].name}, which has the same size" if alike else ""
            return replace(known, status="damaged", reason=f"the file cannot be read: {error.what}{of}")
        if not is_archive:
            return known
        hint = f". {error.hint}" if error.hint and isinstance(error, EncryptedArchiveError) else ""
        return replace(known, reason=f"its content cannot be compared: {error.what}{hint}")

    # --- proofs --------------------------------------------------------------------------------------------------

    def _preferred(self, path: Path, where: str, *values: str | int | None) -> list[Version]:
        """Live versions that fit, those that came from this path first, then those of its name, the newest first."""
        whole = path.resolve()
        place, name = (sources.text_of(whole), self._host), sources.text_of(Path(whole.name))
        here = {(known.sample, known.version) for known in self._vault.state.paths("v.path = ? AND v.host = ?", place)}

        def rank(version: Version) -> tuple[bool, bool, int, int]:
            is_here = (version.sample, version.version) in here
            return not is_here, version.archive.source.get("name") != name, -version.number, -version.version

        return sorted(self._vault.state.versions(f"status = 'live' AND {where}", values), key=rank)

    @staticmethod
    def _best(rows: Sequence[AuditRow]) -> AuditRow:
        """The strongest proof: of equal ones the first, which is the nearest."""
        return min(rows, key=lambda row: (_RANK[row.status], len(row.differs)))

    def _of_same_bytes(self, blank: AuditRow, version: Version) -> AuditRow:
        row = self._proved(blank, version)
        if row.status == "damaged":
            return row
        if is_exact(version.archive):
            return replace(row, status="stored", exact=True)
        why = str(why_not(version.archive))
        is_final = said("`sxeslake exact`") in why or why == WAS_ENCRYPTED
        hint = "" if is_final else said(f"; `sxeslake exact {version.name} --always` changes that")
        reason = f"{version.name} came from this file, but a pull packs it differently: {why}{hint}"
        return replace(row, status="same-content", differs=["container"], reason=reason)

    def _converted(self, path: Path, blank: AuditRow) -> Version | None:
        """The version that this file of an instrument was converted to."""
        try:
            return self._originals.version_with(path, blank.sha256 or "")
        except (DamagedLakeError, ObjectNotFoundError):  # its recipe is lost: nothing proves that it comes back
            return None

    def _of_originals(self, blank: AuditRow, version: Version) -> AuditRow:
        row = self._proved(blank, version)
        if row.status == "damaged":
            return row
        reason = said(f"`sxeslake originals {version.name}` gives it back")
        return replace(row, status="stored", exact=True, reason=reason)

    def _of_same_content(self, blank: AuditRow, read: _Read, version: Version) -> AuditRow:
        row = self._proved(blank, version)
        if row.status == "damaged":
            return row
        try:
            differs = self._differs(read, version)
        except (DamagedLakeError, ObjectNotFoundError) as error:
            return _damaged(row, error.what.rstrip("."))
        if not differs:
            return replace(row, status="stored", exact=True)
        locked = (_LOCKED,) if WAS_ENCRYPTED in read.absorbed.notes else ()
        return replace(row, status="same-content", differs=differs, reason="; ".join((*read.lost, *locked)) or None)

    def _proved(self, blank: AuditRow, version: Version) -> AuditRow:
        """The row with a version as its proof; `damaged` where the bucket lacks what that needs."""
        row = replace(
            blank, archive=version.name, archive_sha256=version.archive.source.get("sha256"),
            checked=self._presence.checked,
        )  # fmt: skip
        fault = self._presence.fault(version)
        return row if fault is None else _damaged(row, fault)

    def _differs(self, read: _Read, version: Version) -> list[str]:
        """What a pull of a version does not give back of an archive with the same names and contents.

        folders (entries for them), times, attributes, names (as they were written), order, comment, left out (what a
        version cannot hold of a folder), leading bytes, trailing bytes, container (another one, or packed differently).
        """
        archive, absorbed = version.archive, read.absorbed
        # which folders have entries of their own
        differs = [] if read.content_id == archive.content_id else ["folders"]
        if absorbed.layout_id != archive.layout_id:
            differs += compare(columns_of(absorbed.members), self._vault.manifests.table(version)).words()
        if absorbed.comment.hex() != archive.comment:
            differs.append("comment")
        if read.lost:
            differs.append("left out")
        differs += [word for word in outside_of(absorbed.notes) if word not in outside_of(archive.warnings)]
        is_packed_otherwise = read.kind != "folder" and not differs
        if read.kind != archive.source.get("container") or is_packed_otherwise:
            differs.append("container")
        return differs

    def _read(self, path: Path) -> _Read:
        absorber = Absorber(
            BlobTable(), lambda _: {}, None, chunk_bytes=self._vault.file.chunk_bytes, threads=usable_cpus()
        )
        with open_container(path, password=self._passwords) as container:
            absorbed = absorber.absorb(container)
            lost = container.lost if isinstance(container, FolderReader) else ()
            return _Read(container.kind, absorbed, absorbed.content_id(absorbed.members.order()), lost)

    def _other_state(self, path: Path, blank: AuditRow) -> AuditRow:
        """Whether the lake knows another state of the file at this path."""
        known = self._vault.state.paths("v.path = ? AND v.host = ?", (sources.text_of(path.resolve()), self._host))
        if not known:
            return blank
        name = known[-1].sample, known[-1].version
        (version,) = self._vault.state.versions("v.sample = ? AND v.version = ?", name)
        sha256 = version.archive.source.get("sha256")
        return replace(blank, status="changed", archive=version.name, archive_sha256=sha256)


def _damaged(row: AuditRow, fault: str) -> AuditRow:
    reason = f"the lake is damaged: {fault}; keep this file: `sxeslake repair --from FILE` restores what it lacks"
    return replace(row, status="damaged", reason=said(reason))


_RANK = {"stored": 0, "same-content": 1, "damaged": 2}
