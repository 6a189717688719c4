"""What the lake has lost is stored again when its content comes by; nothing new is built on what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import group, zip_of

from sxeslake import lake as lakes
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.errors import SxeslakeError
from sxeslake.lake import Lake

CONTENTS = group(1, 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def opened(root: Path) -> Lake:
    return lakes.open_lake(str(root))


def stored(root: Path, path: Path) -> None:
    with lakes.init(str(root)) as lake:
        lake.ingest(path)


def packs(root: Path) -> list[Path]:
    return sorted((root / "packs").rglob("*.pack"))


def rot(path: Path) -> None:
    """Flip a bit in each frame of a pack; footer and size stay."""
    data = bytearray(path.read_bytes())
    for at in range(60, len(data) - 400, 97):
        data[at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("which", ["packs", "manifests", "both"])
def test_the_same_file_heals_what_is_missing(root: Path, tmp_path: Path, which: str) -> None:
    source = zip_of(tmp_path / "a.plzip", CONTENTS)
    stored(root, source)
    for name in ("packs", "manifests"):
        if which in (name, "both"):
            for path in (root / name).rglob("*.*"):
                path.unlink()
    with opened(root) as lake:
        with pytest.raises(SxeslakeError):
            lake.pull("a", tmp_path / "lost.zip", exact=False)
        (archive,) = lake.ingest(source).archives
        assert (archive.status, archive.sample, archive.version) == ("unchanged", "a", 1)
        assert archive.healed == archive.blobs_new
        assert bool(archive.healed) is (which != "manifests")
        lake.pull("a@1", tmp_path / "out.plzip", exact=True)
        assert (tmp_path / "out.plzip").read_bytes() == source.read_bytes()
        assert not [problem for problem in lake.verify(data=True).problems if problem.affects]
        lake.gc(grace="0")
        assert lake.verify(data=True).problems == []
    with opened(root) as lake:  # nothing is left to heal
        again = lake.ingest(source)
        assert (again.commit, again.archives[0].healed) == (None, 0)


def test_content_that_was_lost_is_stored_again_with_another_archive(root: Path, tmp_path: Path) -> None:
    stored(root, zip_of(tmp_path / "a.plzip", CONTENTS))
    for path in packs(root):
        path.unlink()
    with opened(root) as lake:
        other = zip_of(tmp_path / "b.plzip", {**CONTENTS, "notes.txt": b"more"})
        (archive,) = lake.ingest(other, sample="other").archives
        assert archive.status == "added"
        lake.pull("other", tmp_path / "other.plzip", exact=False)
        lake.pull("a", tmp_path / "a.out.plzip", exact=False)  # its blobs are there again
        (version,) = vault_of(lake).state.versions("v.sample = 'other'")
        needed = version.archive.needs
        assert all((root / "packs" / pack[:2] / f"{pack}.pack").exists() for pack in needed)


@pytest.mark.parametrize("check_data", [False, True])
def test_rotten_packs_are_noticed_where_data_is_checked(root: Path, tmp_path: Path, check_data: bool) -> None:
    source = zip_of(tmp_path / "a.plzip", CONTENTS)
    stored(root, source)
    for path in packs(root):
        rot(path)
    with opened(root) as lake:
        (archive,) = lake.ingest(source, check_data=check_data).archives
        assert archive.status == "unchanged"
        assert bool(archive.healed) is check_data
        if check_data:
            lake.pull("a", tmp_path / "out.plzip", exact=False)
            assert lake.repair().ok  # which takes the rotten pack away
            assert lake.verify(data=True).problems == []


def test_a_truncated_pack_is_a_missing_one(root: Path, tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.plzip", CONTENTS)
    stored(root, source)
    for path in packs(root):
        path.write_bytes(path.read_bytes()[:-10])
    with opened(root) as lake:
        assert lake.ingest(source).archives[0].healed
        lake.pull("a", tmp_path / "out.plzip", exact=False)


def test_each_pack_is_asked_for_once_a_run(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [zip_of(tmp_path / "in" / f"{seed}.plzip", group(seed)) for seed in range(20)]
    with lakes.init(str(root)) as lake:
        lake.ingest(sources)
        asked: list[str] = []
        size = vault_of(lake).store.size
        monkeypatch.setattr(vault_of(lake).store, "size", lambda key: asked.append(key) or size(key))  # type: ignore[func-returns-value]
        report = lake.ingest(sources)
        assert {archive.status for archive in report.archives} == {"unchanged"}
        of_packs = [key for key in asked if key.startswith("packs/")]
        assert len(of_packs) == len(set(of_packs)) == len(packs(root))


def test_a_map_that_was_made_exact_stays_exact(root: Path, tmp_path: Path) -> None:
    source = write_archive(tmp_path / "map.plzip", map_members(MapPlan(2, 3, 4)))
    with lakes.init(str(root)) as lake:
        lake.ingest(source, exact="always")
    for path in packs(root):
        path.unlink()
    with opened(root) as lake:
        assert lake.ingest(source, exact="always").archives[0].healed
        lake.pull("map", tmp_path / "out.plzip", exact=True)
        assert (tmp_path / "out.plzip").read_bytes() == source.read_bytes()


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "footer":
        path.write_bytes(data[:-60] + bytes([data[-60] ^ 1]) + data[-59:])
    else:
        path.write_bytes(data[:-1] if how == "cut short" else data + b"x")


@pytest.mark.parametrize("how", ["missing", "cut short", "grown", "footer"])
def test_other_archives_build_on_no_damaged_pack(root: Path, tmp_path: Path, how: str) -> None:
    """Another container of the same content, and a copy from another lake."""
    stored(root, zip_of(tmp_path / "a.plzip", CONTENTS))
    damaged = {path.stem for path in packs(root)}
    with lakes.init(str(tmp_path / "other")) as other:
        other.ingest(zip_of(tmp_path / "c.plzip", {**CONTENTS, "notes.txt": b"more"}))
        for path in packs(root):
            damage(path, how)
        with opened(root) as lake:
            (archive,) = lake.ingest(zip_of(tmp_path / "b.plzip", dict(reversed(CONTENTS.items())))).archives
            assert archive.status == "added"
            for path in packs(root):
                if path.stem not in damaged:
                    path.unlink()  # what the copy has to store for itself
        with opened(root) as lake:
            other.copy_to(lake)
            (version,) = vault_of(lake).state.versions("v.sample = 'c'")
            there = {path.stem for path in packs(root)} - damaged
            assert set(version.archive.needs) <= there
            lake.pull("c", tmp_path / "c.out.plzip", exact=False)


def test_a_pack_whose_footer_is_damaged_counts_for_versions_that_need_it(root: Path, tmp_path: Path) -> None:
    source = zip_of(tmp_path / "a.plzip", CONTENTS)
    stored(root, source)
    damaged = {path.stem for path in packs(root)}
    for path in packs(root):
        damage(path, "footer")
    with opened(root) as lake:  # the first file lets the footers be read, the second is the version that needs them
        other = zip_of(tmp_path / "b.plzip", {**CONTENTS, "notes.txt": b"more"})
        first, second = lake.ingest([other, source]).archives
        assert (first.status, second.status) == ("added", "unchanged")
        (version,) = vault_of(lake).state.versions("v.sample = 'a'")
        assert set(version.archive.needs).isdisjoint(damaged)
        lake.pull("a", tmp_path / "out.plzip", exact=False)


def test_a_file_that_is_kept_whole_heals_under_another_name(root: Path, tmp_path: Path) -> None:
    """Its version keeps its member table, with the name that the file had."""
    data = b"PK\x03\x04 no archive" * 4000
    (tmp_path / "a.zip").write_bytes(data)
    (tmp_path / "b.zip").write_bytes(data)
    with lakes.init(str(root)) as lake:
        assert lake.ingest(tmp_path / "a.zip", sample="s", opaque="always").archives[0].status == "added"
    for path in packs(root):
        path.unlink()
    with opened(root) as lake:
        (archive,) = lake.ingest(tmp_path / "b.zip", sample="s", opaque="always").archives
        assert (archive.status, archive.version, bool(archive.healed)) == ("unchanged", 1, True)
        lake.pull("s@1", tmp_path / "out.zip")
        assert (tmp_path / "out.zip").read_bytes() == data


def test_a_new_version_is_stored_beside_one_whose_table_is_lost(root: Path, tmp_path: Path) -> None:
    stored(root, zip_of(tmp_path / "1" / "a.plzip", CONTENTS))
    for path in (root / "manifests").rglob("*.parquet"):
        path.unlink()
    with opened(root) as lake:
        (archive,) = lake.ingest(zip_of(tmp_path / "2" / "a.plzip", {**CONTENTS, "notes.txt": b"more"})).archives
        assert archive.status == "added"
        lake.pull(f"{archive.sample}@{archive.version}", tmp_path / "out.plzip", exact=False)
