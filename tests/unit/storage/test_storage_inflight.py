"""What is asked of a server can be cancelled from elsewhere, and is forgotten when it is done."""

from __future__ import annotations

import os
from concurrent.futures import Future

import pytest

from sxeslake.storage import cancel_requests
from sxeslake.storage.inflight import in_flight


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
