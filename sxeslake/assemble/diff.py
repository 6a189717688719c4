"""Comparing two versions: their manifests, then just the documents of what differs."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents import parse
from sxeslake.assemble.difference import Difference, File, Side, compare_groups, member_changes, open_positions
from sxeslake.assemble.memberrows import MemberRows, joined, where_true
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault

_LEGACY = "cp932"


class _Reader:
    """One version: its files, and its documents on demand."""

    def __init__(self, vault: Vault, version: Version) -> None:
        self._rows = MemberRows(vault, version)
        self._table = joined([table for table, _ in self._rows.below([""])])
        self._table = where_true(self._table, [not folder for folder in self._table["directory"].to_pylist()])
        columns = (self._table[name].to_pylist() for name in ("path", "blake3", "size"))
        self.side = Side({path: File(digest, size) for path, digest, size in zip(*columns, strict=True)})

    def read(self, paths: Iterable[str]) -> None:
        """Parse some JSON members, those that are there."""
        wanted = set(paths)
        mask = [path in wanted for path in self._table["path"].to_pylist()]
        table: pa.Table = where_true(self._table, mask)
        for path, data in self._rows.read(table):
            self.side.documents[path] = parse(path, data, _LEGACY).value


def diff(vault: Vault, a: Version, b: Version) -> Difference:
    """What differs from version `a` to version `b`; equal contents cost no request."""
    found = Difference(a.name, b.name)
    if a.archive.content_id == b.archive.content_id:
        found.members_same = a.archive.members
        return found
    found.equal = False
    with vault.reading(a), vault.reading(b):
        ours, theirs = _Reader(vault, a), _Reader(vault, b)
        found.members, found.members_same = member_changes(ours.side.files, theirs.side.files)
        if a.archive.kind == b.archive.kind == "sxes":
            _read_what_differs(ours, theirs)
            compare_groups(ours.side, theirs.side, found)
    return found


def _read_what_differs(a: _Reader, b: _Reader) -> None:
    open_a, open_b = open_positions(a.side, b.side)
    for reader, other, uuids in ((a, b, open_a), (b, a, open_b)):
        paths = {f"{layout.DATA}/{uuid}/{name}" for uuid in uuids for name in (layout.INFO, layout.STATE)}
        paths |= {path for path in reader.side.files if path.startswith(f"{layout.CONDITIONS}/")}
        if reader.side.files.get(layout.METADATA) != other.side.files.get(layout.METADATA):
            paths.add(layout.METADATA)
        reader.read(paths)
