"""A whole share back: every path that was ingested, its file byte for byte where the lake has a recipe, its time."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sxeslake.disk.output import written_file
from sxeslake.errors import AlreadyExistsError, SxeslakeError
from sxeslake.model import MIB
from sxeslake.pull import annotations_file as sidecar
from sxeslake.pull import share_plan as shareplan
from sxeslake.pull import whole as pull
from sxeslake.pull.progress import RunProgress
from sxeslake.pull.share_plan import Original
from sxeslake.pull.whole import PullReport
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Restored(HtmlRecord):
    """A path that is back: what was pulled, or why it was not.

    Attributes
    ----------
    original : Original
        The path as it was ingested, and the version that it is.
    target : Path
        Where it is now.
    report : PullReport or None
        What was pulled.
    error : SxeslakeError or None
        Why it was not.

    Examples
    --------
    >>> [item] = lake.pull_share("restored").restored
    >>> item.target.name, item.report.exact
    ('map.plzip', True)
    """

    original: Original
    target: Path
    report: PullReport | None = None
    error: SxeslakeError | None = None


@dataclass(slots=True)
class ShareReport(HtmlRecord):
    """A share that is back below a folder; `left_out` are versions that are the newest state of no path.

    Attributes
    ----------
    restored : list of Restored
        What became of each path.
    left_out : list of str
        Versions that are the newest state of no path.

    Examples
    --------
    >>> report = lake.pull_share("restored")
    >>> len(report.restored), report.failed
    (1, [])
    """

    restored: list[Restored]
    left_out: list[str]

    @property
    def failed(self) -> list[Restored]:
        """The paths that are not back."""
        return [item for item in self.restored if item.error is not None]


def pull_share(
    vault: Vault,
    out: Path,
    how: pull.Pull,
    *,
    all_versions: bool = False,
    told: Callable[[Restored], None] | None = None,
) -> ShareReport:
    """Restore the newest state of every path, or all states, below a folder; `told` hears of each when it is done."""
    planned = shareplan.plan(vault.state, all_versions=all_versions)
    report = ShareReport([], planned.left_out)
    for item in restore(vault, planned, out, how, url=vault.store.url):
        report.restored.append(item)
        if told is not None:
            told(item)
    return report


def restore(
    vault: Vault, plan: shareplan.SharePlan, out: Path, how: pull.Pull, *, url: str
) -> Iterator[Restored]:  # fmt: skip
    """Restore what is planned below a folder, one path after the other; one that fails does not stop the others."""
    run = None
    if how.progress is not None:
        run = RunProgress(how.progress, [original.version.archive.bytes_source for original in plan.originals])
        how = replace(how, progress=run)
    job = _Restore(vault, how, url)
    for original in plan.originals:
        if run is not None:
            run.next()
        target = out.joinpath(*original.steps)
        try:
            report = job.one(original, target)
        except SxeslakeError as error:
            yield Restored(original, target, error=error)
        else:
            yield Restored(original, target, report)
    job.finish()


class _Restore:
    def __init__(self, vault: Vault, how: pull.Pull, url: str) -> None:
        self._vault, self._how, self._url = vault, how, url
        self._pulled: dict[str, PullReport] = {}  # version → a file that is it, byte for byte
        self._folder_times: list[tuple[Path, int]] = []

    def one(self, original: Original, target: Path) -> PullReport:
        """Write one file or folder, with the time that it had."""
        version, state = original.version, self._vault.state
        twin = self._pulled.get(version.name)
        if not self._how.force and (there := self._there(original, target)) is not None:
            report = there
        elif twin is not None:
            report = replace(twin, path=str(target))
            target.parent.mkdir(parents=True, exist_ok=True)
            with Path(twin.path).open("rb") as source, written_file(target, force=self._how.force) as file:
                shutil.copyfileobj(source, file, MIB)
        else:
            report = self._how.to_path(self._vault, version, target, pull.container_of(version, None))
        if report.container != "folder" and report.exact:
            self._pulled.setdefault(version.name, report)
        if original.modified_ns is not None:
            if report.container == "folder":  # what is put into it later would change it
                self._folder_times.append((target, original.modified_ns))
            else:
                os.utime(target, ns=(original.modified_ns, original.modified_ns))
        return replace(report, annotations=sidecar.write(state, version, target, lake=self._url, force=True))

    def finish(self) -> None:
        """Give folders their times, now that nothing more goes into them."""
        for folder, modified_ns in reversed(self._folder_times):
            os.utime(folder, ns=(modified_ns, modified_ns))

    def _there(self, original: Original, target: Path) -> PullReport | None:
        """What a run before has put there, or the archive of a folder that holds this file, too."""
        archive = original.version.archive
        sha256 = archive.source.get("sha256")
        if sha256 is None or not target.is_file() or target.stat().st_size != archive.bytes_source:
            return None
        if _sha256(target) != sha256:
            raise AlreadyExistsError("another file is there already.", where=target, hint="`--force` replaces it.")
        return PullReport(
            archive.sample, archive.version, str(target), pull.container_of(original.version, None), archive.members,
            archive.bytes_raw, archive.bytes_source, sha256, [], exact=True,
        )  # fmt: skip


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
