"""`sxeslake://` for fsspec: pandas, zarr, dask and all that opens URLs read straight from the lake.

    sxeslake://ti-grains@2/data/<uuid>/qlw.data     a file of an archive: sample, version, member
    sxeslake://2019/map/metadata.json               the newest version; sample names can have slashes
    sxeslake://map@paper-2026.plzip                 the whole version, as a zip that is nowhere stored

    pandas.read_csv("sxeslake://standards/table.csv", storage_options={"lake": "s3://epma/lake"})

Options: `lake`, a URL, a folder or a name from `sxeslake use` (else the lake that the command line would take); all
others are settings of its storage, `endpoint_url` and the like. Read-only. Instances are pickled by their options, open
files by their URL with the version that they were opened at.

Keys, secrets, tokens and passwords never leave this process, in URLs or as options: `storage_options`, `to_json()` and
pickles are without them. `withheld` stands in their place; this process and those forked off it know what it names. A
worker elsewhere takes credentials from its own environment or profile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractFileSystem

from sxeslake.errors import SampleNotFoundError, SxeslakeError
from sxeslake.maintenance.retention.durations import moment
from sxeslake.reading.range_file import Fetch, RangeFile

if TYPE_CHECKING:
    # Types only: `import fsspec` finds this module by its entry point, and must not pay for the lake's libraries.
    from sxeslake.format.manifest import ManifestRow
    from sxeslake.lake import Lake
    from sxeslake.pull.access import Located
    from sxeslake.reading.files import FileInfo, VersionFiles

PROTOCOL = "sxeslake"
_NOT_STORAGE = frozenset(
    {"asynchronous", "loop", "batch_size", "use_listings_cache", "listings_expiry_time", "max_paths", "expand"}
)
"""What fsspec and its users give to every file system."""
_UNMADE_SUFFIXES = (".pl7z", ".7z")


class LakeFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The archives of a lake as folders of files."""

    protocol = PROTOCOL
    root_marker = ""
    async_impl = False

    def __init__(self, lake: str | None = None, *, withheld: str | None = None, **options: Any) -> None:
        super().__init__(lake=lake, **options)
        said = {"lake": lake, **options, **_held_here.get(withheld or "", {})}
        self._withheld = _withhold({name: value for name, value in said.items() if _public(name, value) != value})
        self._withheld = self._withheld or withheld  # of another process, for the way back to it
        self._word: str | None = said.pop("lake")
        self._options = {key: str(value) for key, value in said.items() if key not in _NOT_STORAGE}
        self._opening = threading.Lock()
        self._opened: tuple[int, Lake] | None = None  # process, and its lake

    # fsspec sets both on every instance, and makes pickles and JSON of them.

    @property
    def storage_args(self) -> tuple[Any, ...]:
        """The positional arguments, without secrets."""
        return self._arguments

    @storage_args.setter
    def storage_args(self, value: tuple[Any, ...]) -> None:
        self._arguments = tuple(_public("lake", item) for item in value)

    @property
    def storage_options(self) -> dict[str, Any]:
        """The named arguments, without secrets; `withheld` says where this process finds those."""
        return self._named

    @storage_options.setter
    def storage_options(self, value: dict[str, Any]) -> None:
        shown = {name: public for name, item in value.items() if (public := _public(name, item)) is not None}
        self._named = shown | ({"withheld": self._withheld} if self._withheld else {})

    @property
    def lake(self) -> Lake:
        """The lake, opened when it is first needed, and again in a process that was forked off."""
        with self._opening:
            if self._opened is None or self._opened[0] != os.getpid():
                from sxeslake.lake import open_lake  # noqa: PLC0415 - start-up time of `import fsspec`

                self._opened = os.getpid(), open_lake(self._word, storage_options=self._options)
            return self._opened[1]

    @property
    def fsid(self) -> str:
        """Equal for instances that show the same files."""
        return f"{PROTOCOL}_{self.lake.url}"

    def invalidate_cache(self, path: str | None = None) -> None:
        """Look for new commits; without it, names without version stay what they were when the lake was opened."""
        super().invalidate_cache(path)
        if self._opened is not None:
            self.lake.refresh()

    # --- looking -------------------------------------------------------------------------------------------------

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What stands at a path. FileNotFoundError where nothing does."""
        path = self._strip_protocol(path)
        found = self._locate(path)
        if found is None:
            return {"name": path, "size": 0, "type": "directory"}
        if found.member is None:
            return self._archive_info(path, found.files)
        info = found.files.info(found.member)
        if info is None:
            raise _missing(path)
        return _entry(path, info, found.files)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """A folder's entries, or the file itself. The root has samples; any of their names takes `@version`."""
        path = self._strip_protocol(path)
        found = self._locate(path)
        if found is None:
            entries = self._samples(path)
        elif found.member is None:
            entries = [self._archive_info(path, found.files)]
        else:
            info = found.files.info(found.member)
            if info is None:
                raise _missing(path)
            if info.kind == "file":
                entries = [_entry(path, info, found.files)]
            else:
                top = path[: len(path) - len(found.member)].rstrip("/")
                entries = [
                    _entry(f"{top}/{item.path}", item, found.files) for item in found.files.entries(found.member)
                ]
        return entries if detail else [entry["name"] for entry in entries]

    def find(
        self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **options: Any
    ) -> Any:
        """All files below a path; an archive's in one go through its manifest."""
        path = self._strip_protocol(path)
        found = self._locate(path) if maxdepth is None and not withdirs else None
        if found is None or found.member is None:
            return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **options)
        info = found.files.info(found.member)
        if info is None:
            return {} if detail else []
        items = [info] if info.kind == "file" else found.files.walk(found.member)
        top = path[: len(path) - len(found.member)].rstrip("/")
        entries = {f"{top}/{item.path}": item for item in items}
        return {name: _entry(name, item, found.files) for name, item in entries.items()} if detail else list(entries)

    def walk(
        self, path: str, maxdepth: int | None = None, topdown: bool = True, on_error: Any = "omit", **options: Any
    ) -> Iterator[tuple[str, Any, Any]]:
        """Folders with what is in them, as fsspec does it, but without recursion: trees may be thousands deep."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")
        waiting: list[tuple[str, int, Any]] = [(self._strip_protocol(path), 1, None)]
        while waiting:
            here, depth, seen = waiting.pop()
            if seen is not None:
                yield seen
                continue
            seen = next(super().walk(here, 1, on_error=on_error, **options), None)
            if seen is None:
                continue
            if topdown:
                yield seen
            else:
                waiting.append((here, depth, seen))
            if maxdepth is None or depth < maxdepth:
                below = (f"{here}/{name}" if here else name for name in reversed(list(seen[1])))
                waiting.extend((folder, depth + 1, None) for folder in below)

    def modified(self, path: str) -> datetime:
        """When a file was last changed, where its archive says so; else when the version was stored."""
        changed: datetime = self.info(path)["mtime"]
        return changed

    def created(self, path: str) -> datetime:
        """When the version was stored."""
        found = self._locate(self._strip_protocol(path))
        if found is None:
            raise _missing(path)
        return moment(found.files.version.time)

    def ukey(self, path: str) -> str:
        """The same for equal bytes: the hash that the file's content has in the lake."""
        return str(self.info(path).get("blake3") or super().ukey(path))

    # --- reading -------------------------------------------------------------------------------------------------

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """A file's bytes, or a part of them; negative numbers count from its end."""
        file = self._file(self._strip_protocol(path))
        first, last, _step = slice(start, end).indices(file.size)
        return file.read_at(first, last - first)

    def cat(self, path: str | list[str], recursive: bool = False, on_error: str = "raise", **options: Any) -> Any:
        """The bytes of a file, or of many by path: those of one version are found and fetched together."""
        paths = self.expand_path(path, recursive=recursive)
        if isinstance(path, str) and paths == [self._strip_protocol(path)]:
            return self.cat_file(path, **options)
        how = "raise" if on_error == "raise" else "return"
        found = zip(paths, self.cat_ranges(paths, None, None, on_error=how), strict=True)
        return {each: data for each, data in found if on_error != "omit" or not isinstance(data, Exception)}

    def cat_ranges(
        self,
        paths: list[str],
        starts: Any,
        ends: Any,
        max_gap: int | None = None,  # noqa: ARG002 - fsspec's signature: gaps are the storage floor's business
        on_error: str = "return",
        **_: Any,
    ) -> list[Any]:
        """Parts of many files; those of one version are fetched together."""
        count = len(paths)
        starts = starts if isinstance(starts, list) else [starts] * count
        ends = ends if isinstance(ends, list) else [ends] * count
        if len(starts) != count or len(ends) != count:
            raise ValueError("as many starts and ends as paths are needed")
        results: list[Any] = [None] * count
        rows = self._rows(paths)
        together: dict[str, list[tuple[int, VersionFiles, Any]]] = {}
        for number, (path, start, end) in enumerate(zip(paths, starts, ends, strict=True)):
            try:
                if path not in rows:
                    results[number] = self.cat_file(path, start, end)
                else:
                    files, row = rows[path]
                    first, last, _step = slice(start, end).indices(row.member.size)
                    together.setdefault(files.name, []).append((number, files, (row, first, last)))
            except Exception as error:
                if on_error != "return":
                    raise
                results[number] = error
        for items in together.values():
            for (number, _files, _wanted), data in zip(items, _read_together(items, on_error), strict=True):
                results[number] = data
        return results

    def _rows(self, paths: Sequence[str]) -> dict[str, tuple[VersionFiles, ManifestRow]]:
        """The files among some paths that are members, looked up together; others will say what is wrong with them."""
        members: dict[VersionFiles, dict[str, list[str]]] = {}
        rows: dict[str, tuple[VersionFiles, ManifestRow]] = {}
        for path in paths:
            with contextlib.suppress(OSError, SxeslakeError):
                found = self._at(self._strip_protocol(path))
                if found.member:
                    members.setdefault(found.files, {}).setdefault(found.member, []).append(path)
        for files, wanted in members.items():
            with contextlib.suppress(SxeslakeError):
                for member, row in files.rows(wanted).items():
                    if row.member.kind == "file":
                        rows.update((path, (files, row)) for path in wanted[member])
        return rows

    def _open(self, path: str, mode: str = "rb", **_: Any) -> LakeFile:
        """A file to read; what it reads stays the version that it was opened at."""
        if mode != "rb":
            raise OSError(errno.EROFS, "a lake's files are read-only; `sxeslake ingest` adds archives", path)
        return self._file(path)

    def _file(self, path: str) -> LakeFile:
        found = self._at(path)
        files, member = found.files, found.member
        if member is None:
            archive, suffix = files.archive, "." + path.rpartition(".")[2]
            return LakeFile(self, f"{files.name}{suffix}", archive.size, archive.read)
        row = files.row(member) if member else None
        if row is None or row.member.kind == "directory":
            if not member or files.info(member) is not None:
                raise IsADirectoryError(errno.EISDIR, "is a folder", path)
            raise _missing(path)
        size = row.member.size
        return LakeFile(self, f"{files.name}/{member}", size, lambda a, b: files.read_ranges([(row, a, b)])[0])

    # --- paths ---------------------------------------------------------------------------------------------------

    def _at(self, path: str) -> Located:
        found = self._locate(path)
        if found is None:
            raise IsADirectoryError(errno.EISDIR, "is a folder of samples", path)
        return found

    def _locate(self, path: str) -> Located | None:
        """What a path leads to; None for the root, and for what is only the beginning of samples' names."""
        try:
            for attempt in (0, 1):
                found = self.lake.locate(path) if path else None
                if found is not None or not path or self.lake.names(path + "/"):
                    return found
                if attempt == 0:
                    self.lake.refresh()  # somebody may have stored it just now
        except SampleNotFoundError as error:  # forgotten and collected meanwhile
            raise _missing(path) from error
        raise _missing(path)

    def _samples(self, path: str) -> list[dict[str, Any]]:
        """The next steps of the samples' names that begin so."""
        prefix = path + "/" if path else ""
        steps = {prefix + name.removeprefix(prefix).partition("/")[0] for name in self.lake.names(prefix)}
        return [{"name": step, "size": 0, "type": "directory"} for step in sorted(steps)]

    @staticmethod
    def _archive_info(path: str, files: VersionFiles) -> dict[str, Any]:
        stored = moment(files.version.time)
        return {
            "name": path, "size": files.archive.size, "type": "file", "mtime": stored,
            "version": files.name, "content_id": files.version.archive.content_id,
        }  # fmt: skip


