"""OrderedPool: order, bounds, errors, end."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from sxeslake.machine.concurrency import OrderedPool, in_order


def test_results_come_in_order_whatever_finishes_first() -> None:
    seen: list[int] = []

    def work(number: int) -> int:
        time.sleep(0.002 * (5 - number % 5))
        return number

    with OrderedPool(seen.append, threads=4) as pool:
        for number in range(20):
            pool.submit(work, number)
    assert seen == list(range(20))


def test_no_more_in_flight_than_asked() -> None:
    lock = threading.Lock()
    made = taken = most = 0

    def work() -> None:
        nonlocal made, most
        with lock:
            made += 1
            most = max(most, made - taken)

    def take(_: None) -> None:
        nonlocal taken
        with lock:
            taken += 1

    with OrderedPool(take, threads=4, in_flight=3) as pool:
        for _ in range(50):
            pool.submit(work)
    assert taken == 50
    assert most <= 3


def test_an_error_comes_out_and_nothing_after_it_reaches_the_sink() -> None:
    seen: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    pool = OrderedPool(seen.append, threads=2, in_flight=100)

    def submit_all() -> None:
        for number in range(10):
            pool.submit(work, number)
        pool.close()

    with pytest.raises(ValueError, match="three"):
        submit_all()
    pool.abort()
    assert seen == [0, 1, 2]


def test_threads_end_when_the_block_is_left_by_an_error() -> None:
    before = threading.active_count()

    def leave_early() -> None:
        with OrderedPool(bool, threads=3) as pool:
            pool.submit(time.sleep, 0.01)
            raise KeyError("left")

    with pytest.raises(KeyError):
        leave_early()
    assert threading.active_count() == before


def test_in_order_stops_its_threads_when_the_consumer_stops() -> None:
    before = threading.active_count()
    results = in_order((partial(int, number) for number in range(1000)), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_a_single_job_needs_no_thread(count: int) -> None:
    threads = list(in_order([threading.get_ident] * count, threads=2))
    assert len(threads) == count
    assert (threading.get_ident() in threads) == (count == 1)
