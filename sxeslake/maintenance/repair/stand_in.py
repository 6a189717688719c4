"""An entry that stands for one that is lost: what it had added is found again from what nobody else names.

Its packs are read by their footers, its member tables by their own checksums; an archive comes back under its name
where the damaged entry can still be read and the table proves the archive's content.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError, ReadOnlyError
from sxeslake.format import keys, logentry, pack
from sxeslake.format.lakefile import HASHED_FROM, sealed
from sxeslake.format.logentry import ArchiveAdded, Entry, ManifestAdded, PackAdded
from sxeslake.format.manifest import Manifest, footer_bytes
from sxeslake.maintenance.repair.manifests import content_of
from sxeslake.vault.blobs.reader import decode_frame
from sxeslake.vault.log import reader as log
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import LogRecord
from sxeslake.vault.vault import Vault


def stand_in(vault: Vault, number: int, tool: str, named: AbstractSet[str]) -> Entry:
    """The entry that takes the place of entry `number`; those before it can be read.

    `named` are ids that an entry made before this one has: they are in no entry that `vault` has folded.
    """
    previous = None if number == 1 else log.read_entry(vault.store, number - 1).digest
    packs = tuple(item for item in _packs(vault) if item.id not in named)
    manifests = tuple(item for item in _manifests(vault) if item.id not in named)
    entry = replace(
        blank_entry(tool, f"replaces entry {number}, which is lost"),
        number=number, previous=previous, packs=packs, manifests=manifests,
        stands_for=log.expected(vault.store, number),
    )  # fmt: skip
    alive = set(vault.state.packs()) | {item.id for item in packs}
    archives = [replace(item, needs=tuple(sorted(alive & set(item.needs))), recipe={})
                for item in _archives(vault, number, {item.id: item for item in manifests})]  # fmt: skip
    return replace(entry, archives=tuple(archives))


def in_place_of(vault: Vault, lost: LogRecord, tool: str) -> Entry:
    """The entry that takes the place of one that is known, and does not follow the one before any more.

    It says the same, behind the entry that stands there now.
    """
    number = lost.entry.number
    previous = None if number == 1 else log.read_entry(vault.store, number - 1).digest
    blank = blank_entry(tool, f"replaces entry {number} of {lost.entry.who}: what is before it has changed")
    return replace(
        lost.entry, previous=previous, stands_for=lost.digest, transaction=blank.transaction, time=blank.time,
        who=blank.who, host=blank.host, tool=tool, message=blank.message, void=(), format=blank.format,
    )  # fmt: skip


def _unnamed(vault: Vault, prefix: str, table: str) -> Iterator[tuple[str, str, int]]:
    """Objects below a prefix that no readable entry names: key, id, size."""
    known = {name for (name,) in vault.state.select(f"SELECT id FROM {table}")}
    for info in vault.store.list(prefix):
        found = keys.id_of(info.key)
        if found is not None and found not in known:
            yield info.key, found, info.size


def _packs(vault: Vault) -> Iterator[PackAdded]:
    for key, pack_id, size in _unnamed(vault, keys.PACK_PREFIX, "packs"):
        try:
            tail, _ = vault.store.get_tail(key, pack.TAIL_BYTES)
            start = pack.footer_start(tail, size, where=key)
            footer = pack.load_footer(pack_id, vault.store.get_range(key, start, size), where=key)
            first = vault.store.get_range(
                key, int(footer.frame_offsets[0]), int(footer.frame_offsets[0]) + int(footer.frame_lengths[0])
            )
            kind = "json" if decode_frame(first, where=key)[:1] in (b"{", b"[") else "array"
        except (DamagedLakeError, ObjectNotFoundError, IndexError):
            continue  # `gc` takes it for an orphan
        yield PackAdded(pack_id, kind, size, size - start, len(footer.digests), footer.raw_bytes)


def _manifests(vault: Vault) -> Iterator[ManifestAdded]:
    for key, manifest_id, _ in _unnamed(vault, keys.MANIFEST_PREFIX, "manifests"):
        try:
            data = vault.store.get(key)
            footer = footer_bytes(data)
            if not 0 < footer < len(data):
                continue
            Manifest(manifest_id, len(data), data[-footer:])
        except (DamagedLakeError, ObjectNotFoundError, ValueError, ArithmeticError):
            continue
        digests = blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest()
        yield ManifestAdded(manifest_id, len(data), footer, *digests)


def _archives(vault: Vault, number: int, manifests: dict[str, ManifestAdded]) -> Iterator[ArchiveAdded]:
    """The versions that the damaged entry still tells of, as far as their tables prove them."""
    for archive in _said(vault, number):
        record = manifests.get(archive.manifest)
        taken = vault.state.versions("v.sample = ? AND v.version = ?", (archive.sample, archive.version))
        if record is None or taken or not archive.sample or archive.version < 1:
            continue
        if content_of(vault, record, archive) == (archive.content_id, archive.layout_id):
            yield archive


def _said(vault: Vault, number: int) -> tuple[ArchiveAdded, ...]:
    key = keys.log_key(number)
    try:
        data = vault.store.get(key)
        again = sealed(b"{" + data[HASHED_FROM + 2 :])
        needed = logentry.body_of(again, where=key)
        body = None if needed is None else vault.store.get(keys.body_key(needed[0]))
        return logentry.load(again, body, where=key).archives
    except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError):
        return ()
