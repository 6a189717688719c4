"""A folder as a container: read in sorted order, written without ever leaving it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, overload
from uuid import uuid4

from sxeslake.archive import names
from sxeslake.archive.attributes import UNIX_ATTRIBUTES, is_link, safe_target, special_reason
from sxeslake.archive.encodings import CONFIDENT, detect
from sxeslake.archive.file_facts import NOT_PERMITTED, Links, attributes_of, is_junction, may_read, why_unread
from sxeslake.archive.ranged_file import open_regular
from sxeslake.archive.times import local_ns_of_dos
from sxeslake.archive.zip import format as zip_format
from sxeslake.closing import Closing
from sxeslake.disk.rename import sync_file
from sxeslake.disk.trouble import FULL
from sxeslake.errors import AccessDeniedError, AlreadyExistsError, InputError, StorageError, UnsafeNameError
from sxeslake.machine.concurrency import CHUNK_BYTES
from sxeslake.model import ContainerKind, Job, Limits, Member, Piece

JOB_FILES = 1024  # a job of nothing but tiny files stays short
_NO_TIME = -(1 << 63)
PARTIAL = ".sxeslake-partial-"  # how files begin that are not whole yet


class FolderReader(Closing):
    """The files and folders below a folder, sorted by path.

    `left_out` names what cannot be read, and why: pipes, sockets, devices, files and folders without permission, and
    what `without` lists: files that an earlier attempt found changing.
    """

    kind: ContainerKind = "folder"
    comment = b""

    def __init__(
        self,
        path: Path,
        *,
        encoding: str | None = None,
        limits: Limits | None = None,
        links: Links = "keep",
        without: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self._listing = _FolderListing(path, encoding, limits or Limits(), links, without)
        names.check_safe([self._listing.named()], where=path)
        self.left_out = tuple(self._listing.left_out)
        self.lost = (*self.left_out, *self._listing.notes)  # what no pull would give back
        self.notes = (*self._listing.notes, *self._listing.guesses)
        self.changed: dict[str, str] = {}  # what could not be read to its end, and why

    @property
    def members(self) -> Sequence[Member]:
        """All members, built on demand."""
        return self._listing

    def jobs(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Job]:
        """All contents in order of path; every job reads its own files."""
        run: list[int] = []
        weight = 0
        for index, size in enumerate(self._listing.sizes):
            if size <= 0:  # empty, or a folder
                continue
            if run and (weight + size > chunk_bytes or len(run) == JOB_FILES):
                yield partial(self._read_run, run)
                run, weight = [], 0
            if size > chunk_bytes:
                for offset in range(0, size, chunk_bytes):
                    yield partial(self._read_slice, index, offset, chunk_bytes)
            else:
                run.append(index)
                weight += size
        if run:
            yield partial(self._read_run, run)

    def read(self, index: int) -> bytes:
        """The whole content of one file."""
        size = self._listing.sizes[index]
        return self._read_slice(index % len(self._listing), 0, size)[0].data if size > 0 else b""

    def close(self) -> None:
        """Nothing is held open."""

    def _read_run(self, run: list[int]) -> list[Piece]:
        return [piece for index in run for piece in self._read_slice(index, 0, self._listing.sizes[index])]

    def _read_slice(self, index: int, offset: int, count: int) -> list[Piece]:
        size = self._listing.sizes[index]
        place, path = self._listing.disk_path(index), self._listing.path_of(index)
        try:
            if self._listing.is_link(index):
                data = os.fsencode(place.readlink())[offset : offset + count]
            else:
                with open_regular(place) as file:
                    data = b""
                    if os.fstat(file.fileno()).st_size == size:
                        file.seek(offset)
                        data = _read_all(file.read, min(count, size - offset))
        except (OSError, InputError) as error:
            why = error.strerror if isinstance(error, OSError) else error.what
            raise self._lost(path, f"cannot be read: {why}") from error
        if len(data) != min(count, size - offset):
            raise self._lost(path, "changed while it was read")
        return [Piece(index, offset, data)]

    def _lost(self, path: str, why: str) -> InputError:
        """Note a file that cannot be read, and all others that changed since they were listed."""
        self.changed[path] = why
        for index in range(len(self._listing)):
            if self._listing.has_changed(index):
                self.changed.setdefault(self._listing.path_of(index), "changed while it was read")
        return InputError(f"{path}: {why}", where=self.path)


def _read_all(read: Callable[[int], bytes | None], count: int) -> bytes:
    data = read(count) or b""
    while len(data) < count and (more := read(count - len(data))):
        data += more
    return data


Above = tuple[tuple[int, int], ...]
"""The folders that a folder lies in, by device and inode."""

Waiting = tuple[str, str, Above]
"""A folder that is to be listed: its path with us, its path on the disk, what it lies in."""


class _FolderListing(Sequence[Member]):
    """What lies below a folder, in columns: half a million files fit in 100 MB."""

    def __init__(
        self, root: Path, encoding: str | None, limits: Limits, links: Links, without: Mapping[str, str]
    ) -> None:
        self._root, self._links, self._without = root, links, without
        self._paths: list[str] = []
        self._real: dict[str, str] = {}  # where the disk's name is not UTF-8: its own form, by path
        self.sizes = array("q")  # -1 for a folder
        self._times = array("q")  # _NO_TIME where it is not known
        self.notes: list[str] = []
        self.left_out: list[str] = []
        self.guesses: list[str] = []  # in what encoding names were read
        self._attributes = array("L")
        self._walk(encoding, limits)
        order = sorted(range(len(self._paths)), key=self._paths.__getitem__)
        self._paths = [self._paths[at] for at in order]
        for column in (self.sizes, self._times, self._attributes):
            column[:] = array(column.typecode, (column[at] for at in order))
        names.check_limits(limits, members=len(self), raw_bytes=self._raw_bytes(), archive_bytes=1 << 62, where=root)

    def _raw_bytes(self) -> int:
        return sum(size for size in self.sizes if size > 0)

    def _walk(self, encoding: str | None, limits: Limits) -> None:
        # folders below the root: as we call them, as the disk does, and which folders they lie in
        facts = self._root.stat()
        waiting: list[Waiting] = [("", "", ((facts.st_dev, facts.st_ino),))]
        while waiting:
            prefix, real_prefix, above = waiting.pop()
            try:
                with os.scandir(self._root / real_prefix) as entries:
                    found = list(entries)
            except OSError as error:
                if not prefix:
                    raise InputError(f"cannot be read: {error.strerror}", where=self._root) from error
                self.left_out.append(f"{prefix}: {why_unread(error)}")
                continue
            for entry, name in self._called(found, encoding):
                self._enter(entry, prefix + name, real_prefix + entry.name, above, waiting)
            if len(self) > limits.members:
                names.check_limits(limits, members=len(self), raw_bytes=0, archive_bytes=0, where=self._root)

    def _called(
        self, entries: Sequence[os.DirEntry[str]], encoding: str | None
    ) -> Iterator[tuple[os.DirEntry[str], str]]:
        """Entries of a folder with their names as text; two that are read alike get different ones."""
        legacy = [os.fsencode(entry.name) for entry in entries if not _is_text(entry.name)]
        if not legacy:
            yield from ((entry, entry.name) for entry in entries)
            return
        guess = detect(b"\n".join(legacy), dos=True)
        likely = guess.encoding if guess.confidence >= CONFIDENT else "cp437"
        taken = {entry.name for entry in entries}
        for entry in entries:
            name = entry.name
            if not _is_text(name):
                name = zip_format.legacy_text(os.fsencode(name), encoding, likely).replace("/", "_")
                while name in taken:
                    name += "~"
                taken.add(name)
                if encoding is None and not self.guesses:
                    self.guesses.append(
                        f"names are not UTF-8 ({name}) and were read as {guess.said}; `--encoding` states another; "
                        "their bytes are kept"
                    )
            yield entry, name

    def _enter(self, entry: os.DirEntry[str], path: str, real: str, above: Above, waiting: list[Waiting]) -> None:
        if path in self._without:
            self.left_out.append(f"{path}: {self._without[path]}")
            return
        facts = self._note(entry, path, above)
        if facts is None:
            return
        if real != path:
            self._real[path] = real
        if self.sizes[-1] < 0:
            waiting.append((path + "/", real + "/", (*above, (facts.st_dev, facts.st_ino))))

    def _note(self, entry: os.DirEntry[str], path: str, above: Above) -> os.stat_result | None:
        """Take an entry in; None for what is left out."""
        try:
            facts = entry.stat(follow_symlinks=False)
            link = entry.is_symlink() or is_junction(facts)
            if link and self._links == "skip":
                self.notes.append(f"{path}: a symbolic link, skipped by --links")
                return None
            if link and self._links == "follow":
                facts, link = os.stat(entry.path), False  # noqa: PTH116 - `entry.stat` remembers the link
            target = os.fsencode(os.readlink(entry.path)) if link else b""  # noqa: PTH115 - bytes, as they are
            is_folder = stat.S_ISDIR(facts.st_mode) and not link
            reason = self._reason_against(entry, facts, above, is_link=link, is_folder=is_folder)
        except OSError as error:
            reason = why_unread(error)
        if reason is not None:
            self.left_out.append(f"{path}: {reason}")
            return None
        self._paths.append(path)
        self.sizes.append(-1 if is_folder else len(target) if link else facts.st_size)
        self._times.append(self._time(facts.st_mtime_ns, path))
        self._attributes.append(attributes_of(facts, is_folder=is_folder, is_link=link))
        return facts

    def _reason_against(
        self,
        entry: os.DirEntry[str],
        facts: os.stat_result,
        above: Above,
        *,
        is_link: bool,
        is_folder: bool,
    ) -> str | None:
        if is_link:
            return None
        if is_folder:
            is_loop = (facts.st_dev, facts.st_ino) in above
            return "a link to a folder that contains it" if is_loop and self._links == "follow" else None
        if not stat.S_ISREG(facts.st_mode):
            return "a pipe, a socket or a device, not a file"
        return None if may_read(entry.path) else NOT_PERMITTED

    def _time(self, modified_ns: int, path: str) -> int:
        """A time as 64 bits hold it; `_NO_TIME`, and a note, for one before 1678 or beyond 2262."""
        if abs(modified_ns) < 1 << 63:
            return modified_ns
        self.notes.append(f"{path}: its modification time is outside the years 1678 to 2262 and is not kept")
        return _NO_TIME

    def named(self) -> names.NameBatch:
        """Every path, and whether it is a folder."""
        return names.NameBatch(self._paths, [size < 0 for size in self.sizes])

    def path_of(self, index: int) -> str:
        """A member's path."""
        return self._paths[index]

    def is_link(self, index: int) -> bool:
        """Whether a member is a symbolic link that is kept as one."""
        return is_link(self._attributes[index], self.sizes[index])

    def has_changed(self, index: int) -> bool:
        """Whether a file has another size or time than when it was listed."""
        if self.sizes[index] < 0 or self.is_link(index):
            return False
        try:
            facts = self.disk_path(index).stat()
        except OSError:
            return True
        return facts.st_size != self.sizes[index] or facts.st_mtime_ns != self._times[index] != _NO_TIME

    def disk_path(self, index: int) -> Path:
        """Where a member lies."""
        path = self._paths[index]
        return self._root / self._real.get(path, path)

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Member: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Member]: ...

    def __getitem__(self, index: int | slice) -> Member | Sequence[Member]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        path, is_folder = self._paths[index], self.sizes[index] < 0
        real = self._real.get(path)
        return Member(
            path=path,
            kind="directory" if is_folder else "file",
            size=max(0, self.sizes[index]),
            modified_ns=None if self._times[index] == _NO_TIME else self._times[index],
            attributes=self._attributes[index],
            raw_name=None if real is None else os.fsencode(real + "/" * is_folder),
        )


