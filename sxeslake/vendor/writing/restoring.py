"""The vendor's files out of an archive again: rebuilt by its recipes, proved by their SHA-256, put in place at once.

Members come once, in whatever order suits where they stand; each goes to all places that it has in files. So a solid
7z is decoded once, and no file is held in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sxeslake.archive.base import Container
from sxeslake.archive.container import open_container
from sxeslake.archive.folder import FolderWriter, set_time
from sxeslake.archive.names import check_limits, unsafe_reason
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.extensions.originals import OriginalFile, OriginalsRecipe, read_recipe
from sxeslake.disk.output import find_place, written_folder
from sxeslake.disk.trouble import told
from sxeslake.errors import AlreadyExistsError, DamagedArchiveError, NotFoundError, UnsafeNameError
from sxeslake.machine.concurrency import in_order
from sxeslake.model import MIB, Limits, Member, Progress

_NS: Final = 1_000_000_000


class MemberBlock(NamedTuple):
    """A run of a member's bytes."""

    member: str
    offset: int
    data: bytes


class _Target(NamedTuple):
    """Where bytes of a member go: a file, where in it, from where in the member, how many."""

    place: Path
    at: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class OriginalsReport:
    """What was given back.

    Attributes
    ----------
    path : str
        The folder that was made.
    folders : list of str
        The vendor's folders in it; `.` is the folder itself, where the archive was made of one.
    vendor_files, bytes_written : int
        The files, each with the SHA-256 that it had, and their bytes.
    sample : str or None
        The sample, of a version in a lake.
    version : int or None
        Its version.

    Examples
    --------
    >>> _ = lake.ingest("session 12")
    >>> lake.originals("session 12", "again").vendor_files
    19
    """

    path: str
    folders: list[str]
    vendor_files: int
    bytes_written: int
    sample: str | None = None
    version: int | None = None


