"""Make a plan: search as an ingest does, look at what was found, and put together what is likely to be alike."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sxeslake.archive.file_facts import Links
from sxeslake.clusters.planfile import is_plan, read_plan, write_plan
from sxeslake.clusters.rows import Plan, PlanRow, grouped, hashed, looked_at, searched, total_bytes
from sxeslake.disk.output import is_stream
from sxeslake.errors import AlreadyExistsError, InputError, UsageError
from sxeslake.ingest.vendors import Form
from sxeslake.model import Progress
from sxeslake.text.html import HtmlRecord
from sxeslake.version import TOOL

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Missed(HtmlRecord):
    """What the search could not look into, and why."""

    path: str
    status: str
    error: str


@dataclass(frozen=True, slots=True)
class PlanReport(HtmlRecord):
    """A plan that was written.

    Attributes
    ----------
    path : str
        The file.
    archives : int
        Its rows.
    groups : int
        Groups of archives that are likely to share content; each is for one worker.
    bytes_source : int
        Bytes of all archives.
    bytes_largest_group : int
        Bytes of the largest group: no number of workers is faster than the one that has it.
    copies : int
        Files whose SHA-256 another file of the plan has.
    reused : int
        Rows of the plan that was there, whose files are unchanged.
    unrecognised : list of str
        Files that are no archives.
    missed : list of Missed
        What could not be searched.

    Examples
    --------
    >>> report = sxeslake.plan("facility", "plan.parquet")
    >>> report.archives, report.failed
    (6, False)
    """

    path: str
    archives: int
    groups: int
    bytes_source: int
    bytes_largest_group: int
    copies: int
    reused: int
    unrecognised: list[str] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything could not be searched for archives."""
        return bool(self.missed)


def plan(
    paths: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    tree: bool = False,
    links: Links = "keep",
    as_: Form = "auto",
    progress: Progress | None = None,
) -> PlanReport:
    """Plan an ingest: search as it does, and put archives together that are likely to share content.

    The plan is a Parquet file with a row an archive. `Lake.ingest` takes it, with any number of workers. A plan that is
    there is brought up to date: files of the same size and modification time are not read again.

    Parameters
    ----------
    paths : path or iterable of paths
        Files, folders that are searched, and unpacked groups.
    out : path
        The file. Another plan may be there, nothing else.
    tree, links, as_
        As for `Lake.ingest`, which takes them from the plan.
    progress : Progress, optional
        What is told of the bytes that are looked at.

    Returns
    -------
    PlanReport
        What the plan holds, and what could not be searched.

    Raises
    ------
    NotFoundError
        If a path does not exist, or nothing is found.
    AlreadyExistsError
        If another file is there.
    UsageError
        If no path is given, or `out` is not a file.

    Examples
    --------
    >>> report = sxeslake.plan("facility", "plan.parquet")
    >>> lake.ingest(plan="plan.parquet").failed
    False
    """
    named = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not named:
        raise UsageError("no path was given.")
    return _planned(named, Path(out), "tree" if tree else as_, links, progress)


def _planned(paths: Sequence[Path], out: Path, form: Form, links: Links, progress: Progress | None) -> PlanReport:
    before = _before(out)
    found = searched([Path(os.path.abspath(path)) for path in paths], form, links)  # noqa: PTH100 - links stay links
    made = Plan([], form, links, found.unrecognised, found.passed_over, complete=False)
    done: list[PlanRow] = []
    try:
        done.extend(looked_at(found.archives, before, progress))
        with_sums: list[PlanRow] = []
        for row in hashed(tuple(done)):
            with_sums.append(row)
            done[len(with_sums) - 1] = row
    except KeyboardInterrupt:
        made.rows = [replace(row, group=0) for row in {**before, **{row.path: row for row in done}}.values()]
        write_plan(made, out, TOOL)  # what was read need not be read again
        raise
    made.rows, made.complete = grouped(done), True
    write_plan(made, out, TOOL)
    _LOG.info("%d archives planned", len(made.rows))
    return _report(made, out, before)


def _before(out: Path) -> dict[Path, PlanRow]:
    """The rows of the plan that is there, by path."""
    if is_stream(out):
        raise UsageError("a plan is a file, which a later `plan` reads again; name one.", where=out)
    if not os.path.lexists(out):
        return {}
    if not is_plan(out):
        raise AlreadyExistsError("this is there already, and is not a plan.", where=out, hint="Choose another name.")
    try:
        return {row.path: row for row in read_plan(out).rows}
    except InputError as error:  # of another version: made again
        _LOG.info("the plan that is there is not used: %s", error)
        return {}


def _report(plan: Plan, out: Path, before: dict[Path, PlanRow]) -> PlanReport:
    of_group: dict[int, int] = {}
    for row in plan.rows:
        of_group[row.group] = of_group.get(row.group, 0) + row.size
    sums = [row.sha256 for row in plan.rows if row.sha256 is not None]
    return PlanReport(
        path=str(out), archives=len(plan.rows), groups=len(of_group), bytes_source=total_bytes(plan.rows),
        bytes_largest_group=max(of_group.values(), default=0), copies=len(sums) - len(set(sums)),
        reused=sum(row.path in before and before[row.path].stamp == row.stamp for row in plan.rows),
        unrecognised=[str(path) for path in plan.unrecognised],
        missed=[Missed(str(each.path), each.status, each.reason) for each in plan.passed_over if each.status != "link"],
    )  # fmt: skip
