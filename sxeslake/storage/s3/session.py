"""The connection of one store: s3fs finds credentials, endpoint and region; its client makes the requests.

The client lives on an event loop in a thread of its own. Any other thread hands it a coroutine and waits: fsspec's
loop, which all its file systems share, would wait for itself where one of them reads a lake.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, wait
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any, TypeVar
from urllib.parse import urlsplit

import s3fs
from botocore import exceptions as boto

from sxeslake.errors import AccessDeniedError, UsageError

from ..inflight import CancelledRequestError, in_flight
from .options import S3Settings

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

CONCURRENCY = 24
"""Requests in flight for all calls of `Session.each` together."""

_CLOSING_S = 5.0
_TURN_S = 1.0
"""On Windows nothing interrupts a wait, so that none is longer."""
_SET_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_SET_PROFILE = "See AWS_PROFILE and --storage-option profile=NAME."
_SET_ENDPOINT = "See AWS_ENDPOINT_URL and the profile."
_SET_REGION = "See AWS_REGION and --storage-option region=NAME."
_UNREADABLE = (boto.ConfigParseError, boto.ConfigNotFound)
_NO_CREDENTIALS = (boto.BotoCoreError, boto.ClientError, JSONDecodeError, OSError)
"""Also what comes of programs that are absent, or print something else."""


class Session:
    """Made at the first request, and rebuilt in the child of a fork."""

    _lock: threading.Lock
    _at_work: _Ready | None

    def __init__(self, settings: S3Settings, read_timeout_s: float, where: str) -> None:
        """`where` is the store's URL, for people."""
        self._settings, self._read_timeout_s, self._where = settings, read_timeout_s, where
        self._host = urlsplit(settings.endpoint_url or "").hostname or "the S3 endpoint"
        self._words = dict.fromkeys(settings.secrets)
        self._begin()
        _SESSIONS.add(self)

    @property
    def host(self) -> str:
        """The server's name, for people."""
        return self._host

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: what the user gave, and what was found."""
        return tuple(self._words)

    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: object) -> T:
        """What a coroutine gives; it is cancelled where nobody waits for it any more."""
        ready = self._ready()
        future = asyncio.run_coroutine_threadsafe(function(*arguments), ready.loop)
        with in_flight(future):
            while not wait([future], _TURN_S).done:
                if not ready.thread.is_alive():  # closed meanwhile
                    future.cancel()
            try:
                return future.result()
            except CancelledError:
                raise CancelledRequestError("the request was cancelled", where=self._where) from None

    async def each(self, function: Callable[..., Awaitable[T]], calls: Sequence[tuple[Any, ...]]) -> Sequence[T]:
        """The function's results for many arguments, in their order; the first error ends the rest."""
        limit = self._ready().limit

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

    async def client(self) -> Any:
        """aiobotocore's client, ready for a request."""
        ready = self._ready()
        try:
            async with (
                ready.starting
            ):  # two first requests at once would make two clients, of which one is never closed
                ready.client = await ready.fs.set_session()
            self._host = urlsplit(ready.client.meta.endpoint_url).hostname or self._host
            if not self._settings.anon and not self._settings.key:
                self._words |= dict.fromkeys(await _credentials(ready.fs.session))
        except boto.ProfileNotFound:
            raise UsageError("no such profile in the AWS configuration", hint=_SET_PROFILE) from None
        except _UNREADABLE as error:
            what = f"the AWS configuration cannot be read ({type(error).__name__})"
            raise UsageError(what, hint=_SET_PROFILE) from None
        except boto.InvalidRegionError:
            raise UsageError("the region has no valid name", hint=_SET_REGION) from None
        except _NO_CREDENTIALS as error:
            # What it says may quote commands and tokens.
            what = f"the AWS configuration gives no credentials ({type(error).__name__})"
            raise AccessDeniedError(what, hint=_SET_CREDENTIALS) from None
        except ValueError:
            raise UsageError("the endpoint starts with http:// or https://", hint=_SET_ENDPOINT) from None
        return ready.client

    def close(self) -> None:
        """Close the connections, also at the end of the interpreter."""
        with self._lock:
            ready, self._at_work = self._at_work, None
        if ready is None:
            return
        asyncio.run_coroutine_threadsafe(_wind_up(ready), ready.loop)
        # The garbage collector may call this in the loop's own thread, which cannot wait for itself.
        if threading.current_thread() is not ready.thread:
            ready.thread.join(_CLOSING_S)

    def begin_anew(self) -> None:
        """In the child of a fork: the loop and the sockets are the parent's, and a lock may be held for ever."""
        if self._at_work is not None:
            _FOREIGN.append(self._at_work)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._at_work = None

    def _ready(self) -> _Ready:
        with self._lock:
            if self._at_work is None:
                loop = asyncio.new_event_loop()
                fs = s3fs.S3FileSystem(
                    **self._settings.s3fs_arguments(self._read_timeout_s),
                    asynchronous=True,
                    loop=loop,
                    use_listings_cache=False,
                    skip_instance_cache=True,
                )
                _LOG.debug("new S3 client for %s", self._where)
                thread = threading.Thread(target=_serve, args=(loop,), name="sxeslake-s3", daemon=True)
                thread.start()
                self._at_work = _Ready(fs, loop, thread, asyncio.Semaphore(CONCURRENCY), asyncio.Lock())
            return self._at_work


@dataclass(slots=True)
class _Ready:
    """A loop at work."""

    fs: Any
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    limit: asyncio.Semaphore
    starting: asyncio.Lock
    client: Any = None


async def _credentials(session: Any) -> tuple[str, ...]:
    """The words of the credentials that the next request is signed with; renewed where they run out."""
    found = await session.get_credentials()
    if found is None:
        raise AccessDeniedError("found no credentials", hint=_SET_CREDENTIALS)
    return tuple(word for word in await found.get_frozen_credentials() if word)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _wind_up(ready: _Ready) -> None:
    """End what is under way, close the client, stop the loop."""
    try:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if ready.client is not None:
            await ready.client.close()
        await asyncio.sleep(0)  # the transports of its connections take a turn to close
    finally:
        ready.loop.stop()


_SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()
_FOREIGN: list[_Ready] = []
"""What a parent has at work: closed in its child, it would close what it shares with the parent."""


def _after_fork() -> None:
    for session in list(_SESSIONS):
        session.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
