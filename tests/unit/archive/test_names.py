"""Safe names, colliding names, names for Windows."""

from __future__ import annotations

import re
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.archive import names
from sxeslake.archive.names import check_limits, check_members, check_names, normal_path, windows_escape
from sxeslake.errors import LimitExceededError, UnsafeNameError
from sxeslake.model import Limits, Member


@pytest.mark.parametrize("path", ["a", "data/x/xes.data", "ä/ö.json", "a b/.hidden", "a..b/c...", "…"])
def test_ordinary_names_are_safe(path: str) -> None:
    assert names.unsafe_reason(path) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("\\windows", "absolute"),
        ("C:/x", "drive letter"),
        ("c:/x", "drive letter"),
        ("..", "leaves its folder"),
        ("a/../b", "leaves its folder"),
        ("a\\..\\b", "leaves its folder"),
        ("a/\0/b", "NUL"),
        ("a//b", "empty step"),
        ("a/./b", "lone dot"),
        (".", "lone dot"),
        ("x" * 5000, "longer"),
        ("a\ud800", "not valid text"),
    ],
)
def test_dangerous_names_are_refused_with_their_reason(path: str, reason: str) -> None:
    found = names.unsafe_reason(path)
    assert found is not None
    assert reason in found
    with pytest.raises(UnsafeNameError, match=reason):
        check_names(lambda: [(path, False)], where="x.zip")


def passes(members: list[tuple[str, bool]]) -> bool:
    """Whether names are ones that an archive may hold together."""
    try:
        check_names(lambda: members)
    except UnsafeNameError:
        return False
    return True


def test_a_lone_dot_may_be_the_folder_itself() -> None:
    assert passes([(".", True), ("a", False)])
    assert not passes([(".", True), ("../a", False)])


@pytest.mark.parametrize(
    "pair",
    [
        [("a", False), ("a", False)],
        [("a", True), ("a", True)],
        [("a", True), ("a", False)],
        [("a/b", False), ("a", False)],
        [("a/b/c/d", False), ("a/b", False)],
        [("e\u0301", False), ("\u00e9", False)],
        [("a\\b", False), ("a/b", False)],
    ],
)
def test_names_that_fall_together_are_named(pair: list[tuple[str, bool]]) -> None:
    crowd = [(f"x/{number}", False) for number in range(100)]
    with pytest.raises(UnsafeNameError) as caught:
        check_names(lambda: [*crowd[:50], pair[0], *crowd[50:], pair[1]])
    assert all(repr(path) in str(caught.value) for path, _ in pair)


def test_neighbours_do_not_fall_together() -> None:
    neighbours = [("a", True), ("a/b", False), ("ab", False), ("A", False), ("a.b", True)]
    assert passes(neighbours)
    assert not passes([*neighbours, ("ab", False)])


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ((stat.S_IFCHR | 0o644) << 16 | 0x8000, "device"),
        ((stat.S_IFBLK | 0o644) << 16 | 0x8000, "device"),
        ((stat.S_IFSOCK | 0o644) << 16 | 0x8000, "socket"),
    ],
)
def test_devices_are_refused(attributes: int, reason: str) -> None:
    with pytest.raises(UnsafeNameError, match=reason):
        check_members([Member("x", "file", attributes=attributes)])


@pytest.mark.parametrize(
    ("name", "path"),
    [("./a//b/", "a/b"), ("./", "."), ("a/./b", "a/b"), ("/a", "/a"), ("a/b", "a/b"), ("../a", "../a")],
)
def test_normal_path_takes_away_what_says_nothing(name: str, path: str) -> None:
    assert normal_path(name) == path


def test_limits() -> None:
    small = Limits(members=10, raw_bytes=1000, ratio=10, ratio_floor_bytes=100)
    check_limits(small, members=10, raw_bytes=1000, archive_bytes=100)
    for members, raw, packed in ((11, 0, 0), (1, 1001, 1000), (1, 1000, 99)):
        with pytest.raises(LimitExceededError):
            check_limits(small, members=members, raw_bytes=raw, archive_bytes=packed)


def windows_unescape(path: str) -> str:
    """The path that `windows_escape` was given."""

    def run(found: re.Match[str]) -> str:
        try:
            return bytes.fromhex(found[0].replace("%", "")).decode()
        except UnicodeDecodeError:  # not one of ours
            return found[0]

    return re.sub(r"(?:%[0-9A-Fa-f]{2})+", run, path)


@pytest.mark.parametrize(
    ("path", "escaped"),
    [
        ("data/5/xes.data", "data/5/xes.data"),
        ("a:b/con.txt/c.", "a%3Ab/%63on.txt/c%2E"),
        ("NUL", "%4EUL"),
        ("com1 .x", "%63om1 .x"),
        ("50%", "50%"),
        ("%41", "%2541"),
        ("a\\b", "a%5Cb"),
        ("x ", "x%20"),
        ("console.txt", "console.txt"),
    ],
)
def test_windows_escape(path: str, escaped: str) -> None:
    assert windows_escape(path) == escaped
    assert windows_unescape(escaped) == path


@given(st.text(alphabet=st.sampled_from('%%23aAfFcon.: *"\\éß\x01x'), max_size=12).filter(lambda text: text != "."))
def test_windows_escape_can_be_undone(step: str) -> None:
    escaped = windows_escape(step)
    assert windows_unescape(escaped) == step
    assert not set('<>:"|?*\\\x01') & set(escaped)
    assert not escaped.endswith((".", " "))
    for lead in range(len(step) + 1):
        assert windows_unescape(names.escape_step(step, lead)) == step


STEPS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=400)


@given(st.sets(STEPS, max_size=4))
def test_a_step_is_shortened_to_what_disks_hold_and_stays_apart(steps: set[str]) -> None:
    made = {step: names.short_step(step) for step in steps}
    assert len(set(made.values())) == len(steps)
    for step, short in made.items():
        assert len(short.encode()) <= 255
        assert short == step or len(step.encode()) > 255
    assert names.short_step("n" * 300 + ".txt").endswith(".txt")
    assert names.short_step("n" * 300 + "a.txt") != names.short_step("n" * 300 + "b.txt")
