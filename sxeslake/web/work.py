"""Work of requests in threads: so many at once, fewer of the heavy kind, and given up when nobody waits any more."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import to_thread

from sxeslake.errors import SxeslakeError

if TYPE_CHECKING:
    from starlette.requests import Request

_T = TypeVar("_T")
_POLL_S = 0.25


class TooBusyError(SxeslakeError):
    """More heavy work waits already than this server takes on."""


class GoneError(Exception):
    """Nobody waits for this work any more. No error for people: there is no one to read it."""


class Job:
    """One request's work, as the thread that does it sees it."""

    def __init__(self) -> None:
        self._gone = threading.Event()

    def give_up(self) -> None:
        """Have the work end at its next `check`."""
        self._gone.set()

    def check(self) -> None:
        """End here with GoneError where nobody waits any more; long work calls it between its parts."""
        if self._gone.is_set():
            raise GoneError


class Workers:
    """The threads of a server."""

    def __init__(self, threads: int, heavy: int, waiting: int) -> None:
        self._all = anyio.CapacityLimiter(threads)
        self._heavy = anyio.CapacityLimiter(heavy)
        self._most_waiting = waiting

    async def do(self, request: Request, work: Callable[[Job], _T], *, heavy: bool = False) -> _T:
        """The result of work that blocks. TooBusyError where too much waits; GoneError where the client has gone."""
        limiter = self._heavy if heavy else self._all
        if heavy and limiter.statistics().tasks_waiting >= self._most_waiting:
            raise TooBusyError("this server is busy with heavy work.", hint="Try again in a few seconds.")
        job = Job()

        def run() -> _T:
            job.check()  # it may have waited for long
            return work(job)

        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, request.is_disconnected, job)
            try:
                done = await to_thread.run_sync(run, limiter=limiter)
            except Exception as error:  # raised below: a task group would wrap it
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return done

    async def step(self, work: Callable[[], _T]) -> _T:
        """One short step of a longer answer, such as the next part of a download."""
        return await to_thread.run_sync(work, limiter=self._all)


async def _watch(is_gone: Callable[[], Awaitable[bool]], job: Job) -> None:
    """Give the job up once its client has gone; where the server ends, too."""
    try:
        while not await is_gone():
            await anyio.sleep(_POLL_S)
    finally:
        job.give_up()
