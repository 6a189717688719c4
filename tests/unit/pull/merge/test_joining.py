"""Copies of a measurement that lack some of its data meet in the whole; what contradicts it stays apart."""

from __future__ import annotations

from blake3 import blake3

from sxeslake.archive.sxes.documents.fields import StateFields, read_state
from sxeslake.pull.merge.joining import keep_measurements
from sxeslake.pull.merge.same import MergedItem, Origin

NAMES = {"info": "info.json", "state": "state.json", "note": "note.txt"}
HERE = read_state({"saveDate": "2020/01/01 00:00:00", "stage": {"x": 1}})
THERE = read_state({"saveDate": "2020/01/01 00:00:00", "stage": {"x": 2}})
NEVER = read_state({})


def item(share: int, uuid: str, **files: str) -> MergedItem:
    return MergedItem(
        share, uuid, {NAMES.get(n, f"{n}.data"): blake3(text.encode()).digest() for n, text in files.items()}
    )


def joined(*items: MergedItem, state: StateFields = HERE, other: dict[int, StateFields] | None = None) -> list[str]:
    """The UUID of each item in the new group; derived ones as `*`."""
    states = {Origin(each.share, each.uuid): (other or {}).get(each.share, state) for each in items}
    kept = keep_measurements(items, states)
    there = {each.uuid for each in items}
    uuids = [kept.uuids[Origin(each.share, each.uuid)] for each in items]
    return [uuid if uuid in there else "*" for uuid in uuids]


def test_a_copy_without_some_data_is_the_same_measurement() -> None:
    whole, part = item(0, "a", qlw="1", xes="2"), item(1, "b", qlw="1")
    assert joined(whole, part) == ["a", "a"]
    assert joined(part, whole) == ["b", "b"]


def test_two_parts_meet_in_the_whole_wherever_it_stands() -> None:
    one, two, whole = item(0, "a", qlw="1"), item(1, "b", xes="2"), item(2, "c", qlw="1", xes="2")
    assert joined(one, two, whole) == ["a", "a", "a"]
    assert joined(one, two) == ["a", "b"], "nothing tells that they are one"


def test_other_data_of_a_type_that_both_have_is_another_measurement() -> None:
    one, two = item(0, "a", qlw="1", xes="2"), item(1, "a", qlw="1", xes="3")
    assert joined(one, two) == ["a", "*"]
    assert joined(one, item(1, "a", qlw="1"), two._replace(share=2)) == ["a", "a", "*"]


def test_time_and_place_tell_parts_apart() -> None:
    one, two = item(0, "a", qlw="1", xes="2"), item(1, "b", qlw="1")
    assert joined(one, two, other={1: THERE}) == ["a", "b"]
    assert joined(one, two, state=NEVER) == ["a", "b"], "an equal array alone may be an empty frame"
    assert joined(one, two._replace(uuid="a"), state=NEVER) == ["a", "a"]
    assert joined(one, item(1, "b", qlw="1", xes="2"), state=NEVER) == ["a", "a"], "all of it equal is enough"


def test_parts_of_one_version_without_common_data_are_told_by_all_else() -> None:
    one = item(0, "a", info="i", state="s", qlw="1")
    assert joined(one, item(1, "a", info="i", state="s", xes="2")) == ["a", "a"]
    assert joined(one, item(1, "a", info="i", state="s")) == ["a", "a"]
    assert joined(one, item(1, "a", info="i", state="s", xes="2", note="n")) == ["a", "a"]
    assert joined(one, item(1, "a", info="other", state="s", xes="2")) == ["a", "*"]
    assert joined(one, item(1, "a", info="i", state="other", xes="2")) == ["a", "*"]
    assert joined(one, item(1, "a", info="i", xes="2")) == ["a", "*"], "nothing says when and where"
    assert joined(one, item(1, "a", qlw="1"), other={1: NEVER}) == ["a", "a"], "a state that is lost is no other one"
    assert joined(one, item(1, "b", info="i", state="s", xes="2")) == ["a", "b"]


def test_items_without_any_data_are_told_by_all_they_have() -> None:
    assert joined(item(0, "a", info="x"), item(1, "a", info="x")) == ["a", "a"]
    assert joined(item(0, "a", info="x"), item(1, "a", info="y")) == ["a", "*"]


def test_a_derived_uuid_follows_from_all_the_data_there_is() -> None:
    one, part, whole = item(0, "a", qlw="0"), item(1, "a", qlw="1"), item(2, "a", qlw="1", xes="2")
    states = {Origin(each.share, each.uuid): HERE for each in (one, part, whole)}
    derived = keep_measurements([one, part, whole], states).uuids[Origin(1, "a")]
    assert keep_measurements([one, whole], states).uuids[Origin(2, "a")] == derived


def test_thousands_of_empty_frames_are_not_held_against_each_other() -> None:
    items = [item(0, f"u{number}", xes="empty", qlw=f"{number}") for number in range(3000)]
    kept = keep_measurements(items, {Origin(0, each.uuid): HERE for each in items})
    assert len(kept.origins) == 3000
