"""Which member names are safe, which collide, and how Windows can hold the others."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import unicodedata
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice, pairwise
from typing import NamedTuple

from sxeslake.archive.attributes import special_reason
from sxeslake.errors import LimitExceededError, UnsafeNameError
from sxeslake.model import Limits, Member

MAX_STEP_BYTES = 255  # what file systems hold of one step of a path
_MAX_SUFFIX_BYTES = 20
MAX_PATH_BYTES = 4096  # what Linux can open; also bounds the work a hostile name costs

_DRIVE = re.compile(r"[A-Za-z]:(?:[/\\\\]|$)")  # `N:Ka.csv` is a name: a line of a spectrum
_SEPARATORS = re.compile(r"[/\\]")
_UNPLAIN = ("\\", ":", "//", "/.", "/\0", "\0/", "\0.", "\0\0")  # in names that a NUL parts from each other
_BATCH = 4096
_MANY = 50_000

Named = Iterable[tuple[str, bool]]
"""Paths, and whether each is a directory."""


def is_plain(name: str) -> bool:
    """Whether a name needs no closer look, `data/5/info.json`: string searches, ten times as fast as a pattern."""
    return (
        name.isascii()
        and 0 < len(name) <= MAX_PATH_BYTES
        and name[0] not in "./"
        and name[-1] != "/"
        and "/." not in name
        and "//" not in name
        and "\\" not in name
        and ":" not in name
        and "\0" not in name
    )


def all_plain(text: str) -> bool:
    """Whether all names of a text, with a NUL between any two, are plain for sure, but for their length."""
    framed = f"\0{text}\0"
    return text.isascii() and not any(mark in framed for mark in _UNPLAIN)


def normal_path(name: str) -> str:
    """A container's name as a member path: `./a//b/` → `a/b`; `./` → `.`; an absolute name stays absolute."""
    if is_plain(name):
        return name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    path = "/".join(parts)
    if name.startswith("/"):
        return "/" + path
    return path or ("." if name.strip("/") == "." else "")


def unsafe_reason(path: str, *, is_directory: bool = False) -> str | None:
    """Why a path may not be used, `is absolute`; None where it may."""
    if is_plain(path):
        return None
    try:
        if len(path.encode()) > MAX_PATH_BYTES:
            return f"is longer than {MAX_PATH_BYTES:,} bytes"
    except UnicodeEncodeError:
        return "is not valid text"
    parts = _SEPARATORS.split(path)
    reasons = (
        (not path, "is empty"),
        ("\0" in path, "holds a NUL character"),
        (path[:1] in ("/", "\\"), "is absolute"),
        (_DRIVE.match(path) is not None, "begins with a drive letter"),
        (".." in parts, "leaves its folder with .."),
        (path != "." and ("." in parts or "" in parts), "holds an empty step or a lone dot"),
        (path == "." and not is_directory, "is a lone dot"),
    )
    return next((reason for holds, reason in reasons if holds), None)


def unsafe_bytes(name: bytes) -> bool:
    """Whether a name in bytes could leave its folder."""
    return not name or b"\0" in name or name.startswith(b"/") or any(part in (b"..", b".") for part in name.split(b"/"))


