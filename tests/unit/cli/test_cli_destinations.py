"""Where several pulled archives go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sxeslake.cli.destinations import PullTarget, archive_suffix, below, is_folder
from sxeslake.errors import UsageError

MAP = PullTarget("2018/map@2", "Map 1.plzip")
OLD = PullTarget("2018/map@1", "Map 1.plzip")
NOTES = PullTarget("notes@1", "Notes.7z")
TREE = PullTarget("run@1", "run.d")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("x.pl7z", ".pl7z"), ("x.7Z", ".7Z"), ("a/x.plzip", ".plzip"), ("x", ""), ("x.gz", "")],
)
def test_an_archives_suffix(name: str, suffix: str) -> None:
    assert archive_suffix(name) == suffix


def test_a_folder_ends_in_a_slash_or_is_there() -> None:
    Path("there").mkdir()
    assert is_folder("x/")
    assert is_folder(".")
    assert is_folder("there")
    assert not is_folder("x")


@pytest.mark.parametrize("out", ["out/", "out"])
def test_several_go_under_their_samples_names(out: str) -> None:
    paths = below(out, [MAP, NOTES, TREE], as_source=False)
    assert paths == [Path("out/2018/map.plzip"), Path("out/notes.7z"), Path("out/run")]


def test_as_source_goes_under_the_names_they_came_with() -> None:
    paths = below("out", [MAP, NOTES, TREE], as_source=True)
    assert paths == [Path("out/2018/Map 1.plzip"), Path("out/Notes.7z"), Path("out/run.d")]


def test_without_a_folder_they_go_here() -> None:
    assert below(None, [MAP, NOTES], as_source=False) == [Path("2018/map.plzip"), Path("notes.7z")]


@pytest.mark.parametrize("as_source", [False, True])
def test_versions_of_one_sample_stay_apart(as_source: bool) -> None:
    names = [path.name for path in below("out/", [OLD, MAP, NOTES], as_source=as_source)]
    stem = "Map 1" if as_source else "map"
    assert names[:2] == [f"{stem}@1.plzip", f"{stem}@2.plzip"]
    assert "@" not in names[2]


def test_names_that_differ_by_case_only_stay_apart() -> None:
    upper = PullTarget("NOTES@3", "x.7z")
    assert [path.name for path in below(None, [NOTES, upper], as_source=False)] == ["notes@1.7z", "NOTES@3.7z"]


def test_several_do_not_go_into_one_file() -> None:
    with pytest.raises(UsageError, match=r"x\.pl7z: several archives do not go into one file.*-o x/"):
        below("x.pl7z", [MAP, NOTES], as_source=False)


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        ("../x", "%2E%2E/x.zip"),
        ("/etc/x", "etc/x.zip"),
        ("a/../../x", "a/%2E%2E/%2E%2E/x.zip"),
        ("..\\x", "_%5Cx.zip"),
        ("back\\slash", "back%5Cslash.zip"),
        ("back%5Cslash\\", "back%255Cslash%5C.zip"),
        ("nul\0", "nul%00.zip"),
    ],
)
def test_an_odd_name_stays_in_the_folder_under_another(sample: str, path: str) -> None:
    found = below("out/", [PullTarget(f"{sample}@1", "x.zip"), PullTarget("good@1", "good.zip")], as_source=False)
    assert found == [Path("out", path), Path("out/good.zip")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=6, unique=True), st.booleans())
def test_any_names_come_out_apart_below_the_folder(names: list[str], as_source: bool) -> None:
    found = below("out/", [PullTarget(f"{name}@1", "map.plzip") for name in names], as_source=as_source)
    assert len({str(path).casefold() for path in found}) == len(names)
    for path in found:
        assert path.parts[0] == "out"
        assert len(path.parts) > 1
        assert ".." not in path.parts
        assert all("\0" not in step and "\\" not in step for step in path.parts)
        assert all(len(os.fsencode(step)) <= 255 for step in path.parts if step.isascii())
