"""A version of the lake as files to look for, list and read any part of; safe for many threads at once."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import pyarrow as pa

from sxeslake.errors import MemberNotFoundError
from sxeslake.format.manifest import ManifestRow
from sxeslake.format.rowgroups import AFTER_ALL
from sxeslake.model import MemberKind
from sxeslake.reading.rows import KEEP_ROWS, MemberRows, RowGroup
from sxeslake.reading.virtual_zip import VirtualZip
from sxeslake.text.html import counted
from sxeslake.text.safe import visible
from sxeslake.vault.blobs.ranges import slices_of
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_GROUPS_AT_ONCE = 4  # of those that are walked through
_FILES_AT_ONCE = 256  # of those that are read together


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or folder of an archive; a folder need not be a member, its files are enough."""

    path: str
    kind: MemberKind
    size: int
    modified_ns: int | None = None
    blake3: str | None = None


class VersionFiles:
    """The files of one version. What is read stays this version, whatever is committed meanwhile.

    Examples
    --------
    >>> files = lake.files("map")
    >>> files.name, len(files.read("metadata.json", 0, 10))
    ('map@1', 10)
    """

    def __init__(self, vault: Vault, version: Version) -> None:
        self.version = version
        self._vault = vault
        self._rows = MemberRows(vault, version, keep_rows=KEEP_ROWS)
        self._zip_lock = threading.Lock()

    def __repr__(self) -> str:
        return visible(f"<Files of {self.name}: {counted(self.version.archive.members, 'member')}>")

    @property
    def name(self) -> str:
        """`ti-grains@2`."""
        return self.version.name

    @property
    def archive(self) -> VirtualZip:
        """The whole version as a zip that is made as it is read."""
        with self._zip_lock:
            return self._archive

    @cached_property
    def _archive(self) -> VirtualZip:
        return VirtualZip(self._vault, self.version)

    def info(self, path: str) -> FileInfo | None:
        """Look up a file or folder.

        Parameters
        ----------
        path : str
            Its path; empty for the archive itself.

        Returns
        -------
        FileInfo or None
            None where there is neither.
        """
        if not path:
            return FileInfo("", "directory", 0)
        with self._vault.reading(self.version):
            for table, _ in self._rows.at([path]):
                return next(_infos(table))
        return FileInfo(path, "directory", 0) if self._is_folder(path + "/") else None

    def _is_folder(self, prefix: str) -> bool:
        """Whether any path begins so; most often a row group's first or last path tells."""
        finder = self._rows.finder
        numbers = finder.beginning(prefix)
        if any(end.startswith(prefix) for number in numbers for end in finder.bounds(number)):
            return True
        return any(len(group.span(prefix)) > 0 for group in self._each(numbers))

    def entries(self, path: str) -> list[FileInfo]:
        """What stands in a folder, by path.

        Parameters
        ----------
        path : str
            The folder; empty for the archive's root.

        Returns
        -------
        list of FileInfo
            Sorted by path; sizes in bytes.

        Raises
        ------
        MemberNotFoundError
            If there is no such folder.
        """
        prefix = path + "/" if path else ""
        finder = self._rows.finder
        found: dict[str, FileInfo] = {}
        unread = []
        for number in finder.beginning(prefix):
            whole = _common_folder(prefix, finder.bounds(number))
            if whole is None:
                unread.append(number)
            else:
                found[whole] = FileInfo(whole, "directory", 0)
        for group in self._each(unread):
            _add_entries(found, group, prefix)
        if not found:
            info = self.info(path)
            if info is None or info.kind == "file":
                raise MemberNotFoundError(f"no folder {path!r} in it.", where=self.name)
        return [found[name] for name in sorted(found)]

    def walk(self, path: str) -> Iterator[FileInfo]:
        """All files below a folder, by path; in one go through the manifest.

        Parameters
        ----------
        path : str
            The folder; empty for all.

        Returns
        -------
        iterator of FileInfo
            Sizes in bytes.
        """
        prefix = path + "/" if path else ""
        finder = self._rows.finder
        groups = self._each(finder.beginning(prefix))
        files = (info for group in groups for info in _infos(group.take(group.span(prefix))) if info.kind == "file")
        yield from files if finder.by_path else sorted(files, key=lambda info: info.path)

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a file from `start` to before `end`; fewer at its end.

        Parameters
        ----------
        path : str
            Its path.
        start, end : int
            The bytes from `start` to before `end`; to the last by default.

        Returns
        -------
        bytes
            Fewer at the end of the file.

        Raises
        ------
        MemberNotFoundError
            If there is no such file.
        """
        row = self.row(path)
        if row is None or row.member.kind == "directory":
            raise MemberNotFoundError(f"no file {path!r} in it.", where=self.name)
        return self.read_ranges([(row, start, row.member.size if end is None else end)])[0]

    def read_ranges(self, wanted: Sequence[tuple[ManifestRow, int, int]]) -> list[bytes]:
        """Runs of bytes of some members, fetched together.

        Parameters
        ----------
        wanted : sequence of (ManifestRow, int, int)
            A member, and the bytes from the first number to before the second.

        Returns
        -------
        list of bytes
            In the same order.
        """
        plan = [list(slices_of(row.blobs, start, end)) for row, start, end in wanted]
        with self._vault.reading(self.version):
            parts = self._vault.ranges.read([item for slices in plan for item in slices])
            return [b"".join(islice(parts, len(slices))) for slices in plan]

    def read_many(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Several files, found and fetched together, in the order asked.

        Parameters
        ----------
        paths : iterable of str
            Their paths.

        Returns
        -------
        iterator of (str, bytes)
            Path and content.

        Raises
        ------
        MemberNotFoundError
            If there is no such file, before anything is fetched.
        """
        asked = list(paths)
        found = self.rows(asked)
        for path in asked:
            if path not in found or found[path].member.kind == "directory":
                raise MemberNotFoundError(f"no file {path!r} in it.", where=self.name)
        return self._whole([found[path] for path in asked])

    def _whole(self, rows: Sequence[ManifestRow]) -> Iterator[tuple[str, bytes]]:
        for start in range(0, len(rows), _FILES_AT_ONCE):
            part = rows[start : start + _FILES_AT_ONCE]
            found = self.read_ranges([(row, 0, row.member.size) for row in part])
            yield from zip((row.member.path for row in part), found, strict=True)

    def row(self, path: str) -> ManifestRow | None:
        """A member as the manifest knows it.

        Parameters
        ----------
        path : str
            Its path.

        Returns
        -------
        ManifestRow or None
            None where it is not there.
        """
        return self.rows([path]).get(path)

    def rows(self, paths: Iterable[str]) -> dict[str, ManifestRow]:
        """Members by path, those that are there, found together.

        Parameters
        ----------
        paths : iterable of str
            Their paths.

        Returns
        -------
        dict
            By path.
        """
        with self._vault.reading(self.version):
            return self._rows.rows_at(paths)

    def _each(self, numbers: Sequence[int]) -> Iterator[RowGroup]:
        """Row groups one after the other: the first alone, for it may be enough, then some in each request."""
        for start in range(min(1, len(numbers)) - _GROUPS_AT_ONCE, len(numbers), _GROUPS_AT_ONCE):
            with self._vault.reading(self.version):
                groups = self._rows.groups(numbers[max(start, 0) : start + _GROUPS_AT_ONCE])
            yield from groups


