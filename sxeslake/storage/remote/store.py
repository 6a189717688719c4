"""A lake on a remote store other than S3: counting, retries, coalesced reads and errors for any client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from sxeslake.errors import (
    AccessDeniedError,
    DamagedLakeError,
    NotFoundError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
)
from sxeslake.format.keys import LAKE

from .. import coalesce
from ..address import check_key, check_prefix, join
from ..interface import Counters, Data, ObjectInfo, joined
from ..loop import Loop
from ..retry import DEFAULT_POLICY, RetryPolicy, retried_async
from .client import READ_TIMEOUT_S, Client, Page, Reply, Verb, explain

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

MAX_GAP = 64 * 1024
"""A request costs as much as some 100 KiB of transfer, near or far."""
MAX_FETCH = 8 * 1024 * 1024
SLOWEST_BYTES_PER_S = 64 * 1024
"""A transfer slower than this is given up and tried again."""
_HICCUP_S = 1.0  # trouble that is over sooner is not worth a line


class RemoteStore:
    """A prefix of a bucket or a folder of a server, from any thread; also from the child of a fork."""

    def __init__(
        self,
        url: str,
        root: str,
        client: Callable[[asyncio.AbstractEventLoop], Client],
        policy: RetryPolicy = DEFAULT_POLICY,
    ) -> None:
        """`root` is the path of the lake in the bucket or on the server; `client` makes a client for an event loop."""
        self.url = url
        self.counters = Counters()
        self._root = root
        self._policy = policy
        self._answered = False  # the store has answered once: its address is right
        self._waiting = False  # said that it does not answer now
        self._loop: Loop[Client] = Loop(client, _closed, url)
        self._closer = weakref.finalize(self, self._loop.close)

    def __repr__(self) -> str:
        return f"RemoteStore({self.url!r})"

    def get(self, key: str) -> bytes:
        """The whole object."""
        _LOG.debug("GET %s", key)
        return self._loop.run(self._read, key, None, None).body

    def get_range(self, key: str, start: int, end: int) -> bytes:
        """Exactly `end - start` bytes."""
        _LOG.debug("GET %s, bytes %d to %d", key, start, end)
        return b"" if end <= start else self._loop.run(self._read_exactly, key, start, end)

    def get_ranges(self, ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Many ranges, concurrently, in the order asked."""
        fetches = self.fetches(ranges)
        calls = [(fetch.key, fetch.start, fetch.end) for fetch in fetches]
        _LOG.debug("GET %d ranges in %d requests", len(ranges), len(calls))
        bodies = self._loop.run(self._loop.each, self._read_exactly, calls)
        return coalesce.cut(fetches, bodies, len(ranges))

    @staticmethod
    def fetches(ranges: Sequence[tuple[str, int, int]]) -> list[coalesce.Fetch]:
        """The requests that `get_ranges` makes."""
        return coalesce.plan(ranges, max_gap=MAX_GAP, max_size=MAX_FETCH)

    def get_tail(self, key: str, size: int) -> tuple[bytes, int]:
        """The last bytes and the whole size: one request where the server knows ranges from the end, else two."""
        _LOG.debug("GET %s, last %d bytes", key, size)
        if size > 0 and self._loop.connection.reads_tails:
            try:
                return self._loop.run(self._read_tail, key, size)
            except DamagedLakeError:  # an empty object has no last byte, which servers answer with 416
                if self.size(key) == 0:
                    return b"", 0
                raise
        whole = self.size(key)
        if whole is None:
            raise ObjectNotFoundError("there is no such object", where=self._where(key))
        return self.get_range(key, max(0, whole - max(size, 0)), whole), whole

    def create(self, key: str, data: Data) -> None:
        """Put unless the key is taken.

        The object carries a nonce: where the put is refused as taken, the nonce tells whether by ourselves, as our
        second attempt is after a lost reply.
        """
        nonce = secrets.token_hex(16)
        try:
            self._put(key, data, nonce)
        except ObjectExistsError:
            if not self._carries(key, nonce):
                raise

    def replace(self, key: str, data: Data) -> None:
        """Put whether or not the key is taken."""
        self._put(key, data, None)

    def size(self, key: str) -> int | None:
        """The object's size, None where there is none."""
        _LOG.debug("HEAD %s", key)
        client, path = self._loop.connection, self._path(key)
        try:
            return self._ask("HEAD", "read", key, lambda: client.head(path)).size
        except ObjectNotFoundError:
            return None

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix` and sorts behind `after`, page by page."""
        check_prefix(prefix)
        folder = join(self._root, "x")[:-1]
        start, behind = folder + prefix, folder + after if after else ""
        mark: object = None
        while True:
            page = self._next_page(start, behind, mark)
            for info in page.objects:
                key = info.key.removeprefix(folder)
                # Consoles make markers for folders.
                if key.startswith(prefix) and not key.endswith("/") and key > after:
                    yield ObjectInfo(key, info.size, info.modified)
            mark = page.mark
            if mark is None:
                return

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, one request each; absent keys are fine."""
        _LOG.debug("DELETE %d objects", len(keys))
        calls = [(key, self._path(key)) for key in keys]
        if calls:
            self._loop.run(self._loop.each, self._delete, calls)

    def sweep(self, older_than_s: float) -> int:
        """Remove what crashed writers left, where a put is more than one step."""
        client = self._loop.connection
        return self._ask("LIST", "delete", "", lambda: client.sweep(self._root, older_than_s), counts=False)

    def settle(self, keys: Sequence[str]) -> None:
        """See objects of other writers through to the disk, where a put is more than one step."""
        client, paths = self._loop.connection, [self._path(key) for key in keys]
        self._ask("HEAD", "read", "", lambda: client.settle(paths), counts=False)

    def keeps_versions(self) -> bool:
        """Whether what is deleted stays for a while; False where that may not be asked, or is not known there."""
        client = self._loop.connection
        try:
            return self._ask("GET", "read", "", client.keeps_versions)
        except (StorageError, NotFoundError):
            return False

    def now(self) -> float:
        """The server's time."""
        client, path = self._loop.connection, self._path(LAKE)
        told = self._ask("HEAD", "read", LAKE, lambda: client.now(path))
        return time.time() if told is None else told

    def describe(self) -> str:
        """The server's software, and how it creates objects only where there is none."""
        client = self._loop.connection
        return self._ask("HEAD", "read", "", client.describe)

    def close(self) -> None:
        """Close the connections."""
        self._closer()

    def _ask(self, verb: str, permission: Verb, key: str, ask: Callable[[], Awaitable[T]], *, counts: bool = True) -> T:
        """One request with retries, from any thread, counted as `verb`."""

        async def asked() -> T:
            if counts:
                self.counters.add(verb)
            return await ask()

        answer: T = self._loop.run(self._request, permission, key, asked)
        return answer

    async def _request(self, verb: Verb, key: str, ask: Callable[[], Awaitable[T]], size: int | None = 0) -> T:
        """One request with retries, its errors in our words; `size` is what it moves in bytes, where that is known."""
        client = self._loop.connection
        limit_s = None if size is None else 2 * READ_TIMEOUT_S + size / SLOWEST_BYTES_PER_S

        async def attempt() -> T:
            try:
                # Clients time out on silence; this ends a transfer that creeps.
                result = await asyncio.wait_for(ask(), limit_s)
            except Exception as error:
                self._answered = self._answered or client.judge(error).trouble == "final"
                raise
            self._answered, self._waiting = True, False
            return result

        try:
            return await retried_async(
                attempt, lambda error: client.judge(error).trouble, self._policy, sleep=asyncio.sleep,
                answered=lambda: self._answered, waiting=self._say_waiting,
            )  # fmt: skip
        except Exception as error:
            # Chained errors may quote keys and tokens, also in a traceback.
            raise explain(error, client, verb, self._where(key)) from None

    def _say_waiting(self, error: Exception, elapsed_s: float) -> None:
        """Log that the store is waited for, once in a stretch, when it is more than a hiccup."""
        if elapsed_s >= _HICCUP_S and not self._waiting:
            self._waiting = True
            kind = "is busy" if self._loop.connection.judge(error).trouble == "busy" else "does not answer"
            _LOG.warning("%s %s; trying again for up to %.0f s.", self.url, kind, self._policy.retry_for_s)

    async def _read(self, key: str, start: int | None, end: int | None) -> Reply:
        client, path = self._loop.connection, self._path(key)
        size = None if start is None or end is None else end - start
        return await self._received(key, lambda: client.read(path, start, end), size)

    async def _read_tail(self, key: str, size: int) -> Reply:
        client, path = self._loop.connection, self._path(key)
        return await self._received(key, lambda: client.read_tail(path, size), size)

    async def _read_exactly(self, key: str, start: int, end: int) -> bytes:
        body, _ = await self._read(key, start, end)
        if len(body) != end - start:
            what = f"truncated: bytes {start} to {end} are not all there"
            raise DamagedLakeError(what, where=self._where(key))
        return body

    async def _received(self, key: str, ask: Callable[[], Awaitable[Reply]], size: int | None) -> Reply:
        async def asked() -> Reply:
            received = 0
            try:
                reply = await ask()
                received = len(reply.body)
                return reply
            finally:
                self.counters.add("GET", bytes_in=received)

        return await self._request("read", key, asked, size)

    def _put(self, key: str, data: Data, nonce: str | None) -> None:
        body = bytes(joined(data))
        _LOG.debug("PUT %s, %d bytes%s", key, len(body), " unless it exists" if nonce else "")
        client, path = self._loop.connection, self._path(key)

        async def put() -> None:
            self.counters.add("PUT", bytes_out=len(body))
            await client.put(path, body, nonce)

        self._loop.run(self._request, "write", key, put, len(body))

    def _carries(self, key: str, nonce: str) -> bool:
        client, path = self._loop.connection, self._path(key)
        try:
            return self._ask("HEAD", "read", key, lambda: client.is_mine(path, nonce))
        except (AccessDeniedError, ObjectNotFoundError):
            return False

    def _next_page(self, start: str, behind: str, mark: object) -> Page:
        client = self._loop.connection
        _LOG.debug("LIST %s", start)
        return self._ask("LIST", "list", start.removeprefix(self._root), lambda: client.page(start, behind, mark))

    async def _delete(self, key: str, path: str) -> None:
        client = self._loop.connection

        async def asked() -> None:
            self.counters.add("DELETE")
            await client.delete(path)

        with contextlib.suppress(ObjectNotFoundError):
            await self._request("delete", key, asked)

    def _path(self, key: str) -> str:
        return join(self._root, check_key(key))

    def _where(self, key: str) -> str:
        return f"{self.url}/{key.lstrip('/')}"


async def _closed(client: Client) -> None:
    await client.close()
