"""An event loop in a thread of its own, for the clients of remote stores.

Any other thread hands it a coroutine and waits: fsspec's loop, which all its file systems share, would wait for itself
where one of them reads a lake.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .inflight import CancelledRequestError, in_flight

T = TypeVar("T")
C = TypeVar("C")

CONCURRENCY = 24
"""Requests in flight for all calls of `Loop.each` together."""

_CLOSING_S = 5.0
_TURN_S = 1.0
"""On Windows nothing interrupts a wait, so that none is longer."""


class Loop(Generic[C]):
    """Begins to run at the first request, with a connection that is made then; anew in the child of a fork."""

    _lock: threading.Lock
    _at_work: _Ready[C] | None

    def __init__(
        self, connection: Callable[[asyncio.AbstractEventLoop], C], end: Callable[[C], Awaitable[object]], where: str
    ) -> None:
        """`connection` makes one for the loop, `end` closes it there; `where` is the store's URL, for people."""
        self._make, self._end, self._where = connection, end, where
        self._begin()
        _LOOPS.add(self)

    @property
    def connection(self) -> C:
        """What the requests go through."""
        return self._ready().connection

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

    def close(self) -> None:
        """End what is under way and close the connection, also at the end of the interpreter."""
        with self._lock:
            ready, self._at_work = self._at_work, None
        if ready is None:
            return
        asyncio.run_coroutine_threadsafe(_wind_up(ready, self._end), ready.loop)
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

    def _ready(self) -> _Ready[C]:
        with self._lock:
            if self._at_work is None:
                loop = asyncio.new_event_loop()
                try:
                    connection = self._make(loop)
                except BaseException:
                    loop.close()
                    raise
                thread = threading.Thread(target=_serve, args=(loop,), name="sxeslake-storage", daemon=True)
                thread.start()
                self._at_work = _Ready(connection, loop, thread, asyncio.Semaphore(CONCURRENCY))
            return self._at_work


@dataclass(slots=True)
class _Ready(Generic[C]):
    """A loop at work."""

    connection: C
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread
    limit: asyncio.Semaphore


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _wind_up(ready: _Ready[C], end: Callable[[C], Awaitable[object]]) -> None:
    """End what is under way, close the connection, stop the loop."""
    try:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await end(ready.connection)
        await asyncio.sleep(0)  # the transports of its connections take a turn to close
    finally:
        ready.loop.stop()


_LOOPS: weakref.WeakSet[Loop[Any]] = weakref.WeakSet()
_FOREIGN: list[_Ready[Any]] = []
"""What a parent has at work: closed in its child, it would close what it shares with the parent."""


def _after_fork() -> None:
    for loop in list(_LOOPS):
        loop.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
