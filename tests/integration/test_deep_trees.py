"""Trees deeper than Python's stack: pulled, kept up to date, read through fsspec, and removed again."""

from __future__ import annotations

import errno
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_lakes import zip_of

from sxeslake.disk.rename import remove_tree
from sxeslake.errors import StorageError
from sxeslake.filesystem import LakeFileSystem
from sxeslake.lake import Lake, init

DEPTH = sys.getrecursionlimit() + 100
DEEP = "d/" * DEPTH + "f.txt"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with init(str(tmp_path / "lake")) as made:
        made.ingest(zip_of(tmp_path / "deep.zip", {"a.txt": b"1", "b.txt": b"12", DEEP: b"deep"}))
        try:
            yield made
        finally:
            remove_tree(tmp_path)  # pytest cannot


def test_a_deep_tree_is_pulled_and_replaced(lake: Lake, tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.iterdir()}
    for force in (False, True):
        lake.pull("deep", tmp_path / "out", container="folder", force=force)
        assert (tmp_path / "out" / DEEP).read_bytes() == b"deep"
    assert {path.name for path in tmp_path.iterdir()} - before == {"out"}
    lake.pull("deep", tmp_path / "out.zip")
    assert zipfile.ZipFile(tmp_path / "out.zip").namelist() == ["a.txt", "b.txt", DEEP]


def test_a_deep_tree_is_kept_up_to_date(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "synced"
    assert lake.sync("deep", folder).added == 3
    assert lake.sync("deep", folder).unchanged == 3
    (folder / "d" / "d" / "extra.txt").write_bytes(b"x")
    (folder / DEEP).unlink()
    report = lake.sync("deep", folder, delete=True)
    assert (report.removed, report.added) == (1, 1)
    assert (folder / DEEP).read_bytes() == b"deep"


def test_a_pull_that_fails_leaves_nothing(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sxeslake.archive.folder.FolderWriter.close", full)
    with pytest.raises(StorageError, match="full"):
        lake.pull("deep", tmp_path / "out", container="folder")
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("topdown", [True, False])
def test_a_deep_tree_is_walked(tmp_path: Path, topdown: bool) -> None:
    depth = 120
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "deep.zip", {"a.txt": b"1", "d/" * depth + "f.txt": b"2", "e/g.txt": b"3"}))
    fs = LakeFileSystem(lake=str(tmp_path / "lake"), skip_instance_cache=True)
    seen = list(fs.walk("deep", topdown=topdown))
    assert len(seen) == depth + 2
    assert seen[0 if topdown else -1] == ("deep", ["d", "e"], ["a.txt"])
    assert seen.index(("deep/d", ["d"], [])) < seen.index(("deep/e", [], ["g.txt"]))
    assert [path for path, _, _ in fs.walk("deep", maxdepth=2)] == ["deep", "deep/d", "deep/e"]
    fs.lake.close()
