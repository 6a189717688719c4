"""Calls at the same time: results in order, the first error at once, and who is late is told to stop."""

from __future__ import annotations

import threading
import time

import pytest

from sxeslake.storage.crew import Crew


def test_results_come_in_the_order_asked() -> None:
    crew = Crew(4, "test")
    assert crew.each(lambda n, stop: n * n, [(n,) for n in range(50)], interrupt=print) == [n * n for n in range(50)]
    assert crew.each(lambda n, stop: n, [], interrupt=print) == []
    crew.close()


def test_one_call_needs_no_thread() -> None:
    crew = Crew(4, "test")
    assert crew.each(lambda stop: threading.current_thread(), [()], interrupt=print) == [threading.current_thread()]
    crew.close()


def test_the_first_error_does_not_wait_for_the_others() -> None:
    crew, stopped = Crew(4, "test"), threading.Event()

    def work(fails: bool, stop: threading.Event) -> None:
        if fails:
            raise ValueError("the one")
        if stop.wait(20):
            stopped.set()

    began = time.monotonic()
    with pytest.raises(ValueError, match="the one"):
        crew.each(work, [(False,), (True,), *[(False,)] * 20], interrupt=lambda: pytest.fail("not for errors"))
    assert time.monotonic() - began < 10
    assert stopped.wait(10), "those under way are told"
    crew.close()


def test_it_works_on_after_an_error_and_after_its_end() -> None:
    crew = Crew(2, "test")
    with pytest.raises(ZeroDivisionError):
        crew.each(lambda n, stop: 1 // n, [(0,), (1,)], interrupt=print)
    assert crew.each(lambda n, stop: 1 // n, [(1,), (1,)], interrupt=print) == [1, 1]
    crew.close()
    assert crew.each(lambda n, stop: n, [(1,), (2,)], interrupt=print) == [1, 2]
    crew.close()
