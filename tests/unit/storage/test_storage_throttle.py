"""Bandwidth limits against a clock that stands still but for sleeping."""

from __future__ import annotations

import pytest

from sxeslake.errors import UsageError
from sxeslake.storage import RateLimit, ThrottledStore, limited, open_store, parse_rate


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


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5MB/s", 5e6), ("5 MB/s", 5e6), ("500k", 5e5), ("1.5GiB/s", 1.5 * 1024**3), ("100", 100.0), ("2mbps", 2e6),
        ("3KiB", 3072.0), ("7B/s", 7.0),
    ],
)  # fmt: skip
def test_a_rate_as_people_write_it(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "0", "0MB/s", "-5", "5TB/s", "1e9", "5MB/h", "5,5MB", "٥MB"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(UsageError, match="not a bandwidth"):
        parse_rate(text)


def test_without_limits_a_store_stays_as_it_is() -> None:
    store = open_store("memory://unlimited")
    assert limited(store, None, None) is store
    assert isinstance(limited(store, None, 5.0), ThrottledStore)
