"""What the catalogue asks of the lake: headers of versions, events, and a source to read them from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sxeslake.model import ArchiveKind, Progress

if TYPE_CHECKING:
    import pyarrow as pa

PLACES_PER_ENTRY: Final = 1 << 20
"""More archives than a log entry of bounded size can add; `archive_id` = log number × this + place."""

Document = tuple[str, bytes]
"""A JSON member: path and bytes."""

MakeProgress = Callable[[], Progress | None]
"""Makes what shows progress when there is something to show; None where nobody watches."""


def no_progress() -> None:
    """Nobody watches."""


class CatalogHead(NamedTuple):
    """The newest commit: its number and its entry's hash; number 0 is the empty log."""

    number: int
    entry_hash: str | None


@dataclass(frozen=True, slots=True)
class VersionHeader:
    """One archive version as its log entry has it.

    `source` holds what was recorded of the source file: `path host name container size modified_ns sha256`.
    `locator` is the source's own, and opaque here: where it finds the members.
    """

    log_number: int
    place: int
    sample: str
    version: int
    kind: ArchiveKind
    content_id: str
    manifest_id: str
    ingested_at: datetime | None
    ingested_by: str | None
    tool: str | None
    bytes_source: int
    bytes_raw: int
    bytes_stored: int
    blobs: int
    blobs_new: int
    source: Mapping[str, Any]
    locator: object = None

    @property
    def archive_id(self) -> int:
        """The version's number in the lake: the same for everyone who reads the log."""
        return self.log_number * PLACES_PER_ENTRY + self.place


class VersionMembers(NamedTuple):
    """A version with the rows of its manifest, as its source gave them."""

    header: VersionHeader
    table: pa.Table


@dataclass(frozen=True, slots=True)
class AnnotationEvent:
    """One `key=value` that somebody said of a sample, an analysis or a position; value None removes the key."""

    log_number: int
    ordinal: int
    sample: str
    version: int | None
    archive_id: int | None
    target: str  # "sample", "analysis" or "position"
    target_uuid: str | None
    key: str
    value: str | None
    annotated_by: str | None
    annotated_at: datetime | None


@dataclass(frozen=True, slots=True)
class PackHeader:
    """One pack as its log entry has it."""

    log_number: int
    pack_id: str
    kind: str
    bytes_stored: int
    bytes_raw: int
    blobs: int
    added_at: datetime | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What the log added after some commit, up to `head`, which may be before the newest.

    `hidden` are all versions that are forgotten or collected now, and `dead_packs` all packs condemned by now: whole
    states, not differences, so that a restored version simply is no longer among them.
    """

    head: CatalogHead
    versions: Sequence[VersionHeader] = ()
    packs: Sequence[PackHeader] = ()
    annotations: Sequence[AnnotationEvent] = ()
    hidden: frozenset[int] = frozenset()
    dead_packs: frozenset[str] = frozenset()


class CatalogSource(Protocol):
    """What the catalogue is made from: log, manifests and document packs. Calls may come from several threads."""

    def head(self) -> CatalogHead:
        """The newest commit."""

    def entry_hash(self, number: int) -> str | None:
        """The hash of a log entry, None where there is none: proves that a cache belongs to this log."""

    def changes_since(self, number: int) -> Changes:
        """What was committed after `number`, in log order: at least one commit, or more, as many as fit in memory."""

    def members(self, headers: Sequence[VersionHeader]) -> list[pa.Table]:
        """Of each version the rows: at least `path ordinal directory size modified_ns attributes crc32 blake3`."""

    def documents(self, versions: Sequence[VersionMembers]) -> Iterable[Iterable[Document]]:
        """Of each version every member whose name ends in `.json`, in any order; perhaps without those too large.

        Several versions are read together, and one alone as its documents are taken.
        """

    def blobs(self, pack: PackHeader) -> pa.Table:
        """What a pack holds: `blake3` (binary), `bytes_raw`, `bytes_stored`, `codec`."""
