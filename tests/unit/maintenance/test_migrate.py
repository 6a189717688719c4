"""Versions of a lake in a newer form: the next version of the sample, for which nothing but JSON is moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.old_groups import dump, new_group, odd_zip, old_group
from support.small_lakes import new_lake, objects, own_store, zip_of

from sxeslake.archive import migrate, open_container
from sxeslake.archive.migration.report import MigrationReport
from sxeslake.errors import DamagedLakeError, InputError, ReadOnlyError, SampleNotFoundError, UsageError
from sxeslake.format import keys
from sxeslake.format.lakefile import LakeParameters
from sxeslake.lake import Lake
from sxeslake.maintenance.migrate import migrate_versions
from sxeslake.storage import open_store
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(own_store(request))


@pytest.fixture
def lake(store: FaultyStore, tmp_path: Path) -> Iterator[Lake]:
    """A lake with one old group, `old@1`."""
    with new_lake(store) as opened:
        opened.ingest(zip_of(tmp_path / "in" / "old.plzip", old_group(), comment="mine"))
        yield opened


def packs(lake: Lake, kind: str) -> set[str]:
    return {keys.pack_key(pack.id) for pack in vault_of(lake).state.packs().values() if pack.kind == kind}


def rows_of(lake: Lake, ref: str) -> list[tuple[str, object, str | None]]:
    return [(row.path, row.modified, row.blake3) for row in lake.members(ref)]


def test_a_sample_gets_a_new_version_that_says_what_it_was_made_from(lake: Lake) -> None:
    (report,) = lake.migrate("old", message="for the paper")
    assert (report.status, report.version, report.to_version, report.commit) == ("migrated", 1, 2, 2)
    info = lake.show("old")
    assert info.message == "for the paper (old@1 migrated to 0.1.0+maps+arrays)"
    assert info.source.migrated_from == "old@1"
    assert (info.exact, info.exact_reason) == (False, "it was migrated in the lake, and no file is its source")
    assert info.analyses == lake.show("old@1").analyses
    assert [row.path for row in lake.members("old@2")][: len(rows_of(lake, "old@1"))] == [
        path.replace(".json", "") if path.startswith("backgrounds/")
        else path if path.endswith(".json") or not path.startswith(("conditions/", "rawConditions/"))
        else f"{path}.json"
        for path, _, _ in rows_of(lake, "old@1")
    ]  # fmt: skip
    assert lake["old"].positions[0].xes.shape == (17, 2049)
    assert not lake["old"].check()


def test_no_array_is_read_or_stored(store: FaultyStore, tmp_path: Path) -> None:
    """Every byte of the arrays is overwritten first: who looked at one would see it."""
    slips = ["rawCondtionUuid", "analyses in projects", "backgrounds with .json"]
    with new_lake(store) as lake:
        lake.ingest(zip_of(tmp_path / "old.plzip", old_group(slips)))
        before = packs(lake, "array")
        for key in before:
            store.replace(key, bytes(len(store.get(key))))
        lake.migrate("old")
        assert packs(lake, "array") == before
        data = [[row for row in rows_of(lake, ref) if row[0].endswith(".data")] for ref in ("old@1", "old@2")]
        assert data[0] == data[1]
        assert lake.show("old").bytes_stored < 2000


@pytest.mark.parametrize("odd", [False, True])
def test_a_pull_of_the_migrated_version_is_the_migrated_pull(lake: Lake, tmp_path: Path, odd: bool) -> None:
    if odd:
        lake.ingest(odd_zip(tmp_path / "odd.plzip"), sample="odd")
    ref = "odd" if odd else "old"
    lake.pull(ref, tmp_path / "pulled.plzip", exact=False)
    lake.migrate(ref)
    lake.pull(f"{ref}@2", tmp_path / "migrated then pulled.plzip")
    migrate(tmp_path / "pulled.plzip", tmp_path / "pulled then migrated.plzip")
    found = []
    for name in ("migrated then pulled.plzip", "pulled then migrated.plzip"):
        with open_container(tmp_path / name) as container:
            found.append([(member, container.read(at)) for at, member in enumerate(container.members)])
            assert container.comment == b"mine"
    assert found[0] == found[1]
    report = migrate(tmp_path / "migrated then pulled.plzip", dry_run=True)
    assert report.status == "unchanged"


def test_a_second_run_adds_nothing_whichever_version_is_named(lake: Lake, store: FaultyStore) -> None:
    lake.migrate("old")
    before = objects(store)
    for ref in ("old", "old@1", "old@2"):
        (report,) = lake.migrate(ref)
        assert (report.status, report.commit) == ("unchanged", None)
        assert report.to_version == (2 if ref == "old@1" else None)
    assert objects(store) == before


def test_forms_follow_one_another(lake: Lake) -> None:
    for version, form in enumerate(("0.1.0", "0.1.0+maps", "0.1.0+maps+arrays"), 2):
        (report,) = lake.migrate("old", to=form)
        assert (report.to_version, report.form) == (version, form)
        assert not any(row.path.endswith("arrays.json") for row in lake.members("old")) or version == 4
    (report,) = lake.migrate("old@1")
    assert (report.status, report.to_version) == ("unchanged", 4)
    with pytest.raises(UsageError, match=r"no form '7'"):
        lake.migrate("old", to="7")


def test_a_dry_run_writes_nothing(lake: Lake, store: FaultyStore) -> None:
    before = objects(store)
    (report,) = lake.migrate("old", dry_run=True)
    assert (report.status, report.to_version) == ("planned", None)
    assert [step.step for step in report.steps] == ["keys", "names", "maps", "arrays", "extensions"]
    assert objects(store) == before


def test_one_that_fails_does_not_stop_the_others(lake: Lake, tmp_path: Path) -> None:
    newer = {**new_group(2, 1), "metadata.json": b'{"version":"0.9.0","projects":[],"analyses":[]}'}
    lake.ingest(zip_of(tmp_path / "in" / "newer.plzip", newer))
    lake.ingest(zip_of(tmp_path / "in" / "zip.zip", {"a.txt": b"no group"}))
    told: list[MigrationReport] = []
    reports = lake.migrate("*", told=told.append)
    assert [(report.sample, report.status, report.exit_code) for report in reports] == [
        ("newer", "failed", 4), ("old", "migrated", 0)
    ]  # fmt: skip
    assert told == reports
    with pytest.raises(ReadOnlyError, match=r"0\.9\.0"):
        lake.migrate("newer")
    with pytest.raises(InputError, match=r"metadata\.json"):
        lake.migrate("zip")
    with pytest.raises(SampleNotFoundError):
        lake.migrate("nothing")


def test_an_interruption_keeps_what_is_committed(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "in" / "second.plzip", new_group(2, 2, seed=3)))

    def told(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.migrate(["old", "second"], told=told)
    assert [(row.sample, row.version) for row in lake.ls()] == [("old", 2), ("second", 1)]
    assert [report.status for report in lake.migrate("*")] == ["unchanged", "migrated"]


def test_two_who_migrate_at_once_make_one_version(lake: Lake, store: FaultyStore) -> None:
    with Lake(Vault(store, None)) as other:
        stale = vault_of(other).state.versions("v.sample = 'old'")
        lake.migrate("old")
        (report,) = migrate_versions(vault_of(other), stale, tool="test")
    assert (report.status, report.to_version) == ("unchanged", 2)
    assert [row.version for row in lake.ls(all_versions=True)] == [1, 2]


def test_a_version_that_was_forgotten_meanwhile_is_not_migrated(lake: Lake, store: FaultyStore) -> None:
    with Lake(Vault(store, None)) as other:
        stale = vault_of(other).state.versions("v.sample = 'old'")
        lake.forget("old")
        with pytest.raises(SampleNotFoundError, match="forgotten meanwhile"):
            list(migrate_versions(vault_of(other), stale, tool="test"))


def test_content_that_is_lost_is_said(lake: Lake, store: FaultyStore) -> None:
    (key,) = packs(lake, "array")
    store.delete([key])
    with pytest.raises(DamagedLakeError):
        lake.migrate("old")
    assert [row.version for row in lake.ls()] == [1]


def test_json_that_stands_in_a_lost_pack_is_stored_again(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    before = packs(lake, "json")
    lake.migrate("old")
    (added,) = packs(lake, "json") - before
    lake.forget("old@2")
    store.delete([added])
    (report,) = lake.migrate("old@1")
    assert (report.status, report.to_version) == ("migrated", 3)
    lake.pull("old@3", tmp_path / "new.plzip")


def test_the_original_file_and_its_path_stay_those_of_the_version_it_came_as(lake: Lake, tmp_path: Path) -> None:
    lake.migrate("old")
    assert lake.ingest(tmp_path / "in" / "old.plzip").archives[0].status == "unchanged"
    report = lake.pull_share(tmp_path / "share")
    assert [
        (done.original.version.name, done.report is not None and done.report.exact) for done in report.restored
    ] == [("old@1", True)]
    assert report.left_out == []
    (row,) = lake.exact("old")
    assert not row.exact
    lake.pull("old", tmp_path / "old.plzip")
    again = lake.ingest(tmp_path / "old.plzip").archives[0]
    assert (again.sample, again.blobs_new) == ("old", 0)


def test_a_migrated_version_is_verified_copied_renamed_and_collected_like_any_other(lake: Lake, tmp_path: Path) -> None:
    lake.migrate("old")
    before = rows_of(lake, "old")
    lake.forget("old@1")
    lake.gc(grace="0")
    assert lake.verify(data=True).ok
    assert rows_of(lake, "old") == before
    with new_lake(open_store("memory://migrated-copy")) as other:
        assert lake.copy_to(other).archives[0].status == "copied"
        assert rows_of(other, "old@2") == before
        assert other.verify(data=True).ok
    lake.rename("old", "new")
    assert rows_of(lake, "new") == before


def test_a_large_group_stays_listed_and_metadata_of_several_chunks_comes_back(
    store: FaultyStore, tmp_path: Path
) -> None:
    uuids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(1200)]
    metadata = {"projects": [{"uuid": "p", "analyses": ["a"]}], "analyses": [{"uuid": "a", "positionUuids": uuids}]}
    contents = {"metadata.json": dump(metadata)}
    for number, uuid in enumerate(uuids):
        contents[f"data/{uuid}/info.json"] = dump({"uuid": uuid, "comment": f"n : Pos. : {number + 1}"})
        contents[f"data/{uuid}/eds.data"] = number.to_bytes(4, "little")
    store.create(keys.LAKE, LakeParameters("0" * 32, "2026-11-23T02:34:57Z", chunk_bytes=4096).dump())
    with Lake(Vault(store, None)) as lake:
        lake.ingest(zip_of(tmp_path / "large.plzip", contents))
        lake.migrate("large")
        assert [position.info.position_number for position in lake["large"].positions[5:8]] == [6, 7, 8]
        version = vault_of(lake).state.versions("v.sample = 'large'")[-1]
        manifest = vault_of(lake).manifests.open(version.archive.manifest)
        assert manifest.outline(vault_of(lake).manifests.range_of(version)) is not None
        assert json.loads(lake.read("large", "metadata.json"))["projects"] == [{"uuid": "p", "analysisUuids": ["a"]}]
