"""Reading the log from the bucket: where its head is, and what stands in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sxeslake.errors import DamagedLakeError, ObjectNotFoundError
from sxeslake.format import keys, logentry
from sxeslake.storage import Store
from sxeslake.vault.state import LogRecord, State

_AT_ONCE = 256  # entries fetched before they are folded: bounds the memory of a cold open
_READERS = 16


def read_entry(store: Store, number: int) -> LogRecord:
    """One entry with its body, proved; ObjectNotFoundError past the head."""
    key = keys.log_key(number)
    data = store.get(key)
    body = None
    needed = logentry.body_of(data, where=key) if b'"body"' in data else None
    if needed is not None:
        body = store.get(keys.body_key(needed[0]))
    entry = logentry.load(data, body, where=key)
    if entry.number != number:
        raise DamagedLakeError(f"the log entry says that it is number {entry.number}.", where=key)
    return LogRecord(entry, logentry.digest_of(data, where=key), data, body)


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


def sync(store: Store, state: State) -> None:
    """Bring the folded state to the head of the bucket's log."""
    head = state.head()
    if head.number and not _agrees(store, head.number, head.digest):
        state.forget_everything()
        head = state.head()
    newest = find_head(store, head.number)
    numbers = range(head.number + 1, newest + 1)
    if len(numbers) == 1:
        state.apply([read_entry(store, numbers[0])])
    elif numbers:
        with ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(numbers), _AT_ONCE):
                state.apply(list(readers.map(lambda n: read_entry(store, n), numbers[start : start + _AT_ONCE])))


def _agrees(store: Store, number: int, digest: str | None) -> bool:
    """Whether the bucket's entry is the one that was folded: a lake can be restored from a backup.

    A damaged entry is: what was folded was proved then, so reading goes on, and `verify` names the damage.
    """
    key = keys.log_key(number)
    try:
        return logentry.digest_of(store.get(key), where=key) == digest
    except ObjectNotFoundError:
        return False
    except DamagedLakeError:
        return True
