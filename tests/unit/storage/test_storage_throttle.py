"""Bandwidth limits against a clock that stands still but for sleeping."""

from __future__ import annotations

import pytest

from sxeslake.storage import RateLimit, ThrottledStore, open_store


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_up_and_down_have_limits_of_their_own() -> None:
    clock = Clock()
    up = RateLimit(100, clock=clock, sleep=clock.sleep)
    down = RateLimit(1000, clock=clock, sleep=clock.sleep)
    store = ThrottledStore(open_store("memory://throttle"), up=up, down=down)
    store.replace("p", [bytes(300), bytes(200)])
    assert clock.now == pytest.approx(5.0)
    store.get("p")
    assert clock.now == pytest.approx(5.5)
    store.get_ranges([("p", 0, 100), ("p", 200, 300)])
    assert clock.now == pytest.approx(5.7)
    store.get_tail("p", 100)
    store.get_range("p", 0, 200)
    assert clock.now == pytest.approx(6.0)


def test_idle_time_is_not_saved_up() -> None:
    clock = Clock()
    limit = RateLimit(10, clock=clock, sleep=clock.sleep)
    limit.spend(10)
    clock.now += 100
    limit.spend(10)
    assert clock.now == pytest.approx(102.0)


def test_no_limit_no_waiting() -> None:
    store = ThrottledStore(open_store("memory://unlimited"))
    store.replace("p", b"123")
    assert store.get("p") == b"123"