def printable(path: str) -> str:
    """A path as text: `\\xff` for a byte that is not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def collision_key(path: str) -> str:
    """Two paths with one key cannot stand side by side: NFC, `/` for every separator."""
    if path.isascii():
        return path if "\\" not in path else path.replace("\\", "/")
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


class NameBatch(NamedTuple):
    """Some names of an archive; `plain` promises that each of them `is_plain`."""

    paths: Sequence[str]
    directory: Sequence[bool]
    plain: bool = False


def check_safe(batches: Iterable[NameBatch], *, where: object = None) -> None:
    """Refuse names that could leave their folder. Names that collide are kept: see `distinct_paths`."""
    for batch in batches:
        if not batch.plain:
            _keys(batch, where)


def check_names(names: Callable[[], Named], *, where: object = None) -> None:
    """Refuse unsafe names, and names that collide: twice the same, or a file that is also a folder.

    `names` is called a second time only where hashes collide; 8 bytes a name are held, not the names.
    """
    check_batches(lambda: _batched(names()), where=where)


def check_batches(batches: Callable[[], Iterable[NameBatch]], *, where: object = None) -> None:
    """`check_names` for names that come some thousand at a time."""
    files, folders = array("q"), array("q")
    parents: set[int] = set()
    for batch in batches():
        keys = batch.paths if batch.plain else _keys(batch, where)
        hashes = map(hash, keys)
        if any(batch.directory):
            for hashed, is_directory in zip(hashes, batch.directory, strict=True):
                (folders if is_directory else files).append(hashed)
        else:
            files.extend(hashes)
        for folder in {key.rpartition("/")[0] for key in keys}:
            _note_folder(folder, parents)
    suspects = _repeated(files + folders) | parents.intersection(files)
    if suspects:
        _name_the_collision(
            lambda: ((path, folder) for batch in batches() for path, folder in zip(*batch[:2], strict=True)),
            suspects, where,
        )  # fmt: skip


def _batched(names: Named) -> Iterator[NameBatch]:
    left = iter(names)
    while some := list(islice(left, _BATCH)):
        yield NameBatch([path for path, _ in some], [is_directory for _, is_directory in some])


def _keys(batch: NameBatch, where: object) -> list[str]:
    keys = []
    for path, is_directory in zip(batch.paths, batch.directory, strict=True):
        if is_plain(path):
            keys.append(path)
        elif reason := unsafe_reason(path, is_directory=is_directory):
            raise UnsafeNameError(f"the name {path!r} {reason}", where=where)
        else:
            keys.append(collision_key(path))
    return keys


def _repeated(hashes: array[int]) -> set[int]:
    if len(hashes) < _MANY:  # of a folder that is opened as a group: not worth loading numpy
        return {first for first, second in pairwise(sorted(hashes)) if first == second}
    import numpy as np  # noqa: PLC0415

    ordered = np.sort(np.frombuffer(hashes, np.int64))
    return set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())


def _note_folder(folder: str, parents: set[int]) -> None:
    """Note a folder and all that it lies in."""
    while folder:
        hashed = hash(folder)
        if hashed in parents:
            return
        parents.add(hashed)
        folder = folder.rpartition("/")[0]


def _name_the_collision(names: Callable[[], Named], suspects: set[int], where: object) -> None:
    seen: dict[str, str] = {}  # key → the name that took it first
    for path, _ in names():
        key = collision_key(path)
        if hash(key) in suspects:
            if key in seen:
                both = _told_apart(seen[key], path)
                raise UnsafeNameError(f"two member names collide: {both}", where=where)
            seen[key] = path
    files = {collision_key(path) for path, is_directory in names() if not is_directory} & seen.keys()
    for path, _ in names():
        key = collision_key(path)
        while key := key.rpartition("/")[0]:
            if key in files:
                raise UnsafeNameError(f"{seen[key]!r} is a file and also the folder of {path!r}", where=where)


def _told_apart(first: str, second: str) -> str:
    """Two names in quotes; with their code points where they are different and look the same."""
    if first == second or unicodedata.normalize("NFC", first) != unicodedata.normalize("NFC", second):
        return f"{first!r} and {second!r}"
    return f"{first!r} ({first!a}) and {second!r} ({second!a})"


def distinct_paths(named: Sequence[tuple[str, bool]]) -> dict[int, str]:
    """Other paths for members that a folder cannot hold beside earlier ones, by their place: `a.csv` → `a~2.csv`.

    A second member of a name gets another one; so does a file that is also the folder of others. A folder that comes
    twice is one folder.
    """
    folders = {normal_key(path) for path, is_directory in named if is_directory}
    for path, _ in named:
        while (path := path.rpartition("/")[0]) and normal_key(path) not in folders:
            folders.add(normal_key(path))
    taken = set(folders)
    found = dict[int, str]()
    waiting = list[int]()
    for place, (path, is_directory) in enumerate(named):
        if is_directory:
            continue
        if normal_key(path) in taken:
            waiting.append(place)
        taken.add(normal_key(path))
    for place in waiting:
        path = named[place][0]
        found[place] = next(other for other in _numbered(path) if normal_key(other) not in taken)
        taken.add(normal_key(found[place]))
    return found


def normal_key(path: str) -> str:
    """What must differ on this system's disks."""
    return unicodedata.normalize("NFC", path) if sys.platform == "darwin" else path


