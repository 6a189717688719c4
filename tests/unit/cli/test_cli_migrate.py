"""The command `migrate`: what it prints of samples and files, in words and JSON, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from support.answers import Answer
from support.old_groups import old_group
from support.small_lakes import zip_of

from sxeslake.cli.json_schemas import json_schema
from sxeslake.cli.run import run

Call = Callable[..., Answer]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command line in a folder with `old.plzip`, which the lake holds as `old`."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    zip_of(Path("old.plzip"), old_group())

    def call(*arguments: str) -> Answer:
        code = run([*arguments])
        return Answer(code, *capsysbinary.readouterr())

    call("init", "lake")
    call("ingest", "old.plzip")
    return call


def test_a_sample_is_planned_migrated_and_then_left_alone(call: Call) -> None:
    planned = call("migrate", "old", "--dry-run")
    assert planned.code == 0
    assert "planned    old@1 to 0.1.0+maps+arrays: " in planned.out
    assert "rawCondtionUuid → rawConditionUuid" in planned.out
    assert all(step in planned.out for step in ("keys", "names", "maps", "arrays", "extensions"))
    assert call("ls").out.count("old") == 2
    migrated = call("migrate", "old")
    assert (migrated.code, migrated.out.split(": ")[0]) == (0, "migrated   old@1 to 0.1.0+maps+arrays")
    assert migrated.out.rstrip().endswith("old@2")
    assert call("migrate", "old").out == "unchanged  old@2: 0.1.0+maps+arrays is there already\n"
    assert call("migrate", "old@1").out == "unchanged  old@1: 0.1.0+maps+arrays is there already, as old@2\n"
    assert "migration of old@1" in call("show", "old").out
    assert "old@1 migrated to 0.1.0+maps+arrays" in call("log").out


def test_a_file_goes_to_a_new_one(call: Call) -> None:
    assert call("migrate", "old.plzip").code == 2
    assert call("migrate", "old.plzip", "--dry-run").out.startswith("planned    old.plzip")
    done = call("migrate", "old.plzip", "-o", "new.pl7z", "--to", "0.1.0")
    assert done.out.startswith("migrated   old.plzip to 0.1.0: ")
    assert done.out.rstrip().endswith("new.pl7z")
    assert call("migrate", "old.plzip", "-o", "new.pl7z").code == 7
    assert call("migrate", "new.pl7z", "-o", "new.pl7z", "--force").code == 0
    assert call("migrate", "new.pl7z", "-n").out == "unchanged  new.pl7z: 0.1.0+maps+arrays is there already\n"


def test_a_folder_is_told_by_how_it_is_written(call: Call) -> None:
    call("migrate", "old.plzip", "-o", "old", "--to", "0.1.0")
    assert call("migrate", "old", "-n").out.startswith("planned    old@1")
    assert call("migrate", "./old", "-n").out.startswith("planned    old to ")


def test_documents_fit_their_schema(call: Call) -> None:
    for arguments in (["old", "-n"], ["old"], ["old"], ["o*"], ["old.plzip", "-n"], ["old.plzip", "-o", "new.plzip"]):
        found = call("migrate", *arguments, "--json")
        jsonschema.validate(found.document, json_schema("migrate"))
        assert found.code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["old", "--to", "0.2"], 2, "Known: 0.1.0, 0.1.0+maps, 0.1.0+maps+arrays"),
        (["old", "--force"], 2, "a sample gets a new version"),
        (["nothing"], 3, "no archive is called"),
        (["nothing", "-o", "new.plzip"], 3, "there is no such file"),
        (["old.plzip", "old.plzip", "-o", "new.plzip"], 2, "one at a time"),
        (["old.plzip", "-o", "new.tar"], 2, "unknown suffix"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_said(call: Call, arguments: list[str], code: int, said: str) -> None:
    found = call("migrate", *arguments)
    assert found.code == code
    assert said in found.err


def test_one_of_several_that_fails_decides_the_exit_code(call: Call) -> None:
    newer = {"metadata.json": b'{"version":"7","projects":[],"analyses":[]}'}
    call("ingest", str(zip_of(Path("newer.plzip"), newer)))
    found = call("migrate", "*")
    assert found.code == 4
    assert "failed     newer@1: " in found.err
    assert found.out.rstrip().endswith("2 archives: 1 failed, 1 migrated")
