"""One look at a watched folder: what lies in it that a lake may take. It lists and asks for sizes; it opens nothing."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sxeslake.archive.file_facts import why_unread
from sxeslake.errors import NotFoundError
from sxeslake.ingest import discovery, vendors
from sxeslake.ingest.discovery import Found
from sxeslake.watching.plan import Kind, Signature, WatchedItem

_LOG = logging.getLogger(__name__)

LOOSE: Final = "./"
"""The path of the files that lie directly in a watched folder, taken together; no file can be called so."""
WHOLE: Final = "."
"""The path of a watched folder that is a measurement itself."""

MEASUREMENT: Final = "these files are a measurement, and the folder with them is taken as one"
OTHER: Final = "no reader recognises these files; the folders in it are taken one by one"
"""What the loose files showed; the reason of their item."""


@dataclass(slots=True)
class FolderLook:
    """What a look at a watched folder showed, by paths relative to it."""

    away: str | None = None
    """Why the folder could not be looked at."""
    found: dict[str, tuple[Kind, Signature]] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    """Folders and files in it that could not be looked at, and why."""

    def is_unlisted(self, path: str) -> bool:
        """Whether a path, or a folder that it lies in, could not be looked at."""
        return bool(self.unlisted) and any(part in self.unlisted for part in _and_parents(path))


def look(root: Path, known: Mapping[str, WatchedItem]) -> FolderLook:
    """Look at a watched folder; `known` is what it showed before."""
    try:
        with os.scandir(root) as entries:
            is_empty = next(entries, None) is None
        found = discovery.find([root])
    except (OSError, NotFoundError) as error:
        return FolderLook(away=_why_away(error))
    if is_empty and any(item.state != "gone" for item in known.values()):
        return FolderLook(away="it is empty all at once; perhaps the share is not mounted")
    listing = FolderLook()
    for passed in found.missed:
        if passed.path == root:
            return FolderLook(away=passed.reason)
        listing.unlisted[_relative(root, passed.path)] = passed.reason
    for path, kind in _units(root, found, known):
        _add(listing, root, path, kind)
    return listing


def signature_of(path: Path, kind: Kind) -> Signature:
    """A file or folder as it is now; OSError where it cannot be looked at."""
    if kind == "file":
        facts = path.stat()
        return Signature(facts.st_size, facts.st_mtime_ns, facts.st_ino)
    return _signature_of_folder(path, is_deep=kind == "folder")


def path_of(root: Path, relative: str) -> Path:
    """Where an item lies."""
    return root if relative in (WHOLE, LOOSE) else root / relative


def _units(root: Path, found: Found, known: Mapping[str, WatchedItem]) -> Iterator[tuple[Path | None, Kind]]:
    """What is taken as one; None for the loose files."""
    for archive in found.archives:
        is_folder = archive.path == root or discovery.is_group_folder(archive.path)
        yield archive.path, "folder" if is_folder else "file"
    folders = vendors.folders_without_archives(found, [root])
    if folders != [root]:
        yield from ((folder, "folder") for folder in folders)
        return
    # No archives at all. A watched folder is a place for measurements, unless what lies directly in it is one.
    loose = [path for path in found.unrecognised if path.parent == root]
    if loose:
        yield None, "loose"
        seen = known.get(LOOSE)
        if seen is None or seen.reason not in (MEASUREMENT, OTHER):
            return
        if seen.reason == MEASUREMENT:
            yield root, "folder"
            return
    below = sorted({root / path.relative_to(root).parts[0] for path in found.unrecognised if path.parent != root})
    yield from ((folder, "folder") for folder in vendors.folders_without_archives(found, below))


def _add(listing: FolderLook, root: Path, path: Path | None, kind: Kind) -> None:
    relative = LOOSE if path is None else _relative(root, path)
    try:
        listing.found[relative] = kind, signature_of(root if path is None else path, kind)
    except FileNotFoundError:
        _LOG.debug("%s went away while the folder was listed", relative)
    except OSError as error:
        listing.unlisted[relative] = why_unread(error)


def _signature_of_folder(folder: Path, *, is_deep: bool) -> Signature:
    """The whole tree below a folder, or the files directly in it."""
    digest = hashlib.blake2b(digest_size=16)
    size = newest_ns = 0
    waiting = [""]
    while waiting:
        relative = waiting.pop()
        with os.scandir(folder / relative) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            facts = (folder / relative / name).lstat()
            if stat.S_ISDIR(facts.st_mode):
                if not is_deep:
                    continue
                waiting.append(f"{relative}{name}/")
            row = f"{relative}{name}\0{facts.st_mode}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
            digest.update(row.encode("utf-8", "surrogateescape"))
            newest_ns = max(newest_ns, facts.st_mtime_ns)
            size += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return Signature(size, newest_ns, 0, digest.hexdigest())


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _and_parents(path: str) -> Iterator[str]:
    """`a/b/c` → `a/b/c`, `a/b`, `a`."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _why_away(error: Exception) -> str:
    if isinstance(error, NotFoundError | FileNotFoundError | NotADirectoryError):
        return "it is not there"
    return why_unread(error) if isinstance(error, OSError) else str(error)
