"""What two member tables differ in beside contents: each kind alone, all at once, and nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.archive.columns import MemberColumns
from sxeslake.archive.times import local_ns_of_dos
from sxeslake.format import identity
from sxeslake.format.layout import LayoutDifference, columns_of, compare
from sxeslake.model import Member

CLOCK = 40 << 25 | 6 << 21 | 2 << 16 | 5 << 11  # 2020-06-02 05:00:00
INSTANT = 1_591_074_000_000_000_000
MEMBERS = [
    Member("b", "file", 3, INSTANT, 0x81A4_8020, None, CLOCK),
    Member("a", "directory", 0, None, None, None, CLOCK),
    Member("c/日本", "file", 1, INSTANT + 1, 0x20, None, None, b"c/\x93\xfa"),
]


def of(a: list[Member], b: list[Member]) -> LayoutDifference:
    return compare(columns_of(MemberColumns(a)), columns_of(MemberColumns(b)))


CHANGED: dict[str, tuple[dict[str, object], list[str]]] = {
    "instant": ({"modified_ns": INSTANT + 1_000_000_000}, ["times"]),
    "clock": ({"dos_time": CLOCK + 1}, ["times"]),
    "no time any more": ({"modified_ns": None, "dos_time": None}, ["times"]),
    "attributes": ({"attributes": 0x81ED_8020}, ["attributes"]),
    "no attributes any more": ({"attributes": None}, ["attributes"]),
    "raw name": ({"raw_name": b"\xff"}, ["names"]),
    "content": ({"size": 9, "crc32": 5}, []),
    "all": ({"modified_ns": 5, "attributes": 1, "raw_name": b"x"}, ["times", "attributes", "names"]),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_changed_of_a_member_is_told(case: str) -> None:
    fields, words = CHANGED[case]
    changed = [replace(MEMBERS[0], **fields), *MEMBERS[1:]]  # type: ignore[arg-type]
    for one, other in ((MEMBERS, changed), (changed, MEMBERS)):
        found = of(one, other)
        assert found.words() == words
        assert {change.path for change in found.changes} <= {"b"}


def test_values_are_readable() -> None:
    changed = [replace(MEMBERS[0], modified_ns=INSTANT + 100), replace(MEMBERS[1], dos_time=CLOCK + 1), MEMBERS[2]]
    assert [(change.path, change.a, change.b) for change in of(MEMBERS, changed).changes] == [
        ("b", "2020-06-02T05:00:00Z", "2020-06-02T05:00:00.0000001Z"),
        ("a", "2020-06-02T05:00:00", "2020-06-02T05:00:02"),
    ]


@pytest.mark.parametrize(("off", "same"), [(0, True), (1_999_999_999, True), (2_000_000_000, False)])
def test_a_local_clock_and_an_instant_are_compared_to_two_seconds(off: int, same: bool) -> None:
    clock = Member("a", "file", 1, None, None, None, CLOCK)
    instant = Member("a", "file", 1, local_ns_of_dos(CLOCK) + off)
    assert (of([clock], [instant]).words() == []) is same


def test_order_is_that_of_what_both_have() -> None:
    assert of(MEMBERS, MEMBERS[::-1]).words() == ["order"]
    assert of(MEMBERS, [MEMBERS[0], Member("new", "file", 1), *MEMBERS[1:]]).words() == []
    assert of(MEMBERS[:1], MEMBERS[1:]).words() == []


def test_members_of_one_name_are_compared_one_by_one() -> None:
    twice = [replace(MEMBERS[0], modified_ns=1), replace(MEMBERS[0], modified_ns=2)]
    assert of(twice, twice).words() == []
    assert len(of(twice, twice[::-1]).changes) == 2


_members = st.lists(
    st.builds(
        Member,
        st.sampled_from("abcde"),
        st.just("file"),
        st.just(1),
        st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        st.none() | st.integers(0, 2**32 - 1),
        st.none(),
        st.none() | st.integers(0, 2**32 - 1),
        st.none() | st.binary(max_size=2),
    ),
    max_size=5,
    unique_by=lambda member: member.path,
)


@given(_members, _members)
def test_no_difference_is_found_where_and_only_where_layouts_are_the_same(a: list[Member], b: list[Member]) -> None:
    assert of(a, list(a)).words() == []
    assert of(a, b).words() == [] or identity.layout_id(a) != identity.layout_id(b)
    assert {change.path for change in of(a, b).changes} == {change.path for change in of(b, a).changes}
