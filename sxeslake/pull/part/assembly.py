"""A new archive that is about to be made: rows of the lake's manifests, a few members rebuilt, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from sxeslake.archive.attributes import special_reason
from sxeslake.archive.base import ArchiveWriter
from sxeslake.archive.names import check_names
from sxeslake.errors import UnsafeNameError
from sxeslake.format.manifest import ManifestRow
from sxeslake.model import ArchiveKind, Digest, Member, Progress
from sxeslake.pull.cost import Cost, cost_of
from sxeslake.pull.progress import reported
from sxeslake.reading.rows import MemberRows
from sxeslake.vault.blobs.contents import contents
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class GeneratedMember:
    """A member that no archive has so: a pruned `metadata.json`, an `info.json` under another UUID."""

    member: Member
    data: bytes


@dataclass(frozen=True, slots=True)
class VersionPart:
    """What comes from one version: rows in the order in which they are written; `folders` get other names."""

    rows: MemberRows
    table: pa.Table
    folders: Mapping[str, str] = field(default_factory=dict)  # `data/<uuid>` → `data/<derived uuid>`

    def path(self, path: str) -> str:
        """The path of a member in the new archive."""
        if not self.folders:
            return path
        folder = "/".join(path.split("/", 2)[:2])
        return self.folders[folder] + path[len(folder) :] if folder in self.folders else path

    def paths(self) -> Iterator[tuple[str, bool]]:
        """New paths, and whether each is a folder."""
        for start in range(0, self.table.num_rows, 8192):
            piece = self.table.slice(start, 8192)
            for path, folder in zip(piece["path"].to_pylist(), piece["directory"].to_pylist(), strict=True):
                yield self.path(path), folder


@dataclass(frozen=True, slots=True)
class Carried:
    """A version that something of goes into a new archive: its annotations concern that archive, too.

    `place("position", uuid)` is the UUID that a position or an analysis has there; None where it is not in it.
    """

    version: Version
    place: Callable[[str, str], str | None]


@dataclass(frozen=True)
class Assembly:
    """All that goes into the new archive. `made` replaces the members of its paths; `metadata.json` goes first."""

    title: str
    kind: ArchiveKind
    parts: Sequence[VersionPart]
    made: Mapping[str, GeneratedMember] = field(default_factory=dict)
    positions: int = 0
    analyses: int = 0
    carried: Sequence[Carried] = ()
    warnings: Sequence[str] = ()

    @property
    def samples(self) -> list[str]:
        """The versions that it comes from: `ti-grains@2`."""
        return [each.version.name for each in self.carried]

    @cached_property
    def members(self) -> int:
        """How many members it will have."""
        copied = sum(int(part.table.num_rows) for part in self.parts)
        return copied - len(self._replaced) + len(self.made)

    @cached_property
    def bytes_raw(self) -> int:
        """Their sizes together."""
        copied = sum(int(pc.sum(part.table["size"]).as_py() or 0) for part in self.parts)
        return copied - sum(self._replaced.values()) + sum(len(made.data) for made in self.made.values())

    @cached_property
    def _replaced(self) -> dict[str, int]:
        """The paths that are rebuilt and that a row has, and that row's size."""
        if not self.made:
            return {}
        found = {}
        for part in self.parts:
            for (path, _), size in zip(part.paths(), part.table["size"].to_pylist(), strict=True):
                if path in self.made:
                    found[path] = size
        return found

    def cost(self, vault: Vault) -> Cost:
        """What fetching it will take, beyond what planning took: manifests and metadata are here already."""
        return cost_of(vault, ((self._stored(part), part.rows.packs()) for part in self.parts))

    def _stored(self, part: VersionPart) -> pa.Table:
        """The rows of a part that are taken as they are."""
        if not self._replaced:
            return part.table
        return part.table.filter(pa.array([path not in self.made for path, _ in part.paths()], pa.bool_()))

    def check(self) -> None:
        """Refuse names and kinds of members that no archive may hold: a lake can be hostile too."""
        for part in self.parts:
            if reason := next(filter(None, map(special_reason, part.table["attributes"].unique().to_pylist())), None):
                raise UnsafeNameError(f"a member {reason}", where=part.rows.version.name)
        check_names(self._names, where=self.title)

    def expected(self) -> Iterator[tuple[str, int, Digest]]:
        """Path, size and content of every file that it will have."""
        for path, made in self.made.items():
            yield path, len(made.data), blake3(made.data).digest()
        for part in self.parts:
            sizes, digests = part.table["size"].to_pylist(), part.table["blake3"].to_pylist()
            for (path, is_folder), size, digest in zip(part.paths(), sizes, digests, strict=True):
                if path not in self.made and not is_folder:
                    yield path, size, digest

    def _names(self) -> Iterator[tuple[str, bool]]:
        for path in self.made:
            if path not in self._replaced:
                yield path, False
        for part in self.parts:
            yield from part.paths()

    def fill(self, vault: Vault, writer: ArchiveWriter, progress: Progress | None, bytes_fetch: int | None) -> None:
        """Hand every member to the writer, in order, and close it; `bytes_fetch` is what it costs."""
        self.check()
        with reported(progress, f"pull {self.title}", bytes_fetch, vault.store.counters) as moved:
            for member, data in self._contents(vault):
                writer.add(member, data)
                moved()
            writer.close()

    def _contents(self, vault: Vault) -> Iterator[tuple[Member, Iterable[bytes]]]:
        for path, made in self.made.items():
            if path not in self._replaced:
                yield made.member, [made.data]
        for part in self.parts:
            stored = contents(
                vault.blobs, (row for row in self._rows(part) if part.path(row.member.path) not in self.made)
            )
            for row in self._rows(part):
                path = part.path(row.member.path)
                if path in self.made:
                    yield self.made[path].member, [self.made[path].data]
                    continue
                found = next(stored)
                yield (row.member if path == row.member.path else renamed(row.member, path)), found.parts

    @staticmethod
    def _rows(part: VersionPart) -> Iterator[ManifestRow]:
        return part.rows.rows(part.table)


def renamed(member: Member, path: str) -> Member:
    """A member under another path."""
    return replace(member, path=path, raw_name=None)


def made_from(member: Member, path: str, data: bytes) -> GeneratedMember:
    """A member rebuilt, with the time and attributes of the one it replaces."""
    return GeneratedMember(replace(member, path=path, size=len(data), crc32=None, raw_name=None), data)
