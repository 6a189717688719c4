"""The lake as the catalogue sees it: the folded log, manifests, and the documents in JSON packs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from sxeslake.catalog.model import (
    PLACES_PER_ENTRY,
    AnnotationEvent,
    CatalogHead,
    Changes,
    Document,
    PackHeader,
    VersionHeader,
    VersionMembers,
)
from sxeslake.format import logentry
from sxeslake.format.logentry import Entry
from sxeslake.model import DOCUMENT_BYTES, ArchiveKind
from sxeslake.vault.log.state import LogState, Version
from sxeslake.vault.vault import Vault

if TYPE_CHECKING:
    import pyarrow as pa

    from sxeslake.catalog.store.vault_rows import VaultRows

_COMMITS_AT_ONCE: Final = 2048  # and versions: a header with what is known of it takes some kilobytes
_NAMES_AT_ONCE: Final = 250


class VaultSource:
    """A `CatalogSource` over an open vault, at the head that it has folded."""

    def __init__(self, vault: Vault, document_bytes: int = DOCUMENT_BYTES) -> None:
        self._vault, self._document_bytes = vault, document_bytes

    @property
    def _state(self) -> LogState:
        return self._vault.state

    def head(self) -> CatalogHead:
        """The newest commit that has been folded."""
        return CatalogHead(*self._state.head())

    def entry_hash(self, number: int) -> str | None:
        """The hash of a log entry."""
        return self._state.digest(number)

    def changes_since(self, number: int) -> Changes:
        """What the log added after an entry, up to some thousand versions; the hidden and the dead as they are now."""
        hidden = self._state.select("SELECT number, place FROM versions WHERE status <> 'live'")
        dead = self._state.select("SELECT id FROM packs WHERE condemned IS NOT NULL")
        head = CatalogHead(number, None)
        versions: list[VersionHeader] = []
        packs: list[PackHeader] = []
        annotations: list[AnnotationEvent] = []
        for at, digest, data, body in self._state.log(number):
            head = CatalogHead(at, digest)
            if not data:  # an entry that is lost has left an empty place
                continue
            entry = self._state.counted(logentry.load(data, body, where=f"log entry {at}"))
            when = _moment(entry.time)
            versions += self._versions(entry, when)
            packs += self._packs(entry, when)
            annotations += self._annotations(entry, when)
            if len(versions) + at - number >= _COMMITS_AT_ONCE:
                break
        return Changes(
            head, versions, packs, annotations,
            frozenset(_archive_id(entry_number, place) for entry_number, place in hidden),
            frozenset(pack for (pack,) in dead),
        )  # fmt: skip

    def _versions(self, entry: Entry, at: datetime | None) -> Iterator[VersionHeader]:
        """The versions that an entry added, from the folded state: a member table may have been rewritten since."""
        names = [(archive.sample, archive.version) for archive in entry.archives]
        found: dict[tuple[str, int], Version] = {}
        for start in range(0, len(names), _NAMES_AT_ONCE):
            part = names[start : start + _NAMES_AT_ONCE]
            asked = ", ".join(["(?, ?)"] * len(part))
            where = f"(v.sample, v.version) IN (VALUES {asked})"
            for version in self._state.versions(where, [word for name in part for word in name]):
                found[version.sample, version.version] = version
        for place, name in enumerate(names):
            yield _header(entry, at, place, found[name])

    def _packs(self, entry: Entry, at: datetime | None) -> Iterator[PackHeader]:
        live = self._state.live_packs([pack.id for pack in entry.packs])
        for pack in entry.packs:
            if pack.id in live:
                yield PackHeader(entry.number, pack.id, pack.kind, pack.bytes, pack.raw_bytes, pack.blobs, at)

    def _annotations(self, entry: Entry, at: datetime | None) -> Iterator[AnnotationEvent]:
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

    def members(self, headers: Sequence[VersionHeader]) -> list[pa.Table]:
        """The rows of each version's manifest."""
        return self._rows.members(headers)

    def documents(self, versions: Sequence[VersionMembers]) -> Iterator[Iterable[Document]]:
        """Of each version every JSON member that is not too large, read from the JSON packs alone."""
        return self._rows.documents(versions)

    def blobs(self, pack: PackHeader) -> pa.Table:
        """What a pack holds."""
        return self._rows.blobs(pack)

    @cached_property
    def _rows(self) -> VaultRows:
        from sxeslake.catalog.store.vault_rows import VaultRows  # noqa: PLC0415 - heavy; a catalogue without news needs none

        return VaultRows(self._vault, self._document_bytes)


def _header(entry: Entry, at: datetime | None, place: int, version: Version) -> VersionHeader:
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


def _archive_id(number: int, place: int) -> int:
    return number * PLACES_PER_ENTRY + place


def _moment(text: str) -> datetime | None:
    """A time of the log; None where the entry has none that can be read, for nothing depends on clocks."""
    return datetime.fromisoformat(text) if text else None
