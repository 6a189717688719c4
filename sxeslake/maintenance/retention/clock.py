"""Ages by the bucket's own clock: what a client claims of the time may be years off, and rules by age delete data."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

from sxeslake.format import keys, logentry
from sxeslake.maintenance.retention.durations import moment
from sxeslake.storage import Clocked, Store
from sxeslake.vault.log.state import LogState, Version

_LOG = logging.getLogger(__name__)

FAR = timedelta(days=1)  # clocks that differ by less are well enough

_ONE_BY_ONE = 32  # entries that are looked up singly; for more of them, listing the whole log is cheaper
_NAMING = """
SELECT number, data, body FROM entries
WHERE instr(data, CAST(?1 AS BLOB)) OR instr(body, CAST(?1 AS BLOB)) ORDER BY number DESC"""


def now(store: Store) -> float:
    """Seconds since 1970 by the clock of the store; by this machine's where the store has none to ask."""
    return store.now() if isinstance(store, Clocked) else time.time()


def written_at(store: Store, numbers: Iterable[int]) -> dict[int, float]:
    """When log entries reached the bucket, by its listing, in seconds since 1970."""
    wanted = {keys.log_key(number): number for number in numbers}
    prefixes = sorted(wanted) if len(wanted) <= _ONE_BY_ONE else [keys.LOG_PREFIX]
    listed = (info for prefix in prefixes for info in store.list(prefix))
    return {wanted[info.key]: info.modified for info in listed if info.key in wanted}


def changed_in(
    state: LogState, change: Literal["forgotten", "collected"], versions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """The entries that forgot, or collected, some versions; the last one of each."""
    left, found = set(versions), dict[tuple[str, int], int]()
    if not left:
        return found
    for number, data, body in state.select(_NAMING, (f'"{change}"',)):
        for version in getattr(logentry.load(data, body, where=keys.log_key(number)), change):
            if version in left:
                found[version] = number
                left.discard(version)
        if not left:
            break
    return found


class StoredAt:
    """When versions were stored, as far as the bucket and the log prove it.

    An entry is no younger than its object in the bucket, and no older than the entries before it: a claim beyond is a
    wrong clock's. A bucket that was copied may give all objects the time of the copy; then the claims count.
    """

    def __init__(self, store: Store, state: LogState) -> None:
        received = {info.key: info.modified for info in store.list(keys.LOG_PREFIX)}
        self._at: dict[int, datetime] = {}
        self._received: dict[int, datetime] = {}
        _LOG.debug("%d log entries have a time of the bucket", len(received))
        newest = datetime.min.replace(tzinfo=UTC)
        for number, claimed in state.select("SELECT number, time FROM entries ORDER BY number"):
            at, there = moment(claimed), received.get(keys.log_key(number))
            if there is not None:
                self._received[number] = datetime.fromtimestamp(there, UTC)
                at = min(at, self._received[number])
            newest = self._at[number] = max(at, newest)

    def of(self, version: Version) -> datetime:
        """When a version was stored; of a copy, when it was stored where it comes from."""
        if not version.archive.origin:
            return self._at.get(version.number, moment(version.time))
        return min(moment(version.time), self.received(version))

    def received(self, version: Version) -> datetime:
        """When the bucket received the commit of a version; what the commit says where the bucket does not tell."""
        return self._received.get(version.number, moment(version.time))
