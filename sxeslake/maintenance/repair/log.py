"""Repairing `lake.json` and the log: an entry's exact bytes are put back, wherever they are still to be had.

They are proved by hash, and by the entries on both sides, before anything is overwritten. Where nobody has them, an
entry is written that stands for the lost one, so that the rest can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from sxeslake.errors import DamagedLakeError, ObjectExistsError, ObjectNotFoundError, ReadOnlyError
from sxeslake.format import checkpoint, correction, keys, logentry
from sxeslake.format.checkpoint import Stored
from sxeslake.format.logentry import Entry
from sxeslake.maintenance.repair import stand_in
from sxeslake.maintenance.report import Lost, Mended
from sxeslake.storage import Store
from sxeslake.vault import lakedoc
from sxeslake.vault.log import reader as log
from sxeslake.vault.log import segments
from sxeslake.vault.log.state import LogRecord
from sxeslake.vault.vault import Vault


class LogMender:
    """Puts back what is damaged or missing below `log/`."""

    def __init__(self, vault: Vault, others: Sequence[Store], tool: str, *, dry_run: bool) -> None:
        self._tool = tool
        self._vault, self._store, self._others, self._dry_run = vault, vault.store, others, dry_run
        self.mended: list[Mended] = []
        self.lost: list[Lost] = []
        self.displaced: list[LogRecord] = []  # whole entries that another one had to take the place of
        self._named: set[str] = set()  # ids in entries that were made here

    def lake_file(self) -> None:
        """Put `lake.json` back; where its bytes are lost, write one with what can still be made out."""
        try:
            data = self._store.get(keys.LAKE)
        except ObjectNotFoundError:
            data = b""
        found, what = lakedoc.restored(self._store, data) or self._from_others(keys.LAKE), "put back"
        if found is None:
            found, what = lakedoc.remade(data), "its own bytes are lost; written again"
        self._write(keys.LAKE, found)
        self.mended.append(Mended("lake", keys.LAKE, what))

    def _from_others(self, key: str) -> bytes | None:
        for store in self._others:
            try:
                return store.get(key)
            except ObjectNotFoundError:
                continue
        return None

    def entries(self, numbers: Sequence[int]) -> None:
        """Put entries back, the oldest first."""
        later = {damage.number: damage for damage in self._vault.damage if damage.later is not None}
        wanted = self._wanted(numbers)
        for number in sorted(numbers):
            if number in later:
                what = f"{later[number].detail} A newer sxeslake wrote it: install that, and repair with it"
                self.lost.append(Lost(keys.log_key(number), None, what))
                continue
            known, found = [], None
            for record in self._candidates(number):  # the last one, a correction, can take minutes
                if self._fits(record):
                    found = record
                    break
                known.append(record)
            if found is not None:
                self._put(found.entry, found.data, found.body)
                self.mended.append(Mended("log", keys.log_key(number), "its own bytes put back"))
                continue
            same = next((record for record in known if record.digest == wanted[number]), None)
            if same is None or not self._in_place_of(same):
                self._stand_in(number)

    def _wanted(self, numbers: Sequence[int]) -> dict[int, str | None]:
        """The hash that each entry must have, as the one behind it says; that one may be known here only."""
        found: dict[int, str | None] = {}
        before: dict[int, str | None] = {}
        for number in sorted(numbers, reverse=True):
            found[number] = log.expected(self._store, number) or before.get(number)
            same = (record for record in self._candidates(number) if record.digest == found[number])
            before[number - 1] = next((record.entry.previous for record in same), None)
        return found

    def strays(self, numbers: Sequence[int]) -> None:
        """Remove objects far behind the end of the log, unless one is an entry: that is left, and listed."""
        for number in numbers:
            key = keys.log_key(number)
            try:
                log.read_entry(self._store, number)
            except (DamagedLakeError, ObjectNotFoundError):
                if not self._dry_run:
                    self._store.delete([key])
                self.mended.append(Mended("log", key, "no entry, and far behind the end of the log: removed"))
            except ReadOnlyError as error:
                self.lost.append(Lost(key, None, error.what))
            else:
                self.lost.append(Lost(key, None, "an entry far behind the end of the log; all before it are lost"))

    def _in_place_of(self, known: LogRecord) -> bool:
        """What it says is known, but another entry stands before it now: the same behind that one."""
        try:
            entry = stand_in.in_place_of(self._vault, known, self._tool)
        except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError):  # the one before was not put back
            return False
        self._put(entry, *_dumped(entry))
        self.mended.append(Mended("log", keys.log_key(entry.number), "an equivalent entry replaces it"))
        return True

    def _stand_in(self, number: int) -> None:
        """Nobody has the entry: another takes its place, so that those behind it can be read."""
        key = keys.log_key(number)
        try:
            entry = stand_in.stand_in(self._vault, number, self._tool, self._named)
        except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError):  # the one before was not put back
            entry = None
        named = next((damage.names for damage in self._vault.damage if damage.number == number), [])
        again = [] if entry is None else log.named_by(entry)
        self.lost.append(Lost(key, None, "no cache, checkpoint or lake has this entry"))
        self.lost += [
            Lost(name, None, "its log entry is lost; ingest it again, what is stored of it is used")
            for name in named
            if name not in again
        ]
        if entry is None or self._dry_run:
            return
        self._put(entry, *_dumped(entry))
        self._named |= {pack.id for pack in entry.packs} | {manifest.id for manifest in entry.manifests}
        found = f"{len(entry.packs)} packs, {len(again)} archives found again"
        self.mended.append(Mended("log", key, f"a replacement entry exists: {found}"))

    def _put(self, entry: Entry, data: bytes, body: bytes | None) -> None:
        """Create an entry that is missing; write over one that is there only if it cannot be folded where it stands."""
        if self._dry_run:
            return
        key = keys.log_key(entry.number)
        if body is not None:
            needed = logentry.body_of(data, where=key)
            if needed is not None:
                self._store.replace(keys.body_key(needed[0]), body)
        try:
            self._store.create(key, data)
        except ObjectExistsError:
            there = self._there(entry.number)
            if there is not None and there.digest != entry.stands_for:
                self.displaced.append(there)
            if there is None or there.entry.previous != entry.previous:
                self._store.replace(key, data)

    def _there(self, number: int) -> LogRecord | None:
        """The bucket's own entry, if its hash proves it; ReadOnlyError for one of a later format."""
        try:
            return log.read_entry(self._store, number)
        except (DamagedLakeError, ObjectNotFoundError):
            return None

    def _write(self, key: str, data: bytes) -> None:
        if not self._dry_run:
            self._store.replace(key, data)

    def _candidates(self, number: int) -> Iterator[LogRecord]:
        """The entry from wherever it may be, each proved by its own hash."""
        with suppress(ReadOnlyError):
            there = self._there(number)  # it may be undamaged, while the entry before it is not the one it names
            if there is not None:
                yield there
        for state in (self._vault.state, self._vault.memory):
            if state is None:
                continue
            for data, body in state.select("SELECT data, body FROM entries WHERE number = ?", (number,)):
                with suppress(DamagedLakeError):
                    yield segments.record_of(number, Stored(data, body), keys.log_key(number))
        kept = segments.find(self._store, number)
        if kept is not None:
            yield kept
        for store in self._others:
            with suppress(DamagedLakeError, ObjectNotFoundError, ReadOnlyError):
                yield log.read_entry(store, number)
        corrected = log.corrected(self._store, number, correction.MAX_BIT_BYTES, any_byte=True)
        if corrected is not None:
            yield corrected

    def _fits(self, record: LogRecord) -> bool:
        """Whether the chain leads through this entry."""
        number = record.entry.number
        after = log.expected(self._store, number)
        if after is not None and after != record.digest:
            return False
        try:
            before = None if number == 1 else log.read_entry(self._store, number - 1).digest
        except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError):
            return after is not None or self._dry_run
        return before == record.entry.previous


def _dumped(entry: Entry) -> tuple[bytes, bytes | None]:
    data, body = logentry.dump(entry)
    return data, None if body is None else body[1]


def checkpoints(vault: Vault, *, dry_run: bool) -> list[Mended]:
    """Rebuild the newest checkpoint of the log, and drop what is damaged of older ones: it is all derived."""
    if dry_run:
        return [Mended("checkpoint", keys.CHECKPOINT_PREFIX, "rebuilt")]
    for number in segments.published_numbers(vault.store):
        index = segments.load(vault.store, number)
        if index is None or vault.state.digest(number) != index.entry_hash or not _readable(vault, index):
            vault.store.delete([checkpoint.index_key(number)])
    made = segments.publish(vault.store, vault.state, again=True)
    return [] if made is None else [Mended("checkpoint", checkpoint.index_key(made.number), "rebuilt")]


def _readable(vault: Vault, index: checkpoint.Index) -> bool:
    try:
        for _ in segments.entries(vault.store, index):
            pass
    except (DamagedLakeError, ObjectNotFoundError):
        return False
    return True
