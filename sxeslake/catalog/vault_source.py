"""The lake as the catalogue sees it: the folded log, manifests, and the documents in JSON packs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import tee
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.catalog.model import (
    PLACES_PER_ENTRY,
    AnnotationEvent,
    Changes,
    Document,
    Head,
    PackHeader,
    VersionHeader,
)
from sxeslake.format import logentry
from sxeslake.format.logentry import Entry
from sxeslake.format.manifest import digest_column
from sxeslake.model import ArchiveKind
from sxeslake.vault.contents import read_ahead
from sxeslake.vault.state import Version
from sxeslake.vault.vault import Vault


class VaultSource:
    """A `CatalogSource` over an open vault, at the head that it has folded."""

    def __init__(self, vault: Vault) -> None:
        self._vault, self._state = vault, vault.state

    def head(self) -> Head:
        """The newest commit that has been folded."""
        return Head(*self._state.head())

    def entry_hash(self, number: int) -> str | None:
        """The hash of a log entry."""
        rows = self._state.select("SELECT digest FROM entries WHERE number = ?", (number,))
        return rows[0][0] if rows else None

    def changes_since(self, number: int) -> Changes:
        """What the log added after an entry; the hidden and the dead as they are now."""
        hidden = self._state.select("SELECT number, place FROM versions WHERE status <> 'live'")
        dead = self._state.select("SELECT id FROM packs WHERE condemned IS NOT NULL")
        live = self._state.live_packs(
            [pack for (pack,) in self._state.select("SELECT id FROM packs WHERE number > ?", (number,))]
        )
        versions: list[VersionHeader] = []
        packs: list[PackHeader] = []
        annotations: list[AnnotationEvent] = []
        for entry in self._entries(number):
            at = _moment(entry.time)
            versions += _headers(entry, at)
            packs += [
                PackHeader(entry.number, pack.id, pack.kind, pack.bytes, pack.raw_bytes, pack.blobs, at)
                for pack in entry.packs
                if pack.id in live
            ]
            annotations += self._annotations(entry, at)
        return Changes(
            self.head(), versions, packs, annotations,
            frozenset(_archive_id(entry_number, place) for entry_number, place in hidden),
            frozenset(pack for (pack,) in dead),
        )  # fmt: skip

    def _entries(self, number: int) -> Iterator[Entry]:
        for at, _, data, body in self._state.log(number):
            yield logentry.load(data, body, where=f"log entry {at}")

    def _annotations(self, entry: Entry, at: datetime) -> Iterator[AnnotationEvent]:
        for ordinal, said in enumerate(entry.annotations):
            version = said.get("version")
            yield AnnotationEvent(
                log_number=entry.number,
                ordinal=ordinal,
                sample=str(said["sample"]),
                version=version,
                archive_id=self._archive_id_of(str(said["sample"]), version),
                target=str(said.get("target", "sample")),
                target_uuid=said.get("uuid"),
                key=str(said["key"]),
                value=None if said.get("value") is None else str(said["value"]),
                annotated_by=entry.who,
                annotated_at=at,
            )

    def _archive_id_of(self, sample: str, version: int | None) -> int | None:
        if version is None:
            return None
        rows = self._state.select(
            "SELECT number, place FROM versions WHERE sample = ? AND version = ?", (sample, version)
        )
        return _archive_id(*rows[0]) if rows else None

    def members(self, header: VersionHeader) -> pa.Table:
        """The rows of the manifest."""
        return self._vault.manifests.table(_version(header))

    def documents(self, header: VersionHeader) -> Iterable[Document]:
        """Every JSON member, read from the JSON packs alone."""
        version = _version(header)
        table = self._vault.manifests.table(version)
        wanted = pc.and_(pc.ends_with(table["path"], ".json"), pc.invert(table["directory"]))
        manifest = self._vault.manifests.open(version.archive.manifest)
        planned, rows = tee(manifest.rows(table.filter(wanted)))
        stream = read_ahead(self._vault.blobs, (blob for row in planned for blob in row.blobs))
        for row in rows:
            yield row.member.path, b"".join(next(stream) for _ in row.blobs)

    def blobs(self, pack: PackHeader) -> pa.Table:
        """What a pack holds, from its footer; a blob's share of its frame is what it takes."""
        footer = self._vault.footer(self._state.pack(pack.pack_id))
        _, lengths, _ = footer.locations()
        firsts = np.cumsum(footer.frame_blobs) - footer.frame_blobs
        frame_raw = np.add.reduceat(footer.sizes.astype(np.uint64), firsts) if len(firsts) else np.empty(0, np.uint64)
        raw = np.repeat(np.maximum(frame_raw, 1), footer.frame_blobs)
        stored = lengths.astype(np.uint64) * footer.sizes // raw
        return pa.table(
            {
                "blake3": digest_column(footer.digests),
                "bytes_raw": footer.sizes.astype(np.int64),
                "bytes_stored": stored.astype(np.int64),
                "codec": pa.nulls(len(footer.sizes), pa.string()),
            }
        )


def _headers(entry: Entry, at: datetime) -> Iterator[VersionHeader]:
    for place, archive in enumerate(entry.archives):
        yield VersionHeader(
            log_number=entry.number,
            place=place,
            sample=archive.sample,
            version=archive.version,
            kind=cast("ArchiveKind", archive.kind),
            content_id=archive.content_id,
            manifest_id=archive.manifest,
            ingested_at=at,
            ingested_by=entry.who,
            tool=entry.tool,
            bytes_source=archive.bytes_source,
            bytes_raw=archive.bytes_raw,
            bytes_stored=archive.bytes_stored,
            blobs=archive.blobs,
            blobs_new=archive.blobs_new,
            source=archive.source,
            locator=Version(entry.number, entry.time, "live", archive),
        )


def _version(header: VersionHeader) -> Version:
    return cast("Version", header.locator)


def _archive_id(number: int, place: int) -> int:
    return number * PLACES_PER_ENTRY + place


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
