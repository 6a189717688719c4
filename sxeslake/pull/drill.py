"""A drill: some files are really pulled, and compared with the SHA-256 that the log has of them."""

from __future__ import annotations

import math
import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from sxeslake.disk.trouble import scratch_told
from sxeslake.errors import (
    DamagedLakeError,
    InputError,
    NotFoundError,
    ObjectNotFoundError,
    UnsupportedMethodError,
    UsageError,
)
from sxeslake.model import Progress
from sxeslake.pull import whole as pull
from sxeslake.pull.progress import RunProgress
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.log.state import Version
from sxeslake.vault.recipes import is_exact
from sxeslake.vault.vault import Vault

Status = Literal["exact", "content", "failed"]
"""exact: the original file, by its SHA-256. content: every name and content, proved by hash, in a new container, as the
lake has no recipe of the file. failed: it does not come back."""

_FAILURES = (DamagedLakeError, ObjectNotFoundError, NotFoundError, InputError, UnsupportedMethodError)


@dataclass(frozen=True, slots=True)
class DrillRow(HtmlRecord):
    """A version that was pulled."""

    sample: str
    version: int
    status: Status
    bytes: int
    sha256: str | None
    reason: str | None = None


@dataclass(slots=True)
class DrillReport(HtmlRecord):
    """What came back; `versions` is how many there are to choose from, and `seed` chooses the same ones again.

    Attributes
    ----------
    ok : bool
        Whether all came back.
    percent : float
        Share of the versions that was asked for, in percent.
    seed : int
        Chooses the same versions again.
    versions : int
        How many there are to choose from.
    files : list of DrillRow
        What was pulled.

    Examples
    --------
    >>> report = lake.drill(percent=100, seed=1)
    >>> report.ok, [row.status for row in report.files]
    (True, ['exact'])
    """

    ok: bool
    percent: float
    seed: int
    versions: int
    files: list[DrillRow] = field(default_factory=list)


def drill(vault: Vault, percent: float, seed: int | None = None, progress: Progress | None = None) -> DrillReport:
    """Pull a percentage of the live versions, at least one, into a temporary folder, one at a time."""
    if not 0 < percent <= 100:
        raise UsageError("a sample is more than 0 and at most 100 percent.")
    with vault.from_bucket() as fresh:  # what this machine has kept proves nothing
        return _drill(fresh, percent, secrets.randbelow(2**32) if seed is None else seed, progress)


def _drill(vault: Vault, percent: float, seed: int, progress: Progress | None) -> DrillReport:
    vault.sync()
    versions = vault.state.versions()
    wanted = min(len(versions), math.ceil(len(versions) * percent / 100))
    chosen = sorted(random.Random(seed).sample(range(len(versions)), wanted))
    report = DrillReport(True, percent, seed, len(versions))
    run = None if progress is None else RunProgress(progress, [versions[at].archive.bytes_source for at in chosen])
    for at in chosen:
        if run is not None:
            run.next()
        report.files.append(_pulled(vault, versions[at], run))
    report.ok = bool(report.files) and all(row.status != "failed" for row in report.files)
    return report


def _pulled(vault: Vault, version: Version, progress: Progress | None) -> DrillRow:
    archive = version.archive
    sha256 = archive.source.get("sha256")
    row = (archive.sample, archive.version)
    with scratch_told(), TemporaryDirectory(prefix="sxeslake-drill-", ignore_cleanup_errors=True) as folder:
        try:
            out, container = Path(folder) / "original", pull.container_of(version, None)
            pulled = pull.Pull(progress=progress).to_path(vault, version, out, container)
        except _FAILURES as error:
            return DrillRow(*row, "failed", archive.bytes_source, sha256, str(error))
    if pulled.exact and pulled.sha256 == sha256:
        return DrillRow(*row, "exact", archive.bytes_source, sha256)
    if pulled.exact or is_exact(archive):
        reason = pulled.exact_reason or f"its SHA-256 is {pulled.sha256}"
        return DrillRow(*row, "failed", archive.bytes_source, sha256, reason)
    return DrillRow(*row, "content", archive.bytes_source, sha256, pulled.exact_reason)
