"""A folder is replaced or cleared only where it is an earlier pull of the archive: whatever else stands there stays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import part_lakes
from support.internals import vault_of
from support.part_lakes import Session, Spot, add
from support.small_lakes import counts, group, zip_of

from sxeslake.errors import InputError
from sxeslake.lake import Lake, init

ONE = {**group(1, 3), "notes/a.txt": b"first"}
TWO = {**group(1, 4), "notes/b.txt": b"second"}


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with init(str(tmp_path / "lake")) as opened:
        opened.ingest(zip_of(tmp_path / "1" / "a.plzip", ONE), sample="a", exact="never")
        opened.ingest(zip_of(tmp_path / "2" / "a.plzip", TWO), sample="a", exact="never")
        opened.ingest(zip_of(tmp_path / "photos.zip", {"a.txt": b"hi"}), exact="never")
        opened.ingest(zip_of(tmp_path / "new.zip", {"n/1": b"1", "n/2": b"2"}), sample="moved", exact="never")
        opened.ingest(zip_of(tmp_path / "new2.zip", {"m/1": b"3", "m/2": b"4"}), sample="moved", exact="never")
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


Way = Callable[[Lake, str, Path], object]


def pull(lake: Lake, ref: str, folder: Path) -> object:
    return lake.pull(ref, f"{folder}/", force=True)


def part(lake: Lake, ref: str, folder: Path) -> object:
    return lake.pull_part(ref, f"{folder}/", members=["*"], force=True)


def sync(lake: Lake, ref: str, folder: Path) -> object:
    return lake.sync(ref, folder, delete=True)


every_way = pytest.mark.parametrize("way", [pull, part, sync])


@every_way
@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": b"years of work", "chapters/one.tex": b"x"},
        {"a.txt": b"hi", "thesis.tex": b"years of work"},  # one tiny equal file
        {"a.txt": b"hi", **{f"{number}.tex": b"" for number in range(9)}},
        {".hidden": b"x"},
    ],
)
def test_a_folder_of_other_work_stays(lake: Lake, folder: Path, way: Way, files: dict[str, bytes]) -> None:
    fill(folder, **files)
    with pytest.raises(InputError) as caught:
        way(lake, "photos", folder)
    assert contents_of(folder) == files
    foreign = sorted(set(files) - {"a.txt"})
    assert foreign[0] in str(caught.value)
    assert str(len(foreign)) in str(caught.value)


@pytest.mark.parametrize("way", [pull, part])
@pytest.mark.parametrize("files", [{"a.txt": b"another text"}, {"a.txt": b"no"}])
def test_a_file_that_merely_has_a_members_name_stays(
    lake: Lake, folder: Path, way: Way, files: dict[str, bytes]
) -> None:
    fill(folder, **files)
    with pytest.raises(InputError, match="does not look like an earlier pull"):
        way(lake, "photos", folder)
    assert contents_of(folder) == files


@every_way
@pytest.mark.parametrize(("before", "after"), [("a@1", "a@1"), ("a@1", "a@2"), ("a@2", "a@1"), ("moved@1", "moved@2")])
def test_an_earlier_pull_of_any_version_gives_way(
    lake: Lake, folder: Path, way: Way, before: str, after: str, tmp_path: Path
) -> None:
    lake.pull(before, f"{folder}/")
    way(lake, after, folder)
    lake.pull(after, f"{tmp_path / 'fresh'}/")
    assert contents_of(folder) == contents_of(tmp_path / "fresh")


@every_way
def test_an_earlier_pull_that_was_edited_or_cut_gives_way(lake: Lake, folder: Path, way: Way) -> None:
    lake.pull("a@2", f"{folder}/")
    (folder / "metadata.json").write_bytes(b"edited")
    (folder / "notes" / "b.txt").unlink()
    (folder / "notes").rmdir()
    way(lake, "a@2", folder)
    assert contents_of(folder) == TWO


def test_one_foreign_file_in_an_earlier_pull_stays(lake: Lake, folder: Path) -> None:
    lake.pull("a@1", f"{folder}/")
    fill(folder, **{"notes/mine.txt": b"mine"})
    before = contents_of(folder)
    for way in (pull, part):
        with pytest.raises(InputError, match=r"1 file is here, of no version of a, .*: notes/mine\.txt"):
            way(lake, "a@2", folder)
        assert contents_of(folder) == before
    assert lake.sync("a@2", folder, delete=True).removed == 2  # whose purpose it is: that one and notes/a.txt
    assert contents_of(folder) == TWO


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of Unix")
def test_a_link_or_a_pipe_in_an_earlier_pull_stays(lake: Lake, folder: Path) -> None:
    lake.pull("a@1", f"{folder}/")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder)
    with pytest.raises(InputError, match="2 files are here"):
        pull(lake, "a@1", folder)
    assert (folder / "pipe").is_fifo()
    assert (folder / "link").is_symlink()


@every_way
def test_bytes_count_too(lake: Lake, folder: Path, way: Way) -> None:
    lake.pull("moved@1", f"{folder}/")
    fill(folder, video=counts(1, 100_000))
    with pytest.raises(InputError, match="video"):
        way(lake, "moved@1", folder)
    assert (folder / "video").exists()


@every_way
def test_an_empty_folder_holds_nothing_to_lose(lake: Lake, folder: Path, way: Way) -> None:
    (folder / "sub" / "deep").mkdir(parents=True)
    way(lake, "photos", folder)
    assert contents_of(folder) == {"a.txt": b"hi"}


def test_a_merge_replaces_its_own_earlier_one(lake: Lake, folder: Path, tmp_path: Path) -> None:
    add(lake, tmp_path, "one", part_lakes.ONE)
    add(lake, tmp_path, "other", part_lakes.contents([Session(102, [Spot(9, 9)])]))
    for _ in range(2):
        lake.pull_part(["one", "other"], f"{folder}/", merge=True, force=True)
    merged = contents_of(folder)
    fill(folder, mine=b"mine")
    with pytest.raises(InputError, match="mine"):
        lake.pull_part(["one", "other"], f"{folder}/", merge=True, force=True)
    assert contents_of(folder) == {**merged, "mine": b"mine"}


def test_what_comes_meanwhile_stays(lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody puts there while the pull fetches."""
    lake.pull("a@1", f"{folder}/")
    fetch = vault_of(lake).blobs.fetch

    def fetching(blobs: list[object], **how: bool) -> list[bytes]:
        fill(folder, mine=b"mine")
        return fetch(blobs, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(vault_of(lake).blobs, "fetch", fetching)
    with pytest.raises(InputError, match="mine"):
        pull(lake, "a@2", folder)
    assert contents_of(folder) == {**ONE, "mine": b"mine"}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the disk holds names of text only")
@pytest.mark.parametrize("way", [pull, sync])
def test_names_by_their_own_bytes_are_the_archives(lake: Lake, tmp_path: Path, folder: Path, way: Way) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    name = os.fsencode(tree) + b"/caf\xe9.txt"
    Path(os.fsdecode(name)).write_bytes(b"espresso")
    lake.ingest(tree, tree=True, sample="tree")
    pull(lake, "tree", folder)
    assert [os.fsencode(path.name) for path in folder.iterdir()] == [b"caf\xe9.txt"]
    way(lake, "tree", folder)
    assert [os.fsencode(path.name) for path in folder.iterdir()] == [b"caf\xe9.txt"]
