"""Committing again what a log entry had added that the log does not count: the commits of a fork, and void items.

A fork comes from a bucket that was rolled back, or from entries that were lost while others wrote on. Its entries are
whole, but another one stands in their place. What they added goes into a new entry at the head, under new numbers where
the old ones are taken, as far as its objects are there; what cannot be had is listed as lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sxeslake.format import keys, logentry
from sxeslake.format.logentry import ArchiveAdded, Entry, Void
from sxeslake.maintenance.report import Lost, Mended
from sxeslake.maintenance.retention.readding import free_number
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, LogRecord
from sxeslake.vault.vault import Vault

_AGAIN = "forget, restore, move or collect again what is still to be"


class CommitAgain:
    """One entry that has what other entries added in vain."""

    def __init__(self, vault: Vault, displaced: Sequence[LogRecord], tool: str) -> None:
        self._vault, self._displaced = vault, displaced
        self._blank = blank_entry(tool, "repair: committed again what the log did not count")
        self._void = vault.state.void()
        self.mended: list[Mended] = []
        self.lost: list[Lost] = []

    @property
    def problems(self) -> int:
        """How many entries are looked at."""
        return len(self._displaced) + len(self._void)

    def run(self, *, dry_run: bool) -> int | None:
        """Commit it; the number of the entry, None where there was nothing to commit."""
        if not self.problems:
            return None
        if dry_run:
            self._entry(self._vault.state.head())
            return None
        record = self._vault.commit(self._entry)
        return None if record is None else record.entry.number

    def _entry(self, head: Head) -> Entry | None:
        """The entry behind a head; decided again where another commit came first."""
        self.mended, self.lost = [], []
        made = _DraftEntry(self._vault, replace(self._blank, number=head.number + 1, previous=head.digest))
        for record in self._displaced:
            made.add(record.entry)
            if any((record.entry.moved, record.entry.forgotten, record.entry.restored, record.entry.collected)):
                self.lost.append(Lost(f"entry {record.entry.number} of a fork", None, _AGAIN))
            self.mended.append(Mended("log", keys.log_key(record.entry.number), "its fork was committed again"))
        for number, items in self._void.items():
            made.add(self._void_part(number, items))
            key = keys.log_key(number)
            self.mended.append(Mended("log", key, f"{len(items)} invalid items, skipped by readers"))
            self.lost += [  # not even its name can be told
                Lost(key, None, f"{item.what}: {item.why}; ingest that archive again")
                for item in items
                if item.what.startswith("archives") and item.at < 0
            ]
        self.lost += made.lost
        made.entry = replace(made.entry, settled=tuple(self._void))
        return made.entry if self._void or made.adds else None

    def _void_part(self, number: int, items: Iterable[Void]) -> Entry:
        """The packs, manifests and versions of an entry that are void because their id or name is taken."""
        ((data, body),) = self._vault.state.select("SELECT data, body FROM entries WHERE number = ?", (number,))
        whole = logentry.load(data, body, where=keys.log_key(number))
        at = {item.at for item in items if item.field == "archives"}
        archives = tuple(archive for place, archive in enumerate(whole.archives) if place in at)
        return replace(
            whole, archives=archives, packs=(), manifests=(), tags=(), annotations=(), paths=(), calibrations=()
        )


class _DraftEntry:
    """An entry in the making, and what could not be brought into it."""

    def __init__(self, vault: Vault, blank: Entry) -> None:
        self._vault, self.entry = vault, blank
        self.lost: list[Lost] = []
        self._numbers: dict[tuple[str, int], int] = {}  # versions of one fork → their numbers now
        self._taken: set[tuple[str, int]] = set()

    @property
    def adds(self) -> bool:
        """Whether there is anything to commit."""
        entry = self.entry
        marks = (entry.tags, entry.annotations, entry.paths, entry.calibrations)
        return any((entry.packs, entry.manifests, entry.archives, *marks))

    def add(self, old: Entry) -> None:
        """Take what an entry added, as far as it is there and not in the log already."""
        store, state, new = self._vault.store, self._vault.state, self.entry
        known = state.known("packs", [pack.id for pack in old.packs]) | {pack.id for pack in new.packs}
        packs = [
            pack for pack in old.packs if pack.id not in known and store.size(keys.pack_key(pack.id)) == pack.bytes
        ]
        known = state.known("manifests", [item.id for item in old.manifests]) | {item.id for item in new.manifests}
        manifests = [
            item for item in old.manifests
            if item.id not in known and store.size(keys.manifest_key(item.id)) == item.bytes
        ]  # fmt: skip
        self.entry = replace(new, packs=(*new.packs, *packs), manifests=(*new.manifests, *manifests))
        for archive in old.archives:
            self._add_version(archive)
        self._add_marks(old)

    def _add_version(self, archive: ArchiveAdded) -> None:
        state, name = self._vault.state, (archive.sample, archive.version)
        same = state.versions(
            "status <> 'collected' AND v.sample = ? AND v.content_id = ? AND v.layout_id = ?",
            (archive.sample, archive.content_id, archive.layout_id),
        )
        if same:
            self._numbers[name] = same[0].version
            return
        if archive.manifest not in {item.id for item in self.entry.manifests} | state.manifests().keys():
            self.lost.append(Lost(f"{name[0]}@{name[1]}", None, "its member table is not there; ingest it again"))
            return
        number = free_number(state, archive, self.entry.archives)
        self._taken.add((archive.sample, number))
        self._numbers[name] = number
        alive = state.live_packs(sorted(archive.needs)) | {pack.id for pack in self.entry.packs}
        moved = replace(archive, version=number, needs=tuple(pack for pack in archive.needs if pack in alive))
        self.entry = replace(self.entry, archives=(*self.entry.archives, moved))

    def _add_marks(self, old: Entry) -> None:
        """Tags, annotations and paths, on the versions as they are numbered now; calibrations as they are."""
        tags = [mark for item in old.tags if (mark := self._renumbered(item)) is not None]
        said = [item for each in old.annotations if (item := self._renumbered(each)) is not None]
        paths = [item for each in old.paths if (item := self._renumbered(each)) is not None]
        new = self.entry
        self.entry = replace(
            new, tags=(*new.tags, *tags), annotations=(*new.annotations, *said), paths=(*new.paths, *paths),
            calibrations=(*new.calibrations, *old.calibrations),
        )  # fmt: skip

    def _renumbered(self, item: Any) -> dict[str, Any] | None:
        sample, version = item["sample"], item.get("version")
        if version is None:
            there = self._vault.state.versions("v.sample = ?", (sample,))
            return dict(item) if there or any(name == sample for name, _ in self._taken) else None
        number = self._numbers.get((sample, version), version)
        there = self._vault.state.versions("v.sample = ? AND v.version = ?", (sample, number))
        if not there and (sample, number) not in self._taken:
            return None
        tag = {"tag": str(number)} if item.get("kind") == "hold" else {}  # a hold goes by the number of its version
        return {**item, "version": number, **tag}
