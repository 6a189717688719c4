"""What a version that is added again keeps and gets: who stored it first, and a free number."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sxeslake.format import logentry
from sxeslake.format.logentry import ArchiveAdded
from sxeslake.vault.log.state import LogState, Version

_LOG = logging.getLogger(__name__)


def origin_of(state: LogState, lake_id: str, version: Version) -> dict[str, str | None]:
    """Who stored a version, when and in which lake; of a copy of a copy, where it was stored first."""
    if version.archive.origin:
        return dict(version.archive.origin)
    ((data, body),) = state.select("SELECT data, body FROM entries WHERE number = ?", (version.number,))
    entry = logentry.load(data, body, where=f"log entry {version.number}")
    return {
        "lake": lake_id, "time": entry.time, "who": entry.who, "host": entry.host, "tool": entry.tool,
        "message": entry.message,
    }  # fmt: skip


def free_number(state: LogState, archive: ArchiveAdded, added: Iterable[ArchiveAdded]) -> int:
    """Its own number, unless another version has or had it in the lake or in `added`: then the next one."""
    taken = {item.version for item in added if item.sample == archive.sample}
    there = state.versions("v.sample = ? AND v.version = ?", (archive.sample, archive.version))
    if not there and archive.version not in taken:
        return archive.version
    number = max(state.next_version(archive.sample), max(taken, default=0) + 1)
    _LOG.info("%s@%d is taken; it becomes @%d", archive.sample, archive.version, number)
    return number
