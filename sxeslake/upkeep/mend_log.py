"""Mending `lake.json` and the log: an entry's exact bytes are put back, wherever they are still to be had.

They are proved by hash, and by the entries on both sides, before anything is overwritten. Where nobody has them, an
entry is written that stands for the lost one, so that the rest can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import checkpoint, correction, keys, logentry
from sxeslake.format.checkpoint import Stored
from sxeslake.storage import Store
from sxeslake.upkeep import stand_in
from sxeslake.upkeep.report import Lost, Mended
from sxeslake.vault import lakedoc, log, segments
from sxeslake.vault.state import LogRecord
from sxeslake.vault.vault import Vault


class LogMender:
    """Puts back what is damaged or missing below `log/`."""

    def __init__(self, vault: Vault, others: Sequence[Store], tool: str, *, dry_run: bool) -> None:
        self._tool = tool
        self._vault, self._store, self._others, self._dry_run = vault, vault.store, others, dry_run
        self.mended: list[Mended] = []
        self.lost: list[Lost] = []

    def lake_file(self) -> None:
        """Put `lake.json` back."""
        try:
            data = self._store.get(keys.LAKE)
        except ObjectNotFoundError:
            data = b""
        found = lakedoc.restored(self._store, data) or self._from_others(keys.LAKE)
        if found is None:
            self.lost.append(Lost(keys.LAKE, None, "nobody has its bytes; write it again from a backup"))
            return
        self._replace(keys.LAKE, found)
        self.mended.append(Mended("lake", keys.LAKE, "put back"))

    def _from_others(self, key: str) -> bytes | None:
        for store in self._others:
            try:
                return store.get(key)
            except ObjectNotFoundError:
                continue
        return None

    def entries(self, numbers: Sequence[int]) -> None:
        """Put entries back, the oldest first."""
        for number in sorted(numbers):
            found = next((record for record in self._candidates(number) if self._fits(record)), None)
            if found is None:
                self._stand_in(number)
                continue
            if found.body is not None:
                needed = logentry.body_of(found.data, where=keys.log_key(number))
                if needed is not None:
                    self._replace(keys.body_key(needed[0]), found.body)
            self._replace(keys.log_key(number), found.data)
            self.mended.append(Mended("log", keys.log_key(number), "its own bytes put back"))

    def _stand_in(self, number: int) -> None:
        """Nobody has the entry: another takes its place, so that those behind it can be read."""
        key = keys.log_key(number)
        try:
            entry = stand_in.stand_in(self._vault, number, self._tool)
        except (DamagedLakeError, ObjectNotFoundError):  # the one before is lost, too, and was not put back
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
        data, body = logentry.dump(entry)
        if body is not None:
            self._replace(keys.body_key(body[0]), body[1])
        self._replace(key, data)
        found = f"{len(entry.packs)} packs, {len(again)} archives found again"
        self.mended.append(Mended("log", key, f"an entry stands for it: {found}"))

    def _replace(self, key: str, data: bytes) -> None:
        if not self._dry_run:
            self._store.replace(key, data)

    def _candidates(self, number: int) -> Iterator[LogRecord]:
        """The entry from wherever it may be, each proved by its own hash."""
        for data, body in self._vault.state.select("SELECT data, body FROM entries WHERE number = ?", (number,)):
            if data:
                yield segments.record_of(number, Stored(data, body), keys.log_key(number))
        kept = segments.find(self._store, number)
        if kept is not None:
            yield kept
        for store in self._others:
            try:
                yield log.read_entry(store, number)
            except (DamagedLakeError, ObjectNotFoundError):
                continue
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
        except (DamagedLakeError, ObjectNotFoundError):
            return after is not None or self._dry_run
        return before == record.entry.previous


def checkpoints(vault: Vault, *, dry_run: bool) -> list[Mended]:
    """Make the newest checkpoint of the log anew, and drop what is damaged of older ones: it is all derived."""
    if dry_run:
        return [Mended("checkpoint", keys.CHECKPOINT_PREFIX, "made anew")]
    for number in segments.published_numbers(vault.store):
        index = segments.load(vault.store, number)
        if index is None or vault.state.digest(number) != index.entry_hash or not _readable(vault, index):
            vault.store.delete([checkpoint.index_key(number)])
    made = segments.publish(vault.store, vault.state, again=True)
    return [] if made is None else [Mended("checkpoint", checkpoint.index_key(made.number), "made anew")]


def _readable(vault: Vault, index: checkpoint.Index) -> bool:
    try:
        for _ in segments.entries(vault.store, index):
            pass
    except (DamagedLakeError, ObjectNotFoundError):
        return False
    return True
