"""A version that holds files of an instrument as they are, as a tree that readers of vendor files read from."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from sxeslake.archive.attributes import is_link
from sxeslake.errors import MemberNotFoundError
from sxeslake.format.manifest import ManifestRow
from sxeslake.model import MIB
from sxeslake.reading.files import VersionFiles
from sxeslake.reading.rows import MemberRows
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault
from sxeslake.vendor.tree import HEAD_BYTES, folder_of

_FILES_AT_ONCE: Final = 256
_BYTES_AT_ONCE: Final = 32 * MIB  # of files whose heads are fetched together: large blobs are decoded whole
_KEPT_ROWS: Final = 4096
_KEPT_HEADS: Final = 8192


class VersionTree:
    """The files of one version, read by ranges; safe for many threads at once (`vendor.tree.Tree`).

    Files are read one after the other, most of them from their beginning: so neighbours are looked up together, and
    their first bytes are fetched together.
    """

    def __init__(self, vault: Vault, version: Version) -> None:
        self.name = _root_name(version)
        self._files = VersionFiles(vault, version)
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, ManifestRow] = OrderedDict()
        self._heads: OrderedDict[str, bytes] = OrderedDict()
        found: dict[str, tuple[int, int | None]] = {}
        odd: dict[str, str] = {}
        folders: list[str] = []
        members = MemberRows(vault, version, keep_rows=0)
        with vault.reading(version):
            for number in members.finder.beginning(""):
                for row in members.rows(members.groups([number])[0].table):
                    member = row.member
                    if member.kind == "directory":
                        folders.append(member.path.rstrip("/"))
                    elif is_link(member.attributes, member.size):
                        odd[member.path] = "a link; links are not followed"
                    else:
                        found[member.path] = member.size, member.modified_ns
        self._paths = sorted(found)
        self._modified = {path: found[path][1] for path in self._paths}
        self.sizes: Mapping[str, int] = {path: found[path][0] for path in self._paths}
        self.left_out: Mapping[str, str] = dict(sorted(odd.items()))
        used = {folder for path in (*found, *odd, *folders) for folder in [folder_of(path)]}
        self.empty_folders: Sequence[str] = sorted(set(folders) - used - {""})

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file: fewer than `length` where it ends before."""
        size = self._size(path)
        end = size if length is None else min(size, offset + length)
        if offset >= end:
            return b""
        if end <= HEAD_BYTES:
            return self._head(path)[offset:end]
        return self._files.read_ranges([(self._row(path), offset, end)])[0]

    def modified(self, path: str) -> float | None:
        """The time of modification in seconds since 1970, or None where the archive does not state it."""
        self._size(path)
        modified_ns = self._modified[path]
        return None if modified_ns is None else modified_ns / 1e9

    def _size(self, path: str) -> int:
        """The size of a file of the tree: a path that a sidecar names may lead out of it."""
        if path not in self.sizes:
            raise FileNotFoundError(f"no file {path!r} in {self.name}")
        return self.sizes[path]

    def _head(self, path: str) -> bytes:
        with self._lock:
            if path in self._heads:
                return self._heads[path]
        near = self._near(path)
        rows = [self._row(each) for each in near]
        heads = self._files.read_ranges([(row, 0, min(row.member.size, HEAD_BYTES)) for row in rows])
        with self._lock:
            self._heads |= zip(near, heads, strict=True)
            while len(self._heads) > _KEPT_HEADS:
                self._heads.popitem(last=False)
        return heads[0]

    def _near(self, path: str) -> list[str]:
        """A file and those behind it, as many as are worth fetching together."""
        first = bisect_left(self._paths, path)
        found, total = [path], self.sizes[path]
        for each in self._paths[first + 1 : first + _FILES_AT_ONCE]:
            total += self.sizes[each]
            if total > _BYTES_AT_ONCE:
                break
            found.append(each)
        return found

    def _row(self, path: str) -> ManifestRow:
        with self._lock:
            if path in self._rows:
                return self._rows[path]
        first = bisect_left(self._paths, path)
        found = self._files.rows(self._paths[first : first + _FILES_AT_ONCE])
        if path not in found:
            raise MemberNotFoundError(f"no file {path!r} in it.", where=self._files.name)
        with self._lock:
            self._rows |= found
            while len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)
        return found[path]


def _root_name(version: Version) -> str:
    """The folder's own name, which vendors put meaning into; of an archive file the name without its suffix."""
    source = version.archive.source
    name = str(source.get("name") or "") or version.sample.rpartition("/")[2]
    return name if source.get("container") == "folder" else PurePosixPath(name).stem
