"""Requests in flight, of all stores of this process: whoever ends a program need not wait for a silent server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import Future

_IN_FLIGHT: set[Future[Any]] = set()


def cancel_requests() -> None:
    """End every request in flight, in all threads: whoever waits for one gets an `UnreachableError`.

    May be called from a handler of signals. Requests that are made afterwards are served as ever.
    """
    for future in list(_IN_FLIGHT):
        future.cancel()


@contextmanager
def in_flight(future: Future[Any]) -> Iterator[None]:
    """Lets `cancel_requests` reach a future; also ends it where its waiter leaves early."""
    _IN_FLIGHT.add(future)
    try:
        yield
    except BaseException:
        future.cancel()
        raise
    finally:
        _IN_FLIGHT.discard(future)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IN_FLIGHT.clear)  # they are the parent's
