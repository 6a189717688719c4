"""Reading the log from the bucket: where its head is, and what stands in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, TypeVar

from blake3 import blake3

from sxeslake.batching import batches
from sxeslake.errors import DamagedLakeError, ObjectNotFoundError, ReadOnlyError, SxeslakeError
from sxeslake.format import correction, keys, lakefile, logentry
from sxeslake.format.checkpoint import Stored
from sxeslake.format.logentry import Entry
from sxeslake.machine.concurrency import in_order
from sxeslake.model import KIB, MIB
from sxeslake.storage import Store
from sxeslake.vault.log import segments
from sxeslake.vault.log.state import Head, LogRecord, LogState

_LOG = logging.getLogger(__name__)

_AT_ONCE = 256  # entries folded in one transaction …
_AT_ONCE_BYTES = 4 * MIB  # … and bytes of them, which take ten times as much as objects: the memory of a cold open
_READERS = 16
_IN_FLIGHT = 24  # entries that are read and wait
LONGEST_GAP = 10_000  # entries lost in a row: an object further ahead is no entry of the log
_WORTH_A_CHECKPOINT = 64  # entries that are missing here: fewer are read one by one, without a listing
_ENTRY = re.compile(rf"{keys.LOG_PREFIX}(\d{{20}})\.json")
_NAMED = re.compile(rb'"sample":("(?:[^"\\]|\\.)*"),"version":(\d{1,18})')
_QUICK_BYTES = 16 * KIB  # of an entry that is corrected on the way: half a second at most
_HINT = "Run `sxeslake verify`, then `sxeslake repair`."


class DamagedEntry(NamedTuple):
    """A log entry that cannot be had, and the versions that it seems to have named."""

    number: int
    detail: str
    names: list[str]
    is_missing: bool = False
    later: str | None = None  # the hash of an entry of a later format: whole, and not understood here
    record: LogRecord | None = None  # the entry all the same, as this machine has read it before


R = TypeVar("R", LogRecord, LogRecord | DamagedEntry)

Gap = Callable[[DamagedEntry], None]
"""Told of an entry that is lost; folding goes on behind it."""

Displaced = Callable[[list[tuple[int, str, bytes, bytes | None]]], None]
"""Told of entries that were folded and that the bucket's log does not have: number, hash, bytes, body."""


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


def listed_behind(store: Store, number: int) -> list[int]:
    """The numbers of entries behind one, in order, as a listing shows them: also those behind missing ones."""
    listing = store.list(f"{keys.LOG_PREFIX}0", after=keys.log_key(number))
    found = (_ENTRY.fullmatch(info.key) for info in listing)
    return sorted(int(match[1]) for match in found if match)


def newest_behind(store: Store, number: int) -> int:
    """The newest entry at or behind one, over any gap that a log can have."""
    newest = number
    for found in listed_behind(store, number):
        if found - newest > LONGEST_GAP:
            break
        newest = found
    return newest


def check_end(store: Store, number: int) -> None:
    """DamagedLakeError where entries stand behind the end of the log: those between were lost."""
    for found in listed_behind(store, number)[:1]:
        if number + 1 < found <= number + LONGEST_GAP and store.size(keys.log_key(number + 1)) is None:
            raise DamagedLakeError(missing(number + 1, found - 1) + ", and later ones are there.", hint=_HINT)


def missing(first: int, last: int) -> str:
    """`log entry 7 is missing`, `log entries 7 to 9 are missing`."""
    return f"log entry {first} is missing" if first == last else f"log entries {first} to {last} are missing"


