"""An ingest that was interrupted: the next one uses again what it had uploaded, and nothing that is not safe."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import counts, objects, own_store, zip_of

from sxeslake.errors import UnreachableError
from sxeslake.format.keys import pack_key
from sxeslake.format.lakefile import HASHED_FROM, sealed
from sxeslake.format.logentry import PackAdded
from sxeslake.lake import Lake
from sxeslake.storage import Data
from sxeslake.vault.packs import uploads
from sxeslake.vault.packs.packing import Packer
from sxeslake.vault.packs.uploads import Uploads
from sxeslake.vault.vault import Vault, create_lake

PACK_BYTES = 200_000
CONTENTS = {f"data/{number}.bin": counts(number, 20_000) for number in range(12)}  # each a frame of some 35 kB


@pytest.fixture
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FaultyStore:
    monkeypatch.setattr(Packer.__init__, "__defaults__", (PACK_BYTES,))
    store = FaultyStore(own_store(request))
    create_lake(store, {})
    return store


@pytest.fixture
def client(store: FaultyStore, tmp_path: Path) -> Callable[[], Lake]:
    """The lake, as the next process on this machine opens it."""
    return lambda: Lake(Vault(store, tmp_path / "cache"))


def packs(store: FaultyStore) -> set[str]:
    return {key for key in objects(store) if key.startswith("packs/")}


def journals(lake: Lake) -> list[Path]:
    return sorted((vault_of(lake).folder / "uploads").glob("*"))


def interrupted(client: Callable[[], Lake], store: FaultyStore, path: Path, before: str = "manifests/") -> set[str]:
    """Ingest until a request fails; what is uploaded by then."""
    with client() as lake:
        store.plan("error", "create", before)
        with pytest.raises(UnreachableError):
            lake.ingest(path, exact="never")
        assert len(journals(lake)) == 1
    assert packs(store)
    return packs(store)


@pytest.mark.parametrize("before", ["manifests/", "log/"])
def test_the_next_run_uploads_only_the_rest(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path, before: str
) -> None:
    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS), before)
    more = {**CONTENTS, "data/new.bin": counts(99, 20_000)}
    with client() as lake:
        report = lake.ingest(zip_of(tmp_path / "a.zip", more), exact="never")
        assert len(packs(store) - there) == 1
        (archive,) = report.archives
        assert (archive.blobs_new, archive.blobs) == (len(more), len(more))
        stored = sum(store.size(pack) or 0 for pack in packs(store))
        assert archive.bytes_stored == pytest.approx(stored, rel=0.03)
        assert journals(lake) == []
        assert lake.verify(data=True).ok
        assert [lake.read("a", name) for name in more] == list(more.values())
        assert lake.gc(grace="0").orphans == (1 if before == "log/" else 0)  # the manifest of the run that died


def test_what_is_taken_up_is_on_the_disk_before_the_commit(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path
) -> None:
    """Its writer may have died before the folder was synced."""
    done: list[str] = []

    class Recording(FaultyStore):
        def settle(self, keys: Sequence[str]) -> None:
            done.extend(keys)

        def create(self, key: str, data: Data) -> None:
            done.append(key)
            super().create(key, data)

    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    with Lake(Vault(Recording(store.store), tmp_path / "cache")) as lake:
        lake.ingest(tmp_path / "a.zip", exact="never")
    assert there < set(done)
    assert set(done) - there
    assert done[-1].startswith("log/")


JOURNAL_DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda data: bytes(range(256)) * 9,
    "no lines": lambda data: b"",
    "another kind": lambda data: data.replace(b'"kind": "array"', b'"kind": "json"'),
    "other numbers": lambda data: data.replace(b'"footer_bytes": ', b'"footer_bytes": 1'),
    "not of this kind": lambda data: sealed(b'{"gone": 5}') + b"\n" + data,
    "cut short": lambda data: data[:-20],
    "another lake's": lambda data: b"".join(
        sealed(b"{" + line[HASHED_FROM + 2 :].replace(b'"id": "', b'"id": "0')) + b"\n"
        for line in data.splitlines()
        if line
    ),
}


@pytest.mark.parametrize("damage", JOURNAL_DAMAGE)
def test_a_damaged_journal_costs_uploads_only(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path, damage: str
) -> None:
    interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    with client() as lake:
        (journal,) = journals(lake)
        journal.write_bytes(JOURNAL_DAMAGE[damage](journal.read_bytes()))
        lake.ingest(tmp_path / "a.zip", exact="never")
        assert {pack.kind for pack in vault_of(lake).state.packs().values()} == {"array"}
        lake.gc(grace="0")
        assert lake.verify(data=True).ok
        assert [lake.read("a", name) for name in CONTENTS] == list(CONTENTS.values())


def test_a_second_archive_finds_them_in_the_log(store: FaultyStore, client: Callable[[], Lake], tmp_path: Path) -> None:
    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    with client() as lake:
        lake.ingest(zip_of(tmp_path / "a.zip", CONTENTS), exact="never")
        report = lake.ingest(zip_of(tmp_path / "b.zip", {**CONTENTS, "data/b.bin": b""}), exact="never")
        assert report.archives[0].blobs_new == 0
        assert packs(store) == there
        assert lake.verify(data=True).ok


def test_what_a_collector_took_is_uploaded_anew(store: FaultyStore, client: Callable[[], Lake], tmp_path: Path) -> None:
    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    with Lake(Vault(store, None)) as other:
        assert other.gc(grace="0").orphans == len(there)
    with client() as lake:
        lake.ingest(tmp_path / "a.zip", exact="never")
        assert packs(store).isdisjoint(there)
        assert lake.verify(data=True).ok


def test_a_collector_that_comes_in_between(store: FaultyStore, client: Callable[[], Lake], tmp_path: Path) -> None:
    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    create = store.create

    def collect_first(key: str, data: Data) -> None:
        if key.startswith("manifests/"):
            store.create = create  # type: ignore[method-assign]
            with Lake(Vault(store, None)) as other:
                assert other.gc(grace="0").orphans == len(there)
        create(key, data)

    store.create = collect_first  # type: ignore[method-assign]
    with client() as lake:
        assert lake.ingest(tmp_path / "a.zip", exact="never").commit == 2
        assert packs(store).isdisjoint(there)
        assert lake.verify(data=True).ok


def test_a_pack_that_is_not_what_was_noted_is_left_alone(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path
) -> None:
    there = sorted(interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS)))
    store.replace(there[0], store.get(there[0])[:-1])
    store.replace(there[1], store.get(there[1])[:-40] + bytes(40))
    with client() as lake:
        lake.ingest(tmp_path / "a.zip", exact="never")
        used = {pack_key(pack) for pack in vault_of(lake).state.pack_ids()}
        assert used.isdisjoint(there[:2])
        assert used.issuperset(there[2:])
        assert lake.verify(data=True).ok


def test_a_journal_that_is_damaged_is_read_as_far_as_it_goes(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path
) -> None:
    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    with client() as lake:
        (journal,) = journals(lake)
        junk = b'{"pack": {"id": "../x"}}\n{"pack": 7}\n[1]\n{"pack": {"id": 1, "kind": "", "bytes": 0'
        journal.write_bytes(junk + b"\n" + journal.read_bytes()[:-20])
        lake.ingest(tmp_path / "a.zip", exact="never")
        assert len(there & {pack_key(pack) for pack in vault_of(lake).state.pack_ids()}) == len(there) - 1
        assert journals(lake) == []
        assert lake.verify(data=True).ok


def test_what_a_living_run_has_uploaded_is_its_own(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path
) -> None:
    interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    with client() as one, client() as two, Uploads(vault_of(two)) as late:
        with Uploads(vault_of(one)) as first:
            first.take_up()
            late.take_up()
            assert first.packs
            assert not late.packs
            noted = set(first.packs)
        late.take_up()
        assert set(late.packs) == noted


@pytest.mark.parametrize("locks", [True, False])
def test_two_runs_that_took_up_the_same_add_it_once(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool
) -> None:
    """Also where the file system does not keep its promise, and where the run that died had committed after all."""
    there = interrupted(client, store, zip_of(tmp_path / "a.zip", CONTENTS))
    create = store.create
    with client() as lake, client() as other:
        (journal,) = journals(lake)
        shutil.copy(journal, journal.with_stem(f"{journal.stem}2"))
        monkeypatch.setattr(uploads, "_hold", uploads._hold if locks else lambda _: True)

        def other_first(key: str, data: Data) -> None:
            if key.startswith("log/"):
                store.create = create  # type: ignore[method-assign]
                if not locks:
                    shutil.copy(tmp_path / "kept", journal.with_stem(f"{journal.stem}3"))
                other.ingest(zip_of(tmp_path / "b.zip", {**CONTENTS, "b": b"b"}), exact="never")
            create(key, data)

        shutil.copy(journal, tmp_path / "kept")
        store.create = other_first  # type: ignore[method-assign]
        assert lake.ingest(tmp_path / "a.zip", exact="never").commit == 2
        shutil.copy(tmp_path / "kept", journal)
        assert lake.ingest(zip_of(tmp_path / "c.zip", {**CONTENTS, "c": b"c"}), exact="never").commit == 3
        assert there <= {pack_key(pack) for pack in vault_of(lake).state.pack_ids()}
        assert lake.verify(data=True).ok
    with client() as lake:
        assert {row.sample for row in lake.ls()} == {"a", "b", "c"}


def test_what_a_failed_archive_had_uploaded_is_taken_off_and_back(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path
) -> None:
    path = zip_of(tmp_path / "a.zip", CONTENTS)
    with zipfile.ZipFile(path) as archive:
        at = archive.infolist()[-1].header_offset + 2000
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    with client() as lake:
        assert lake.ingest(path).failed
        assert packs(store) == set()
        assert journals(lake) == []


def test_a_journal_that_cannot_be_written_costs_nothing_but_itself(
    store: FaultyStore, client: Callable[[], Lake], tmp_path: Path
) -> None:
    with client() as lake:
        (vault_of(lake).folder / "uploads").write_bytes(b"in the way")
        assert lake.ingest(zip_of(tmp_path / "a.zip", CONTENTS), exact="never").commit == 1
        assert lake.verify(data=True).ok


def test_a_pack_is_noted_before_it_goes_to_the_bucket(
    client: Callable[[], Lake], store: FaultyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, the next run has a note without a pack; the other way round, a pack that it does not know."""
    create = store.create
    unnoted: list[str] = []

    def creating(key: str, data: Data) -> None:
        if key.startswith("packs/"):
            noted = "".join(path.read_text() for path in journals(lake))
            unnoted.extend([key] if key.rpartition("/")[2].removesuffix(".pack") not in noted else [])
        create(key, data)

    monkeypatch.setattr(store, "create", creating)
    with client() as lake:
        lake.ingest(zip_of(tmp_path / "a.zip", CONTENTS), exact="never")
    assert len(packs(store)) > 1
    assert unnoted == []


def test_what_is_taken_off_the_journal_is_off_the_disk_before_it_is_deleted(
    client: Callable[[], Lake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, no later run may believe in a pack that was deleted."""
    synced: list[bytes] = []
    fsync = os.fsync

    def recorded(handle: int) -> None:
        fsync(handle)
        synced.extend(path.read_bytes() for path in journals(lake))

    record = PackAdded("0" * 32, "data", 100, 10, 1, 50)
    with client() as lake, Uploads(vault_of(lake)) as uploads:
        uploads.note(record)
        monkeypatch.setattr(os, "fsync", recorded)
        assert uploads.leave([record.id])
    assert len(synced) == 1
    assert b'"gone": ["' + record.id.encode() in synced[0]
