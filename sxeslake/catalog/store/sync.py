"""Keeping a catalogue up to date: what the log added since, projected into new parts, and merged when there are many.

    snapshot = sync(source, cache, store)

Cost follows what is new. A cache without a catalogue starts from the newest checkpoint that belongs to the log; then
only lists are read, and the parts of a table when a query needs them. Everything here can be made again from log,
manifests and packs: `rebuild` does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from sxeslake.catalog.model import CatalogHead, CatalogSource, MakeProgress, no_progress
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.checkpoint import PublishedCatalog, newest, publish
from sxeslake.catalog.store.snapshot import EMPTY, Snapshot
from sxeslake.model import DOCUMENT_BYTES

if TYPE_CHECKING:
    from sxeslake.storage.interface import Store

_LOG = logging.getLogger(__name__)

# What makes parts is imported where something is new: a query over an up-to-date catalogue must not wait for it.

CHECKPOINT_AHEAD: Final = 64
"""A checkpoint so many commits ahead of a local catalogue is taken instead of reading them."""


def sync(
    source: CatalogSource,
    cache: Cache,
    store: Store,
    progress: MakeProgress = no_progress,
    *,
    document_bytes: int = DOCUMENT_BYTES,
) -> Snapshot:
    """Bring the catalogue in `cache` to the head of the log; `store` holds the checkpoints.

    Documents of more than `document_bytes` are listed, and not read. A long run saves on its way what it has:
    whoever interrupts it loses little.
    """
    head = source.head()
    local = cache.load()
    # Of another log, or with parts that are gone or damaged: it is made again, and replaced.
    foreign = local is not None and not (_belongs(source, local, head) and cache.is_whole(local))
    start = _start(source, store, head, None if foreign else local)
    if local is not None and start is local and start.head == head:
        return start
    snapshot = start
    if start.head != head:
        from sxeslake.catalog.build.update import compacted, grown  # noqa: PLC0415 - see above

        _LOG.info("the catalogue is at commit %d, the log at %d; it is updated", start.head.number, head.number)
        small = start.of(["archives", "annotations", "packs"])  # what is there, and what may be hidden
        cache.need(small, store.get)
        for snapshot in grown(source, cache, start, progress, document_bytes):
            cache.save(snapshot, force=foreign)
            foreign = False
        snapshot = compacted(cache, snapshot)
    cache.save(snapshot, force=foreign)
    return snapshot


def rebuild(
    source: CatalogSource,
    cache: Cache,
    progress: MakeProgress = no_progress,
    *,
    document_bytes: int = DOCUMENT_BYTES,
) -> Snapshot:
    """Make the whole catalogue again from the log, the manifests and the packs alone."""
    from sxeslake.catalog.build.update import compacted, grown  # noqa: PLC0415 - see above

    *_, whole = grown(source, cache, Snapshot(), progress, document_bytes)
    snapshot = compacted(cache, whole)
    cache.save(snapshot, force=True)
    return snapshot


def checkpoint(store: Store, cache: Cache, snapshot: Snapshot) -> PublishedCatalog:
    """Merge what is due, then publish what is new."""
    from sxeslake.catalog.build.parts import PART_ROWS  # noqa: PLC0415 - see above
    from sxeslake.catalog.build.update import compacted  # noqa: PLC0415 - see above

    return publish(store, cache, compacted(cache, snapshot, most_rows=PART_ROWS, fetch=store.get))


def _start(source: CatalogSource, store: Store, head: CatalogHead, local: Snapshot | None) -> Snapshot:
    """The newest state that belongs to this log: the local one, a checkpoint, or nothing."""
    known = local.head.number if local else 0
    if head.number == known or (local is not None and head.number - known < CHECKPOINT_AHEAD):
        return local or Snapshot()
    published = newest(store, source.entry_hash, at_most=head.number)
    _LOG.debug("published catalogue: %s", "none" if published is None else f"of commit {published.head.number}")
    if published is None or (local is not None and published.head.number - known < CHECKPOINT_AHEAD):
        return local or Snapshot()
    return published


def _belongs(source: CatalogSource, local: Snapshot, head: CatalogHead) -> bool:
    """Whether a local catalogue was made from this log: the hash of its entry says so."""
    if local.head.number > head.number:
        return False
    return local.head in (head, EMPTY) or source.entry_hash(local.head.number) == local.head.entry_hash
