"""Pull: a version of the lake as a zip, a 7z or a folder; whole, or not there at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from sxeslake.archive.base import ArchiveWriter
from sxeslake.archive.folder import FolderWriter
from sxeslake.disk.output import plain_name
from sxeslake.disk.trouble import NoScratchError
from sxeslake.errors import DamagedLakeError, UnsupportedMethodError, UsageError
from sxeslake.model import OPAQUE, ContainerKind, Progress
from sxeslake.pull import exact as exactly
from sxeslake.pull.cost import cost_of
from sxeslake.pull.folder.earlier import check_replaceable
from sxeslake.pull.folder.present import contents_beside
from sxeslake.pull.progress import reported
from sxeslake.pull.publish import Fill, Publisher, WrittenArchive
from sxeslake.pull.rescue import contents_left, table_left
from sxeslake.reading.names import apart, has_raw_names
from sxeslake.reading.rows import check_table, in_archive_order
from sxeslake.text.html import HtmlRecord
from sxeslake.vault.blobs.contents import Content, contents
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

_CONTAINERS: dict[str, ContainerKind] = {".plzip": "zip", ".zip": "zip", ".pl7z": "7z", ".7z": "7z"}
_FOREIGN = frozenset(
    {".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".rar", ".iso", ".cab"}
)  # a zip by such a name misleads
_SUFFIXES = {("sxes", "zip"): ".plzip", ("sxes", "7z"): ".pl7z", ("generic", "zip"): ".zip", ("generic", "7z"): ".7z"}


@dataclass(frozen=True, slots=True)
class PullReport(HtmlRecord):
    """What was pulled, and where it is now; `renamed` lists names that this system cannot hold, as written.

    `annotations` is the file beside it with the version's annotations, if there are any. `damaged` are the members
    that are not in it, for the lake has lost them; none unless that was asked for.

    Attributes
    ----------
    sample : str
        The sample's name.
    version : int
        Its version's number.
    path : str
        The file or folder.
    container : ContainerKind
        ``"zip"``, ``"7z"`` or ``"folder"``.
    members : int
        Files and folders.
    bytes_raw : int
        Bytes, unpacked.
    bytes_written : int
        Bytes of what was written.
    sha256 : str or None
        SHA-256 of the file; None for a folder.
    renamed : list of (str, str)
        Names that this system cannot hold, and under which they are.
    annotations : str or None
        The file beside it with annotations; None where there are none.
    damaged : list of str
        Members that are not in it, for the lake has lost them.
    exact : bool
        Whether it is the original file.
    exact_reason : str or None
        Why not.
    unlinked : list of str
        Links that could lead out of the folder: written as files.

    Examples
    --------
    >>> report = lake.pull("map", "map again.plzip")
    >>> report.container, report.exact
    ('zip', True)
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
    exact: bool = False
    exact_reason: str | None = None
    unlinked: list[str] = field(default_factory=list)


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
    if version.archive.kind == OPAQUE and container == version.archive.source.get("container"):
        return name
    if _CONTAINERS.get(Path(name).suffix.lower()) == container:
        return name
    stem = Path(name).stem if Path(name).suffix.lower() in _CONTAINERS else name
    if container == "folder":
        return stem
    return stem + _SUFFIXES["sxes" if (kind or version.archive.kind) == "sxes" else "generic", container]


