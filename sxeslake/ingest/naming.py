"""Under which name and version an archive goes into the log. Decided anew at every head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sxeslake.format.logentry import ArchiveAdded
from sxeslake.ingest.finding import distinct_names
from sxeslake.model import Source
from sxeslake.vault.state import Version


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What the decision needs to know of a new archive."""

    wanted: str
    insisted: bool  # --sample: versions of that name, related or not
    content_id: str
    layout_id: str
    source: Source
    analyses: frozenset[str]
    shares_array: Callable[[Version], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where it goes; `unchanged` is the version that holds it already."""

    sample: str
    version: int
    unchanged: bool


def decide(
    newcomer: Newcomer, versions_of: Callable[[str], Sequence[Version]], next_version: Callable[[str], int]
) -> Place:
    """The first of `test`, `test-2`, … that is free or that the archive continues."""
    for name in distinct_names(newcomer.wanted):
        versions = versions_of(name)
        live = [version for version in versions if version.status == "live"]
        for version in reversed(live):
            if _same(newcomer, version.archive):
                return Place(name, version.version, unchanged=True)
        if not live or newcomer.insisted or any(_continues(newcomer, version) for version in reversed(live)):
            return Place(name, next_version(name), unchanged=False)
    raise AssertionError("names do not run out")


def _same(newcomer: Newcomer, known: ArchiveAdded) -> bool:
    if newcomer.source.sha256 is not None and newcomer.source.sha256 == known.source.get("sha256"):
        return True
    return newcomer.content_id == known.content_id and newcomer.layout_id == known.layout_id


def _continues(newcomer: Newcomer, version: Version) -> bool:
    source = version.archive.source
    if (newcomer.source.path, newcomer.source.host) == (source.get("path"), source.get("host")):
        return True
    if newcomer.analyses & set(version.archive.analyses):
        return True
    return newcomer.content_id == version.archive.content_id or newcomer.shares_array(version)
