"""The range planner against plain slicing: nothing lost, nothing fetched twice."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sxeslake.storage.coalesce import cut, plan

OBJECTS = {name: bytes((at * 7 + ord(name)) % 256 for at in range(200)) for name in "abc"}
RANGES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 200), st.integers(0, 200)).map(
        lambda asked: (asked[0], min(asked[1:]), max(asked[1:]))
    ),
    max_size=30,
)


@given(ranges=RANGES, max_gap=st.integers(0, 40), max_size=st.integers(1, 300))
def test_fetching_the_plan_gives_what_was_asked(
    ranges: list[tuple[str, int, int]], max_gap: int, max_size: int
) -> None:
    fetches = plan(ranges, max_gap=max_gap, max_size=max_size)
    bodies = [OBJECTS[fetch.key][fetch.start : fetch.end] for fetch in fetches]
    assert cut(fetches, bodies, len(ranges)) == [OBJECTS[key][start:end] for key, start, end in ranges]


@given(ranges=RANGES, max_gap=st.integers(0, 40), max_size=st.integers(1, 300))
def test_the_plan_is_thrifty(ranges: list[tuple[str, int, int]], max_gap: int, max_size: int) -> None:
    fetches = plan(ranges, max_gap=max_gap, max_size=max_size)
    asked = [(key, start, end) for key, start, end in ranges if end > start]
    assert len(fetches) <= len(asked)
    assert sum(len(fetch.slices) for fetch in fetches) == len(asked)
    for fetch in fetches:
        covered = sorted((piece.offset, piece.offset + piece.length) for piece in fetch.slices)
        assert covered[0][0] == 0
        assert max(end for _, end in covered) == fetch.end - fetch.start
        reached = 0
        for start, end in covered:
            assert start <= reached + max_gap
            reached = max(reached, end)
    for one, other in pairwise(fetches):
        assert one.key != other.key or one.end <= other.start, "no byte is fetched twice"
