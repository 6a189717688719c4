"""Collect: condemn in one log entry what no live version needs, then delete it; beside writers, without locks.

The entry comes first, the deletes after it, and an id is never used twice: so a delete may be late, lost or repeated,
and a collector that died leaves nothing but work for the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sxeslake.errors import DamagedLakeError, DeadObjectsError, ObjectNotFoundError
from sxeslake.format import keys, logentry
from sxeslake.format.logentry import Entry, PackAdded
from sxeslake.format.pack import Footer
from sxeslake.machine.concurrency import in_order
from sxeslake.maintenance.gc import plan as gc_plan
from sxeslake.maintenance.gc.copies import Copies
from sxeslake.maintenance.gc.holdings import MEMORY_BYTES, Holdings, Keys, gather, shards_for
from sxeslake.maintenance.gc.needs import Needs
from sxeslake.maintenance.gc.plan import CollectionPlan
from sxeslake.maintenance.gc.rewrite import rewrite
from sxeslake.maintenance.retention import clock
from sxeslake.maintenance.retention.durations import in_words
from sxeslake.model import GIB, Progress
from sxeslake.storage import ObjectInfo, Versioned
from sxeslake.storage.probe import PREFIX as PROBES
from sxeslake.text.html import HtmlRecord
from sxeslake.text.wording import said
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.log.state import Head, Version
from sxeslake.vault.packs.packing import Packer, WrittenPack
from sxeslake.vault.vault import Vault

_LOG = logging.getLogger(__name__)

KEEP_FORGOTTEN = timedelta(days=7)  # what was forgotten by mistake comes back with `restore` for so long
ORPHAN_AGE_S = 3600  # an upload that no commit names may belong to an ingest that is still running
_NAMED = 5  # versions that a message lists
_ATTEMPTS = 20  # other collectors that came first
_NOTHING = f"{PROBES}gc"  # a key that no object has
_ROUND_BYTES = 4 * GIB  # rewritten before a commit: what a crash can cost


@dataclass(frozen=True, slots=True)
class GcOptions:
    """How to collect.

    `grace`: how long a forgotten version stays restorable, what is condemned stays for readers, and an upload that no
    commit names may be of a running ingest; 0: not at all. None: seven days, not at all, and one hour.
    `compact`: join all packs that are not nearly full, as many workers leave them.
    """

    grace: timedelta | None = None
    dry_run: bool = False
    compact: bool = False


@dataclass(slots=True)
class GcReport(HtmlRecord):
    """What a collection did, or would do.

    Attributes
    ----------
    dry_run : bool
        Whether nothing was changed.
    commit : int or None
        The commit; None where nothing was changed.
    collected : list of str
        Forgotten versions that are gone for good.
    packs_condemned : int
        Packs that are to be deleted.
    packs_rewritten : int
        Packs of which a part was kept.
    manifests_condemned : int
        Manifests that are to be deleted.
    orphans : int
        Uploads that no commit names, deleted.
    bytes_freed : int
        Bytes that are free now.
    bytes_written : int
        Bytes of what was written.
    bytes_later : int
        Bytes that a later collection frees.
    later : list of str
        Why something stays, in words.
    damaged : list of str
        Packs that were found damaged on the way, in words.

    Examples
    --------
    >>> report = lake.gc(dry_run=True)
    >>> report.packs_condemned, report.later
    (0, [])
    """

    dry_run: bool
    commit: int | None = None
    collected: list[str] = field(default_factory=list)
    packs_condemned: int = 0
    packs_rewritten: int = 0
    manifests_condemned: int = 0
    orphans: int = 0
    bytes_freed: int = 0
    bytes_written: int = 0
    bytes_later: int = 0
    later: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


class _PlanAnewError(DeadObjectsError):
    """Another collector, or a repair, came first: what was planned may rest on what it took."""


class _DamagedCopyError(Exception):
    """A pack to be rewritten is damaged; other copies of what is lost in it may be whole."""


@dataclass(slots=True)
class _Round:
    """A plan at a head, and the objects that it is about."""

    head: int
    plan: CollectionPlan
    kinds: Mapping[str, str]
    needs: set[str]  # packs that the versions which stay refer to
    packs: list[str] = field(default_factory=list)  # to be condemned
    manifests: list[str] = field(default_factory=list)
    collected: tuple[tuple[str, int], ...] = ()
    orphans: int = 0
    written: list[WrittenPack] = field(default_factory=list)
    replaced: dict[str, tuple[str, ...]] = field(default_factory=dict)
    whole: bool = True  # False: more packs wait to be rewritten


class Collector:
    """One collection of one lake."""

    def __init__(
        self,
        vault: Vault,
        options: GcOptions,
        *,
        tool: str,
        message: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        vault.check_writable()
        if vault.damage:
            raise DamagedLakeError(
                "nothing is collected from a lake whose log is damaged.", hint="Run `sxeslake repair`."
            )
        self._vault, self._options, self._tool, self._message = vault, options, tool, message
        self._progress = progress
        self.report = GcReport(options.dry_run)
        self._listed: dict[str, ObjectInfo] = {}
        self._gone: set[str] = set()  # keys deleted so far
        self._copies = Copies(vault, progress)

    def run(self) -> GcReport:
        """Condemn, rewrite, delete; in rounds, where there is much to rewrite."""
        whole, lost_races = False, 0
        while not whole:
            head = self._vault.sync().number
            try:
                self._list()
                made = self._plan()
                going = len(made.collected), len(made.packs), len(made.manifests)
                _LOG.info("at commit %d: %d versions to collect, %d packs and %d manifests to condemn", head, *going)
                if not self._options.dry_run:
                    if any(going):
                        # Refused here, to keys that may not delete, nothing is condemned that only others can delete.
                        self._vault.store.delete([_NOTHING])
                    self._rewrite(made)
                    self._commit(made)
            except _DamagedCopyError:
                continue  # planned again with what was found: each time there is less to rewrite
            except (DeadObjectsError, DamagedLakeError, ObjectNotFoundError) as error:
                # What another collector has deleted meanwhile looks like damage, until its entry is read.
                if not (isinstance(error, DeadObjectsError) or self._is_overtaken(head)):
                    raise
                lost_races += 1
                _LOG.info("another collector came first (%s); planning again", error.what)
                if lost_races == _ATTEMPTS:
                    raise
                continue
            whole = made.whole or self._options.dry_run
            self._count(made)
            self._delete(made)
        self.report.damaged = self._copies.damaged(self._vault.state)
        if not self._options.dry_run:
            store = self._vault.store
            self.report.bytes_freed += store.sweep(ORPHAN_AGE_S)
            if self.report.bytes_freed and isinstance(store, Versioned) and store.keeps_versions():
                self.report.later.append(
                    "the bucket keeps old versions of what is deleted: not freed until the bucket's lifecycle runs"
                )
        return self.report

    # --- planning ------------------------------------------------------------------------------------------------

    def _list(self) -> None:
        prefixes = (keys.PACK_PREFIX, keys.MANIFEST_PREFIX, keys.BODY_PREFIX)
        self._listed = {info.key: info for prefix in prefixes for info in self._vault.store.list(prefix)}

    def _plan(self) -> _Round:
        state = self._vault.state
        head = state.head().number
        kept, ripe = self._forgotten()
        live, restorable = Needs(state.each_version()), Needs(kept)
        records, packs_needed = state.packs(), live.packs | restorable.packs
        standing = live.manifests | restorable.manifests
        if dead := standing - state.manifests().keys():
            raise DamagedLakeError(
                f"{len(dead)} member tables of live versions were condemned; nothing is collected from a damaged lake.",
                hint="Run `sxeslake verify`, then `sxeslake repair`.",
            )
        blobs = sum(record.blobs for record in records.values())
        shards = shards_for(blobs, live.blobs + restorable.blobs, MEMORY_BYTES)
        _LOG.info("%d blobs in %d packs, planned in %d parts", blobs, len(records), shards)
        with ExitStack() as files:
            needed = files.enter_context(Keys(shards, MEMORY_BYTES))
            live_keys = files.enter_context(Keys(shards, MEMORY_BYTES))  # of use where something is kept
            live.keys(self._vault, *((needed, live_keys) if kept else (needed,)))
            restorable.keys(self._vault, needed)
            footers = ((record.kind, footer) for record, footer in self._footers(records) if footer is not None)
            held = files.enter_context(gather(footers, shards, MEMORY_BYTES))
            plan = self._proved_plan(held, needed, records)
            if plan.lost:
                raise DamagedLakeError(
                    f"{plan.lost} blobs of {'live or restorable' if kept else 'live'} versions are in no pack; "
                    "nothing is collected from a damaged lake.",
                    hint="Run `sxeslake verify`, then `sxeslake repair`."
                    + (" `gc --grace 0` deletes forgotten versions." if kept else ""),
                )
            if plan.spoilt:
                raise DamagedLakeError(
                    f"{plan.spoilt} blobs of live versions are damaged in every pack that holds them; "
                    "nothing is collected from a damaged lake.",
                    where=", ".join(self._copies.damaged_keys()),
                    hint="Run `sxeslake repair`.",
                )
            only = gc_plan.only_for(held, needed, live_keys) if kept else 0
            with_footer = set(held.packs)
        needs = state.resolved(sorted(packs_needed))
        self._copies.unreadable = (records.keys() - with_footer) & needs
        made = _Round(head, plan, {pack: records[pack].kind for pack in records}, needs, whole=plan.whole)
        blind = [pack for pack in records if pack not in with_footer and pack not in needs]
        made.packs = [*plan.dead, *blind, *plan.merged, *(item.pack for item in plan.rewrites)]
        made.manifests = sorted(state.manifests().keys() - standing)
        made.collected = tuple((version.sample, version.version) for version in ripe)
        self.report.later, self.report.bytes_later = [], 0  # of the plan before
        self._tell_kept(kept, only)
        self._add_orphans(made)
        return made

    def _proved_plan(self, held: Holdings, needed: Keys, records: Mapping[str, PackAdded]) -> CollectionPlan:
        """A plan that drops a copy only where the one that stays was read and is whole."""
        joining = gc_plan.TIGHT if self._options.compact else gc_plan.MANY
        while True:
            bad = self._copies.bad(held)
            plan = gc_plan.plan(held, needed, bad, joining=joining, round_bytes=_ROUND_BYTES)
            if plan.lost or plan.spoilt or self._copies.prove(held, plan.relied, records):
                return plan

    @property
    def _restorable_for(self) -> timedelta:
        return KEEP_FORGOTTEN if self._options.grace is None else self._options.grace

    def _forgotten(self) -> tuple[list[Version], list[Version]]:
        """Forgotten versions: those that stay restorable for a while, and those that go."""
        state, store = self._vault.state, self._vault.store
        grace = self._restorable_for
        forgotten = state.versions("status = 'forgotten'")
        if not forgotten or not grace:
            return [], forgotten
        entries = clock.changed_in(state, "forgotten", [(version.sample, version.version) for version in forgotten])
        times, now = clock.written_at(store, set(entries.values())), clock.now(store)
        kept: list[Version] = []
        ripe: list[Version] = []
        for version in forgotten:
            since = times.get(entries.get((version.sample, version.version), 0), now)
            (ripe if now - since >= grace.total_seconds() else kept).append(version)
        return kept, ripe

    def _tell_kept(self, kept: Sequence[Version], size: int) -> None:
        if not kept:
            return
        names = ", ".join(version.name for version in kept[:_NAMED]) + (", …" if len(kept) > _NAMED else "")
        one = len(kept) == 1
        what = "1 forgotten version stays" if one else f"{len(kept)} forgotten versions stay"
        self.report.bytes_later += size
        self.report.later.append(
            f"{what} restorable for {in_words(self._restorable_for)} after {'it was' if one else 'they were'} "
            f"forgotten ({names}; {size} bytes): {said('`gc --grace 0`')} collects at once"
        )

    def _footers(self, records: Mapping[str, PackAdded]) -> Iterator[tuple[PackAdded, Footer | None]]:
        def reading(record: PackAdded) -> Footer | None:
            listed = self._listed.get(keys.pack_key(record.id))
            if listed is not None and listed.size != record.bytes:
                return None
            try:
                return self._vault.footer(record)
            except (DamagedLakeError, ObjectNotFoundError):  # kept as it is, whatever is in it
                return None

        jobs = ((lambda record=record: reading(record)) for record in records.values())
        yield from zip(records.values(), in_order(jobs, threads=8), strict=True)

    def _add_orphans(self, made: _Round) -> None:
        """Objects that the log has never heard of: condemned too, unless they are so young that a writer may live."""
        age = ORPHAN_AGE_S if self._options.grace is None else self._options.grace.total_seconds()
        young, young_bytes, now = 0, 0, clock.now(self._vault.store)
        state = self._vault.state
        for prefix, table, into in (
            (keys.PACK_PREFIX, "packs", made.packs), (keys.MANIFEST_PREFIX, "manifests", made.manifests)
        ):  # fmt: skip
            found = {keys.id_of(key): info for key, info in self._listed.items() if key.startswith(prefix)}
            ids = {name: info for name, info in found.items() if name is not None}
            for name in sorted(ids.keys() - state.known(table, sorted(ids))):
                if age and now - ids[name].modified < age:
                    young, young_bytes = young + 1, young_bytes + ids[name].size
                else:
                    made.orphans += 1
                    into.append(name)
        if young:
            self.report.later.append(
                f"{young} objects of {young_bytes} bytes are in no commit, and so young that an ingest may still run"
            )
            self.report.bytes_later += young_bytes

    def _count(self, made: _Round) -> None:
        report = self.report
        if not self._options.dry_run:
            return
        report.packs_condemned, report.manifests_condemned = len(made.packs), len(made.manifests)
        report.packs_rewritten, report.orphans = len(made.plan.rewrites), made.orphans
        report.collected = [f"{sample}@{version}" for sample, version in made.collected]
        report.bytes_written = sum(item.bytes for item in made.plan.rewrites)

    # --- writing -------------------------------------------------------------------------------------------------

    def _rewrite(self, made: _Round) -> None:
        """Copy what is alive in badly filled packs, and note for each condemned pack what stands in for it."""
        new: dict[str, set[str]] = {}
        if made.plan.rewrites:
            records = self._vault.state.packs()
            packer = Packer(self._vault.store)
            if self._progress is not None:
                self._progress.start("rewrite packs", sum(records[item.pack].bytes for item in made.plan.rewrites))
            try:
                for item in made.plan.rewrites:
                    footer = self._vault.footer(records[item.pack])
                    try:
                        new[item.pack] = rewrite(
                            self._vault, packer, made.kinds[item.pack], footer, item.keep, self._advance
                        )
                    except (DamagedLakeError, ObjectNotFoundError) as error:
                        if self._copies.prove_pack(footer, item.keep):
                            raise
                        raise _DamagedCopyError from error
                made.written = packer.finish()
            finally:
                packer.close()
                if self._progress is not None:
                    self._progress.finish()
        made.replaced = {pack: () for pack in made.plan.dead if pack in made.needs}
        for item in made.plan.rewrites:
            made.replaced[item.pack] = tuple(sorted(new[item.pack].union(*(new.get(p, {p}) for p in item.elsewhere))))
        for pack, others in made.plan.merged.items():
            made.replaced[pack] = tuple(sorted(set().union(*(new.get(other, {other}) for other in others))))

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.advance(done)

    def _commit(self, made: _Round) -> None:
        blank = blank_entry(self._tool, self._message)
        record = self._vault.commit(lambda head: self._entry(made, blank, head))
        if record is None:
            return
        entry, report = record.entry, self.report
        self._vault.index.add([item.footer for item in made.written])
        report.commit = entry.number
        report.collected += [f"{sample}@{version}" for sample, version in entry.collected]
        report.packs_condemned += len(entry.condemned_packs)
        report.packs_rewritten += len(made.plan.rewrites)
        report.manifests_condemned += len(entry.condemned_manifests)
        report.orphans += made.orphans
        report.bytes_written += sum(item.record.bytes for item in made.written)

    def _entry(self, made: _Round, blank: Entry, head: Head) -> Entry | None:
        """The entry for a head: the plan, less what newcomers need that were committed since it was made."""
        spared, restored = self._needed_since(made.head)
        forgotten = {(v.sample, v.version) for v in self._vault.state.versions("status = 'forgotten'")}
        packs = tuple(pack for pack in made.packs if pack not in spared)
        manifests = tuple(item for item in made.manifests if item not in spared)
        collected = tuple(version for version in made.collected if version in forgotten - restored)
        if not packs and not manifests and not collected:
            return None
        return replace(
            blank, number=head.number + 1, previous=head.digest, collected=collected,
            packs=tuple(item.record for item in made.written), condemned_packs=packs, condemned_manifests=manifests,
            replaced={pack: made.replaced[pack] for pack in packs if pack in made.replaced},
        )  # fmt: skip

    def _is_overtaken(self, number: int) -> bool:
        """Whether another collector, or a repair, has committed behind an entry."""
        self._vault.sync()
        try:
            self._needed_since(number)
        except _PlanAnewError:
            return True
        return False

    def _needed_since(self, number: int) -> tuple[set[str], set[tuple[str, int]]]:
        """Packs and manifests that versions need which were added or restored behind an entry; those restored."""
        state = self._vault.state
        spared: set[str] = set()
        restored: set[tuple[str, int]] = set()
        for after, _, data, body in state.log(number):
            entry = state.counted(logentry.load(data, body, where=keys.log_key(after)))
            if entry.condemned_packs or entry.condemned_manifests or entry.replaced or entry.moved:
                raise _PlanAnewError("another collector was first.", hint="Run the command again.")
            packs, manifests = entry.referenced()
            spared |= packs | manifests
            restored.update(entry.restored)
            for sample, version in entry.restored:
                for back in state.versions("v.sample = ? AND v.version = ?", (sample, version)):
                    spared |= {back.archive.manifest} | state.resolved(back.archive.needs)
        return spared, restored

    # --- deleting ------------------------------------------------------------------------------------------------

    def _delete(self, made: _Round) -> None:
        """Delete what is condemned and still there: of this collection, and of one that died before it could."""
        condemned = self._condemned()
        waits = self._waiting(condemned)
        if self._options.dry_run:
            fresh = {*map(keys.pack_key, made.packs), *map(keys.manifest_key, made.manifests)} & self._listed.keys()
            condemned |= dict.fromkeys(fresh, made.head + 1)
            waits |= fresh if self._options.grace else set()
        ripe = [key for key in condemned if key not in waits]
        ripe += self._waste_bodies()
        waiting = sum(self._listed[key].size for key in waits)
        if waiting:
            self.report.bytes_later += waiting
            self.report.later.append(
                f"{waiting} bytes are condemned, and deleted by the first gc after their grace period for readers"
            )
        self.report.bytes_freed += sum(self._listed[key].size for key in ripe if key not in self._gone)
        if not self._options.dry_run:
            self._vault.store.delete(ripe)
            self._gone.update(ripe)

    def _condemned(self) -> dict[str, int]:
        """Condemned objects that the listing shows, and the entries that condemned them."""
        found: dict[str, int] = {}
        for table, key_of in (("packs", keys.pack_key), ("manifests", keys.manifest_key)):
            ids = [name for key in self._listed if (name := keys.id_of(key)) is not None and key_of(name) == key]
            for name, number in self._vault.state.condemned_in(table, ids):
                found[key_of(name)] = number
        return found

    def _waiting(self, condemned: Mapping[str, int]) -> set[str]:
        """Condemned objects whose grace for readers is not over."""
        if not self._options.grace:
            return set()
        times, now = clock.written_at(self._vault.store, set(condemned.values())), clock.now(self._vault.store)
        grace = self._options.grace.total_seconds()
        return {key for key, number in condemned.items() if now - times.get(number, now) < grace}

    def _waste_bodies(self) -> list[str]:
        """Bodies of entries whose number went to another commit: they can never be named any more."""
        state = self._vault.state
        listed = [key for key in self._listed if key.startswith(keys.BODY_PREFIX)]
        if not listed:
            return []
        named = state.body_keys()
        head = state.head().number
        waste = []
        for key in listed:
            if key not in named:
                end = min(logentry.BODY_HEAD_BYTES, self._listed[key].size)
                try:
                    number = logentry.number_of_body(self._vault.store.get_range(key, 0, end))
                except ObjectNotFoundError:  # another collector was quicker
                    continue
                if number is not None and number <= head:
                    waste.append(key)
        return waste


def collect(
    vault: Vault, options: GcOptions, *, tool: str, message: str | None = None, progress: Progress | None = None
) -> GcReport:
    """Free the room that nobody needs any more."""
    return Collector(vault, options, tool=tool, message=message, progress=progress).run()
