"""Recipes sought after the ingest, with all the time they take: added to the versions that the log has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sxeslake.archive.base import WAS_ENCRYPTED
from sxeslake.archive.container import open_container
from sxeslake.errors import InputError
from sxeslake.format.logentry import Entry, Moved
from sxeslake.ingest import sums
from sxeslake.ingest.blobtable import BlobTable
from sxeslake.ingest.exact import RecipeResult, RecipeSeeker, no_recipe
from sxeslake.ingest.report import LAKE_ERRORS
from sxeslake.machine.concurrency import usable_cpus
from sxeslake.model import Progress
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, Version
from sxeslake.vault.packs.frames import FrameMaker
from sxeslake.vault.packs.packing import Packer, WrittenPack
from sxeslake.vault.recipes import is_exact, why_not
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExactRow(HtmlRecord):
    """A line of `exact`: whether the original file can be pulled now, by which encoders, and what the recipe takes.

    Attributes
    ----------
    sample : str
        The sample's name.
    version : int
        Its version's number.
    exact : bool
        Whether the original file can be pulled now.
    exact_reason : str or None
        Why not.
    encoders : list of str
        The encoders that rebuild it.
    bytes : int
        What the recipe takes, in bytes.

    Examples
    --------
    >>> (row,) = lake.exact("map")
    >>> row.exact, row.exact_reason
    (True, None)
    """

    sample: str
    version: int
    exact: bool
    exact_reason: str | None
    encoders: list[str]
    bytes: int


def seek(
    vault: Vault,
    versions: Sequence[Version],
    source: Path | None,
    *,
    any_cost: bool = False,
    threads: int | None = None,
    tool: str,
    progress: Progress | None = None,
) -> list[ExactRow]:
    """Find the recipes of versions that have none, each from the file that it came from, or from `source`."""
    vault.check_writable()
    vault.sync_index()
    return [
        _Later(vault, version, any_cost, threads or usable_cpus(), tool).run(source, progress) for version in versions
    ]


class _Later:
    """One version's recipe, in a commit of its own: an interruption costs one archive."""

    def __init__(self, vault: Vault, version: Version, any_cost: bool, threads: int, tool: str) -> None:
        self._vault, self._version, self._tool = vault, version, tool
        self._table, self._packer = BlobTable(), Packer(vault.store)
        self._frames = FrameMaker(self._packer, self._table.place, threads)
        self._seeker = RecipeSeeker(
            self._table, vault.find, self._frames, mode="always" if any_cost else "cheap",
            chunk_bytes=vault.file.chunk_bytes, threads=threads,
        )  # fmt: skip

    def run(self, source: Path | None, progress: Progress | None) -> ExactRow:
        archive = self._version.archive
        has_no_file = archive.source.get("container") == "folder" or "migrated_from" in archive.source
        never = has_no_file or archive.recipe.get("reason") == WAS_ENCRYPTED
        if is_exact(archive) or never:
            self._packer.close()
            self._frames.close()
            return self._row(dict(archive.recipe), why_not(archive))
        if progress is not None:
            progress.start(f"exact {self._version.name}", None)
        try:
            path = source or Path(str(archive.source.get("path")))
            unfit = self._unfit(path)
            kept = self._sought(path) if unfit is None else no_recipe(unfit)
            self._frames.flush()
            record = kept.record(self._table)
            if kept.found:
                self._commit(kept, self._packer.finish())
            elif unfit is None and record.get("reason") != archive.recipe.get("reason"):
                self._commit(kept, ())  # "it would take too long now" is no longer why
            return self._row(record, record.get("reason"))
        finally:
            self._frames.close()
            self._packer.close()
            if progress is not None:
                progress.finish()

    def _unfit(self, path: Path) -> str | None:
        """Why a file is not the one that was stored."""
        sha256 = self._version.archive.source.get("sha256")
        if not path.is_file():
            return f"its file is not at {path} any more"
        if sha256 is None or sums.sha256_of(path) != sha256:
            return f"{path} is another file by now"
        return None

    def _sought(self, path: Path) -> RecipeResult:
        try:
            with open_container(path) as container:
                return self._seeker.seek(container, path, str(self._version.archive.source.get("sha256")), 0.0)
        except LAKE_ERRORS:
            raise
        except InputError as error:
            return no_recipe(error.what)
        except Exception as error:  # one file's trouble, whatever it is, is not that of the others
            _LOG.info("no recipe of %s", path, exc_info=error)
            return no_recipe(f"the search ended in an error ({type(error).__name__})")

    def _commit(self, kept: RecipeResult, written: Sequence[WrittenPack]) -> None:
        numbers = np.array(kept.numbers, np.int64)
        record = kept.record(self._table)
        if kept.found:
            record["reason"] = None  # what stood there before is gone
        blank = blank_entry(self._tool, f"{'' if kept.found else 'no '}recipe of {self._version.name}")

        def build(head: Head) -> Entry | None:
            now = self._vault.state.versions(
                "v.sample = ? AND v.version = ? AND status <> 'collected'",
                (self._version.sample, self._version.version),
            )
            if not now or is_exact(now[0].archive):
                return None  # collected, or somebody else was first
            archive = now[0].archive
            needs = self._vault.state.resolved(archive.needs) | self._table.packs(numbers)
            moved = Moved(
                archive.sample, archive.version, archive.manifest, archive.first_group, archive.groups, archive.rows,
                tuple(sorted(needs)), record,
            )  # fmt: skip
            return replace(
                blank, number=head.number + 1, previous=head.digest, moved=(moved,),
                packs=tuple(item.record for item in written),
            )  # fmt: skip

        if self._vault.commit(build) is not None:
            self._vault.index.add([item.footer for item in written])

    def _row(self, record: dict[str, object], reason: str | None) -> ExactRow:
        encoders, size = record.get("encoders", ()), record.get("bytes", 0)
        names = [str(name) for name in encoders] if isinstance(encoders, list | tuple) else []
        known = size if isinstance(size, int) else 0
        return ExactRow(
            self._version.sample, self._version.version, bool({"blobs", "inline"} & record.keys()), reason, names, known
        )
