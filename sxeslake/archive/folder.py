"""A folder as a container: read in sorted order, written without ever leaving it."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, overload
from uuid import uuid4

from sxeslake.archive import names, zip_format
from sxeslake.archive.names import UNIX_ATTRIBUTES
from sxeslake.archive.parallel import CHUNK_BYTES
from sxeslake.archive.ranged_file import open_regular
from sxeslake.archive.times import local_ns_of_dos
from sxeslake.errors import AccessDeniedError, AlreadyExistsError, InputError, StorageError, UnsafeNameError
from sxeslake.model import ContainerKind, Job, Limits, Member, Piece

JOB_FILES = 1024  # a job of nothing but tiny files stays short
WINDOWS_DIRECTORY = 0x10
WINDOWS_ARCHIVE = 0x20
JUNCTION_TAG = 0xA000_0003
_NO_TIME = -(1 << 63)
PARTIAL = ".sxeslake-partial-"  # how files begin that are not whole yet


class FolderReader:
    """The files and folders below a folder, sorted by path; links, devices and pipes are refused by name."""

    kind: ContainerKind = "folder"
    comment = b""

    def __init__(self, path: Path, *, encoding: str | None = None, limits: Limits | None = None) -> None:
        self.path = path
        self._listing = _Listing(path, encoding, limits or Limits())
        names.check_names(self._listing.named, where=path)
        self.notes = tuple(self._listing.notes)

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_run(self, run: list[int]) -> list[Piece]:
        return [piece for index in run for piece in self._read_slice(index, 0, self._listing.sizes[index])]

    def _read_slice(self, index: int, offset: int, count: int) -> list[Piece]:
        size = self._listing.sizes[index]
        try:
            with open_regular(self._listing.disk_path(index)) as file:
                if os.fstat(file.fileno()).st_size != size:
                    raise InputError(f"{self._listing.path_of(index)}: changed while it was read", where=self.path)
                file.seek(offset)
                data = _read_all(file.read, min(count, size - offset))
        except OSError as error:
            raise InputError(
                f"{self._listing.path_of(index)}: cannot be read: {error.strerror}", where=self.path
            ) from error
        if len(data) != min(count, size - offset):
            raise InputError(f"{self._listing.path_of(index)}: changed while it was read", where=self.path)
        return [Piece(index, offset, data)]


def _read_all(read: Callable[[int], bytes | None], count: int) -> bytes:
    data = read(count) or b""
    while len(data) < count and (more := read(count - len(data))):
        data += more
    return data


class _Listing(Sequence[Member]):
    """What lies below a folder, in columns: half a million files fit in 100 MB."""

    def __init__(self, root: Path, encoding: str | None, limits: Limits) -> None:
        self._root = root
        self._paths: list[str] = []
        self._real: dict[str, str] = {}  # where the disk's name is not UTF-8: its own form, by path
        self.sizes = array("q")  # -1 for a folder
        self._times = array("q")  # _NO_TIME where it is not known
        self.notes: list[str] = []
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
        waiting = [("", "")]  # folders below the root: as we call them, as the disk does
        while waiting:
            prefix, real_prefix = waiting.pop()
            try:
                with os.scandir(self._root / real_prefix) as entries:
                    for entry in entries:
                        path, real = prefix + _text(entry.name, encoding), real_prefix + entry.name
                        self._note(entry, path)
                        if real != path:
                            self._real[path] = real
                        if self.sizes[-1] < 0:
                            waiting.append((path + "/", real + "/"))
            except OSError as error:
                raise InputError(f"{prefix or '.'}: cannot be read: {error.strerror}", where=self._root) from error
            if len(self) > limits.members:
                names.check_limits(limits, members=len(self), raw_bytes=0, archive_bytes=0, where=self._root)

    def _note(self, entry: os.DirEntry[str], path: str) -> None:
        facts = entry.stat(follow_symlinks=False)
        if entry.is_symlink() or getattr(facts, "st_reparse_tag", 0) == JUNCTION_TAG:
            raise UnsafeNameError(f"{path!r} is a symbolic link", where=self._root, hint="Links are not followed.")
        is_folder = stat.S_ISDIR(facts.st_mode)
        if not is_folder and not stat.S_ISREG(facts.st_mode):
            raise UnsafeNameError(f"{path!r} is a device, a pipe or a socket", where=self._root)
        self._paths.append(path)
        self.sizes.append(-1 if is_folder else facts.st_size)
        self._times.append(self._time(facts.st_mtime_ns, path))
        self._attributes.append(_attributes(facts, is_folder=is_folder))

    def _time(self, modified_ns: int, path: str) -> int:
        """A time as 64 bits hold it; `_NO_TIME`, and a note, for one before 1678 or beyond 2262."""
        if abs(modified_ns) < 1 << 63:
            return modified_ns
        self.notes.append(f"{path}: its modification time lies beyond the years 1678 to 2262 and is not kept")
        return _NO_TIME

    def named(self) -> Iterator[tuple[str, bool]]:
        """Every path, and whether it is a folder."""
        return ((path, size < 0) for path, size in zip(self._paths, self.sizes, strict=True))

    def path_of(self, index: int) -> str:
        """A member's path."""
        return self._paths[index]

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


