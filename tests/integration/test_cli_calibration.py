"""`calibration`: what is registered, listed, shown and taken back, and who uses it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from support.answers import Answer

from sxeslake.cli.commands.calibration import command
from sxeslake.cli.completion.answer import candidates
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.run import run

Call = Callable[..., Answer]
ADD = ("add", "--grating", "JS300N", "--source", "N K", "--coefficients", "14.976,0.0325")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    assert run(["init", "lake"]) == 0
    capsysbinary.readouterr()

    def call(*arguments: str) -> Answer:
        code = run(["calibration", *arguments])
        return Answer(code, *capsysbinary.readouterr())

    return call


def test_one_is_added_once_listed_shown_and_removed(call: Call) -> None:
    first = call(*ADD, "--uncertainty", "0.05", "--json").document
    (name,) = first["added"]
    assert name.startswith("js300n-")
    assert first["commit"] == 1
    again = call(*ADD, "--uncertainty", "0.05", "--json").document
    assert (again["commit"], again["added"], again["present"]) == (None, [], [name])
    assert "already there" in call(*ADD, "--uncertainty", "0.05").out
    rows = call("list", "--json").document
    assert [(row["id"], row["derived"]) for row in rows] == [("built-in", True), (name, False)]
    shown = call("show", name, "--json").document
    assert (shown["coefficients"], shown["uncertainty"], shown["channels"]) == ([14.976, 0.0325], 0.05, 4095)
    assert shown["first"] < shown["middle"] < shown["last"]
    assert "14.976..148.03 Å" in call("show", name).out
    assert call("remove", name, "--dry-run", "--json").document["removed"] == [name]
    assert call("remove", name).code == 0
    assert call("remove", name).code == 3
    assert call("show", name).code == 3
    assert [row["id"] for row in call("list", "--json").document] == ["built-in"]


def test_the_log_tells(call: Call, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (name,) = call(*ADD, "--json").document["added"]
    call("remove", name, "-m", "a slip")
    assert run(["log"]) == 0
    out = capsysbinary.readouterr().out.decode()
    assert f"calibration {name} added" in out
    assert f"calibration {name} removed" in out


def test_a_table_with_and_without_a_heading_is_the_same(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("channel,value\n0,400\n4094,80.5\n")
    (tmp_path / "b.csv").write_text("\ufeff0,400\n\n4094,80.5\n", encoding="utf-8")
    common = ("--grating", "JS2000", "--source", "notebook", "--unit", "ev", "--from", "2026-04-01")
    added = call("add", *common, "--table", "a.csv", "--dry-run", "--json").document["added"]
    assert call("add", *common, "--table", "a.csv", "--json").document["added"] == added
    assert call("add", *common, "--table", "b.csv", "--json").document["present"] == added
    text = call("show", added[0]).out
    assert "80.5..400 eV" in text
    assert "2026-04-01.." in text


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("add", "--grating", "G", "--source", "s"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "1"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "1,x"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "1,nan"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "10,-0.01"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "10,0.01,-0.000002"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "10,0.01", "--table", "x.csv"),
        ("add", "--grating", "G", "--source", " ", "--coefficients", "10,0.01"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "10,0.01", "--from", "yesterday"),
        ("add", "--grating", "G", "--source", "s", "--coefficients", "10,0.01", "--uncertainty", "-1"),
        ("add", "--grating", "G", "--source", "s", "--table", "nothing.csv"),
        ("add", "--grating", "G", "--source", "s", "--table", "bad.csv"),
        ("add", "--grating", "G", "--source", "s", "--table", "empty.csv"),
        ("add", "--source", "s", "--coefficients", "10,0.01"),
        ("remove",),
    ],
)
def test_what_is_no_calibration_is_refused(call: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "bad.csv").write_text("channel,value\n0,400\nx,y\n")
    (tmp_path / "empty.csv").write_text("channel,value\n")
    assert call(*words).code == 2
    assert len(call("list", "--json").document) == 1


def test_lines_take_a_registered_axis(call: Call, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    def axis(*words: str) -> tuple[int, str]:
        code = run(["lines", "N", *words])
        return code, capsysbinary.readouterr().err.decode()

    assert axis("--grating", "JS200N")[0] == 2
    call("add", "--grating", "JS200N", "--source", "s", "--coefficients", "10,0.02", "--spectrometer", "X")
    assert "calibration js200n-" in axis("--grating", "js200n")[1]
    assert "derived" in axis("--grating", "JS300N")[1]
    call(*ADD)
    assert "calibration js300n-" in axis("--grating", "JS300N")[1]
    assert "calibration js300n-" in axis("--grating", "JS300N", "--lake", "lake")[1]


def test_no_lake_is_opened_where_the_built_in_axis_serves(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", "s3://nowhere.invalid/lake")
    assert run(["lines", "N", "--grating", "JS300N"]) == 0
    assert "derived" in capsysbinary.readouterr().err.decode()


def test_subcommands_are_documented_and_completed(call: Call) -> None:
    context = click.Context(command, info_name="calibration")
    for name in ("add", "list", "show", "remove"):
        sub = command.get_command(context, name)
        assert isinstance(sub, LakeCommand)
        assert all(len(line) <= 78 for line in sub.example.splitlines())
        for line in sub.example.replace("\\\n", "").splitlines():
            words = shlex.split(line)
            assert words[:3] == ["sxeslake", "calibration", name]
            sub.make_context(name, words[3:], parent=context)
    assert [each.value for each in candidates("sxeslake", ["calibration"], "")] == ["add", "list", "remove", "show"]
    (name,) = call(*ADD, "--json").document["added"]
    assert [each.value for each in candidates("sxeslake", ["calibration", "show"], "js")] == [name]
