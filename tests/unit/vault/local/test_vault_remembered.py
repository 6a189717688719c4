"""What is known of a lake without opening it: found by its address, bounded, silent where nothing is."""

from __future__ import annotations

import os
from pathlib import Path

from support.internals import vault_of
from support.small_lakes import group, zip_of

from sxeslake import settings
from sxeslake.lake import init
from sxeslake.vault.local import remembered


def test_a_lake_is_found_by_its_address_and_the_last_one_used_counts(tmp_path: Path) -> None:
    cache = settings.lakes_cache_dir()
    for name in ("one", "two"):
        with init(str(tmp_path / "lake")) as lake:
            lake.ingest(zip_of(tmp_path / f"{name}.zip", group(1)))
        known = remembered.find(cache, str(tmp_path / "lake"))
        assert known is not None
        assert known.samples() == [name]
        (tmp_path / "lake").rename(tmp_path / name)
    assert remembered.find(cache, str(tmp_path / "one")) is None
    assert remembered.find(tmp_path / "no cache", "x") is None


def test_only_what_begins_so_is_read(tmp_path: Path) -> None:
    with init(str(tmp_path / "lake")) as lake:
        for name in ("a", "a b", "ab", "b", "\U0010ffff"):
            lake.ingest(zip_of(tmp_path / "x.zip", group(len(name))), sample=name)
        known = remembered.Remembered(vault_of(lake).folder)
    assert known.samples("a") == ["a", "a b", "ab"]
    assert known.samples("a b") == ["a b"]
    assert not [*known.samples("c"), *known.versions("c"), *known.members("c"), *known.members("a@7")]


def test_the_lists_that_are_kept_are_bounded(tmp_path: Path) -> None:
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "x.zip", group(1)))
        (first, *_) = lake.members("x")
        folder = vault_of(lake).folder / "members"
        for number in range(100):
            (folder / f"{number}").write_text("a")
            os.utime(folder / f"{number}", (number, number))
        (folder / sorted(path.name for path in folder.iterdir() if len(path.name) > 3)[0]).unlink()
        list(lake.members("x"))
        known = remembered.Remembered(vault_of(lake).folder)
    assert len(list(folder.iterdir())) <= 64
    assert known.members("x")[0] == first.path


def test_a_list_that_was_not_read_to_its_end_is_not_kept(tmp_path: Path) -> None:
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "x.zip", group(1)))
        next(iter(lake.members("x")))
        assert remembered.Remembered(vault_of(lake).folder).members("x") == []
