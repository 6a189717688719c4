"""Vendor files in, an archive out: written beside its place, read again and proved, then moved there in one step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal

from sxeslake.archive.base import Container
from sxeslake.archive.container import DEFAULT_LEVEL, create_writer, open_container
from sxeslake.archive.names import printable
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.extensions.originals import read_recipe
from sxeslake.disk.output import check_file, is_stream, written_file
from sxeslake.disk.trouble import told
from sxeslake.errors import DamagedArchiveError, InputError, NotFoundError, UsageError
from sxeslake.machine.concurrency import in_order
from sxeslake.model import Piece, Progress

from ..tree import FolderTree
from .container import PlannedContainer
from .plan import ConversionPlan, Originals, contents_in_words, plan_conversion

_CONTAINERS: Final[dict[str, Literal["zip", "7z"]]] = {".plzip": "zip", ".zip": "zip", ".pl7z": "7z", ".7z": "7z"}


@dataclass(frozen=True, slots=True)
class RecognisedRow:
    """What was recognised: an acquisition, a folder of pictures, a spectrum.

    Attributes
    ----------
    path : str
        The folder or file, below what was named.
    kind : str
        What it is, in words.
    reader : str or None
        The name of its reader (`sxeslake formats`); None of a file that is kept and not read.
    files : list of str
        The files that belong to it, below what was named.
    encodings : list of str
        In which encodings its texts were read.
    notes : list of str
        What is odd: a suffix that says something else.

    Examples
    --------
    >>> row = sxeslake.convert("session 12", dry_run=True).recognised[0]
    >>> row.path, row.reader, len(row.files)
    ('Ti_0002_MAP', 'jeol-map', 4)
    """

    path: str
    kind: str
    reader: str | None
    files: list[str]
    encodings: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What a conversion made, or would make.

    Attributes
    ----------
    path : str or None
        The archive; None of a dry run without one.
    dry_run : bool
        Whether nothing was written.
    container : {"zip", "7z"} or None
        Its container.
    members, analyses, positions, maps, images, documents : int
        What it holds.
    vendor_files, bytes_source : int
        The vendor's files, and their bytes.
    bytes_raw, bytes_written : int
        Bytes of its members, and of the archive; 0 of a dry run.
    sha256 : str or None
        Of the archive.
    originals : {"recipe", "members", "none"}
        How the vendor's files can be had again.
    files_proved : int
        Vendor files of which every byte was found again in the finished archive.
    recognised : list of RecognisedRow
        Acquisitions first, then files that no reader takes.
    warnings : list of str
        Each odd thing: the file, and what was done about it.
    left_out : list of str
        Files and links of which nothing is in the archive: no permission, no regular file.

    Examples
    --------
    >>> report = sxeslake.convert("session 12", dry_run=True)
    >>> report.dry_run, report.vendor_files, report.path
    (True, 19, None)
    """

    path: str | None
    dry_run: bool
    container: str | None
    members: int
    analyses: int
    positions: int
    maps: int
    images: int
    documents: int
    vendor_files: int
    bytes_source: int
    bytes_raw: int
    bytes_written: int
    sha256: str | None
    originals: Originals
    files_proved: int
    recognised: list[RecognisedRow]
    warnings: list[str]
    left_out: list[str]

    @property
    def contents(self) -> str:
        """What it holds in words: `1 analysis, 14 positions`."""
        return contents_in_words(self.analyses, self.positions, self.maps, self.images, self.documents)


