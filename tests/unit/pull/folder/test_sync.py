"""A folder kept up to date: only what differs moves, each file in one step, nothing else is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import counts, group, new_lake, own_store, zip_of

from sxeslake.archive.container import create_writer, open_container
from sxeslake.errors import AlreadyExistsError, DamagedLakeError, InputError, UnsafeNameError
from sxeslake.lake import Lake
from sxeslake.model import Member
from sxeslake.pull.folder import plan as folderplan
from sxeslake.pull.folder import present

ONE = {**group(1, 4), "empty": b"", "notes/a.txt": b"first"}
TWO = {**group(1, 5), "empty": b"", "notes/b.txt": b"second", "notes/c.txt": b"third"}


@pytest.fixture
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(own_store(request))


@pytest.fixture
def lake(store: FaultyStore, tmp_path: Path) -> Iterator[Lake]:
    with new_lake(store) as opened:
        opened.ingest(zip_of(tmp_path / "1" / "a.plzip", ONE), sample="a")
        opened.ingest(zip_of(tmp_path / "2" / "a.plzip", TWO), sample="a")
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_is_a_pull(lake: Lake, folder: Path) -> None:
    report = lake.sync("a@1", folder)
    assert contents_of(folder) == ONE
    assert (report.added, report.changed, report.unchanged, report.extra) == (len(ONE), 0, 0, 0)
    assert (report.members, report.bytes_written) == (len(ONE), sum(map(len, ONE.values())))
    with open_container(folder) as mine, open_container(folder.parent / "1" / "a.plzip") as source:
        assert {m.path for m in mine.members if m.kind == "file"} == {m.path for m in source.members}


def test_nothing_to_do_reads_no_file_and_no_pack(
    lake: Lake, folder: Path, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.sync("a", folder)
    lake.sync("a", folder)  # reads what it wrote
    vault_of(lake).blobs._cache.clear()
    store.delete([info.key for info in store.list("packs/")])

    def none(place: Path) -> bytes:
        raise AssertionError(f"{place} was read")

    monkeypatch.setattr(folderplan, "digest_of", none)
    report = lake.sync("a", folder)
    assert (report.unchanged, report.bytes_written) == (len(TWO), 0)


def test_from_one_version_to_the_next(lake: Lake, folder: Path) -> None:
    lake.sync("a@1", folder)
    report = lake.sync("a@2", folder)
    assert contents_of(folder) == {**TWO, "notes/a.txt": b"first"}
    assert (report.added, report.changed, report.removed, report.extra) == (4, 0, 0, 1)
    assert lake.sync("a@2", folder, delete=True).removed == 1
    assert contents_of(folder) == TWO
    assert contents_of_after(lake, "a@1", folder) == ONE


def contents_of_after(lake: Lake, ref: str, folder: Path) -> dict[str, bytes]:
    lake.sync(ref, folder, delete=True)
    return contents_of(folder)


def test_a_changed_file_of_the_same_size_and_time_is_seen(lake: Lake, folder: Path) -> None:
    lake.sync("a", folder)
    lake.sync("a", folder)
    path = next(folder.rglob("xes.data"))
    facts, data = path.stat(), bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    report = lake.sync("a", folder)
    assert (report.changed, report.unchanged) == (1, len(TWO) - 1)
    assert contents_of(folder) == TWO


def test_a_touched_file_gets_its_time_back_and_nothing_moves(lake: Lake, folder: Path) -> None:
    lake.sync("a", folder)
    path = folder / "notes" / "b.txt"
    before = path.stat().st_mtime_ns
    os.utime(path)
    assert lake.sync("a", folder).changed == 0
    assert path.stat().st_mtime_ns == before


def test_a_dry_run_does_nothing(lake: Lake, folder: Path, store: FaultyStore) -> None:
    report = lake.sync("a", folder, dry_run=True)
    assert not folder.exists()
    assert (report.dry_run, report.added) == (True, len(TWO))
    lake.sync("a@1", folder)
    before = contents_of(folder)
    store.delete([info.key for info in store.list("packs/")])
    report = lake.sync("a@2", folder, delete=True, dry_run=True)
    assert (report.added, report.removed) == (4, 1)
    assert 0 < report.bytes_moved < 5000
    assert contents_of(folder) == before


def test_an_interrupted_sync_goes_on_where_it_was(lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        nonlocal written
        written += 1
        if written > 5:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing)
        with pytest.raises(KeyboardInterrupt):
            lake.sync("a", folder)
    assert len(contents_of(folder)) == 5
    report = lake.sync("a", folder)
    assert (report.unchanged, report.added) == (5, len(TWO) - 5)
    assert contents_of(folder) == TWO


def test_a_file_is_on_the_disk_before_it_replaces_another(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.sync("a", folder)
    (folder / "metadata.json").write_bytes(b"mine")
    (folder / "notes" / "b.txt").unlink()
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        done.append("sync")
        fsync(handle)

    def replaced(self: Path, target: Path) -> Path:
        done.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    lake.sync("a", folder)
    assert [word for word in done if word in ("sync", "metadata.json", "b.txt")].count("sync") == 1
    assert done[done.index("metadata.json") - 1] == "sync"


def test_damage_leaves_the_old_file(lake: Lake, folder: Path, store: FaultyStore) -> None:
    lake.sync("a", folder)
    (folder / "metadata.json").write_bytes(b"mine")
    vault_of(lake).blobs._cache.clear()
    store.delete([info.key for info in store.list("packs/")])
    with pytest.raises(DamagedLakeError):
        lake.sync("a", folder)
    assert (folder / "metadata.json").read_bytes() == b"mine"
    assert not [path for path in folder.rglob("*") if "partial" in path.name]


def test_delete_spares_a_folder_that_is_none_of_it(lake: Lake, folder: Path) -> None:
    folder.mkdir()
    (folder / "data").mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="no file in this folder is of a@2"):
        lake.sync("a", folder, delete=True)
    assert (folder / "thesis.txt").read_text() == "mine"
    assert lake.sync("a", folder).extra == 1


def test_a_folder_in_the_way(lake: Lake, folder: Path) -> None:
    lake.sync("a", folder)
    (folder / "empty").unlink()
    (folder / "empty" / "deep").mkdir(parents=True)
    (folder / "empty" / "deep" / "file").write_text("mine")
    with pytest.raises(AlreadyExistsError, match="a folder where the archive has a file"):
        lake.sync("a", folder)
    lake.sync("a", folder, delete=True)
    assert contents_of(folder) == TWO


def test_links_are_never_followed(lake: Lake, folder: Path, tmp_path: Path) -> None:
    lake.sync("a", folder)
    elsewhere = tmp_path / "elsewhere"
    (folder / "notes").rename(elsewhere)
    (folder / "notes").symlink_to(elsewhere)
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    (folder / "empty").unlink()
    (folder / "empty").symlink_to(target)
    with pytest.raises((AlreadyExistsError, UnsafeNameError)):
        lake.sync("a", folder)
    lake.sync("a", folder, delete=True)
    assert contents_of(folder) == TWO
    assert not (folder / "notes").is_symlink()
    assert not (folder / "empty").is_symlink()
    assert target.read_bytes() == b"mine"
    assert len(contents_of(elsewhere)) == 2


def test_a_file_is_no_folder(lake: Lake, folder: Path) -> None:
    folder.write_text("mine")
    with pytest.raises(InputError, match="this is a file"):
        lake.sync("a", folder)


def test_folders_and_their_times(lake: Lake, tmp_path: Path, folder: Path) -> None:
    moment = 1_500_000_000_000_000_000
    members = [Member("d", "directory", modified_ns=moment), Member("d/x", "file", 1, modified_ns=moment + 10**9)]
    source = tmp_path / "times.zip"
    with source.open("wb") as file:
        writer = create_writer(file, "zip")
        for member in members:
            writer.add(member, [b"x"] if member.kind == "file" else [])
        writer.close()
    lake.ingest(source)
    assert lake.sync("times", folder).added == 2
    assert ((folder / "d").stat().st_mtime_ns, (folder / "d" / "x").stat().st_mtime_ns) == (moment, moment + 10**9)
    (folder / "d" / "x").unlink()
    assert (lake.sync("times", folder).unchanged, (folder / "d").stat().st_mtime_ns) == (1, moment)


def test_a_forced_pull_takes_what_the_folder_has(lake: Lake, folder: Path, store: FaultyStore) -> None:
    lake.pull("a@1", f"{folder}/")
    vault_of(lake).blobs._cache.clear()
    asked: list[int] = []
    fetch = vault_of(lake).blobs.fetch

    def counting(blobs: list[object], **how: bool) -> list[bytes]:
        asked.append(len(blobs))
        return fetch(blobs, **how)  # type: ignore[arg-type]

    vault_of(lake).blobs.fetch = counting  # type: ignore[method-assign, assignment]
    lake.pull("a@2", f"{folder}/", force=True)
    assert contents_of(folder) == TWO
    assert sum(asked) == 4  # one position's two files and two notes


def test_a_file_that_changes_while_it_is_taken_is_noticed(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.pull("a@1", f"{folder}/")
    before = contents_of(folder)
    monkeypatch.setattr(present, "is_here", lambda row, place: place.is_file() and row.member.size > 100)
    path = next(folder.rglob("xes.data"))
    path.write_bytes(counts(99))
    with pytest.raises(InputError, match="changed while it was read"):
        lake.pull("a@1", f"{folder}/", force=True)
    assert contents_of(folder) == {**before, path.relative_to(folder).as_posix(): counts(99)}
