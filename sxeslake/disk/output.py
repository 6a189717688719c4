"""The one way in which commands write what people asked for with `-o`: whole, or not there.

A regular file gets its content in one step, by a rename; behind links, for a link is the user's own choice of a place.
What is no file (a device, a pipe, `/dev/stdout`, `/dev/fd/63`) is opened and written, never replaced. Nothing is
written inside a lake's folder.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from sxeslake.disk.rename import put_back, put_folder, remove_tree, rename_noreplace, sync_folder, sync_tree
from sxeslake.disk.trouble import SUFFIX, told
from sxeslake.errors import AlreadyExistsError, InputError, UsageError

if sys.platform != "win32":
    import fcntl

_YOUNG_SECONDS: Final = 10  # it may have been made just now, and not locked yet
_PREFIX_BYTES: Final = 100
_MOST_LINKS: Final = 40
_DESCRIPTOR = re.compile(r"/dev/fd/(\d+)|/proc/(?:self|thread-self|\d+)(?:/task/\d+)?/fd/(\d+)")
_OWN_PROCESS = re.compile(r"/dev/fd/\d+|/proc/(?:self|thread-self)/.*")
_LAKE_MARK: Final = b'{"blake3":"'


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """Where an output goes: as the user names it, and the true path behind links."""

    said: Path
    path: Path
    is_stream: bool  # no file: opened and written

    @property
    def is_taken(self) -> bool:
        """Whether something stands there that writing would end; an empty folder is nothing."""
        if self.is_stream:
            return False
        if self.path.is_dir():
            return any(self.path.iterdir())
        return os.path.lexists(self.path)


def named(out: str | Path) -> Path:
    """The path that a word names; UsageError for one that names none."""
    text = str(out)
    if not text or "\0" in text:
        raise UsageError("this is not a name for a file or folder.", where=repr(text), hint="Name one: -o map.plzip")
    return Path(out)


def names_folder(out: str | Path) -> bool:
    """Whether an output is a folder: `out/`, or one that is there."""
    with told(named(out)):
        return str(out).endswith(("/", "\\")) or Path(out).is_dir()


def plain_name(name: str) -> str:
    """A name without the dots it begins with: `.ssh` → `_ssh`."""
    bare = name.lstrip(".")
    return name if bare == name else f"_{bare}"


def find_place(out: Path) -> OutputPlace:
    """Follow the links of an output, as far as something is there."""
    with told(out):
        path = out
        for _ in range(_MOST_LINKS):
            path = Path(os.path.realpath(path.parent)) / path.name if path.name not in ("", "..") else path.resolve()
            if _DESCRIPTOR.fullmatch(str(path)):
                return OutputPlace(out, path, is_stream=True)
            if not path.is_symlink():
                break
            path = path.parent / path.readlink()
        else:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(out))
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = stat.S_IFREG
    _refuse_lake(path, out)
    return OutputPlace(out, path, is_stream=not stat.S_ISREG(mode) and not stat.S_ISDIR(mode))


def is_stream(out: Path) -> bool:
    """Whether an output is no file: nothing can stand beside it."""
    return find_place(out).is_stream


def is_stdout(out: str | Path) -> bool:
    """Whether an output goes where this process prints: messages about it must go elsewhere."""
    place = find_place(named(out))
    with suppress(OSError):
        return place.is_stream and os.path.samestat(place.path.stat(), os.fstat(1))
    return False


def check_file(out: Path, *, force: bool) -> OutputPlace:
    """Where a file goes; refuse a folder, and without `force` what is there already."""
    place = find_place(out)
    with told(out):
        if place.path.is_dir():
            raise UsageError("this is a folder; name a file.", where=out)
        is_disk = place.is_stream and place.path.is_block_device()
        if not force and (place.is_taken or is_disk):
            raise AlreadyExistsError("this is there already.", where=out, hint="`--force` writes over it.")
    return place


def check_folder(out: Path, *, force: bool) -> OutputPlace:
    """Where a folder goes; refuse what it can never replace, and without `force` what is there already."""
    place = find_place(out)
    with told(out):
        _refuse_own(place)
        if not force and (place.is_taken or place.is_stream):
            raise AlreadyExistsError("this is there already.", where=out, hint="`--force` replaces an earlier pull.")
        if place.is_stream or (os.path.lexists(place.path) and not place.path.is_dir()):
            raise InputError("this is a file; a folder cannot replace it.", where=out)
    return place


@contextmanager
def written_file(out: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """An open file whose content is at `out` when the block ends well; until then what was there stays there."""
    place = check_file(out, force=force)
    with told(out):
        if place.is_stream:
            with _opened(place.path) as stream:
                yield stream
        else:
            with _beside(place, force=force) as file:
                yield file


@contextmanager
def written_folder(out: Path, *, force: bool = False, guard: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """A new folder that is at `out` when the block ends well; until then what was there stays there, whole.

    `guard` is asked whether the folder that is there may go: raise to refuse. It is asked again before it goes, for a
    long time may have passed.
    """
    place = find_place(out)
    with told(out):
        _refuse_own(place)
        _sweep(place.path, folders=True)
        check_folder(out, force=force)
        if guard is not None and place.is_taken:
            guard(out)
        partial = place.path.with_name(_prefix(place.path) + os.urandom(4).hex() + SUFFIX)
        try:
            partial.mkdir(mode=0o700)
            with _locked(partial):
                made = partial / "whole"
                made.mkdir()
                mode = stat.S_IMODE((place.path if place.path.is_dir() else made).stat().st_mode)
                yield made
                made.chmod(mode)
                sync_tree(made)
                if guard is not None and place.is_taken:
                    guard(out)
                try:
                    put_folder(made, place.path, aside=partial / "old" if force else None)
                except FileExistsError as error:
                    raise AlreadyExistsError("another process created this meanwhile.", where=out) from error
                sync_folder(place.path.parent)
        finally:
            _discard(partial, place.path)


def _refuse_own(place: OutputPlace) -> None:
    here = Path.cwd()
    if place.path in (here, *here.parents):
        raise UsageError(
            "this is the folder you work in, or one above it; a pull puts a new folder in its place.",
            where=place.said, hint="Name a new folder, or one below: -o map/",
        )  # fmt: skip


# --- a file ------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A device, a pipe or an open descriptor; the latter goes on where it stands, and is not cut."""
    found = _DESCRIPTOR.fullmatch(str(path))
    is_own = found is not None and (_OWN_PROCESS.fullmatch(str(path)) or f"/{os.getpid()}/" in str(path))
    if found is not None and is_own:
        handle = os.dup(int(found[1] or found[2]))
    else:
        handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
    with os.fdopen(handle, "wb") as file:
        yield file


