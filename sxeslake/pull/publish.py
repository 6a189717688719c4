"""Putting an archive in its place: written beside the target, then moved there in one step; whole, or not there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Literal

from sxeslake.archive.base import ArchiveWriter
from sxeslake.archive.container import DEFAULT_LEVEL, check_encryptable, create_writer
from sxeslake.archive.folder import FolderWriter
from sxeslake.disk.digest import DigestedFile
from sxeslake.disk.output import check_file, check_folder, is_stream, names_folder, written_file, written_folder
from sxeslake.disk.trouble import scratch_told, told
from sxeslake.errors import InputError
from sxeslake.model import MIB, ContainerKind

_LOG = logging.getLogger(__name__)

Fill = Callable[[ArchiveWriter], None]
"""Hands every member to the writer, and closes it."""

WholeFile = Callable[[BinaryIO], None]
"""Writes a file that needs no writer: the very source, made again."""


@dataclass(frozen=True, slots=True)
class WrittenArchive:
    """What was written: bytes (None for a folder), SHA-256, names that this system cannot hold, as written."""

    size: int | None = None
    sha256: str | None = None
    renamed: list[tuple[str, str]] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)  # links that could lead out of a folder: written as files


@dataclass(frozen=True, slots=True)
class Publisher:
    """How to write: everything but what and where.

    `guard` is asked whether a folder that is there may give way to the new one; without it none does.
    """

    level: int | None = None
    force: bool = False
    threads: int | None = None
    comment: bytes = b""
    whole: WholeFile | None = None  # instead of a writer
    guard: Callable[[Path], None] | None = None
    raw_names: bool = False  # in folders, names that are not UTF-8 get their own bytes
    password: str | None = field(default=None, repr=False)  # encrypts a 7z or zip

    def check(self, out: Path, container: ContainerKind) -> None:
        """Refuse what is there already, or cannot be encrypted, before anything is read."""
        check_encryptable(container, self.password)
        if container == "folder":
            check_folder(out, force=self.force)
        elif names_folder(out):
            raise InputError("this is a folder; an archive cannot replace it.", where=out)
        else:
            check_file(out, force=self.force)

    def to_path(self, out: Path, container: ContainerKind, fill: Fill) -> WrittenArchive:
        """Write the archive beside `out`, then move it there in one step."""
        with told(out):
            self.check(out, container)
            out.parent.mkdir(parents=True, exist_ok=True)
        if container == "folder":
            with written_folder(out, force=self.force, guard=self.guard) as made:
                writer = FolderWriter(made, called=out, raw_names=self.raw_names)
                fill(writer)
            return WrittenArchive(renamed=list(writer.renamed.items()), unlinked=writer.unlinked)
        if is_stream(out):
            with written_file(out, force=self.force) as stream:
                return self._by_way_of(stream, container, fill, out)
        with written_file(out, force=self.force) as file:
            sha256, size = self._write(file, container, fill, synced=True)
        _LOG.debug("%s: %d bytes, SHA-256 %s", out, size, sha256)
        return WrittenArchive(size, sha256)

    def to_stream(self, stream: BinaryIO, container: ContainerKind, fill: Fill) -> WrittenArchive:
        """Write the archive to a stream that cannot seek, by way of a temporary file."""
        check_encryptable(container, self.password)
        if container == "folder":
            raise InputError("a folder cannot go to standard output.", hint="Choose `--container zip` or `7z`.")
        return self._by_way_of(stream, container, fill, Path("-"))

    def _by_way_of(self, stream: BinaryIO, container: Literal["zip", "7z"], fill: Fill, out: Path) -> WrittenArchive:
        with scratch_told(), TemporaryFile(prefix="sxeslake-") as file:
            sha256, size = self._write(file, container, fill)
            file.seek(0)
            with told(out):  # what fails there is no fault of the temporary file
                shutil.copyfileobj(file, stream, MIB)
                stream.flush()
        return WrittenArchive(size, sha256)

    def _write(
        self, file: BinaryIO, container: Literal["zip", "7z"], fill: Fill, *, synced: bool = False
    ) -> tuple[str, int]:
        """Write the archive; its SHA-256 and size."""
        with DigestedFile(file, synced=synced) as digested:
            out = digested.as_file()
            if self.whole is not None:
                self.whole(out)
            else:
                level = DEFAULT_LEVEL if self.level is None else self.level
                fill(
                    create_writer(
                        out, container, level=level, threads=self.threads, comment=self.comment,
                        password=self.password,
                    )
                )  # fmt: skip
            return digested.digest()
