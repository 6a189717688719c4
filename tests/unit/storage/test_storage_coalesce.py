"""The range planner by example."""

from __future__ import annotations

from sxeslake.storage.coalesce import Fetch, FetchedSlice, plan


def test_neighbours_join_and_objects_do_not() -> None:
    asked = [("p", 0, 10), ("q", 0, 5), ("p", 12, 20)]
    assert plan(asked, max_gap=4, max_size=100) == [
        Fetch("p", 0, 20, (FetchedSlice(0, 0, 10), FetchedSlice(2, 12, 8))),
        Fetch("q", 0, 5, (FetchedSlice(1, 0, 5),)),
    ]


def test_a_wide_gap_parts_them() -> None:
    assert [(fetch.start, fetch.end) for fetch in plan([("p", 0, 10), ("p", 15, 20)], max_gap=4, max_size=100)] == [
        (0, 10),
        (15, 20),
    ]


def test_requests_stay_within_their_size_unless_one_range_is_larger() -> None:
    asked = [("p", start, start + 10) for start in range(0, 100, 10)]
    assert [fetch.end - fetch.start for fetch in plan(asked, max_gap=0, max_size=30)] == [30, 30, 30, 10]
    assert [fetch.end - fetch.start for fetch in plan([("p", 0, 1000)], max_gap=0, max_size=30)] == [1000]


def test_empty_ranges_cost_nothing() -> None:
    assert plan([("p", 5, 5), ("p", 9, 2)], max_gap=0, max_size=30) == []