def convert(
    raw: str | Path | Iterable[str | Path],
    out: str | Path | None = None,
    *,
    originals: Originals = "recipe",
    dry_run: bool = False,
    force: bool = False,
    level: int = DEFAULT_LEVEL,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ConversionReport:
    """Convert files and folders of instruments into one archive.

    What is not recognised goes in unread, as an original, so that no byte is lost. The same files give the same
    archive, byte for byte.

    Parameters
    ----------
    raw
        Folders or files of instruments.
    out
        The archive, `.plzip` or `.pl7z`; a dry run needs none.
    originals
        How the vendor's files can be had again: `recipe` rebuilds them bit for bit from the archive's members,
        `members` stores each file a second time, `none` keeps only what was read.
    dry_run
        Read everything, write nothing.
    force
        Write over an archive that is there.
    level
        0 copies, 1 to 3 are fast, 9 is smallest.
    threads
        How many compress; by default as many as there are processors.
    progress
        Hears how far it is.

    Returns
    -------
    ConversionReport
        What was recognised, what the archive holds, and each odd thing.

    Raises
    ------
    NotFoundError
        If something named does not exist, or nothing in it is recognised.
    UsageError
        If the name of the archive does not say zip or 7z.
    AlreadyExistsError
        If the archive is there, without `force`.
    InputError
        If a file changes while it is read.

    Examples
    --------
    >>> import sxeslake
    >>> report = sxeslake.convert("session 12", "session 12.plzip")
    >>> report.positions, report.maps, report.files_proved
    (4, 1, 19)
    """
    paths = [Path(raw)] if isinstance(raw, str | Path) else [Path(each) for each in raw]
    container = None if out is None else container_of(Path(out))
    if out is None and not dry_run:
        raise UsageError("there is no name for the archive.", hint="Name one: -o NAME.plzip")
    if out is not None and not dry_run:
        _check_place(Path(out), paths, force=force)
    plan = planned(paths, originals=originals, progress=progress)
    if out is None or container is None or dry_run:
        return report_of(plan, None if out is None else str(out), container, dry_run=True)
    with told(Path(out)):
        Path(out).parent.mkdir(parents=True, exist_ok=True)
    with told(Path(out)), written_file(Path(out), force=force) as file:
        _write(plan, file, container, level, threads, progress)
        prove(plan, Path(file.name), threads=threads, progress=progress)
        with Path(file.name).open("rb") as finished:
            sha256 = hashlib.file_digest(finished, "sha256").hexdigest()
        size = file.seek(0, 2)
    return report_of(plan, str(out), container, size=size, sha256=sha256)


def planned(
    paths: Sequence[Path], *, originals: Originals = "recipe", progress: Progress | None = None
) -> ConversionPlan:
    """Plan the archive of some folders and files. Raises NotFoundError where there is nothing to convert."""
    for path in paths:
        if not path.exists():
            raise NotFoundError("there is no such file or folder.", where=path)
    try:
        plan = plan_conversion([FolderTree(path) for path in paths], originals=originals, progress=progress)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=error.filename or paths[0]) from error
    if not plan.recognised:
        raise NotFoundError(
            "no file of an instrument is recognised in there.",
            where=", ".join(map(str, paths)),
            hint="`sxeslake identify` says what each file is; `sxeslake ingest --tree` stores any folder as it is.",
        )
    return plan


def container_of(out: Path) -> Literal["zip", "7z"]:
    """The container that the name of an archive says; UsageError where it says none."""
    container = _CONTAINERS.get(out.suffix.lower())
    if container is None:
        raise UsageError("the suffix of this name is not that of an archive.", where=out, hint="Use .plzip or .pl7z.")
    return container


def prove(plan: ConversionPlan, path: Path, *, threads: int | None = None, progress: Progress | None = None) -> None:
    """Read a finished archive again, and hold every member against the plan.

    The parts of each vendor file are members, or runs of the whole of one, and were hashed as they stand in the file:
    where every member has its hash, every file can be rebuilt. Raises DamagedArchiveError.
    """
    expected = {member.path: member.sha256 for member in plan.members}
    if progress is not None:
        progress.start(f"prove {path.name}", sum(member.size for member in plan.members))
    with open_container(path) as archive:
        found = _hashes(archive, threads, progress)
        _check_recipes(archive)
    if progress is not None:
        progress.finish()
    wrong = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
    if wrong:
        raise DamagedArchiveError(
            f"the archive does not hold what was written: {', '.join(wrong[:3])}.",
            where=path,
            hint="The disk may be damaged; nothing was put in place.",
        )


