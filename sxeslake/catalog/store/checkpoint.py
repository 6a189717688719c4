"""Catalogue parts in the bucket: what one client made, all others download.

A checkpoint's `parts.json` names parts of earlier checkpoints where they lie: publishing uploads only what is new.
Everything is create-only; parts are named by their hash, so whoever comes second has nothing to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sxeslake.catalog.model import CatalogHead
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.snapshot import Snapshot, load_snapshot, manifest_key
from sxeslake.errors import DamagedLakeError, NotFoundError, ObjectExistsError
from sxeslake.format.keys import CHECKPOINT_PREFIX

if TYPE_CHECKING:
    from sxeslake.storage.interface import Store

_MANIFEST: Final = re.compile(rf"{CHECKPOINT_PREFIX}(\d{{20}})/catalog/parts\.json")
_UPLOADS: Final = 4

HashOf = Callable[[int], str | None]
"""Number of a log entry → its hash, None where there is no such entry."""


@dataclass(frozen=True, slots=True)
class PublishedCatalog:
    """What publishing cost."""

    snapshot: Snapshot
    parts: int
    bytes: int


def publish(store: Store, cache: Cache, snapshot: Snapshot) -> PublishedCatalog:
    """Upload the parts that no checkpoint holds yet, then the list of all."""
    number = snapshot.head.number
    new = [part for part in snapshot.parts if part.home is None]
    placed = snapshot.at_home(number)
    homes = {part.name: part for part in placed.parts}
    with ThreadPoolExecutor(_UPLOADS, "sxeslake-publish") as pool:
        uploads = [pool.submit(_create, store, homes[part.name].key, cache.read(part)) for part in new]
        for upload in uploads:
            upload.result()
    manifest = placed.dump()
    _create(store, manifest_key(number), manifest)
    cache.save(placed)
    return PublishedCatalog(placed, len(new), sum(part.bytes for part in new) + len(manifest))


def _create(store: Store, key: str, data: bytes) -> None:
    try:
        store.create(key, data)
    except ObjectExistsError:  # the same hash, or another client's list of the same commit: as good as ours
        return


def newest(store: Store, hash_of: HashOf, *, at_most: int) -> Snapshot | None:
    """The newest published snapshot that belongs to this log and has the columns that this version knows."""
    for number in published_numbers(store):
        if number > at_most:
            continue
        snapshot = load_published(store, number)
        if snapshot is not None and snapshot.head == CatalogHead(number, hash_of(number)):
            return snapshot
    return None


def published_numbers(store: Store) -> list[int]:
    """Numbers of the checkpoints that have a catalogue, newest first."""
    found = (_MANIFEST.fullmatch(info.key) for info in store.list(CHECKPOINT_PREFIX))
    return sorted((int(match[1]) for match in found if match), reverse=True)


def load_published(store: Store, number: int) -> Snapshot | None:
    """The list of parts of one checkpoint; None where it is gone, unreadable, or its tables have other columns."""
    key = manifest_key(number)
    try:
        snapshot = load_snapshot(store.get(key), where=key)
    except (NotFoundError, DamagedLakeError):
        return None
    return None if snapshot is None or any(part.home is None for part in snapshot.parts) else snapshot


def needed_keys(snapshots: Iterable[Snapshot]) -> set[str]:
    """Every object that some published lists need: what a clean-up of old checkpoints must leave alone."""
    kept = list(snapshots)
    return {part.key for snapshot in kept for part in snapshot.parts if part.home is not None} | {
        manifest_key(snapshot.head.number) for snapshot in kept
    }
