"""Copies: everything arrives, nothing twice, and the annotations of archives goes with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import flip, group, new_lake, new_vault, objects, own_store, zip_of

from sxeslake.errors import UnreachableError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store, open_store
from sxeslake.vault.vault import Vault


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    lake = Lake(new_vault(own_store(request)))
    shared = group(1)
    lake.ingest([zip_of(tmp_path / "a.plzip", shared), zip_of(tmp_path / "b.plzip", group(2, positions=3))])
    large = {f"{number}.bin": bytes([number]) * 90_000 for number in range(3)}
    lake.ingest(zip_of(tmp_path / "later" / "a.plzip", {**shared, **large}), sample="a")
    lake.ingest(zip_of(tmp_path / "empty.zip", {}))
    with lake:
        yield lake


@pytest.fixture
def target_store(tmp_path: Path) -> Store:
    return open_store(f"memory://{tmp_path.name}-target")


def equal(one: Lake, other: Lake, name: str) -> bool:
    members = list(one.members(name))
    return members == list(other.members(name)) and all(
        one.read(name, row.path) == other.read(name, row.path) for row in members if row.kind == "file"
    )


def test_a_whole_lake_arrives_and_the_second_run_copies_nothing(source: Lake, target_store: Store) -> None:
    with new_lake(target_store) as target:
        report = source.copy_to(target)
        assert {row.status for row in report.archives} == {"copied"}
        assert target.ls(all_versions=True) == source.ls(all_versions=True)
        assert all(equal(source, target, f"{row.sample}@{row.version}") for row in source.ls(all_versions=True))
        assert target.verify(data=True).problems == []
        assert target.stats().bytes_unique_raw == source.stats().bytes_unique_raw
        before = objects(target_store)
        again = source.copy_to(target)
        assert ({row.status for row in again.archives}, again.commits) == ({"present"}, [])
        assert objects(target_store) == before


def test_chosen_samples_take_what_they_need_and_no_more(source: Lake, target_store: Store) -> None:
    with new_lake(target_store) as target:
        source.copy_to(target, ["b"])
        assert [row.sample for row in target.ls()] == ["b"]
        assert target.stats().bytes_unique_raw == source.show("b").bytes_raw
        source.copy_to(target, ["a@1"])
        source.copy_to(target, ["a*"])
        assert [(row.sample, row.version) for row in target.ls(all_versions=True)] == [("a", 1), ("a", 2), ("b", 1)]
        assert target.verify(data=True).ok


def test_who_when_tags_and_words_go_with_an_archive(source: Lake, target_store: Store) -> None:
    source.tag("a@1", "paper")
    source.hold("a@2")
    source.annotate("b", role="standard")
    with new_lake(target_store) as target, Lake(new_vault(open_store(f"{target_store.url}-third"))) as third:
        target.ingest(list(Path(source.show("b").source.path).parent.glob("b.plzip")), sample="a")
        report = source.copy_to(target)
        assert {(row.sample, row.version): row.to_version for row in report.archives} == {
            ("a", 1): 2, ("b", 1): 1, ("a", 2): 3, ("empty", 1): 1
        }  # fmt: skip
        assert (report.tags, report.annotations) == (2, 1)
        info, origin = target.show("a@paper"), source.show("a@1")
        assert (info.version, info.source, info.ingested_at) == (2, origin.source, origin.ingested_at)
        assert (info.who, info.tool, info.message) == (origin.who, origin.tool, origin.message)
        target.copy_to(third)
        assert third.show("b").ingested_at == source.show("b").ingested_at


def test_damage_of_the_source_stops_only_what_it_touches(source: Lake, target_store: Store) -> None:
    store = vault_of(source).store
    sizes = {info.key: info.size for info in store.list(keys.PACK_PREFIX)}
    flip(store, max(sizes, key=lambda key: sizes[key]), 100)
    broken = {name for problem in source.verify(data=True).problems for name in problem.affects}
    with Lake(Vault(store, None)) as cold, new_lake(target_store) as target:
        report = cold.copy_to(target)
        assert report.failed
        assert {f"{row.sample}@{row.version}" for row in report.archives if row.status == "failed"} == broken
        assert target.verify(data=True).ok
        assert {"empty@1"} <= {f"{row.sample}@{row.version}" for row in target.ls(all_versions=True)}


def test_an_interrupted_copy_goes_on(source: Lake, target_store: Store) -> None:
    new_vault(target_store).close()
    for skip in range(3):
        faulty = FaultyStore(target_store)
        faulty.plan("error", "create", "log/", skip=0)
        faulty.plan("error", "create", "packs/", skip=skip)
        with Lake(Vault(faulty, None)) as target, pytest.raises(UnreachableError):
            source.copy_to(target)
    with Lake(Vault(target_store, None)) as target:
        source.copy_to(target)
        assert target.ls(all_versions=True) == source.ls(all_versions=True)
        assert target.verify(data=True).ok