def _numbered(path: str) -> Iterator[str]:
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".") if "." in name[1:] else (name, "", "")
    return (f"{folder}{slash}{stem}~{number}{dot}{suffix}" for number in count(2))


def check_members(members: Sequence[Member], *, where: object = None) -> None:
    """`check_names`, and no links, devices or pipes."""
    for member in members:
        if reason := special_reason(member.attributes):
            raise UnsafeNameError(f"{member.path!r} {reason}", where=where)
    check_names(lambda: ((member.path, member.kind == "directory") for member in members), where=where)


def check_limits(limits: Limits, *, members: int, raw_bytes: int, archive_bytes: int, where: object = None) -> None:
    """Refuse what counts as a bomb: more members, raw bytes or expansion than `limits` allow."""
    hint = "Raise the limit if you trust the archive."
    if members > limits.members:
        raise LimitExceededError(
            f"{members:,} members, more than the {limits.members:,} allowed", where=where, hint=hint
        )
    if raw_bytes > limits.raw_bytes:
        raise LimitExceededError(
            f"{raw_bytes:,} bytes when unpacked, more than the {limits.raw_bytes:,} allowed", where=where, hint=hint
        )
    if raw_bytes > limits.ratio_floor_bytes and raw_bytes > limits.ratio * max(1, archive_bytes):
        raise LimitExceededError(
            f"{archive_bytes:,} bytes unpack to {raw_bytes:,}, more than {limits.ratio:,} times as much",
            where=where,
            hint=hint,
        )


_NO_ASCII = re.compile(r"[^\x20-\x7e]|[%\\]")


def percent(text: str) -> str:
    """`:` → `%3A`; a byte that is no UTF-8 as itself."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


def escape_bytes(step: str) -> str:
    """One step of a path as text: where it is not UTF-8, each byte that is not plain ASCII as `%8E`.

    Also `%` and the backslash, the second byte of some characters in CP932, are escaped there: two names that differ
    stay different. A name that is text comes back as it is.
    """
    if step.isascii() or printable(step) == step:
        return step
    return _NO_ASCII.sub(lambda found: percent(found[0]), step)


# Windows

_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(?:\.|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]|%(?=[0-9A-Fa-f]{2})|[. ]$')


def windows_escape(path: str) -> str:
    """A path Windows can hold: `a:b/con.txt/c.` → `a%3Ab/%63on.txt/c%2E`; most paths come back as they are."""
    return "/".join(escape_step(step) for step in path.split("/"))


def escape_step(step: str, lead: int = 0) -> str:
    """One step of a path; the first `lead` characters are escaped whatever they are."""
    if step == ".":
        return step
    lead = lead or (1 if _RESERVED.match(step) else 0)
    return percent(step[:lead]) + _FORBIDDEN.sub(lambda found: percent(found[0]), step[lead:])


def short_step(step: str) -> str:
    """A step of a path that file systems hold; a longer one keeps its beginning and its suffix, with a hash between.

    `nnn….txt` of 300 letters → `nnn…~1f0c2a9b4d5e6f70.txt` of 255 bytes; the hash keeps two such names apart.
    """
    data = os.fsencode(step)
    if len(data) <= MAX_STEP_BYTES:
        return step
    stem, dot, suffix = step.rpartition(".")
    if not stem or len(os.fsencode(suffix)) > _MAX_SUFFIX_BYTES:
        stem, dot, suffix = step, "", ""
    end = f"~{hashlib.sha256(data).hexdigest()[:16]}{dot}{suffix}"
    start = os.fsencode(stem)[: MAX_STEP_BYTES - len(os.fsencode(end))].decode("utf-8", "ignore")
    return start + end
