"""Folders and files of instruments among what a search found: they are converted as they come in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from sxeslake.archive.container import sniff
from sxeslake.errors import InputError, NotAnArchiveError
from sxeslake.format import keys
from sxeslake.ingest.discovery import SUFFIXES, Candidate, Found, is_group_folder

Form = Literal["auto", "vendor", "tree"]
"""What folders are taken for. auto: archives, and below folders without archives what an instrument wrote; vendor:
all that is named is converted; tree: each folder is one archive of its files as they are."""

_SURE: Final = 0.5
"""A picture by itself is no acquisition: readers are less confident of it."""


def of_vendors(found: Found, paths: Iterable[Path], form: Form) -> Found:
    """What a search found, with vendor folders as candidates of their own, each to be converted whole.

    A folder without archives in which an acquisition is recognised is one candidate. Of a folder with both, the
    folders below it that have no archives are.
    """
    if form == "tree":
        return found
    if form == "vendor":
        named = [Candidate(path, Path(path.resolve().name), vendor=True) for path in paths]
        return Found(named)
    archives = [replace(each, vendor=_is_vendor_file(each.path)) for each in found.archives]
    candidates = [
        Candidate(folder, Path(path.resolve().name) if folder == path else folder.relative_to(path), vendor=True)
        for path in paths
        for folder in folders_without_archives(replace(found, archives=archives), [path])
        if is_measurement(folder)
    ]
    inside = [each.path for each in candidates]
    left = [path for path in found.unrecognised if not any(path.is_relative_to(folder) for folder in inside)]
    passed_over = [each for each in found.passed_over if not any(map(each.path.is_relative_to, inside))]
    return replace(found, archives=[*archives, *candidates], unrecognised=left, passed_over=passed_over)


def folders_without_archives(found: Found, paths: Iterable[Path]) -> list[Path]:
    """The topmost folders among `paths` and below them in which there are files, and no archives; nothing is opened.

    A folder below them is one measurement, if it is any: none of them lies in another.
    """
    lakes = [path.parent for path in found.unrecognised if path.name == keys.LAKE]  # `ingest .` beside one's own lake
    taken = [*lakes, *(each.path for each in found.archives)]
    busy = {parent for path in taken for parent in (path, *path.parents)}
    held = {parent for path in found.unrecognised for parent in path.parents}
    return [
        folder for path in paths if path.is_dir() and not is_group_folder(path) for folder in _below(path, busy, held)
    ]  # fmt: skip


def _below(folder: Path, busy: set[Path], held: set[Path]) -> list[Path]:
    """The folders without archives in a folder, which may be one itself; `held` have files that are no archives."""
    if folder not in held or (folder / keys.LAKE).is_file():
        return []
    if folder not in busy:
        return [folder]
    with os.scandir(folder) as entries:
        below = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    folders = [folder / name for name in below if not is_group_folder(folder / name)]
    return [found for each in folders for found in _below(each, busy, held)]


def _is_vendor_file(path: Path) -> bool:
    """Whether a file that was named is of an instrument, and no archive."""
    if path.suffix.lower() in SUFFIXES or path.is_dir():
        return False
    try:
        sniff(path)
    except NotAnArchiveError:
        return is_measurement(path)
    except InputError:  # the batch says what is wrong with it
        return False
    return False


def is_measurement(path: Path, *, is_deep: bool = True) -> bool:
    """Whether a reader is sure of something in a file or folder, or among the files that lie directly in it."""
    from sxeslake.vendor.readers import READERS  # noqa: PLC0415 - readers cost start-up time: only where they are needed
    from sxeslake.vendor.tree import FilesOfFolder, FolderTree  # noqa: PLC0415 - as above

    try:
        tree = FolderTree(path) if is_deep else FilesOfFolder(path)
        return any(finding.confidence >= _SURE for reader in READERS for finding in reader.classify(tree))
    except OSError:  # a disk that gives no bytes: the batch says so
        return True
