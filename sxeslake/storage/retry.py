"""When to try again and how long to wait first. Pure policy; clock, sleep and chance are handed in."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

Trouble = Literal["final", "busy", "stalled", "unreachable"]
"""`final`: no retry helps; `busy`: throttled, 5xx, cut off; `stalled`: silence; `unreachable`: nobody there."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter: before retry n, half to all of `first_s × 2^(n-1)`, at most `cap_s`."""

    retry_for_s: float = 60.0
    """A store may be away, or busy, for so long; 0 tries once."""
    first_contact_s: float = 12.0
    """The same for a store that has never answered: its address may be wrong. The last attempt ends before 20 s."""
    busy_attempts: int | None = None
    stalled_attempts: int = 2
    first_s: float = 0.2
    cap_s: float = 6.0

    def wait(
        self, trouble: Trouble, attempt: int, elapsed_s: float, chance: float, *, answered: bool = True
    ) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (1, 2 …), None to give up; `chance` is in [0, 1).

        `answered` tells whether the store has answered before.
        """
        if trouble == "final" or self.retry_for_s <= 0:
            return None
        most = {"busy": self.busy_attempts, "stalled": self.stalled_attempts}.get(trouble)
        if most is not None and attempt >= most:
            return None
        delay = min(self.cap_s, self.first_s * 2.0 ** min(attempt - 1, 30)) * (0.5 + 0.5 * chance)
        if trouble == "stalled":  # each attempt has waited for the read timeout already
            return delay
        known = answered or trouble == "busy"
        budget_s = self.retry_for_s if known else min(self.retry_for_s, self.first_contact_s)
        return None if elapsed_s + delay > budget_s else delay


DEFAULT_POLICY = RetryPolicy()

_retries = 0
_counting = threading.Lock()


def retries_so_far() -> int:
    """How often this process has tried something again, whatever the store."""
    return _retries


def policy_of(retry_for_s: float | None) -> RetryPolicy:
    """The policy that is patient for so long; who says a time means it for the first contact too."""
    if retry_for_s is None:
        return DEFAULT_POLICY
    return RetryPolicy(retry_for_s=retry_for_s, first_contact_s=retry_for_s)


def retried(
    operation: Callable[[], T],
    classify: Callable[[Exception], Trouble],
    policy: RetryPolicy = DEFAULT_POLICY,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> T:
    """The operation's result; its last error where the policy gives up."""
    attempts = _Attempts(classify, policy, clock, chance)
    while True:
        try:
            return operation()
        except Exception as error:
            delay = attempts.wait_after(error)
            if delay is None:
                raise
        sleep(delay)


async def retried_async(
    operation: Callable[[], Awaitable[T]],
    classify: Callable[[Exception], Trouble],
    policy: RetryPolicy = DEFAULT_POLICY,
    *,
    sleep: Callable[[float], Awaitable[object]],
    clock: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
    answered: Callable[[], bool] = lambda: True,
    waiting: Callable[[Exception, float], object] = lambda _error, _elapsed_s: None,
) -> T:
    """The same of what is awaited. `answered` tells whether the store has answered before, `waiting` hears of waits."""
    attempts = _Attempts(classify, policy, clock, chance, answered, waiting)
    while True:
        try:
            return await operation()
        except Exception as error:
            delay = attempts.wait_after(error)
            if delay is None:
                raise
        await sleep(delay)


class _Attempts:
    """Those of one operation, from now on."""

    def __init__(
        self,
        classify: Callable[[Exception], Trouble],
        policy: RetryPolicy,
        clock: Callable[[], float],
        chance: Callable[[], float],
        answered: Callable[[], bool] = lambda: True,
        waiting: Callable[[Exception, float], object] = lambda _error, _elapsed_s: None,
    ) -> None:
        self._classify, self._policy = classify, policy
        self._clock, self._chance = clock, chance
        self._answered, self._waiting = answered, waiting
        self._started, self._failed = clock(), 0

    def wait_after(self, error: Exception) -> float | None:
        """Seconds to wait after one more failed attempt, None to give up."""
        self._failed += 1
        elapsed_s = self._clock() - self._started
        trouble = self._classify(error)
        delay = self._policy.wait(trouble, self._failed, elapsed_s, self._chance(), answered=self._answered())
        if trouble != "final":  # that is an answer, such as "no such object"
            then = "no more attempts" if delay is None else f"next attempt in {delay:.1f} s"
            _LOG.debug("attempt %d failed (%s, %s); %s", self._failed, trouble, type(error).__name__, then)
        if delay is not None:
            _count_retry()
            self._waiting(error, elapsed_s)
        return delay


def _count_retry() -> None:
    global _retries  # noqa: PLW0603 - of the process: a run's share is a difference
    with _counting:
        _retries += 1
