"""Log entries that are well formed and sealed, and say odd things: what a bug, or a stolen key, can put into a lake."""

from __future__ import annotations

import copy
import json
from typing import Any

import hypothesis.strategies as st

from sxeslake.format import logentry
from sxeslake.format.lakefile import sealed
from sxeslake.format.logentry import Entry

Values = dict[str, Any]

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 3, -1, 2**31, 2**53, 2**63 - 1, 2**63, 10**25, 1.5, 1e300, float("inf"), float("nan"),
    "", "x", "a", "b", "..", "a/../b", "/", "a@b", "\x00", "\ud800", "0" * 32, "f" * 32, "0" * 64, "é" * 600,
    "2026-11-23T02:34:57Z", "yesterday", [], [[]], [None], ["x"], [5], {}, {"x": []}, {"0" * 32: ["1" * 32]},
    [[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]],
)  # fmt: skip


def plain(entry: Entry) -> Values:
    """An entry as JSON says it."""
    values: Values = json.loads(logentry.dump(entry)[0])
    del values["blake3"]
    return values


def seal(values: Values) -> bytes:
    """The bytes of an entry with a right hash, whatever it says."""
    return sealed(json.dumps(values).encode())


def places(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value within, containers before what they hold."""
    found = [path] if path else []
    keys = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    for key in keys:
        found += places(values[key], (*path, key))
    return found


def changed(values: Values, path: tuple[Any, ...], how: str, odd: Any, other: Any) -> Values:
    """The values with one of them dropped, put twice, replaced, renumbered, or replaced by another one of them."""
    made = copy.deepcopy(values)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    key, value = path[-1], holder[path[-1]]
    if how == "drop":
        del holder[key]
    elif how == "twice" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(value))
    elif how == "renumber" and type(value) is int:
        holder[key] = value + (odd if type(odd) is int else 1)
    elif how == "swap":
        holder[key] = copy.deepcopy(other)
    else:
        holder[key] = copy.deepcopy(odd)
    return made


Change = tuple[int, str, int, Any]
"""Which value is changed, how, which other one it may become, or which odd one."""

CHANGES: st.SearchStrategy[list[Change]] = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.sampled_from(["drop", "twice", "odd", "renumber", "swap"]),
        st.integers(0, 10_000),
        st.sampled_from(ODD_VALUES),
    ),
    min_size=1,
    max_size=3,
)


def mutated(values: Values, changes: list[Change], *, keep: tuple[str, ...] = ()) -> Values:
    """An entry with some of its values changed; `keep` names fields that stay as they are."""
    made = values
    for which, how, source, odd in changes:
        ways = [path for path in places(made) if path[0] not in keep]
        if not ways:
            break
        other: Any = made
        for key in ways[source % len(ways)]:
            other = other[key]
        made = changed(made, ways[which % len(ways)], how, odd, other)
    return made
