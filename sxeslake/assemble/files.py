"""A version of the lake as files to look for, list and read any part of; safe for many threads at once."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import pyarrow as pa

from sxeslake.assemble.virtual import VirtualZip
from sxeslake.errors import MemberNotFoundError
from sxeslake.format.manifest import Row
from sxeslake.model import MemberKind
from sxeslake.vault.ranges import slices_of
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault

_LAST = "\U0010ffff"  # behind every path that begins so
_KEEP_GROUPS = 8  # some 65,000 rows as columns: neighbours are asked for next
_GROUPS_AT_ONCE = 4  # of those that are walked through


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or folder of an archive; a folder need not be a member, its files are enough."""

    path: str
    kind: MemberKind
    size: int
    modified_ns: int | None = None
    blake3: str | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group, by path."""

    table: pa.Table
    paths: list[str]


class VersionFiles:
    """The files of one version. What is read stays this version, whatever is committed meanwhile."""

    def __init__(self, vault: Vault, version: Version) -> None:
        self.version = version
        self._vault = vault
        self._manifest = vault.manifests.open(version.archive.manifest)
        where = vault.manifests.range_of(version)
        self._numbers = range(where.first_group, where.first_group + where.groups)
        self._lasts = [self._manifest.bounds(number)[1] for number in self._numbers]
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        self._lock, self._zip_lock = threading.Lock(), threading.Lock()

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
        """A file or folder; None where there is neither. "" is the archive itself."""
        if not path:
            return FileInfo("", "directory", 0)
        found = next(self._from(path), None)
        if found is not None and found[0].paths[found[1]] == path:
            return next(_infos(found[0].table.slice(found[1], 1)))
        below = next(self._from(path + "/"), None)
        is_folder = below is not None and below[0].paths[below[1]].startswith(path + "/")
        return FileInfo(path, "directory", 0) if is_folder else None

    def entries(self, path: str) -> list[FileInfo]:
        """What stands in a folder, by path; MemberNotFoundError where there is no such folder."""
        prefix = path + "/" if path else ""
        found: dict[str, FileInfo] = {}
        after = prefix
        while (step := next(self._from(after), None)) is not None and step[0].paths[step[1]].startswith(prefix):
            group, at = step
            name, deeper, _ = group.paths[at].removeprefix(prefix).partition("/")
            whole = prefix + name
            if deeper:
                found.setdefault(whole, FileInfo(whole, "directory", 0))
                after = whole + "/" + _LAST
            else:
                if name != ".":  # how some tools call the archive itself
                    found[whole] = next(_infos(group.table.slice(at, 1)))
                after = whole + "\0"
        if not found:
            info = self.info(path)
            if info is None or info.kind == "file":
                raise MemberNotFoundError(f"no folder {path!r} in it.", where=self.name)
        return list(found.values())

    def walk(self, path: str) -> Iterator[FileInfo]:
        """All files below a folder, by path; in one go through the manifest."""
        prefix = path + "/" if path else ""
        first = bisect_left(self._lasts, prefix)
        for place in range(first, len(self._numbers)):
            group = self._group(place, ahead=_GROUPS_AT_ONCE if place > first else 1)
            start = bisect_left(group.paths, prefix)
            end = bisect_left(group.paths, prefix + _LAST)
            yield from (info for info in _infos(group.table.slice(start, end - start)) if info.kind == "file")
            if end < len(group.paths):
                return

    def read(self, path: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes of a file from `start` to before `end`; fewer at its end."""
        row = self.row(path)
        if row is None or row.member.kind == "directory":
            raise MemberNotFoundError(f"no file {path!r} in it.", where=self.name)
        return self.read_ranges([(row, start, row.member.size if end is None else end)])[0]

    def read_ranges(self, wanted: Sequence[tuple[Row, int, int]]) -> list[bytes]:
        """Runs of bytes of some members, fetched together."""
        plan = [list(slices_of(row.blobs, start, end)) for row, start, end in wanted]
        with self._vault.reading(self.version):
            parts = self._vault.ranges.read([item for slices in plan for item in slices])
            return [b"".join(islice(parts, len(slices))) for slices in plan]

    def row(self, path: str) -> Row | None:
        """A member as the manifest knows it."""
        found = next(self._from(path), None)
        if found is None or found[0].paths[found[1]] != path:
            return None
        return next(self._manifest.rows(found[0].table.slice(found[1], 1)))

    def _from(self, path: str) -> Iterator[tuple[_Group, int]]:
        """Rows by path from the first that is not before `path`: their row group, and their place in it."""
        first = bisect_left(self._lasts, path)
        for place in range(first, len(self._numbers)):
            group = self._group(place, ahead=_GROUPS_AT_ONCE if place > first else 1)
            start = bisect_left(group.paths, path) if place == first else 0
            for at in range(start, len(group.paths)):
                yield group, at

    def _group(self, place: int, ahead: int) -> _Group:
        """A row group; with `ahead`, the ones behind it come in the same request."""
        with self._lock:
            if place not in self._groups:
                places = [at for at in range(place, min(place + ahead, len(self._numbers))) if at not in self._groups]
                with self._vault.reading(self.version):
                    table = self._vault.manifests.groups(self.version, [self._numbers[at] for at in places])
                self._take(places, table)
            self._groups.move_to_end(place)
            return self._groups[place]

    def _take(self, places: Sequence[int], table: pa.Table) -> None:
        start = 0
        for place in places:
            part = table.slice(start, self._manifest.rows_of(self._numbers[place])).combine_chunks()
            self._groups[place] = _Group(part, part["path"].to_pylist())
            start += part.num_rows
        while len(self._groups) > _KEEP_GROUPS:
            self._groups.popitem(last=False)


def _infos(table: pa.Table) -> Iterator[FileInfo]:
    columns = ("path", "directory", "size", "modified_ns", "blake3")
    for path, folder, size, modified_ns, digest in zip(*(table[name].to_pylist() for name in columns), strict=True):
        if folder:
            yield FileInfo(path, "directory", 0, modified_ns)
        else:
            yield FileInfo(path, "file", size, modified_ns, digest.hex())
