"""Collecting: what goes, what stays, what is told, and what happens when it is interrupted or beaten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from blake3 import blake3
from support.faults import Fault, FaultyStore
from support.internals import vault_of
from support.small_lakes import counts, flip, group, new_lake, only, zip_of

from sxeslake import codecs
from sxeslake.archive.container import open_container
from sxeslake.errors import DamagedLakeError, ReadOnlyError, SampleNotFoundError, UnreachableError, UsageError
from sxeslake.format import frame, keys, logentry
from sxeslake.lake import Lake
from sxeslake.maintenance.gc import plan as gc_plan
from sxeslake.maintenance.gc.rewrite import rewrite
from sxeslake.maintenance.gc.run import Collector, GcOptions
from sxeslake.storage import Data, Store, open_store
from sxeslake.vault.packs.packing import Packer
from sxeslake.vault.vault import Vault

T = TypeVar("T")

BIG = {f"data/{number}.data": counts(number, 20_000) for number in range(12)}  # 80 kB each: a frame of its own


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return open_store(f"memory://{request.node.name}".translate(str.maketrans("[] ", "-- ")).replace(" ", ""))


@pytest.fixture
def lake(store: Store) -> Iterator[Lake]:
    with new_lake(store) as made:
        yield made


def big(*numbers: int) -> dict[str, bytes]:
    return {name: BIG[name] for name in (f"data/{number}.data" for number in numbers)}


def stored(store: Store, prefix: str = "") -> int:
    return sum(info.size for info in store.list(prefix))


def pack_ids(store: Store) -> set[str | None]:
    return {keys.id_of(info.key) for info in store.list(keys.PACK_PREFIX)}


def pulled(lake: Lake, ref: str, folder: Path) -> dict[str, bytes]:
    """The files of an archive, without entries for folders."""
    out = folder / "pulled.zip"
    lake.pull(ref, out, force=True)
    with open_container(out) as archive:
        return {item.path: archive.read(place) for place, item in enumerate(archive.members) if item.kind == "file"}


def ingest(lake: Lake, folder: Path, **archives: dict[str, bytes]) -> None:
    """Without recipes for the original files: these would be more packs than the tests talk of."""
    lake.ingest([zip_of(folder / f"{name}.zip", inside) for name, inside in archives.items()], exact="never")


def test_nothing_to_collect(lake: Lake, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=group(1))
    report = lake.gc()
    assert (report.commit, report.bytes_freed, report.packs_condemned) == (None, 0, 0)


def test_half_of_the_lake_leaves_no_more_than_a_fresh_lake_of_the_other_half(
    lake: Lake, store: Store, tmp_path: Path
) -> None:
    archives = {f"s{number:02}": group(number, 4) for number in range(40)}
    ingest(lake, tmp_path, **archives)
    lake.forget([name for place, name in enumerate(archives) if place % 2])
    before = stored(store)
    report = lake.gc(grace="0")
    assert len(report.collected) == 20
    assert report.bytes_freed - report.bytes_written == pytest.approx(before - stored(store), abs=50_000)
    fresh = open_store(f"{store.url}-fresh")
    with new_lake(fresh) as other:
        half = {name: inside for place, (name, inside) in enumerate(archives.items()) if place % 2 == 0}
        ingest(other, tmp_path, **half)
        assert stored(store, "packs/") <= 1.1 * stored(fresh, "packs/")
        for name, inside in half.items():
            assert pulled(lake, name, tmp_path) == inside
    assert lake.verify(data=True).ok
    assert lake.gc(grace="0").commit is None


def test_a_frame_with_a_dead_blob_is_made_anew(lake: Lake, store: Store, tmp_path: Path) -> None:
    """Small blobs share frames: of two archives in a frame one goes."""
    ingest(lake, tmp_path, a={f"a{n}.json": b"[1, 2]" * (n + 1) for n in range(50)}, b={"b.json": b"{}" * 99})
    lake.forget("a")
    assert lake.gc(grace="0").packs_rewritten == 1
    assert pulled(lake, "b", tmp_path) == {"b.json": b"{}" * 99}
    assert lake.stats().blobs == 1


def test_a_dry_run_says_what_would_be(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1, 2, 3), b=big(4))
    lake.forget("a")
    before = sorted(store.list(""))
    told = lake.gc(grace="0", dry_run=True)
    assert sorted(store.list("")) == before
    done = lake.gc(grace="0")
    assert (told.collected, told.packs_condemned, told.packs_rewritten, told.bytes_freed) == (
        done.collected, done.packs_condemned, done.packs_rewritten, done.bytes_freed,
    )  # fmt: skip
    assert told.bytes_written == pytest.approx(done.bytes_written, rel=0.05)
    with pytest.raises(SampleNotFoundError):
        lake.restore("a")


def twice(lake: Lake, store: Store, folder: Path, *numbers: int, **more: dict[str, bytes]) -> tuple[str, str]:
    """The same spectra in two packs, of `a` and of `b`: two clients store them at once, neither sees the other's.

    The pack of `a` has `more` archives. `b` has an entry for its folder as well, or `a` were a copy of it.
    """

    class SomebodyFirst(FaultyStore):
        def create(self, key: str, data: Data) -> None:
            if key.startswith("log/") and not lake.ls():
                ingest(lake, folder / "other", b={"data/": b"", **big(*numbers)})
            super().create(key, data)

    with Lake(Vault(SomebodyFirst(store), None)) as slow:
        ingest(slow, folder, a=big(*numbers), **more)
    lake.refresh()
    first, second = (version.archive.needs[0] for version in vault_of(lake).state.versions()[:2])
    return first, second


def test_copies_are_merged(lake: Lake, store: Store, tmp_path: Path) -> None:
    twice(lake, store, tmp_path, 0, 1)
    assert lake.stats().packs == 2
    report = lake.gc()
    assert (report.packs_condemned, report.damaged) == (1, [])
    assert lake.stats().packs == len(pack_ids(store)) == 1
    for name in "ab":
        assert pulled(lake, name, tmp_path) == big(0, 1)
    assert lake.verify(data=True).ok


def rot(lake: Lake, store: Store, pack: str, *frames: int) -> None:
    """Flip a bit in some frames of a pack."""
    footer = vault_of(lake).footer(vault_of(lake).state.pack(pack))
    for number in frames:
        flip(store, keys.pack_key(pack), int(footer.frame_offsets[number]) + 40)


DAMAGE: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((0,), ()), ((), (0,)), ((0, 1, 2), ()), ((), (0, 1, 2)), ((0,), (1,)), ((1,), (0, 2)), ((0, 1), (2,)),
]  # fmt: skip


@pytest.mark.parametrize("fill", [True, False], ids=["merge", "rewrite"])
@pytest.mark.parametrize(("in_a", "in_b"), DAMAGE)
def test_no_good_copy_is_dropped_for_a_damaged_one(
    lake: Lake, store: Store, tmp_path: Path, in_a: tuple[int, ...], in_b: tuple[int, ...], *, fill: bool
) -> None:
    """Whichever of two packs has damage, in whichever frames, whether one is a copy or both are badly filled."""
    more = {} if fill else {"c": big(3), "d": big(4, 5, 6, 7)}  # then a's pack has something of its own to keep
    a, b = twice(lake, store, tmp_path, 0, 1, 2, **more)
    if not fill:
        lake.forget("d")
    assert bool(gc_plan_of(lake).merged) == fill
    rot(lake, store, a, *in_a)
    rot(lake, store, b, *in_b)
    before = pack_ids(store)
    told = lake.gc(grace="0", dry_run=True)
    assert pack_ids(store) == before
    report = lake.gc(grace="0")
    assert set(told.damaged) <= set(report.damaged)  # only the run reads what it rewrites
    hurt = {keys.pack_key(pack) for pack, frames in ((a, in_a), (b, in_b)) if frames}
    assert {line.split(":")[0] for line in report.damaged} <= hurt
    for name in "ab":
        assert pulled(lake, name, tmp_path) == big(0, 1, 2)
    lake.gc(grace="0")
    for name in "ab":
        assert pulled(lake, name, tmp_path) == big(0, 1, 2)
    assert lake.repair().ok
    lake.gc(grace="0")
    assert lake.verify(data=True).ok
    for name in "ab":
        assert pulled(lake, name, tmp_path) == big(0, 1, 2)


def test_damage_of_the_copy_that_would_stay_is_told(lake: Lake, store: Store, tmp_path: Path) -> None:
    """Which of two equal packs stays is the plan's affair: the damage of that one is met, and told until repaired."""
    a, b = twice(lake, store, tmp_path, 0, 1)
    (gone,) = gc_plan_of(lake).merged
    (stays,) = {a, b} - {gone}
    rot(lake, store, stays, 0)
    for _ in range(2):
        report = lake.gc()
        (line,) = report.damaged
        assert keys.pack_key(stays) in line
        assert (report.packs_condemned, report.commit) == (0, None)
    assert pack_ids(store) == {a, b}
    assert lake.repair().ok
    assert lake.gc().damaged == []


