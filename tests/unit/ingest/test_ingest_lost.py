"""Ingest into a lake that has lost something: what comes by is stored again, and old versions read again."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.faults import Fault, FaultyStore
from support.internals import vault_of
from support.small_lakes import counts, flip, group, own_store, zip_of

from sxeslake.archive.container import open_container
from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store, open_store
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.vault import Vault, create_lake

CONTENTS = {**group(1, 3), **{f"data/{number}.data": counts(number, 20_000) for number in range(4)}}


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    store = own_store(request)
    create_lake(store, {})
    return store


@pytest.fixture
def lake(store: Store, tmp_path: Path) -> Iterator[Lake]:
    """One archive, `a.zip`."""
    with Lake(Vault(store, None)) as made:
        made.ingest(zip_of(tmp_path / "a.zip", CONTENTS), exact="always")
        yield made


def pulled(lake: Lake, ref: str, folder: Path) -> dict[str, bytes]:
    out = folder / "pulled.zip"
    lake.pull(ref, out, force=True)
    with open_container(out) as archive:
        return {member.path: archive.read(place) for place, member in enumerate(archive.members)}


def lose(store: Store, damage: str) -> None:
    """Lose packs, manifests or both, or parts of packs."""
    if damage in ("manifests", "all"):
        store.delete([info.key for info in store.list(keys.MANIFEST_PREFIX)])
    for info in list(store.list(keys.PACK_PREFIX)):
        data = store.get(info.key)
        if damage in ("packs", "all"):
            store.delete([info.key])
        elif damage == "cut short":
            store.replace(info.key, data[: len(data) // 2])
        elif damage == "longer":
            store.replace(info.key, data + b"x")
        elif damage == "footers":
            flip(store, info.key, -60)
        elif damage == "rotten":
            flip(store, info.key, 70)


LOST = ["packs", "manifests", "all", "cut short", "longer"]


@pytest.mark.parametrize("fresh", [False, True], ids=["same machine", "another machine"])
@pytest.mark.parametrize("damage", LOST)
def test_the_original_heals_its_version(lake: Lake, store: Store, tmp_path: Path, damage: str, *, fresh: bool) -> None:
    lose(store, damage)
    with ExitStack() as stack:
        client = stack.enter_context(Lake(Vault(store, None))) if fresh else lake
        told = client.ingest(tmp_path / "a.zip", dry_run=True)
        assert (told.archives[0].status, told.archives[0].version, told.commit) == ("unchanged", 1, None)
        assert told.damaged
        report = client.ingest(tmp_path / "a.zip", exact="always")
        (row,) = report.archives
        assert (row.status, row.sample, row.version) == ("unchanged", "a", 1)
        assert row.healed == (0 if damage == "manifests" else row.blobs)
        assert ("manifest" if damage in ("manifests", "all") else "pack") in " ".join(report.damaged)
        assert pulled(client, "a", tmp_path) == CONTENTS
        client.pull("a", tmp_path / "out.zip", force=True, exact=True)
        assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "a.zip").read_bytes()
        (audited,) = client.audit([tmp_path / "a.zip"], check_data=True)
        assert audited.status == "stored"
        again = client.ingest(tmp_path / "a.zip")
        assert (again.archives[0].status, again.commit, again.damaged) == ("unchanged", None, [])
        client.gc(grace="0")
        assert client.verify(data=True).ok
        assert pulled(client, "a", tmp_path) == CONTENTS


@pytest.mark.parametrize("damage", ["packs", "all", "cut short", "longer", "footers"])
def test_new_archives_build_on_nothing_that_is_lost(lake: Lake, store: Store, tmp_path: Path, damage: str) -> None:
    """The same content in another container, and an archive with some of it, store what is lost again."""
    lose(store, damage)
    with zipfile.ZipFile(tmp_path / "again.zip", "w") as archive:
        for name, data in reversed(CONTENTS.items()):
            archive.writestr(zipfile.ZipInfo(name, (2021, 1, 1, 0, 0, 0)), data)
    part = dict(list(CONTENTS.items())[:4]) | {"new": b"new"}
    report = lake.ingest([tmp_path / "again.zip", zip_of(tmp_path / "part.zip", part)], exact="never")
    assert [row.status for row in report.archives] == ["added", "added"]
    assert len(report.damaged) >= 1
    names = [f"{row.sample}@{row.version}" for row in report.archives]
    assert pulled(lake, names[0], tmp_path) == CONTENTS
    assert pulled(lake, names[1], tmp_path) == part
    present = {keys.id_of(info.key) for info in store.list(keys.PACK_PREFIX)}
    for version in vault_of(lake).state.versions("v.number > 1"):
        assert set(version.archive.needs) <= present
    if damage != "all":  # its member table is there, and its blobs are in the new packs
        assert pulled(lake, "a@1", tmp_path) == CONTENTS


def test_rot_is_met_only_where_data_is_checked(lake: Lake, store: Store, tmp_path: Path) -> None:
    lose(store, "rotten")
    (row,) = lake.ingest(tmp_path / "a.zip").archives
    assert (row.status, row.healed) == ("unchanged", 0)
    report = lake.ingest(tmp_path / "a.zip", check_data=True, exact="always")
    assert report.archives[0].healed
    assert "damaged" in report.damaged[0]
    assert pulled(lake, "a", tmp_path) == CONTENTS
    (row,) = lake.ingest(tmp_path / "a.zip", check_data=True).archives
    assert (row.status, row.healed) == ("unchanged", 0)


def test_two_files_heal_a_version_once(lake: Lake, store: Store, tmp_path: Path) -> None:
    lose(store, "all")
    shutil.copy(tmp_path / "a.zip", tmp_path / "b.zip")
    report = lake.ingest([tmp_path / "a.zip", tmp_path / "b.zip"], sample="a", exact="never")
    assert [bool(row.healed) for row in report.archives] == [True, False]
    assert pulled(lake, "a", tmp_path) == CONTENTS


@pytest.mark.parametrize("damage", ["packs", "cut short", "footers"])
def test_a_copy_builds_on_nothing_that_is_lost(lake: Lake, store: Store, tmp_path: Path, damage: str) -> None:
    other = own_store_of(store)
    with Lake(Vault(other, None)) as source:
        source.ingest(zip_of(tmp_path / "c.zip", {**CONTENTS, "new": b"1"}), exact="never")
        lose(store, damage)
        source.copy_to(lake)
    assert pulled(lake, "c", tmp_path) == {**CONTENTS, "new": b"1"}


def own_store_of(store: Store) -> Store:
    """Another empty lake, beside that one."""
    other = open_store(f"{store.url}-other")
    create_lake(other, {})
    return other


@pytest.mark.parametrize("cut", [False, True], ids=["missing", "cut short"])
def test_no_commit_refers_to_what_is_not_there(lake: Lake, store: Store, *, cut: bool) -> None:
    """Whatever makes the entry: the check is the commit's own."""
    vault = vault_of(lake)
    (known,) = vault.state.versions()
    (pack, *_) = known.archive.needs
    key, before = keys.pack_key(pack), vault.state.head()
    data = store.get(key)
    if cut:
        store.replace(key, data[:-1])
    else:
        store.delete([key])
    new = replace(known.archive, sample="new")
    with pytest.raises(DamagedLakeError, match="missing or cut short"):
        vault.commit(lambda h: replace(blank_entry("t"), number=h.number + 1, previous=h.digest, archives=(new,)))
    assert vault.sync() == before
    store.replace(key, data)
    assert vault.commit(lambda h: replace(blank_entry("t"), number=h.number + 1, previous=h.digest, archives=(new,)))


