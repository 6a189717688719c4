"""When to try again and how long to wait first. Pure policy; clock, sleep and chance are handed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

T = TypeVar("T")

Trouble = Literal["final", "busy", "stalled", "unreachable"]
"""`final`: no retry helps; `busy`: throttled, 5xx, cut off; `stalled`: silence; `unreachable`: nobody there."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter: before retry n, half to all of `first_s × 2^(n-1)`, at most `cap_s`."""

    busy_attempts: int = 8
    stalled_attempts: int = 2
    unreachable_attempts: int = 5
    unreachable_budget_s: float = 12.0
    """With a connect timeout of 4 s the last attempt ends before 20 s."""
    first_s: float = 0.2
    cap_s: float = 6.0

    def wait(self, trouble: Trouble, attempt: int, elapsed_s: float, chance: float) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (1, 2 …), None to give up; `chance` is in [0, 1)."""
        if attempt >= self._attempts(trouble):
            return None
        delay = min(self.cap_s, self.first_s * 2.0 ** (attempt - 1)) * (0.5 + 0.5 * chance)
        if trouble == "unreachable" and elapsed_s + delay > self.unreachable_budget_s:
            return None
        return delay

    def _attempts(self, trouble: Trouble) -> int:
        if trouble == "busy":
            return self.busy_attempts
        if trouble == "stalled":
            return self.stalled_attempts
        return self.unreachable_attempts if trouble == "unreachable" else 1


DEFAULT_POLICY = RetryPolicy()


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
    started = clock()
    attempt = 0
    while True:
        attempt += 1
        try:
            return operation()
        except Exception as error:
            delay = policy.wait(classify(error), attempt, clock() - started, chance())
            if delay is None:
                raise
        sleep(delay)
