"""Whether a folder is an earlier pull of an archive: only such a one may be replaced, or lose what does not belong.

A file is the archive's own if any version of the sample has it, under that name and with that content. What no version
names is foreign and may be the only copy of somebody's work. For `pull --force` most files must be the archive's own,
or all names those of a version, and nothing may be foreign. `sync --delete`, whose purpose is to remove what does not
belong, asks that most of the folder, by files and by bytes, is the archive's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow.compute as pc

from sxeslake.archive.folder import PARTIAL, FolderWriter
from sxeslake.errors import DamagedLakeError, InputError, NotFoundError
from sxeslake.model import Digest
from sxeslake.pull.folder.present import digest_of
from sxeslake.pull.folder.stamps import stamps_of
from sxeslake.reading.names import apart, has_raw_names
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

Expected = tuple[str, int, Digest]
"""Path, size and content of a file that an archive has."""

_NAMED = 3  # of many files, in an error
_BATCH = 8192


@dataclass(slots=True)
class FolderContents:
    """The files below a folder (path → bytes) by what they are; `foreign` also has links and devices."""

    own: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)  # a version names it, and none has this content
    foreign: dict[str, int] = field(default_factory=dict)
    is_complete: bool = False  # some version has these very names, more than one


def check_replaceable(
    vault: Vault, versions: Sequence[Version], folder: Path, expected: Iterable[Expected] = ()
) -> None:
    """Refuse to put a pull in the place of a folder that is not an earlier one; `expected` is what comes there."""
    found = look(vault, versions, folder, expected)
    name = versions[0].sample if versions else "the archive"
    if found.foreign:
        raise InputError(
            f"{_counted(found.foreign)} here, of no version of {name}, and would be gone: {_some(found.foreign)}.",
            where=folder,
            hint=f"Choose another folder, or move them away. `sxeslake sync {name} FOLDER` adds to a folder.",
        )
    if len(found.changed) > len(found.own) and not found.is_complete:
        raise InputError(
            f"{_counted(found.changed)} here with other content than any version of {name} has: "
            f"{_some(found.changed)}. This does not look like an earlier pull.",
            where=folder,
            hint="Choose another folder, or move this one away.",
        )


def check_removable(vault: Vault, version: Version, folder: Path, extra: Iterable[str]) -> None:
    """Refuse to remove files from a folder that is, for the most part, not an earlier pull of the archive."""
    found = look(vault, [version], folder)
    files = found.changed | found.foreign
    lost = {path: files[path] for path in extra if path in files}
    if not lost:
        return
    if not found.own:
        raise InputError(
            f"no file in this folder is of {version.name}, and --delete would remove {len(lost):,} others: "
            f"{_some(lost)}.",
            where=folder,
            hint="Choose the folder that an earlier pull or sync wrote, or an empty one.",
        )
    if len(lost) >= len(found.own) or sum(lost.values()) > sum(found.own.values()):
        raise InputError(
            f"most of this folder is not of {version.sample}, and --delete would remove {_counted(lost)}: "
            f"{_some(lost)}.",
            where=folder,
            hint="Choose the folder that an earlier pull or sync wrote, or move the others away.",
        )


def look(vault: Vault, versions: Sequence[Version], folder: Path, expected: Iterable[Expected] = ()) -> FolderContents:
    """Compare the files of a folder with what is expected and with every version of the samples."""
    contents = FolderContents()
    left = dict(_files(folder, contents.foreign))
    here, named = set(left), set[str]()
    digests: dict[str, Digest | None] = {}  # each file is read once
    on_disk = FolderWriter(folder, make=False).on_disk
    coming = ((on_disk(member), size, digest) for member, size, digest in expected)
    with stamps_of(folder, vault.folder) as stamps, ThreadPoolExecutor(vault.threads) as pool:
        for rows in (coming, *_rows_of(vault, versions, folder)):
            if not left:
                break
            alike: dict[str, Digest] = {}
            names: set[str] = set()
            for path, size, digest in rows:
                names.add(path)
                if path in left and left[path].st_size == size:
                    alike[path] = digest
            named |= names
            contents.is_complete |= len(names) > 1 and names == here
            unread = [path for path in alike if path not in digests]
            digests |= {path: stamps.digest(path, left[path]) for path in unread}
            unread = [path for path in unread if digests[path] is None]
            digests |= dict(zip(unread, pool.map(partial(_digest, folder), unread), strict=True))
            stamps.note((path, left[path], found) for path in unread if (found := digests[path]) is not None)
            for path, digest in alike.items():
                if digests[path] == digest:
                    contents.own[path] = left.pop(path).st_size
    for path, facts in left.items():
        (contents.changed if path in named else contents.foreign)[path] = facts.st_size
    return contents


def _digest(folder: Path, path: str) -> Digest | None:
    try:
        return digest_of(folder / path)
    except OSError:
        return None


def _rows_of(vault: Vault, versions: Sequence[Version], folder: Path) -> Iterator[Iterator[Expected]]:
    """The files of the versions as they lie in a folder, then of all others of their samples, the newest first."""
    done: set[str] = set()
    samples = dict.fromkeys(version.sample for version in versions)
    others = [
        each
        for sample in samples
        for each in reversed(vault.state.versions("status <> 'collected' AND v.sample = ?", (sample,)))
    ]
    for version in (*versions, *others):
        if version.name not in done:
            done.add(version.name)
            yield _rows(vault, version, folder)


def _rows(vault: Vault, version: Version, folder: Path) -> Iterator[Expected]:
    on_disk = FolderWriter(folder, make=False, raw_names=has_raw_names(version)).on_disk
    with suppress(DamagedLakeError, NotFoundError), vault.reading(version):  # what is lost vouches for nothing
        table, _ = apart(vault.manifests.table(version))
        table = table.filter(pc.invert(table["directory"]))
        for start in range(0, table.num_rows, _BATCH):
            piece = table.slice(start, _BATCH)
            columns = (piece[name].to_pylist() for name in ("path", "raw_name", "size", "blake3"))
            for path, raw_name, size, digest in zip(*columns, strict=True):
                yield on_disk(path, raw_name), size, digest


def _files(folder: Path, foreign: dict[str, int]) -> Iterator[tuple[str, os.stat_result]]:
    """Files and links with their facts; devices go to `foreign`, folders without files count for nothing."""
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(folder / prefix) as scan:
                entries = list(scan)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", where=folder / prefix) from error
        for entry in entries:
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(f"{prefix}{entry.name}/")
            elif entry.name.startswith(PARTIAL):  # what an interrupted sync left
                continue
            elif stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
                yield prefix + entry.name, facts
            else:
                foreign[prefix + entry.name] = 0


def _counted(paths: dict[str, int]) -> str:
    return "1 file is" if len(paths) == 1 else f"{len(paths):,} files are"


def _some(paths: dict[str, int]) -> str:
    names = ", ".join(sorted(paths)[:_NAMED])
    return names if len(paths) <= _NAMED else f"{names}, …"
