"""A lake in an S3 bucket. s3fs finds credentials and endpoint and keeps the connections; requests go to its client.

s3fs's own reads and writes are not used: they turn large puts into multipart uploads, where create-only is racy,
need two requests for the tail of an object, and hide the server's error codes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import fsspec.asyn
import s3fs

from ..errors import AccessDeniedError, DamagedLakeError, ObjectExistsError, ObjectNotFoundError, StorageError
from . import coalesce
from .address import Address, check_key, check_prefix, join
from .interface import Counters, Data, ObjectInfo, joined
from .retry import DEFAULT_POLICY, RetryPolicy, retried_async
from .s3_errors import TruncatedBodyError, classify, is_bad_range, is_missing, is_taken, translate
from .s3_options import READ_TIMEOUT_S, S3Settings, settings_from

T = TypeVar("T")

MAX_GAP = 64 * 1024
"""A request costs as much as some 100 KiB of transfer, near or far."""
MAX_FETCH = 8 * 1024 * 1024
CONCURRENCY = 24
"""Requests in flight for one call; the pool of connections bounds all calls together."""
CLOSING_S = 5
SLOWEST_BYTES_PER_S = 64 * 1024
"""An upload slower than this is given up and tried again."""
READ = "s3:GetObject and s3:ListBucket"
"""Without the second, S3 answers 403 to a request for an absent object."""
NONCE = "put-nonce"
"""Object metadata, `x-amz-meta-put-nonce`: tells a writer whether an object is from its own request."""


def open_s3(address: Address, options: Mapping[str, str]) -> S3Store:
    """The store at `s3://bucket/prefix`; nothing is asked of the server yet."""
    return S3Store(address, settings_from(address, options))


class S3Store:
    """`s3://bucket/prefix`. Every object is one PUT; create-only is `If-None-Match: *`."""

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
        self._settings = settings
        self._policy = policy
        self._read_timeout_s = read_timeout_s
        arguments = settings.s3fs_arguments(read_timeout_s)
        self._fs = s3fs.S3FileSystem(**arguments, use_listings_cache=False, skip_instance_cache=True)
        self._endpoint = settings.endpoint_url or "the S3 endpoint"
        self._closer = weakref.finalize(self, _disconnect, self._fs)

    def __repr__(self) -> str:
        return f"S3Store({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        return self._run(self._get, key, None)[0]

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        return b"" if end <= start else self._run(self._get_exactly, key, start, end)

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, concurrently, in the order asked."""
        fetches = coalesce.plan(ranges, max_gap=MAX_GAP, max_size=MAX_FETCH)
        bodies = self._run(self._each, [(fetch.key, fetch.start, fetch.end) for fetch in fetches], self._get_exactly)
        return coalesce.cut(fetches, bodies, len(ranges))

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size, in one request."""
        return self._run(self._get_tail, key, size)

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken."""
        body = bytes(joined(data))
        self._run(self._create, key, body, _md5(body))

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        body = bytes(joined(data))
        self._run(self._put, key, body, _md5(body))

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        return self._run(self._head, key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix`, a page of 1,000 at a time."""
        check_prefix(prefix)
        skip = len(join(self._root, "x")) - 1
        page: dict[str, Any] = {"IsTruncated": True}
        while page["IsTruncated"]:
            page = self._run(self._list_page, prefix, page.get("NextContinuationToken"))
            for item in page.get("Contents", ()):
                if not item["Key"].endswith("/"):  # markers that consoles make for folders
                    yield ObjectInfo(item["Key"][skip:], item["Size"], item["LastModified"].timestamp())

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, one request each: many servers differ about DeleteObjects, and packs are few."""
        self._run(self._each, [(key,) for key in keys], self._delete)

    def sweep(self, older_than_s: float) -> int:  # noqa: ARG002 - a PUT leaves nothing unless it succeeds
        """Nothing to remove: 0."""
        return 0

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is deleted; False where that may not be asked, or is not known there."""
        try:
            return self._run(self._versioned)
        except StorageError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._closer()

    def _run(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Run a coroutine on fsspec's I/O thread and wait for it; Ctrl-C gets through."""
        result: T = fsspec.asyn.sync(self._fs.loop, function, *arguments)
        return result

    async def _each(self, calls: Sequence[tuple[Any, ...]], function: Callable[..., Awaitable[T]]) -> Sequence[T]:
        """The function's results for many arguments, so many at a time; the first error stops the rest."""
        limit = asyncio.Semaphore(CONCURRENCY)

        async def one(arguments: tuple[Any, ...]) -> T:
            async with limit:
                return await function(*arguments)

        tasks = [asyncio.ensure_future(one(arguments)) for arguments in calls]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _request(self, key: str, action: str, operation: Callable[[Any], Awaitable[T]]) -> T:
        """One request with retries, its errors in our words. `operation` gets the connected client."""

        async def attempt() -> T:
            client = await self._fs.set_session()
            self._endpoint = client.meta.endpoint_url
            return await operation(client)

        where = f"{self.url}/{key}"
        try:
            return await retried_async(attempt, classify, self._policy)
        except Exception as error:
            translated = translate(error, where, action, self._endpoint, self._settings.secrets)
            if is_taken(error) or is_missing(error) or is_bad_range(error):
                raise translated from error
            # Chained errors of the client may quote keys and tokens, also in a traceback.
            raise translated from None

    async def _get(self, key: str, byte_range: str | None) -> tuple[bytes, int]:
        """The bytes and the whole object's size."""

        async def operation(client: Any) -> tuple[bytes, int]:
            extra = {"Range": f"bytes={byte_range}"} if byte_range else {}
            received = 0
            try:
                reply = await client.get_object(**self._target(key), **extra)
                async with reply["Body"] as stream:
                    body: bytes = await stream.read()
                received = len(body)
            finally:
                self.counters.add("GET", bytes_in=received)
            announced = reply["ContentLength"]
            if received != announced:
                raise TruncatedBodyError(f"{received} of {announced} bytes")
            _, _, total = str(reply.get("ContentRange", "")).rpartition("/")
            return body, int(total) if total.isdigit() else announced

        return await self._request(key, READ, operation)

    async def _get_exactly(self, key: str, start: int, end: int) -> bytes:
        body, _ = await self._get(key, f"{start}-{end - 1}")
        if len(body) != end - start:
            what = f"truncated: bytes {start} to {end} are not all there"
            raise DamagedLakeError(what, where=f"{self.url}/{key}")
        return body

    async def _get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        if size <= 0:
            whole = await self._head(key)
            if whole is None:
                raise ObjectNotFoundError("there is no such object", where=f"{self.url}/{key}")
            return b"", whole
        try:
            return await self._get(key, f"-{size}")
        except DamagedLakeError:
            # An empty object has no last byte, which servers answer with 416.
            if await self._head(key) == 0:
                return b"", 0
            raise

    async def _put(self, key: str, body: bytes, md5: str, **extra: object) -> None:
        async def operation(client: Any) -> None:
            self.counters.add("PUT", bytes_out=len(body))
            sending = client.put_object(**self._target(key), Body=body, ContentMD5=md5, **extra)
            # The client's own timeout begins after the upload: a server that takes no more would hold us for ever.
            await asyncio.wait_for(sending, self._read_timeout_s + len(body) / SLOWEST_BYTES_PER_S)

        await self._request(key, "s3:PutObject", operation)

    async def _create(self, key: str, body: bytes, md5: str) -> None:
        """The PUT carries a nonce as metadata: where it is refused as taken, the nonce tells whether by ourselves.

        Our retry after a lost reply is refused so, and aiohttp sends a PUT twice by itself when the server hangs up.
        """
        nonce = secrets.token_hex(16)
        try:
            await self._put(key, body, md5, IfNoneMatch="*", Metadata={NONCE: nonce})
        except ObjectExistsError:
            if not await self._carries(key, nonce):
                raise

    async def _carries(self, key: str, nonce: str) -> bool:
        async def operation(client: Any) -> bool:
            self.counters.add("HEAD")
            reply = await client.head_object(**self._target(key))
            return bool(reply.get("Metadata", {}).get(NONCE) == nonce)

        try:
            return await self._request(key, READ, operation)
        except (ObjectNotFoundError, AccessDeniedError):
            return False

    async def _head(self, key: str) -> int | None:
        async def operation(client: Any) -> int | None:
            self.counters.add("HEAD")
            try:
                return int((await client.head_object(**self._target(key)))["ContentLength"])
            except Exception as error:
                if is_missing(error):
                    return None
                raise

        return await self._request(key, READ, operation)

    async def _list_page(self, prefix: str, token: str | None) -> dict[str, Any]:
        async def operation(client: Any) -> dict[str, Any]:
            self.counters.add("LIST")
            start = join(self._root, "x")[:-1] + prefix
            extra = {"ContinuationToken": token} if token else {}
            page: dict[str, Any] = await client.list_objects_v2(Bucket=self._bucket, Prefix=start, **extra)
            return page

        return await self._request(prefix, "s3:ListBucket", operation)

    async def _versioned(self) -> bool:
        async def operation(client: Any) -> bool:
            self.counters.add("GET")
            answer = await client.get_bucket_versioning(Bucket=self._bucket)
            return bool(answer.get("Status") == "Enabled")

        return await self._request("", "s3:GetBucketVersioning", operation)

    async def _delete(self, key: str) -> None:
        async def operation(client: Any) -> None:
            self.counters.add("DELETE")
            try:
                await client.delete_object(**self._target(key))
            except Exception as error:
                if not is_missing(error):
                    raise

        await self._request(key, "s3:DeleteObject", operation)

    def _target(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": join(self._root, check_key(key))}


def _md5(body: bytes) -> str:
    """Servers check it on arrival; buckets with object lock demand it."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _disconnect(fs: Any) -> None:
    """Close a file system's client, also at interpreter exit, where an open one would warn."""
    if fs._s3 is None or not fs.loop.is_running():
        return
    closing = asyncio.run_coroutine_threadsafe(fs._s3.close(), fs.loop)
    # The garbage collector may call this on the I/O thread itself, which cannot wait for itself.
    if threading.current_thread() is not fsspec.asyn.iothread[0]:
        with contextlib.suppress(TimeoutError):
            closing.result(CLOSING_S)
