"""What is asked of a server can be cancelled from elsewhere, and is forgotten when it is done."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from sxeslake.storage import CancelledRequestError, Operation, cancel_requests
from sxeslake.storage.inflight import in_flight, pause


def test_requests_in_flight_are_cancelled_and_others_are_not() -> None:
    before, waiting, done = Future[int](), Future[int](), Future[int]()
    with in_flight(done):
        done.set_result(1)
    with in_flight(before):
        pass
    with in_flight(waiting):
        cancel_requests()
    assert (before.cancelled(), waiting.cancelled(), done.result()) == (False, True, 1)


def test_whoever_leaves_early_cancels() -> None:
    future = Future[int]()
    with pytest.raises(KeyboardInterrupt), in_flight(future):
        raise KeyboardInterrupt
    assert future.cancelled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_of_a_fork_leaves_those_of_its_parent_alone() -> None:
    future = Future[int]()
    with in_flight(future):
        child = os.fork()
        if not child:
            cancel_requests()
            os._exit(future.cancelled())
        assert os.waitpid(child, 0)[1] == 0


def test_an_operation_ends_its_own_waits_and_no_others() -> None:
    ours, others = Operation(), Operation()
    with ThreadPoolExecutor(2) as threads:
        long = threads.submit(ours.run, pause, 60)
        short = threads.submit(others.run, pause, 0.2)
        time.sleep(0.05)
        began = time.monotonic()
        ours.end()
        with pytest.raises(CancelledRequestError):
            long.result(5)
        short.result(5)
    with pytest.raises(CancelledRequestError):  # what is asked after the end
        ours.run(pause, 60)
    assert time.monotonic() - began < 5