def test_a_missing_pack_costs_no_copy(lake: Lake, store: Store, tmp_path: Path) -> None:
    a, b = twice(lake, store, tmp_path, 0, 1)
    (gone,) = gc_plan_of(lake).merged
    (stays,) = {a, b} - {gone}
    store.delete([keys.pack_key(stays)])
    report = lake.gc()
    assert "missing" in report.damaged[0]
    for name in "ab":
        assert pulled(lake, name, tmp_path) == big(0, 1)


def gc_plan_of(lake: Lake) -> gc_plan.CollectionPlan:
    """What a collection would do now."""
    return Collector(vault_of(lake), GcOptions(timedelta(0), dry_run=True), tool="test")._plan().plan


def aged(store: Store, seconds: float) -> None:
    """Let every object be written so long ago, by the bucket's clock."""
    objects = store._space.objects  # type: ignore[attr-defined]
    for key, (data, modified) in objects.items():
        objects[key] = (data, modified - seconds)


def test_what_was_forgotten_stays_restorable_for_a_week(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    ingest(lake, tmp_path, c=big(3))
    lake.forget(["a", "c"])
    before = pack_ids(store)
    for report in (lake.gc(dry_run=True), lake.gc(), lake.gc(grace="8d")):
        assert (report.collected, report.commit, report.bytes_freed) == ([], None, 0)
        assert report.bytes_later > 3 * 15_000
        assert "2 forgotten versions stay restorable" in report.later[0]
        assert "a@1, c@1" in report.later[0]
    assert pack_ids(store) == before
    lake.restore("a")
    assert pulled(lake, "a", tmp_path) == big(0, 1)
    lake.forget("a")
    aged(store, 6.9 * 86_400)
    assert lake.gc().collected == []
    lake.restore("c")
    lake.forget("c")  # its week begins again
    aged(store, 0.2 * 86_400)
    report = lake.gc()
    assert report.collected == ["a@1"]
    assert report.bytes_freed > 2 * 15_000
    assert "c@1" in report.later[0]
    lake.restore("c")
    assert pulled(lake, "c", tmp_path) == big(3)
    assert lake.verify(data=True).ok


@pytest.mark.parametrize(
    ("grace", "seconds"), [("10m", 600), ("10min", 600), ("90s", 90), ("2h", 7200), ("1d", 86_400), ("1w", 604_800)]
)
def test_the_units_of_grace(lake: Lake, store: Store, tmp_path: Path, grace: str, seconds: int) -> None:
    """`m` is minutes here, never months."""
    ingest(lake, tmp_path, a=big(0), b=big(1))
    lake.forget("a")
    aged(store, seconds - 20)
    assert lake.gc(grace=grace).collected == []
    aged(store, 40)
    assert lake.gc(grace=grace).collected == ["a@1"]


@pytest.mark.parametrize("grace", ["", "1y", "-1h", "1.5h", "soon", "1h30", "1M"])
def test_what_is_no_grace(lake: Lake, grace: str) -> None:
    with pytest.raises(UsageError):
        lake.gc(grace=grace)


def test_grace_leaves_condemned_objects_to_readers(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    lake.forget("a")
    aged(store, 3700)
    before = pack_ids(store)
    report = lake.gc(grace="1h")
    assert report.collected == ["a@1"]
    assert report.bytes_freed == 0
    assert report.bytes_later > 50_000
    assert "grace" in report.later[0]
    assert before < pack_ids(store)
    again = lake.gc(grace="1h")
    assert (again.commit, again.bytes_freed, again.bytes_later) == (None, 0, report.bytes_later)
    aged(store, 3700)
    assert lake.gc(grace="1h").bytes_freed == report.bytes_later
    assert before.isdisjoint(pack_ids(store))
    assert pulled(lake, "b", tmp_path) == big(2)


@pytest.mark.parametrize("clock", ["1970-01-01T00:00:00Z", "2036-01-01T00:00:00Z"])
def test_a_client_whose_clock_is_wrong_shortens_no_grace(
    lake: Lake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    """What counts is when its entry reached the bucket."""
    ingest(lake, tmp_path, a=big(0), b=big(1))
    with monkeypatch.context() as wrong:
        wrong.setattr("sxeslake.vault.log.commit.utc_now", lambda: clock)
        lake.forget("a")
    assert lake.gc().collected == []
    lake.restore("a")
    assert pulled(lake, "a", tmp_path) == big(0)


def test_young_uploads_of_others_stay(lake: Lake, store: Store, tmp_path: Path) -> None:
    orphans = [keys.pack_key(keys.new_id()), keys.manifest_key(keys.new_id())]
    for key in orphans:
        store.create(key, b"of an ingest that is running")
    ingest(lake, tmp_path, a=group(1))
    report = lake.gc()
    assert (report.orphans, report.bytes_later) == (0, 56)
    assert "ingest may still run" in report.later[0]
    report = lake.gc(grace="0")
    assert (report.orphans, report.bytes_freed) == (2, 56)
    assert all(store.size(key) is None for key in orphans)
    assert lake.verify(data=True).ok


def test_foreign_objects_are_left_alone(lake: Lake, store: Store) -> None:
    foreign = ["packs/readme.txt", "packs/ab/notes.pack", f"packs/00/{'a' * 32}.pack", "manifests/x.parquet", "other"]
    for key in foreign:
        store.create(key, b"not ours")
    lake.gc(grace="0")
    assert all(store.size(key) is not None for key in foreign)


def test_who_may_not_delete_condemns_nothing(store: Store, tmp_path: Path) -> None:
    faulty = FaultyStore(store)
    with new_lake(faulty) as lake:
        ingest(lake, tmp_path, a=big(0, 1))
        lake.forget("a")
        before = {info.key for info in store.list("")}
        faulty.plan("error", "delete")
        with pytest.raises(UnreachableError):
            lake.gc(grace="0")
        assert {info.key for info in store.list("")} == before
        lake.restore("a")
        assert pulled(lake, "a", tmp_path) == big(0, 1)


def test_what_a_dead_collector_left_is_deleted_by_the_next(store: Store, tmp_path: Path) -> None:
    faulty = FaultyStore(store)
    with new_lake(faulty) as lake:
        ingest(lake, tmp_path, a=big(0, 1), b=big(2))
        lake.forget("a")
        faulty.plan("error", "delete", "packs/")
        with pytest.raises(UnreachableError):
            lake.gc(grace="0")
        assert len(pack_ids(store)) == 2
        assert lake.gc(grace="0").bytes_freed > 50_000
        assert len(pack_ids(store)) == 1
        assert pulled(lake, "b", tmp_path) == big(2)


@pytest.mark.parametrize("verb", ["create", "delete"])
@pytest.mark.parametrize("fault", ["error", "lost reply"])
@pytest.mark.parametrize("skip", [0, 1])
def test_whatever_request_fails_the_next_collection_ends_it(
    store: Store, tmp_path: Path, verb: str, fault: str, skip: int
) -> None:
    faulty = FaultyStore(store)
    with new_lake(faulty) as lake:
        ingest(lake, tmp_path, a=big(0, 1, 2), b=big(3))
        lake.forget("a")
        faulty.plan("error" if fault == "error" else "lost reply", verb, skip=skip)
        try:
            lake.gc(grace="0")
        except UnreachableError:
            assert lake.verify(data=True).ok
        lake.gc(grace="0")
        assert len(pack_ids(store)) == 1
        assert lake.verify(data=True).ok
        assert pulled(lake, "b", tmp_path) == big(3)


def beaten(store: Store, first: Callable[[], object]) -> Lake:
    """A client whose next log entry comes second."""

    class Beaten(FaultyStore):
        done = False

        def create(self, key: str, data: Data) -> None:
            if key.startswith("log/") and not self.done:
                self.done = True
                first()
            super().create(key, data)

    return Lake(Vault(Beaten(store), None))


def test_a_writer_that_was_first_keeps_what_it_needs(lake: Lake, store: Store, tmp_path: Path) -> None:
    """It takes up blobs that the collector has just found dead."""
    ingest(lake, tmp_path, a=big(0, 1), b=big(2, 3, 4))
    lake.forget("a")
    with beaten(store, lambda: ingest(lake, tmp_path, c=big(0))) as collector:
        report = collector.gc(grace="0")
    assert report.collected == ["a@1"]
    lake.refresh()
    assert pulled(lake, "c", tmp_path) == big(0)
    assert lake.verify(data=True).ok


def test_a_version_that_was_restored_first_is_not_collected(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    ingest(lake, tmp_path, c=big(3))
    lake.forget(["a", "c"])
    with beaten(store, lambda: lake.restore("a")) as collector:
        assert collector.gc(grace="0").collected == ["c@1"]
    lake.refresh()
    assert pulled(lake, "a", tmp_path) == big(0, 1)
    assert lake.verify(data=True).ok


def test_a_version_forgotten_again_meanwhile_has_its_grace_anew(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    lake.forget("a")
    aged(store, 8 * 86_400)

    def again() -> None:
        lake.restore("a")
        lake.forget("a")

    with beaten(store, again) as collector:
        assert collector.gc().collected == []
    lake.refresh()
    lake.restore("a")
    assert pulled(lake, "a", tmp_path) == big(0, 1)


def test_two_collectors(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    lake.forget("a")
    with beaten(store, lambda: lake.gc(grace="0")) as second:
        report = second.gc(grace="0")
        assert (report.collected, report.bytes_written) == ([], 0)  # planned again: there was nothing left to rewrite
        assert second.verify(data=True).ok
        assert pulled(second, "b", tmp_path) == big(2)
        condemning = [row.number for row in second.log() if "condemned" in " ".join(row.what)]
    assert len(pack_ids(store)) == 1
    assert len(vault_of(lake).state.pack_ids()) == 1
    assert len(condemning) <= 2


@pytest.mark.parametrize("verb", ["list", "get", "get_range", "size", "create", "delete"])
@pytest.mark.parametrize("skip", range(4))
def test_a_collector_that_is_overtaken_anywhere_ends_well(
    lake: Lake, store: Store, tmp_path: Path, verb: str, skip: int
) -> None:
    """Another one condemns and deletes, just before any of its requests."""
    ingest(lake, tmp_path, a=big(0, 1), b=big(2), c={"n.json": b"[1]" * 30})
    ingest(lake, tmp_path, d=big(1, 3), e={"m.json": b"[2]" * 30})
    lake.forget(["a", "e"])

    class Overtaken(FaultyStore):
        left, watched = skip, False
        turn = threading.Lock()

        def _perform(self, fault: Fault | None, name: str, key: str, operation: Callable[[], T]) -> T:
            with self.turn:
                if name == verb and self.watched:
                    self.left -= 1
                    if self.left == -1:
                        lake.gc(grace="0")
            return super()._perform(fault, name, key, operation)

    slow = Overtaken(store)
    with Lake(Vault(slow, None)) as second:
        slow.watched = True
        second.gc(grace="0")
        slow.watched = False
        assert second.verify(data=True).ok
        for name, content in (("b", big(2)), ("c", {"n.json": b"[1]" * 30}), ("d", big(1, 3))):
            assert pulled(second, name, tmp_path) == content
    lake.gc(grace="0")
    assert pack_ids(store) == vault_of(lake).state.pack_ids()


def test_a_writer_that_loses_its_blobs_begins_again(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    lake.forget("a")
    with beaten(store, lambda: lake.gc(grace="0")) as writer:
        ingest(writer, tmp_path, c=big(0, 5))
    lake.refresh()
    assert pulled(lake, "c", tmp_path) == big(0, 5)
    assert lake.verify(data=True).ok


def test_a_cold_client_finds_rewritten_blobs_by_few_requests(lake: Lake, store: Store, tmp_path: Path) -> None:
    """One footer, that of the new pack, whatever else is in the lake."""
    for number in range(20):
        ingest(lake, tmp_path, **{f"other{number}": group(100 + number)})
    ingest(lake, tmp_path, a=group(1, 30), b=group(2, 30))
    lake.forget("a")
    assert lake.gc(grace="0").packs_rewritten >= 1
    with Lake(Vault(store, None)) as cold:
        cold.show("b")
        before = vault_of(cold).store.counters.total
        assert pulled(cold, "b", tmp_path) == group(2, 30)
        assert vault_of(cold).index.missing(vault_of(cold).state.pack_ids())  # the index was not built for this
        spent = vault_of(cold).store.counters.total - before
    with Lake(Vault(store, None)) as cold:
        before = vault_of(cold).store.counters.total
        pulled(cold, "other3", tmp_path)
        plain = vault_of(cold).store.counters.total - before
    assert spent <= plain + 10


def test_a_client_that_missed_the_collection_finds_rewritten_blobs(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2), c=group(1, 5))
    with Lake(Vault(store, None)) as reader:
        lake.forget("a")
        lake.gc(grace="0")
        assert pulled(reader, "b", tmp_path) == big(2)
        assert pulled(reader, "c", tmp_path) == group(1, 5)


def test_a_client_that_missed_the_collection_is_told_what_is_gone(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    with Lake(Vault(store, None)) as reader:
        lake.forget("a")
        lake.gc(grace="0")
        with pytest.raises(SampleNotFoundError, match="collected meanwhile"):
            pulled(reader, "a", tmp_path)


def test_the_very_file_comes_back_from_rewritten_packs(lake: Lake, store: Store, tmp_path: Path) -> None:
    """A recipe is needed as the members are."""
    for name, inside in (("a", big(0, 1)), ("b", big(2))):
        lake.ingest([zip_of(tmp_path / f"{name}.zip", inside)], exact="always")
    both = [zip_of(tmp_path / "c.zip", big(3)), zip_of(tmp_path / "d.zip", big(4))]
    lake.ingest(both, exact="always")
    lake.forget(["a", "d"])
    lake.gc(grace="0")
    assert lake.verify(data=True).ok
    lake.pull("c", tmp_path / "out.zip", exact=True)
    assert (tmp_path / "out.zip").read_bytes() == both[0].read_bytes()


def test_recipes_that_are_blobs_outlive_collections(
    lake: Lake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long recipes stand in packs, which no member table names."""
    monkeypatch.setattr("sxeslake.ingest.exact.INLINE_BYTES", 0)
    both = [zip_of(tmp_path / "c.zip", big(3)), zip_of(tmp_path / "d.zip", big(4, 5, 6))]
    lake.ingest(both, exact="always")
    assert vault_of(lake).state.versions()[0].archive.recipe["blobs"]
    lake.forget("d")
    assert lake.gc(grace="0").packs_condemned > 0
    assert lake.verify(data=True).ok
    lake.pull("c", tmp_path / "out.zip", exact=True)
    assert (tmp_path / "out.zip").read_bytes() == both[0].read_bytes()


@pytest.mark.parametrize("kept", [(True, True), (True, False), (False, True)])
def test_what_is_rewritten_is_hashed(store: Store, kept: tuple[bool, bool]) -> None:
    """A frame that decodes as it should and holds other bytes than its footer says is not carried on."""
    with new_lake(store) as lake:
        whole, wrong = Packer(store), Packer(store)
        data = [b"first" * 20, b"second" * 20]
        right = [blake3(part).digest() for part in data]
        sealed = frame.seal(codecs.RAW.descriptor, [len(part) for part in data], b"".join(data))
        keep = np.asarray(kept)
        for packer, digests in (
            (whole, right),
            (wrong, [bytes(32) if use else d for d, use in zip(right, kept, strict=True)]),
        ):
            packer.place("json", sealed, digests, [len(part) for part in data])
            (written,) = packer.finish()
            target = Packer(store)
            if packer is whole:
                assert len(rewrite(vault_of(lake), target, "json", written.footer, keep, lambda _: None)) == 1
            else:
                with pytest.raises(DamagedLakeError, match="does not agree with its hash"):
                    rewrite(vault_of(lake), target, "json", written.footer, keep, lambda _: None)
            target.close()
            packer.close()


def test_rewritten_blobs_are_found_for_deduplication(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    lake.forget("a")
    lake.gc(grace="0")
    (row,) = lake.ingest([zip_of(tmp_path / "c.zip", big(2, 3))], exact="never").archives
    assert row.blobs_new == 1


def test_nothing_is_collected_from_a_damaged_lake(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0, 1), b=big(2))
    lake.forget("a")
    before = pack_ids(store)
    (pack,) = [info.key for info in store.list(keys.PACK_PREFIX)]
    footer = vault_of(lake).footer(next(iter(vault_of(lake).state.packs().values())))
    flip(store, pack, int(footer.frame_offsets[-1]) + 40)  # b's only frame
    with pytest.raises(DamagedLakeError):
        lake.gc(grace="0")
    assert before <= pack_ids(store)
    flip(store, pack, int(footer.frame_offsets[-1]) + 40)
    manifest = only(store, keys.MANIFEST_PREFIX)
    flip(store, manifest, 50)
    with pytest.raises(DamagedLakeError, match="b@1"):
        lake.gc(grace="0")
    store.delete([manifest])
    with pytest.raises(DamagedLakeError, match="missing"):
        lake.gc(grace="0")
    assert before <= pack_ids(store)


def test_a_lost_pack_stops_the_collection(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0))
    ingest(lake, tmp_path, b=big(1))
    lake.forget("a")
    needed = vault_of(lake).state.versions()[0].archive.needs[0]
    store.delete([keys.pack_key(needed)])
    with pytest.raises(DamagedLakeError, match="1 blobs of live versions"):
        lake.gc(grace="0")


def test_a_pack_without_a_readable_footer_goes_when_nobody_needs_it(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=big(0))
    ingest(lake, tmp_path, b=big(1))
    dead = vault_of(lake).state.versions()[0].archive.needs[0]
    flip(store, keys.pack_key(dead), -9)
    lake.forget("a")
    lake.gc(grace="0")
    assert dead not in pack_ids(store)
    assert lake.verify(data=True).ok


def test_a_bucket_that_keeps_versions_is_named(store: Store, tmp_path: Path) -> None:
    class Keeping(FaultyStore):
        def keeps_versions(self) -> bool:
            return True

    with new_lake(Keeping(store)) as lake:
        ingest(lake, tmp_path, a=big(0), b=big(1))
        assert lake.gc().later == []
        lake.forget("a")
        assert "lifecycle" in lake.gc(grace="0").later[0]


def test_a_newer_lake_is_not_collected(lake: Lake, tmp_path: Path) -> None:
    vault_of(lake).file = replace(vault_of(lake).file, format=99)
    with pytest.raises(ReadOnlyError):
        lake.gc()


def test_bodies_of_lost_races_are_deleted(
    lake: Lake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logentry, "MAX_ENTRY_BYTES", 700)
    with beaten(store, lambda: lake.tag("a", "first")) as second:
        ingest(lake, tmp_path, a=group(1), b=group(2))
        ingest(second, tmp_path, c=group(3), d=group(4))
        bodies = [info.key for info in store.list(keys.BODY_PREFIX)]
        assert len(bodies) > len(vault_of(second).state.body_keys())
        second.gc()
        assert {info.key for info in store.list(keys.BODY_PREFIX)} == vault_of(second).state.body_keys()
        assert second.verify(data=True).ok
    with Lake(Vault(store, None)) as cold:
        assert len(cold.ls()) == 4


def test_the_body_of_a_commit_on_its_way_stays(lake: Lake, store: Store, tmp_path: Path) -> None:
    ingest(lake, tmp_path, a=group(1))
    body = b'{"transaction":"7f9c","number":2,"archives":[]}'
    old = b'{"transaction":"7f9d","number":1,"archives":[]}'
    unknown = b'{"transaction":"7f9e","archives":[]}'
    for digest, data in (("a" * 64, body), ("b" * 64, old), ("c" * 64, unknown)):
        store.create(keys.body_key(digest), data)
    lake.gc(grace="0")
    left = {info.key for info in store.list(keys.BODY_PREFIX)}
    assert left == {keys.body_key("a" * 64), keys.body_key("c" * 64)}
