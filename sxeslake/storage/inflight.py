"""Requests in flight, of all stores of this process: whoever ends a program need not wait for a silent server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from ..errors import UnreachableError

P = ParamSpec("P")
T = TypeVar("T")

_IN_FLIGHT: set[Future[Any]] = set()
_LOCAL = threading.local()  # `operation`: whose requests this thread makes
_TURN_S = 1.0
"""On Windows nothing interrupts a wait, so that none is longer."""


class CancelledRequestError(UnreachableError):
    """A request that was ended because nobody wants its reply any more."""


def cancel_requests() -> None:
    """End every request in flight, in all threads: whoever waits for one gets an `UnreachableError`.

    May be called from a handler of signals. Requests that are made afterwards are served as ever.
    """
    for future in list(_IN_FLIGHT):
        future.cancel()


class Operation:
    """Requests that threads make for one piece of work: they end with it, and no others do."""

    def __init__(self) -> None:
        self._requests: set[Future[Any]] = set()
        self._is_ended = False

    def run(self, function: Callable[P, T], *arguments: P.args, **words: P.kwargs) -> T:
        """The function's result; what it asks of a store from this thread belongs to the operation."""
        before = getattr(_LOCAL, "operation", None)
        _LOCAL.operation = self
        try:
            return function(*arguments, **words)
        finally:
            _LOCAL.operation = before

    def end(self) -> None:
        """Cancel its requests, those under way and those that are still to be made."""
        self._is_ended = True
        for future in list(self._requests):
            future.cancel()

    def add(self, future: Future[Any]) -> None:
        """One more request; cancelled at once where the operation has ended."""
        self._requests.add(future)
        if self._is_ended:  # asked last: `end` may come in between
            future.cancel()

    def discard(self, future: Future[Any]) -> None:
        """A request is over."""
        self._requests.discard(future)


@contextmanager
def in_flight(future: Future[Any]) -> Iterator[None]:
    """Lets `cancel_requests` and the thread's operation reach a future; ends it where its waiter leaves early."""
    operation: Operation | None = getattr(_LOCAL, "operation", None)
    _IN_FLIGHT.add(future)
    if operation is not None:
        operation.add(future)
    try:
        yield
    except BaseException:
        future.cancel()
        raise
    finally:
        _IN_FLIGHT.discard(future)
        if operation is not None:
            operation.discard(future)


def pause(seconds: float) -> None:
    """Sleep as part of a request: CancelledRequestError where it is cancelled meanwhile."""
    future: Future[None] = Future()
    with in_flight(future):
        while seconds > 0:
            try:  # `wait` would not hear of a future that is cancelled before it runs
                future.result(min(seconds, _TURN_S))
            except TimeoutError:
                seconds -= _TURN_S
            except CancelledError:
                raise CancelledRequestError("the request was cancelled") from None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IN_FLIGHT.clear)  # they are the parent's
