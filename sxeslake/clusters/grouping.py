"""Which archives go to one worker, and which worker gets how much. Pure: sizes and keys in, numbers out.

Content that two workers meet at the same time is stored by both, and `gc` has to free one copy. So archives that are
likely to share content form a group, and a group is never split.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

PROBABLE: Final = 8
"""Two keys in common, such as two spectra, make no group larger than this part of all bytes."""
POSSIBLE: Final = 64
"""One key in common makes none larger than this part: it may be a name, or a dark frame, that all archives have, and
would leave one worker with everything."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What grouping knows of one archive.

    Two archives with a key in `same` are copies, or versions of one sample: they stay together whatever their size.
    With a key in `like` they probably share a part of their content.
    """

    size: int
    same: tuple[Hashable, ...] = ()
    like: tuple[Hashable, ...] = ()


def group_numbers(items: Sequence[Likeness]) -> list[int]:
    """The group of each archive. Groups count from 0, the largest first; equal input gives equal groups."""
    sets = _Sets([item.size for item in items])
    for first, second in _pairs([item.same for item in items]):
        sets.join(first, second)
    total = sum(item.size for item in items)
    alike = Counter(_pairs([item.like for item in items]))
    for (first, second), keys in alike.items():
        if keys > 1:
            sets.join(first, second, total // PROBABLE)
    for first, second in alike:
        sets.join(first, second, total // POSSIBLE)
    roots = [sets.root(number) for number in range(len(items))]
    order = sorted(set(roots), key=lambda root: (-sets.bytes[root], root))
    numbers = {root: number for number, root in enumerate(order)}
    return [numbers[root] for root in roots]


def shares(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Deal groups of these sizes out into at most `count` shares; none is empty, the largest comes first.

    Each group goes to the share that has least so far, large groups first: no share has more than the mean and one
    group. An empty group weighs something, too, as opening a file does.
    """
    count = min(count, len(sizes))
    made: list[list[int]] = [[] for _ in range(count)]
    heap = [(0, 0, number) for number in range(count)]
    for group in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        load, groups, number = heapq.heappop(heap)
        made[number].append(group)
        heapq.heappush(heap, (load + sizes[group], groups + 1, number))
    return sorted(made, key=lambda groups: (-sum(sizes[group] for group in groups), groups))


def _pairs(keys: Sequence[tuple[Hashable, ...]]) -> Iterator[tuple[int, int]]:
    """The first archive of each key with every later one."""
    first: dict[Hashable, int] = {}
    for number, own in enumerate(keys):
        for key in own:
            before = first.setdefault(key, number)
            if before != number:
                yield before, number


class _Sets:
    """Disjoint sets of archives, each with its bytes; the root is the first of its archives."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._parents = list(range(len(sizes)))
        self.bytes = list(sizes)

    def root(self, number: int) -> int:
        """The set of an archive."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def join(self, one: int, other: int, most: int | None = None) -> None:
        """Make two sets one, unless that would have more than `most` bytes."""
        one, other = sorted((self.root(one), self.root(other)))
        if one == other or (most is not None and self.bytes[one] + self.bytes[other] > most):
            return
        self._parents[other] = one
        self.bytes[one] += self.bytes[other]
