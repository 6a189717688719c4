"""The retry policy: how often, how long, and when to give up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sxeslake.storage.retry import RetryPolicy, Trouble, retried, retried_async

POLICY = RetryPolicy(retry_for_s=60, first_contact_s=10, busy_attempts=4, stalled_attempts=2, first_s=1, cap_s=3)


def test_waits_double_up_to_the_cap_and_then_end() -> None:
    assert [POLICY.wait("busy", attempt, 0, 1.0) for attempt in (1, 2, 3, 4)] == [1, 2, 3, None]


def test_jitter_takes_up_to_half() -> None:
    assert POLICY.wait("busy", 1, 0, 0.0) == 0.5
    assert POLICY.wait("busy", 1, 0, 0.5) == 0.75


@pytest.mark.parametrize(("trouble", "attempts"), [("final", 1), ("stalled", 2), ("busy", 4)])
def test_each_trouble_has_its_own_patience(trouble: Trouble, attempts: int) -> None:
    assert POLICY.wait(trouble, attempts, 0, 0) is None
    assert attempts == 1 or POLICY.wait(trouble, attempts - 1, 0, 0) is not None


def test_a_store_that_has_answered_is_waited_for_up_to_a_minute() -> None:
    assert POLICY.wait("unreachable", 1, 58.0, 1.0) == 1
    assert POLICY.wait("unreachable", 99, 50.0, 1.0) == 3
    assert POLICY.wait("unreachable", 1, 59.5, 1.0) is None


def test_a_store_that_never_answered_is_given_up_sooner() -> None:
    assert POLICY.wait("unreachable", 1, 8.0, 1.0, answered=False) == 1
    assert POLICY.wait("unreachable", 1, 9.5, 1.0, answered=False) is None


def test_no_patience_is_one_attempt() -> None:
    none = RetryPolicy(retry_for_s=0)
    troubles: tuple[Trouble, ...] = ("busy", "stalled", "unreachable", "final")
    assert [none.wait(trouble, 1, 0.0, 0.0) for trouble in troubles] == [None] * 4


def test_a_busy_store_is_waited_for_without_counting() -> None:
    policy = RetryPolicy()
    assert policy.wait("busy", 1000, 50.0, 1.0) == policy.cap_s
    assert policy.wait("busy", 2, 60.0, 1.0) is None


def test_the_default_ends_within_20_s_of_an_unreachable_endpoint() -> None:
    policy, connect_timeout_s, elapsed = RetryPolicy(), 4.0, 0.0
    for attempt in range(1, 100):
        elapsed += connect_timeout_s
        wait = policy.wait("unreachable", attempt, elapsed, 1.0, answered=False)
        if wait is None:
            break
        elapsed += wait
    assert elapsed <= 20


class Flaky:
    """Fails so often, then gives 7."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise ValueError(f"failure {self.calls}")
        return 7


def run(flaky: Flaky, classify: Callable[[Exception], Trouble], slept: list[float]) -> int:
    return retried(flaky, classify, POLICY, sleep=slept.append, clock=lambda: 0.0, chance=lambda: 1.0)


def test_it_tries_until_it_succeeds() -> None:
    slept: list[float] = []
    assert run(Flaky(3), lambda error: "busy", slept) == 7
    assert slept == [1, 2, 3]


def test_the_last_error_comes_through() -> None:
    flaky = Flaky(100)
    with pytest.raises(ValueError, match="failure 4"):
        run(flaky, lambda error: "busy", [])
    assert flaky.calls == 4


def test_a_final_error_is_not_tried_again() -> None:
    flaky = Flaky(100)
    with pytest.raises(ValueError, match="failure 1"):
        run(flaky, lambda error: "final", [])


def test_what_is_awaited_is_tried_alike_and_waits_are_heard_of() -> None:
    slept, heard = list[float](), list[tuple[str, float]]()
    flaky = Flaky(2)

    async def operation() -> int:
        return flaky()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run() -> int:
        return await retried_async(
            operation, lambda error: "busy", POLICY, sleep=sleep, clock=lambda: 0.0, chance=lambda: 1.0,
            waiting=lambda error, elapsed_s: heard.append((str(error), elapsed_s)),
        )  # fmt: skip

    assert asyncio.run(run()) == 7
    assert slept == [1, 2]
    assert heard == [("failure 1", 0.0), ("failure 2", 0.0)]


def test_whoever_has_never_answered_is_given_up_sooner_when_awaited() -> None:
    times = iter([0.0, 9.9])

    async def operation() -> int:
        raise ValueError("nobody there")

    async def run() -> int:
        return await retried_async(
            operation, lambda error: "unreachable", POLICY, sleep=asyncio.sleep, clock=lambda: next(times),
            chance=lambda: 1.0, answered=lambda: False,
        )  # fmt: skip

    with pytest.raises(ValueError, match="nobody there"):
        asyncio.run(run())
