"""A lake in an S3 bucket. Every object is one PUT; create-only is `If-None-Match: *`.

The requests are our own: clients at hand turn large puts into multipart uploads, where create-only is racy, repeat
requests without a word, hide the server's error codes, or end where a process forks.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from ..errors import AccessDeniedError, DamagedLakeError, ObjectExistsError, ObjectNotFoundError, StorageError
from ..format.keys import LAKE
from . import coalesce
from .address import Address, check_key, check_prefix, join
from .crew import Crew
from .interface import Counters, Data, ObjectInfo, byte_count, parts
from .retry import DEFAULT_POLICY, RetryPolicy, retried
from .s3_client import S3Client, tree_of
from .s3_errors import RefusalError, StoppedError, classify, is_bad_range, is_missing, is_taken, translate
from .s3_options import READ_TIMEOUT_S, S3Settings, settings_from
from .s3_wire import TruncatedBodyError

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_HICCUP_S = 1.0  # trouble that is over sooner is not worth a line

MAX_GAP = 64 * 1024
"""A request costs as much as some 100 KiB of transfer, near or far."""
MAX_FETCH = 8 * 1024 * 1024
CONCURRENCY = 24
"""Requests in flight for all calls of `get_ranges` and `delete` together."""
READ = "s3:GetObject and s3:ListBucket"
"""Without the second, S3 answers 403 to a request for an absent object."""
_Page = tuple[Sequence[ObjectInfo], str]
NONCE = "x-amz-meta-put-nonce"
"""Object metadata that tells a writer whether an object is from its own request."""


def open_s3(address: Address, options: Mapping[str, str], policy: RetryPolicy = DEFAULT_POLICY) -> S3Store:
    """The store at `s3://bucket/prefix`; nothing is asked of the server yet."""
    return S3Store(address, settings_from(address, options), policy)


class S3Store:
    """`s3://bucket/prefix`, from any thread; also from the child of a fork."""

    def __init__(
        self,
        address: Address,
        settings: S3Settings,
        policy: RetryPolicy = DEFAULT_POLICY,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.url = address.public
        self.counters = Counters()
        bucket, _, self._root = address.path.partition("/")
        self._policy = policy
        self._answered = False  # the store has answered once: its address is right
        self._waiting = False  # said that it does not answer now
        self._client = S3Client(bucket, settings, read_timeout_s)
        self._crew = Crew(CONCURRENCY, "sxeslake-s3")
        self._closer = weakref.finalize(self, _disconnect, self._client, self._crew)
        _STORES.add(self)

    def __repr__(self) -> str:
        return f"S3Store({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._get(key, None)[0]

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        return b"" if end <= start else self._get_exactly(key, start, end)

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, concurrently, in the order asked."""
        fetches = coalesce.plan(ranges, max_gap=MAX_GAP, max_size=MAX_FETCH)
        bodies = self._each(self._get_exactly, [(fetch.key, fetch.start, fetch.end) for fetch in fetches])
        return coalesce.cut(fetches, bodies, len(ranges))

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size, in one request."""
        if size <= 0:
            whole = self.size(key)
            if whole is None:
                raise ObjectNotFoundError("there is no such object", where=f"{self.url}/{key}")
            return b"", whole
        try:
            return self._get(key, f"-{size}")
        except DamagedLakeError:
            # An empty object has no last byte, which servers answer with 416.
            if self.size(key) == 0:
                return b"", 0
            raise

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken.

        The PUT carries a nonce as metadata: where it is refused as taken, the nonce tells whether by ourselves, as our
        second attempt is after a lost reply.
        """
        nonce = secrets.token_hex(16)
        try:
            self._put(key, data, {"if-none-match": "*", NONCE: nonce})
        except ObjectExistsError:
            if not self._carries(key, nonce):
                raise

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        self._put(key, data, {})

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        name = self._name(key)

        def operation() -> int | None:
            self.counters.add("HEAD")
            try:
                reply = self._client.exchange("HEAD", name)
            except RefusalError as error:
                if is_missing(error):
                    return None
                raise
            size = reply.headers.get("content-length", "")
            if not size.isdigit():
                raise RefusalError(reply.status, "MalformedReply", "the reply says no size")
            return int(size)

        return self._request(key, READ, operation)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`, a page of 1,000 at a time."""
        check_prefix(prefix)
        token = ""
        while True:
            page, token = self._list_page(prefix, token, after)
            yield from (info for info in page if info.key > after)  # some servers pass over `start-after`
            if not token:
                return

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, one request each: many servers differ about DeleteObjects, and packs are few."""
        self._each(self._delete, [(key,) for key in keys])

    def sweep(self, older_than_s: float) -> int:  # noqa: ARG002 - a PUT leaves nothing unless it succeeds
        """Nothing to remove: 0."""
        return 0

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is deleted; False where that may not be asked, or is not known there."""

        def operation() -> bool:
            self.counters.add("GET")
            reply = self._client.exchange("GET", query=(("versioning", ""),))
            return tree_of(reply).findtext("Status") == "Enabled"

        try:
            return self._request("", "s3:GetBucketVersioning", operation)
        except StorageError:
            return False

    def now(self) -> float:
        """The server's time, to the second."""

        def operation() -> float:
            self.counters.add("HEAD")
            try:
                headers = self._client.exchange("HEAD", self._name(LAKE)).headers
            except RefusalError as error:
                if is_missing(error):
                    return time.time()
                raise
            try:
                return parsedate_to_datetime(headers.get("date", "")).timestamp()
            except ValueError:  # a server that does not tell; it has checked our own clock by the signature
                return time.time()

        return self._request(LAKE, READ, operation)

    def close(self) -> None:
        """Close the connections."""
        self._closer()

    def begin_anew(self) -> None:
        """In the child of a fork: the connections and the threads are the parent's."""
        self._client.begin_anew()
        self._crew.begin_anew()

    def _each(self, function: Callable[..., T], calls: Sequence[tuple[object, ...]]) -> Sequence[T]:
        return self._crew.each(function, calls, interrupt=self._client.interrupt)

    def _name(self, key: str) -> str:
        return join(self._root, check_key(key))

    def _request(self, key: str, action: str, operation: Callable[[], T], stop: threading.Event | None = None) -> T:
        """One request with retries, its errors in our words; given up once `stop` is set."""

        def attempt() -> T:
            if stop is not None and stop.is_set():
                raise StoppedError
            try:
                result = operation()
            except RefusalError:
                self._answered = True
                raise
            self._answered, self._waiting = True, False
            return result

        where = f"{self.url}/{key}"
        try:
            return retried(
                attempt, classify, self._policy, sleep=stop.wait if stop is not None else time.sleep,
                answered=lambda: self._answered, waiting=self._say_waiting,
            )  # fmt: skip
        except Exception as error:
            translated = translate(error, where, action, self._client.host, self._client.secrets)
            if is_taken(error) or is_missing(error) or is_bad_range(error):
                raise translated from error
            # Chained errors may quote keys and tokens, also in a traceback.
            raise translated from None

    def _say_waiting(self, error: Exception, elapsed_s: float) -> None:
        """Log that the store is waited for, once in a stretch, when it is more than a hiccup."""
        if elapsed_s >= _HICCUP_S and not self._waiting:
            self._waiting = True
            kind = "is busy" if isinstance(error, RefusalError) else "does not answer"
            _LOG.warning("%s %s; trying again for up to %.0f s.", self.url, kind, self._policy.retry_for_s)

    def _get(self, key: str, byte_range: str | None, stop: threading.Event | None = None) -> tuple[bytes, int]:
        """The bytes and the whole object's size."""
        name = self._name(key)
        headers = {"range": f"bytes={byte_range}"} if byte_range else {}

        def operation() -> tuple[bytes, int]:
            received = 0
            try:
                reply = self._client.exchange("GET", name, headers=headers)
                received = len(reply.body)
            except TruncatedBodyError as error:
                received = error.received
                raise
            finally:
                self.counters.add("GET", bytes_in=received)
            _, _, total = reply.headers.get("content-range", "").rpartition("/")
            return reply.body, int(total) if total.isdigit() else received

        return self._request(key, READ, operation, stop)

    def _get_exactly(self, key: str, start: int, end: int, stop: threading.Event | None = None) -> bytes:
        body, _ = self._get(key, f"{start}-{end - 1}", stop)
        if len(body) != end - start:
            what = f"truncated: bytes {start} to {end} are not all there"
            raise DamagedLakeError(what, where=f"{self.url}/{key}")
        return body

    def _put(self, key: str, data: Data, headers: Mapping[str, str]) -> None:
        name, body, size = self._name(key), parts(data), byte_count(data)
        full = {"content-md5": _md5(body), **headers}

        def operation() -> None:
            self.counters.add("PUT", bytes_out=size)
            self._client.exchange("PUT", name, headers=full, body=body)

        self._request(key, "s3:PutObject", operation)

    def _carries(self, key: str, nonce: str) -> bool:
        name = self._name(key)

        def operation() -> bool:
            self.counters.add("HEAD")
            return self._client.exchange("HEAD", name).headers.get(NONCE) == nonce

        try:
            return self._request(key, READ, operation)
        except (ObjectNotFoundError, AccessDeniedError):
            return False

    def _list_page(self, prefix: str, token: str, after: str) -> _Page:
        """A page, and the token of the next one, empty after the last."""
        folder = join(self._root, "x")[:-1]
        query = [("list-type", "2"), ("prefix", folder + prefix), ("encoding-type", "url")]
        if token:
            query.append(("continuation-token", token))
        elif after:
            query.append(("start-after", folder + after))

        def operation() -> _Page:
            self.counters.add("LIST")
            tree = tree_of(self._client.exchange("GET", query=query))
            is_quoted = tree.findtext("EncodingType") == "url"
            page = []
            for item in tree.iterfind("Contents"):
                key = item.findtext("Key", "")
                key = unquote_plus(key) if is_quoted else key
                if not key.endswith("/"):  # markers that consoles make for folders
                    page.append(ObjectInfo(key[len(folder) :], int(item.findtext("Size", "0")), _modified(item)))
            goes_on = tree.findtext("IsTruncated") == "true"
            return page, tree.findtext("NextContinuationToken", "") if goes_on else ""

        return self._request(prefix, "s3:ListBucket", operation)

    def _delete(self, key: str, stop: threading.Event | None = None) -> None:
        name = self._name(key)

        def operation() -> None:
            self.counters.add("DELETE")
            try:
                self._client.exchange("DELETE", name)
            except RefusalError as error:
                if not is_missing(error):
                    raise

        self._request(key, "s3:DeleteObject", operation, stop)


def _md5(body: Sequence[bytes | bytearray | memoryview]) -> str:
    """Servers check it on arrival; buckets with object lock demand it."""
    digest = hashlib.md5(usedforsecurity=False)
    for part in body:
        digest.update(part)
    return base64.b64encode(digest.digest()).decode()


def _modified(item: Element) -> float:
    return datetime.fromisoformat(item.findtext("LastModified", "1970-01-01T00:00:00Z")).timestamp()


def _disconnect(client: S3Client, crew: Crew) -> None:
    crew.close()
    client.close()


_STORES: weakref.WeakSet[S3Store] = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_STORES):
        store.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
