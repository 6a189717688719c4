"""Tags, holds and annotations go with copies of archives; calibrations with a whole lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sxeslake.format.logentry import Entry
from sxeslake.maintenance.report import CopyReport
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogState
from sxeslake.vault.vault import Vault

Versions = dict[tuple[str, int], int]
"""Sample and version in the source → version in the target."""


def copy(source: Vault, target: Vault, report: CopyReport, tool: str, *, whole: bool) -> None:
    """Bring marks of the copied versions that the target lacks; what it says otherwise stays as it is."""
    versions = {(row.sample, row.version): row.to_version for row in report.archives if row.to_version is not None}
    entry = blank_entry(tool, f"copied from {source.store.url}")

    def build(head: Head) -> Entry | None:
        tags = tuple(_tags(source.state, target.state, versions))
        annotations = tuple(_annotations(source.state, target.state, versions))
        paths = tuple(_paths(source.state, target.state, versions))
        calibrations = tuple(missing_calibrations(source.state, target.state)) if whole else ()
        report.tags, report.annotations, report.calibrations = len(tags), len(annotations), len(calibrations)
        if not any((tags, annotations, paths, calibrations)):
            return None
        return replace(
            entry, number=head.number + 1, previous=head.digest, tags=tags, annotations=annotations, paths=paths,
            calibrations=calibrations,
        )  # fmt: skip

    record = target.commit(build)
    report.commits += [record.entry.number] if record is not None else []


def _tags(source: LogState, target: LogState, versions: Versions) -> Iterator[dict[str, Any]]:
    there = {tuple(row) for row in target.select("SELECT sample, kind, tag FROM tags")}
    for sample, kind, tag, version, record in source.select("SELECT sample, kind, tag, version, record FROM tags"):
        now = versions.get((sample, version))
        name = str(now) if kind == "hold" else tag  # a hold goes by the number of its version
        if now is not None and (sample, kind, name) not in there:
            yield {**json.loads(record), "version": now, "tag": name}


def _annotations(source: LogState, target: LogState, versions: Versions) -> Iterator[dict[str, Any]]:
    names = "sample, version, target, uuid, key"
    there = {tuple(row) for row in target.select(f"SELECT {names} FROM annotations")}
    samples = {sample for sample, _ in versions}
    for sample, version, place, uuid, key, value in source.select(f"SELECT {names}, value FROM annotations"):
        now = versions.get((sample, version)) if version else (0 if sample in samples else None)
        if now is not None and (sample, now, place, uuid, key) not in there:
            yield {
                "sample": sample, "version": now or None, "target": place, "uuid": uuid or None, "key": key,
                "value": value,
            }  # fmt: skip


def missing_calibrations(source: LogState, target: LogState) -> Iterator[dict[str, Any]]:
    """The calibrations that the target has under no id of the source."""
    there = target.calibrations()
    for name, calibration in source.calibrations().items():
        if name not in there:
            yield {"id": name, "calibration": calibration}


def _paths(source: LogState, target: LogState, versions: Versions) -> Iterator[dict[str, Any]]:
    """Further paths of the copied versions; one that another version has had since comes before all states there."""
    names = "sample, version, path, host"
    there = {tuple(row) for row in target.select(f"SELECT {names} FROM paths")}
    sql = f"SELECT {names}, name, modified_ns, who, time FROM paths"
    for sample, version, path, host, name, modified_ns, who, time in source.select(sql):
        now = versions.get((sample, version))
        if now is None or (sample, now, path, host) in there:
            continue
        newest = source.paths("v.path = ? AND v.host = ?", (path, host))[-1:]
        is_newest = [(known.sample, known.version) for known in newest] == [(sample, version)]
        yield {
            "sample": sample, "version": now, "path": path, "host": host, "name": name, "modified_ns": modified_ns,
            "who": who or None, "time": time or None, **({} if is_newest else {"place": 0}),
        }  # fmt: skip
