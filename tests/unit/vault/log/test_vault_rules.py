"""Which items of a log entry count: each rule by itself, and that what stands beside a void item is folded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.entries import archive, chain, manifest, named, pack

from sxeslake.format.logentry import MAX_VERSION, Moved
from sxeslake.vault.log.state import LogState

BEFORE: dict[str, Any] = {
    "packs": (pack(1), pack(2), pack(3)),
    "manifests": (manifest(5), manifest(6), manifest(7)),
    "archives": (
        archive("live", manifest_id=named(5)),
        archive("forgotten", manifest_id=named(6)),
        archive("collected", manifest_id=named(7)),
    ),
    "forgotten": (("forgotten", 1), ("collected", 1)),
    "collected": (("collected", 1),),
    "condemned_packs": (named(3),),
    "condemned_manifests": (named(7),),
}
BESIDE: dict[str, Any] = {"packs": (pack(8),), "archives": (archive("beside", manifest_id=named(5)),)}
SAID = {"sample": "live", "version": None, "target": "sample", "uuid": None, "key": "note", "value": "x"}
PATH = {"sample": "live", "version": 1, "path": "/a/x.zip", "host": "h", "name": "x.zip", "modified_ns": 5}
TAG = {"sample": "live", "version": 1, "tag": "paper", "action": "add"}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[LogState]:
    opened = LogState(tmp_path / "state.sqlite")
    opened.apply(chain(BEFORE))
    yield opened
    opened.close()


def moved(sample: str, table: int) -> Moved:
    return Moved(sample, 1, named(table), 0, 1, 1)


VOID: dict[str, dict[str, Any]] = {
    "a pack that is there": {"packs": (pack(1),)},
    "a pack that was condemned": {"packs": (pack(3),)},
    "a manifest that is there": {"manifests": (manifest(5),)},
    "a manifest that was condemned": {"manifests": (manifest(7),)},
    "a version that is live": {"archives": (archive("live", manifest_id=named(6)),)},
    "a version that was collected": {"archives": (archive("collected", manifest_id=named(6)),)},
    "a version in an unknown manifest": {"archives": (archive("x", manifest_id=named(99)),)},
    "a version in a condemned manifest": {"archives": (archive("x", manifest_id=named(7)),)},
    "a move of nothing": {"moved": (moved("x", 6),)},
    "a move of what was collected": {"moved": (moved("collected", 6),)},
    "a move into an unknown manifest": {"moved": (moved("live", 99),)},
    "a move into a condemned manifest": {"moved": (moved("live", 7),)},
    "forgetting nothing": {"forgotten": (("x", 1),)},
    "forgetting what was collected": {"forgotten": (("collected", 1),)},
    "restoring nothing": {"restored": (("live", 2),)},
    "restoring what was collected": {"restored": (("collected", 1),)},
    "collecting nothing": {"collected": (("x", 1),)},
    "collecting what is live": {"collected": (("live", 1),)},
    "replacing what is not condemned": {"replaced": {named(1): (named(2),)}},
    "replacing what was condemned before": {"replaced": {named(3): (named(2),)}},
    "replacing by an unknown pack": {"condemned_packs": (named(2),), "replaced": {named(2): (named(99),)}},
    "a mark on nothing": {"tags": ({**TAG, "version": 2},)},
    "an annotation of no sample": {"annotations": ({**SAID, "sample": "x"},)},
    "an annotation of no version": {"annotations": ({**SAID, "version": 2},)},
    "a path of no version": {"paths": ({**PATH, "version": 2},)},
    "a path of no sample": {"paths": ({**PATH, "sample": "x"},)},
}
WITHOUT_EFFECT: dict[str, dict[str, Any]] = {
    "forgetting twice": {"forgotten": (("forgotten", 1),)},
    "restoring what is live": {"restored": (("live", 1),)},
    "collecting twice": {"collected": (("collected", 1),)},
    "condemning twice": {"condemned_packs": (named(3),)},
    "condemning an orphan": {"condemned_packs": (named(99),)},
    "a path of what is forgotten": {"paths": ({**PATH, "sample": "forgotten"},)},
    "removing no mark": {"tags": ({**TAG, "action": "remove"},)},
    "needs that nobody added": {"archives": (archive("y", manifest_id=named(5), needs=(named(99), named(3))),)},
    "a number far ahead": {"archives": (archive("live", MAX_VERSION, manifest_id=named(5)),)},
}


def joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both changes in one entry, the first first."""
    return {"manifests": ()} | {key: (*one.get(key, ()), *other.get(key, ())) for key in {**one, **other}} | {
        key: one[key] for key in ("replaced",) if key in one
    }  # fmt: skip


def tables(state: LogState, ignored: tuple[str, ...] = ("entries", "void", "meta")) -> dict[str, list[Any]]:
    """All that was folded, but the bytes of the entries."""
    names = [name for (name,) in state.select("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: state.select(f"SELECT * FROM {name}") for name in names if name not in ignored}


@pytest.mark.parametrize("case", VOID)
def test_an_item_that_breaks_a_rule_is_void_and_the_rest_counts(state: LogState, tmp_path: Path, case: str) -> None:
    change = VOID[case]
    (whole,) = chain(joined(change, BESIDE), head=state.head())
    state.apply([whole])
    (noted,) = state.void()[2]
    other = LogState(tmp_path / "other.sqlite")
    other.apply(chain(BEFORE))
    left = {key: value for key, value in change.items() if key != noted.field}
    other.apply(chain(joined(left, BESIDE), head=other.head()))
    assert other.void() == {}
    assert tables(state) == tables(other)
    other.close()
    counted = state.counted(whole.entry)
    assert counted == replace(whole.entry, **{noted.field: getattr(counted, noted.field)})
    assert len(getattr(counted, noted.field)) == len(getattr(whole.entry, noted.field)) - 1
    assert state.objections(replace(whole.entry, number=3)) != []


@pytest.mark.parametrize("case", WITHOUT_EFFECT)
def test_what_changes_nothing_is_legal(state: LogState, case: str) -> None:
    state.apply(chain(joined(WITHOUT_EFFECT[case], BESIDE), head=state.head()))
    assert state.void() == {}


def test_the_first_of_two_in_one_entry_counts(state: LogState) -> None:
    twice = {
        "packs": (pack(8), pack(8)),
        "manifests": (manifest(9), manifest(9)),
        "archives": (archive("a", manifest_id=named(9), rows=5), archive("a", manifest_id=named(9), rows=6)),
        "forgotten": (("a", 1),),
    }
    state.apply(chain(twice, head=state.head()))
    assert [void.what for void in state.void()[2]] == ["archives[1]", "manifests[1]", "packs[1]"]
    (version,) = state.versions("v.sample = 'a'")
    assert (version.archive.rows, version.status) == (5, "forgotten")


def test_void_items_that_a_repair_settled_are_named_no_more(state: LogState) -> None:
    state.apply(chain({"forgotten": (("x", 1),)}, {"settled": (2,)}, {"forgotten": (("x", 1),)}, head=state.head()))
    assert list(state.void()) == [4]


def test_the_last_number_blocks_no_sample(state: LogState) -> None:
    state.apply(chain(joined(WITHOUT_EFFECT["a number far ahead"], {}), head=state.head()))
    assert state.next_version("live") == 2
    taken = archive("live", 2, manifest_id=named(5))
    state.apply(chain({"manifests": (), "archives": (taken,)}, head=state.head()))
    assert state.next_version("live") == 3
