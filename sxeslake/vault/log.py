"""Reading the log from the bucket: where its head is, and what stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError, ReadOnlyError, SxeslakeError
from sxeslake.format import correction, keys, lakefile, logentry
from sxeslake.format.checkpoint import Stored
from sxeslake.format.logentry import Entry
from sxeslake.model import KIB
from sxeslake.storage import Store
from sxeslake.vault import segments
from sxeslake.vault.state import LogRecord, State

_AT_ONCE = 256  # entries fetched before they are folded: bounds the memory of a cold open
_READERS = 16
_WORTH_A_CHECKPOINT = 64  # entries that are missing here: fewer are read one by one, without a listing
_NAMED = re.compile(rb'"sample":("(?:[^"\\]|\\.)*"),"version":(\d{1,18})')
_QUICK_BYTES = 16 * KIB  # of an entry that is corrected on the way: half a second at most
_HINT = "Run `sxeslake verify`, then `sxeslake repair`."


class Damage(NamedTuple):
    """A log entry that cannot be had, and the versions that it seems to have named."""

    number: int
    detail: str
    names: list[str]
    later: str | None = None  # the hash of an entry of a later format: whole, and not understood here


Gap = Callable[[Damage], None]
"""Told of an entry that is lost; folding goes on behind it."""


def read_entry(store: Store, number: int) -> LogRecord:
    """One entry with its body, proved; ObjectNotFoundError past the head."""
    key = keys.log_key(number)
    data = store.get(key)
    body = None
    needed = logentry.body_of(data, where=key) if b'"body"' in data else None
    if needed is not None:
        body = store.get(keys.body_key(needed[0]))
    return segments.record_of(number, Stored(data, body), key)


def find_head(store: Store, known: int) -> int:
    """The newest number at or behind `known`: gallop, then bisect; no listing, which may lag or lie."""
    low, step = known, 1
    while store.size(keys.log_key(low + step)) is not None:
        low, step = low + step, step * 2
    high = low + step  # absent
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if store.size(keys.log_key(middle)) is not None else (low, middle)
    return low


def listed_head(store: Store) -> int:
    """The newest number that a listing shows, also behind an entry that is missing; for checks, never for commits."""
    numbers = re.compile(rf"{keys.LOG_PREFIX}(\d{{20}})\.json")
    found = (numbers.fullmatch(info.key) for info in store.list(keys.LOG_PREFIX))
    return max((int(match[1]) for match in found if match), default=0)


def sync(store: Store, state: State, gap: Gap | None = None, *, memory: State | None = None) -> None:
    """Bring the folded state to the head of the bucket's log.

    A damaged entry is taken from a checkpoint that has it, or corrected where one bit of it is wrong; else
    DamagedLakeError. With `gap` that one is told, and an empty entry folded in its place. `memory` is a state that
    folded this log before: an entry that the bucket has lost is taken from there if the log's own hashes prove it.
    """
    head = state.head()
    with ThreadPoolExecutor(1) as asker:  # both at once: a far bucket is asked twice for each command
        agrees = asker.submit(_agrees, store, head.number, head.digest) if head.number else None
        newest = find_head(store, head.number)
    if agrees is not None and not agrees.result():
        state.forget_everything()
        head = state.head()
        newest = find_head(store, head.number)
    if gap is not None or newest == 0:  # a lake that looks empty may have lost its first entry
        newest = max(newest, listed_head(store))
    if newest - head.number >= _WORTH_A_CHECKPOINT:
        _fold_checkpoint(store, state, newest)
    numbers = range(state.head().number + 1, newest + 1)
    if len(numbers) == 1:
        _fold(store, state, [_read(store, numbers[0], memory)], gap)
    elif numbers:
        with ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(numbers), _AT_ONCE):
                read = list(readers.map(lambda n: _read(store, n, memory), numbers[start : start + _AT_ONCE]))
                _fold(store, state, read, gap)
    if memory is not None:
        _go_on(store, state, memory)


def _go_on(store: Store, state: State, memory: State) -> None:
    """Fold what is remembered behind the bucket's last entry: if it follows, the bucket has lost its newest entries."""
    for number in range(state.head().number + 1, memory.head().number + 1):
        record = _remembered(store, number, memory)
        if record is None or record.entry.previous != state.head().digest:
            return
        state.apply([record])


def _fold_checkpoint(store: Store, state: State, newest: int) -> None:
    """Fold from segments what they have, if they are of this log: their last entry must be the bucket's own."""
    index = segments.newest(store, at_most=newest, state=state)
    if index is None or index.number <= state.head().number or not _agrees(store, index.number, index.entry_hash):
        return
    records = segments.entries(store, index, after=state.head().number)
    try:
        while part := list(islice(records, _AT_ONCE)):
            state.apply(part)
    except (DamagedLakeError, ObjectNotFoundError):
        return  # derived, and not to be believed: the entries themselves say what is so


