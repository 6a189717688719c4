"""What a collection plans: from arrays alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from blake3 import blake3

from sxeslake.format import pack
from sxeslake.format.keys import new_id
from sxeslake.format.pack import Footer
from sxeslake.maintenance.gc import plan as gc_plan
from sxeslake.maintenance.gc.holdings import Holdings, Keys, gather, keys_of, shares
from sxeslake.maintenance.gc.plan import CollectionPlan


def digest(word: object) -> bytes:
    return blake3(str(word).encode()).digest()


def footer(*frames: Sequence[object], size: int = 100, length: int = 50) -> Footer:
    """A pack's footer: a list of blob words a frame."""
    blobs = [digest(word) for words in frames for word in words]
    pack_id = new_id()
    counts = [len(words) for words in frames]
    tail = pack.footer(pack_id, blobs, [length] * len(frames), counts, [size] * len(blobs))
    return pack.load_footer(pack_id, tail, where="here")


def held(*footers: Footer, kind: str = "array") -> Holdings:
    return gather((kind, item) for item in footers)


def keys(*words: object) -> Keys:
    found = Keys()
    found.add(keys_of(np.frombuffer(b"".join(map(digest, words)), np.uint8).reshape(-1, 32)))
    return found


def plan(holdings: Holdings, *needed: object) -> CollectionPlan:
    return gc_plan.plan(holdings, keys(*needed))


def test_a_pack_that_nobody_needs_is_dead() -> None:
    dead, alive = footer(["a"], ["b"]), footer(["c"])
    made = plan(held(dead, alive), "c")
    assert (made.dead, made.merged, made.rewrites, made.lost) == ([dead.pack_id], {}, [], 0)


def test_an_empty_lake_has_no_plan() -> None:
    assert gc_plan.plan(held(), Keys()) == CollectionPlan()


def test_everything_is_dead_where_nothing_is_needed() -> None:
    packs = [footer(["a"]), footer(["b"])]
    assert gc_plan.plan(held(*packs), Keys()).dead == [item.pack_id for item in packs]


def test_needed_blobs_that_no_pack_holds_are_counted() -> None:
    assert plan(held(footer(["a"])), "a", "x", "y").lost == 2


def test_a_badly_filled_pack_is_rewritten() -> None:
    bad = footer(["a", "b"], ["c"], ["d"])
    (item,) = plan(held(bad, footer(["x"], ["y"])), "b", "x", "y").rewrites
    assert (item.pack, item.keep.tolist(), item.elsewhere) == (bad.pack_id, [False, True, False, False], ())
    assert item.bytes == 25  # half of a frame of 50 bytes


@pytest.mark.parametrize(("dead", "rewritten"), [(1, 0), (9, 1)])
def test_a_little_waste_may_stay(dead: int, rewritten: int) -> None:
    mixed = footer(*([word] for word in range(20)))
    full = footer(*([f"full {word}"] for word in range(40)))
    needed = [*range(dead, 20), *(f"full {word}" for word in range(40))]
    assert len(plan(held(mixed, full), *needed).rewrites) == rewritten


def test_the_worst_packs_are_rewritten_until_little_waste_is_left() -> None:
    packs = [footer(*([(number, word)] for word in range(20))) for number in range(10)]
    needed = [(number, word) for number in range(10) for word in range(6 if number else 7, 20)]
    made = plan(held(*packs), *needed)
    waste = 6 * (10 - len(made.rewrites)) + 1
    assert made.rewrites[0].pack == packs[0].pack_id
    assert 0 < waste <= 0.1 * len(needed)
    assert len(made.rewrites) < 10


def test_of_two_copies_the_one_in_the_fuller_pack_stays() -> None:
    thin, full = footer(["a"], ["b"], ["dead"]), footer(["a"], ["b"], ["c"])
    made = plan(held(thin, full), "a", "b", "c")
    assert made.merged == {thin.pack_id: (full.pack_id,)}
    assert (made.dead, made.rewrites) == ([], [])


def test_of_equal_packs_one_stays() -> None:
    first, second = footer(["a"], ["b"]), footer(["b"], ["a"])
    made = plan(held(first, second), "a", "b")
    assert made.merged == {second.pack_id: (first.pack_id,)}


def test_a_rewritten_pack_names_where_its_other_blobs_stand() -> None:
    full = footer(["a"], ["b"], ["c"])
    half = footer(["a"], ["b"], ["own"], ["dead"])
    made = plan(held(half, full), "a", "b", "c", "own")
    (item,) = made.rewrites
    assert (item.pack, item.elsewhere) == (half.pack_id, (full.pack_id,))
    assert item.keep.tolist() == [False, False, True, False]


def test_digests_that_share_a_prefix_are_no_copies() -> None:
    one, two = bytes(8) + b"1" * 24, bytes(8) + b"2" * 24
    packs = []
    for blob in (one, two):
        pack_id = new_id()
        tail = pack.footer(pack_id, [blob], [50], [1], [100])
        packs.append(pack.load_footer(pack_id, tail, where="here"))
    needed = Keys()
    needed.add(np.zeros(1, np.uint64))
    made = gc_plan.plan(held(*packs), needed)
    assert made == CollectionPlan()


def test_many_small_packs_are_joined() -> None:
    packs = [footer([number]) for number in range(gc_plan.MANY_SMALL)]
    assert len(plan(held(*packs), *range(gc_plan.MANY_SMALL)).rewrites) == gc_plan.MANY_SMALL
    assert plan(held(*packs[1:]), *range(1, gc_plan.MANY_SMALL)).rewrites == []


def test_small_packs_of_two_kinds_are_not_joined() -> None:
    packs = [footer([number]) for number in range(gc_plan.MANY_SMALL)]
    kinds = [(("json", "array")[place % 2], item) for place, item in enumerate(packs)]
    both = gather(kinds)
    assert plan(both, *range(len(packs))).rewrites == []


def test_shares_add_up_to_the_frames() -> None:
    item = footer(["a", "b", "c"], ["d"], length=90)
    assert shares(item).tolist() == pytest.approx([30, 30, 30, 90])
    assert held(item).stored.tolist() == pytest.approx([180])


def test_a_tight_collection_joins_what_is_not_nearly_full_and_then_has_nothing_to_do() -> None:
    full = footer(["full"], length=gc_plan.TIGHT.small_bytes)
    small = [footer([number], length=1000) for number in range(2)]
    both = held(full, *small)
    rewritten = gc_plan.plan(both, keys("full", 0, 1), joining=gc_plan.TIGHT).rewrites
    assert {item.pack for item in rewritten} == {item.pack_id for item in small}
    assert plan(both, "full", 0, 1).rewrites == []
    after = held(full, small[0])
    assert gc_plan.plan(after, keys("full", 0), joining=gc_plan.TIGHT).rewrites == []
