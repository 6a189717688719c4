"""The lake as the catalogue sees it: the folded log, manifests, and the documents in JSON packs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import tee
from typing import cast

import numpy as np
import pyarrow as pa

from sxeslake.catalog.model import (
    PLACES_PER_ENTRY,
    AnnotationEvent,
    Changes,
    Document,
    Head,
    PackHeader,
    VersionHeader,
)
from sxeslake.errors import DamagedLakeError
from sxeslake.format import logentry
from sxeslake.format.logentry import Entry
from sxeslake.format.manifest import digest_column
from sxeslake.model import ArchiveKind
from sxeslake.vault.contents import read_ahead
from sxeslake.vault.state import State, Version
from sxeslake.vault.vault import Vault


class VaultSource:
    """A `CatalogSource` over an open vault, at the head that it has folded."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    @property
    def _state(self) -> State:
        return self._vault.state

    def head(self) -> Head:
        """The newest commit that has been folded."""
        return Head(*self._state.head())

    def entry_hash(self, number: int) -> str | None:
        """The hash of a log entry."""
        return self._state.digest(number)

    def changes_since(self, number: int) -> Changes:
        """What the log added after an entry; the hidden and the dead as they are now."""
        hidden = self._state.select("SELECT number, place FROM versions WHERE status <> 'live'")
        dead = self._state.select("SELECT id FROM packs WHERE condemned IS NOT NULL")
        live = self._state.live_packs(
            [pack for (pack,) in self._state.select("SELECT id FROM packs WHERE number > ?", (number,))]
        )
        # From the folded state, not the entries: a version's member table may have been written anew since.
        added: dict[int, list[Version]] = {}
        for version in self._state.versions("v.number > ?", (number,)):
            added.setdefault(version.number, []).append(version)
        places = {
            (sample, version): place
            for sample, version, place in self._state.select(
                "SELECT sample, version, place FROM versions WHERE number > ?", (number,)
            )
        }
        versions: list[VersionHeader] = []
        packs: list[PackHeader] = []
        annotations: list[AnnotationEvent] = []
        for entry in self._entries(number):
            at = _moment(entry.time)
            versions += sorted(
                (_header(entry, at, places[each.sample, each.version], each) for each in added.get(entry.number, ())),
                key=lambda header: header.place,
            )
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
            version = said["version"]
            yield AnnotationEvent(
                log_number=entry.number,
                ordinal=ordinal,
                sample=said["sample"],
                version=version,
                archive_id=self._archive_id_of(said["sample"], version),
                target=said["target"],
                target_uuid=said["uuid"],
                key=said["key"],
                value=said["value"],
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
        import pyarrow.compute as pc  # noqa: PLC0415 - heavy; a catalogue without news does not need it

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
        firsts = (np.cumsum(footer.frame_blobs) - footer.frame_blobs).astype(np.int64)
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


def _header(entry: Entry, at: datetime, place: int, version: Version) -> VersionHeader:
    archive, origin = version.archive, version.archive.origin
    return VersionHeader(
        log_number=entry.number,
        place=place,
        sample=archive.sample,
        version=archive.version,
        kind=cast("ArchiveKind", archive.kind),
        content_id=archive.content_id,
        manifest_id=entry.archives[place].manifest,  # as it was added: a row says the same whenever it is made
        ingested_at=_moment(origin["time"]) if origin.get("time") else at,
        ingested_by=origin.get("who") or entry.who,
        tool=origin.get("tool") or entry.tool,
        bytes_source=archive.bytes_source,
        bytes_raw=archive.bytes_raw,
        bytes_stored=archive.bytes_stored,
        blobs=archive.blobs,
        blobs_new=archive.blobs_new,
        source=archive.source,
        locator=version,
    )


def _version(header: VersionHeader) -> Version:
    return cast("Version", header.locator)


def _archive_id(number: int, place: int) -> int:
    return number * PLACES_PER_ENTRY + place


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise DamagedLakeError(f"a log entry has the time {text!r}.") from error