def _is_text(name: str) -> bool:
    """Whether a name is UTF-8 on the disk; Python smuggles other bytes as surrogates, which no catalogue can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


_SURELY_SHORT = 64  # characters, of at most 4 bytes each: no step is longer than a disk holds


class FolderWriter:
    """Writes members below `target`; nothing it is given makes it write elsewhere or over something.

    With `escape`, names that Windows cannot hold are written in the form of `names.windows_escape`, and names that
    differ only in case are kept apart; `renamed` tells which.
    """

    def __init__(
        self, target: Path, *, escape: bool = os.name == "nt", make: bool = True, called: Path | None = None,
        raw_names: bool = False,
    ) -> None:  # fmt: skip
        """`raw_names`: names that are not UTF-8 get their own bytes, where the disk takes them.

        `make` False leaves the target unmade until something is written into it: for who only asks for names.

        `called` is the folder that errors name, where the target is a temporary one.
        """
        self.target = target
        self._called = called or target
        self._raw_names = raw_names and not escape and sys.platform != "darwin"
        self.unlinked: list[str] = []  # links that could lead out of the target: written as files with their target
        self.renamed: dict[str, str] = {}  # member path → path below the target, where they differ
        self._names = _DiskNames(escape=escape)
        self._folders: set[str] = set()  # seen to be real folders
        self._finish: list[Member] = []  # folders, whose times change with every file put into them
        if make:
            with _told(target):
                target.mkdir(parents=True, exist_ok=True)

    def on_disk(self, path: str, raw_name: bytes | None = None) -> str:
        """How a member's path is called below the target: by the bytes of its name, where they are wanted."""
        if not self._raw_names or raw_name is None or names.unsafe_bytes(raw_name):
            return self._names.on_disk(path)
        return os.fsdecode(raw_name.rstrip(b"/"))

    def place_of(self, member: Member) -> str:
        """Where a member goes below the target."""
        return self.on_disk(member.path, member.raw_name)

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """Write one file or folder; a file that cannot be written whole is removed again."""
        self._add(member, data, self._write_file)

    def replace(self, member: Member, data: Iterable[bytes]) -> None:
        """As `add`, but a file or link that is there gives way: in one step, and only to a whole file."""
        self._add(member, data, self._replace_file)

    def _add(
        self, member: Member, data: Iterable[bytes], write: Callable[[Path, Member, Iterable[bytes]], None]
    ) -> None:
        if reason := names.unsafe_reason(member.path, is_directory=member.kind == "directory"):
            raise UnsafeNameError(f"the name {member.path!r} {reason}", where=self._called)
        if reason := special_reason(member.attributes):
            raise UnsafeNameError(f"{member.path!r} {reason}", where=self._called)
        path = self.place_of(member)
        if path != member.path:
            self.renamed[member.path] = names.printable(path)
        with _told(self._called / path):
            if member.kind == "directory":
                self._make_folder(path)
                self._finish.append(member)
            elif is_link(member.attributes, member.size):
                self._make_folder(path.rpartition("/")[0])
                self._link(path, member, b"".join(data), write)
            else:
                self._make_folder(path.rpartition("/")[0])
                write(self.target / path, member, data)

    def close(self) -> None:
        """Set the folders' times and modes, the deepest first."""
        for member in sorted(self._finish, key=lambda folder: folder.path.count("/"), reverse=True):
            path = self.target / self.place_of(member)
            with _told(self._called / self.place_of(member)):
                mode = _unix_mode(member)
                if mode is not None:  # never more than the umask left, never locked to ourselves
                    path.chmod(stat.S_IMODE(path.stat().st_mode) & (mode | 0o700))
                set_time(path, member)
        self._finish.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _make_folder(self, path: str) -> None:
        """Make `a/b` below the target, and see that no step of it is a link that leads elsewhere."""
        missing = []
        while path not in self._folders and path not in ("", "."):
            missing.append(path)
            path = path.rpartition("/")[0]
        for step in reversed(missing):
            place = self.target / step
            try:
                place.mkdir()
            except FileExistsError:
                if not stat.S_ISDIR(place.lstat().st_mode):
                    raise UnsafeNameError("exists already and is not a folder", where=place) from None
            self._folders.add(step)

    def _link(
        self, path: str, member: Member, target: bytes, write: Callable[[Path, Member, Iterable[bytes]], None]
    ) -> None:
        """Make a symbolic link where its target stays in the folder; else a file with the target as text."""
        place, text = self.target / path, safe_target(path, target)
        if text is None or len(target) != member.size or os.name == "nt":
            self.unlinked.append(member.path)
            write(place, replace(member, attributes=None), [target])
            return
        made = place.with_name(f"{PARTIAL}{uuid4().hex}")
        made.symlink_to(text)
        try:
            set_time(made, member)
            if write == self._write_file:
                os.link(made, place, follow_symlinks=False)  # fails where something is there
                made.unlink()
            else:
                made.replace(place)
        except BaseException:
            made.unlink(missing_ok=True)
            raise

    def _replace_file(self, place: Path, member: Member, data: Iterable[bytes]) -> None:
        made = place.with_name(f"{PARTIAL}{uuid4().hex}")
        self._write_file(made, member, data)
        try:
            if os.path.lexists(place):  # a power cut leaves the old content or the new
                sync_file(made)
            made.replace(place)
        except BaseException:
            made.unlink(missing_ok=True)
            raise

    def _write_file(self, place: Path, member: Member, data: Iterable[bytes]) -> None:
        mode = _unix_mode(member)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(place, flags, 0o666 if mode is None else mode | 0o400)  # less what the umask forbids
        try:
            with os.fdopen(handle, "wb", buffering=0) as file:
                written = 0
                for block in data:
                    written += len(block)
                    _write_all(file.write, block)
            if written != member.size:
                raise InputError(f"{written:,} bytes came, {member.size:,} were announced", where=place)
            set_time(place, member)
        except BaseException:
            place.unlink(missing_ok=True)
            raise


