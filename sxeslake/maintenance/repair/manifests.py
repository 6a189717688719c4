"""Repairing member tables: from what is left of them, from the archive, offered again, or from another lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import identity, keys
from sxeslake.format.logentry import ArchiveAdded, ManifestAdded, Moved
from sxeslake.format.manifest import Blob, Hint, Manifest, ManifestBuilder, ManifestRow, footer_bytes
from sxeslake.format.rows import tables_of
from sxeslake.maintenance.repair.offers import ids_of
from sxeslake.model import Digest
from sxeslake.vault.listings import listing_of
from sxeslake.vault.log.state import Version
from sxeslake.vault.recipes import recipe_digests
from sxeslake.vault.vault import Vault

Found = dict[str, list[ManifestRow]]
"""Rows by path, by the name of the version that they are."""


def salvaged(vault: Vault, manifest_id: str, versions: Sequence[Version]) -> Found:
    """The tables that can still be read from a damaged manifest: each proved by both ids of its archive."""
    try:
        record = vault.state.manifest(manifest_id)
        data = vault.store.get(keys.manifest_key(manifest_id))
        manifest = Manifest(manifest_id, len(data), data[len(data) - record.footer_bytes :])
    except (DamagedLakeError, ObjectNotFoundError):
        return {}
    found = {}
    for version in versions:
        where = vault.manifests.range_of(version)
        try:
            table = manifest.table(range(where.first_group, where.first_group + where.groups), [(0, data)])
            rows = list(manifest.rows(table, "path"))
        except DamagedLakeError:
            continue
        if is_of(version, rows):
            found[version.name] = rows
    return found


def content_of(vault: Vault, record: ManifestAdded, archive: ArchiveAdded) -> tuple[str, str] | None:
    """Both ids of the rows that a record of the log points at; None where they cannot be read."""
    try:
        data = vault.store.get(keys.manifest_key(record.id))
        manifest = Manifest(record.id, len(data), data[len(data) - record.footer_bytes :])
        groups = range(archive.first_group, archive.first_group + archive.groups)
        return _ids(list(manifest.rows(manifest.table(groups, [(0, data)]), "path")))
    except (DamagedLakeError, ObjectNotFoundError):
        return None


def is_of(version: Version, rows: Sequence[ManifestRow]) -> bool:
    """Whether rows, by path, are those of a version: contents, names, order, times."""
    return _ids(rows) == ids_of(version.archive)


def _ids(rows: Sequence[ManifestRow]) -> tuple[str, str]:
    ordered = sorted(rows, key=lambda row: row.ordinal)
    contents = identity.content_id((row.member, row.digest) for row in rows)
    return contents, identity.layout_id(row.member for row in ordered)


class NewManifest:
    """One manifest with the tables of some versions, and what the log has to say of it."""

    def __init__(self, vault: Vault, places: Mapping[Digest, Hint]) -> None:
        self._vault, self._places = vault, places
        self._builder = ManifestBuilder()
        self.moved: list[Moved] = []
        self._id = keys.new_id()

    def add(self, version: Version, rows: Sequence[ManifestRow]) -> None:
        """A version's rows, with hints that hold now."""
        recipe = {digest.tobytes() for digest in recipe_digests([version.archive])}
        digests = list({blob.digest for row in rows for blob in row.blobs} | recipe)
        live = set(self._vault.state.packs())
        known = self._vault.index.find([digest for digest in digests if digest not in self._places], live=live)
        packs = set()

        def hint_of(blob: Blob) -> Hint | None:
            hint = self._places.get(blob.digest) or (known[blob.digest].hint if blob.digest in known else None)
            if hint is not None:
                packs.add(hint.pack)
            return hint

        for digest in recipe:
            hint_of(Blob(digest, 0, None))
        listing = listing_of(self._vault.blobs, rows, hint_of)
        where = self._builder.add(tables_of(rows, hint_of, self._builder, listing))
        self.moved.append(
            Moved(
                version.sample,
                version.version,
                self._id,
                where.first_group,
                where.groups,
                where.rows,
                tuple(sorted(packs)),
            )
        )

    def finish(self) -> ManifestAdded:
        """Upload it."""
        data = self._builder.finish()
        self._vault.store.create(keys.manifest_key(self._id), data)
        footer = footer_bytes(data)
        return ManifestAdded(self._id, len(data), footer, blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest())
