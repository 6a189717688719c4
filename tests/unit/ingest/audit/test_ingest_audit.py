"""May this original be deleted? Only where the lake gives back all of it."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import counts, flip, group, new_lake, objects, only, own_store, zip_of

from sxeslake.errors import InputError, UnreachableError
from sxeslake.ingest import sums
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def lake(store: Store) -> Iterator[Lake]:
    with new_lake(store) as opened:
        yield opened


def status_of(lake: Lake, path: Path, **options: bool) -> str:
    (row,) = lake.audit(path, **options)  # type: ignore[arg-type]
    return row.status


def test_each_file_is_compared_with_the_lake(lake: Lake, store: Store, tmp_path: Path) -> None:
    stored = zip_of(tmp_path / "in" / "stored.plzip", group(1))
    changed = zip_of(tmp_path / "in" / "changed.plzip", group(2))
    lake.ingest([stored, changed])
    zip_of(changed, group(3))
    shutil.copy(stored, tmp_path / "in" / "elsewhere.zip")
    zip_of(tmp_path / "in" / "absent.plzip", group(4))
    (tmp_path / "in" / "notes.txt").write_text("x")
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK\x03\x04 no zip")
    (tmp_path / "in" / "empty.pl7z").write_bytes(b"")
    os.mkfifo(tmp_path / "in" / "pipe.zip")
    (tmp_path / "in" / "out.zip").symlink_to(zip_of(tmp_path / "out.zip", {}))
    before = objects(store)
    rows = {Path(row.path).name: row for row in lake.audit(tmp_path / "in")}
    assert {name: (row.status, row.archive) for name, row in rows.items()} == {
        "stored.plzip": ("stored", "stored@1"),
        "elsewhere.zip": ("stored", "stored@1"),
        "changed.plzip": ("changed", "changed@1"),
        "absent.plzip": ("absent", None),
        "notes.txt": ("absent", None),
        "broken.zip": ("damaged", None),
        "empty.pl7z": ("damaged", None),
        "pipe.zip": ("unreadable", None),
        "out.zip": ("skipped", None),
    }
    assert rows["notes.txt"].size == 1
    assert len(rows["stored.plzip"].sha256 or "") == 64
    assert [name for name, row in rows.items() if row.exact] == ["elsewhere.zip", "stored.plzip"]
    assert rows["stored.plzip"].checked == "presence"
    assert {(row.lake, row.commit) for row in rows.values()} == {(vault_of(lake).file.lake_id, 1)}
    assert objects(store) == before


def _times(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in group(1).items():
            made.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data)


def _order(path: Path) -> None:
    zip_of(path, dict(reversed(group(1).items())))


def _comment(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as made:
        made.comment = b"my precious note"


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"xes.data") + 100] ^= 1
    path.write_bytes(data)


def _around(path: Path, before: bytes, after: bytes) -> None:
    path.write_bytes(before + path.read_bytes() + after)


def _repacked(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in group(1).items():
            made.writestr(zipfile.ZipInfo(name, (2020, 2, 29, 12, 0, 0)), data, zipfile.ZIP_DEFLATED, 1)


def _with_folders(path: Path) -> None:
    zip_of(path, {"data/": b"", **{f"{name.rpartition('/')[0]}/": b"" for name in group(1) if "/" in name}, **group(1)})


def _unpacked(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(path.with_name("folder"))
    path.unlink()
    path.with_name("folder").rename(path)


COPIES: dict[str, tuple[Callable[[Path], object], str, set[str]]] = {
    "the same": (lambda _: None, "stored", set()),
    "another comment": (_comment, "same-content", {"comment"}),
    "other times": (_times, "same-content", {"times"}),
    "another order": (_order, "same-content", {"order"}),
    "a flipped byte": (_flip, "damaged", set()),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-50]), "damaged", set()),
    "100 bytes more": (lambda path: _around(path, b"", b"x" * 100), "same-content", {"trailing bytes"}),
    "100 bytes before": (lambda path: _around(path, b"#!" * 50, b""), "same-content", {"leading bytes"}),
    "repacked": (_repacked, "same-content", {"container"}),
    "unpacked": (_unpacked, "same-content", {"container", "attributes", "times", "order", "folders"}),
    "with folders": (_with_folders, "same-content", {"folders"}),
    "one member more": (lambda path: zip_of(path, {**group(1), "more": b"x"}), "absent", set()),
    "one member less": (lambda path: zip_of(path, group(1, 1)), "absent", set()),
    "other names": (lambda path: zip_of(path, {f"x/{k}": v for k, v in group(1).items()}), "absent", set()),
}  # fmt: skip


@pytest.mark.parametrize("case", COPIES)
def test_a_copy_is_stored_only_if_a_pull_gives_it_back(lake: Lake, tmp_path: Path, case: str) -> None:
    change, status, differs = COPIES[case]
    copied = tmp_path / "out" / "a.plzip"
    copied.parent.mkdir()
    shutil.copy(zip_of(tmp_path / "a.plzip", group(1)), copied)
    lake.ingest(tmp_path / "a.plzip")
    change(copied)
    (row,) = lake.audit(copied)
    assert (row.status, set(row.differs), row.exact, row.is_safe) == (
        status, differs, status == "stored", status == "stored"
    )  # fmt: skip
    if status == "damaged":
        assert "the file cannot be read" in (row.reason or "")
    elif status != "absent":
        assert (row.archive, row.archive_sha256) == ("a@1", sums.sha256_of(tmp_path / "a.plzip"))


def test_another_container_has_the_same_content(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    lake.pull("a", tmp_path / "out" / "other.pl7z")
    (row,) = lake.audit(tmp_path / "out")
    assert (row.status, "container" in row.differs) == ("same-content", True)


LOSSES: dict[str, tuple[Callable[[Store, str], object], bool, str]] = {
    "missing": (lambda store, key: store.delete([key]), False, "is missing"),
    "cut short": (lambda store, key: store.replace(key, store.get(key)[:-1]), False, "bytes instead of"),
    "rotten": (lambda store, key: flip(store, key, 60), True, ""),
    "rotten at its end": (lambda store, key: flip(store, key, len(store.get(key)) - 5), True, ""),
}


@pytest.mark.parametrize("kind", ["packs/", "manifests/"])
@pytest.mark.parametrize("loss", LOSSES)
def test_what_the_bucket_has_lost_is_not_stored(lake: Lake, store: Store, tmp_path: Path, loss: str, kind: str) -> None:
    lose, needs_data, words = LOSSES[loss]
    original = zip_of(tmp_path / "in" / "a.plzip", group(1))
    lake.ingest(original)
    shutil.copy(original, tmp_path / "in" / "b.plzip")
    _comment(tmp_path / "in" / "b.plzip")
    for key in [key for key in objects(store) if key.startswith(kind)]:
        lose(store, key)
    with Lake(Vault(store, None)) as fresh:
        rows = fresh.audit(tmp_path / "in", check_data=needs_data)
        assert [row.status for row in rows] == ["damaged", "damaged"]
        assert all("the lake is damaged" in (row.reason or "") and words in (row.reason or "") for row in rows)
        if needs_data and kind == "packs/":
            assert status_of(fresh, original) == "stored", "only that they are there was asked"


def test_a_blob_that_stands_elsewhere_is_not_lost(
    lake: Lake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers at once store the same blobs twice: either pack is enough."""
    path = zip_of(tmp_path / "a.zip", {"x": b"content"})
    lake.ingest(path)
    first = only(store, "packs/")
    with monkeypatch.context() as patched:
        patched.setattr(Vault, "find", lambda *_: {})  # as a writer that began before the other's commit
        lake.ingest(zip_of(tmp_path / "b.zip", {"x": b"content", "y": b"more"}))
    store.delete([first])
    assert status_of(lake, path) == status_of(lake, path, check_data=True) == "stored"
    assert lake.read("a", "x") == b"content"
    store.delete([only(store, "packs/")])
    assert status_of(lake, path) == "damaged"


