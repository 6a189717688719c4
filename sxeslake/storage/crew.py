"""Threads that make many calls at once for those who wait: the first error ends the rest, and Ctrl-C gets through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")

_TURN_S = 1.0
"""On Windows nothing interrupts a wait, so that none is longer."""


class Crew:
    """So many threads, started when there is something to do."""

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self.begin_anew()

    def begin_anew(self) -> None:
        """Without threads: so also in the child of a fork, where the parent's are not."""
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def each(
        self,
        function: Callable[..., T],
        calls: Sequence[tuple[Any, ...]],
        *,
        interrupt: Callable[[], object],
    ) -> list[T]:
        """`function(*arguments, stop)` for many arguments, results in their order.

        `stop` is set as soon as the results are of no use; `interrupt` is called where even that is not soon enough.
        """
        stop = threading.Event()
        if len(calls) < 2:
            return [function(*arguments, stop) for arguments in calls]
        pool = self._threads()
        futures = [pool.submit(function, *arguments, stop) for arguments in calls]
        try:
            waiting: set[Future[T]] = set(futures)
            while waiting:
                done, waiting = wait(waiting, timeout=_TURN_S, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            return [future.result() for future in futures]
        except BaseException as error:
            stop.set()
            for future in futures:
                future.cancel()
            if not isinstance(error, Exception):
                interrupt()
            raise

    def close(self) -> None:
        """Let the threads end; does not wait for them."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
            return self._pool
