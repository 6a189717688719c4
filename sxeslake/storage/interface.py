"""What a store is: a flat map from keys to immutable bytes, with one primitive that matters, create-only put."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from .coalesce import Fetch, plan

Data = bytes | bytearray | memoryview | Sequence[bytes]
"""An object's bytes, whole or as parts in order."""


class ObjectInfo(NamedTuple):
    """One line of a listing: key, size in bytes, time of the last change in seconds since 1970."""

    key: str
    size: int
    modified: float


class Counters:
    """What went over the wire: requests by verb (`GET`, `PUT`, `HEAD`, `LIST`, `DELETE`), bytes in and out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._bytes_in = 0
        self._bytes_out = 0

    def add(self, verb: str, *, bytes_in: int = 0, bytes_out: int = 0) -> None:
        """Count one request and what it moved."""
        with self._lock:
            self._requests[verb] += 1
            self._bytes_in += bytes_in
            self._bytes_out += bytes_out

    @property
    def requests(self) -> Mapping[str, int]:
        """A copy: `{"GET": 12, "PUT": 2}`."""
        with self._lock:
            return dict(self._requests)

    @property
    def total(self) -> int:
        """All requests, whatever their verb."""
        with self._lock:
            return self._requests.total()

    @property
    def bytes_in(self) -> int:
        """Bytes read from the store."""
        return self._bytes_in

    @property
    def bytes_out(self) -> int:
        """Bytes written to the store."""
        return self._bytes_out


class Store(Protocol):
    """One folder or bucket prefix. Safe for use from many threads at once.

    Keys look like `packs/ab/ab12.pack`: see `check_key`. All calls raise `AccessDeniedError` where a permission
    is missing, `UnreachableError` where nobody answers, and `StorageError` for the rest.
    """

    url: str
    """For people: secrets are redacted."""
    counters: Counters

    def get(self, key: str) -> bytes:
        """The whole object; `ObjectNotFoundError`."""

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes, else `DamagedLakeError`; an empty range costs no request."""

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges `(key, start, end)`, concurrently, near neighbours in one request; results in the order asked."""

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes, at most `size`, and the size of the whole object."""

    def create(self, key: str, data: Data) -> None:
        """Put the object unless the key is taken: `ObjectExistsError`. Atomic, durable, one request, never multipart.

        A reply can be lost where this process dies or gives up: whoever must know whether a key is theirs puts a
        nonce into the bytes and reads them back.
        """

    def replace(self, key: str, data: Data) -> None:
        """Put the object whether or not the key is taken: for caches and repair only."""

    def size(self, key: str) -> int | None:
        """The object's size, None where there is no such object; never None for want of a permission."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix`, in any order, page by page as they are taken; only keys that sort
        behind `after`.
        """

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; absent keys are fine."""

    def sweep(self, older_than_s: float) -> int:
        """Remove what crashed writers left and listings hide, if older than that; says how many bytes that freed."""

    def close(self) -> None:
        """Close connections; the store is not to be used afterwards."""


@runtime_checkable
class Versioned(Protocol):
    """A store that can keep what is deleted: only some can tell."""

    def keeps_versions(self) -> bool:
        """Whether a deleted object stays as an old version until a lifecycle rule removes it; False where unknown."""


@runtime_checkable
class Clocked(Protocol):
    """A store whose own clock can be asked: the one that stamps its objects."""

    def now(self) -> float:
        """The time there, in seconds since 1970."""


@runtime_checkable
class SelfDescribing(Protocol):
    """A store on a server, which can be asked what it is."""

    def describe(self) -> str:
        """The server's software and place, and how it creates objects only where there is none."""


@runtime_checkable
class Settling(Protocol):
    """A store where an object can be there, and gone after a power cut, because its writer died too early."""

    def settle(self, keys: Sequence[str]) -> None:
        """See objects of other writers through to the disk, with their names."""


@runtime_checkable
class Coalescing(Protocol):
    """A store that reads near neighbours in one request, and so more than is asked for."""

    def fetches(self, ranges: Sequence[tuple[str, int, int]]) -> list[Fetch]:
        """The requests that `get_ranges` makes."""


def fetches_of(store: Store, ranges: Sequence[tuple[str, int, int]]) -> list[Fetch]:
    """The requests that `store.get_ranges` makes: one a range, where the store joins none."""
    return store.fetches(ranges) if isinstance(store, Coalescing) else plan(ranges, max_gap=-1, max_size=0)


def settle(store: Store, keys: Sequence[str]) -> None:
    """Make sure that objects last which this process found there, before a commit names them."""
    if isinstance(store, Settling):
        store.settle(keys)


def joined(data: Data) -> bytes | bytearray | memoryview:
    """One buffer from whole or parts; whole ones are not copied."""
    return data if isinstance(data, bytes | bytearray | memoryview) else b"".join(data)


def parts(data: Data) -> Sequence[bytes | bytearray | memoryview]:
    """A sequence of buffers from whole or parts, without a copy."""
    return [data] if isinstance(data, bytes | bytearray | memoryview) else data


def byte_count(data: Data) -> int:
    """Bytes in all parts."""
    return sum(memoryview(part).nbytes for part in parts(data))
