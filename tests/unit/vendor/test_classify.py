"""What the files of a tree are, and which reader gets a file that two claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vendor_files import MemoryTree

from sxeslake.vendor.classify import Leftover, classify
from sxeslake.vendor.records import AnalysisRecord, Finding, Warned
from sxeslake.vendor.tree import FolderTree, Tree


class Claims:
    """A reader that claims the files it is told."""

    title = verified = "made for a test"

    def __init__(self, name: str, confidence: float, *files: str) -> None:
        self.name, self._confidence, self._files = name, confidence, files

    def classify(self, tree: Tree) -> Iterable[Finding]:
        return [Finding(self.name, "", "claimed", self._confidence, self._files)]

    def read(self, tree: Tree, finding: Finding, warn: Callable[[Warned], None]) -> Iterator[AnalysisRecord]:
        return iter(())


def tree_of(folder: Path, files: dict[str, bytes]) -> FolderTree:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return FolderTree(folder)


def test_a_file_goes_to_the_surest_reader(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"a": b"1", "b": b"2", "c": b"3"})
    found = classify(tree, [Claims("guess", 0.2, "a", "b"), Claims("sure", 0.9, "b"), Claims("none", 0.1, "a", "b")])
    assert {finding.reader: finding.files for finding in found.findings} == {"guess": ("a",), "sure": ("b",)}
    assert found.leftovers == (Leftover("c", "text"),)


def test_leftovers_are_named_by_their_content(tmp_path: Path) -> None:
    bitmap = b"BM" + (20).to_bytes(4, "little") + bytes(14)
    tree = tree_of(
        tmp_path,
        {
            "a.tif": b"II*\0rest", "b.psref": b"II*\0rest", "c.tif": b"\x01\x02", "d.bmp": bitmap,
            "e.bmp": b"BM, a text",
            "f.mdb": b"\0\x01\0\0Standard Jet DB", "g.bin": b"\0\x01", "h": b"", "i.xlsx": b"PK\x03\x04",
        },
    )  # fmt: skip
    assert {each.path: (each.what, *each.notes) for each in classify(tree, []).leftovers} == {
        "a.tif": ("TIFF",),
        "b.psref": ("TIFF", "is TIFF, named .psref"),
        "c.tif": ("unknown", "named .tif, but is not TIFF"),
        "d.bmp": ("BMP",),
        "e.bmp": ("text", "named .bmp, but is not BMP"),
        "f.mdb": ("Access database",),
        "g.bin": ("unknown",),
        "h": ("empty",),
        "i.xlsx": ("zip",),
    }


def test_the_beginning_of_each_file_is_read_once(tmp_path: Path) -> None:
    class Counting(FolderTree):
        def _from_disk(self, path: str, offset: int, length: int | None) -> bytes:
            read.append(path)
            return super()._from_disk(path, offset, length)

    read: list[str] = []
    names = ["a.txt", "b.cnd", "c.map", "d.xml", "e.spx", "f.bin", "g.tif", "h"]
    for name in names:
        (tmp_path / name).write_bytes(b"some bytes of " + name.encode())
    assert len(classify(Counting(tmp_path)).leftovers) == len(names)
    assert sorted(read) == names


@given(asked=st.lists(st.tuples(st.integers(0, 9000), st.none() | st.integers(0, 9000))))
def test_a_folder_that_remembers_beginnings_reads_as_one_in_memory(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, int | None]]
) -> None:
    data = bytes(range(256)) * 20
    folder, memory = tree_of(tmp_path_factory.mktemp("tree"), {"a": data}), MemoryTree({"a": data})
    assert all(folder.read("a", *each) == memory.read("a", *each) for each in asked)


@given(st.dictionaries(st.sampled_from(["a.mrc", "b.xes", "c.qlw", "d.cnd"]), st.binary(max_size=1000), max_size=4))
def test_every_file_is_somewhere_once(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("tree")
    found = classify(tree_of(folder, files))
    named = [path for finding in found.findings for path in finding.files] + [each.path for each in found.leftovers]
    assert sorted(named) == sorted(files)