def sync(
    store: Store,
    state: LogState,
    gap: Gap | None = None,
    *,
    memory: LogState | None = None,
    displaced: Displaced | None = None,
) -> None:
    """Bring the folded state to the head of the bucket's log.

    A damaged entry is taken from a checkpoint that has it, or corrected where one bit of it is wrong; else
    DamagedLakeError, or ReadOnlyError for one of a later format. With `gap` that one is told, and an empty entry
    folded in its place. `memory` is a state that folded this log before: with `gap`, an entry that the bucket has lost
    is taken from there if the log's own hashes prove it. Where the bucket holds another log than the one that was
    folded, `displaced` is told of the entries that it has no more.
    """
    head = state.head()
    with ThreadPoolExecutor(1) as asker:  # both at once: a far bucket is asked twice for each command
        agrees = asker.submit(_agrees, store, head.number, head.digest) if head.number else None
        newest = find_head(store, head.number)
    if agrees is not None and not agrees.result():
        _part(store, state, displaced)
        head = state.head()
        newest = find_head(store, head.number)
    if gap is not None or head.number == 0:  # who knows the log from before would have met a gap
        newest = newest_behind(store, newest)
    if newest - head.number >= _WORTH_A_CHECKPOINT:
        _fold_checkpoint(store, state, newest)
    numbers = range(state.head().number + 1, newest + 1)
    if numbers:
        _LOG.debug("reading log entries %d to %d", numbers[0], numbers[-1])
    if len(numbers) == 1:
        _fold(store, state, [_read(store, numbers[0], memory)], gap)
    elif numbers:
        jobs = ((lambda number=number: _read(store, number, memory)) for number in numbers)
        for read in _together(in_order(jobs, threads=_READERS, in_flight=_IN_FLIGHT)):
            _fold(store, state, read, gap)
    if memory is not None:
        _go_on(store, state, memory, gap)


def _together(records: Iterable[R]) -> Iterator[list[R]]:
    """Entries that are folded at once."""
    return batches(records, _bytes_of, _AT_ONCE_BYTES, _AT_ONCE)


def _bytes_of(record: LogRecord | DamagedEntry) -> int:
    return len(record.data) + len(record.body or b"") if isinstance(record, LogRecord) else 0


def _part(store: Store, state: LogState, displaced: Displaced | None) -> None:
    """The bucket has no more what was folded: entries were lost, or it holds another log from some number on."""
    head = state.head().number
    low, high = 0, head  # the newest entry that both have is at or behind `low`, and before `high`
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _agrees(store, middle, state.digest(middle)) else (low, middle)
    if store.size(keys.log_key(high)) is None:
        last = next((number - 1 for number in range(high + 1, head + 1) if store.size(keys.log_key(number))), head)
        raise DamagedLakeError(f"{missing(high, last)}, which this machine has read before.", hint=_HINT)
    _LOG.info("the bucket has another log after entry %d; it is read again", low)
    if displaced is not None:
        displaced(list(state.log(low)))
    state.forget_everything()


def _go_on(store: Store, state: LogState, memory: LogState, gap: Gap | None) -> None:
    """Fold what is remembered behind the bucket's last entry: if it follows, the bucket has lost its newest entries."""
    for number in range(state.head().number + 1, memory.head().number + 1):
        record = _remembered(store, number, memory)
        if record is None or record.entry.previous != state.head().digest:
            return
        damage = DamagedEntry(
            number, f"{missing(number, number)}.", named_by(record.entry), is_missing=True, record=record
        )
        _fold(store, state, [damage], gap)


def _fold_checkpoint(store: Store, state: LogState, newest: int) -> None:
    """Fold from segments what they have, if they are of this log: their last entry must be the bucket's own."""
    index = segments.newest(store, at_most=newest, state=state)
    if index is None or index.number <= state.head().number or not _agrees(store, index.number, index.entry_hash):
        return
    records = segments.entries(store, index, after=state.head().number)
    _LOG.debug("reading the log up to entry %d from a checkpoint", index.number)
    try:
        for part in _together(records):
            state.apply(part)
    except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError) as error:
        # It is derived; the entries themselves count.
        _LOG.info("checkpoint %d is unusable (%s); reading entries", index.number, error.what)


def _read(store: Store, number: int, memory: LogState | None) -> LogRecord | DamagedEntry:
    key = keys.log_key(number)
    try:
        return read_entry(store, number)
    except ReadOnlyError as error:
        return DamagedEntry(number, error.what, [], later=logentry.digest_of(store.get(key), where=key))
    except (DamagedLakeError, ObjectNotFoundError) as error:
        kept = segments.find(store, number) or corrected(store, number, _QUICK_BYTES, any_byte=False)
        if kept is not None:
            return kept
        known = None if memory is None else _remembered(store, number, memory)
        names = _names(store, key) if known is None else named_by(known.entry)
        is_missing = isinstance(error, ObjectNotFoundError) and store.size(key) is None
        what = f"{missing(number, number)}." if is_missing else str(error)
        if isinstance(error, ObjectNotFoundError) and not is_missing:
            what = f"the body of log entry {number} is missing."
        return DamagedEntry(number, what, names, is_missing, record=known)


