"""Pull: a version of the lake as a zip, a 7z or a folder; whole, or not there at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile, mkdtemp
from typing import BinaryIO, Literal, cast

from sxeslake.archive.container import DEFAULT_LEVEL, ArchiveWriter, create_writer
from sxeslake.archive.folder import FolderWriter
from sxeslake.archive.names import check_names, special_reason
from sxeslake.errors import AlreadyExistsError, InputError, StorageError, UnsafeNameError
from sxeslake.model import MIB, ContainerKind, Progress
from sxeslake.vault.contents import contents
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault

_CONTAINERS: dict[str, ContainerKind] = {".plzip": "zip", ".zip": "zip", ".pl7z": "7z", ".7z": "7z"}
_SUFFIXES = {("sxes", "zip"): ".plzip", ("sxes", "7z"): ".pl7z", ("generic", "zip"): ".zip", ("generic", "7z"): ".7z"}


@dataclass(frozen=True, slots=True)
class PullReport:
    """What was pulled, and where it is now; `renamed` lists names that this system cannot hold, as written."""

    sample: str
    version: int
    path: str
    container: ContainerKind
    members: int
    bytes_raw: int
    bytes_written: int
    sha256: str | None
    renamed: list[tuple[str, str]]


def container_of(version: Version, out: Path | None) -> ContainerKind:
    """The container by the suffix of `out`, else the source's own."""
    if out is not None and out.suffix.lower() in _CONTAINERS:
        return _CONTAINERS[out.suffix.lower()]
    return cast("ContainerKind", version.archive.source.get("container", "zip"))


def file_name(version: Version, container: ContainerKind) -> str:
    """The source's own file name, with the suffix that fits the container."""
    name = Path(str(version.archive.source.get("name") or version.sample)).name
    name = "archive" if name in ("", "..") or "\0" in name else name
    if container == "folder" or _CONTAINERS.get(Path(name).suffix.lower()) == container:
        return name
    stem = Path(name).stem if Path(name).suffix.lower() in _CONTAINERS else name
    return stem + _SUFFIXES[version.archive.kind if version.archive.kind == "sxes" else "generic", container]


@dataclass(frozen=True, slots=True)
class Pull:
    """How to pull: everything but what and where."""

    level: int | None = None
    force: bool = False
    threads: int | None = None
    progress: Progress | None = None

    def to_path(self, vault: Vault, version: Version, out: Path, container: ContainerKind) -> PullReport:
        """Write the archive beside `out`, then move it there in one step."""
        if not self.force and (out.is_dir() and any(out.iterdir()) if container == "folder" else out.exists()):
            raise AlreadyExistsError("this is there already.", where=out, hint="`--force` writes over it.")
        if container != "folder" and out.is_dir():
            raise InputError("this is a folder; an archive cannot replace it.", where=out)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            if container == "folder":
                return self._to_folder(vault, version, out)
            with _beside(out) as (file, publish):
                self._write(vault, version, file, container)
                sha256, size = _digest(file)
                publish(self.force)
        except OSError as error:
            raise _disk_error(error, out) from error
        return self._report(version, str(out), container, size, sha256, [])

    def to_stream(self, vault: Vault, version: Version, stream: BinaryIO, container: ContainerKind) -> PullReport:
        """Write the archive to a stream that cannot seek, by way of a temporary file."""
        if container == "folder":
            raise InputError("a folder cannot go to standard output.", hint="Choose `--container zip` or `7z`.")
        with TemporaryFile(prefix="sxeslake-") as file:
            self._write(vault, version, file, container)
            sha256, size = _digest(file)
            file.seek(0)
            shutil.copyfileobj(file, stream, MIB)
        stream.flush()
        return self._report(version, "-", container, size, sha256, [])

    def _write(self, vault: Vault, version: Version, file: BinaryIO, container: Literal["zip", "7z"]) -> None:
        level = DEFAULT_LEVEL if self.level is None else self.level
        comment = bytes.fromhex(version.archive.comment)
        writer = create_writer(file, container, level=level, threads=self.threads, comment=comment)
        self._fill(vault, version, writer)
        file.flush()

    def _fill(self, vault: Vault, version: Version, writer: ArchiveWriter) -> None:
        """Hand every member to the writer; names are checked again, for a lake can be hostile too."""
        check_version(vault, version)
        if self.progress is not None:
            self.progress.start(f"pull {version.name}", version.archive.bytes_raw)
        try:
            for member, parts in contents(vault.blobs, vault.rows(version)):
                writer.add(member, parts)
                if self.progress is not None:
                    self.progress.advance(member.size)
            writer.close()
        finally:
            if self.progress is not None:
                self.progress.finish()

    def _to_folder(self, vault: Vault, version: Version, out: Path) -> PullReport:
        made = Path(mkdtemp(prefix=f".{out.name[:100]}.", suffix=".partial", dir=out.parent))
        try:
            inside = made / "whole"
            inside.mkdir()
            writer = FolderWriter(inside)
            self._fill(vault, version, writer)
            _replace_folder(inside, out, made / "old")
        finally:
            shutil.rmtree(made, ignore_errors=True)
        raw = version.archive.bytes_raw
        return self._report(version, str(out), "folder", raw, None, list(writer.renamed.items()))

    def _report(self, version: Version, path: str, container: ContainerKind, written: int, sha256: str | None,
                renamed: list[tuple[str, str]]) -> PullReport:  # fmt: skip
        archive = version.archive
        return PullReport(
            archive.sample,
            archive.version,
            path,
            container,
            archive.members,
            archive.bytes_raw,
            written,
            sha256,
            renamed,
        )


