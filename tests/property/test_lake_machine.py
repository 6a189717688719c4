"""A whole lake against a simple model: two clients, faults at any request, and somebody who always comes first.

Each step does one thing to the lake, by one of two clients with caches of their own. A request of it may fail, before
or after it took effect (the client then begins again with an empty cache), or another step may be done, whole, just
before the step's log entry is put. The model is a dictionary.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support.faults import Fault, FaultyStore
from support.internals import vault_of
from support.small_lakes import counts, zip_of

from sxeslake.archive.container import open_container
from sxeslake.errors import ConflictError, NotFoundError, StorageError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Data, open_store
from sxeslake.vault.vault import Vault, create_lake

NAMES = ("a", "b")
BLOBS = {
    **{f"data/{n}.data": counts(n, 20_000) for n in range(3)},  # each a frame of its own
    **{f"{n}.json": f'{{"n":{n}}}'.encode() * 20 for n in range(3)},  # these share one
}
SERIAL = itertools.count()

Contents = Mapping[str, bytes]
Key = tuple[str, int]
Step = Callable[["Client"], None]


class RacyStore(FaultyStore):
    """A faulty store in which something else can happen just before the next log entry is put."""

    def __init__(self, name: str) -> None:
        super().__init__(open_store(f"memory://{name}"))
        self.first: Callable[[], None] | None = None

    def create(self, key: str, data: Data) -> None:
        first = self.first
        if first is not None and key.startswith(keys.LOG_PREFIX) and not key.startswith(keys.BODY_PREFIX):
            self.first = None
            first()
        super().create(key, data)


class Client:
    """Somebody with a cache of their own."""

    def __init__(self, name: str) -> None:
        self.store = RacyStore(name)
        self.lake = Lake(Vault(self.store, None, threads=1))


contents = st.sets(st.sampled_from(sorted(BLOBS)), min_size=1, max_size=4).map(
    lambda names: {name: BLOBS[name] for name in sorted(names)}
)
batches = st.dictionaries(st.sampled_from(NAMES), contents, min_size=1, max_size=2)
faults = st.one_of(
    st.none(),
    st.none(),
    st.tuples(
        st.sampled_from(["error", "lost reply"]), st.sampled_from(["create", "create", "delete"]), st.integers(0, 4)
    ),
)
races = st.sampled_from(["ingest", "ingest", "gc", "gc", "forget", "restore"])
graces = st.sampled_from([None, "0", "0", "1h"])


class LakeMachine(RuleBasedStateMachine):
    """What is in the lake, by name and version: contents and status."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.name = f"machine-{next(SERIAL)}"
        create_lake(open_store(f"memory://{self.name}"), {})
        self.clients = [Client(self.name), Client(self.name)]
        self.stored: dict[Key, Contents] = {}
        self.status: dict[Key, str] = {}

    @initialize(batch=batches)
    def begin(self, batch: dict[str, Contents]) -> None:
        self._ingest(batch)(self.clients[0])

    # --- steps ---------------------------------------------------------------------------------------------------

    @rule(batch=batches, who=st.integers(0, 1), fault=faults)
    def ingest(self, batch: dict[str, Contents], who: int, fault: tuple[Fault, str, int] | None) -> None:
        self._do(self._ingest(batch), who, fault, batch)

    @rule(name=st.sampled_from(NAMES), who=st.integers(0, 1), fault=faults)
    def forget(self, name: str, who: int, fault: tuple[Fault, str, int] | None) -> None:
        self._do(self._forget(name), who, fault)

    @rule(who=st.integers(0, 1), keep=st.integers(1, 2))
    def forget_by_rule(self, who: int, keep: int) -> None:
        gone = self.clients[who].lake.forget("*", keep_last=keep) if self._live() else None
        for row in gone.forgotten if gone else []:
            assert sum(1 for name, version in self._live() if name == row.sample and version > row.version) >= keep
            self.status[row.sample, row.version] = "forgotten"
        assert all(sum(1 for key in self._live() if key[0] == name) <= keep for name in NAMES)

    @rule(name=st.sampled_from(NAMES), who=st.integers(0, 1), fault=faults)
    def restore(self, name: str, who: int, fault: tuple[Fault, str, int] | None) -> None:
        self._do(self._restore(name), who, fault)

    @rule(grace=graces, who=st.integers(0, 1), fault=faults)
    def gc(self, grace: str | None, who: int, fault: tuple[Fault, str, int] | None) -> None:
        self._do(self._gc(grace), who, fault)

    @rule(who=st.integers(0, 1))
    def come_back_with_an_empty_cache(self, who: int) -> None:
        self._reopen(who)

    @rule(batch=batches, name=st.sampled_from(NAMES), slow=races, quick=races)
    def race(self, batch: dict[str, Contents], name: str, slow: str, quick: str) -> None:
        """One step, and before its entry is put another one, by the other client."""
        steps = {
            "ingest": self._ingest(batch),
            "forget": self._forget(name),
            "restore": self._restore(name),
            "gc": self._gc("0"),
        }
        self.clients[0].store.first = lambda: steps[quick](self.clients[1])
        steps[slow](self.clients[0])
        self.clients[0].store.first = None

    @rule(batch=batches)
    def ingest_again_what_is_being_collected(self, batch: dict[str, Contents]) -> None:
        """The blobs that an ingest has found in the lake go just before it commits."""
        self._ingest(batch)(self.clients[0])
        for name in batch:
            self._forget(name)(self.clients[1])
        self.clients[0].store.first = lambda: self._gc("0")(self.clients[1])
        self._ingest(batch)(self.clients[0])
        self.clients[0].store.first = None

    @rule(batch=batches)
    def collect_what_is_being_ingested_again(self, batch: dict[str, Contents]) -> None:
        """Blobs that a collection has found dead are taken up again just before it commits."""
        self._ingest(batch)(self.clients[0])
        for name in batch:
            self._forget(name)(self.clients[1])
        self.clients[0].store.first = lambda: self._ingest(batch)(self.clients[1])
        self._gc("0")(self.clients[0])
        self.clients[0].store.first = None

    @precondition(lambda self: self._live())
    @rule(who=st.integers(0, 1), data=st.data())
    def pull(self, who: int, data: st.DataObject) -> None:
        """Also by a client that has not heard of the last repacks."""
        key = data.draw(st.sampled_from(sorted(self._live())))
        lake = self.clients[who].lake
        if f"{key[0]}@{key[1]}" not in {f"{row.sample}@{row.version}" for row in lake.ls(all_versions=True)}:
            lake.refresh()
        self._check_pull(lake, key)

    # --- what steps do, to the lake and to the model -------------------------------------------------------------

    def _ingest(self, batch: dict[str, Contents]) -> Step:
        def step(client: Client) -> None:
            before = dict(self.status)
            # With its name in it: equal files are one version with several paths, whatever they are called.
            paths = [zip_of(self.folder / f"{name}.zip", inside, name) for name, inside in sorted(batch.items())]
            for row in client.lake.ingest(paths, exact="never").archives:
                assert row.sample in batch
                assert row.version is not None
                key = (row.sample, row.version)
                if row.status == "unchanged":
                    assert "live" in (before.get(key), self.status[key])  # it may be forgotten just now
                    assert self.stored[key] == batch[row.sample]
                else:
                    assert row.status == "added"
                    assert key not in self.status
                    self.stored[key], self.status[key] = batch[row.sample], "live"

        return step

    def _forget(self, name: str) -> Step:
        def step(client: Client) -> None:
            try:
                report = client.lake.forget(name)
            except NotFoundError:
                assert not any(key[0] == name for key in self._live())
                return
            going = {(row.sample, row.version) for row in report.forgotten}
            assert going == {key for key in self._live() if key[0] == name}
            self.status.update(dict.fromkeys(going, "forgotten"))

        return step

    def _restore(self, name: str) -> Step:
        def step(client: Client) -> None:
            forgotten = {key for key, status in self.status.items() if key[0] == name and status == "forgotten"}
            try:
                report = client.lake.restore(name)
            except (NotFoundError, ConflictError):
                assert not {key for key in forgotten if self.status[key] == "forgotten"}
                return
            back = {(row.sample, row.version) for row in report.restored}
            assert all(self.status[key] == "forgotten" for key in back)
            self.status.update(dict.fromkeys(back, "live"))

        return step

    def _gc(self, grace: str | None) -> Step:
        def step(client: Client) -> None:
            before = {key for key, status in self.status.items() if status == "forgotten"}
            report = client.lake.gc(grace=grace)
            for name in report.collected:
                sample, _, version = name.rpartition("@")
                assert self.status[sample, int(version)] == "forgotten"
                self.status[sample, int(version)] = "collected"
            stay = {key for key in before if self.status[key] == "forgotten"}
            assert stay == (set() if grace == "0" else before)  # all were forgotten a moment ago

        return step

    # --- faults --------------------------------------------------------------------------------------------------

    def _do(
        self, step: Step, who: int, fault: tuple[Fault, str, int] | None, batch: Mapping[str, Contents] | None = None
    ) -> None:
        client = self.clients[who]
        if fault is not None:
            kind, verb, skip = fault
            client.store.plan(kind, verb, skip=skip)
        try:
            step(client)
        except StorageError:
            assert fault is not None
            self._reopen(who)
            self._learn(batch or {})
        else:
            client.store.forget_plans()

    def _reopen(self, who: int) -> None:
        self.clients[who].lake.close()
        self.clients[who] = Client(self.name)

    def _learn(self, batch: Mapping[str, Contents]) -> None:
        """After a fault nobody knows whether the commit was made: whole, or not at all."""
        with Lake(Vault(open_store(f"memory://{self.name}"), None, threads=1)) as lake:
            found = {(v.sample, v.version): v.status for v in vault_of(lake).state.versions("TRUE")}
        fresh = found.keys() - self.status.keys()
        assert {name for name, _ in fresh} <= batch.keys()
        self.stored.update({key: batch[key[0]] for key in fresh})
        assert found.keys() >= self.status.keys()
        self.status = found

    # --- what must be so -----------------------------------------------------------------------------------------

    def _live(self) -> set[Key]:
        return {key for key, status in self.status.items() if status == "live"}

    def _check_pull(self, lake: Lake, key: Key) -> None:
        out = self.folder / "out.zip"
        lake.pull(f"{key[0]}@{key[1]}", out, force=True)
        with open_container(out) as archive:
            found = {member.path: archive.read(place) for place, member in enumerate(archive.members)}
        assert found == self.stored[key]

    def teardown(self) -> None:
        self._learn({})
        for name in NAMES:
            self._restore(name)(self.clients[0])
        with Lake(Vault(open_store(f"memory://{self.name}"), None, threads=1)) as lake:
            report = lake.verify(data=True)
            assert report.ok, report.problems
            assert {(row.sample, row.version) for row in lake.ls(all_versions=True)} == self._live()
            for key in sorted(self._live()):
                self._check_pull(lake, key)
            lake.gc(grace="0")
            state = vault_of(lake).state
            for version in state.versions():
                assert state.resolved(version.archive.needs) <= state.pack_ids()
            left = {
                keys.id_of(info.key)
                for prefix in ("packs/", "manifests/")
                for info in vault_of(lake).store.list(prefix)
            }
            assert left == state.pack_ids() | state.manifests().keys()
            assert lake.verify(data=True).ok
            assert lake.gc(grace="0").commit is None  # nothing is left to do
        for client in self.clients:
            client.lake.close()


LakeMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=16, deadline=None)


class TestLake(LakeMachine.TestCase):  # type: ignore[misc, valid-type]
    """Twenty lives of a lake."""


class _Longer(LakeMachine):
    """The same machine, for the slow run."""


_Longer.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@pytest.mark.slow
@pytest.mark.skipif("SXESLAKE_SLOW" not in os.environ, reason="minutes; set SXESLAKE_SLOW=1")
@pytest.mark.timeout(3600)
class TestLongLives(_Longer.TestCase):  # type: ignore[misc, valid-type]
    """More of them, and longer."""
