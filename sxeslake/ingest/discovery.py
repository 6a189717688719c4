"""Which archives a path holds, under which names they would live, and what a search could not look into."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from sxeslake.archive.file_facts import NOT_PERMITTED, Links, is_junction, may_read, why_unread
from sxeslake.archive.names import escape_bytes
from sxeslake.errors import NotFoundError, UsageError
from sxeslake.format.logentry import MAX_NAME_CHARS, UNFIT_NEW, check_name
from sxeslake.ingest.metadata import METADATA
from sxeslake.text.wording import said

if TYPE_CHECKING:
    from sxeslake.archive.base import Container
    from sxeslake.model import Source
    from sxeslake.vault.packs.kinds import PackKind

_LOG = logging.getLogger(__name__)

SUFFIXES = (".plzip", ".pl7z", ".zip", ".7z")
"""`@` parts a name from its version; control characters and marks of direction mislead; lone surrogates are no text."""
_SPECIAL = {
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}


class Fresh(NamedTuple):
    """Blobs that the lake lacked: how many, and their bytes unpacked."""

    blobs: int
    bytes_raw: int


@dataclass(frozen=True, slots=True)
class MadeHere:
    """An archive that is made from what the lake holds: no file is its source."""

    container: Container
    source: Source
    reason: str
    """Why no original file comes back from it."""
    added: dict[PackKind, Fresh] = field(default_factory=dict)
    """What the lake lacked of it, by kind: known as soon as it was read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to ingest: a file, or a folder that is one archive; and where its default name comes from.

    What an instrument wrote (`vendor`) is converted as it comes in. Of what is made here, `path` is only a word for it.
    """

    path: Path
    relative: Path
    vendor: bool = False
    made: MadeHere | None = None

    @property
    def name(self) -> str:
        """The default name; UsageError where no sample can be called that."""
        return default_name(self.relative)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """What a search found and did not read, and why.

    `unreadable`: no permission, no file (a pipe, a device), a link to nothing. `skipped`: a link that leads out of the
    searched folders. `link`: a link with which nothing is missed: what it leads to is searched itself, or the call
    asked to skip links.
    """

    path: Path
    status: Literal["unreadable", "skipped", "link"]
    reason: str


@dataclass(slots=True)
class Found:
    """What a search found: every file and every folder that it could not read is in one of the lists."""

    archives: list[Candidate] = field(default_factory=list)
    unrecognised: list[Path] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)

    @property
    def missed(self) -> list[PassedOver]:
        """What may hold archives that the search did not see."""
        return [passed for passed in self.passed_over if passed.status != "link"]


def find(paths: Iterable[Path], *, tree: bool = False, links: Links = "keep") -> Found:
    """Files as they are, folders searched for archives; a group folder, or any with `tree`, is one archive."""
    named = list(paths)
    search = _Walk(named, links)
    for path in named:
        search.look_at(path, tree=tree)
    found = search.found
    _LOG.info("%d archives found; %d paths skipped", len(found.archives), len(found.passed_over))
    return found


def find_any(paths: Iterable[Path]) -> list[Candidate]:
    """Archives below some paths; a folder in which there are none is one itself."""
    found: list[Candidate] = []
    for path in paths:
        found += find([path]).archives or find([path], tree=True).archives
    return found


def named_below(candidate: Candidate, folder: Path) -> Candidate:
    """The candidate with the name that a search of a folder would give it; UsageError where it does not lie in it."""
    if not candidate.path.is_relative_to(folder):
        raise UsageError("not in the folder that names are made from.", where=candidate.path, hint=f"It is {folder}.")
    relative = candidate.path.relative_to(folder)
    return replace(candidate, relative=relative) if relative.parts else candidate


def is_group_folder(path: Path) -> bool:
    """Whether a folder is an unpacked sxes group."""
    try:
        return (path / METADATA).is_file()
    except OSError:  # the search finds out what is wrong with it
        return False


class _Walk:
    """One walk over files and folders, in the order of their names; nothing is opened but folders."""

    def __init__(self, named: Sequence[Path], links: Links) -> None:
        self.found = Found()
        self._links = links
        self._roots = [os.path.realpath(path) for path in named]
        self._seen: set[tuple[int, int]] = set()  # folders by device and inode: each is searched once

    def look_at(self, path: Path, *, tree: bool) -> None:
        """A path that was named: a link is followed here, since it was asked for."""
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            if not path.is_symlink():
                raise NotFoundError("there is no such file or folder.", where=path) from error
            self._pass(path, "unreadable", _dangling(path))
        except OSError as error:
            self._pass(path, "unreadable", why_unread(error))
        else:
            named = Path(path.resolve().name)
            if not stat.S_ISDIR(mode):
                self._file(path, named, mode, named=True)
            elif tree or is_group_folder(path):
                self.found.archives.append(Candidate(path, named))
            else:
                self._search(path)

    def _search(self, root: Path) -> None:
        waiting, linked = [root], list[Path]()
        while waiting or linked:
            # A folder that is reached by its own path and by a link keeps its own path.
            folder = waiting.pop() if waiting else linked.pop(0)
            below = self._folder(root, folder, linked)
            waiting += reversed(below)

    def _folder(self, root: Path, folder: Path, linked: list[Path]) -> list[Path]:
        """Look at what lies in a folder; the folders below it, in order."""
        try:
            found = folder.stat()
            if (found.st_dev, found.st_ino) in self._seen:
                self._pass(folder, "link", f"leads to {os.path.realpath(folder)}, which is searched already")
                return []
            self._seen.add((found.st_dev, found.st_ino))
            if folder != root and is_group_folder(folder):
                self.found.archives.append(Candidate(folder, folder.relative_to(root)))
                return []
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            self._pass(folder, "unreadable", why_unread(error))
            return []
        folders = []
        for path in (folder / name for name in names):
            try:
                facts = path.lstat()
                is_link = stat.S_ISLNK(facts.st_mode) or is_junction(facts)
                mode = self._behind(path, linked) if is_link else facts.st_mode
            except OSError as error:
                self._pass(path, "unreadable", why_unread(error))
                continue
            if mode is None:
                continue
            if stat.S_ISDIR(mode):
                folders.append(path)
            else:
                self._file(path, path.relative_to(root), mode)
        return folders

    def _behind(self, path: Path, linked: list[Path]) -> int | None:
        """The mode of what a link in a searched folder leads to; None where it is not to be read here."""
        if self._links == "skip":
            self._pass(path, "link", "a link, skipped by --links")
            return None
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            self._pass(path, "unreadable", _dangling(path))
            return None
        if stat.S_ISDIR(mode) and self._links == "follow":
            linked.append(path)
            return None
        target = os.path.realpath(path)
        is_inside = any(target == root or target.startswith(root.rstrip(os.sep) + os.sep) for root in self._roots)
        if not is_inside and self._links == "keep" and (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            reason = f"a link out of the searched folder, to {target}; {said('`--links follow`')} reads it"
            self._pass(path, "skipped", reason)
            return None
        if stat.S_ISDIR(mode):
            self._pass(path, "link", f"a link to {target}, which is searched itself")
            return None
        return mode

    def _file(self, path: Path, relative: Path, mode: int, *, named: bool = False) -> None:
        """A file, or what is neither file nor folder; a named file counts as an archive whatever it is called."""
        if not stat.S_ISREG(mode):
            self._pass(path, "unreadable", _SPECIAL.get(stat.S_IFMT(mode), "neither a file nor a folder"))
        elif not may_read(path):
            self._pass(path, "unreadable", NOT_PERMITTED)
        elif named or path.suffix.lower() in SUFFIXES:
            self.found.archives.append(Candidate(path, relative))
        else:
            self.found.unrecognised.append(path)

    def _pass(self, path: Path, status: Literal["unreadable", "skipped", "link"], reason: str) -> None:
        self.found.passed_over.append(PassedOver(path, status, reason))


def _dangling(path: Path) -> str:
    return f"a link to {os.readlink(path)}, which is not there"  # noqa: PTH115 - the text as it stands in the link


def default_name(path: Path) -> str:
    """`2018/Nitrogen.plzip` → `2018/Nitrogen`; what a name cannot hold becomes `-`, a byte that is no UTF-8 `%8E`.

    A path that is too long for a name keeps its end, behind a hash of the whole.
    """
    stem = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    name = UNFIT_NEW.sub("-", "/".join(map(escape_bytes, stem.as_posix().split("/")))).strip("/ ")
    if len(name) > MAX_NAME_CHARS:
        digest = sha256(os.fsencode(stem)).hexdigest()[:16]
        name = f"{digest}-{name[len(digest) + 1 - MAX_NAME_CHARS :].lstrip('/')}"
    return check_name(name if name not in ("", ".", "..") else "archive")
