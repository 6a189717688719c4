"""Objects in this process's memory, shared by name: for tests and for trying things."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from ..errors import DamagedLakeError, ObjectExistsError, ObjectNotFoundError
from .address import check_key, check_prefix
from .interface import Counters, Data, ObjectInfo, joined


class _Space:
    """The objects under one name."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, tuple[bytes, float]] = {}


_spaces: dict[str, _Space] = {}
_spaces_lock = threading.Lock()


class MemoryStore:
    """`memory://name`: every store of one name in this process sees the same objects."""

    def __init__(self, name: str) -> None:
        self.url = f"memory://{name}"
        self.counters = Counters()
        with _spaces_lock:
            self._space = _spaces.setdefault(name, _Space())

    def __repr__(self) -> str:
        return f"MemoryStore({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        data = self._take(key)
        self.counters.add("GET", bytes_in=len(data))
        return data

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        if end <= start:
            return b""
        data = self._take(key)[start:end]
        self.counters.add("GET", bytes_in=len(data))
        if len(data) != end - start:
            raise DamagedLakeError(f"truncated: bytes {start} to {end} are not all there", where=self._where(key))
        return data

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, in the order asked."""
        return [self.get_range(*asked) for asked in ranges]

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size."""
        data = self._take(key)
        tail = data[max(0, len(data) - size) :]
        self.counters.add("GET", bytes_in=len(tail))
        return tail, len(data)

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken."""
        content = bytes(joined(data))
        with self._space.lock:
            taken = check_key(key) in self._space.objects
            if not taken:
                self._space.objects[key] = (content, time.time())
        self.counters.add("PUT", bytes_out=len(content))
        if taken:
            raise ObjectExistsError("exists already", where=self._where(key))

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        content = bytes(joined(data))
        with self._space.lock:
            self._space.objects[check_key(key)] = (content, time.time())
        self.counters.add("PUT", bytes_out=len(content))

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        self.counters.add("HEAD")
        with self._space.lock:
            found = self._space.objects.get(check_key(key))
        return None if found is None else len(found[0])

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`."""
        check_prefix(prefix)
        self.counters.add("LIST")
        with self._space.lock:
            found = [
                ObjectInfo(key, len(data), modified)
                for key, (data, modified) in self._space.objects.items()
                if key.startswith(prefix) and key > after
            ]
        yield from found

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; absent keys are fine."""
        for key in keys:
            self.counters.add("DELETE")
            with self._space.lock:
                self._space.objects.pop(check_key(key), None)

    def sweep(self, older_than_s: float) -> int:  # noqa: ARG002 - writes here leave nothing behind
        """Nothing to remove: 0."""
        return 0

    def close(self) -> None:
        """The objects stay until the process ends."""

    def _take(self, key: str) -> bytes:
        with self._space.lock:
            found = self._space.objects.get(check_key(key))
        if found is None:
            self.counters.add("GET")
            raise ObjectNotFoundError("there is no such object", where=self._where(key))
        return found[0]

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}"
