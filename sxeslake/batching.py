"""Runs of items that are read, decoded or written at once, and of consecutive numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T], weigh: Callable[[T], int], most: int, most_items: int = sys.maxsize
) -> Iterator[list[T]]:
    """Runs of at most `most_items` items that weigh at most `most` together; an item that weighs more stands alone."""
    batch: list[T] = []
    total = 0
    for item in items:
        weight = weigh(item)
        if batch and (total + weight > most or len(batch) == most_items):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += weight
    if batch:
        yield batch


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as first and last: `[1, 2, 3, 7]` → `[(1, 3), (7, 7)]`."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found
