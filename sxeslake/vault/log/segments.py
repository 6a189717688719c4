"""The log in checkpoints: published for cold clients, which read segments and not entries, and for repair."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile

from blake3 import blake3

from sxeslake.errors import DamagedLakeError, ObjectExistsError, ObjectNotFoundError, ReadOnlyError
from sxeslake.format import checkpoint, keys, logentry
from sxeslake.format.checkpoint import Index, LogSegment, Stored
from sxeslake.format.lakefile import LakeParameters
from sxeslake.storage import Store
from sxeslake.vault.log.state import LogRecord, LogState

_LOG = logging.getLogger(__name__)

_INDEX = re.compile(rf"{keys.CHECKPOINT_PREFIX}(\d{{20}})/log\.json")


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """What publishing the log cost; nothing where the checkpoint was there."""

    number: int
    segments: int
    bytes: int


def publish(store: Store, state: LogState, *, again: bool = False) -> PublishedLog | None:
    """Bring the folded log into a checkpoint; uploads only what no checkpoint holds. None: no commit yet.

    `again` distrusts what is there: damaged parts are written over.
    """
    head = state.head()
    if head.digest is None:
        return None
    before = newest(store, at_most=head.number, state=state)
    if before is not None and before.number == head.number and not again:
        return PublishedLog(head.number, 0, 0)
    put = store.replace if again else store.create
    held = [] if before is None or again else _held(store, checkpoint.kept(before.segments, head.number))
    made: list[LogSegment] = []
    for first, entries in _cut(state, held[-1].last if held else 0):
        data, raw = checkpoint.dump_segment(entries)
        segment = LogSegment(first, first + len(entries) - 1, head.number, raw, len(data), blake3(data).hexdigest())
        _put(put, segment.key, data)
        made.append(segment)
    index = Index(head.number, head.digest, _lake_text(store), (*held, *made)).dump()
    _put(put, checkpoint.index_key(head.number), index)
    _LOG.info("checkpoint %d of the log: %d segments new, %d kept", head.number, len(made), len(held))
    return PublishedLog(head.number, len(made), sum(segment.bytes for segment in made) + len(index))


def _held(store: Store, segments: Sequence[LogSegment]) -> list[LogSegment]:
    """Segments as far as they are still there, from the first on."""
    return list(takewhile(lambda segment: store.size(segment.key) == segment.bytes, segments))


def _lake_text(store: Store) -> str:
    """The text of `lake.json`, if it is proved; empty where it is not."""
    data = store.get(keys.LAKE)
    return data.decode() if LakeParameters.load(data, where=keys.LAKE).wrote(data) else ""


def _put(put: Callable[[str, bytes], None], key: str, data: bytes) -> None:
    with suppress(ObjectExistsError):  # another client's, of the same log
        put(key, data)


def _cut(state: LogState, after: int) -> Iterator[tuple[int, list[Stored]]]:
    """Runs of entries behind a number, each fit for a segment, with the number of its first."""
    run: list[Stored] = []
    size = 0
    for number, _, data, body in state.log(after):
        run.append(Stored(data, body))
        size += len(data) + len(body or b"")
        if len(run) >= checkpoint.SEGMENT_ENTRIES or size >= checkpoint.SEGMENT_BYTES:
            yield number - len(run) + 1, run
            run, size = [], 0
    if run:
        yield number - len(run) + 1, run


def published_numbers(store: Store) -> list[int]:
    """Numbers of the checkpoints that have the log, newest first."""
    found = (_INDEX.fullmatch(info.key) for info in store.list(keys.CHECKPOINT_PREFIX))
    return sorted((int(match[1]) for match in found if match), reverse=True)


def newest(store: Store, *, at_most: int | None = None, state: LogState | None = None) -> Index | None:
    """The newest index that can be read, and, where `state` has folded as far, belongs to this log."""
    for number in published_numbers(store):
        if at_most is not None and number > at_most:
            continue
        index = load(store, number)
        if index is not None and (state is None or state.digest(number) in (None, index.entry_hash)):
            return index
    return None


def load(store: Store, number: int) -> Index | None:
    """The index of one checkpoint; None where it is gone or damaged: it is derived, and checked before it is used."""
    key = checkpoint.index_key(number)
    try:
        index = checkpoint.load_index(store.get(key), where=key)
    except (ObjectNotFoundError, DamagedLakeError):
        return None
    return index if index.number == number else None


def entries(store: Store, index: Index, after: int = 0) -> Iterator[LogRecord]:
    """The entries behind a number, each proved by its own hash; DamagedLakeError where a segment cannot be believed."""
    for segment in index.segments:
        if segment.last <= after:
            continue
        for number, stored in enumerate(checkpoint.load_segment(_fetch(store, segment), segment), segment.first):
            if number > after:
                yield record_of(number, stored, segment.key)


def record_of(number: int, stored: Stored, where: str) -> LogRecord:
    """An entry from bytes that were kept somewhere, proved as one from the log is."""
    entry = logentry.load(stored.data, stored.body, where=where)
    if entry.number != number:
        raise DamagedLakeError(f"the log entry states the number {entry.number}.", where=where)
    own = logentry.digest_of(stored.data, where=where)
    return LogRecord(entry, entry.stands_for or own, stored.data, stored.body)


def find(store: Store, number: int) -> LogRecord | None:
    """One entry, from whichever checkpoint still has it whole."""
    for published in reversed(published_numbers(store)):  # the older the smaller
        index = load(store, published) if published >= number else None
        for segment in index.segments if index is not None else ():
            if segment.first <= number <= segment.last:
                try:
                    stored = next(
                        islice(checkpoint.load_segment(_fetch(store, segment), segment), number - segment.first, None)
                    )
                    return record_of(number, stored, segment.key)
                except (DamagedLakeError, ObjectNotFoundError, ReadOnlyError, StopIteration):
                    break
    return None


def _fetch(store: Store, segment: LogSegment) -> bytes:
    return store.get(segment.key)
