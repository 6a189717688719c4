"""What to do with what a folder shows: cases that chance seldom finds."""

from __future__ import annotations

from sxeslake.watching import plan
from sxeslake.watching.plan import Signature, State, WatchedItem

OLD, NEW = Signature(10, 1, 7), Signature(20, 2, 8)


def look(items: dict[str, WatchedItem], now: float, unlisted: str = "", **files: Signature) -> None:
    listed = {name: ("file", signature) for name, signature in files.items()}
    items.update(plan.observe(items, listed, lambda path: path == unlisted, now, 10.0))  # type: ignore[arg-type]


def states(items: dict[str, WatchedItem]) -> dict[str, State]:
    return {path: item.state for path, item in items.items()}


def taken_at(now: float) -> dict[str, WatchedItem]:
    items: dict[str, WatchedItem] = {}
    look(items, now - 10, a=OLD)
    look(items, now, a=OLD)
    assert plan.ready(items) == ["a"]
    items["a"] = plan.taken(items["a"], "a", 1)
    return items


def test_what_came_back_as_it_was_is_not_taken_again() -> None:
    items = taken_at(100)
    look(items, 101)
    assert states(items) == {"a": "gone"}
    look(items, 102, a=OLD)
    assert states(items) == {"a": "taken"}


def test_a_file_that_is_the_old_one_again_is_not_taken_again() -> None:
    items = taken_at(100)
    look(items, 101, a=NEW)
    assert states(items) == {"a": "seen"}
    look(items, 150, a=OLD)
    assert states(items) == {"a": "taken"}


def test_a_file_that_is_gone_before_it_was_taken_begins_again() -> None:
    items: dict[str, WatchedItem] = {}
    look(items, 0, a=OLD)
    look(items, 5)
    look(items, 50, a=OLD)
    assert states(items) == {"a": "seen"}
    look(items, 60, a=OLD)
    assert states(items) == {"a": "settled"}


def test_a_boot_ends_what_the_clock_had_measured() -> None:
    items: dict[str, WatchedItem] = {}
    look(items, 5, a=OLD)
    items = {path: plan.after_restart(item, 1000.0) for path, item in items.items()}
    look(items, 1001, a=OLD)
    assert states(items) == {"a": "seen"}


def test_a_clock_that_reads_less_than_before_does_not_hold_a_file_up() -> None:
    items: dict[str, WatchedItem] = {}
    look(items, 1_000_000, a=OLD)
    look(items, 50, a=OLD)
    look(items, 60, a=OLD)
    assert states(items) == {"a": "settled"}


def test_a_failure_is_tried_again_when_its_time_has_come_or_when_it_changes() -> None:
    items: dict[str, WatchedItem] = {}
    look(items, 0, a=OLD)
    look(items, 10, a=OLD)
    for attempt, wait_s in enumerate((4.0, 8.0, 16.0), 1):
        now = 100.0 * attempt
        items["a"] = plan.failed(items["a"], "cut", now, 4.0)
        look(items, now + wait_s - 0.1, a=OLD)
        assert states(items) == {"a": "failed"}, attempt
        look(items, now + wait_s, a=OLD)
        assert states(items) == {"a": "settled"}, attempt
    items["a"] = plan.failed(items["a"], "cut", 400.0, 4.0)
    look(items, 401, a=NEW)
    assert (items["a"].state, items["a"].attempts, items["a"].reason) == ("seen", 0, None)
    assert plan.wait_s(1000, 60.0) == 6 * 3600.0


def test_what_could_not_be_listed_is_neither_gone_nor_still() -> None:
    items: dict[str, WatchedItem] = {}
    look(items, 0, a=OLD)
    look(items, 5, unlisted="a")
    assert (states(items), plan.ready(items)) == ({"a": "seen"}, [])
    look(items, 11, a=OLD)
    assert states(items) == {"a": "seen"}
    look(items, 21, a=OLD)
    assert states(items) == {"a": "settled"}


def test_what_is_ready_waits_where_its_folder_went_away() -> None:
    items: dict[str, WatchedItem] = {}
    look(items, 0, a=OLD)
    look(items, 10, a=OLD)
    items.update(plan.away(items))
    assert plan.ready(items) == []


def test_inodes_that_change_by_themselves_are_believed_twice() -> None:
    items: dict[str, WatchedItem] = {}
    for now in range(0, 60, 5):
        look(items, now, a=OLD._replace(inode=now))
    assert states(items) == {"a": "settled"}


def test_a_signature_is_a_word_and_back() -> None:
    for signature in (OLD, Signature(0, -(1 << 62), 1 << 63, "ab12")):
        assert Signature.parse(signature.text()) == signature
