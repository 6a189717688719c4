"""Where pulled archives go."""

from __future__ import annotations

from pathlib import Path

import pytest

from sxeslake.cli.destinations import Target, Wanted, container_of, one, several
from sxeslake.errors import UsageError
from sxeslake.model import ContainerKind

MAP = Wanted("2018/map@2", "2018/map", 2, "sxes", "map.plzip", "zip")
OLD = Wanted("2018/map@1", "2018/map", 1, "sxes", "map.plzip", "zip")
NOTES = Wanted("notes@1", "notes", 1, "generic", "Notes.7z", "7z")
TREE = Wanted("run@1", "run", 1, "generic", "run", "folder")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "container"),
    [("x.pl7z", "7z"), ("x.7Z", "7z"), ("a/x.plzip", "zip"), ("x.zip", "zip"), ("x", None), ("x.gz", None)],
)
def test_the_suffix_says_the_container(name: str, container: str | None) -> None:
    assert container_of(name) == container


@pytest.mark.parametrize(
    ("wanted", "out", "container", "path", "becomes"),
    [
        (MAP, None, None, "map.plzip", "zip"),
        (MAP, None, "7z", "map.pl7z", "7z"),
        (MAP, None, "folder", "map", "folder"),
        (NOTES, None, "zip", "Notes.zip", "zip"),
        (TREE, None, None, "run", "folder"),
        (TREE, None, "zip", "run.zip", "zip"),
        (MAP, "x.pl7z", None, "x.pl7z", "7z"),
        (MAP, "x.plzip", None, "x.plzip", "zip"),
        (MAP, "x/", None, "x", "folder"),
        (MAP, "x/", "folder", "x", "folder"),
        (MAP, "x/", "7z", "x/map.pl7z", "7z"),
        (MAP, "x.zip/", None, "x.zip", "folder"),
        (MAP, "x.pl7z", "zip", "x.pl7z", "zip"),
        (MAP, "x", None, "x", "zip"),
        (TREE, "x", None, "x", "folder"),
    ],
)
def test_one_archive(
    wanted: Wanted, out: str | None, container: ContainerKind | None, path: str, becomes: ContainerKind
) -> None:
    assert one(wanted, out, container) == Target(wanted.ref, Path(path), becomes)


def test_an_existing_folder_is_a_folder_without_the_slash() -> None:
    Path("there").mkdir()
    assert one(MAP, "there", None) == Target(MAP.ref, Path("there"), "folder")


def test_several_go_under_their_samples_names() -> None:
    targets = several([MAP, NOTES, TREE], "out/", None, as_source=False)
    assert [(str(t.path), t.container) for t in targets] == [
        ("out/2018/map.plzip", "zip"),
        ("out/notes.7z", "7z"),
        ("out/run", "folder"),
    ]


def test_as_source_goes_under_the_names_they_came_with() -> None:
    targets = several([MAP, NOTES, TREE], "out", None, as_source=True)
    assert [(str(t.path), t.container) for t in targets] == [
        ("out/2018/map.plzip", "zip"),
        ("out/Notes.7z", "7z"),
        ("out/run", "folder"),
    ]


def test_several_in_another_container_change_their_suffix() -> None:
    targets = several([MAP, NOTES, TREE], None, "7z", as_source=False)
    assert [str(t.path) for t in targets] == ["2018/map.pl7z", "notes.7z", "run.7z"]


def test_versions_of_one_sample_stay_apart() -> None:
    targets = several([OLD, MAP, NOTES], "out/", None, as_source=False)
    assert [t.path.name for t in targets] == ["map@1.plzip", "map@2.plzip", "notes.7z"]


def test_names_that_differ_by_case_only_stay_apart() -> None:
    upper = Wanted("NOTES@3", "NOTES", 3, "generic", "NOTES.7z", "7z")
    targets = several([NOTES, upper], "out/", None, as_source=False)
    assert [t.path.name for t in targets] == ["notes@1.7z", "NOTES@3.7z"]


def test_several_do_not_go_into_one_file() -> None:
    with pytest.raises(UsageError, match=r"x\.pl7z: several archives do not go into one file.*-o x/"):
        several([MAP, NOTES], "x.pl7z", None, as_source=False)


@pytest.mark.parametrize("name", ["../x.zip", "/etc/x.zip", "a/../../x.zip"])
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    wanted = Wanted("x@1", "x", 1, "generic", name, "zip")
    with pytest.raises(UsageError, match="does not stay"):
        one(wanted, None, None)