class _DiskNames:
    """How member paths are called on a disk that may be Windows', and that holds no step of more than 255 bytes."""

    def __init__(self, *, escape: bool) -> None:
        self._escape = escape
        self._known: dict[str, str] = {"": "", ".": "."}
        self._taken: set[str] = set()

    def on_disk(self, path: str) -> str:
        """The same answer each time for one path."""
        if not self._escape:
            return path if len(path) < _SURELY_SHORT else "/".join(map(names.short_step, path.split("/")))
        unknown, known = [], path
        while known not in self._known:
            unknown.append(known)
            known = known.rpartition("/")[0]
        for each in reversed(unknown):
            folder, _, step = each.rpartition("/")
            self._known[each] = self._free(f"{self._known[folder]}/" if folder else "", step)
        return self._known[path]

    def _free(self, prefix: str, step: str) -> str:
        for lead in range(len(step) + 1):  # `A` beside `a` becomes `%41`
            disk = prefix + names.short_step(names.escape_step(step, lead))
            if disk.casefold() not in self._taken:
                break
        self._taken.add(disk.casefold())
        return disk


def _unix_mode(member: Member) -> int | None:
    """Permission bits, without set-user-id and its like."""
    if member.attributes is None or not member.attributes & UNIX_ATTRIBUTES:
        return None
    return member.attributes >> 16 & 0o777 or None  # a type without permissions says nothing


