"""The words of the protocol model: rules, scenes, the log and how it folds, and one state of everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

Ids = frozenset[str]
NONE: Ids = frozenset()


@dataclass(frozen=True)
class Rules:
    """What makes the protocol safe; one field a rule, all of them hold unless a test drops one."""

    unique_ids: bool = True  # an id is a nonce, never used a second time
    create_only: bool = True  # the log entry is created, never written over
    condemn_first: bool = True  # nothing is deleted before a log entry has condemned it
    permanent: bool = True  # what was condemned stays so, also when its object is gone
    check_condemned: bool = True  # a writer holds what it refers to against all that was condemned
    check_again: bool = True  # … before every PUT of an entry, not only the first
    look_for_own: bool = True  # a HEAD for every object that the entry adds
    needs_unreplaced: bool = True  # a newcomer's packs must be alive themselves: a replacement lacks dead blobs
    spare_newcomers: bool = True  # a collector that lost a race spares what versions added since then need
    plan_anew: bool = True  # a collector that lost a race to another plans anew: its replacements may be condemned
    record_replaced: bool = True  # the entry says which packs took the blobs of a condemned one
    restore_uncollected: bool = True  # only what was not collected can be restored
    leave_own: bool = True  # a writer never deletes what it uploaded: somebody may have adopted it


@dataclass(frozen=True)
class Scene:
    """Who is there, and how much of the world is modelled: bounds of one exhaustive search."""

    writers: tuple[str, ...]  # the blobs that each ingests: ("ab", "b")
    collectors: int = 1
    rounds: int = 1  # collections each collector may start
    forgets: tuple[str, ...] = ()  # versions that are forgotten at some time, perhaps
    restores: int = 0
    repack: bool = False
    merge: bool = False  # a pack whose live blobs all stand in another one is condemned for it
    adopt: bool = False  # writers take up packs that an interrupted run had uploaded, or had begun to
    late_puts: bool = False  # a PUT of a pack arrives late, or again
    first: tuple[tuple[str, str], ...] = (("v0", "a"),)  # versions there from the start; all share the pack `p0`
    attempts: int = 2


class Version(NamedTuple):
    """An archive version: the blobs it consists of, its manifest and the packs its manifest points into."""

    name: str
    blobs: str
    manifest: str
    needs: Ids


class Entry(NamedTuple):
    """One log entry."""

    transaction: str
    adds: Ids = NONE
    version: Version | None = None
    forgets: str = ""
    restores: str = ""
    collects: Ids = NONE
    condemns: Ids = NONE
    replaced: tuple[tuple[str, Ids], ...] = ()


Log = tuple[Entry, ...]


class Request(NamedTuple):
    """A request that was sent: from now on it may arrive at any time, any number of times, or never."""

    verb: Literal["put", "delete", "log"]
    key: str
    number: int = 0
    entry: Entry | None = None


class Writer(NamedTuple):
    """Where an ingest stands."""

    name: str
    wants: str
    step: str = "look"  # look, manifest or upload, check, put, done, dead
    base: int = 0
    pack: str = ""
    reuses: Ids = NONE
    attempt: int = 0


class Collector(NamedTuple):
    """Where a collection stands."""

    name: str
    rounds: int
    step: str = "look"  # look, upload, check, put, delete, dead
    base: int = 0
    serial: int = 0
    condemns: Ids = NONE
    collects: Ids = NONE
    replaced: tuple[tuple[str, Ids], ...] = ()
    pack: str = ""


class World(NamedTuple):
    """One state of everything."""

    log: Log
    objects: Ids
    sent: frozenset[Request]
    writers: tuple[Writer, ...]
    collectors: tuple[Collector, ...]
    forgets: tuple[str, ...]
    restores: int
    untombed: Ids = NONE  # condemned ids that somebody dropped from the tombstones (a rule broken)


class Fold(NamedTuple):
    """The log, folded: what is alive, what was ever condemned, how versions stand."""

    alive: Ids
    condemned: Ids
    versions: Mapping[str, tuple[str, Version]]
    replaced: Mapping[str, Ids]

    def resolved(self, packs: Ids) -> Ids:
        """The packs that stand in for some packs after repacks."""
        found: set[str] = set()
        waiting = list(packs)
        while waiting:
            pack = waiting.pop()
            if pack in self.replaced:
                waiting += self.replaced[pack]
            else:
                found.add(pack)
        return frozenset(found)


@lru_cache(maxsize=200_000)
def fold(log: Log) -> Fold:
    """What a log says."""
    alive: set[str] = set()
    condemned: set[str] = set()
    versions: dict[str, tuple[str, Version]] = {}
    replaced: dict[str, Ids] = {}
    for entry in log:
        alive |= entry.adds - condemned
        if entry.version is not None:
            versions[entry.version.name] = ("live", entry.version)
        for names, status in (
            ({entry.forgets}, "forgotten"),
            ({entry.restores}, "live"),
            (entry.collects, "collected"),
        ):
            versions.update({name: (status, versions[name][1]) for name in names if name in versions})
        alive -= entry.condemns
        condemned |= entry.condemns
        replaced.update(entry.replaced)
    return Fold(frozenset(alive), frozenset(condemned), versions, replaced)


def holds(pack: str) -> str:
    """The blobs of a pack: `w1.0:ab` → `ab`."""
    return pack.partition(":")[2]


def is_pack(key: str) -> bool:
    """Whether an object is a pack."""
    return ":" in key
