"""What a collection would do, from what packs hold and what live versions need. Pure: arrays in, a plan out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sxeslake.maintenance.gc.holdings import F64, I64, NO_ROWS, U8, U32, U64, Bools, Holdings, Keys, Shard, among

BADLY_FILLED = 0.6  # of a pack's stored bytes alive: below it, a pack is rewritten in any case
WASTE = 0.05  # of all live bytes: what may stay of dead bytes in packs that are filled better
WELL_FILLED = 0.97  # above it, the copy is not worth the room that it frees
SMALL_BYTES = 4 * 2**20  # an eighth of a full pack
MANY_SMALL = 64  # small packs of a kind that are worth joining: each costs a request and a line in every listing


class Joining(NamedTuple):
    """Which packs are joined that are filled well: those of less than so many bytes, where so many are of a kind."""

    small_bytes: int = SMALL_BYTES
    many: int = MANY_SMALL


MANY = Joining()
TIGHT = Joining(24 * 2**20, 2)
"""Join whatever is less than three quarters of a full pack: as one writer without commits in between would leave."""


@dataclass(slots=True)
class Rewrite:
    """A pack to rewrite: which of its blobs go into the new one, and which packs have the rest of what is needed."""

    pack: str
    keep: Bools
    elsewhere: tuple[str, ...]
    bytes: int  # of the frames that it keeps, as far as can be told before


@dataclass(slots=True)
class CollectionPlan:
    """Which packs no version needs, which are copies, and which are rewritten."""

    dead: list[str] = field(default_factory=list)
    merged: dict[str, tuple[str, ...]] = field(default_factory=dict)  # all that is needed of it stands in those
    rewrites: list[Rewrite] = field(default_factory=list)
    lost: int = 0  # needed blobs that no pack holds
    spoilt: int = 0  # needed blobs of which every copy is known to be damaged
    whole: bool = True  # False: more packs wait to be rewritten
    # Of all blobs that are held, the places of those that stand in for copies which go; sorted.
    relied: I64 = field(default_factory=lambda: NO_ROWS, compare=False)


def plan(
    held: Holdings,
    needed: Keys,
    bad: I64 = NO_ROWS,
    *,
    badly_filled: float = BADLY_FILLED,
    joining: Joining = MANY,
    round_bytes: float = np.inf,
) -> CollectionPlan:
    """Decide for each pack; `needed` are the blobs that live versions consist of.

    `bad`, the sorted places of blobs found damaged: they stand in for no other copy, and a pack that has one which is
    needed is left to `repair`. What the plan builds on is in `relied`: to be proved before it is done. Packs of more
    than `round_bytes` are rewritten in several rounds.
    """
    made = CollectionPlan()
    packs = _count(held, needed, bad, made)
    _choose(held, needed, bad, packs, made)
    going = _decide(held, packs, made, badly_filled, joining, round_bytes)
    if going.any():
        _select(held, needed, bad, packs, going, made)
    return made


def only_for(held: Holdings, needed: Keys, live: Keys) -> int:
    """The stored bytes of blobs that are needed, but not by what is live."""
    total = 0.0
    for number, shard in enumerate(held.shards(needed)):
        only = among(shard.keys, shard.needed) & ~among(shard.keys, live.shard(number))
        total += float(shard.share[only].sum(dtype=np.float64))
    return int(total)


@dataclass(slots=True)
class _Packs:
    """What is known of each pack."""

    stored: F64
    filled: F64  # the share of it that is needed
    is_live: Bools
    is_damaged: Bools  # one of the blobs that are needed is
    alive: F64  # bytes that stay in it: needed, and not another copy's to keep
    has_chosen: Bools
    pairs: U64  # pack, and another that has the rest of what is needed of it; 32 bits each

    def elsewhere(self, pack: int) -> I64:
        """The packs that have the rest of what is needed of one."""
        first, end = np.searchsorted(self.pairs, np.array([pack << 32, (pack + 1) << 32], np.uint64))
        return (self.pairs[first:end] & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _count(held: Holdings, needed: Keys, bad: I64, made: CollectionPlan) -> _Packs:
    """What is needed of each pack, and how much is lost."""
    count, stored = len(held.packs), held.stored
    filled, is_live, damaged = np.zeros(count), np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    for shard in held.shards(needed):
        keys = shard.keys
        live = among(keys, shard.needed)
        made.lost += len(shard.needed) - int(among(shard.needed, np.unique(keys[live])).sum())
        filled += np.bincount(shard.pack[live], shard.share[live], count)
        is_live[shard.pack[live]] = True
        damaged[shard.pack[live & among(shard.rows, bad)]] = True
    filled /= np.maximum(stored, 1)
    return _Packs(stored, filled, is_live, damaged, np.zeros(count), np.zeros(count, np.bool_), np.empty(0, np.uint64))


def _choose(held: Holdings, needed: Keys, bad: I64, packs: _Packs, made: CollectionPlan) -> None:
    """Which copies stay, added up by pack."""
    pairs = []
    for shard in held.shards(needed):
        live, chosen, home = _copies(shard, packs, bad)
        made.spoilt += int((chosen & among(shard.rows, bad)).sum())
        packs.alive += np.bincount(shard.pack[chosen], shard.share[chosen], len(held.packs))
        packs.has_chosen[shard.pack[chosen]] = True
        own, other = _apart(shard, live & ~chosen, home)
        pairs.append(np.unique(shard.pack[own].astype(np.uint64) << np.uint64(32) | shard.pack[other]))
    packs.pairs = np.unique(np.concatenate(pairs)) if pairs else packs.pairs


def _decide(
    held: Holdings, packs: _Packs, made: CollectionPlan, badly_filled: float, joining: Joining, round_bytes: float
) -> Bools:
    """Which packs go: no version needs them, others have it all, or they are rewritten. The latter two, by number."""
    thin = _badly_filled(packs.stored, packs.alive / np.maximum(packs.stored, 1), badly_filled)
    thin |= _small(held, packs.stored, ~thin, joining)
    going, rewritten = np.zeros(len(held.packs), np.bool_), 0.0
    for number, pack_id in enumerate(held.packs):
        if not packs.is_live[number]:
            made.dead.append(pack_id)
            continue
        if packs.is_damaged[number]:
            continue
        elsewhere = tuple(held.packs[other] for other in packs.elsewhere(number).tolist())
        if not packs.has_chosen[number]:
            made.merged[pack_id] = elsewhere
        elif thin[number]:
            rewritten += float(packs.stored[number])
            if made.rewrites and rewritten > round_bytes:
                made.whole = False
                continue
            made.rewrites.append(Rewrite(pack_id, np.empty(0, np.bool_), elsewhere, int(packs.alive[number])))
        else:
            continue
        going[number] = True
    return going


def _select(held: Holdings, needed: Keys, bad: I64, packs: _Packs, going: Bools, made: CollectionPlan) -> None:
    """The blobs that rewritten packs keep, and those that stand in for copies which go."""
    kept, relied = [], []
    for shard in held.shards(needed):
        live, chosen, home = _copies(shard, packs, bad)
        kept.append(shard.rows[chosen & going[shard.pack]])
        _, other = _apart(shard, live & ~chosen & going[shard.pack], home)
        relied.append(shard.rows[other])
    made.relied = np.unique(np.concatenate(relied))
    rows, number = np.sort(np.concatenate(kept)), {pack: number for number, pack in enumerate(held.packs)}
    for item in made.rewrites:
        place = held.place_of(number[item.pack])
        item.keep = marked(rows, place)


def marked(rows: I64, place: slice) -> Bools:
    """Of a pack's blobs, which stand at the places of sorted rows."""
    first, end = np.searchsorted(rows, [place.start, place.stop])
    found = np.zeros(place.stop - place.start, np.bool_)
    found[rows[first:end] - place.start] = True
    return found


