"""Paths at which files are found that the lake holds already: one more path of a version, no new sample."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sxeslake.ingest.naming import Assignment
from sxeslake.ingest.report import ArchiveReport
from sxeslake.model import Source
from sxeslake.vault.log.state import LogState


@dataclass(frozen=True, slots=True)
class Met:
    """An archive that the lake holds: as which version, where it was found, and what is reported of it."""

    place: Assignment
    source: Source
    report: ArchiveReport


def new_paths(
    state: LogState, met: Iterable[Met], added: Collection[tuple[str, int]] = ()
) -> tuple[dict[str, Any], ...]:  # fmt: skip
    """The paths that the log lacks, as items of an entry that adds the versions `added`.

    A path whose newest state is this content is known. A version that somebody forgot meanwhile gets no path.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for item in met:
        place, source = item.place, item.source
        name = (place.sample, place.version)
        if name not in added and state.live_version(*name) is None:
            continue
        path, host = source.path or "", source.host or ""
        known = state.paths("v.path = ? AND v.host = ?", (path, host))
        if known and _is_same(state, (known[-1].sample, known[-1].version), name, source):
            continue
        item.report.path_added = True
        found[path, host] = {
            "sample": place.sample, "version": place.version, "path": path, "host": host, "name": source.name or "",
            "modified_ns": source.modified_ns or 0,
        }  # fmt: skip
    return tuple(found.values())


def _is_same(state: LogState, newest: tuple[str, int], name: tuple[str, int], source: Source) -> bool:
    """Whether the newest state of a path is this file; folders have no SHA-256 and are told by their version."""
    if newest == name or source.sha256 is None:
        return newest == name
    return bool(state.versions("v.sample = ? AND v.version = ? AND v.sha256 = ?", (*newest, source.sha256)))
