"""A store that misbehaves on purpose, over any other store: by script, or at random from a seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from sxeslake.errors import DamagedLakeError, UnreachableError
from sxeslake.storage import Data, ObjectInfo, Store

T = TypeVar("T")

Fault = Literal["error", "lost reply", "throttled", "delay", "truncated", "wrong bytes"]
"""`error`: refused before anything happened. `lost reply`: done, then an error. `throttled`: an error that says so.
`delay`: late but right. `truncated`: an error for ranges, a short body for whole objects. `wrong bytes`: a flipped bit.
"""

_READS_ONLY: frozenset[Fault] = frozenset(("truncated", "wrong bytes"))


@dataclass
class Planned:
    """One scripted fault: for the next call of `verb` whose key contains `key`, after `skip` such calls."""

    fault: Fault
    verb: str
    key: str = ""
    skip: int = 0


class FaultyStore:
    """A store over another. `rates` gives each fault's chance per call; `plan` adds single ones; `events` tells all."""

    def __init__(
        self, store: Store, *, rates: Mapping[Fault, float] | None = None, seed: int = 0, delay_s: float = 0.01
    ) -> None:
        self.url = store.url
        self.counters = store.counters
        self.store = store
        self.rates = dict(rates or {})
        self.events: list[tuple[Fault, str, str]] = []
        self._delay_s = delay_s
        self._random = random.Random(seed)
        self._planned: list[Planned] = []
        self._lock = threading.Lock()

    def plan(self, fault: Fault, verb: str, key: str = "", *, skip: int = 0) -> None:
        """Let one later call fail: `plan("lost reply", "create", "log/")`."""
        with self._lock:
            self._planned.append(Planned(fault, verb, key, skip))

    def forget_plans(self) -> None:
        """Let nothing fail that was planned and has not happened."""
        with self._lock:
            self._planned.clear()

    def get(self, key: str) -> bytes:
        """The whole object, perhaps short or wrong."""
        return self._read("get", key, lambda: self.store.get(key))

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """A range, perhaps wrong."""
        return self._read("get_range", key, lambda: self.store.get_range(key, start, end))

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Ranges one by one, each with its own faults."""
        return [self.get_range(*asked) for asked in ranges]

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """A tail, perhaps wrong."""
        whole = 0

        def take() -> bytes:
            nonlocal whole
            tail, whole = self.store.get_tail(key, size)
            return tail

        return self._read("get_tail", key, take), whole

    def create(self, key: str, data: Data) -> None:
        """Create, perhaps without saying so."""
        self._call("create", key, lambda: self.store.create(key, data))

    def replace(self, key: str, data: Data) -> None:
        """Replace, perhaps without saying so."""
        self._call("replace", key, lambda: self.store.replace(key, data))

    def size(self, key: str) -> int | None:
        """The size."""
        return self._call("size", key, lambda: self.store.size(key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """The listing; a fault comes at its start."""
        return self._call("list", prefix, lambda: self.store.list(prefix, after=after))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete one by one, each with its own faults."""
        for key in keys:
            self._call("delete", key, lambda key=key: self.store.delete([key]))  # type: ignore[misc]

    def sweep(self, older_than_s: float) -> int:
        """Sweep the store beneath."""
        return self.store.sweep(older_than_s)

    def close(self) -> None:
        """Close the store beneath."""
        self.store.close()

    def _read(self, verb: str, key: str, operation: Callable[[], bytes]) -> bytes:
        fault = self._draw(verb, key, reads=True)
        data = self._perform(fault, verb, key, operation)
        if not data:
            return data
        if fault == "truncated":
            if verb != "get":
                raise DamagedLakeError("truncated: injected", where=f"{self.url}/{key}")
            return data[: self._place(len(data))]
        if fault == "wrong bytes":
            place = self._place(len(data))
            return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        return data

    def _call(self, verb: str, key: str, operation: Callable[[], T]) -> T:
        return self._perform(self._draw(verb, key, reads=False), verb, key, operation)

    def _perform(self, fault: Fault | None, verb: str, key: str, operation: Callable[[], T]) -> T:
        where = f"{self.url}/{key}"
        if fault == "error":
            raise UnreachableError(f"injected: {verb} was refused", where=where)
        if fault == "throttled":
            raise UnreachableError(f"injected: {verb} was throttled, also after retries", where=where)
        if fault == "delay":
            time.sleep(self._delay_s)
        result = operation()
        if fault == "lost reply":
            raise UnreachableError(f"injected: the reply to {verb} was lost", where=where)
        return result

    def _draw(self, verb: str, key: str, *, reads: bool) -> Fault | None:
        with self._lock:
            fault = self._scripted(verb, key) or self._chance(reads)
            if fault is not None:
                self.events.append((fault, verb, key))
            return fault

    def _scripted(self, verb: str, key: str) -> Fault | None:
        for planned in self._planned:
            if planned.verb == verb and planned.key in key:
                if planned.skip == 0:
                    self._planned.remove(planned)
                    return planned.fault
                planned.skip -= 1
        return None

    def _chance(self, reads: bool) -> Fault | None:
        for fault, rate in self.rates.items():
            if (reads or fault not in _READS_ONLY) and self._random.random() < rate:
                return fault
        return None

    def _place(self, length: int) -> int:
        with self._lock:
            return self._random.randrange(length)
