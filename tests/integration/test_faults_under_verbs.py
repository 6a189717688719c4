"""Every verb over a store that fails at one request: it succeeds, or says so; the lake is whole; again, it succeeds.

Each case is a verb and a kind of fault; the fault comes once, at requests spread over all that the verb makes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from support.faults import Fault, FaultyStore
from support.small_lakes import group, objects, zip_of

from sxeslake.errors import SxeslakeError
from sxeslake.lake import Lake
from sxeslake.storage import Store, open_store
from sxeslake.vault.vault import Vault, create_lake

FAULTS: tuple[Fault, ...] = ("error", "lost reply", "throttled", "truncated", "wrong bytes")
PLACES = 4  # requests that fail, one at a time
CONTENTS = {name: group(number) for number, name in enumerate("abc")}


class OnceFaulty(FaultyStore):
    """A store in which one request fails: the nth of those that such a fault can hit."""

    def __init__(self, store: Store, fault: Fault, nth: int) -> None:
        super().__init__(store)
        self.fault, self.nth, self.count = fault, nth, 0

    def _draw(self, verb: str, key: str, *, reads: bool) -> Fault | None:
        if not reads and self.fault in {"truncated", "wrong bytes"}:
            return None
        with self._lock:
            self.count += 1
            return self.fault if self.count == self.nth + 1 else None


@dataclass
class Case:
    """A lake in some state, a folder, and a second lake."""

    folder: Path
    other: Store

    def archive(self, name: str) -> Path:
        return self.folder / f"{name}.zip"


def ingest(lake: Lake, case: Case) -> None:
    report = lake.ingest(case.archive("c"))
    assert not report.failed
    assert lake.read("c", "metadata.json") == CONTENTS["c"]["metadata.json"]


def pull(lake: Lake, case: Case) -> None:
    out = lake.pull("a", case.folder / "out.zip", force=True, exact=False).path
    with zipfile.ZipFile(out) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == CONTENTS["a"]


def verify(lake: Lake, case: Case) -> None:
    assert lake.verify(data=True).checked


def forget(lake: Lake, case: Case) -> None:
    if any(row.sample == "b" for row in lake.ls()):
        lake.forget("b")
    assert {row.sample for row in lake.ls()} == {"a"}


def gc(lake: Lake, case: Case) -> None:
    forget(lake, case)
    lake.gc(grace="0")
    assert lake.read("a", "metadata.json") == CONTENTS["a"]["metadata.json"]


def copy_from(lake: Lake, case: Case) -> None:
    with Lake(Vault(case.other, None)) as target:
        report = lake.copy_to(target)
        if not report.failed:
            assert {row.sample for row in target.ls()} == {"a", "b"}
        assert target.verify(data=True).problems == []


def copy_into(lake: Lake, case: Case) -> None:
    with Lake(Vault(case.other, None)) as source:
        source.ingest(case.archive("c"))
        source.copy_to(lake)
    assert lake.read("c", "metadata.json") == CONTENTS["c"]["metadata.json"]


def repair(lake: Lake, case: Case) -> None:
    lake.repair([case.archive("a"), case.archive("b")])


def checkpoint(lake: Lake, case: Case) -> None:
    assert lake.checkpoint().commit == lake.refresh()


def query(lake: Lake, case: Case) -> None:
    assert lake.find("a").rows()


VERBS = (ingest, pull, verify, forget, gc, copy_from, copy_into, repair, checkpoint, query)
Verb = Callable[[Lake, Case], None]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """The archives, and the objects of a lake that holds two of them, in a commit each."""
    folder = tmp_path_factory.mktemp("archives")
    for name, contents in CONTENTS.items():
        zip_of(folder / f"{name}.zip", contents)
    store = fresh({})
    create_lake(store, {})
    with Lake(Vault(store, None)) as lake:
        for name in "ab":
            lake.ingest(folder / f"{name}.zip")
    return folder, objects(store)


def fresh(there: dict[str, bytes]) -> Store:
    store = open_store(f"memory://{uuid4().hex}")
    for key, data in there.items():
        store.create(key, data)
    return store


@contextmanager
def opened(store: Store, cache: Path, verb: Verb) -> Iterator[Lake]:
    with Lake(Vault(store, cache, threads=1, tolerant=verb is repair)) as lake:
        yield lake


def attempt(store: Store, cache: Path, verb: Verb, case: Case) -> None:
    with opened(store, cache, verb) as lake:
        verb(lake, case)


def scene(verb: Verb, prepared: tuple[Path, dict[str, bytes]], folder: Path) -> tuple[Store, Case]:
    archives, there = prepared
    store, other = fresh(there), fresh({})
    create_lake(other, {})
    if verb is repair:
        packs = sorted(key for key in there if key.startswith("packs/"))
        store.delete(packs[:1])
    folder.mkdir()
    for path in archives.iterdir():
        (folder / path.name).hardlink_to(path)
    return store, Case(folder, other)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_one_fault_at_any_request(
    verb: Verb, fault: Fault, prepared: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    store, case = scene(verb, prepared, tmp_path / "count")
    counting = OnceFaulty(store, fault, -1)
    attempt(counting, tmp_path / "count cache", verb, case)
    total = counting.count
    assert total
    places = sorted({round(at * (total - 1) / (PLACES - 1)) for at in range(PLACES)})
    for nth in places:
        store, case = scene(verb, prepared, tmp_path / str(nth))
        cache = tmp_path / f"cache {nth}"
        faulty = OnceFaulty(store, fault, nth)
        with suppress(SxeslakeError):
            attempt(faulty, cache, verb, case)
        assert faulty.count > nth
        attempt(store, cache, verb, case)
        with Lake(Vault(store, None)) as lake:
            assert lake.verify(data=True).problems == []
            assert lake.read("a", "metadata.json") == CONTENTS["a"]["metadata.json"]
