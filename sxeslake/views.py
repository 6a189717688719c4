"""What a lake tells about its archives: plain rows, made of what the log and the manifests know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sxeslake.archive.times import iso_of_dos, iso_of_ns
from sxeslake.format import logentry
from sxeslake.htmltable import html_table
from sxeslake.model import MemberKind
from sxeslake.texttable import size
from sxeslake.vault import recipes
from sxeslake.vault.state import Annotation, State, Version

if TYPE_CHECKING:
    from sxeslake.format.manifest import Row


_SHOWN = 50
"""Rows that a notebook shows; the rest is counted."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A line of `ls`."""

    sample: str
    version: int
    kind: str
    name: str
    members: int
    bytes_source: int
    bytes_raw: int
    ingested_at: str
    exact: bool  # whether the very file can be pulled
    exact_reason: str | None  # why not


class Samples(list[SampleRow]):
    """What `Lake.ls` gives: a list, and a table in a notebook."""

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, caption: str = "") -> str:
        """The first rows as a table; how many there are in all."""
        rows = [
            (row.sample, row.version, row.kind, row.members, size(row.bytes_source), row.ingested_at, row.name)
            for row in self[:_SHOWN]
        ]
        below = [f"{len(self):,} rows, the first {_SHOWN} shown"] if len(self) > _SHOWN else []
        heads = ("sample", "version", "kind", "files", "archive", "stored at", "from")
        return html_table(heads, rows, caption=caption, below=below)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where a version came from."""

    path: str
    host: str
    name: str
    container: str
    size: int
    modified: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class PathInfo:
    """A path at which the file of a version was found: who stored it from there, and when."""

    path: str
    host: str
    name: str
    modified: str | None
    who: str
    time: str


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """All that the log knows of a version."""

    sample: str
    version: int
    kind: str
    name: str
    container: str
    members: int
    bytes_source: int
    bytes_raw: int
    blobs: int
    blobs_new: int
    bytes_stored: int
    content_id: str
    ingested_at: str
    who: str
    host: str
    tool: str
    message: str | None
    source: SourceInfo
    versions: list[int]
    tags: list[str]
    analyses: list[str]
    warnings: list[str]
    held: bool
    annotations: list[Annotation]
    exact: bool
    exact_reason: str | None
    paths: list[PathInfo]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A line of `members`."""

    path: str
    kind: MemberKind
    size: int
    modified: str | None
    blake3: str | None
    crc32: str | None


def sample_row(version: Version) -> SampleRow:
    """A version as a line of `ls`."""
    archive = version.archive
    return SampleRow(
        archive.sample, archive.version, archive.kind, str(archive.source.get("name", "")), archive.members,
        archive.bytes_source, archive.bytes_raw, version.time, recipes.is_exact(archive), recipes.why_not(archive),
    )  # fmt: skip


def version_info(state: State, version: Version) -> VersionInfo:
    """A version, whole."""
    archive = version.archive
    ((data, body),) = state.select("SELECT data, body FROM entries WHERE number = ?", (version.number,))
    entry = logentry.load(data, body, where=f"log entry {version.number}")
    marks = state.marks(archive.sample).get(archive.version, [])
    who = archive.origin.get("who") or entry.who
    return VersionInfo(
        sample=archive.sample,
        version=archive.version,
        kind=archive.kind,
        name=str(archive.source.get("name", "")),
        container=str(archive.source.get("container", "")),
        members=archive.members,
        bytes_source=archive.bytes_source,
        bytes_raw=archive.bytes_raw,
        blobs=archive.blobs,
        blobs_new=archive.blobs_new,
        bytes_stored=archive.bytes_stored,
        content_id=archive.content_id,
        ingested_at=version.time,
        who=who,
        host=archive.origin.get("host") or entry.host,
        tool=archive.origin.get("tool") or entry.tool,
        message=archive.origin.get("message") if archive.origin else entry.message,
        source=source_info(archive.source),
        versions=[other.version for other in state.versions("status = 'live' AND v.sample = ?", (archive.sample,))],
        tags=[tag for kind, tag in marks if kind == "tag"],
        analyses=list(archive.analyses),
        warnings=list(archive.warnings),
        held=any(kind == "hold" for kind, _ in marks),
        annotations=state.annotations(archive.sample, archive.version),
        exact=recipes.is_exact(archive),
        exact_reason=recipes.why_not(archive),
        paths=[
            PathInfo(known.path, known.host, known.name, iso(known.modified_ns), known.who or who, known.time)
            for known in state.paths("v.sample = ? AND v.version = ?", (archive.sample, archive.version))
        ],
    )


def source_info(source: Mapping[str, Any]) -> SourceInfo:
    """The source as the log has it, its time for people."""
    path, host, name, container = (str(source.get(key, "")) for key in ("path", "host", "name", "container"))
    modified = iso(source.get("modified_ns"))
    return SourceInfo(path, host, name, container, int(source.get("size", 0)), modified, source.get("sha256"))


def member_row(row: Row) -> MemberRow:
    """A member as a line of `members`; a time without zone is the zip's own local clock."""
    member, is_file = row.member, row.member.kind == "file"
    modified = iso(member.modified_ns)
    if modified is None and member.dos_time is not None:
        modified = iso_of_dos(member.dos_time)
    crc32 = f"{member.crc32:08x}" if is_file and member.crc32 is not None else None
    return MemberRow(member.path, member.kind, member.size, modified, row.digest.hex() if is_file else None, crc32)


def iso(modified_ns: int | None) -> str | None:
    """The moment as a text, if there is one."""
    return None if modified_ns is None else iso_of_ns(modified_ns)
