"""A share of many files, ingested in several ways, deleted, and restored: `diff` finds nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_lakes import group, new_lake, own_store, zip_of

from sxeslake.archive.container import create_writer, open_container
from sxeslake.lake import Lake


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a folder, with its bytes and its time."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def repack(source: Path, target: Path) -> None:
    with open_container(source) as container, target.open("wb") as file:
        writer = create_writer(file, "7z")
        for at, member in enumerate(container.members):
            writer.add(member, [container.read(at)])
        writer.close()


def share(root: Path) -> None:
    """60 files: measurements, copies, the same names in several folders and containers."""
    for year in range(2018, 2028):
        folder = root / str(year)
        first = zip_of(folder / "map.plzip", group(year))
        repack(first, folder / "map.pl7z")  # the same content in another container
        zip_of(folder / "line.plzip", group(year + 100))
        (folder / "copies").mkdir()
        shutil.copy2(first, folder / "copies" / "map.plzip")
        shutil.copy2(first, folder / "copies" / f"map of {year}.plzip")
        zip_of(folder / "notes.zip", {"notes.txt": b"of %d" % year})
    for at, path in enumerate(sorted(root.rglob("*.*"))):
        os.utime(path, ns=(1_500_000_000_000_000_000 + at * 1_000_000_007,) * 2)


def test_a_share_comes_back_whole(lake: Lake, tmp_path: Path) -> None:
    root, back = tmp_path / "share", tmp_path / "back"
    share(root)
    lake.ingest(root / "2018")  # a part of it before, under other names
    assert not lake.ingest(root).failed
    zip_of(root / "2019" / "line.plzip", group(7))  # another state of a file, and one of a copy
    zip_of(root / "2020" / "copies" / "map.plzip", group(8))
    assert not lake.ingest(root).failed
    before = tree(root)
    assert len(before) == 60
    shutil.rmtree(root)
    report = lake.pull_share(back)
    assert [item.error for item in report.failed] == []
    assert tree(back) == before
    assert [ref.rpartition("@")[2] for ref in report.left_out] == ["1"]  # the line as it was before
    again = lake.pull_share(back)
    assert (again.failed, tree(back)) == ([], before)


def test_all_versions_bring_every_state(lake: Lake, tmp_path: Path) -> None:
    path, states = tmp_path / "in" / "map.plzip", []
    for seed in (1, 2, 3):
        states.append(zip_of(path, group(seed)).read_bytes())
        lake.ingest(path)
    report = lake.pull_share(tmp_path / "back", all_versions=True)
    assert report.left_out == []
    found = {name: data for name, (data, _) in tree(tmp_path / "back").items()}
    assert found == dict(zip(("map@1.plzip", "map@2.plzip", "map.plzip"), states, strict=True))


def test_what_is_there_already_is_another_file(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in" / "map.plzip", group(1))
    lake.ingest(path)
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "map.plzip").write_text("mine")
    (failed,) = lake.pull_share(tmp_path / "back").failed
    assert "there" in str(failed.error)
    assert (tmp_path / "back" / "map.plzip").read_text() == "mine"
    assert lake.pull_share(tmp_path / "back", force=True).failed == []
    assert (tmp_path / "back" / "map.plzip").read_bytes() == path.read_bytes()
