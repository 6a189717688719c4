"""Repair from other places than the source: another lake, another pack, a checkpoint, a cache; and twice."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import flip, group, new_lake, new_vault, objects, only, own_store, zip_of
from support.vendor_session import hashes, session

from sxeslake.archive.container import create_writer
from sxeslake.disk.trouble import NoScratchError
from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.model import Member
from sxeslake.storage import Store, open_store
from sxeslake.vault.log import segments
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


def reopened(store: Store) -> Lake:
    return Lake(Vault(store, None, tolerant=True))


def keys_below(store: Store, prefix: str) -> list[str]:
    return sorted(info.key for info in store.list(prefix))


def test_another_lake_mends_packs_and_member_tables(store: Store, tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.plzip", group(1))
    other = open_store(f"memory://{tmp_path.name}-other")
    with new_lake(store) as lake, new_lake(other) as copy:
        lake.ingest(source)
        lake.copy_to(copy)
        for key in keys_below(store, keys.PACK_PREFIX) + keys_below(store, keys.MANIFEST_PREFIX):
            flip(store, key, 60)
        with reopened(store) as broken:
            assert not broken.repair().ok
            assert broken.repair(copy).ok
            assert broken.verify(data=True).problems == []


def test_what_one_offer_lacks_the_next_may_have(store: Store, tmp_path: Path) -> None:
    one, two = zip_of(tmp_path / "a.plzip", group(1)), zip_of(tmp_path / "b.plzip", group(2))
    with new_lake(store) as lake:
        lake.ingest([one, two])
    for key in keys_below(store, keys.PACK_PREFIX):
        flip(store, key, 70)
    with reopened(store) as lake:
        first = lake.repair(one)
        assert not first.ok
        assert {lost.archive for lost in first.lost} == {"b@1"}
        second = lake.repair(two)
        assert second.ok
        assert lake.verify(data=True).problems == []
        assert lake.repair().problems == 0


def test_the_files_of_an_instrument_mend_what_they_were_converted_to(store: Store, tmp_path: Path) -> None:
    raw = session(tmp_path)
    with new_lake(store) as lake:
        lake.ingest(raw)
    for key in keys_below(store, keys.PACK_PREFIX) + keys_below(store, keys.MANIFEST_PREFIX):
        flip(store, key, 70)
    with reopened(store) as lake:
        assert not lake.repair().ok
        assert lake.repair(raw).ok
        lake.originals("session 12", tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(raw)


def test_an_encrypted_archive_mends_what_came_from_it(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "a.7z"
    with source.open("wb") as out:
        writer = create_writer(out, "7z", password="p")
        for name, data in group(1).items():
            writer.add(Member(name, "file", len(data)), [data])
        writer.close()
    with new_lake(store) as lake:
        lake.ingest(source, passwords=["p"])
    for key in keys_below(store, keys.PACK_PREFIX) + keys_below(store, keys.MANIFEST_PREFIX):
        flip(store, key, 60)
    with reopened(store) as lake:
        assert any("is encrypted" in fault.detail for fault in lake.repair(source).offer_faults)
        assert lake.repair(source, passwords=["wrong", "p"]).ok
        assert lake.verify(data=True).problems == []


def test_a_member_table_of_a_collected_blob_is_made_from_the_source(store: Store, tmp_path: Path) -> None:
    one, two = zip_of(tmp_path / "a.plzip", group(1)), zip_of(tmp_path / "b.plzip", group(2))
    with new_lake(store) as lake:
        lake.ingest([one, two])
        flip(store, only(store, keys.MANIFEST_PREFIX), 40)
    with reopened(store) as lake:
        report = lake.repair(one)
        names = {lost.archive for lost in report.lost}
        assert names <= {"b@1"}  # the other table may have been whole where the bit was
        assert lake.repair(two).ok
        assert lake.verify(data=True).problems == []
        assert [row.sample for row in lake.ls()] == ["a", "b"]


def test_a_lost_entry_comes_back_from_a_checkpoint(store: Store, tmp_path: Path) -> None:
    with new_lake(store) as lake:
        for seed in range(3):
            lake.ingest(zip_of(tmp_path / f"{seed}.plzip", group(seed)))
        segments.publish(store, vault_of(lake).state)
    good = store.get(keys.log_key(2))
    for damage in (b"", good[:300], b"\0" * len(good), None):
        store.delete([keys.log_key(2)])
        if damage is not None:
            store.create(keys.log_key(2), damage)
        with reopened(store) as lake:
            report = lake.verify()
            assert next(problem.affects for problem in report.problems if problem.kind == "log") in (["1@1"], [])
            assert lake.repair().ok
        assert store.get(keys.log_key(2)) == good


def test_a_lost_entry_comes_back_from_the_cache(store: Store, tmp_path: Path) -> None:
    with new_lake(store) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        lake.ingest(zip_of(tmp_path / "b.plzip", group(2)))
        good = store.get(keys.log_key(1))
        store.replace(keys.log_key(1), b"nonsense")
        assert [problem.affects for problem in lake.verify().problems] == [["a@1"]]
        assert lake.repair().ok
        assert store.get(keys.log_key(1)) == good


def test_a_lost_entry_comes_back_from_a_clone(store: Store, tmp_path: Path) -> None:
    clone = open_store(f"memory://{tmp_path.name}-clone")
    with new_lake(store) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        lake.ingest(zip_of(tmp_path / "b.plzip", group(2)))
    for key, data in objects(store).items():
        clone.create(key, data)
    for number in (1, 2):
        good = store.get(keys.log_key(number))
        store.replace(keys.log_key(number), b"nonsense")
        damaged = Vault(store, None)
        with pytest.raises(DamagedLakeError, match="repair"):
            damaged.check_writable()
        damaged.close()
        with reopened(store) as lake, Lake(Vault(clone, None)) as other:
            assert lake.repair(other).ok
        assert store.get(keys.log_key(number)) == good


def test_damaged_checkpoints_are_made_anew(store: Store, tmp_path: Path) -> None:
    with Lake(new_vault(store)) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        segments.publish(store, vault_of(lake).state)
        for key in keys_below(store, keys.CHECKPOINT_PREFIX):
            flip(store, key, 90)
            report = lake.verify(data=True)
            assert [problem.kind for problem in report.problems] == ["checkpoint"]
            assert lake.repair().ok
            assert lake.verify(data=True).ok


@pytest.mark.parametrize("number", [1, 2, 3])
def test_where_nobody_has_an_entry_another_stands_for_it(store: Store, tmp_path: Path, number: int) -> None:
    sources = [zip_of(tmp_path / f"s{seed}.plzip", group(seed)) for seed in (1, 2, 3)]
    with new_lake(store) as lake:
        for source in sources:
            lake.ingest(source)
    key = keys.log_key(number)
    store.replace(key, store.get(key).replace(b'"who":"', b'"who":"not ', 1))  # more than a byte, and still JSON
    with reopened(store) as lake:
        report = lake.repair()
        assert [lost.archive for lost in report.lost] == [key]
        assert report.mended[0].object == key
    with Lake(Vault(store, None)) as cold:
        assert cold.verify(data=True).problems == []
        assert [row.sample for row in cold.ls()] == ["s1", "s2", "s3"]
        assert {archive.status for archive in cold.ingest(sources).archives} == {"unchanged"}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_what_an_entry_said_can_be_ingested_again(
    store: Store, tmp_path: Path, number: int, damage: bytes | None
) -> None:
    sources = [zip_of(tmp_path / f"s{seed}.plzip", group(seed)) for seed in (1, 2, 3)]
    with new_lake(store) as lake:
        for source in sources:
            lake.ingest(source)
    store.delete([keys.log_key(number)])
    if damage is not None:
        store.create(keys.log_key(number), damage)
    if damage is None and number == 3:
        return  # nobody can know that there was a third
    with reopened(store) as lake:
        assert not lake.repair().ok
    with Lake(Vault(store, None)) as cold:
        assert cold.verify(data=True).problems == []
        assert sorted(row.sample for row in cold.ls()) == sorted({"s1", "s2", "s3"} - {f"s{number}"})
        again = cold.ingest(sources)
        assert [(row.status, row.blobs_new) for row in again.archives if row.status == "added"] == [("added", 0)]
        assert cold.verify(data=True).problems == []


def test_a_gap_in_the_log_is_never_written_into(store: Store, tmp_path: Path) -> None:
    sources = [zip_of(tmp_path / f"s{seed}.plzip", group(seed)) for seed in (1, 2, 3, 4)]
    with new_lake(store) as lake:
        for source in sources[:3]:
            lake.ingest(source)
    store.delete([keys.log_key(2)])
    with pytest.raises(DamagedLakeError), Lake(Vault(store, None)) as cold:
        cold.ingest(sources[3])
    assert store.size(keys.log_key(2)) is None
    store.delete([keys.log_key(1)])
    with pytest.raises(DamagedLakeError), Lake(Vault(store, None)) as cold:
        cold.ingest(sources[3])


def test_a_condemned_pack_that_is_still_there_is_drawn_on(store: Store, tmp_path: Path) -> None:
    """A collector leaves it to readers for a while; meanwhile the pack that took its place is lost."""
    source = zip_of(tmp_path / "a.plzip", group(1))
    with new_lake(store) as lake:
        lake.ingest([source, zip_of(tmp_path / "b.plzip", group(2))])
        before = set(keys_below(store, keys.PACK_PREFIX))
        lake.forget("b")
        objects_of = store._space.objects  # type: ignore[attr-defined]
        for key, (data, modified) in list(objects_of.items()):
            objects_of[key] = (data, modified - 7200)
        lake.gc(grace="1h")
        made = set(keys_below(store, keys.PACK_PREFIX)) - before
        assert made
        assert before <= set(keys_below(store, keys.PACK_PREFIX))
        store.delete(sorted(made))
    with reopened(store) as lake:
        assert lake.repair().ok
        assert lake.verify(data=True).ok
        lake.pull("a", tmp_path / "out.plzip", exact=True)
    assert (tmp_path / "out.plzip").read_bytes() == source.read_bytes()


def test_a_failing_temporary_disk_is_no_fault_of_an_offer(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = zip_of(tmp_path / "a.plzip", group(1))
    with new_lake(store) as lake:
        lake.ingest(source)
    for key in keys_below(store, keys.PACK_PREFIX):
        flip(store, key, 70)

    class Failing(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("sxeslake.maintenance.repair.offers.TemporaryFile", lambda **_: Failing())
    with reopened(store) as lake, pytest.raises(NoScratchError, match="a temporary file fails: Input/output error"):
        lake.repair(source)
