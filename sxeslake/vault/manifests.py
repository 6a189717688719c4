"""Reading manifests: the footer once, then just the row groups that are wanted, each proved."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import pyarrow as pa
from blake3 import blake3

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys
from sxeslake.format.manifest import Manifest, RowRange
from sxeslake.storage import Store
from sxeslake.vault.state import State, Version

_KEEP = 64  # manifests whose footers stay at hand


class Manifests:
    """The member tables of archive versions."""

    def __init__(self, store: Store, state: State) -> None:
        self._store, self._state = store, state
        self._open: OrderedDict[str, Manifest] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, manifest_id: str) -> Manifest:
        """A manifest's footer, proved by the hash in the log."""
        with self._lock:
            if manifest_id in self._open:
                self._open.move_to_end(manifest_id)
                return self._open[manifest_id]
        known, key = self._state.manifest(manifest_id), keys.manifest_key(manifest_id)
        footer = self._store.get_range(key, known.bytes - known.footer_bytes, known.bytes)
        if blake3(footer).hexdigest() != known.footer_blake3:
            raise DamagedLakeError("a manifest's footer does not agree with the log.", where=key)
        manifest = Manifest(manifest_id, known.bytes, footer)
        with self._lock:
            self._open[manifest_id] = manifest
            while len(self._open) > _KEEP:
                self._open.popitem(last=False)
        return manifest

    def table(self, version: Version) -> pa.Table:
        """All rows of a version."""
        where = self.range_of(version)
        return self.groups(version, range(where.first_group, where.first_group + where.groups))

    def groups(self, version: Version, groups: Sequence[int], *, listed: bool = False) -> pa.Table:
        """The rows of some row groups of a version; `listed`: see `Manifest.table`."""
        manifest = self.open(version.archive.manifest)
        key = keys.manifest_key(version.archive.manifest)
        bounds = [manifest.group_bytes(group) for group in groups]
        bodies = self._store.get_ranges([(key, start, end) for start, end in bounds])
        runs = [(start, body) for (start, _), body in zip(bounds, bodies, strict=True)]
        return manifest.table(groups, runs, listed=listed)

    def between(self, version: Version, first: str, last: str) -> pa.Table:
        """The row groups of a version that can hold paths from `first` to `last`, both included."""
        manifest = self.open(version.archive.manifest)
        return self.groups(version, manifest.groups_with(self.range_of(version), first, last))

    @staticmethod
    def range_of(version: Version) -> RowRange:
        """Where a version's rows stand in its manifest."""
        return RowRange(version.archive.first_group, version.archive.groups, version.archive.rows)
