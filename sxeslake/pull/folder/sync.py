"""Sync: a folder brought up to date with a version by moving only what it lacks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from sxeslake.archive.folder import FolderWriter, set_time
from sxeslake.disk.rename import sync_tree
from sxeslake.disk.trouble import told
from sxeslake.errors import AlreadyExistsError, InputError, StorageError, UsageError
from sxeslake.model import Progress
from sxeslake.pull.cost import cost_of
from sxeslake.pull.folder.earlier import check_removable
from sxeslake.pull.folder.plan import FolderPlan, plan_folder
from sxeslake.pull.folder.stamps import stamps_of
from sxeslake.pull.progress import reported
from sxeslake.reading.names import apart, has_raw_names
from sxeslake.reading.rows import check_table, in_archive_order
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.blobs.contents import contents
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncReport(HtmlRecord):
    """What was done, or with `dry_run` would be: counts of files and folders, and bytes.

    `extra` counts what does not belong and was left, `removed` what was removed. `bytes_moved` came from the lake;
    with `dry_run` it is an estimate that knows nothing of what this machine has kept.

    Attributes
    ----------
    sample : str
        The sample's name.
    version : int
        Its version's number.
    path : str
        The folder.
    dry_run : bool
        Whether nothing was changed.
    members : int
        Files and folders.
    unchanged : int
        Those that were right already.
    added : int
        Those that were missing.
    changed : int
        Those that differed.
    removed : int
        Those that do not belong and were removed.
    extra : int
        Those that do not belong and were left.
    bytes_written : int
        Bytes of what was written.
    bytes_moved : int
        Bytes that came from the lake; of a dry run an estimate that knows nothing of what this machine has kept.
    renamed : list of (str, str)
        Names that this system cannot hold, and under which they are.
    unlinked : list of str
        Links that could lead out of the folder: written as files.

    Examples
    --------
    >>> report = lake.sync("map", "unpacked", dry_run=True)
    >>> report.added == report.members
    True
    """

    sample: str
    version: int
    path: str
    dry_run: bool
    members: int
    unchanged: int
    added: int
    changed: int
    removed: int
    extra: int
    bytes_written: int
    bytes_moved: int
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sync:
    """How to bring a folder up to date."""

    delete: bool = False
    dry_run: bool = False
    progress: Progress | None = None

    def run(self, vault: Vault, version: Version, folder: str | Path) -> SyncReport:
        """Look, then write what lacks: each file in one step, so that an interrupted run is just taken up again."""
        if not str(folder).strip():  # an unset variable: it would be the current folder
            raise UsageError("no folder was named.", hint="The current one is called `.`.")
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise InputError("this is a file; a folder is kept up to date.", where=folder)
        moved = vault.store.counters.bytes_in
        with vault.reading(version), stamps_of(folder, vault.folder) as stamps:
            table = in_archive_order(vault.manifests.table(version))
            check_table(table, version.name)
            table, renamed = apart(table)
            writer = FolderWriter(folder, make=not self.dry_run, raw_names=has_raw_names(version))
            rows = vault.manifests.open(version.archive.manifest).rows(table)
            plan = plan_folder(folder, rows, writer.place_of, stamps, vault.threads)
            self._check(plan, folder)
            _LOG.info("%s: %d to add, %d to change, %d unchanged", folder, plan.added, plan.changed, plan.unchanged)
            if self.delete and plan.extra:
                check_removable(vault, version, folder, plan.extra)
            ordinals = table["ordinal"].to_numpy()
            wanted = table.take(pa.array(np.searchsorted(ordinals, np.array(plan.wanted, ordinals.dtype))))
            size = int(wanted["size"].to_numpy().sum())
            if self.dry_run:
                packs = vault.manifests.open(version.archive.manifest).packs
                moved = cost_of(vault, [(wanted, packs)]).bytes_fetch
            else:
                self._write(vault, version, plan, wanted, writer)
                moved = vault.store.counters.bytes_in - moved
        return SyncReport(
            version.sample, version.version, str(folder), self.dry_run, table.num_rows,
            plan.unchanged, plan.added, plan.changed,
            len(plan.extra) if self.delete else 0, 0 if self.delete else len(plan.extra),
            size, moved, [*renamed, *writer.renamed.items()], list(writer.unlinked),
        )  # fmt: skip

    def _check(self, plan: FolderPlan, folder: Path) -> None:
        if plan.in_the_way and not self.delete:
            raise AlreadyExistsError(
                "this is a folder where the archive has a file, or the other way round.",
                where=folder / plan.in_the_way[0],
                hint="`--delete` removes what does not belong.",
            )

    def _write(self, vault: Vault, version: Version, plan: FolderPlan, wanted: pa.Table, writer: FolderWriter) -> None:
        if self.delete:
            _remove(writer.target, plan.extra)
        rows = vault.manifests.open(version.archive.manifest).rows
        packs = vault.manifests.open(version.archive.manifest).packs
        total = None if self.progress is None else cost_of(vault, [(wanted, packs)]).bytes_fetch
        with reported(self.progress, f"sync {version.name}", total, vault.store.counters) as moved, writer:
            for member, parts in contents(vault.blobs, rows(wanted)):
                writer.replace(member, parts)
                moved()
            for member in plan.folders:  # their times change with every file put into them
                writer.add(member, ())
            for row in plan.retimed:
                set_time(writer.target / writer.place_of(row.member), row.member)
        if wanted.num_rows:
            with told(writer.target):
                sync_tree(writer.target)


def _remove(folder: Path, extra: list[str]) -> None:
    """Remove what does not belong: a link itself and never what it leads to, a folder when it is empty."""
    for path in extra:
        place = folder / path
        try:
            if place.is_dir() and not place.is_symlink():
                place.rmdir()
            else:
                place.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot be removed: {error.strerror}", where=place) from error