_held_here: dict[str, dict[str, Any]] = {}
"""Arguments with secrets by the name that stands for them: a pickle that comes back to this process finds them."""


def _withhold(arguments: dict[str, Any]) -> str | None:
    """A name for arguments that no serialised form may have; it says nothing about them."""
    if not arguments:
        return None
    for name, held in _held_here.items():
        if held == arguments:
            return name
    name = token_hex(8)
    _held_here[name] = arguments
    return name


def _public(name: str, value: Any) -> Any:
    """An argument without its secret: a URL without user and password; None where it is a secret as a whole."""
    from sxeslake.settings import is_secret  # noqa: PLC0415 - start-up time of `import fsspec`
    from sxeslake.storage.address import without_userinfo  # noqa: PLC0415 - as above

    if is_secret(name):
        return None
    if isinstance(value, str):
        return without_userinfo(value)
    if isinstance(value, Mapping):
        return value if all(_public(str(key), item) == item for key, item in value.items()) else None
    if isinstance(value, list | tuple):
        return value if all(_public("", item) == item for item in value) else None
    return value


class LakeFile(RangeFile):
    """A file of a lake, open for reading, in as many threads as there are; pickled by its URL and position."""

    def __init__(self, fs: LakeFileSystem, path: str, size: int, fetch: Fetch) -> None:
        super().__init__(path, size, fetch)
        self.fs = fs

    @property
    def full_name(self) -> str:
        """`sxeslake://ti-grains@2/metadata.json`."""
        return f"{PROTOCOL}://{self.path}"

    def info(self) -> dict[str, Any]:
        """What the file system says of it."""
        found: dict[str, Any] = self.fs.info(self.path)
        return found

    def __reduce__(self) -> tuple[object, ...]:
        return _open_again, (self.fs, self.path, self.tell())

    def __repr__(self) -> str:
        return f"<LakeFile {self.full_name}, {self.size:,} bytes>"


