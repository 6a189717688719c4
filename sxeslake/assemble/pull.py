"""Pull: a version of the lake as a zip, a 7z or a folder; whole, or not there at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from sxeslake.archive.container import ArchiveWriter
from sxeslake.archive.names import check_names, special_reason
from sxeslake.assemble.publish import Fill, Publisher, Written
from sxeslake.assemble.rescue import contents_left, table_left
from sxeslake.errors import UnsafeNameError, UsageError
from sxeslake.model import ContainerKind, Progress
from sxeslake.vault.contents import Content, contents
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault

_CONTAINERS: dict[str, ContainerKind] = {".plzip": "zip", ".zip": "zip", ".pl7z": "7z", ".7z": "7z"}
_FOREIGN = frozenset(
    {".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".rar", ".iso", ".cab"}
)  # a zip by such a name misleads
_SUFFIXES = {("sxes", "zip"): ".plzip", ("sxes", "7z"): ".pl7z", ("generic", "zip"): ".zip", ("generic", "7z"): ".7z"}


@dataclass(frozen=True, slots=True)
class PullReport:
    """What was pulled, and where it is now; `renamed` lists names that this system cannot hold, as written.

    `annotations` is the file beside it with what is said of the version, where anything is. `damaged` are the members
    that are not in it, for the lake has lost them; none unless that was asked for.
    """

    sample: str
    version: int
    path: str
    container: ContainerKind
    members: int
    bytes_raw: int
    bytes_written: int
    sha256: str | None
    renamed: list[tuple[str, str]]
    annotations: str | None = None
    damaged: list[str] = field(default_factory=list)


def container_of(version: Version, out: Path | None) -> ContainerKind:
    """The container by the suffix of `out`, else the source's own."""
    return container_by_suffix(out) or cast("ContainerKind", version.archive.source.get("container", "zip"))


def container_by_suffix(out: Path | None) -> ContainerKind | None:
    """`map.pl7z` → 7z; None where the name does not say."""
    if out is not None and out.suffix.lower() in _CONTAINERS:
        return _CONTAINERS[out.suffix.lower()]
    if out is not None and out.suffix.lower() in _FOREIGN:
        raise UsageError(
            f"archives of the kind {out.suffix} cannot be written.", hint="Use .plzip, .pl7z, .zip, .7z or a folder."
        )
    return None


def file_name(version: Version, container: ContainerKind, kind: str | None = None) -> str:
    """The source's own file name, with the suffix that fits the container; `kind` where it is not the source's."""
    name = Path(str(version.archive.source.get("name") or version.sample)).name
    name = "archive" if name in ("", "..") or "\0" in name else name
    if _CONTAINERS.get(Path(name).suffix.lower()) == container:
        return name
    stem = Path(name).stem if Path(name).suffix.lower() in _CONTAINERS else name
    if container == "folder":
        return stem
    return stem + _SUFFIXES["sxes" if (kind or version.archive.kind) == "sxes" else "generic", container]


@dataclass(frozen=True, slots=True)
class Pull:
    """How to pull: everything but what and where."""

    level: int | None = None
    force: bool = False
    threads: int | None = None
    progress: Progress | None = None
    skip_damaged: bool = False
    damaged: list[str] = field(default_factory=list)  # what was skipped

    def to_path(self, vault: Vault, version: Version, out: Path, container: ContainerKind) -> PullReport:
        """Write the archive beside `out`, then move it there in one step."""
        written = self._publisher(version).to_path(out, container, self._fill(vault, version))
        return self._report(version, str(out), container, written)

    def to_stream(self, vault: Vault, version: Version, stream: BinaryIO, container: ContainerKind) -> PullReport:
        """Write the archive to a stream that cannot seek, by way of a temporary file."""
        written = self._publisher(version).to_stream(stream, container, self._fill(vault, version))
        return self._report(version, "-", container, written)

    def _publisher(self, version: Version) -> Publisher:
        return Publisher(self.level, self.force, self.threads, bytes.fromhex(version.archive.comment))

    def _fill(self, vault: Vault, version: Version) -> Fill:
        """Hand every member to the writer; names are checked again, for a lake can be hostile too."""

        def fill(writer: ArchiveWriter) -> None:
            task = f"pull {version.name}"
            with vault.reading(version), reported(self.progress, task, version.archive.bytes_raw) as advance:
                for member, parts in self._contents(vault, version):
                    writer.add(member, parts)
                    advance(member.size)
                writer.close()

        return fill

    def _contents(self, vault: Vault, version: Version) -> Iterator[Content]:
        """Every member, in archive order; with `skip_damaged`, those that are left."""
        self.damaged.clear()
        table = table_left(vault, version, self.damaged) if self.skip_damaged else vault.manifests.table(version)
        check_table(table, version.name)
        rows = vault.manifests.open(version.archive.manifest).rows(table, by_path=False)
        if self.skip_damaged:
            return contents_left(vault.blobs, rows, self.damaged)
        return contents(vault.blobs, rows)

    def _report(self, version: Version, path: str, container: ContainerKind, written: Written) -> PullReport:
        archive = version.archive
        return PullReport(
            archive.sample, archive.version, path, container, archive.members, archive.bytes_raw,
            archive.bytes_raw if written.size is None else written.size, written.sha256, written.renamed,
            damaged=list(self.damaged),
        )  # fmt: skip


@contextmanager
def reported(progress: Progress | None, task: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Tell `progress`, if there is one, of a task's beginning and end; gives what tells it of bytes done."""
    if progress is None:
        yield lambda _: None
        return
    progress.start(task, total_bytes)
    try:
        yield progress.advance
    finally:
        progress.finish()


def check_table(table: pa.Table, name: str) -> None:
    """Refuse what no archive may hold: a lake can be hostile too."""
    paths, folders = table["path"], table["directory"]
    attributes = table["attributes"].unique().to_pylist()
    if reason := next(filter(None, map(special_reason, attributes)), None):
        raise UnsafeNameError(f"a member {reason}", where=name)

    def names() -> Iterator[tuple[str, bool]]:
        for path, folder in zip(paths, folders, strict=True):
            yield path.as_py(), folder.as_py()

    check_names(names, where=name)
