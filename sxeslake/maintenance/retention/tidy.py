"""Join samples that are copies of one another: made by ingesting one file through several folders.

A sample goes where another one holds the file of each of its versions, by SHA-256. Its versions are forgotten and their
paths are kept with the versions that stay. A sample with tags, holds or annotations stays: somebody means it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sxeslake.format.logentry import Entry
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogState, Version
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Joined(HtmlRecord):
    """A sample that is a copy: the one that holds its files, too, and why it stays all the same, if it does."""

    sample: str
    into: str
    versions: list[int]
    kept_because: str | None = None


@dataclass(slots=True)
class TidyReport(HtmlRecord):
    """What was joined, or would be.

    Attributes
    ----------
    dry_run : bool
        Whether nothing was changed.
    commit : int or None
        The commit; None where nothing was changed.
    joined : list of Joined
        Samples that were joined.
    kept : list of Joined
        Samples that stay, and why.

    Examples
    --------
    >>> lake.tidy(dry_run=True).joined
    []
    """

    dry_run: bool
    commit: int | None = None
    joined: list[Joined] = field(default_factory=list)
    kept: list[Joined] = field(default_factory=list)


File = tuple[str, str]
"""What tells a file and how it was read: SHA-256 and encoding."""


def tidy(vault: Vault, *, dry_run: bool, tool: str, message: str | None = None) -> TidyReport:
    """Join the copies, in one commit; the versions that were forgotten come back with `restore` until they are gone."""
    vault.sync()
    report, blank = TidyReport(dry_run), blank_entry(tool, message or "copies joined")

    def build(head: Head) -> Entry | None:
        report.joined, report.kept, paths = [], [], list[dict[str, Any]]()
        for going, staying in _copies(vault.state.versions()):
            why = _why_kept(vault.state, going[0].sample)
            row = Joined(going[0].sample, staying[0].sample, [version.version for version in going], why)
            (report.joined if why is None else report.kept).append(row)
            if why is None:
                paths += _paths(vault.state, going, staying)
            _LOG.debug("%s is a copy of %s: %s", row.sample, row.into, why or "joined")
        _LOG.info("%d samples to join, %d kept", len(report.joined), len(report.kept))
        if not report.joined:
            return None
        forgotten = tuple((row.sample, version) for row in report.joined for version in row.versions)
        return replace(
            blank, number=head.number + 1, previous=head.digest, forgotten=forgotten, paths=tuple(paths)
        )  # fmt: skip

    if dry_run:
        build(vault.state.head())
        return report
    record = vault.commit(build)
    report.commit = None if record is None else record.entry.number
    return report


def _copies(versions: Sequence[Version]) -> Iterator[tuple[list[Version], list[Version]]]:
    """The versions of each sample that is a copy, and those of another sample that stay for them.

    Of samples that hold the same files, the one with the most versions stays, of equal ones the oldest.
    """
    samples: dict[str, list[Version]] = {}
    for version in versions:
        samples.setdefault(version.sample, []).append(version)
    holders: dict[File, list[str]] = {}
    order = sorted(samples, key=lambda name: (-len(samples[name]), samples[name][0].number, name))
    for name in order:
        own = samples[name]
        files = [_file(version) for version in own]
        known = [file for file in files if file is not None]
        homes = [set(holders.get(file, ())) for file in known]
        common = set.intersection(*homes) if homes and len(known) == len(own) else set()
        home = next((other for other in order if other in common), None)
        if home is None:
            for file in known:
                holders.setdefault(file, []).append(name)
            continue
        by_file = {_file(version): version for version in samples[home]}
        yield own, [by_file[file] for file in files]


def _file(version: Version) -> File | None:
    source = version.archive.source
    return None if source.get("sha256") is None else (source["sha256"], source.get("encoding") or "")


def _why_kept(state: LogState, sample: str) -> str | None:
    marks = [f"held@{tag}" if kind == "hold" else f"tagged {tag}" for each in state.marks(sample).values()
             for kind, tag in each]  # fmt: skip
    if state.select("SELECT 1 FROM annotations WHERE sample = ? LIMIT 1", (sample,)):
        marks.append("annotated")
    return ", ".join(marks) or None


def _paths(state: LogState, going: Sequence[Version], staying: Sequence[Version]) -> Iterator[dict[str, Any]]:
    for old, new in zip(going, staying, strict=True):
        of_old = state.paths("v.sample = ? AND v.version = ?", (old.sample, old.version))
        of_new = state.paths("v.sample = ? AND v.version = ?", (new.sample, new.version))
        places = {(known.path, known.host): known.place for known in of_new}
        for known in of_old:
            if places.get((known.path, known.host), -1) < known.place:
                yield {
                    "sample": new.sample, "version": new.version, "path": known.path, "host": known.host,
                    "name": known.name, "modified_ns": known.modified_ns or 0, "place": known.place,
                    "who": known.who or None, "time": known.time or None,
                }  # fmt: skip
