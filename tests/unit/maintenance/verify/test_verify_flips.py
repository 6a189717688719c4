"""One flipped byte anywhere in a pack, a manifest or the log is found, and the archives that it touches are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import flip, group, new_lake, objects, only, own_store, zip_of

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys, logentry, pack
from sxeslake.lake import Lake
from sxeslake.maintenance.report import VerifyReport
from sxeslake.storage import Store
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def lake(store: Store, tmp_path: Path) -> Iterator[Lake]:
    """`one` and `two` share a position, `three` shares nothing with them; all in commits and packs of their own."""
    with new_lake(store) as opened:
        opened.ingest(zip_of(tmp_path / "one.plzip", group(1, 2)))
        opened.ingest(zip_of(tmp_path / "two.plzip", {**group(1, 1), "x.txt": b"only in two " * 9}))
        opened.ingest(zip_of(tmp_path / "three.plzip", group(3, 2)))
        yield opened


def fresh(store: Store) -> VerifyReport:
    """What a client says that has seen the lake for the first time."""
    with Lake(Vault(store, None)) as lake:
        return lake.verify(data=True)


def affected(report: VerifyReport) -> set[str]:
    return {name for problem in report.problems for name in problem.affects}


def places(size: int, step: int) -> list[int]:
    """Every region of an object: each byte at either end, every so many between."""
    return sorted({*range(0, min(size, 90), 7), *range(0, size, step), *range(max(0, size - 70), size, 5), size - 1})


def test_a_whole_lake_has_no_problems(lake: Lake, store: Store) -> None:
    for report in (lake.verify(), lake.verify(data=True), fresh(store)):
        assert (report.ok, report.problems) == (True, [])
    checked = lake.verify(data=True).checked
    assert (checked.log_entries, checked.manifests) == (3, 3)
    assert (checked.blobs, checked.packs) == (lake.stats().blobs, lake.stats().packs)
    assert checked.bytes == lake.stats().bytes_unique_raw


def test_verifying_writes_nothing(lake: Lake, store: Store) -> None:
    before = objects(store)
    lake.verify(data=True)
    assert objects(store) == before


def needing(lake: Lake, key: str) -> set[str]:
    pack_id = keys.id_of(key)
    return {version.name for version in vault_of(lake).state.versions() if pack_id in version.archive.needs}


def test_a_flipped_byte_of_a_pack_is_found(lake: Lake, store: Store) -> None:
    for info in list(store.list("packs/")):
        for at in places(info.size, 211):
            flip(store, info.key, at)
            report = lake.verify(data=True)
            assert not report.ok, f"{info.key} byte {at}"
            assert info.key in {problem.object for problem in report.problems}
            assert affected(report) & needing(lake, info.key), f"{info.key} byte {at} touches nobody"
            assert affected(report) <= needing(lake, info.key)
            flip(store, info.key, at)
    assert lake.verify(data=True).ok


def test_only_those_who_need_a_blob_are_named(lake: Lake, store: Store) -> None:
    """`one` and `two` need the same pack; the second position is of `one` alone."""
    version = next(v for v in vault_of(lake).state.versions() if v.sample == "one")
    arrays = [row for row in vault_of(lake).rows(version) if row.member.path.endswith("xes.data")]
    shared = {row.digest for row in vault_of(lake).rows(vault_of(lake).state.versions("v.sample = 'two'")[0])}
    found = {}
    for row in arrays:
        hint = row.blobs[0].hint
        assert hint is not None
        key = keys.pack_key(hint.pack)
        flip(store, key, hint.frame_offset + hint.frame_length - 1)
        found[row.digest in shared] = affected(lake.verify(data=True))
        flip(store, key, hint.frame_offset + hint.frame_length - 1)
    frames = {row.blobs[0].hint and row.blobs[0].hint.frame_offset for row in arrays}
    if len(frames) == 1:  # both arrays in one frame: whoever needs one, is touched
        assert found[True] == {"one@1", "two@1"}
    assert found[True] == {"one@1", "two@1"}
    assert "three@1" not in found[True] | found[False]


def test_a_flipped_byte_of_a_manifest_is_found(lake: Lake, store: Store) -> None:
    for version in vault_of(lake).state.versions():
        key = keys.manifest_key(version.archive.manifest)
        for at in places(store.size(key) or 0, 97):
            flip(store, key, at)
            report = lake.verify(data=True)
            assert {problem.object for problem in report.problems} == {key}, f"byte {at}"
            assert affected(report) == {version.name}
            flip(store, key, at)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_flipped_byte_of_the_log_is_found(lake: Lake, store: Store, number: int) -> None:
    key = keys.log_key(number)
    name = {1: "one@1", 2: "two@1", 3: "three@1"}[number]
    for at in places(store.size(key) or 0, 173):
        flip(store, key, at)
        report = lake.verify(data=True)
        assert key in {problem.object for problem in report.problems}, f"byte {at}"
        assert name in affected(report), f"byte {at}"
        flip(store, key, at)
    assert lake.verify(data=True).ok


def test_a_flipped_byte_of_a_body_is_found(
    lake: Lake, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(logentry, "MAX_ENTRY_BYTES", 800)
        lake.ingest(zip_of(tmp_path / "four.plzip", group(4)))
    (key,) = (info.key for info in store.list(keys.BODY_PREFIX))
    for at in places(store.size(key) or 0, 83):
        flip(store, key, at)
        report = lake.verify(data=True)
        assert not report.ok, f"byte {at}"
        assert "four@1" in affected(report)
        flip(store, key, at)


@pytest.mark.parametrize("prefix", ["packs/", "manifests/", "log/"])
@pytest.mark.parametrize("damage", ["gone", "cut", "longer", "empty"])
def test_objects_of_another_length_are_found(lake: Lake, store: Store, prefix: str, damage: str) -> None:
    for info in list(store.list(prefix)):
        data = store.get(info.key)
        if damage == "gone":
            store.delete([info.key])
        else:
            store.replace(info.key, {"cut": data[:-1], "longer": data + b"\0", "empty": b""}[damage])
        report = lake.verify()
        assert not report.ok, f"{info.key} is {damage}"
        assert affected(report), f"{info.key} is {damage}, and nobody is touched"
        store.replace(info.key, data)
    assert lake.verify(data=True).ok


def test_exchanged_objects_are_found(lake: Lake, store: Store) -> None:
    for prefix in ("packs/", "manifests/", "log/"):
        first, second, *_ = sorted(info.key for info in store.list(prefix))
        one, two = store.get(first), store.get(second)
        store.replace(first, two)
        store.replace(second, one)
        assert {first, second} <= {problem.object for problem in lake.verify(data=True).problems}
        store.replace(first, one)
        store.replace(second, two)


def test_structure_is_checked_without_data(lake: Lake, store: Store) -> None:
    """Without `data` footers, manifests and the log are read; a flipped byte of a spectrum is not."""
    (info, *_) = sorted(store.list("packs/"), key=lambda found: -found.size)
    start = pack.footer_start(store.get(info.key), info.size, where="test")
    flip(store, info.key, start - 3)
    assert lake.verify().ok
    assert not lake.verify(data=True).ok
    flip(store, info.key, start - 3)
    flip(store, info.key, start + 3)
    assert not lake.verify().ok


def test_damage_is_never_returned_as_data(lake: Lake, store: Store) -> None:
    contents = group(1, 2)
    for info in list(store.list("packs/")):
        for at in range(0, info.size, 499):
            flip(store, info.key, at)
            with Lake(Vault(store, None)) as reader:
                for path, data in contents.items():
                    try:
                        assert reader.read("one", path) == data
                    except DamagedLakeError:
                        continue
            flip(store, info.key, at)


def test_a_pack_of_nobody_is_no_problem(lake: Lake, store: Store) -> None:
    store.create(keys.pack_key(keys.new_id()), b"left by a writer that stopped")
    assert lake.verify(data=True).ok


def test_the_only_pack_of_a_single_archive(store: Store, tmp_path: Path) -> None:
    with new_lake(store) as lake:
        lake.ingest(zip_of(tmp_path / "a.zip", {"a": b"1"}))
        store.delete([only(store, "packs/")])
        assert affected(lake.verify()) == {"a@1"}
