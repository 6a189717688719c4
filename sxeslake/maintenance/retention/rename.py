"""Rename a sample, and join samples that hold the same files: in the log alone, no data moves.

The versions are added again under the new name, where their members stand; the old ones are forgotten. Tags, holds,
annotations and paths go with them, in one commit.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sxeslake.errors import AlreadyExistsError, UsageError
from sxeslake.format import logentry
from sxeslake.format.logentry import Entry
from sxeslake.maintenance.retention.readding import origin_of
from sxeslake.text.html import HtmlRecord
from sxeslake.vault import refs
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogState, Version
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class RenameReport(HtmlRecord):
    """The versions that have another name now.

    Attributes
    ----------
    sample : str
        The old name.
    to : str
        The new name.
    versions : list of int
        The numbers of its versions.
    commit : int or None
        The commit; None where nothing was changed.

    Examples
    --------
    >>> report = lake.rename("map", "2019/map")
    >>> report.sample, report.to, report.versions
    ('map', '2019/map', [1])
    """

    sample: str
    to: str
    versions: list[int] = field(default_factory=list)
    commit: int | None = None


def rename(vault: Vault, sample: str, to: str, *, tool: str, message: str | None = None) -> RenameReport:
    """Give a sample another name. AlreadyExistsError where that has, or had, versions."""
    logentry.check_name(to)
    vault.sync()
    report, blank = RenameReport(sample, to), blank_entry(tool, message or f"{sample} renamed to {to}")

    def build(head: Head) -> Entry:
        state = vault.state
        if state.versions("v.sample = ?", (to,)):
            raise AlreadyExistsError(
                f"{to} is, or was, the name of another sample.", hint="Choose a name that was never used."
            )
        found = state.versions("status = 'live' AND v.sample = ?", (sample,)) or [refs.find(state, sample)]
        if found[0].sample != sample:
            raise UsageError(f"{sample} is a version.", hint=f"Rename the sample: {found[0].sample}")
        report.versions = [version.version for version in found]
        _LOG.info("%d versions of %s go to %s", len(found), sample, to)
        tags = [json.loads(record) for (record,) in state.select("SELECT record FROM tags WHERE sample = ?", (sample,))]
        return replace(
            blank, number=head.number + 1, previous=head.digest,
            archives=tuple(_again(state, vault.file.lake_id, version, to) for version in found),
            forgotten=tuple((sample, version.version) for version in found),
            tags=tuple(mark for tag in tags if tag["version"] in report.versions for mark in _moved(tag, to)),
            annotations=tuple(_said(state, sample, to, report.versions)),
            paths=tuple(_paths(state, sample, to, report.versions)),
        )  # fmt: skip

    record = vault.commit(build)
    report.commit = None if record is None else record.entry.number
    return report


def _again(state: LogState, lake_id: str, version: Version, to: str) -> Any:
    """The version under its new name, with who stored it, when, and after what."""
    archive, origin = version.archive, origin_of(state, lake_id, version)
    origin.setdefault("place", str(version.number))
    needs = tuple(sorted(state.live_packs(sorted(state.resolved(archive.needs)))))
    return replace(archive, sample=to, origin=origin, needs=needs)


def _moved(tag: Mapping[str, Any], to: str) -> Iterator[dict[str, Any]]:
    yield {**tag, "action": "remove"}
    yield {**tag, "sample": to, "action": "add"}


def _said(state: LogState, sample: str, to: str, versions: list[int]) -> Iterator[dict[str, Any]]:
    sql = "SELECT version, target, uuid, key, value FROM annotations WHERE sample = ?"
    for version, target, uuid, key, value in state.select(sql, (sample,)):
        if version and version not in versions:
            continue
        said = {"version": version or None, "target": target, "uuid": uuid or None, "key": key}
        yield {"sample": sample, **said, "value": None}
        yield {"sample": to, **said, "value": value}


def _paths(state: LogState, sample: str, to: str, versions: list[int]) -> Iterator[dict[str, Any]]:
    keys = ("version", "path", "host", "name", "modified_ns", "place", "who", "time")
    for row in state.select(f"SELECT {', '.join(keys)} FROM paths WHERE sample = ?", (sample,)):
        item = dict(zip(keys, row, strict=True))
        if item["version"] in versions:
            yield {"sample": to, **item, "who": item["who"] or None, "time": item["time"] or None}
