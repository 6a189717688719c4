"""Which requests serve many ranges: neighbours in one object become one request where the gap is small. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class FetchedSlice(NamedTuple):
    """Where an asked range lies in a fetched one: index of the asked range, offset, length."""

    asked: int
    offset: int
    length: int


class Fetch(NamedTuple):
    """One request: key, start, end, and the asked ranges that it serves."""

    key: str
    start: int
    end: int
    slices: tuple[FetchedSlice, ...]


def plan(ranges: Sequence[tuple[str, int, int]], *, max_gap: int, max_size: int) -> list[Fetch]:
    """Requests for the ranges; empty ranges need none.

    `[("p", 0, 10), ("p", 12, 20), ("q", 0, 5)]`, gap 4 → one request for p (0, 20), one for q (0, 5). A request
    grows past `max_size` only for a single range that is larger, or for ranges that overlap.
    """
    order = sorted((key, start, end, index) for index, (key, start, end) in enumerate(ranges) if end > start)
    fetches: list[Fetch] = []
    group: list[tuple[int, int, int]] = []
    group_key, group_start, group_end = "", 0, 0
    for key, start, end, index in order:
        near = group and key == group_key and start <= group_end + max_gap
        fits = max(end, group_end) - group_start <= max_size or start < group_end
        if near and fits:
            group_end = max(group_end, end)
        else:
            if group:
                fetches.append(_fetch(group_key, group_start, group_end, group))
            group, group_key, group_start, group_end = [], key, start, end
        group.append((index, start, end))
    if group:
        fetches.append(_fetch(group_key, group_start, group_end, group))
    return fetches


def cut(fetches: Sequence[Fetch], bodies: Sequence[bytes], count: int) -> list[bytes]:
    """The asked ranges from the fetched bodies, in the order asked."""
    results = [b""] * count
    for fetch, body in zip(fetches, bodies, strict=True):
        whole = len(body)
        for asked, offset, length in fetch.slices:
            results[asked] = body if length == whole else body[offset : offset + length]
    return results


def _fetch(key: str, start: int, end: int, group: Sequence[tuple[int, int, int]]) -> Fetch:
    return Fetch(key, start, end, tuple(FetchedSlice(index, low - start, high - low) for index, low, high in group))
