"""Comparing two versions: their manifests, then just the documents of what differs."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.text import parse
from sxeslake.format.layout import LayoutDifference, compare
from sxeslake.format.logentry import ArchiveAdded
from sxeslake.pull.difference import ComparedFile, Difference, Side, compare_groups, member_changes, open_positions
from sxeslake.pull.map_difference import folders_of
from sxeslake.reading.rows import MemberRows, joined, where_true
from sxeslake.vault.log.state import Version
from sxeslake.vault.vault import Vault

_LEGACY = "cp932"


class _VersionReader:
    """One version: its files, and its documents on demand."""

    def __init__(self, vault: Vault, version: Version) -> None:
        self._rows = MemberRows(vault, version)
        self.table = joined([table for table, _ in self._rows.below([""])])
        self._table = where_true(self.table, [not folder for folder in self.table["directory"].to_pylist()])
        columns = (self._table[name].to_pylist() for name in ("path", "blake3", "size"))
        self.side = Side({path: ComparedFile(digest, size) for path, digest, size in zip(*columns, strict=True)})

    def read(self, paths: Iterable[str]) -> None:
        """Parse some JSON members, those that are there."""
        wanted = set(paths)
        mask = [path in wanted for path in self._table["path"].to_pylist()]
        table: pa.Table = where_true(self._table, mask)
        for path, data in self._rows.read(table):
            self.side.documents[path] = parse(path, data, _LEGACY).value


def diff(vault: Vault, a: Version, b: Version) -> Difference:
    """What differs from version `a` to version `b`; equal contents in equal order with equal times cost no request."""
    found = Difference(a.name, b.name, equal=a.archive.content_id == b.archive.content_id)
    with vault.reading(a), vault.reading(b):
        if not found.equal:
            ours, theirs = _VersionReader(vault, a), _VersionReader(vault, b)
            found.members, found.members_same = member_changes(ours.side.files, theirs.side.files)
            if a.archive.kind == b.archive.kind == "sxes":
                _read_what_differs(ours, theirs)
                compare_groups(ours.side, theirs.side, found)
            layout = compare(ours.table, theirs.table)
        else:
            found.members_same = a.archive.members
            same = a.archive.layout_id == b.archive.layout_id
            layout = LayoutDifference() if same else compare(*map(vault.manifests.table, (a, b)))
    _add_layout(found, layout, a.archive, b.archive)
    return found


def _add_layout(found: Difference, layout: LayoutDifference, a: ArchiveAdded, b: ArchiveAdded) -> None:
    """Add what a pull would give back otherwise though the contents are the same."""
    found.layout = layout.changes
    found.differs = ([] if found.equal else ["content"]) + layout.words()
    found.comment_a, found.comment_b = (bytes.fromhex(side.comment).decode("utf-8", "replace") for side in (a, b))
    if a.comment != b.comment:
        found.differs.append("comment")
    found.container_a, found.container_b = (side.source.get("container") for side in (a, b))
    # Files of the same kind that hold the same differ in how they are packed, or in bytes around the archive.
    packed_otherwise = not found.differs and a.source.get("sha256") != b.source.get("sha256")
    if found.container_a != found.container_b or packed_otherwise:
        found.differs.append("container")
    found.identical = not found.differs


def _read_what_differs(a: _VersionReader, b: _VersionReader) -> None:
    open_a, open_b = open_positions(a.side, b.side)
    for reader, other, uuids in ((a, b, open_a), (b, a, open_b)):
        paths = {f"{layout.DATA}/{uuid}/{name}" for uuid in uuids for name in (layout.INFO, layout.STATE)}
        paths |= {path for path in reader.side.files if path.startswith(f"{layout.CONDITIONS}/")}
        theirs = folders_of(other.side.files)
        paths |= {
            f"{layout.map_folder(uuid)}{layout.MAP}"
            for uuid, folder in folders_of(reader.side.files).items()
            if folder != theirs.get(uuid)
        }
        if reader.side.files.get(layout.METADATA) != other.side.files.get(layout.METADATA):
            paths.add(layout.METADATA)
        reader.read(paths)