def test_only_damaged_blobs_that_a_version_needs_count(lake: Lake, store: Store, tmp_path: Path) -> None:
    paths = [zip_of(tmp_path / "in" / f"{number}.zip", {"x": counts(number, 100_000)}) for number in range(2)]
    lake.ingest(paths)
    key = only(store, "packs/")
    flip(store, key, len(store.get(key)) // 4)
    assert [row.status for row in lake.audit(paths, check_data=True)] == ["damaged", "stored"]


def test_the_bucket_is_asked_once_for_each_object(
    lake: Lake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.ingest([zip_of(tmp_path / "in" / f"{number}.zip", {"x": bytes([number])}) for number in range(9)])
    asked: list[str] = []
    whole = store.size

    def size(key: str) -> int | None:
        asked.append(key)
        return whole(key)

    monkeypatch.setattr(vault_of(lake).store, "size", size)
    lake.audit(tmp_path / "in")
    of_objects = [key for key in asked if not key.startswith("log/")]
    assert len(of_objects) == len(set(of_objects)) == 2


def test_a_bucket_that_does_not_answer_proves_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    store = FaultyStore(own_store(request))
    with new_lake(store) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        store.plan("error", "size", "packs/")
        with pytest.raises(UnreachableError):
            lake.audit(tmp_path)


def test_the_version_of_the_same_path_is_the_proof(lake: Lake, tmp_path: Path) -> None:
    names = ["z/map", "b/map", "a/map"]
    paths = [zip_of(tmp_path / f"{name}.plzip", group(1)) for name in names]
    for name, path in zip(names, paths, strict=True):
        lake.ingest(path, sample=name)
    assert [row.archive for row in lake.audit(paths)] == ["a/map@1", "b/map@1", "z/map@1"]


def test_a_file_whose_packing_is_not_known_is_not_stored(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    lake.ingest(path, exact="never")
    (row,) = lake.audit(path)
    assert (row.status, row.differs) == ("same-content", ["container"])
    assert 'lake.exact("a@1"' in (row.reason or "")
    lake.exact(["a"])
    assert status_of(lake, path) == "stored"


def test_an_unpacked_group_is_compared_with_the_lake(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    folder = tmp_path / "folder"
    lake.pull("a", f"{folder}/")
    assert status_of(lake, folder) == "same-content"
    lake.ingest(folder)
    assert [(row.status, row.sha256, row.exact) for row in lake.audit(folder)] == [("stored", None, True)]
    os.utime(folder / "metadata.json", ns=(10**18, 10**18))
    assert [(row.status, row.differs) for row in lake.audit(folder)] == [("same-content", ["times"])]
    (folder / "extra").write_text("x")
    assert status_of(lake, folder) == "changed"


def test_a_tree_is_compared_as_one(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "notes.txt").write_text("x")
    lake.ingest(tmp_path / "in", tree=True)
    assert status_of(lake, tmp_path / "in") == "absent", "searched for archives"
    assert status_of(lake, tmp_path / "in", tree=True) == "stored"


def test_what_was_deleted_from_the_disk_is_not_missed(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    lake.ingest(path)
    path.unlink()
    assert lake.audit(tmp_path) == []


def test_a_file_that_cannot_be_read_is_a_row(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = (zip_of(tmp_path / name, {"x": name.encode()}) for name in ("bad.zip", "good.zip"))
    lake.ingest([bad, good])
    whole = sums.sha256_of
    for error in (OSError(5, "Input/output error"), ZeroDivisionError("odd"), InputError("is not a regular file")):

        def broken(path: Path, error: Exception = error) -> str:
            if path == bad:
                raise error
            return whole(path)

        monkeypatch.setattr(sums, "sha256_of", broken)
        rows = lake.audit(tmp_path)
        assert [row.status for row in rows] == ["unreadable", "stored"]
        assert str(error.args[-1]) in (rows[0].reason or "")


def test_a_file_that_changes_meanwhile_is_not_stored(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.zip", {"x": b"1"})
    lake.ingest(path)
    whole = sums.sha256_of

    def grows(path: Path) -> str:
        found = whole(path)
        path.write_bytes(path.read_bytes() + b"more")
        return found

    monkeypatch.setattr(sums, "sha256_of", grows)
    assert status_of(lake, path) == "unreadable"


def test_a_folder_of_which_a_time_is_not_kept_is_not_stored(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x").write_text("1")
    os.utime(tmp_path / "in" / "x", ns=(10413792 * 10**12, 10413792 * 10**12))
    if (tmp_path / "in" / "x").stat().st_mtime_ns < 1 << 63:
        pytest.skip("this disk holds no such time")
    lake.ingest(tmp_path / "in", tree=True)
    (row,) = lake.audit(tmp_path / "in", tree=True)
    assert (row.status, row.differs) == ("same-content", ["left out"])
    assert "2262" in (row.reason or "")


def test_a_real_archive_and_its_copies(lake: Lake, store: Store, tmp_path: Path, real_archive: Path) -> None:
    original = Path(shutil.copy(real_archive, tmp_path / "real.plzip"))
    data = original.read_bytes()
    lake.ingest(original)
    folder = tmp_path / "copies"
    folder.mkdir()
    comment = Path(shutil.copy(original, folder / "comment.plzip"))
    _comment(comment)
    clocks = bytearray(data)
    for magic, at in ((b"PK\x03\x04", 13), (b"PK\x01\x02", 15)):  # the date in local and central headers
        place = clocks.find(magic)
        while place >= 0:
            clocks[place + at] ^= 2  # another year
            place = clocks.find(magic, place + 4)
    (folder / "times.plzip").write_bytes(clocks)
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0x10
    (folder / "flip.plzip").write_bytes(flipped)
    (folder / "more.plzip").write_bytes(data + bytes(100))
    lake.pull("real", folder / "repacked.pl7z")
    lake.pull("real", f"{folder / 'unpacked'}/")
    rows = {Path(row.path).stem: row for row in lake.audit([original, folder])}
    assert {name: row.status for name, row in rows.items()} == {
        "real": "stored",
        "comment": "same-content",
        "times": "same-content",
        "flip": "damaged",
        "more": "same-content",
        "repacked": "same-content",
        "unpacked": "same-content",
    }
    assert rows["comment"].differs == ["comment"]
    assert rows["more"].differs == ["trailing bytes"]
    assert "times" in rows["times"].differs
    assert {"container"} <= set(rows["repacked"].differs) & set(rows["unpacked"].differs)
    keys = [key for key in objects(store) if key.startswith("packs/")]
    flip(store, keys[0], 60)
    assert (status_of(lake, original), status_of(lake, original, check_data=True)) == ("stored", "damaged")
    store.delete(keys[:1])
    assert status_of(lake, original) == "damaged"
