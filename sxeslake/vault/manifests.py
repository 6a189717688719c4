"""Reading manifests: the footer once, then just the row groups that are wanted, each proved."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys
from sxeslake.format.logentry import ManifestAdded
from sxeslake.format.manifest import Manifest, RowRange
from sxeslake.model import KIB, MIB
from sxeslake.storage import Store
from sxeslake.vault.log.state import LogState, Version

_KEEP = 64  # manifests whose footers stay at hand …
_KEEP_BYTES = 4 * MIB  # … and bytes of those footers, which take ten times as much when they are parsed
_TAIL_BYTES = 16 * KIB  # before the footer: all rows of a small archive, what positions share in a large group
_AT_ONCE_BYTES = 4 * MIB
_BYTES_A_ROW = 100  # of a manifest, footer and all, at most: 53 in a map of 2,500 positions
_NO_TAIL = (2**63, b"")


class Manifests:
    """The member tables of archive versions."""

    def __init__(self, store: Store, state: LogState) -> None:
        self._store, self._state = store, state
        self._open: OrderedDict[str, Manifest] = OrderedDict()
        self._bytes: dict[str, int] = {}  # of the footers
        self._tails: dict[str, tuple[int, bytes]] = {}  # what came with the footer: where it begins, and its bytes
        self._lock = threading.Lock()

    def open(self, manifest_id: str) -> Manifest:
        """A manifest's footer, proved by the hash in the log."""
        with self._lock:
            if manifest_id in self._open:
                self._open.move_to_end(manifest_id)
                return self._open[manifest_id]
        known, key = self._state.manifest(manifest_id), keys.manifest_key(manifest_id)
        start = max(0, known.bytes - known.footer_bytes - _TAIL_BYTES)
        tail = self._store.get_range(key, start, known.bytes)
        manifest = self._opened(known, tail[-known.footer_bytes :])
        with self._lock:
            if manifest_id in self._open:
                self._tails[manifest_id] = start, tail[: -known.footer_bytes]
        return manifest

    def _opened(self, known: ManifestAdded, footer: bytes) -> Manifest:
        if blake3(footer).hexdigest() != known.footer_blake3:
            what = "a manifest's footer does not agree with the log."
            raise DamagedLakeError(what, where=keys.manifest_key(known.id))
        manifest = Manifest(known.id, known.bytes, footer)
        with self._lock:
            self._open[known.id] = manifest
            self._bytes[known.id] = known.footer_bytes
            while len(self._open) > 1 and (len(self._open) > _KEEP or sum(self._bytes.values()) > _KEEP_BYTES):
                gone, _ = self._open.popitem(last=False)
                self._tails.pop(gone, None)
                self._bytes.pop(gone, None)
        return manifest

    def table(self, version: Version) -> pa.Table:
        """All rows of a version, row group by row group."""
        return self._side_by_side([version])

    def tables(self, versions: Sequence[Version]) -> list[pa.Table]:
        """All rows of each version; those that stand side by side in a manifest are read at once."""
        found: list[pa.Table] = []
        for run in _runs(versions):
            whole, start = self._side_by_side(run), 0
            manifest = self.open(run[0].archive.manifest)
            for version in run:
                first, groups = version.archive.first_group, version.archive.groups
                rows = sum(map(manifest.rows_of, range(first, first + groups)))
                found.append(whole.slice(start, rows))
                start += rows
        return found

    def _side_by_side(self, versions: Sequence[Version]) -> pa.Table:
        """The rows of versions that follow each other in one manifest."""
        where, last = self.range_of(versions[0]), self.range_of(versions[-1])
        archive, rows = versions[0].archive, sum(version.archive.rows for version in versions)
        groups = range(where.first_group, last.first_group + last.groups)
        with self._lock:
            is_at_hand = archive.manifest in self._open
        known = self._state.manifest(archive.manifest)
        if is_at_hand or known.bytes > min(_AT_ONCE_BYTES, rows * _BYTES_A_ROW):
            return self.groups(versions[0], groups)
        # Nearly all of it is wanted: one request in place of two that wait for each other.
        data = self._store.get_range(keys.manifest_key(known.id), 0, known.bytes)
        manifest = self._opened(known, data[-known.footer_bytes :])
        return _lean(manifest.table(groups, [(0, data[: -known.footer_bytes])]))

    def groups(self, version: Version, groups: Sequence[int], *, listed: bool = False) -> pa.Table:
        """The rows of some row groups of a version; `listed`: see `Manifest.table`."""
        manifest = self.open(version.archive.manifest)
        key = keys.manifest_key(version.archive.manifest)
        bounds = [manifest.group_bytes(group) for group in groups]
        with self._lock:
            first, tail = self._tails.get(version.archive.manifest, _NO_TAIL)
        away = _joined([(start, end) for start, end in bounds if start < first])
        bodies = self._store.get_ranges([(key, start, end) for start, end in away])
        runs = [(start, body) for (start, _), body in zip(away, bodies, strict=True)]
        runs += [(start, tail[start - first : end - first]) for start, end in bounds if start >= first]
        try:
            return _lean(manifest.table(groups, runs, listed=listed))
        except DamagedLakeError:
            with self._lock:
                if self._tails.pop(version.archive.manifest, None) is None:
                    raise
        return self.groups(version, groups, listed=listed)  # what was kept is wrong: perhaps it came so, once

    def between(self, version: Version, first: str, last: str) -> pa.Table:
        """The row groups of a version that can hold paths from `first` to `last`, both included."""
        manifest = self.open(version.archive.manifest)
        return self.groups(version, manifest.row_groups(self.range_of(version)).between(first, last))

    @staticmethod
    def range_of(version: Version) -> RowRange:
        """Where a version's rows stand in its manifest."""
        return RowRange(version.archive.first_group, version.archive.groups, version.archive.rows)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch as one, up to some MiB: hundreds of runs would be searched for each read."""
    found: list[tuple[int, int]] = []
    for start, end in ranges:
        if found and found[-1][1] == start and end - found[-1][0] <= _AT_ONCE_BYTES:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found


def _runs(versions: Iterable[Version]) -> Iterator[list[Version]]:
    """Versions that follow each other in one manifest."""
    run: list[Version] = []
    for version in versions:
        archive = version.archive
        if run and (run[-1].archive.manifest, run[-1].archive.first_group + run[-1].archive.groups) != (
            archive.manifest,
            archive.first_group,
        ):
            yield run
            run = []
        run.append(version)
    if run:
        yield run


def _lean(table: pa.Table) -> pa.Table:
    """The same table, without what Arrow keeps of the memory that reading it took: 85 MB for 500,000 rows."""
    pa.default_memory_pool().release_unused()
    return table
