"""A version of the lake as something that a group can read from: members by path, straight from the bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from sxeslake.archive.sxes import layout
from sxeslake.errors import MemberNotFoundError
from sxeslake.format.manifest import Blob, ManifestRow
from sxeslake.format.rowgroups import Numbers, position_and_name
from sxeslake.model import KIB, MIB, Member
from sxeslake.reading.rows import KEEP_ROWS, MemberRows
from sxeslake.vault.blobs.contents import read_ahead
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_SMALL = MIB  # what one blob can be
_NEAR = 64 * KIB  # as storage joins ranges over a network


class VersionSource:
    """Members of one version; reads the row groups and frames that it needs, no more."""

    def __init__(self, vault: Vault, version: Version) -> None:
        self.name = version.name
        self._vault, self.version = vault, version
        self._rows = MemberRows(vault, version, keep_rows=KEEP_ROWS)
        self._brought: tuple[str, str] | None = None  # position and pack, last

    def children(self, prefix: str) -> Sequence[Member]:
        """Members whose path starts with `prefix` ("" is all), sorted by path."""
        rows = (row for table, _ in self._rows.below([prefix]) for row in self._rows.rows(table))
        members = [row.member for row in rows]
        return members if self._rows.finder.by_path else sorted(members, key=lambda member: member.path)

    def read(self, path: str) -> bytes:
        """One file, whole."""
        row = self.row(path)
        if row is None or row.member.kind == "directory":
            raise MemberNotFoundError(f"no member {path}", where=self.name)
        if row.member.size > _SMALL:
            return b"".join(self.parts(row))
        if beside := self._beside(row):
            self._vault.blobs.fetch_some([*row.blobs, *beside])  # one that is lost is its own reader's trouble
        return b"".join(self._vault.blobs.fetch(row.blobs))

    def stream(self, path: str) -> Iterator[bytes]:
        """One file, blob by blob; MemberNotFoundError where there is none."""
        row = self.row(path)
        if row is None or row.member.kind == "directory":
            hint = f"`sxeslake members {self.name}` lists them."
            raise MemberNotFoundError(f"no file {path!r} in it.", where=self.name, hint=hint)
        return self.parts(row)

    def _beside(self, row: ManifestRow) -> list[Blob]:
        """Other files of a position that stand so near that they come in the same request: they are asked for next."""
        uuid, _ = position_and_name(row.member.path)
        hint = row.blobs[0].hint if row.blobs else None
        if uuid is None or hint is None or (uuid, hint.pack) == self._brought:
            return []
        self._brought = uuid, hint.pack
        rows = (other for table, _ in self._rows.folders(layout.DATA, {uuid}) for other in self._rows.rows(table))
        hints = ((other.blobs[0], other.blobs[0].hint) for other in rows if len(other.blobs) == 1)
        return [
            blob
            for blob, there in hints
            if there is not None
            and there.pack == hint.pack
            and max(abs(there.frame_offset - hint.frame_offset), there.frame_length) <= _NEAR
        ]

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Several files, fetched together; paths that do not exist are passed over."""
        for path, blocks in groupby(self.blocks(paths), key=itemgetter(0)):
            yield path, b"".join(data for *_, data in blocks)

    def blocks(self, paths: Sequence[str]) -> Iterator[tuple[str, int, bytes]]:
        """The same, block by block: path, offset, bytes. An empty file is one empty block."""
        found = self._rows.rows_at(paths)
        rows = [found[path] for path in dict.fromkeys(paths) if path in found and found[path].member.kind == "file"]
        stream = read_ahead(self._vault.blobs, (blob for row in rows for blob in row.blobs))
        for row in rows:
            offset = 0
            for _ in row.blobs:
                data = next(stream)
                yield row.member.path, offset, data
                offset += len(data)
            if not row.blobs:
                yield row.member.path, 0, b""

    def arranged(self, paths: Sequence[str]) -> Sequence[str]:
        """Paths by pack and place in it: neighbours come in one request."""
        places: dict[str, tuple[int, int]] = {}
        for table, found in self._rows.at(paths):
            columns = (table[name].fill_null(0).to_pylist() for name in ("pack", "frame_offset"))
            places.update(zip(found, zip(*columns, strict=True), strict=True))
        return sorted(paths, key=lambda path: places.get(path, (-1, -1)))

    def count_positions(self) -> int | None:
        """How many positions are listed; None where only `metadata.json` tells."""
        runs = self._rows.finder.runs
        return None if runs is None else runs.positions

    def positions_at(self, numbers: Sequence[int]) -> list[str] | None:
        """The positions of some numbers, from 0 through all lists; None where one of them has no members."""
        runs = self._rows.finder.runs
        if runs is None:
            return None
        listed = self._rows.places(runs.groups_at(Numbers(number, number + 1) for number in numbers))
        by_number = {runs.number(place): uuid for uuid, place in listed.items()}
        return [by_number[number] for number in numbers] if by_number.keys() >= set(numbers) else None

    def lists_position(self, uuid: str) -> bool:
        """Whether a position is listed; False too for one without members."""
        return uuid in self._rows.places(self._rows.finder.at([f"{layout.DATA}/{uuid}/{layout.INFO}"]))

    def parts(self, row: ManifestRow) -> Iterator[bytes]:
        """A member's bytes, blob by blob."""
        return read_ahead(self._vault.blobs, row.blobs)

    def row(self, path: str) -> ManifestRow | None:
        """A member as the manifest knows it."""
        return self._rows.row(path)