def default_name(version: Version, container: ContainerKind, kind: str | None = None) -> str:
    """The name of a pull without `-o`: the source's file name for a file, the sample's last step for a folder.

    The name comes from the archive, so it never begins with a dot: a pull in a home folder could else write to `.ssh`.
    """
    if container != "folder":
        return plain_name(file_name(version, container, kind))
    return plain_name(version.sample.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class Pull:
    """How to pull: everything but what and where. `exact` None is where it can be, True insists, False never."""

    level: int | None = None
    force: bool = False
    threads: int | None = None
    progress: Progress | None = None
    skip_damaged: bool = False
    damaged: list[str] = field(default_factory=list)  # what was skipped
    renamed: list[tuple[str, str]] = field(default_factory=list)  # members that a folder holds under another name
    exact: bool | None = None
    password: str | None = field(default=None, repr=False)  # encrypts a 7z or zip

    def check(self, out: Path, container: ContainerKind) -> None:
        """Refuse a place that cannot be, or that is taken."""
        Publisher(force=self.force, password=self.password).check(out, container)

    def to_path(self, vault: Vault, version: Version, out: Path, container: ContainerKind) -> PullReport:
        """Write the archive beside `out`, then move it there in one step."""
        beside = out if container == "folder" and self.force and out.is_dir() else None
        fill = self._fill(vault, version, beside)
        return self._pull(vault, version, str(out), container, lambda to: to.to_path(out, container, fill))

    def to_stream(self, vault: Vault, version: Version, stream: BinaryIO, container: ContainerKind) -> PullReport:
        """Write the archive to a stream that cannot seek, by way of a temporary file."""
        fill = self._fill(vault, version)
        return self._pull(vault, version, "-", container, lambda to: to.to_stream(stream, container, fill))

    def _pull(
        self,
        vault: Vault,
        version: Version,
        path: str,
        container: ContainerKind,
        write: Callable[[Publisher], WrittenArchive],
    ) -> PullReport:
        """The original file where that can be, else every member in a new container."""
        comment = bytes.fromhex(version.archive.comment)
        guard = partial(check_replaceable, vault, [version])
        plain = Publisher(
            self.level, self.force, self.threads, comment, guard=guard, raw_names=has_raw_names(version),
            password=self.password,
        )  # fmt: skip
        reason = self._reason_against_exact(version, container)
        _LOG.info("%s → %s (%s); %s", version.name, path, container, reason or "the original file")
        if reason is None:
            try:
                written = write(replace(plain, whole=self._exactly(vault, version)))
                return self._report(version, path, container, written, None)
            except (UnsupportedMethodError, DamagedLakeError, NoScratchError) as error:
                # Encoders here give other bytes, or the recipe is damaged: the members may be whole all the same.
                reason = error.what if error.hint is None else f"{error.what} ({error.hint.rstrip('.')})"
                _LOG.info("the original file of %s cannot be rebuilt: %s", version.name, reason)
                if self.exact and isinstance(error, DamagedLakeError | NoScratchError):
                    raise
                if self.exact:
                    raise exactly.not_exact(version, reason) from error
        elif self.exact:
            raise exactly.not_exact(version, reason)
        return self._report(version, path, container, write(plain), reason)

    def _reason_against_exact(self, version: Version, container: ContainerKind) -> str | None:
        if self.password is not None:
            return exactly.ENCRYPTED
        is_itself = version.archive.kind == OPAQUE and container == version.archive.source.get("container")
        if is_itself and not self.skip_damaged:
            return exactly.reason_against(version, container, None)  # no other form of it makes sense
        if self.skip_damaged or self.exact is False:
            return "it was not requested"
        return exactly.reason_against(version, container, self.level)

    def _exactly(self, vault: Vault, version: Version) -> Callable[[BinaryIO], None]:
        def whole(file: BinaryIO) -> None:
            with vault.reading(version):
                table = vault.manifests.table(version)
                with self._reported(vault, version, table) as moved:
                    exactly.write_exact(vault, version, table, file, threads=self.threads, moved=moved)

        return whole

    def _fill(self, vault: Vault, version: Version, beside: Path | None = None) -> Fill:
        """Hand every member to the writer; what the folder `beside` has already is not fetched."""

        def fill(writer: ArchiveWriter) -> None:
            with vault.reading(version):
                self.renamed.clear()
                self.damaged.clear()
                if self.skip_damaged:
                    table = table_left(vault, version, self.damaged)
                else:
                    table = vault.manifests.table(version)
                check_table(table, version.name)  # a lake can be hostile
                if isinstance(writer, FolderWriter):
                    table, renamed = apart(table)
                    self.renamed.extend(renamed)
                with self._reported(vault, version, table) as moved:
                    for member, parts in self._contents(vault, version, table, beside):
                        writer.add(member, parts)
                        moved()
                    writer.close()

        return fill

    def _reported(self, vault: Vault, version: Version, table: pa.Table) -> AbstractContextManager[Callable[[], None]]:
        """Progress in bytes that are fetched, of those that reading all rows in archive order takes."""
        total = None
        if self.progress is not None:
            packs = vault.manifests.open(version.archive.manifest).packs
            total = cost_of(vault, [(in_archive_order(table), packs)]).bytes_fetch
        return reported(self.progress, f"pull {version.name}", total, vault.store.counters)

    def _contents(self, vault: Vault, version: Version, table: pa.Table, beside: Path | None) -> Iterator[Content]:
        """The members of a table, in archive order; with `skip_damaged`, those that are left."""
        rows = vault.manifests.open(version.archive.manifest).rows(table, "archive")
        if self.skip_damaged:
            return contents_left(vault.blobs, rows, self.damaged)
        if beside is not None:
            writer = FolderWriter(beside, make=False, raw_names=has_raw_names(version))
            return contents_beside(vault.blobs, rows, beside, writer.place_of)
        return contents(vault.blobs, rows)

    def _report(
        self, version: Version, path: str, container: ContainerKind, written: WrittenArchive, reason: str | None
    ) -> PullReport:
        archive = version.archive
        return PullReport(
            archive.sample, archive.version, path, container, archive.members, archive.bytes_raw,
            archive.bytes_raw if written.size is None else written.size, written.sha256,
            [*self.renamed, *written.renamed],
            damaged=list(self.damaged), exact=reason is None, exact_reason=reason, unlinked=written.unlinked,
        )  # fmt: skip
