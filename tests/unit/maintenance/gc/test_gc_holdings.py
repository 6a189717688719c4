"""A plan is the same however few blobs are in memory at once, and takes no more than it was given."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from sxeslake.errors import StorageError
from sxeslake.format import pack
from sxeslake.format.pack import Footer
from sxeslake.maintenance.gc import plan as gc_plan
from sxeslake.maintenance.gc.holdings import NO_ROWS, Keys, Spill, gather, keys_of, shards_for
from sxeslake.maintenance.gc.plan import CollectionPlan
from sxeslake.model import MIB

_WORDS = st.lists(st.integers(0, 30), min_size=1, max_size=8)


def footer(number: int, words: list[int]) -> Footer:
    blobs = [blake3(str(word).encode()).digest() for word in words]
    tail = pack.footer(f"{number:032x}", blobs, [10 * len(blobs)], [len(blobs)], [100] * len(blobs))
    return pack.load_footer(f"{number:032x}", tail, where="here")


@contextmanager
def needing(words: list[int], shards: int, memory_bytes: int) -> Iterator[Keys]:
    with Keys(shards, memory_bytes) as found:
        for word in words:
            found.add(keys_of(np.frombuffer(blake3(str(word).encode()).digest(), np.uint8).reshape(1, 32)))
        yield found


def facts(made: CollectionPlan) -> tuple[Any, ...]:
    rewrites = [(item.pack, item.keep.tolist(), item.elsewhere, item.bytes) for item in made.rewrites]
    return made.dead, made.merged, rewrites, made.lost, made.spoilt, made.relied.tolist()


@given(st.lists(_WORDS, max_size=6), st.lists(st.integers(0, 35), max_size=25), st.data(), st.integers(2, 9))
@settings(deadline=None, max_examples=60)
def test_a_plan_in_shards_is_the_plan(
    packs: list[list[int]], needed: list[int], data: st.DataObject, shards: int
) -> None:
    footers = [("array", footer(number, words)) for number, words in enumerate(packs)]
    blobs = sum(map(len, packs))
    bad = np.array(sorted(data.draw(st.sets(st.integers(0, blobs - 1)) if blobs else st.just(set()))), np.int64)
    live = needed[::2]
    made, only = [], []
    for how in ((1, MIB), (shards, 1)):  # a budget of 1: each row goes through the file
        with (
            gather(footers, *how) as held,
            needing(needed, *how) as keys,
            needing(live, *how) as live_keys,
        ):
            made.append(facts(gc_plan.plan(held, keys, bad, joining=gc_plan.Joining(many=3))))
            only.append(gc_plan.only_for(held, keys, live_keys))
    assert made[0] == made[1]
    assert only[0] == pytest.approx(only[1], abs=1)


def test_packs_beyond_a_round_wait() -> None:
    packs = [("array", footer(number, [number, 100 + number])) for number in range(5)]
    with needing(list(range(5)), 1, MIB) as needed:
        made = gc_plan.plan(gather(packs), needed, round_bytes=45)
        assert ([item.pack for item in made.rewrites], made.whole) == ([f"{number:032x}" for number in (0, 1)], False)
        assert gc_plan.plan(gather(packs), needed).whole


def test_shards_follow_the_number_of_blobs() -> None:
    assert shards_for(1000, 1000) == 1
    assert shards_for(5_000_000_000, 5_000_000_000) > 1000
    assert shards_for(10_000_000, 0, memory_bytes=16 * MIB) == 96


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(StorageError, match="no room for temporary files"), needing([1, 2, 3], 2, 1):
        pass


def test_nothing_is_lost_between_memory_and_file() -> None:
    spill, rng = Spill(np.int64, 5, memory_bytes=16 * 1000), np.random.default_rng(3)
    given_keys = [rng.integers(0, 2**64, 70, np.uint64) for _ in range(40)]
    for keys in given_keys:
        spill.add(keys, keys.view(np.int64))
    found = np.concatenate([spill.shard(number) for number in range(5)])
    assert sorted(found.tolist()) == sorted(np.concatenate(given_keys).view(np.int64).tolist())
    spill.close()


def large(packs: int, each: int) -> Iterator[tuple[str, Footer]]:
    """Packs of so many blobs; each is there twice, in neighbours."""
    for number in range(packs):
        digests = np.random.default_rng(number // 2).integers(0, 256, (each, 32), np.uint8)
        tail = pack.footer(f"{number:032x}", bytearray(digests.tobytes()), [each], [each], [1] * each)
        yield "array", pack.load_footer(f"{number:032x}", tail, where="here")


def test_planning_takes_the_memory_that_it_is_given() -> None:
    packs, each = 16, 25_000
    taken = {}
    for budget in (4 * MIB, 64 * MIB):
        shards = shards_for(packs * each, packs * each // 2, budget)
        tracemalloc.start()
        try:
            needed = Keys(shards, budget)
            for _, item in large(packs, each):
                needed.add(keys_of(item.digests))
            held = gather(large(packs, each), shards, budget)
            made = gc_plan.plan(held, needed, NO_ROWS)
            _, taken[budget] = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (len(made.merged), made.lost, len(made.relied)) == (packs // 2, 0, packs // 2 * each)
        held.close()
        needed.close()
    beside = packs // 2 * each * 8 * 4  # the places of what is to be proved: the answer, and sorting it
    assert taken[4 * MIB] < 2 * 4 * MIB + beside
    assert taken[4 * MIB] < taken[64 * MIB] / 2, "the bound is one"