def _remembered(store: Store, number: int, memory: LogState) -> LogRecord | None:
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
    except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError):
        return None


def _names(store: Store, key: str) -> list[str]:
    """The versions that a damaged entry names, as far as that can be read."""
    try:
        found = _NAMED.findall(store.get(key))
    except ObjectNotFoundError:
        return []
    return list(dict.fromkeys(f"{sample[1:-1].decode('utf-8', 'replace')}@{int(version)}" for sample, version in found))


def _fold(store: Store, state: LogState, found: Sequence[LogRecord | DamagedEntry], gap: Gap | None) -> None:
    """Fold what was read; with `gap`, an empty entry in the place of each that cannot be had."""
    if gap is None:
        lost = [item for item in found if isinstance(item, DamagedEntry)]
        if lost:
            raise refusal(lost, max(_number(item) for item in found))
        state.apply([item for item in found if isinstance(item, LogRecord)])
        return
    for item in found:
        head = state.head()
        damage = item if isinstance(item, DamagedEntry) else _misplaced(head, item)
        if damage is not None:
            gap(damage)
        record = (item.record or _placeholder(store, state, item)) if isinstance(item, DamagedEntry) else item
        # Behind whatever stands there now: what an entry says is proved by its own hash.
        state.apply([record._replace(entry=replace(record.entry, previous=head.digest))])


def _number(item: LogRecord | DamagedEntry) -> int:
    return item.number if isinstance(item, DamagedEntry) else item.entry.number


def refusal(found: Sequence[DamagedEntry], newest: int) -> SxeslakeError:
    """What a writer is told of entries that it cannot go past; `newest` is the last one of the log."""
    first = found[0]
    if first.later is not None:
        return ReadOnlyError(first.detail, where=keys.log_key(first.number), hint="Install a newer sxeslake.")
    if not first.is_missing:
        return DamagedLakeError(first.detail, hint=_HINT)
    last = first.number
    for damage in found[1:]:
        if damage.is_missing and damage.number == last + 1:
            last += 1
    behind = ", and later ones are there." if last < newest else ", and this machine has read them before."
    return DamagedLakeError(missing(first.number, last) + behind, hint=_HINT)


def _misplaced(head: Head, record: LogRecord) -> DamagedEntry | None:
    """An entry that its hash proves and that does not follow: it was written on another log, or this one lost some."""
    if record.entry.previous == head.digest:
        return None
    number = record.entry.number
    return DamagedEntry(number, f"log entry {number} does not follow entry {head.number}.", named_by(record.entry))


def _placeholder(store: Store, state: LogState, damage: DamagedEntry) -> LogRecord:
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


def check_there(store: Store, head: Head) -> None:
    """DamagedLakeError where the bucket's entry is not the one that was folded last: the log was rolled back."""
    key = keys.log_key(head.number)
    try:
        data = store.get(key)
        if logentry.digest_of(data, where=key) == head.digest:
            return
        if b'"stands_for"' in data and read_entry(store, head.number).digest == head.digest:
            return
    except ObjectNotFoundError:
        what = f"{missing(head.number, head.number)}: the log was rolled back, or lost its end."
        raise DamagedLakeError(what, hint=_HINT) from None
    what = f"log entry {head.number} is another one than a moment ago: the log was rolled back."
    raise DamagedLakeError(what, where=store.url, hint="Nothing was committed; run the command again.")


def _agrees(store: Store, number: int, digest: str | None) -> bool:
    """Whether the bucket's entry is the one that was folded: a lake can be restored from a backup.

    A damaged entry is: what was folded was proved then, so reading goes on, and `verify` names the damage.
    """
    key = keys.log_key(number)
    if number == 0:
        return True
    try:
        data = store.get(key)
        if logentry.digest_of(data, where=key) == digest:
            return True
        return b'"stands_for"' in data and read_entry(store, number).digest == digest
    except ObjectNotFoundError:
        return False
    except DamagedLakeError:
        return True