def _read(store: Store, number: int, memory: State | None) -> LogRecord | Damage:
    key = keys.log_key(number)
    try:
        return read_entry(store, number)
    except ReadOnlyError as error:
        return Damage(number, error.what, [], logentry.digest_of(store.get(key), where=key))
    except (DamagedLakeError, ObjectNotFoundError) as error:
        kept = segments.find(store, number) or corrected(store, number, _QUICK_BYTES, any_byte=False)
        if kept is None and memory is not None:
            kept = _remembered(store, number, memory)
        return kept if kept is not None else Damage(number, str(error), _names(store, key))


def _remembered(store: Store, number: int, memory: State) -> LogRecord | None:
    """An entry from a state that folded it, if the entry behind it does not say otherwise."""
    for data, body in memory.select("SELECT data, body FROM entries WHERE number = ? AND data <> x''", (number,)):
        with suppress(DamagedLakeError):
            record = segments.record_of(number, Stored(data, body), keys.log_key(number))
            if expected(store, number) in (None, record.digest):
                return record
    return None


def corrected(store: Store, number: int, limit_bytes: int, *, any_byte: bool) -> LogRecord | None:
    """An entry of which one byte is wrong, as it was: proved by its hash like any other. None where that fails."""
    key = keys.log_key(number)
    try:
        data = store.get(key)
        if len(data) > limit_bytes:
            return None
        whole = (
            data
            if lakefile.is_proved(data)
            else correction.corrected_sealed(data, expected(store, number), any_byte=any_byte)
        )
        if whole is None:
            return None
        needed, body = logentry.body_of(whole, where=key), None
        if needed is not None:
            body = store.get(keys.body_key(needed[0]))
            body = (
                correction.corrected(body, needed[0], any_byte=any_byte)
                if blake3(body).hexdigest() != needed[0]
                else body
            )
        return segments.record_of(number, Stored(whole, body), key)
    except (DamagedLakeError, ObjectNotFoundError):
        return None


def _names(store: Store, key: str) -> list[str]:
    """The versions that a damaged entry names, as far as that can be read."""
    try:
        found = _NAMED.findall(store.get(key))
    except ObjectNotFoundError:
        return []
    return list(dict.fromkeys(f"{sample[1:-1].decode('utf-8', 'replace')}@{int(version)}" for sample, version in found))


def _fold(store: Store, state: State, found: Sequence[LogRecord | Damage], gap: Gap | None) -> None:
    """Fold what was read; with `gap`, an empty entry in the place of each that cannot be had or does not follow."""
    if gap is None:
        lost = next((item for item in found if isinstance(item, Damage)), None)
        if lost is not None:
            raise refusal(lost)
        state.apply([item for item in found if isinstance(item, LogRecord)])
        return
    for item in found:
        damage = item if isinstance(item, Damage) else _misplaced(state, item)
        if isinstance(item, LogRecord) and damage is None:
            state.apply([item])
        elif damage is not None:
            gap(damage)
            state.apply([_placeholder(store, state, damage)])


def refusal(damage: Damage) -> SxeslakeError:
    """What a writer is told of an entry that it cannot go past."""
    where = keys.log_key(damage.number)
    if damage.later is not None:
        return ReadOnlyError(damage.detail, where=where, hint="Install a newer sxeslake.")
    return DamagedLakeError(damage.detail, hint=_HINT)


def _misplaced(state: State, record: LogRecord) -> Damage | None:
    """An entry that its hash proves and that does not follow: it was written on another log, or this one lost some."""
    head = state.head()
    if record.entry.previous == head.digest:
        return None
    number = record.entry.number
    return Damage(number, f"log entry {number} does not follow entry {head.number}.", named_by(record.entry))


def _placeholder(store: Store, state: State, damage: Damage) -> LogRecord:
    """An empty entry in the place of a lost one, with the hash by which the next one names it; its bytes are none."""
    number = damage.number
    lost = blake3(f"lost entry {number}".encode()).hexdigest()
    return LogRecord(_empty(number, state.head().digest), damage.later or expected(store, number) or lost, b"", None)


def _empty(number: int, previous: str | None) -> Entry:
    return Entry(number, previous, "", "", "", "", "")


def expected(store: Store, number: int) -> str | None:
    """The hash that the next entry says this one has; None where that cannot be had either."""
    try:
        return read_entry(store, number + 1).entry.previous
    except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError):
        return None


def named_by(entry: Entry) -> list[str]:
    """The versions that an entry adds or changes."""
    added = [(archive.sample, archive.version) for archive in entry.archives]
    added += [(moved.sample, moved.version) for moved in entry.moved]
    names = [*added, *entry.forgotten, *entry.restored, *entry.collected]
    names += [(str(tag["sample"]), tag.get("version", 0)) for tag in entry.tags if tag.get("version")]
    return list(dict.fromkeys(f"{sample}@{version}" for sample, version in names))


def _agrees(store: Store, number: int, digest: str | None) -> bool:
    """Whether the bucket's entry is the one that was folded: a lake can be restored from a backup.

    A damaged entry is: what was folded was proved then, so reading goes on, and `verify` names the damage.
    """
    key = keys.log_key(number)
    try:
        data = store.get(key)
        if logentry.digest_of(data, where=key) == digest:
            return True
        return b'"stands_for"' in data and read_entry(store, number).digest == digest
    except ObjectNotFoundError:
        return False
    except DamagedLakeError:
        return True
