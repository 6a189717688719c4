"""Groups and shares: every archive in exactly one, no group split, the load balanced."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sxeslake.clusters.grouping import POSSIBLE, PROBABLE, Likeness, group_numbers, shares

KEYS = st.lists(st.integers(0, 12), max_size=4, unique=True).map(tuple)
ITEMS = st.lists(st.builds(Likeness, st.integers(0, 1000), KEYS, KEYS), max_size=60)


@given(ITEMS)
def test_groups_hold_together_what_is_the_same_and_stay_small_otherwise(items: list[Likeness]) -> None:
    numbers = group_numbers(items)
    assert sorted(set(numbers)) == list(range(len(set(numbers))))
    for one, first in zip(items, numbers, strict=True):
        for other, second in zip(items, numbers, strict=True):
            if set(one.same) & set(other.same):
                assert first == second
    sizes, total = _sizes(items, numbers), sum(item.size for item in items)
    assert [sizes[number] for number in sorted(sizes)] == sorted(sizes.values(), reverse=True), "the largest first"
    without = [Likeness(item.size, item.same) for item in items]
    largest = max(_sizes(without, group_numbers(without)).values(), default=0)
    assert max(sizes.values(), default=0) <= max(largest, total // PROBABLE)
    assert group_numbers(items) == numbers


@given(st.lists(st.integers(0, 10_000), max_size=80), st.integers(1, 20))
def test_every_group_is_in_one_share_and_no_share_has_more_than_the_mean_and_one_group(
    sizes: list[int], count: int
) -> None:
    made = shares(sizes, count)
    assert sorted(group for groups in made for group in groups) == list(range(len(sizes)))
    assert len(made) == min(count, len(sizes))
    assert all(made), "nobody is without work"
    loads = [sum(sizes[group] for group in groups) for groups in made]
    assert loads == sorted(loads, reverse=True)
    if loads:
        assert loads[0] <= sum(sizes) / len(made) + max(sizes)


def test_two_keys_in_common_join_more_than_one_does() -> None:
    many = [Likeness(1, (), (f"name {n}",)) for n in range(100)]
    pair = [Likeness(3, (), ("a", "b")), Likeness(3, (), ("b", "a"))]
    assert len(set(group_numbers([*pair, *many])[:2])) == 1, "6 of 106 is below an eighth"
    alone = [Likeness(3, (), ("a",)), Likeness(3, (), ("a",))]
    assert len(set(group_numbers([*alone, *many])[:2])) == 2, "and above a sixty-fourth"
    assert 6 * PROBABLE <= 106 < 6 * POSSIBLE


def test_a_key_that_all_have_leaves_work_for_all() -> None:
    items = [Likeness(1, (), ("dark frame",)) for _ in range(640)]
    sizes = _sizes(items, group_numbers(items))
    assert max(sizes.values()) == 10


def _sizes(items: list[Likeness], numbers: list[int]) -> Counter[int]:
    sizes: Counter[int] = Counter()
    for item, number in zip(items, numbers, strict=True):
        sizes[number] += item.size
    return sizes