def _text(name: str, encoding: str | None) -> str:
    """A file's name; Python smuggles bytes that are not UTF-8 as surrogates, which no catalogue can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return zip_format.legacy_text(os.fsencode(name), encoding)
    return name


def _attributes(facts: os.stat_result, *, is_folder: bool) -> int:
    known = getattr(facts, "st_file_attributes", None)  # Windows tells them
    if known is not None:
        return int(known) & 0x7FFF
    return (facts.st_mode & 0xFFFF) << 16 | UNIX_ATTRIBUTES | (WINDOWS_DIRECTORY if is_folder else WINDOWS_ARCHIVE)


class FolderWriter:
    """Writes members below `target`; nothing it is given makes it write elsewhere or over something.

    With `escape`, names that Windows cannot hold are written in the form of `names.windows_escape`, and names that
    differ only in case are kept apart; `renamed` tells which.
    """

    def __init__(
        self, target: Path, *, escape: bool = os.name == "nt", make: bool = True, called: Path | None = None
    ) -> None:
        """`make` False leaves the target unmade until something is written into it: for who only asks for names.

        `called` is the folder that errors name, where the target is a temporary one.
        """
        self.target = target
        self._called = called or target
        self.renamed: dict[str, str] = {}  # member path → path below the target, where they differ
        self._names = _DiskNames(escape=escape)
        self._folders: set[str] = set()  # seen to be real folders
        self._finish: list[Member] = []  # folders, whose times change with every file put into them
        if make:
            with _told(target):
                target.mkdir(parents=True, exist_ok=True)

    def on_disk(self, path: str) -> str:
        """How a member's path is called below the target."""
        return self._names.on_disk(path)

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
        if reason := names.special_reason(member.attributes):
            raise UnsafeNameError(f"{member.path!r} {reason}", where=self._called)
        path = self._names.on_disk(member.path)
        if path != member.path:
            self.renamed[member.path] = path
        with _told(self._called / path):
            if member.kind == "directory":
                self._make_folder(path)
                self._finish.append(member)
            else:
                self._make_folder(path.rpartition("/")[0])
                write(self.target / path, member, data)

    def close(self) -> None:
        """Set the folders' times and modes, the deepest first."""
        for member in sorted(self._finish, key=lambda folder: folder.path.count("/"), reverse=True):
            path = self.target / self._names.on_disk(member.path)
            with _told(self._called / self._names.on_disk(member.path)):
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
        if path in self._folders or path in ("", "."):
            return
        self._make_folder(path.rpartition("/")[0])
        place = self.target / path
        try:
            place.mkdir()
        except FileExistsError:
            if not stat.S_ISDIR(place.lstat().st_mode):
                raise UnsafeNameError("is there already, and is no folder", where=place) from None
        self._folders.add(path)

    def _replace_file(self, place: Path, member: Member, data: Iterable[bytes]) -> None:
        made = place.with_name(f"{PARTIAL}{uuid4().hex}")
        self._write_file(made, member, data)
        try:
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
    """How member paths are called on a disk that may be Windows'."""

    def __init__(self, *, escape: bool) -> None:
        self._escape = escape
        self._known: dict[str, str] = {"": "", ".": "."}
        self._taken: set[str] = set()

    def on_disk(self, path: str) -> str:
        """The same answer each time for one path."""
        if not self._escape:
            return path
        if path not in self._known:
            folder, _, step = path.rpartition("/")
            self._known[path] = self._free(f"{self.on_disk(folder)}/" if folder else "", step)
        return self._known[path]

    def _free(self, prefix: str, step: str) -> str:
        for lead in range(len(step) + 1):  # `A` beside `a` becomes `%41`
            disk = prefix + names.escape_step(step, lead)
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
        os.utime(place, ns=(moment, moment))


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
        raise StorageError(f"cannot be written: {error.strerror}", where=place) from error
