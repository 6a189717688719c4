"""Bandwidth limits, up and down, around any store."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from ..errors import UsageError
from .coalesce import Fetch
from .inflight import pause
from .interface import Clocked, Data, ObjectInfo, SelfDescribing, Store, Versioned, byte_count, fetches_of, settle

_LOG = logging.getLogger(__name__)

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?(?:/s|ps)?", re.IGNORECASE | re.ASCII)
_STEPS = {"": 0, "k": 1, "m": 2, "g": 3}


def parse_rate(text: str) -> float:
    """`5MB/s` → 5,000,000 bytes a second; `5MiB/s`, `500k` and `1.5GB` likewise."""
    match = _RATE.fullmatch(text.strip())
    rate = float(match[1]) * (1024 if match[3] else 1000) ** _STEPS[match[2].lower()] if match else 0.0
    if not rate:
        raise UsageError(f"{text!r} is not a bandwidth.", hint="Write bytes a second, such as 5MB/s or 500KiB/s.")
    return rate


class RateLimit:
    """So many bytes a second on average, shared by all threads: each waits until its bytes fit."""

    def __init__(
        self,
        bytes_per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = pause,
    ) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def spend(self, count: int) -> None:
        """Take a turn of `count` bytes, and wait to its end."""
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self._bytes_per_s
            wait = self._free_at - now
        if wait > 0:
            _LOG.debug("%d bytes wait for %.2f s", count, wait)
            self._sleep(wait)


class ThrottledStore:
    """A store whose traffic keeps to limits; None is no limit. Reads pay after, when their size is known."""

    def __init__(self, store: Store, *, up: RateLimit | None = None, down: RateLimit | None = None) -> None:
        self._store = store
        self._up = up
        self._down = down
        self.url = store.url
        self.counters = store.counters

    def __repr__(self) -> str:
        return f"ThrottledStore({self._store!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._received(self._store.get(key))

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        return self._received(self._store.get_range(key, start, end))

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, in the order asked."""
        bodies = self._store.get_ranges(ranges)
        self._pay_down(sum(fetch.end - fetch.start for fetch in self.fetches(ranges)))  # the gaps come as well
        return bodies

    def fetches(self, ranges: Sequence[tuple[str, int, int]]) -> list[Fetch]:
        """The requests that `get_ranges` makes."""
        return fetches_of(self._store, ranges)

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size."""
        tail, whole = self._store.get_tail(key, size)
        return self._received(tail), whole

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken."""
        self._pay_up(data)
        self._store.create(key, data)

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        self._pay_up(data)
        self._store.replace(key, data)

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        return self._store.size(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`."""
        return self._store.list(prefix, after=after)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        self._store.delete(keys)

    def sweep(self, older_than_s: float) -> int:
        """Remove what crashed writers left."""
        return self._store.sweep(older_than_s)

    def keeps_versions(self) -> bool:
        """Whether deleted objects stay as old versions."""
        return isinstance(self._store, Versioned) and self._store.keeps_versions()

    def now(self) -> float:
        """The time by the clock beneath."""
        return self._store.now() if isinstance(self._store, Clocked) else time.time()

    def settle(self, keys: Sequence[str]) -> None:
        """See objects of other writers through to the disk."""
        settle(self._store, keys)

    def describe(self) -> str:
        """What the store beneath says of itself."""
        return self._store.describe() if isinstance(self._store, SelfDescribing) else self.url

    def close(self) -> None:
        """Close the store beneath."""
        self._store.close()

    def _received(self, data: bytes) -> bytes:
        self._pay_down(len(data))
        return data

    def _pay_down(self, count: int) -> None:
        if self._down is not None:
            self._down.spend(count)

    def _pay_up(self, data: Data) -> None:
        if self._up is not None:
            self._up.spend(byte_count(data))


def limited(store: Store, up: float | None, down: float | None) -> Store:
    """The store, kept to so many bytes a second each way; None is no limit."""
    if up is None and down is None:
        return store
    _LOG.info("limits in bytes a second: up %s, down %s", up or "none", down or "none")
    return ThrottledStore(
        store, up=None if up is None else RateLimit(up), down=None if down is None else RateLimit(down)
    )
