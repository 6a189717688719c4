"""What a collection would do, from what packs hold and what live versions need. Pure: arrays in, a plan out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sxeslake.format.pack import Footer

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

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
F32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def keys_of(digests: U8) -> U64:
    """The first 8 bytes of each digest; two that agree by chance only keep a blob alive."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8").ravel().astype(np.uint64)


@dataclass(slots=True)
class Holdings:
    """The blobs of some packs, as columns: some 50 bytes a blob, and no Python object."""

    packs: list[str]
    kinds: list[str]
    starts: npt.NDArray[np.int64]  # of each pack's blobs, and the end
    digests: U8
    share: F32  # of the pack's stored bytes that a blob takes

    @property
    def stored(self) -> npt.NDArray[np.float64]:
        """The bytes of each pack's frames."""
        return _per_pack(self.share, self.starts)


def gather(footers: Iterable[tuple[str, Footer]], blobs: int) -> Holdings:
    """Footers, each with the kind of its pack, as one table of at most `blobs` rows."""
    held = Holdings([], [], np.zeros(1, np.int64), np.empty((blobs, 32), np.uint8), np.empty(blobs, np.float32))
    starts = [0]
    for kind, footer in footers:
        here = slice(starts[-1], starts[-1] + len(footer.digests))
        held.digests[here] = footer.digests
        held.share[here] = shares(footer)
        held.packs.append(footer.pack_id)
        held.kinds.append(kind)
        starts.append(here.stop)
    held.starts = np.asarray(starts, np.int64)
    held.digests, held.share = held.digests[: starts[-1]], held.share[: starts[-1]]
    return held


def shares(footer: Footer) -> F32:
    """The stored bytes of each blob: its part of its frame, by raw size."""
    if not len(footer.sizes):
        return np.empty(0, np.float32)
    firsts = np.cumsum(footer.frame_blobs, dtype=np.int64) - footer.frame_blobs
    raw = np.maximum(np.add.reduceat(footer.sizes.astype(np.float64), firsts), 1)
    return (footer.sizes * np.repeat(footer.frame_lengths / raw, footer.frame_blobs)).astype(np.float32)


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
    # Of all blobs that are held, those that stand in for copies which go.
    relied: Bools = field(default_factory=lambda: np.empty(0, np.bool_), compare=False)


def plan(
    held: Holdings,
    needed: U64,
    bad: Bools | None = None,
    *,
    badly_filled: float = BADLY_FILLED,
    joining: Joining = MANY,
) -> CollectionPlan:
    """Decide for each pack; `needed` are the sorted keys of the blobs that live versions consist of.

    `bad`, one for each blob that is held, are those found damaged: they stand in for no other copy, and a pack that has
    one which is needed is left to `repair`. What the plan builds on is in `relied`: to be proved before it is done.
    """
    keys = keys_of(held.digests)
    live = _among(keys, needed)
    made = CollectionPlan(lost=len(needed) - int(_among(needed, np.unique(keys[live])).sum()))
    pack = np.repeat(np.arange(len(held.packs), dtype=np.uint32), np.diff(held.starts))
    stored = held.stored
    filled = _per_pack(np.where(live, held.share, 0), held.starts) / np.maximum(stored, 1)
    bad = np.zeros(len(keys), np.bool_) if bad is None else bad
    damaged = np.zeros(len(held.packs), np.bool_)
    damaged[pack[live & bad]] = True
    chosen, home = _one_copy(held.digests, keys, live, pack, filled, bad.astype(np.uint8) + damaged[pack])
    made.spoilt, made.relied = int((chosen & bad).sum()), np.zeros(len(keys), np.bool_)
    fraction = _per_pack(np.where(chosen, held.share, 0), held.starts) / np.maximum(stored, 1)
    thin = _badly_filled(stored, fraction, badly_filled)
    thin |= _small(held, stored, ~thin, joining)
    for number, pack_id in enumerate(held.packs):
        here = slice(int(held.starts[number]), int(held.starts[number + 1]))
        if not live[here].any():
            made.dead.append(pack_id)
            continue
        if damaged[number]:
            continue
        copies = home[here][live[here] & ~chosen[here]]
        copies = copies[pack[copies] != number]
        elsewhere = tuple(held.packs[other] for other in np.unique(pack[copies]).tolist())
        if not chosen[here].any():
            made.merged[pack_id] = elsewhere
        elif thin[number]:
            alive = held.share[here][chosen[here]].sum(dtype=np.float64)
            made.rewrites.append(Rewrite(pack_id, chosen[here].copy(), elsewhere, int(alive)))
        else:
            continue
        made.relied[copies] = True
    return made


def only_for(held: Holdings, needed: U64, live: U64) -> int:
    """The stored bytes of blobs that are needed, but not by what is live (sorted keys both)."""
    keys = keys_of(held.digests)
    return int(held.share[_among(keys, needed) & ~_among(keys, live)].sum(dtype=np.float64))


def _per_pack(values: npt.NDArray[np.floating], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])


def _among(keys: U64, sorted_keys: U64) -> Bools:
    if not len(sorted_keys):
        return np.zeros(len(keys), np.bool_)
    at = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.asarray(sorted_keys[at] == keys)


def _one_copy(
    digests: U8, keys: U64, live: Bools, pack: U32, filled: npt.NDArray[np.float64], doubt: U8
) -> tuple[Bools, U32]:
    """Of blobs that are stored more than once, the copy of least `doubt`, and of those the one in the best filled pack.

    And for each blob, the row of the copy that stays: its own, or another's.
    """
    chosen, home = live.copy(), np.arange(len(keys), dtype=np.uint32)
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


def _badly_filled(stored: npt.NDArray[np.float64], fraction: npt.NDArray[np.float64], badly_filled: float) -> Bools:
    """Packs to rewrite: the badly filled ones, and the worst of the others until little waste is left."""
    waste, alive = stored * (1 - fraction), stored * fraction
    waste[fraction == 0] = 0  # goes whole
    order = np.argsort(fraction, kind="stable")
    left = waste.sum() - np.cumsum(waste[order]) + waste[order]  # before this pack is rewritten
    bad = np.zeros(len(stored), np.bool_)
    bad[order] = left > WASTE * alive.sum()
    return (bad & (fraction < WELL_FILLED)) | (fraction < badly_filled)


def _small(held: Holdings, stored: npt.NDArray[np.float64], well: Bools, joining: Joining) -> Bools:
    """Packs to be joined because there are so many small ones of their kind."""
    small = np.zeros(len(held.packs), np.bool_)
    for kind in set(held.kinds):
        own = np.asarray([kind == other for other in held.kinds]) & (stored < joining.small_bytes) & well
        if int(own.sum()) >= joining.many:
            small |= own
    return small


def union_sorted(parts: Sequence[U64]) -> U64:
    """Sorted keys, each once."""
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
