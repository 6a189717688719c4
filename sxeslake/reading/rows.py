"""Rows of a version's manifest by path and folder: only the row groups that can hold them are fetched, together."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sxeslake.archive.attributes import special_reason
from sxeslake.archive.names import check_safe
from sxeslake.archive.sxes.documents.listing import ListPlace
from sxeslake.errors import UnsafeNameError
from sxeslake.format.manifest import LISTED, SCHEMA, ManifestRow
from sxeslake.format.rowgroups import AFTER_ALL, position_of
from sxeslake.reading.names import name_batches
from sxeslake.vault.blobs.contents import contents
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

KEEP_ROWS = 40_000  # of row groups read last, for those who jump about: neighbours are asked for next


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group, by path."""

    table: pa.Table
    paths: list[str]

    def span(self, prefix: str) -> range:
        """The rows whose paths begin so."""
        return range(bisect_left(self.paths, prefix), bisect_left(self.paths, prefix + AFTER_ALL))

    def take(self, places: Sequence[int]) -> pa.Table:
        """Some rows."""
        return self.table.take(pa.array(places, pa.int64()))


class MemberRows:
    """The member rows of one version; safe for many threads at once."""

    def __init__(self, vault: Vault, version: Version, *, keep_rows: int | None = None) -> None:
        """`keep_rows` bounds what stays at hand; None keeps all that was read."""
        self.version = version
        self._vault, self._keep_rows = vault, keep_rows
        self.manifest = vault.manifests.open(version.archive.manifest)
        where = vault.manifests.range_of(version)
        self.outline: Any = self.manifest.outline(where)
        self.finder = self.manifest.row_groups(where)
        self._held: OrderedDict[int, RowGroup] = OrderedDict()
        self._lock = threading.Lock()

    def groups(self, numbers: Iterable[int]) -> list[RowGroup]:
        """Some row groups; those that are not at hand come in one go."""
        with self._lock:
            asked = sorted(set(numbers))
            missing = [number for number in asked if number not in self._held]
            if missing:
                self._fetch(missing)
            for number in asked:
                self._held.move_to_end(number)
            found = [self._held[number] for number in asked]
            while self._keep_rows is not None and self._is_much(self._keep_rows):
                self._held.popitem(last=False)
            return found

    def _is_much(self, keep_rows: int) -> bool:
        return len(self._held) > 1 and sum(len(group.paths) for group in self._held.values()) > keep_rows

    def _fetch(self, numbers: Sequence[int]) -> None:
        table, start = self._vault.manifests.groups(self.version, numbers, listed=self.outline is not None), 0
        for number in numbers:
            part = table.slice(start, self.manifest.rows_of(number)).combine_chunks()
            self._held[number] = RowGroup(part, part["path"].to_pylist())
            start += part.num_rows

    def below(self, prefixes: Sequence[str]) -> list[tuple[pa.Table, list[str]]]:
        """The rows whose paths begin so, with their paths; by path within each table. "" is everything."""
        numbers = {number for prefix in prefixes for number in self.finder.beginning(prefix)}
        return self._some(numbers, lambda group: sorted({at for prefix in prefixes for at in group.span(prefix)}))

    def at(self, paths: Iterable[str]) -> list[tuple[pa.Table, list[str]]]:
        """The rows of just these paths, with their paths."""
        wanted = set(paths)
        return self._some(
            self.finder.at(wanted), lambda group: [at for at, path in enumerate(group.paths) if path in wanted]
        )

    def folders(self, root: str, names: Collection[str]) -> list[tuple[pa.Table, list[str]]]:
        """The rows of some folders `root/name` and of all that is in them, with their paths."""
        start = f"{root}/"

        def places(group: RowGroup) -> list[int]:
            inside = group.span(start)
            return [at for at in inside if group.paths[at][len(start) :].partition("/")[0] in names]

        return self._some(self.finder.holding(start + name for name in names), places)

    def _some(
        self, numbers: Iterable[int], places: Callable[[RowGroup], list[int]]
    ) -> list[tuple[pa.Table, list[str]]]:
        found = ((group, places(group)) for group in self.groups(numbers))
        return [(group.take(chosen), [group.paths[at] for at in chosen]) for group, chosen in found if chosen]

    def row(self, path: str) -> ManifestRow | None:
        """A member as the manifest knows it."""
        return self.rows_at([path]).get(path)

    def rows_at(self, paths: Iterable[str]) -> dict[str, ManifestRow]:
        """Members by path, those that are there."""
        return {row.member.path: row for table, _ in self.at(paths) for row in self.rows(table)}

    def places(self, numbers: Iterable[int]) -> dict[str, ListPlace]:
        """Where the positions of some row groups are listed, as the manifest of a large group knows it."""
        found: dict[str, ListPlace] = {}
        for group in self.groups(numbers) if self.outline is not None else ():
            listed = (group.table[name].to_pylist() for name in LISTED.names)
            for path, analysis, number in zip(group.paths, *listed, strict=True):
                uuid = None if analysis is None or number is None else position_of(path)
                if uuid is not None:
                    found[uuid] = ListPlace(analysis, number)
        return found

    def read(self, table: pa.Table) -> Iterator[tuple[str, bytes]]:
        """The bytes of some small members, in the order in which they are stored: frames are decoded once."""
        keys = [table[name].fill_null(0).to_numpy() for name in ("frame_offset", "pack")]
        ordered = table.take(pa.array(np.lexsort(keys)))
        for member, parts in contents(self._vault.blobs, self.rows(ordered)):
            yield member.path, b"".join(parts)

    def rows(self, table: pa.Table) -> Iterator[ManifestRow]:
        """Rows as objects, in the table's order."""
        return self.manifest.rows(table)

    def packs(self) -> Sequence[str]:
        """The packs that `pack` of a row counts in."""
        return self.manifest.packs


def where_true(table: pa.Table, mask: Sequence[bool] | npt.NDArray[np.bool_]) -> pa.Table:
    """Some rows of a table."""
    return table.filter(pa.array(np.asarray(mask, np.bool_)))


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables below each other."""
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def in_archive_order(table: pa.Table) -> pa.Table:
    """Rows by their place in the archive."""
    return table.take(pa.array(np.argsort(table["ordinal"].to_numpy(), kind="stable")))


def check_table(table: pa.Table, name: str) -> None:
    """Refuse what no archive may hold: a lake can be hostile too."""
    attributes = table["attributes"].unique().to_pylist()
    if reason := next(filter(None, map(special_reason, attributes)), None):
        raise UnsafeNameError(f"a member {reason}", where=name)
    check_safe(name_batches(table), where=name)
