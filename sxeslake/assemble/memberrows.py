"""Rows of a version's manifest by folder: only the row groups that can hold them are fetched, each once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.listing import Place
from sxeslake.format.manifest import LISTED, SCHEMA, Row
from sxeslake.vault.contents import contents
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault

_LAST = "\U0010ffff"  # behind every path that begins so


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows that were fetched together, by path."""

    table: pa.Table
    paths: list[str]


class MemberRows:
    """The member rows of one version, found by how their paths begin."""

    def __init__(self, vault: Vault, version: Version) -> None:
        self.version = version
        self._vault = vault
        self.manifest = vault.manifests.open(version.archive.manifest)
        where = vault.manifests.range_of(version)
        self.outline: Any = self.manifest.outline(where)
        self._groups = list(range(where.first_group, where.first_group + where.groups))
        bounds = [self.manifest.bounds(group) for group in self._groups]
        self._firsts, self._lasts = [first for first, _ in bounds], [last for _, last in bounds]
        self._runs: list[_Run] = []
        self._here: set[int] = set()

    def bring(self, prefixes: Iterable[str]) -> None:
        """Fetch, at once, the row groups that can hold paths that begin so."""
        wanted: set[int] = set()
        for prefix in prefixes:
            first = bisect_left(self._lasts, prefix)
            last = bisect_left(self._firsts, prefix + _LAST)
            wanted.update(self._groups[first:last])
        missing = sorted(wanted - self._here)
        if missing:
            table = self._vault.manifests.groups(self.version, missing, listed=self.outline is not None)
            self._runs.append(_Run(table, table["path"].to_pylist()))
            self._here.update(missing)

    def below(self, prefixes: Sequence[str]) -> list[tuple[pa.Table, list[str]]]:
        """The rows whose paths begin so, with their paths; by path within each table. "" is everything."""
        self.bring(prefixes)
        found = []
        for run in self._runs:
            spans = (_span(run.paths, prefix) for prefix in prefixes)
            places = sorted({at for first, last in spans for at in range(first, last)})
            if places:
                found.append((run.table.take(pa.array(places)), [run.paths[at] for at in places]))
        return found

    def places(self, uuids: Sequence[str]) -> dict[str, Place]:
        """Where some positions are listed, as the manifest of a large group knows it."""
        found: dict[str, Place] = {}
        for table, paths in self.below([f"{layout.DATA}/{uuid}" for uuid in uuids]) if self.outline is not None else ():
            listed = (table[name].to_pylist() for name in LISTED.names)
            for path, analysis, number in zip(paths, *listed, strict=True):
                if analysis is not None and number is not None:
                    found[path.split("/", 2)[1]] = Place(analysis, number)
        return found

    def read(self, table: pa.Table) -> Iterator[tuple[str, bytes]]:
        """The bytes of some small members, in the order in which they are stored: frames are decoded once."""
        keys = [table[name].fill_null(0).to_numpy() for name in ("frame_offset", "pack")]
        ordered = table.take(pa.array(np.lexsort(keys)))
        for member, parts in contents(self._vault.blobs, self.rows(ordered)):
            yield member.path, b"".join(parts)

    def rows(self, table: pa.Table) -> Iterator[Row]:
        """Rows as objects, in the table's order."""
        return self.manifest.rows(table)

    def packs(self) -> Sequence[str]:
        """The packs that `pack` of a row counts in."""
        return self.manifest.packs


def _span(paths: Sequence[str], prefix: str) -> tuple[int, int]:
    return bisect_left(paths, prefix), bisect_left(paths, prefix + _LAST)


def where_true(table: pa.Table, mask: Sequence[bool] | npt.NDArray[np.bool_]) -> pa.Table:
    """Some rows of a table."""
    return table.filter(pa.array(np.asarray(mask, np.bool_)))


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables below each other."""
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def in_archive_order(table: pa.Table) -> pa.Table:
    """Rows by their place in the archive."""
    return table.take(pa.array(np.argsort(table["ordinal"].to_numpy(), kind="stable")))
