"""The protocol, searched: no reachable state loses an archive, and every rule is needed."""

from __future__ import annotations

import os

import pytest
from support.protocol_model import search
from support.protocol_world import Rules, Scene

SCENES = {
    "three writers, one collector": Scene(writers=("a", "b", "b"), attempts=1),
    "a writer that begins again, forget and restore": Scene(writers=("ab",), forgets=("v0",), restores=1),
    "forget, and ingest again": Scene(writers=("a", "ab"), forgets=("v0",), restores=1, attempts=1),
    "two collectors, forget and restore": Scene(writers=("ab",), collectors=2, forgets=("v0",), restores=1),
    "packs of an interrupted run, late and repeated PUT": Scene(writers=("b", "b"), adopt=True, late_puts=True),
    "two copies of a blob, merged by two collectors": Scene(writers=("b", "b"), collectors=2, merge=True, attempts=1),
    "repack by two collectors, beside a writer that wants what is dead": Scene(
        writers=("b",), collectors=2, forgets=("v1",), restores=1, repack=True, first=(("v0", "a"), ("v1", "b"))
    ),
}

LARGER = {
    "three writers, forget, ingest again": Scene(writers=("a", "ab", "b"), forgets=("v0",), attempts=1),
    "three writers, two collectors": Scene(writers=("b", "b", "b"), collectors=2, attempts=1),
    "two collections each": Scene(writers=("ab",), collectors=2, rounds=2, forgets=("v0",), attempts=1),
    "three writers take up what others began": Scene(
        writers=("b", "b", "b"), adopt=True, late_puts=True, attempts=1
    ),
    "repack, then repack again": Scene(
        writers=("b",), rounds=2, forgets=("v1", "v2"), repack=True, attempts=2,
        first=(("v0", "a"), ("v1", "b"), ("v2", "ac")),
    ),
}  # fmt: skip

SMALL = Scene(writers=("a",), forgets=("v0",))
RESUME = SCENES["packs of an interrupted run, late and repeated PUT"]
REPACK = SCENES["repack by two collectors, beside a writer that wants what is dead"]

NEEDED = {
    "create_only": SMALL,
    "condemn_first": SMALL,
    "permanent": RESUME,
    "check_condemned": SMALL,
    "check_again": SMALL,
    "look_for_own": RESUME,
    "needs_unreplaced": REPACK,
    "spare_newcomers": SMALL,
    "plan_anew": REPACK,
    "record_replaced": REPACK,
    "restore_uncollected": REPACK,
    "leave_own": RESUME,
}


@pytest.mark.parametrize("name", SCENES)
def test_no_reachable_state_loses_an_archive(name: str) -> None:
    outcome = search(SCENES[name])
    assert outcome.violation is None, outcome
    assert outcome.complete
    assert outcome.states > 500


@pytest.mark.slow
@pytest.mark.skipif("SXESLAKE_SLOW" not in os.environ, reason="minutes of search; set SXESLAKE_SLOW=1")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LARGER)
def test_no_reachable_state_of_a_larger_world_loses_an_archive(name: str) -> None:
    outcome = search(LARGER[name])
    assert outcome.violation is None, outcome
    assert outcome.complete


@pytest.mark.parametrize("rule", NEEDED)
def test_without_a_rule_something_is_lost(rule: str) -> None:
    outcome = search(NEEDED[rule], Rules(**{rule: False}))
    assert outcome.violation is not None
    assert outcome.trace


def test_every_rule_is_tried() -> None:
    assert set(NEEDED) | {"unique_ids"} == set(Rules.__dataclass_fields__)


def test_a_second_use_of_an_id_is_deadly_once_tombstones_go() -> None:
    """Permanent tombstones alone keep a reused id from doing harm: it can never be committed again."""
    assert search(SMALL, Rules(permanent=False)).violation is None
    assert search(SMALL, Rules(unique_ids=False)).violation is None
    assert search(SMALL, Rules(unique_ids=False, permanent=False)).violation is not None


def test_a_writer_may_take_back_its_packs_while_nobody_adopts() -> None:
    alone = Scene(writers=("b", "b"), late_puts=True, attempts=2)
    assert search(alone, Rules(leave_own=False)).violation is None
    assert search(RESUME, Rules(leave_own=False)).violation is not None
