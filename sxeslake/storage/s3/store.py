"""A lake in an S3 bucket. Every object is one PUT; create-only is `If-None-Match: *`.

Each verb is one call of the client that s3fs makes, under our own retries. s3fs's own verbs would not do: they turn
large puts into multipart uploads, where create-only is racy, ask HEAD before they read, and drop without a word the
arguments that a client does not know, such as the condition of a create; the client itself refuses them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
import secrets
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from sxeslake.errors import AccessDeniedError, DamagedLakeError, ObjectExistsError, ObjectNotFoundError, StorageError
from sxeslake.format.keys import LAKE

from .. import coalesce
from ..address import Address, check_key, check_prefix, join
from ..interface import Counters, Data, ObjectInfo, joined
from ..retry import DEFAULT_POLICY, RetryPolicy, retried_async
from .errors import TruncatedBodyError, classify, code_of, is_bad_range, is_missing, is_taken, translate
from .options import READ_TIMEOUT_S, S3Settings, settings_from
from .session import Session

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_HICCUP_S = 1.0  # trouble that is over sooner is not worth a line

MAX_GAP = 64 * 1024
"""A request costs as much as some 100 KiB of transfer, near or far."""
MAX_FETCH = 8 * 1024 * 1024
SLOWEST_BYTES_PER_S = 64 * 1024
"""An upload slower than this is given up and tried again."""
READ = "s3:GetObject and s3:ListBucket"
"""Without the second, S3 answers 403 to a request for an absent object."""
NONCE = "put-nonce"
"""Object metadata, `x-amz-meta-put-nonce`: tells a writer whether an object is from its own request."""


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
        self._bucket, _, self._root = address.path.partition("/")
        self._policy, self._read_timeout_s = policy, read_timeout_s
        self._answered = False  # the store has answered once: its address is right
        self._waiting = False  # said that it does not answer now
        self._session = Session(settings, read_timeout_s, self.url)
        self._closer = weakref.finalize(self, self._session.close)

    def __repr__(self) -> str:
        return f"S3Store({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        _LOG.debug("GET %s", key)
        return self._session.run(self._get, key, None)[0]

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        _LOG.debug("GET %s, bytes %d to %d", key, start, end)
        return b"" if end <= start else self._session.run(self._get_exactly, key, start, end)

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, concurrently, in the order asked."""
        fetches = self.fetches(ranges)
        calls = [(fetch.key, fetch.start, fetch.end) for fetch in fetches]
        _LOG.debug("GET %d ranges in %d requests", len(ranges), len(calls))
        bodies = self._session.run(self._session.each, self._get_exactly, calls)
        return coalesce.cut(fetches, bodies, len(ranges))

    @staticmethod
    def fetches(ranges: Sequence[tuple[str, int, int]]) -> list[coalesce.Fetch]:
        """The requests that `get_ranges` makes."""
        return coalesce.plan(ranges, max_gap=MAX_GAP, max_size=MAX_FETCH)

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size, in one request."""
        if size <= 0:
            whole = self.size(key)
            if whole is None:
                raise ObjectNotFoundError("there is no such object", where=f"{self.url}/{key}")
            return b"", whole
        _LOG.debug("GET %s, last %d bytes", key, size)
        try:
            return self._session.run(self._get, key, f"-{size}")
        except DamagedLakeError:
            # An empty object has no last byte, which servers answer with 416.
            if self.size(key) == 0:
                return b"", 0
            raise

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken.

        The PUT carries a nonce as metadata: where it is refused as taken, the nonce tells whether by ourselves, as our
        second attempt is after a lost reply; aiohttp, too, sends a PUT once more where the server hangs up.
        """
        nonce = secrets.token_hex(16)
        try:
            self._put(key, data, IfNoneMatch="*", Metadata={NONCE: nonce})
        except ObjectExistsError:
            if not self._carries(key, nonce):
                raise

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        self._put(key, data)

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        head = self._head(key)
        return None if head is None else int(head["ContentLength"])

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`, a page of 1,000 at a time."""
        check_prefix(prefix)
        folder = join(self._root, "x")[:-1]
        more = {"StartAfter": folder + after} if after else {}
        while True:
            ask = {"Bucket": self._bucket, "Prefix": folder + prefix, **more}
            page = self._session.run(self._ask, "LIST", prefix, "s3:ListBucket", "list_objects_v2", ask)
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix(folder)
                # Consoles make markers for folders; some servers pass over `start-after`.
                if not key.endswith("/") and key > after:
                    yield ObjectInfo(key, item["Size"], item["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, one request each: many servers differ about DeleteObjects, and packs are few."""
        self._session.run(self._session.each, self._delete, [(key,) for key in keys])

    def sweep(self, older_than_s: float) -> int:  # noqa: ARG002 - a PUT leaves nothing unless it succeeds
        """Nothing to remove: 0."""
        return 0

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is deleted; False where that may not be asked, or is not known there."""
        ask = {"Bucket": self._bucket}
        try:
            said = self._session.run(self._ask, "GET", "", "s3:GetBucketVersioning", "get_bucket_versioning", ask)
        except (StorageError, ObjectNotFoundError):
            return False
        return bool(said.get("Status") == "Enabled")

    def now(self) -> float:
        """The server's time, to the second."""
        head = self._head(LAKE) or {}
        try:
            return parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp()
        except (KeyError, ValueError):  # a server that does not tell; it has checked our own clock by the signature
            return time.time()

    def describe(self) -> str:
        """The server's software, and how it creates objects only where there is none."""
        head = self._head(LAKE) or {}
        server = head.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("server", "S3")
        return f"{server} at {self._session.host}, bucket {self._bucket}; If-None-Match: * in one PUT"

    def close(self) -> None:
        """Close the connections."""
        self._closer()

    async def _request(self, key: str, action: str, ask: Callable[[Any], Awaitable[T]]) -> T:
        """One request of the client that `ask` is given, with retries, its errors in our words."""

        async def attempt() -> T:
            client = await self._session.client()
            try:
                result = await ask(client)
            except Exception as error:
                self._answered = self._answered or bool(code_of(error))
                raise
            self._answered, self._waiting = True, False
            return result

        try:
            return await retried_async(
                attempt, classify, self._policy, sleep=asyncio.sleep,
                answered=lambda: self._answered, waiting=self._say_waiting,
            )  # fmt: skip
        except Exception as error:
            where = f"{self.url}/{key}"
            translated = translate(error, where, action, self._session.host, self._session.secrets)
            if is_taken(error) or is_missing(error) or is_bad_range(error):
                raise translated from error
            # Chained errors may quote keys and tokens, also in a traceback.
            raise translated from None

    def _say_waiting(self, error: Exception, elapsed_s: float) -> None:
        """Log that the store is waited for, once in a stretch, when it is more than a hiccup."""
        if elapsed_s >= _HICCUP_S and not self._waiting:
            self._waiting = True
            kind = "is busy" if code_of(error) else "does not answer"
            _LOG.warning("%s %s; trying again for up to %.0f s.", self.url, kind, self._policy.retry_for_s)

    async def _ask(self, verb: str, key: str, action: str, method: str, ask: Mapping[str, object]) -> dict[str, Any]:
        """What the client's method says; counted as `verb`."""

        _LOG.debug("%s %s", verb, key or self.url)

        async def asked(client: Any) -> dict[str, Any]:
            self.counters.add(verb)
            said: dict[str, Any] = await getattr(client, method)(**ask)
            return said

        return await self._request(key, action, asked)

    async def _get(self, key: str, byte_range: str | None) -> tuple[bytes, int]:
        """The bytes and the whole object's size."""
        ask = self._target(key) | ({"Range": f"bytes={byte_range}"} if byte_range else {})

        async def got(client: Any) -> tuple[bytes, int]:
            received = 0
            try:
                reply = await client.get_object(**ask)
                async with reply["Body"] as stream:
                    body: bytes = await stream.read()
                received = len(body)
            finally:
                self.counters.add("GET", bytes_in=received)
            if received != reply["ContentLength"]:
                raise TruncatedBodyError
            _, _, total = str(reply.get("ContentRange", "")).rpartition("/")
            return body, int(total) if total.isdigit() else received

        return await self._request(key, READ, got)

    async def _get_exactly(self, key: str, start: int, end: int) -> bytes:
        body, _ = await self._get(key, f"{start}-{end - 1}")
        if len(body) != end - start:
            what = f"truncated: bytes {start} to {end} are not all there"
            raise DamagedLakeError(what, where=f"{self.url}/{key}")
        return body

    def _put(self, key: str, data: Data, **extra: object) -> None:
        body = bytes(joined(data))
        _LOG.debug("PUT %s, %d bytes%s", key, len(body), " unless it exists" if "IfNoneMatch" in extra else "")
        # Servers check it on arrival; buckets with object lock demand it.
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        ask = self._target(key) | {"Body": body, "ContentMD5": md5} | extra

        async def put(client: Any) -> None:
            self.counters.add("PUT", bytes_out=len(body))
            # The client's own timeout begins after the upload: a server that takes no more would hold us for ever.
            await asyncio.wait_for(client.put_object(**ask), self._read_timeout_s + len(body) / SLOWEST_BYTES_PER_S)

        self._session.run(self._request, key, "s3:PutObject", put)

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            return self._session.run(self._ask, "HEAD", key, READ, "head_object", self._target(key))
        except ObjectNotFoundError:
            return None

    def _carries(self, key: str, nonce: str) -> bool:
        try:
            head = self._head(key)
        except AccessDeniedError:
            return False
        return head is not None and head.get("Metadata", {}).get(NONCE) == nonce

    async def _delete(self, key: str) -> None:
        with contextlib.suppress(ObjectNotFoundError):
            await self._ask("DELETE", key, "s3:DeleteObject", "delete_object", self._target(key))

    def _target(self, key: str) -> dict[str, Any]:
        return {"Bucket": self._bucket, "Key": join(self._root, check_key(key))}