def _common_folder(prefix: str, bounds: tuple[str, str]) -> str | None:
    """The entry of a folder that all paths between two stand below, if there is one."""
    if not all(path.startswith(prefix) for path in bounds):
        return None
    (first, *below), (last, *also) = (path[len(prefix) :].split("/", 1) for path in bounds)
    return prefix + first if first == last and below and also else None


def _add_entries(found: dict[str, FileInfo], group: RowGroup, prefix: str) -> None:
    """What a row group tells of a folder's entries."""
    inside = group.span(prefix)
    at = inside.start
    while at < inside.stop:
        name, deeper, _ = group.paths[at][len(prefix) :].partition("/")
        whole = prefix + name
        if deeper:
            found.setdefault(whole, FileInfo(whole, "directory", 0))
            at = bisect_left(group.paths, whole + "/" + AFTER_ALL, at)
        else:
            if name != ".":  # how some tools call the archive itself
                found[whole] = next(_infos(group.table.slice(at, 1)))
            at += 1


def _infos(table: pa.Table) -> Iterator[FileInfo]:
    columns = ("path", "directory", "size", "modified_ns", "blake3")
    for path, folder, size, modified_ns, digest in zip(*(table[name].to_pylist() for name in columns), strict=True):
        if folder:
            yield FileInfo(path, "directory", 0, modified_ns)
        else:
            yield FileInfo(path, "file", size, modified_ns, digest.hex())