@contextmanager
def _beside(place: OutputPlace, *, force: bool) -> Iterator[BinaryIO]:
    """A new file in the folder of its target, moved there when it is whole and on the disk; gone if it is not."""
    target = place.path
    _sweep(target, folders=False)
    made = target.with_name(_prefix(target) + os.urandom(4).hex() + SUFFIX)
    file = None
    try:
        file = cast("BinaryIO", made.open("x+b"))  # in here: a signal may come as soon as it is there
        _lock(file.fileno())
        yield file
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            made.chmod(stat.S_IMODE(target.stat().st_mode))  # who could read the old one can read the new one
        if sys.platform == "win32":  # which moves no open file; elsewhere the lock lasts until it has its name
            file.close()
        _publish(made, place, force=force)
        sync_folder(target.parent)
    finally:
        with suppress(OSError):  # a full disk has said so already
            if file is not None:
                file.close()
        with suppress(OSError):
            made.unlink(missing_ok=True)


def _publish(made: Path, place: OutputPlace, *, force: bool) -> None:
    if force:
        made.replace(place.path)
        return
    try:
        try:
            os.link(made, place.path)
        except FileExistsError:
            raise
        except OSError:  # no hard links here
            rename_noreplace(made, place.path)
    except FileExistsError as error:
        raise AlreadyExistsError("another process created this meanwhile.", where=place.said) from error
    except OSError:
        if os.path.lexists(place.path):
            raise AlreadyExistsError("another process created this meanwhile.", where=place.said) from None
        made.replace(place.path)


# --- what an interrupted run left --------------------------------------------------------------------------------


def _prefix(target: Path) -> str:
    """`.map.plzip.`; of a long name its beginning, for the whole must fit the disk."""
    return f".{os.fsdecode(os.fsencode(target.name)[:_PREFIX_BYTES])}."


def _sweep(target: Path, *, folders: bool) -> None:
    """Remove what a run to the same place left when it was killed: its lock went with it.

    A folder that had stepped aside, and whose place is free, goes back there.
    """
    name = re.compile(re.escape(_prefix(target)) + r"[a-z0-9_]{8}" + re.escape(SUFFIX))
    with suppress(OSError):  # what cannot be removed is in nobody's way
        with os.scandir(target.parent) as entries:  # quick: a folder that is being filled is looked at each time
            found = [entry for entry in entries if entry.name[0] == "." and name.fullmatch(entry.name)]
        for left in found:
            with suppress(OSError):
                if not left.is_symlink():
                    _take_up(target.parent / left.name, target, folders=folders)


def _take_up(left: Path, target: Path, *, folders: bool) -> None:
    was_aside = (left / "old").exists()
    if not was_aside and time.time() - left.lstat().st_mtime <= _YOUNG_SECONDS:
        return
    with _locked(left) as is_ours:
        if not is_ours:
            return
        if not left.is_dir():
            left.unlink()
        elif folders or not was_aside:
            _discard(left, target)


def _discard(partial: Path, target: Path) -> None:
    """Remove a temporary folder, but never the last copy of what stood at the target."""
    aside = partial / "old"
    if os.path.lexists(aside):
        if os.path.lexists(partial / "whole"):  # the new one did not get there
            put_back(aside, target)
        if os.path.lexists(aside) and (os.path.lexists(partial / "whole") or not os.path.lexists(target)):
            return
    remove_tree(partial)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder that is being written; False where another process does, or none can."""
    if sys.platform == "win32":  # what was left stays: nothing tells whether it is being written
        yield False
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether the lock is ours now; it goes with the process, however that ends."""
    try:
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # another's, or a file system without locks
        pass
    return False


# --- lakes -------------------------------------------------------------------------------------------------------


def _refuse_lake(path: Path, out: Path) -> None:
    if any(_is_lake(folder) for folder in (path, *path.parents)):
        raise UsageError(
            "this is inside the folder of a lake, where only its own objects belong.",
            where=out,
            hint="Choose a place outside.",
        )


def _is_lake(folder: Path) -> bool:
    """By `lake.json`, or where that is damaged, by what stands beside it."""
    mark = folder / "lake.json"
    try:
        if not mark.is_file():
            return False
        with mark.open("rb") as file:
            return file.read(len(_LAKE_MARK)) == _LAKE_MARK or (folder / "packs").is_dir()
    except OSError:
        return False
