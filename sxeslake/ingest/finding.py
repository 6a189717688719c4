"""Which archives a path holds, and under which names they would live."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sxeslake.errors import NotFoundError, UsageError
from sxeslake.ingest.metadata import METADATA

SUFFIXES = (".plzip", ".pl7z", ".zip", ".7z")
_MAX_NAME_CHARS = 512
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f@\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""`@` parts a name from its version; control characters and marks of direction mislead; lone surrogates are no text."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to ingest: a file, or a folder that is one archive; and its default name."""

    path: Path
    name: str


@dataclass(slots=True)
class Found:
    """What a search came upon."""

    archives: list[Candidate] = field(default_factory=list)
    unrecognised: list[Path] = field(default_factory=list)


def find(paths: Iterable[Path], *, tree: bool = False) -> Found:
    """Files as they are, folders searched for archives; a group folder, or any with `tree`, is one archive."""
    found = Found()
    for path in paths:
        if not path.exists():
            raise NotFoundError("there is no such file or folder.", where=path)
        if path.is_dir() and not (tree or is_group_folder(path)):
            _search(path, found)
        else:
            found.archives.append(Candidate(path, default_name(Path(path.resolve().name))))
    return found


def find_any(paths: Iterable[Path]) -> list[Candidate]:
    """Archives below some paths; a folder in which there are none is one itself."""
    found: list[Candidate] = []
    for path in paths:
        found += find([path]).archives or find([path], tree=True).archives
    return found


def is_group_folder(path: Path) -> bool:
    """Whether a folder is an unpacked sxes group."""
    return (path / METADATA).is_file()


def _search(root: Path, found: Found) -> None:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders.sort()
        if here != root and is_group_folder(here):
            folders.clear()
            found.archives.append(Candidate(here, default_name(here.relative_to(root))))
            continue
        for name in sorted(files):
            path = here / name
            if path.suffix.lower() in SUFFIXES and path.is_file():
                found.archives.append(Candidate(path, default_name(path.relative_to(root))))
            else:
                found.unrecognised.append(path)


def default_name(path: Path) -> str:
    """`2018/Nitrogen.plzip` → `2018/Nitrogen`; what a name cannot hold becomes `-`."""
    stem = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
    name = _UNFIT.sub("-", stem.as_posix()).strip("/ ")
    return check_name(name if name not in ("", ".", "..") else "archive")


def check_name(name: str) -> str:
    """`name`, if a sample can be called that; names become paths when archives are pulled."""
    parts = name.split("/")
    if not name or len(name) > _MAX_NAME_CHARS or _UNFIT.search(name) or any(part in ("", ".", "..") for part in parts):
        raise UsageError(
            f"{name!r} cannot be the name of a sample.",
            hint="Use letters, digits, spaces, `/` between parts; no `@`, no `..`, no control characters.",
        )
    return name


def distinct_names(name: str) -> Iterator[str]:
    """`test` → `test`, `test-2`, `test-3`, …"""
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def total_bytes(paths: Sequence[Candidate]) -> int | None:
    """The size of some files; None where a folder is among them."""
    if any(candidate.path.is_dir() for candidate in paths):
        return None
    return sum(candidate.path.stat().st_size for candidate in paths)