def time_of(member: Member) -> int | None:
    """The time that a member gets on this disk; a wall clock is read in this machine's time zone."""
    if member.modified_ns is not None:
        return member.modified_ns
    return None if member.dos_time is None else local_ns_of_dos(member.dos_time)


def set_time(place: Path, member: Member) -> None:
    """Give a file or folder the member's time, where it has one."""
    moment = time_of(member)
    if moment is None:
        return
    # a clock the disk cannot hold is no reason to lose the content
    with suppress(OverflowError):
        os.utime(place, ns=(moment, moment), follow_symlinks=os.utime not in os.supports_follow_symlinks)


def _write_all(write: Callable[[bytes | memoryview], int | None], block: bytes) -> None:
    done = write(block) or 0
    while done < len(block):
        done += write(memoryview(block)[done:]) or 0


@contextmanager
def _told(place: Path) -> Iterator[None]:
    """The system's errors as ours."""
    try:
        yield
    except FileExistsError as error:
        raise AlreadyExistsError("is there already", where=place) from error
    except PermissionError as error:
        raise AccessDeniedError("may not be written", where=place) from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            raise UnsafeNameError("is a name that this disk cannot hold", where=place) from error
        if error.errno in FULL:
            raise StorageError(
                "the disk or quota is full.", where=place, hint="Free some space and run the same again."
            ) from error
        raise StorageError(f"cannot be written: {error.strerror}", where=place) from error