def asking(store: FaultyStore, asked: list[str]) -> Callable[..., Any]:
    """Note the keys of objects that are asked for."""
    perform = store._perform

    def noted(fault: Fault | None, verb: str, key: str, operation: Callable[[], Any]) -> Any:
        if verb in ("size", "get", "get_range", "get_tail"):
            asked.append(key)
        return perform(fault, verb, key, operation)

    return noted


def test_packs_are_asked_for_once_a_run(store: Store, tmp_path: Path) -> None:
    """Ten archives that share packs: each pack costs one request, archives that are known cost no more."""
    paths = [zip_of(tmp_path / f"{n}.zip", {**CONTENTS, "n": b"%d" % n}) for n in range(10)]
    with Lake(Vault(store, None)) as first:
        first.ingest(paths[0], exact="never")
        packs = len(vault_of(first).state.pack_ids())
    watched = FaultyStore(store)
    with Lake(Vault(watched, None)) as lake:
        vault_of(lake).sync_index()
        asked: list[str] = []
        watched._perform = asking(watched, asked)  # type: ignore[method-assign]
        lake.ingest(paths, exact="never")
        assert len([key for key in asked if key.startswith("packs/")]) <= 2 * packs + 1  # those, and a new one
        asked.clear()
        lake.ingest(paths, exact="never")
        assert len([key for key in asked if key.startswith("packs/")]) <= packs + 1
