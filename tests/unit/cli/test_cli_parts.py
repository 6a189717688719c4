"""`pull` of parts: what is mistyped, left empty or asked for twice never moves the wrong thing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.answers import Answer
from support.part_lakes import Session, Spot, contents
from support.small_lakes import zip_of

from sxeslake.cli.run import run

Call = Callable[..., Answer]

ONE = contents([Session(101, [Spot(1, 1), Spot(2, 2)], "grain 1")])


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command line in an empty folder, with a lake of two samples."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def call(*arguments: object) -> Answer:
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capsysbinary.readouterr())

    assert call("init", tmp_path / "lake").code == 0
    zip_of(tmp_path / "in" / "one.plzip", ONE)
    zip_of(tmp_path / "in" / "plain.zip", {"a.txt": b"1"})
    assert call("ingest", tmp_path / "in", "--exact", "always").code == 0
    return call


@pytest.mark.parametrize(
    "option", ["--position", "--analysis", "--types", "--member", "--where", "--query", "--sql", "--kv", "--grating"]
)
def test_an_unset_variable_is_not_everything(call: Call, option: str) -> None:
    answer = call("pull", "one", "--types", "qlw", option, " ", "-o", "x.plzip")
    assert answer.code == 2
    assert option in answer.err
    assert "empty" in answer.err
    assert not Path("x.plzip").exists()


def test_limits_are_of_parts(call: Call) -> None:
    assert call("pull", "one", "--position", "1..2", "--max-bytes", "1kB", "-o", "x.plzip").code == 4
    assert call("pull", "one", "--position", "1..2", "--max-bytes", "100 MB", "-o", "x.plzip").code == 0
    assert "is not a size" in call("pull", "one", "--position", "1", "--max-bytes", "-5").err
    whole = call("pull", "one", "--max-bytes", "1GB", "-o", "y.plzip")
    assert (whole.code, "--max-bytes" in whole.err) == (2, True)


def test_a_dry_run_of_whole_archives_says_whether_they_are_exact(call: Call) -> None:
    one = call("pull", "one", "--dry-run", "--json").document
    assert (one["dry_run"], one["exact"], one["samples"], one["path"]) == (True, True, ["one@1"], None)
    other = call("pull", "one", "--dry-run", "-o", "x.pl7z")
    assert "not exact  the source is a zip, and a 7z was requested" in other.err
    assert call("pull", "one", "--dry-run", "-o", "x.pl7z", "--exact").code == 3
    every = call("pull", "--all", "--dry-run", "--json").document
    assert [each["sample"] for each in every] == ["one", "plain"]
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("part", [["--position", "1"], ["--merge"], ["--kv", "5"]])
def test_a_part_is_never_the_very_file(call: Call, part: list[str]) -> None:
    answer = call("pull", "one", *part, "--exact", "-o", "x.plzip", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (3, "NotFoundError")
    assert "a part or a merge is another file" in answer.err
    assert not Path("x.plzip").exists()


def test_a_merge_of_one_and_of_all(call: Call) -> None:
    assert call("pull", "one", "--merge", "-o", "a.plzip").code == 0
    answer = call("pull", "--merge", "-o", "b.plzip", "--json")
    assert (answer.document["samples"], answer.document["warnings"]) == (["one@1"], [])
    assert call("pull", "--merge").code == 2


def test_what_is_said_comes_along_and_is_named(call: Call) -> None:
    call("annotate", "one", "material=TiN")
    answer = call("pull", "one", "--merge", "-o", "a.plzip")
    assert "annotated  a.plzip.annotations.json" in answer.err
    said = json.loads(Path("a.plzip.annotations.json").read_text())
    assert said["archives"][0]["annotations"][0]["value"] == "TiN"


def test_the_log_of_a_version_and_of_nothing(call: Call) -> None:
    call("annotate", "one", "material=TiN")
    assert [row["number"] for row in call("log", "one@1", "--json").document] == [2, 1]
    assert [row["number"] for row in call("log", "one@1", "--limit", "1", "--json").document] == [2]
    for name in ("oen", "x*", "one@7"):
        answer = call("log", name)
        assert (answer.code, answer.out) == (3, "")
    assert "Did you mean one?" in call("log", "oen").err


def test_the_log_of_several_samples(call: Call) -> None:
    call("annotate", "one", "material=TiN")
    everything = call("log", "--json").document
    names = {name.rpartition("@")[0] or name for row in everything for name in row["archives"]}
    others = sorted(names - {"one"})
    assert others
    assert call("log", "o*", *others, "--json").document == everything
    assert {name for row in call("log", "one", "one@1", "--json").document for name in row["archives"]} == {
        "one", "one@1"
    }  # fmt: skip
    assert call("log", "one", "oen").code == 3
