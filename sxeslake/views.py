"""What a lake tells about its archives: plain rows, made of what the log and the manifests know."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sxeslake.archive.times import Moment, moment_of_dos, moment_of_ns
from sxeslake.format import logentry
from sxeslake.model import MemberKind
from sxeslake.text.html import SHOWN, HtmlRecord, Rows, clock, counted, html_facts, html_table
from sxeslake.text.safe import visible
from sxeslake.text.table import size
from sxeslake.vault import recipes, refs
from sxeslake.vault.log.state import LogState, Version

if TYPE_CHECKING:
    from sxeslake.format.manifest import ManifestRow


@dataclass(frozen=True, slots=True, repr=False)
class SampleRow(HtmlRecord):
    """A line of `ls`.

    Attributes
    ----------
    sample : str
        The sample's name.
    version : int
        Its version's number.
    kind : str
        ``"sxes"``, ``"generic"`` or ``"opaque"``.
    name : str
        The name of the file that it came from.
    members : int
        Files and folders.
    bytes_source : int
        Bytes of the original file.
    bytes_raw : int
        Bytes, unpacked.
    ingested_at : datetime
        When it was ingested, UTC.
    exact : bool
        Whether a pull gives back the original file.
    exact_reason : str or None
        Why not.
    lake : str
        The lake's name, where several are asked as one; else empty.

    Examples
    --------
    >>> row = lake.ls()[0]
    >>> row.sample, row.version, row.kind, row.exact
    ('map', 1, 'sxes', True)
    """

    sample: str
    version: int
    kind: str
    name: str
    members: int
    bytes_source: int
    bytes_raw: int
    ingested_at: datetime
    exact: bool
    exact_reason: str | None
    lake: str = ""

    def __repr__(self) -> str:
        return (
            f"<{visible(self.sample)}@{self.version}: {self.kind}, {counted(self.members, 'member')}, "
            f"{size(self.bytes_source)}, stored {clock(self.ingested_at)}, from {visible(self.name)}>"
        )


class Samples(Rows[SampleRow]):
    """What `Lake.ls` gives: a list, and a table in a notebook.

    Examples
    --------
    >>> samples = lake.ls()
    >>> len(samples), [row.sample for row in samples]
    (1, ['map'])
    """

    def _repr_html_(self) -> str:
        return self.html()

    def html(self, caption: str = "") -> str:
        """The first rows as a table; how many there are in all.

        Parameters
        ----------
        caption : str
            Over it.

        Returns
        -------
        str
            HTML.
        """
        rows: list[tuple[object, ...]] = [
            (row.sample, row.version, row.kind, row.members, size(row.bytes_source), clock(row.ingested_at), row.name)
            for row in self[:SHOWN]
        ]
        below = [f"{len(self):,} rows, the first {SHOWN} shown"] if len(self) > SHOWN else []
        heads: tuple[str, ...] = ("sample", "version", "kind", "files", "archive", "stored at", "from")
        if any(row.lake for row in self):
            heads = ("lake", *heads)
            rows = [(row.lake, *cells) for row, cells in zip(self, rows, strict=False)]
        return html_table(heads, rows, caption=caption, below=below)


@dataclass(frozen=True, slots=True)
class SourceInfo(HtmlRecord):
    """Where a version came from."""

    path: str
    host: str
    name: str
    container: str
    size: int
    modified: datetime | None
    sha256: str | None
    migrated_from: str | None = None  # the version that it was made from, where no file is its source
    interpreted_from: str | None = None  # the version whose vendor files it was made from, where no file is its source

    def __str__(self) -> str:
        """`/data/map.plzip on epma-1`; `migration of map@1`, `interpretation of raw@1`."""
        if self.interpreted_from is not None:
            return f"interpretation of {self.interpreted_from}"
        return f"{self.path} on {self.host}" if self.migrated_from is None else f"migration of {self.migrated_from}"

    @property
    def is_made_here(self) -> bool:
        """Whether it was made from another version, and no file is its source."""
        return self.migrated_from is not None or self.interpreted_from is not None


@dataclass(frozen=True, slots=True)
class PathInfo(HtmlRecord):
    """A path at which the file of a version was found: who stored it from there, and when."""

    path: str
    host: str
    name: str
    modified: datetime | None
    who: str
    time: datetime


@dataclass(frozen=True, slots=True)
class AnnotationInfo(HtmlRecord):
    """What somebody said last of a key; `version` None is all versions, `target` sample, analysis or position."""

    version: int | None
    target: str
    uuid: str | None
    key: str
    value: str
    who: str
    time: datetime


@dataclass(frozen=True, slots=True, repr=False)
class VersionInfo:
    """All that the log knows of a version.

    Attributes
    ----------
    sample : str
        The sample's name.
    version : int
        Its version's number.
    kind : str
        ``"sxes"``, ``"generic"`` or ``"opaque"``.
    name : str
        The name of the file that it came from.
    container : str
        ``"zip"``, ``"7z"`` or ``"folder"``.
    members : int
        Files and folders.
    bytes_source : int
        Bytes of the original file.
    bytes_raw : int
        Bytes, unpacked.
    blobs : int
        Different contents.
    blobs_new : int
        Those that the lake did not have.
    bytes_stored : int
        Bytes that it took.
    content_id : str
        The same for the same names and contents.
    ingested_at : datetime
        When it was ingested, UTC.
    who : str
        The person.
    host : str
        The machine.
    tool : str
        The software.
    message : str or None
        Why, as the person said.
    source : SourceInfo
        The file that it came from.
    versions : list of int
        The numbers of all versions of the sample.
    tags : list of str
        Its tags.
    analyses : list of str
        Names of its analyses.
    warnings : list of str
        What was odd when it was ingested.
    held : bool
        Whether it is kept from being forgotten.
    annotations : list of AnnotationInfo
        What people say of it.
    exact : bool
        Whether a pull gives back the original file.
    exact_reason : str or None
        Why not.
    paths : list of PathInfo
        The paths that were ingested as this version.

    Examples
    --------
    >>> info = lake.show("map")
    >>> info.versions, info.tags, info.held
    ([1], [], False)
    """

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
    ingested_at: datetime
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
    annotations: list[AnnotationInfo]
    exact: bool
    exact_reason: str | None
    paths: list[PathInfo]

    def __repr__(self) -> str:
        return (
            f"<Version {visible(self.sample)}@{self.version}: {self.kind}, {self.container}, "
            f"{counted(self.members, 'member')}, {size(self.bytes_source)}, "
            f"stored {clock(self.ingested_at)} by {visible(self.who)}>"
        )

    def _repr_html_(self) -> str:
        """What a person asks first, a line each; its annotations below."""
        facts = {
            "archive": f"{self.kind}, {self.container}, {size(self.bytes_source)}",
            "contents": f"{counted(self.members, 'member')}, {size(self.bytes_raw)} unpacked",
            "from": str(self.source),
            "stored": f"{clock(self.ingested_at)} by {self.who}",
            "exact": "yes" if self.exact else f"no: {self.exact_reason}",
            "versions": ", ".join(map(str, self.versions)) if len(self.versions) > 1 else None,
            "tags": ", ".join(self.tags),
            "message": self.message,
            "annotations": "; ".join(f"{said.key} = {said.value}" for said in self.annotations),
            "warnings": "; ".join(self.warnings),
        }
        return html_facts(facts, caption=f"{self.sample}@{self.version}")


@dataclass(frozen=True, slots=True)
class MemberRow(HtmlRecord):
    """A line of `members`.

    Attributes
    ----------
    path : str
        Its path in the archive.
    kind : MemberKind
        ``"file"`` or ``"directory"``.
    size : int
        Bytes.
    modified : datetime or None
        When it was modified.
    blake3 : str or None
        BLAKE3 of its content, hexadecimal.
    crc32 : str or None
        CRC-32 of its content, hexadecimal.

    Examples
    --------
    >>> (row,) = [row for row in lake.members("map") if row.path == "metadata.json"]
    >>> row.kind, row.blake3 is not None
    ('file', True)
    """

    path: str
    kind: MemberKind
    size: int
    modified: datetime | None
    blake3: str | None
    crc32: str | None


def sample_row(version: Version) -> SampleRow:
    """A version as a line of `ls`."""
    archive = version.archive
    return SampleRow(
        archive.sample, archive.version, archive.kind, str(archive.source.get("name", "")), archive.members,
        archive.bytes_source, archive.bytes_raw, Moment.parse(version.time),
        recipes.is_exact(archive), recipes.why_not(archive),
    )  # fmt: skip


def samples(state: LogState, pattern: str | Sequence[str] = "*", *, all_versions: bool = False) -> Samples:
    """The newest version, or all, of each sample whose name fits one of the patterns."""
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    names = {text for text in patterns if not refs.is_pattern(state, text)}
    globs = [text for text in patterns if text not in names]
    fitting = (
        version
        for version in state.each_version()
        if version.sample in names or any(fnmatch.fnmatchcase(version.sample, text) for text in globs)
    )
    if all_versions:
        return Samples(map(sample_row, fitting))
    return Samples({version.sample: sample_row(version) for version in fitting}.values())


def version_info(state: LogState, version: Version) -> VersionInfo:
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
        ingested_at=Moment.parse(version.time),
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
        annotations=[
            AnnotationInfo(**asdict(said) | {"time": Moment.parse(said.time)})
            for said in state.annotations(archive.sample, archive.version)
        ],
        exact=recipes.is_exact(archive),
        exact_reason=recipes.why_not(archive),
        paths=[
            PathInfo(
                known.path,
                known.host,
                known.name,
                moment_of_ns(known.modified_ns),
                known.who or who,
                Moment.parse(known.time),
            )
            for known in state.paths("v.sample = ? AND v.version = ?", (archive.sample, archive.version))
        ],
    )


def source_info(source: Mapping[str, Any]) -> SourceInfo:
    """The source as the log has it, its time for people."""
    path, host, name, container = (str(source.get(key, "")) for key in ("path", "host", "name", "container"))
    modified = moment_of_ns(source.get("modified_ns"))
    migrated, interpreted = (
        before if isinstance(before := source.get(key), str) else None for key in ("migrated_from", "interpreted_from")
    )
    return SourceInfo(
        path, host, name, container, int(source.get("size", 0)), modified, source.get("sha256"),
        migrated, interpreted,
    )  # fmt: skip


def member_row(row: ManifestRow) -> MemberRow:
    """A member as a line of `members`; a time without zone is the zip's own local clock."""
    member, is_file = row.member, row.member.kind == "file"
    modified = moment_of_ns(member.modified_ns)
    if modified is None and member.dos_time is not None:
        modified = moment_of_dos(member.dos_time)
    crc32 = f"{member.crc32:08x}" if is_file and member.crc32 is not None else None
    return MemberRow(member.path, member.kind, member.size, modified, row.digest.hex() if is_file else None, crc32)
