"""The commit and collection protocol as an explicit-state model: small enough to search, whole enough to trust.

Everything that can happen between steps does: requests that arrive late or again, lost replies, crashes, suspended
writers, two collectors. `search` walks every reachable state of a `Scene` and looks for one where a version that
people may still ask for needs an object that is gone or condemned, or where an acknowledged commit is not in the log.
Each safety rule of the protocol can be switched off in `Rules`: without it the search must find such a state.

Objects are named after their content: pack `w1.0:ab` was written by writer `w1` in attempt 0 and holds the blobs `a`
and `b`; manifest `m.w1.0` belongs to the version `w1.0`. A name stands for a random id: unique, never used again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from support.protocol_world import (
    NONE,
    Collector,
    Entry,
    Ids,
    Log,
    Request,
    Rules,
    Scene,
    Version,
    World,
    Writer,
    fold,
    holds,
    is_pack,
)

Move = tuple[str, World]


class Model:
    """The protocol in one scene, under some rules: from a state to all that can follow."""

    def __init__(self, scene: Scene, rules: Rules = Rules()) -> None:  # noqa: B008 — frozen
        self.scene, self.rules = scene, rules

    def start(self) -> World:
        """The world before anybody has done anything."""
        blobs = "".join(sorted({blob for _, wanted in self.scene.first for blob in wanted}))
        pack = f"p0:{blobs}"
        log = tuple(
            Entry(name, frozenset((pack, f"m.{name}")), Version(name, wanted, f"m.{name}", frozenset((pack,))))
            for name, wanted in self.scene.first
        )
        writers = tuple(Writer(f"w{n}", wants) for n, wants in enumerate(self.scene.writers))
        collectors = tuple(Collector(f"c{n}", self.scene.rounds) for n in range(self.scene.collectors))
        objects = frozenset(key for entry in log for key in entry.adds)
        return World(log, objects, frozenset(), writers, collectors, self.scene.forgets, self.scene.restores)

    def moves(self, world: World) -> Iterator[Move]:
        """Everything that can happen next."""
        yield from self._network(world)
        yield from self._people(world)
        for at, writer in enumerate(world.writers):
            for said, after, world_after in self._writer(world, writer):
                others = (*world.writers[:at], after, *world.writers[at + 1 :])
                yield f"{writer.name} {said}", world_after._replace(writers=others)
        for at, collector in enumerate(world.collectors):
            for said, turned, world_after in self._collector(world, collector):
                those = (*world.collectors[:at], turned, *world.collectors[at + 1 :])
                yield f"{collector.name} {said}", world_after._replace(collectors=those)

    # --- what arrives late, and what people do -------------------------------------------------------------------

    def _network(self, world: World) -> Iterator[Move]:
        for request in world.sent:
            if request.verb == "delete" and request.key in world.objects:
                yield f"late DELETE {request.key}", world._replace(objects=world.objects - {request.key})
            elif request.verb == "put" and request.key not in world.objects:
                yield f"late PUT {request.key}", world._replace(objects=world.objects | {request.key})
            elif request.entry is not None:
                log = self._put(world.log, request.number, request.entry)
                if log is not None and log != world.log:
                    yield f"late PUT of entry {request.number}", world._replace(log=log)

    def _put(self, log: Log, number: int, entry: Entry) -> Log | None:
        """The log after a PUT of an entry; None where the store refuses it."""
        if number == len(log):
            return (*log, entry)
        return None if self.rules.create_only else (*log[:number], entry, *log[number + 1 :])

    def _people(self, world: World) -> Iterator[Move]:
        """Forget, restore: decided again at every head, and so one step."""
        now = fold(world.log)
        for at, name in enumerate(world.forgets):
            if name in now.versions and now.versions[name][0] == "live":
                log = (*world.log, Entry(f"forget {name}", forgets=name))
                left = (*world.forgets[:at], *world.forgets[at + 1 :])
                yield f"forget {name}", world._replace(log=log, forgets=left)
        for name, (status, _) in now.versions.items() if world.restores else ():
            if status == "forgotten" or (status == "collected" and not self.rules.restore_uncollected):
                log = (*world.log, Entry(f"restore {name}", restores=name))
                yield f"restore {name}", world._replace(log=log, restores=world.restores - 1)

    # --- a writer ------------------------------------------------------------------------------------------------

    def _writer(self, world: World, me: Writer) -> Iterator[tuple[str, Writer, World]]:
        if me.step == "look":
            yield from self._look(world, me)
        elif me.step == "manifest":
            yield "uploads its manifest", me._replace(step="check"), self._with(world, {self._manifest(me)})
        elif me.step == "upload":
            new = {me.pack, self._manifest(me)} - {""}
            sent = {Request("put", key) for key in new if is_pack(key)} if self.scene.late_puts else set()
            yield "uploads", me._replace(step="check"), self._with(world._replace(sent=world.sent | sent), new)
            if sent:
                yield "dies, its uploads on their way", me._replace(step="dead"), world._replace(sent=world.sent | sent)
        elif me.step == "check":
            if self._writer_may_commit(world, me):
                yield "finds all alive", me._replace(step="put"), world
            else:
                yield self._begin_again(world, me)
        elif me.step == "put":
            yield from self._commit(world, me)

    def _with(self, world: World, keys: set[str]) -> World:
        return world._replace(objects=world.objects | keys)

    def _look(self, world: World, me: Writer) -> Iterator[tuple[str, Writer, World]]:
        base = len(world.log)
        now = fold(world.log)
        reuses, missing = set(), ""
        for blob in me.wants:
            holders = sorted(pack for pack in now.alive if blob in holds(pack))
            if holders:
                reuses.add(holders[0])
            else:
                missing += blob
        serial = me.attempt if self.rules.unique_ids else 0
        pack = f"{me.name}.{serial}:{missing}" if missing else ""
        at = me._replace(step="upload", base=base, reuses=frozenset(reuses))
        yield f"looks at {base}", at._replace(pack=pack), world
        if self.scene.adopt and missing:
            begun = world.objects | {request.key for request in world.sent if request.verb == "put"}
            for found in sorted(begun - now.alive - now.condemned):
                if is_pack(found) and set(missing) <= set(holds(found)):
                    yield f"looks at {base}, adopts {found}", at._replace(step="manifest", pack=found), world

    def _manifest(self, me: Writer) -> str:
        return f"m.{me.name}.{me.attempt if self.rules.unique_ids else 0}"

    def _condemned(self, world: World, base: int) -> Ids:
        return fold(world.log[:base]).condemned - world.untombed

    def _writer_may_commit(self, world: World, me: Writer) -> bool:
        then = fold(world.log[: me.base])
        condemned = self._condemned(world, me.base)
        own = {me.pack, self._manifest(me)} - {""}
        if self.rules.look_for_own and not own <= world.objects:
            return False
        if not self.rules.check_condemned:
            return True
        reused = me.reuses if self.rules.needs_unreplaced else then.resolved(me.reuses)
        return not (own | reused) & condemned and reused <= then.alive

    def _begin_again(self, world: World, me: Writer) -> tuple[str, Writer, World]:
        fresh = Writer(me.name, me.wants, attempt=me.attempt + 1)
        if fresh.attempt == self.scene.attempts:
            fresh = fresh._replace(step="dead")
        if self.rules.leave_own or not me.pack.startswith(me.name):
            return "finds something dead, begins again", fresh, world
        return "takes back its pack, begins again", fresh, world._replace(
            objects=world.objects - {me.pack}, sent=world.sent | {Request("delete", me.pack)}
        )  # fmt: skip

    def _commit(self, world: World, me: Writer) -> Iterator[tuple[str, Writer, World]]:
        name = f"{me.name}.{me.attempt}"
        added = fold(world.log[: me.base])
        packs = {me.pack} - {""}
        version = Version(name, me.wants, self._manifest(me), me.reuses | packs)
        # A pack that somebody else adopted and brought in is referred to, not added again.
        adds = frozenset({self._manifest(me), *(packs - added.alive)})
        entry = Entry(name, adds, version)
        log = self._put(world.log, me.base, entry)
        if log is not None:
            yield f"commits entry {me.base}", me._replace(step="done"), world._replace(log=log)
        elif world.log[me.base].transaction == name:
            yield "reads its own entry: the reply was lost", me._replace(step="done"), world
        else:
            step = "check" if self.rules.check_again else "put"
            yield "lost the race", me._replace(step=step, base=len(world.log)), world
        request = Request("log", "", me.base, entry)
        if request not in world.sent:
            late = world._replace(sent=world.sent | {request})
            yield "dies, its entry on the way", me._replace(step="dead"), late

    # --- a collector ---------------------------------------------------------------------------------------------

    def _collector(self, world: World, me: Collector) -> Iterator[tuple[str, Collector, World]]:
        if me.step == "look" and me.rounds:
            plan = self._plan(world, me)
            if plan is not None:
                yield f"plans at {plan.base}: {_words(plan.condemns)}", plan, world
            yield from self._delete(world, me, fold(world.log).condemned)  # what a dead collector left
        elif me.step == "upload":
            yield "uploads", me._replace(step="check"), world._replace(objects=world.objects | {me.pack})
        elif me.step == "check":
            own = {me.pack} - {""}
            needed = own | {pack for _, packs in me.replaced for pack in packs}
            alive = own <= world.objects and not needed & self._condemned(world, me.base)
            if alive or not self.rules.plan_anew:
                yield "finds all alive", me._replace(step="put"), world
            else:
                yield "finds its replacement dead", self._next_round(me), world
        elif me.step == "put":
            yield from self._condemn(world, me)
        elif me.step == "delete":
            yield from self._delete(world, me, me.condemns)

    def _next_round(self, me: Collector) -> Collector:
        return Collector(me.name, me.rounds - 1, serial=me.serial + 1)

    def _plan(self, world: World, me: Collector) -> Collector | None:
        """At the head: what no version needs, what nobody brought in, what is badly filled."""
        now = fold(world.log)
        live = [version for status, version in now.versions.values() if status == "live"]
        needed = frozenset(v.manifest for v in live)
        condemns: set[str] = set(world.objects - now.alive - now.condemned)
        replaced: dict[str, Ids] = {}
        copied: set[str] = set()
        order = sorted(now.alive, reverse=me.name == "c1")  # two collectors prefer different copies
        for key in order:
            if not is_pack(key):
                condemns |= {key} - needed
                continue
            wanted = {b for v in live if key in now.resolved(v.needs) for b in v.blobs} & set(holds(key))
            others = (other for other in order if other not in condemns | {key} and wanted <= set(holds(other)))
            twin = next(others, None) if self.scene.merge else None
            if not wanted and key not in needed:
                condemns.add(key)
            elif twin is not None and key not in needed:
                condemns.add(key)
                replaced[key] = frozenset((twin,))
                needed |= {twin}
            elif self.scene.repack and wanted < set(holds(key)) and key not in needed:
                condemns.add(key)
                copied |= wanted
                replaced[key] = NONE  # the pack that is written now
        if not condemns:
            return None
        pack = f"{me.name}.{me.serial}:{''.join(sorted(copied))}" if copied else ""
        named = tuple((old, replaced[old] or frozenset((pack,))) for old in sorted(replaced))
        named = named if self.rules.record_replaced else ()
        collects = frozenset(name for name, (status, _) in now.versions.items() if status == "forgotten")
        base = len(world.log)
        step = "upload" if pack else "check"
        return Collector(me.name, me.rounds, step, base, me.serial, frozenset(condemns), collects, named, pack)

    def _condemn(self, world: World, me: Collector) -> Iterator[tuple[str, Collector, World]]:
        name = f"{me.name}.{me.serial}"
        adds = frozenset({me.pack} - {""})
        entry = Entry(name, adds, None, "", "", me.collects, me.condemns, me.replaced)
        if not self.rules.condemn_first:
            live = [v for status, v in fold(world.log).versions.values() if status == "live"]
            spared = frozenset(key for v in live for key in (v.manifest, *v.needs))
            yield "looks again, condemns nothing", me._replace(step="delete", condemns=me.condemns - spared), world
            return
        log = self._put(world.log, me.base, entry)
        if log is not None:
            yield f"condemns in entry {me.base}", me._replace(step="delete"), world._replace(log=log)
        else:
            yield from self._rebase(world, me)
        request = Request("log", "", me.base, entry)
        if request not in world.sent:
            late = world._replace(sent=world.sent | {request})
            yield "dies, its entry on the way", me._replace(step="dead"), late

    def _rebase(self, world: World, me: Collector) -> Iterator[tuple[str, Collector, World]]:
        """After a lost race: keep the plan, less what newcomers need; begin again after another collection."""
        since, now, base = world.log[me.base :], fold(world.log), len(world.log)
        if not self.rules.spare_newcomers:
            yield "lost the race, keeps its plan", me._replace(step="check", base=base), world
            return
        if self.rules.plan_anew and any(entry.condemns for entry in since):
            yield "lost the race to a collector", self._next_round(me), world
            return
        came = {entry.version.name for entry in since if entry.version} | {entry.restores for entry in since}
        versions = [version for name, (_, version) in now.versions.items() if name in came]
        spared = {key for v in versions for key in (v.manifest, *now.resolved(v.needs))}
        spared |= {key for entry in since for key in entry.adds}
        yield "lost the race, spares newcomers", me._replace(
            step="check", base=base, condemns=me.condemns - spared,
            collects=frozenset(name for name in me.collects if now.versions[name][0] == "forgotten"),
            replaced=tuple((old, new) for old, new in me.replaced if old not in spared),
        ), world  # fmt: skip

    def _delete(self, world: World, me: Collector, condemned: Ids) -> Iterator[tuple[str, Collector, World]]:
        """Delete; each request may also arrive late, or again: `sent` never forgets."""
        gone = condemned & world.objects
        if not gone:
            if me.step == "delete":
                yield "has nothing to delete", self._next_round(me), world
            return
        sent = world.sent | {Request("delete", key) for key in gone}
        untombed = world.untombed if self.rules.permanent else world.untombed | gone
        after = self._next_round(me)
        yield f"deletes {_words(gone)}", after, world._replace(
            objects=world.objects - gone, sent=sent, untombed=untombed
        )  # fmt: skip
        yield "dies, its deletes on their way", me._replace(step="dead"), world._replace(sent=sent)

    # --- what must hold ------------------------------------------------------------------------------------------

    def violation(self, world: World) -> str | None:
        """What is wrong with a state, in words."""
        now = fold(world.log)
        present = world.objects & (now.alive | world.untombed)
        for status, version in now.versions.values():
            if status == "collected":
                continue
            if version.manifest not in present:
                return f"{version.name} needs {version.manifest}, which is gone or condemned"
            packs = now.resolved(version.needs)
            for pack in packs:
                if pack not in present:
                    return f"{version.name} needs {pack}, which is gone or condemned"
            lost = set(version.blobs) - {blob for pack in packs for blob in holds(pack)}
            if lost:
                return f"{version.name} lost the blobs {_words(lost)}"
        names = [entry.transaction for entry in world.log]
        for writer in world.writers:
            if writer.step == "done" and names.count(f"{writer.name}.{writer.attempt}") != 1:
                return f"the commit of {writer.name} was acknowledged, and is not in the log once"
        return None


def _words(keys: Ids | set[str]) -> str:
    return " ".join(sorted(keys)) or "nothing"


@dataclass(frozen=True)
class Outcome:
    """How a search ended: states seen, what was violated, and the steps that lead there."""

    states: int
    violation: str | None
    trace: tuple[str, ...]
    complete: bool

    def __str__(self) -> str:
        steps = "".join(f"\n    {step}" for step in self.trace)
        return f"{self.states} states: {self.violation or 'no violation'}{steps}"


def search(scene: Scene, rules: Rules = Rules(), *, limit: int = 5_000_000) -> Outcome:  # noqa: B008 — frozen
    """Breadth first through every state, to the shortest way into a violation."""
    model = Model(scene, rules)
    start = model.start()
    came_from: dict[World, tuple[str, World] | None] = {start: None}
    waiting = deque([start])
    while waiting and len(came_from) <= limit:
        world = waiting.popleft()
        for said, after in model.moves(world):
            if after in came_from:
                continue
            came_from[after] = (said, world)
            violation = model.violation(after)
            if violation is not None:
                return Outcome(len(came_from), violation, _trace(came_from, after), complete=False)
            waiting.append(after)
    return Outcome(len(came_from), None, (), complete=not waiting)


def _trace(came_from: Mapping[World, tuple[str, World] | None], end: World) -> tuple[str, ...]:
    steps = []
    before = came_from[end]
    while before is not None:
        said, world = before
        steps.append(said)
        before = came_from[world]
    return tuple(reversed(steps))