def restore(
    archive: str | Path,
    out: str | Path,
    *,
    password: str | Sequence[str] = (),
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> OriginalsReport:
    """Give back the vendor's files of an archive that `convert` made.

    Parameters
    ----------
    archive
        A `.plzip`, `.pl7z` or folder.
    out
        A new folder, or one that is empty. An archive of one vendor folder becomes this folder; of several, each
        becomes a folder in it.
    password
        Of an encrypted 7z or zip, or several to be tried.
    limits
        What the files may take.
    progress
        Hears how far it is.

    Returns
    -------
    OriginalsReport
        Every file is as it was, by its SHA-256.

    Raises
    ------
    NotFoundError
        If the archive has no originals.
    DamagedArchiveError
        If a file cannot be rebuilt as it was; nothing is put in place.
    UnsafeNameError
        If a name would leave the folder.
    AlreadyExistsError
        If something is in the folder.

    Examples
    --------
    >>> from sxeslake.vendor.writing.restoring import restore
    >>> restore("session 12.plzip", "session 12").vendor_files  # doctest: +SKIP
    19
    """
    limits = limits or Limits()
    with open_container(Path(archive), limits=limits, password=password) as container:
        folder = f"{layout.SOURCES}/"
        texts = [
            (member.path, container.read(index))
            for index, member in enumerate(container.members)
            if member.path.startswith(folder) and member.kind == "file"
        ]
        sources = Originals(texts, Path(archive))
        sources.check(limits, sum(member.size for member in container.members))
        return sources.restore(_blocks_of(container, sources.members, progress), Path(out))


class Originals:
    """The recipes of an archive, and what they make."""

    def __init__(self, texts: Iterable[tuple[str, bytes]], where: object) -> None:
        """Of the documents of `sources/`. NotFoundError where there are none."""
        self._where = where
        self._recipes = [read_recipe(_parsed(path, data, where), path) for path, data in sorted(texts)]
        if not self._recipes:
            raise NotFoundError(
                "there are no originals in it.",
                where=where,
                hint="Archives that `sxeslake convert` makes have them, unless with `--originals none`.",
            )
        self.folders = _folders(self._recipes)

    @property
    def members(self) -> set[str]:
        """The members that are needed."""
        return set().union(*(recipe.members for recipe in self._recipes))

    def check(self, limits: Limits, bytes_there: int) -> None:
        """Refuse recipes that make far more than an archive holds."""
        files = [file for recipe in self._recipes for file in recipe.files]
        check_limits(
            limits, members=len(files), raw_bytes=sum(file.size for file in files), archive_bytes=bytes_there,
            where=self._where,
        )  # fmt: skip

    def restore(self, blocks: Iterable[MemberBlock], out: Path) -> OriginalsReport:
        """Make the files below `out` from the blocks of their members."""
        with told(out):
            if find_place(out).is_taken:
                raise AlreadyExistsError("something is there already.", where=out, hint="Name a new folder.")
            out.parent.mkdir(parents=True, exist_ok=True)
            with written_folder(out) as made:
                files = list(self._laid_out(made, out))
                self._fill(files, blocks)
                for file, place in files:
                    self._finish(file, place)
        total = sum(file.size for file, _ in files)
        return OriginalsReport(str(out), self.folders, len(files), total)

    def _laid_out(self, made: Path, out: Path) -> Iterator[tuple[OriginalFile, Path]]:
        """Every file, made empty; nothing leads out of `made`, for all in it is new."""
        writer = FolderWriter(made, called=out)
        for folder, recipe in zip(self.folders, self._recipes, strict=True):
            for file in recipe.files:
                path = file.path if folder == "." else f"{folder}/{file.path}"
                member = Member(path, "file", 0)
                writer.add(member, ())
                yield file, made / writer.place_of(member)
            for path in recipe.folders:
                writer.add(Member(path if folder == "." else f"{folder}/{path}", "directory"), ())

    def _fill(self, files: Iterable[tuple[OriginalFile, Path]], blocks: Iterable[MemberBlock]) -> None:
        targets: dict[str, list[_Target]] = {}
        for file, place in files:
            at = 0
            for part in file.parts:
                targets.setdefault(part.member, []).append(_Target(place, at, part.offset, part.length))
                at += part.length
        missing = set(targets)
        for member, offset, data in blocks:
            missing.discard(member)
            for target in targets.get(member, ()):
                first, last = max(target.offset, offset), min(target.offset + target.length, offset + len(data))
                if first < last:
                    with target.place.open("r+b") as file_:
                        file_.seek(target.at + first - target.offset)
                        file_.write(data[first - offset : last - offset])
        if missing := {member for member in missing if any(target.length for target in targets[member])}:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise DamagedArchiveError(
                f"the originals are made of {min(missing)}{more}, which it does not hold.",
                where=self._where,
                hint="It is a part of an archive, or damaged; the whole archive gives them back.",
            )

    def _finish(self, file: OriginalFile, place: Path) -> None:
        """Hold a file against its hash, and give it its time."""
        hasher = hashlib.sha256()
        with place.open("rb") as opened:
            while block := opened.read(4 * MIB):
                hasher.update(block)
        if hasher.hexdigest() != file.sha256:
            raise DamagedArchiveError(
                f"{file.path} cannot be rebuilt: its SHA-256 would be {hasher.hexdigest()[:12]}…, not "
                f"{file.sha256[:12]}….",
                where=self._where,
                hint="A member that it is made of was changed; nothing was put in place.",
            )
        if file.modified_s is not None:
            set_time(place, Member(file.path, "file", modified_ns=round(file.modified_s * _NS)))


def _folders(recipes: Sequence[OriginalsRecipe]) -> list[str]:
    """Where the files of each recipe go: `.` where there is one, else a folder of its root's name each."""
    if len(recipes) == 1:
        return ["."]
    found: list[str] = []
    for recipe in recipes:
        root = recipe.root or "root"
        if unsafe_reason(root) or "/" in root or "\\" in root:
            raise UnsafeNameError(f"{root!r} cannot be the name of a folder.")
        number, name = 1, root
        while name.casefold() in {each.casefold() for each in found}:
            number += 1
            name = f"{root}-{number}"
        found.append(name)
    return found


def _parsed(path: str, data: bytes, where: object) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedArchiveError(f"{path} cannot be read as JSON ({error})", where=where) from error


def _blocks_of(container: Container, wanted: set[str], progress: Progress | None) -> Iterator[MemberBlock]:
    """The blocks of some members, in archive order."""
    members = container.members
    if progress is not None:
        progress.start("originals", sum(member.size for member in members))
    for run in in_order(container.jobs()):
        for piece in run:
            if (path := members[piece.member].path) in wanted:
                yield MemberBlock(path, piece.offset, piece.data)
        if progress is not None:
            progress.advance(sum(len(piece.data) for piece in run))
    if progress is not None:
        progress.finish()