def _open_again(fs: LakeFileSystem, path: str, position: int) -> LakeFile:
    file: LakeFile = fs.open(path, "rb")
    file.seek(position)
    return file


def _read_together(items: Sequence[tuple[int, VersionFiles, Any]], on_error: str) -> Iterator[Any]:
    """The bytes of parts of one version's files, or the error that each of them ends in."""
    files = items[0][1]
    try:
        yield from files.read_ranges([wanted for _, _, wanted in items])
        return
    except Exception:
        if on_error != "return":
            raise
    for _, _, wanted in items:  # one of them is damaged: the others are not
        try:
            yield files.read_ranges([wanted])[0]
        except Exception as error:
            yield error


def _entry(name: str, info: FileInfo, files: VersionFiles) -> dict[str, Any]:
    if info.kind == "directory":
        return {"name": name, "size": 0, "type": "directory"}
    changed = _moment(info.modified_ns) or moment(files.version.time)
    return {
        "name": name, "size": info.size, "type": "file", "mtime": changed, "version": files.name, "blake3": info.blake3,
    }  # fmt: skip


def _moment(modified_ns: int | None) -> datetime | None:
    try:
        return None if modified_ns is None else datetime.fromtimestamp(modified_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):  # a clock that no calendar holds
        return None


def _missing(path: str) -> FileNotFoundError:
    hint = ""
    if path.endswith(_UNMADE_SUFFIXES):
        hint = " (a whole archive is made as zip only: NAME@V.plzip)"
    return FileNotFoundError(errno.ENOENT, f"no such file in the lake{hint}", path)