def report_of(
    plan: ConversionPlan,
    path: str | None = None,
    container: str | None = None,
    *,
    dry_run: bool = False,
    size: int = 0,
    sha256: str | None = None,
) -> ConversionReport:
    """What a plan is, for people and programs."""
    several = len(plan.trees) > 1
    rows = [
        RecognisedRow(
            _shown(root, finding.path, several), finding.what, finding.reader,
            [_shown(root, path, several) for path in finding.files], list(encodings), list(finding.notes),
        )
        for root, finding, encodings in plan.recognised
    ]  # fmt: skip
    rows += [
        RecognisedRow(path, left.what, None, [path], list(encodings), list(left.notes))
        for root, left, encodings in plan.unrecognised
        for path in [_shown(root, left.path, several)]
    ]
    return ConversionReport(
        path, dry_run, container, len(plan.members), plan.analyses, plan.positions, plan.maps, plan.images,
        plan.documents, sum(len(tree.sizes) for tree in plan.trees), plan.bytes_source,
        sum(member.size for member in plan.members), size, sha256, plan.originals, 0 if dry_run else plan.files, rows,
        [f"{warned.path}: {warned.text}" for warned in plan.warnings],
        [f"{warned.path}: {warned.text}" for warned in plan.left_out],
    )  # fmt: skip


def _shown(root: str, path: str, several: bool) -> str:
    return printable("/".join(part for part in (root if several else "", path) if part)) or "."


def _check_place(out: Path, raw: Sequence[Path], *, force: bool) -> None:
    if is_stream(out):
        raise UsageError("an archive is proved where it stands, so it must be a file.", where=out)
    whole = out.resolve()
    if inside := next((path for path in raw if path.is_dir() and whole.is_relative_to(path.resolve())), None):
        raise UsageError(
            "the archive would lie in the folder that is converted.", where=out, hint=f"Not below {inside}."
        )
    check_file(out, force=force)


def _write(
    plan: ConversionPlan,
    file: BinaryIO,
    container: Literal["zip", "7z"],
    level: int,
    threads: int | None,
    progress: Progress | None,
) -> None:
    if progress is not None:
        progress.start("write", sum(member.size for member in plan.members))
    source = PlannedContainer(plan)
    writer = create_writer(file, container, level=level, threads=threads)
    with source:
        for index, blocks in _by_member(source, threads):
            member = source.members[index]
            writer.add(member, blocks)
            if progress is not None:
                progress.advance(member.size)
    writer.close()
    file.flush()
    if progress is not None:
        progress.finish()


def _by_member(container: Container, threads: int | None) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Each member's place and blocks; a member's blocks must be taken before the next one is asked for."""
    pieces = (piece for run in in_order(container.jobs(), threads=threads) for piece in run)
    for index, member in enumerate(container.members):
        yield index, _blocks(pieces, member.size)


def _blocks(pieces: Iterator[Piece], size: int) -> Iterator[bytes]:
    while size > 0:
        data = next(pieces).data
        size -= len(data)
        yield data


def _hashes(archive: Container, threads: int | None, progress: Progress | None) -> dict[str, str]:
    """The SHA-256 of every member, by path."""
    found = {}
    for index, blocks in _by_member(archive, threads):
        hasher = hashlib.sha256()
        for block in blocks:
            hasher.update(block)
            if progress is not None:
                progress.advance(len(block))
        found[archive.members[index].path] = hasher.hexdigest()
    return found


def _check_recipes(archive: Container) -> None:
    """See that recipes take whole members; that these are as long as their file is held against it as it is read."""
    sizes = {member.path: member.size for member in archive.members}
    folder = f"{layout.SOURCES}/"
    for index, member in enumerate(archive.members):
        if member.path.startswith(folder):
            recipe = read_recipe(json.loads(archive.read(index)), member.path)
            parts = (part for file in recipe.files for part in file.parts)
            if odd := next((part for part in parts if part.offset or sizes.get(part.member) != part.length), None):
                raise DamagedArchiveError(f"a recipe takes {odd.length:,} bytes of {odd.member}", where=member.path)
