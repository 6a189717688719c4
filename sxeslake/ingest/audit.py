"""Audit: may this original be deleted? Each file held against what the lake has; deletes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sxeslake.archive.container import open_container
from sxeslake.archive.parallel import usable_cpus
from sxeslake.errors import InputError
from sxeslake.ingest import finding
from sxeslake.ingest import source as sources
from sxeslake.ingest.absorb import Absorber
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.model import Progress
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One file: `stored` (all of it is in the lake), `changed` (another state of it is) or `absent`."""

    path: str
    status: Literal["stored", "changed", "absent"]
    archive: str | None
    size: int
    sha256: str | None


def audit(vault: Vault, paths: Iterable[Path], progress: Progress | None = None) -> list[AuditRow]:
    """A row for every archive and every other file below `paths`."""
    found = finding.find(paths)
    vault.sync()  # who reads "stored" may delete the original: say what is so now
    rows = [_row(vault, candidate.path, progress) for candidate in found.archives]
    rows += [_row(vault, path, progress, is_archive=False) for path in found.unrecognised]
    return sorted(rows, key=lambda row: row.path)


def _row(vault: Vault, path: Path, progress: Progress | None, *, is_archive: bool = True) -> AuditRow:
    size = sources.stamp(path).size
    if progress is not None:
        progress.start(f"audit {path.name}", size)
    sha256 = None if path.is_dir() else sources.sha256_of(path)
    status, version = _state_of(vault, path, sha256, is_archive=is_archive)
    if progress is not None:
        progress.advance(size)
        progress.finish()
    return AuditRow(str(path), status, version.name if version else None, size, sha256)


def _state_of(
    vault: Vault, path: Path, sha256: str | None, *, is_archive: bool
) -> tuple[Literal["stored", "changed", "absent"], Version | None]:
    if sha256 is not None:
        same = vault.state.versions("status = 'live' AND v.sha256 = ?", (sha256,))
        if same:
            return "stored", same[-1]
    if is_archive:
        equal = _equal_content(vault, path)
        if equal:
            return "stored", equal[-1]
    origin = (sources.text_of(path.resolve()), sources.this_host())
    known = vault.state.versions("status = 'live' AND v.path = ? AND v.host = ?", origin)
    return ("changed", known[-1]) if known else ("absent", None)


def _equal_content(vault: Vault, path: Path) -> Sequence[Version]:
    """Versions that hold all of it, whatever the container: every name and every byte."""
    absorber = Absorber(BlobTable(), lambda _: {}, None, chunk_bytes=vault.file.chunk_bytes, threads=usable_cpus())
    try:
        with open_container(path) as container:
            absorbed = absorber.absorb(container)
    except InputError:
        return []
    wanted = absorbed.content_id(absorbed.members.order())
    return vault.state.versions("status = 'live' AND v.content_id = ?", (wanted,))
