"""Any other fsspec protocol (`https`, `ftp`, `smb` …), to read: two writers can both pass their creates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

import fsspec
from fsspec.core import split_protocol

from ..errors import (
    AccessDeniedError,
    DamagedLakeError,
    ObjectNotFoundError,
    StorageError,
    SxeslakeError,
    UnreachableError,
    UsageError,
)
from . import coalesce
from .address import Address, check_key, check_prefix, join
from .inflight import pause
from .interface import Counters, Data, ObjectInfo
from .retry import DEFAULT_POLICY, RetryPolicy, Trouble, retried

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

MAX_GAP = 64 * 1024
MAX_FETCH = 8 * 1024 * 1024
CONCURRENCY = 8


def open_generic(address: Address, options: Mapping[str, str], policy: RetryPolicy = DEFAULT_POLICY) -> GenericStore:
    """The store at any URL that fsspec knows and whose package is installed."""
    words: dict[str, Any] = dict(options)
    if address.user:
        words |= {"username": address.user} | ({"password": address.secret} if address.secret else {})
    root = address.path
    if address.scheme in ("ftp", "smb"):  # here the first part is a host; elsewhere it is a bucket
        host, _, root = root.partition("/")
        words |= {"host": host.partition(":")[0]} | ({"port": int(host.partition(":")[2])} if ":" in host else {})
        root = f"/{root}"
    elif address.scheme in ("http", "https"):
        root = address.public
    try:
        fs = fsspec.filesystem(address.scheme, use_listings_cache=False, skip_instance_cache=True, **words)
    except ImportError as error:
        hint = f"Install the fsspec package for {address.scheme}."
        raise StorageError(
            "the package for this kind of storage is missing", where=address.public, hint=hint
        ) from error
    except ValueError:
        known = "a folder, file://, s3://, memory://, or another protocol of fsspec"
        raise UsageError(f"unknown kind of address; use {known}", where=address.public) from None
    except Exception as error:
        # Chained errors of the client may quote passwords.
        raise UnreachableError(f"cannot be opened ({type(error).__name__})", where=address.public) from None
    return GenericStore(fs, address.public, root, policy)


class GenericStore:
    """A folder of an fsspec file system."""

    def __init__(self, fs: Any, url: str, root: str, policy: RetryPolicy = DEFAULT_POLICY) -> None:
        self.url = url
        self.counters = Counters()
        self._fs = fs
        self._root = root
        self._policy = policy
        self._pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="sxeslake-fetch")

    def __repr__(self) -> str:
        return f"GenericStore({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        data: bytes = self._try("read", key, self._fs.cat_file)
        self.counters.add("GET", bytes_in=len(data))
        return data

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        if end <= start:
            return b""
        data: bytes = self._try("read", key, lambda path: self._fs.cat_file(path, start=start, end=end))
        self.counters.add("GET", bytes_in=len(data))
        if len(data) != end - start:
            raise DamagedLakeError(f"truncated: bytes {start} to {end} are not all there", where=self._where(key))
        return data

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, concurrently, in the order asked."""
        fetches = self.fetches(ranges)
        _LOG.debug("read %d ranges in %d requests", len(ranges), len(fetches))
        bodies = list(self._pool.map(lambda fetch: self.get_range(fetch.key, fetch.start, fetch.end), fetches))
        return coalesce.cut(fetches, bodies, len(ranges))

    @staticmethod
    def fetches(ranges: Sequence[tuple[str, int, int]]) -> list[coalesce.Fetch]:
        """The requests that `get_ranges` makes."""
        return coalesce.plan(ranges, max_gap=MAX_GAP, max_size=MAX_FETCH)

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size, in two requests."""
        whole = self.size(key)
        if whole is None:
            raise ObjectNotFoundError("there is no such object", where=self._where(key))
        return self.get_range(key, max(0, whole - size), whole), whole

    def create(self, key: str, data: Data) -> None:  # noqa: ARG002 - the signature of a store
        """Never: AccessDeniedError."""
        raise self._refusal(key)

    def replace(self, key: str, data: Data) -> None:  # noqa: ARG002 - the signature of a store
        """Never: AccessDeniedError."""
        raise self._refusal(key)

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        self.counters.add("HEAD")
        try:
            info: dict[str, Any] = self._try("look at", key, self._fs.info)
        except ObjectNotFoundError:
            return None
        return None if info.get("type") == "directory" else int(info["size"])

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`."""
        check_prefix(prefix)
        folder = prefix.rpartition("/")[0]
        self.counters.add("LIST")
        path = join(self._root, folder) if folder else self._root
        try:
            found: dict[str, dict[str, Any]] = self._tried(
                "list", self._where(prefix), lambda: self._fs.find(path, detail=True)
            )
        except ObjectNotFoundError:
            return
        base = split_protocol(self._root)[1].strip("/")
        for name, info in found.items():
            key = split_protocol(name)[1].strip("/").removeprefix(base).lstrip("/")
            if key.startswith(prefix) and key > after:
                yield ObjectInfo(key, int(info.get("size") or 0), _modified(info))

    def delete(self, keys: Sequence[str]) -> None:
        """Never, unless there is nothing to delete: AccessDeniedError."""
        for key in keys:
            raise self._refusal(key)

    def sweep(self, older_than_s: float) -> int:  # noqa: ARG002 - nothing is written here
        """Nothing to remove: 0."""
        return 0

    def close(self) -> None:
        """Stop the threads; fsspec closes its connections."""
        self._pool.shutdown()

    def _path(self, key: str) -> str:
        return f"{self._root.rstrip('/')}/{check_key(key)}" if self._root else check_key(key)

    def _where(self, key: str) -> str:
        return f"{self.url}/{key}"

    def _refusal(self, key: str) -> AccessDeniedError:
        self._path(key)  # a name that no object can have is the first thing to say
        hint = "Copy the lake to a local folder or to a store that can be written to."
        return AccessDeniedError("lakes on this kind of storage are read-only", where=self.url, hint=hint)

    def _try(self, doing: str, key: str, operation: Callable[[str], T]) -> T:
        path = self._path(key)
        return self._tried(doing, self._where(key), lambda: operation(path))

    def _tried(self, doing: str, where: str, operation: Callable[[], T]) -> T:
        try:
            return retried(operation, classify, self._policy, sleep=pause)
        except Exception as error:
            raise explain(error, where, doing) from None


def classify(error: Exception) -> Trouble:
    """Whether another attempt may help: fsspec's backends share few words."""
    if isinstance(error, TimeoutError):
        return "stalled"
    return "unreachable" if isinstance(error, ConnectionError) else "final"


def explain(error: Exception, where: str, doing: str) -> SxeslakeError:
    """The error for people. The client's own message is left out: it may quote URLs with secrets."""
    if isinstance(error, FileNotFoundError | IsADirectoryError):
        return ObjectNotFoundError("there is no such object", where=where)
    if isinstance(error, PermissionError):
        return AccessDeniedError(f"no permission to {doing} this", where=where)
    if classify(error) != "final":
        return UnreachableError("the server cannot be reached", where=where)
    return StorageError(f"cannot {doing} this ({type(error).__name__})", where=where)


def _modified(info: Mapping[str, Any]) -> float:
    """Backends give `mtime`, `LastModified`, `last_modified`, `created` or nothing."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        value = info.get(name)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return 0.0
