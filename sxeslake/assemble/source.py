"""A version of the lake as something that a group can read from: members by path, straight from the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sxeslake.errors import MemberNotFoundError
from sxeslake.format.manifest import Row
from sxeslake.model import Member
from sxeslake.vault.contents import read_ahead
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault

_LAST = "\U0010ffff"  # behind every path with a prefix
_KEEP_ROWS = 40_000  # of row groups read last: neighbours of a position are asked for next


class VersionSource:
    """Members of one version; reads the row groups and frames that it needs, no more."""

    def __init__(self, vault: Vault, version: Version) -> None:
        self.name = version.name
        self._vault, self.version = vault, version
        self._manifest = vault.manifests.open(version.archive.manifest)
        self._groups: dict[int, list[Row]] = {}

    def children(self, prefix: str) -> Sequence[Member]:
        """Members whose path starts with `prefix` ("" is all), sorted by path."""
        return [row.member for row in self._rows(prefix, prefix + _LAST) if row.member.path.startswith(prefix)]

    def read(self, path: str) -> bytes:
        """One file, whole."""
        row = self.row(path)
        if row is None or row.member.kind == "directory":
            raise MemberNotFoundError(f"no member {path}", where=self.name)
        return b"".join(self.parts(row))

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Several files, fetched together; paths that do not exist are passed over."""
        rows = [row for row in map(self.row, paths) if row is not None and row.member.kind == "file"]
        stream = read_ahead(self._vault.blobs, (blob for row in rows for blob in row.blobs))
        for row in rows:
            yield row.member.path, b"".join(next(stream) for _ in row.blobs)

    def parts(self, row: Row) -> Iterator[bytes]:
        """A member's bytes, blob by blob."""
        return read_ahead(self._vault.blobs, row.blobs)

    def row(self, path: str) -> Row | None:
        """A member as the manifest knows it."""
        return next((row for row in self._rows(path, path) if row.member.path == path), None)

    def _rows(self, first: str, last: str) -> Iterator[Row]:
        archive = self.version.archive
        where = self._vault.manifests.range_of(self.version)
        wanted = self._manifest.groups_with(where, first, last) if archive.groups else []
        missing = [group for group in wanted if group not in self._groups]
        for group in missing:
            table = self._vault.manifests.groups(self.version, [group])
            self._groups[group] = list(self._manifest.rows(table))
        for group in wanted:
            yield from self._groups[group]
        while len(self._groups) > 1 and sum(map(len, self._groups.values())) > _KEEP_ROWS:
            self._groups.pop(next(iter(self._groups)))
