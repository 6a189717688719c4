"""What is to be done to a folder so that it holds a version: found by looking, before anything is changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from sxeslake.archive import attributes
from sxeslake.archive.folder import time_of
from sxeslake.errors import InputError
from sxeslake.format.manifest import ManifestRow
from sxeslake.model import Digest, Member
from sxeslake.pull.folder.present import OnDisk, digest_of
from sxeslake.pull.folder.stamps import Stamps

_ROWS = 1024  # looked at together


@dataclass(slots=True)
class FolderPlan:
    """Places in the archive of what lacks or differs; paths of what does not belong, folders behind their files."""

    wanted: list[int] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    folders: list[Member] = field(default_factory=list)
    retimed: list[ManifestRow] = field(default_factory=list)  # right bytes, wrong time
    extra: list[str] = field(default_factory=list)
    in_the_way: list[str] = field(default_factory=list)  # a folder where a file belongs, or the other way round


def plan_folder(folder: Path, rows: Iterable[ManifestRow], on_disk: OnDisk, stamps: Stamps, threads: int) -> FolderPlan:
    """Hold a folder against the rows of a version; links are not followed, and belong nowhere."""
    plan = FolderPlan()
    files, folders = _Expected(), _Expected()
    looker, source = _Looker(folder), iter(rows)
    with ThreadPoolExecutor(threads, thread_name_prefix="compare") as pool:
        while batch := list(islice(source, _ROWS)):
            paths = [on_disk(row.member) for row in batch]
            for row, path in zip(batch, paths, strict=True):
                (folders if row.member.kind == "directory" else files).add(path)
                folders.add_parents(path)
            facts = [looker.facts(path) for path in paths]
            known = [stamps.digest(path, fact) if fact else None for path, fact in zip(paths, facts, strict=True)]
            digests = pool.map(partial(_digest, folder), paths, facts, batch, known)
            looked = list(zip(paths, facts, digests, batch, strict=True))
            for _, fact, digest, row in looked:
                _judge(plan, fact, digest, row)
            stamps.note((path, fact, digest) for path, fact, digest, _ in looked if fact and digest)
    for path, is_folder in _walk(folder):
        if path not in (folders if is_folder else files):
            plan.extra.append(path)
            if path in (files if is_folder else folders):
                plan.in_the_way.append(path)
    return plan


class _Expected:
    """Paths that belong."""

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def add(self, path: str) -> None:
        self._paths.add(path)

    def add_parents(self, path: str) -> None:
        """The folders above a path, up to one that is known."""
        while (path := path.rpartition("/")[0]) and path not in self._paths:
            self._paths.add(path)

    def __contains__(self, path: object) -> bool:
        return path in self._paths


def _judge(plan: FolderPlan, facts: os.stat_result | None, digest: Digest | None, row: ManifestRow) -> None:
    if row.member.kind == "directory":
        plan.folders.append(row.member)
        plan.added += facts is None
        plan.unchanged += facts is not None
    elif digest == row.digest and facts is not None:
        plan.unchanged += 1
        moment = time_of(row.member)
        if moment is not None and facts.st_mtime_ns != moment:
            plan.retimed.append(row)
    else:
        plan.wanted.append(row.ordinal)
        plan.added += facts is None
        plan.changed += facts is not None


class _Looker:
    """Looks at places below a folder; behind a link nothing is seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._real: dict[str, bool] = {"": True}

    def facts(self, path: str) -> os.stat_result | None:
        """What stands there, a link as itself; None where nothing does."""
        if not self._is_real(path.rpartition("/")[0]):
            return None
        try:
            return (self._folder / path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"cannot be looked at: {error.strerror}", where=self._folder / path) from error

    def _is_real(self, path: str) -> bool:
        unknown = []
        while path not in self._real:
            unknown.append(path)
            path = path.rpartition("/")[0]
        for step in reversed(unknown):  # the step above it is known by now
            facts = self.facts(step)
            self._real[step] = facts is not None and stat.S_ISDIR(facts.st_mode)
            path = step
        return self._real[path]


def _digest(
    folder: Path, path: str, facts: os.stat_result | None, row: ManifestRow, known: Digest | None
) -> Digest | None:
    """The content of a file that may be the member; None where its size alone says that it is not."""
    if facts is None or facts.st_size != row.member.size:
        return None
    is_link = stat.S_ISLNK(facts.st_mode) and attributes.is_link(row.member.attributes, row.member.size)
    if not stat.S_ISREG(facts.st_mode) and not is_link:
        return None
    try:
        return known or digest_of(folder / path)
    except OSError:
        return None  # cannot be read: rewritten


def _walk(folder: Path) -> Iterator[tuple[str, bool]]:
    """Everything below a folder, and whether it is a folder itself; what is inside comes before it."""
    if not folder.is_dir():
        return
    open_folders = [("", _entries(folder))]
    while open_folders:
        prefix, entries = open_folders[-1]
        entry = next(entries, None)
        if entry is None:
            open_folders.pop()
            if prefix:
                yield prefix[:-1], True
        elif entry.is_dir(follow_symlinks=False):
            open_folders.append((f"{prefix}{entry.name}/", _entries(Path(entry.path))))
        else:
            yield prefix + entry.name, False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return iter(sorted(entries, key=lambda entry: entry.name))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=folder) from error
