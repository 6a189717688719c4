"""Runs of items: all of them, in order, no run larger than it may be and none smaller than it need be."""

from __future__ import annotations

import sys
from itertools import pairwise, zip_longest

from hypothesis import example, given
from hypothesis import strategies as st

from sxeslake.batching import batches, runs


@given(st.lists(st.integers(0, 12)), st.integers(0, 20), st.integers(1, 5) | st.just(sys.maxsize))
@example([1, 9, 30, 1, 1, 5, 0], 10, 3)
@example([], 10, 3)
def test_runs_have_everything_and_are_as_long_as_they_may_be(weights: list[int], most: int, most_items: int) -> None:
    items = list(enumerate(weights))
    made = list(batches(items, lambda item: item[1], most, most_items))
    assert [item for run in made for item in run] == items
    for run, following in zip_longest(made, made[1:]):
        total = sum(weight for _, weight in run)
        assert 0 < len(run) <= most_items
        assert total <= most or len(run) == 1
        if following is not None:
            assert len(run) == most_items or total + following[0][1] > most


@given(st.sets(st.integers(0, 60)))
def test_consecutive_numbers_are_one_run_and_no_two_runs_touch(numbers: set[int]) -> None:
    found = runs(numbers)
    assert [number for low, high in found for number in range(low, high + 1)] == sorted(numbers)
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(found))