def check_version(vault: Vault, version: Version) -> None:
    """Refuse what no archive may hold: a lake can be hostile too."""
    table = vault.manifests.table(version)
    paths, folders = table["path"], table["directory"]
    attributes = table["attributes"].unique().to_pylist()
    if reason := next(filter(None, map(special_reason, attributes)), None):
        raise UnsafeNameError(f"a member {reason}", where=version.name)

    def names() -> Iterator[tuple[str, bool]]:
        for path, folder in zip(paths, folders, strict=True):
            yield path.as_py(), folder.as_py()

    check_names(names, where=version.name)


class _Publish:
    """Moves the finished file to its name."""

    def __init__(self, made: Path, out: Path) -> None:
        self._made, self._out = made, out

    def __call__(self, force: bool) -> None:
        if force:
            self._made.replace(self._out)
            return
        try:
            os.link(self._made, self._out)
        except FileExistsError as error:
            raise AlreadyExistsError("somebody made this meanwhile.", where=self._out) from error
        except OSError:  # no hard links here
            if self._out.exists():
                raise AlreadyExistsError("somebody made this meanwhile.", where=self._out) from None
            self._made.replace(self._out)
        else:
            self._made.unlink()


@contextmanager
def _beside(out: Path) -> Iterator[tuple[BinaryIO, _Publish]]:
    """A new file in the folder of `out`, gone if it was not published."""
    with NamedTemporaryFile(prefix=f".{out.name[:100]}.", suffix=".partial", dir=out.parent, delete=False) as file:
        made = Path(file.name)
        try:
            made.chmod(0o666 & ~_umask())
            yield cast("BinaryIO", file), _Publish(made, out)
        finally:
            file.close()
            made.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _replace_folder(made: Path, out: Path, old: Path) -> None:
    """Put a finished folder in its place; what was there goes only when the new one is whole."""
    made.chmod(0o777 & ~_umask())
    if out.exists():
        out.rename(old)
    made.rename(out)


def _digest(file: BinaryIO) -> tuple[str, int]:
    file.flush()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    hasher = hashlib.sha256()
    while block := file.read(4 * MIB):
        hasher.update(block)
    return hasher.hexdigest(), size


def _disk_error(error: OSError, out: Path) -> StorageError:
    where = error.filename or out
    return StorageError(f"cannot be written: {error.strerror or error}.", where=where, hint="Nothing was left behind.")
