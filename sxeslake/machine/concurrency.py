"""Work in a bounded number of threads, its results taken in the order of submission."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Generic, ParamSpec, TypeVar

from sxeslake.closing import Finishing
from sxeslake.model import MIB

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

CHUNK_BYTES = 4 * MIB  # what one job decodes; larger members come in pieces of this size
MAX_THREADS = 16  # unless more are asked for: each holds some MiB, and disks are slower than these
IN_FLIGHT_PER_THREAD = 2  # one running, one waiting: a thread that ends finds work, and memory stays small


def usable_cpus() -> int:
    """How many threads are worth having: the processors this process may use, 1 to MAX_THREADS."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(max(1, count or 1), MAX_THREADS)


class OrderedPool(Finishing, Generic[Result]):
    """Runs functions in threads and hands their results to `sink` in order, in the thread that submits.

    At most `in_flight` results exist or are being made: `submit` waits for the oldest when there are more. An
    exception of a function comes out of the `submit` or `close` that would have taken its result; nothing that
    was submitted after it reaches the sink.

        with OrderedPool(out.write) as pool:
            for block in blocks:
                pool.submit(compress, block)
    """

    def __init__(
        self, sink: Callable[[Result], object], *, threads: int | None = None, in_flight: int | None = None
    ) -> None:
        count = usable_cpus() if threads is None else max(1, threads)
        self._sink = sink
        self._limit = max(1, in_flight if in_flight is not None else count * IN_FLIGHT_PER_THREAD + 1)
        self._pending: deque[Future[Result]] = deque()
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="sxeslake-archive")

    def submit(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> None:
        """Run `function(*args)` in a thread; hands over what is ready, and waits while too much is in flight."""
        while self._pending and (len(self._pending) >= self._limit or self._pending[0].done()):
            self._take()
        self._pending.append(self._executor.submit(function, *args, **kwargs))

    @property
    def is_idle(self) -> bool:
        """Whether every result has been handed over."""
        return not self._pending

    def drain(self) -> None:
        """Wait until every result has reached the sink."""
        while self._pending:
            self._take()

    def close(self) -> None:
        """Drain, then end the threads; they end also when a result was an exception."""
        try:
            self.drain()
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop what has not started, wait for what has, end the threads; the sink hears no more."""
        self._pending.clear()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _take(self) -> None:
        try:
            result = self._pending.popleft().result()
            self._sink(result)
        except BaseException:
            self._pending.clear()
            raise


def in_order(
    jobs: Iterable[Callable[[], Result]], *, threads: int | None = None, in_flight: int | None = None
) -> Generator[Result, None, None]:
    """The results of `jobs`, in order, run in threads a few ahead of the consumer; `close()` ends the threads.

    A single job runs in the caller's thread: of 10,000 small archives, each would else start threads of its own.
    """
    waiting = iter(jobs)
    first, second = next(waiting, None), next(waiting, None)
    if first is None or second is None:
        if first is not None:
            yield first()
        return
    ready: deque[Result] = deque()
    pool: OrderedPool[Result] = OrderedPool(ready.append, threads=threads, in_flight=in_flight)
    try:
        for job in chain((first, second), waiting):
            pool.submit(job)
            while ready:
                yield ready.popleft()
        pool.drain()
        yield from ready
    finally:
        pool.abort()
