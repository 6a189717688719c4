"""The verbs of a lake that decide what stays: what `Lake` inherits beside those of `verbs.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sxeslake.version import TOOL

if TYPE_CHECKING:
    from sxeslake.maintenance.gc.run import GcReport
    from sxeslake.maintenance.history import LogRow
    from sxeslake.maintenance.retention.forget import ForgetReport, RestoreReport
    from sxeslake.maintenance.retention.rename import RenameReport
    from sxeslake.maintenance.retention.tags import MarkReport
    from sxeslake.maintenance.retention.tidy import TidyReport
    from sxeslake.model import Progress
    from sxeslake.vault.vault import Vault

# The engines are imported by the verbs that need them: `ls` on a thin laptop must not wait for codecs.


class RetentionVerbs:
    """Forget and restore, tags and holds, collection, history."""

    _vault: Vault

    def forget(
        self,
        refs: str | Sequence[str],
        *,
        keep_last: int | None = None,
        keep_within: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
    ) -> ForgetReport:
        """Forget versions: `name@2`, all of a `name`, of all names that fit a glob; with rules, those no rule keeps.

        `keep_within` is a span such as `2y`, `6mo` or `30d`, counted back from the newest version of each sample.
        Forgotten versions come back with `restore` until `gc` has collected them: seven days later at the earliest,
        unless it is told otherwise. Raises ConflictError where a held or
        tagged version is named outright; rules keep such versions. It never asks: `lake.forget("*")` forgets
        everything, other than the command, which asks before no version is left.

        Examples
        --------
        >>> [row.sample for row in lake.forget("map@1").forgotten]
        ['map']
        >>> lake.ls()
        []
        """
        from sxeslake.maintenance.retention import durations, forget

        span = None if keep_within is None else durations.parse(keep_within)
        policy = forget.Policy(keep_last, span)
        return forget.forget(self._vault, _all(refs), policy, dry_run=dry_run, tool=TOOL, message=message)

    def restore(self, refs: str | Sequence[str], *, message: str | None = None) -> RestoreReport:
        """Bring back what was forgotten. SampleNotFoundError for what was never forgotten, or is collected.

        What `gc` has collected is gone for good, even where other versions hold the same files; where a name means
        forgotten and collected versions, the former come back, and `report.warnings` names the others.

        Examples
        --------
        >>> report = lake.forget("map")
        >>> [row.sample for row in lake.restore("map").restored]
        ['map']
        """
        from sxeslake.maintenance.retention import forget

        return forget.restore(self._vault, _all(refs), tool=TOOL, message=message)

    def gc(
        self,
        *,
        grace: str | None = None,
        dry_run: bool = False,
        message: str | None = None,
        progress: Progress | None = None,
    ) -> GcReport:
        """Free what no version needs. Safe beside writers, readers and other collectors.

        Without `grace`, forgotten versions stay restorable for seven days, what no version needs goes at once, and
        uploads that no commit names stay for an hour: their ingest may still be running. A `grace` such as `10m`, `12h`
        or `30d` holds for all three: forgotten versions are collected that long after they were forgotten, and what is
        condemned stays that long for readers; a later `gc` deletes it. `0` takes all at once. Ages are counted by the
        bucket's clock. Raises DamagedLakeError, and does nothing, where the lake is damaged.

        Examples
        --------
        >>> lake.gc(dry_run=True).bytes_freed
        0
        """
        from sxeslake.maintenance.gc import run as gc
        from sxeslake.maintenance.retention import durations

        options = gc.GcOptions(None if grace is None else durations.parse_wait(grace), dry_run)
        with self._vault.from_bucket() as vault:
            return gc.collect(vault, options, tool=TOOL, message=message, progress=progress)

    def tag(self, ref: str, tag: str, *, remove: bool = False, message: str | None = None) -> MarkReport:
        """Name a version: `lake.pull("ti-grains@paper")`. ConflictError where the tag names another version.

        Examples
        --------
        >>> lake.tag("map@1", "paper").marked
        ['map@1']
        >>> lake.show("map@paper").version
        1
        """
        from sxeslake.maintenance.retention import tags as marks

        return marks.tag(self._vault, ref, tag, remove=remove, tool=TOOL, message=message)

    def rename(self, sample: str, new: str, *, message: str | None = None) -> RenameReport:
        """Give a sample another name: versions, tags, holds, annotations and paths go with it; no data moves.

        Raises AlreadyExistsError where another sample has, or had, that name.

        Examples
        --------
        >>> lake.rename("map", "2019/map").versions
        [1]
        """
        from sxeslake.maintenance.retention import rename

        return rename.rename(self._vault, sample, new, tool=TOOL, message=message)

    def tidy(self, *, dry_run: bool = False, message: str | None = None) -> TidyReport:
        """Join samples that hold the same files: the copies are forgotten, their paths kept with what stays.

        Samples with tags, holds or annotations stay, see `report.kept`.

        Examples
        --------
        >>> lake.tidy(dry_run=True).joined
        []
        """
        from sxeslake.maintenance.retention import tidy

        return tidy.tidy(self._vault, dry_run=dry_run, tool=TOOL, message=message)

    def hold(self, refs: str | Sequence[str], *, message: str | None = None) -> MarkReport:
        """Keep versions from being forgotten, until `release`.

        Examples
        --------
        >>> lake.hold("map").marked
        ['map@1']
        """
        from sxeslake.maintenance.retention import tags as marks

        return marks.hold(self._vault, _all(refs), tool=TOOL, message=message)

    def release(self, refs: str | Sequence[str], *, message: str | None = None) -> MarkReport:
        """Take back a hold.

        Examples
        --------
        >>> lake.hold("map").marked
        ['map@1']
        >>> lake.release("map").marked
        ['map@1']
        """
        from sxeslake.maintenance.retention import tags as marks

        return marks.release(self._vault, _all(refs), tool=TOOL, message=message)

    def log(self, pattern: str | Sequence[str] | None = None, *, limit: int | None = None) -> Iterator[LogRow]:
        """The commits, newest first; of the versions that fit, where names, NAME@V or globs are given.

        Examples
        --------
        >>> [row.what for row in lake.log(limit=1)]
        [['added']]
        """
        from sxeslake.maintenance import history

        self._vault.sync()
        return history.history(self._vault.state, () if pattern is None else _all(pattern), limit)


def _all(refs: str | Sequence[str]) -> Sequence[str]:
    return [refs] if isinstance(refs, str) else list(refs)