def _apart(shard: Shard, copies: Bools, home: I64) -> tuple[I64, I64]:
    """Copies that go and the ones that stay, where they stand in different packs."""
    own = np.flatnonzero(copies)
    other = home[own]
    differ = shard.pack[own] != shard.pack[other]
    return own[differ], other[differ]


def _copies(shard: Shard, packs: _Packs, bad: I64) -> tuple[Bools, Bools, I64]:
    """Which blobs are needed, which copy of each stays, and for each blob where in the shard the one that does."""
    keys = shard.keys
    live = among(keys, shard.needed)
    doubt = among(shard.rows, bad).astype(np.uint8) + packs.is_damaged[shard.pack]
    return live, *_one_copy(shard.digests, keys, live, shard.pack, packs.filled, doubt)


def _one_copy(digests: U8, keys: U64, live: Bools, pack: U32, filled: F64, doubt: U8) -> tuple[Bools, I64]:
    """Of blobs that are stored more than once, the copy of least `doubt`, and of those the one in the best filled pack.

    And for each blob, the row of the copy that stays: its own, or another's.
    """
    chosen, home = live.copy(), np.arange(len(keys), dtype=np.int64)
    rows = np.flatnonzero(live)
    rows = rows[np.argsort(keys[rows], kind="stable")]
    twin = np.flatnonzero(keys[rows[1:]] == keys[rows[:-1]])
    twin = twin[(digests[rows[twin]] == digests[rows[twin + 1]]).all(axis=1)]
    if not len(twin):
        return chosen, home
    same = np.zeros(len(rows), np.bool_)  # as the row before
    same[twin + 1] = True
    group = np.cumsum(~same)
    many = same | np.append(same[1:], False)
    rows, group = rows[many], group[many]
    rank = np.empty(len(filled), np.int64)
    rank[np.lexsort((np.arange(len(filled)), -filled))] = np.arange(len(filled))
    order = np.lexsort((rank[pack[rows]], doubt[rows], group))
    rows, group = rows[order], group[order]
    first = np.append(True, group[1:] != group[:-1])
    chosen[rows] = first
    home[rows] = rows[first][np.cumsum(first) - 1]
    return chosen, home


def _badly_filled(stored: F64, fraction: F64, badly_filled: float) -> Bools:
    """Packs to rewrite: the badly filled ones, and the worst of the others until little waste is left."""
    waste, alive = stored * (1 - fraction), stored * fraction
    waste[fraction == 0] = 0  # goes whole
    order = np.argsort(fraction, kind="stable")
    left = waste.sum() - np.cumsum(waste[order]) + waste[order]  # before this pack is rewritten
    bad = np.zeros(len(stored), np.bool_)
    bad[order] = left > WASTE * alive.sum()
    return (bad & (fraction < WELL_FILLED)) | (fraction < badly_filled)


def _small(held: Holdings, stored: F64, well: Bools, joining: Joining) -> Bools:
    """Packs to be joined because there are so many small ones of their kind."""
    small = np.zeros(len(held.packs), np.bool_)
    for kind in set(held.kinds):
        own = np.asarray([kind == other for other in held.kinds]) & (stored < joining.small_bytes) & well
        if int(own.sum()) >= joining.many:
            small |= own
    return small
