"""`--lake` more than once, and groups: who reads several lakes as one, and who refuses them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.app import App
from sxeslake.cli.options import LakeCommand, LakesCommand
from sxeslake.cli.root import root
from sxeslake.cli.run import run

COMMANDS = {name: root.get_command(click.Context(root), name) for name in root.list_commands(click.Context(root))}
SEVERAL = {"find", "ls", "query", "serve"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    archives = synthetic_facility(folder / "archives", nx=2, ny=2)
    for name, which in (("epma", archives[0]), ("site-b", archives[-1])):
        with sxeslake.init(str(folder / name)) as lake:
            lake.ingest(which)
    return folder


@pytest.fixture(autouse=True)
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path))
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[str, str]:
    assert run(words) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(told(capsys, *words, "--json")[0])
    return found


def test_the_commands_that_read_several_lakes() -> None:
    assert {name for name, command in COMMANDS.items() if isinstance(command, LakesCommand)} == SEVERAL


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - SEVERAL))
def test_every_other_command_refuses_two_lakes(name: str) -> None:
    command = COMMANDS[name]
    assert isinstance(command, LakeCommand)
    context = click.Context(command, obj=App(words=("epma", "site-b")))
    with pytest.raises(click.UsageError, match=f"`{name}` works with one lake, and 2 are named: epma, site-b"):
        command.invoke(context)


@pytest.mark.parametrize("words", [["ingest", "archives"], ["gc"], ["forget", "*"], ["tag", "x", "y"], ["stats"]])
def test_two_lakes_before_or_behind_the_name_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--lake", "epma", "--lake", "site-b"]
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    for call in ([*both, *words], [*words, *both]):
        _, err = told(capsys, *call, code=2)
        assert f"`{words[0]}` works with one lake" in err
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before


def test_rows_name_their_lake(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--lake", "epma", "--lake", "site-b")
    assert {row["lake"] for row in document(capsys, "ls", *both)} == {"epma", "site-b"}
    assert told(capsys, "ls", *both)[0].startswith("lake ")
    assert told(capsys, "ls", "--long", *both)[0].startswith("lake ")
    assert {next(iter(row)) for row in document(capsys, "find", "map", *both)} == {"lake"}
    out, _ = told(capsys, "query", "analyses-by-condition", *both, "--format", "csv")
    assert out.startswith('"lake","sample","version",')
    rows = document(capsys, "query", "--sql", "SELECT DISTINCT lake FROM archives ORDER BY 1", *both)
    assert rows == [{"lake": "epma"}, {"lake": "site-b"}]
    assert len(document(capsys, "find", "e", *both, "--limit", "2")) == 2


def test_one_lake_is_named_in_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "use", "facility", "epma")
    for words, name in [((), "facility"), (("--lake", "facility"), "facility"), (("--lake", "./epma"), "epma")]:
        assert {row["lake"] for row in document(capsys, "ls", *words)} == {name}
        assert {row["lake"] for row in document(capsys, "query", "analyses-by-condition", *words)} == {name}
        assert "lake" not in document(capsys, "query", "--sql", "SELECT sample FROM archives", *words)[0]
    assert not told(capsys, "ls", "-q")[0].startswith("lake")
    out, _ = told(capsys, "query", "analyses-by-condition", "--format", "csv", "-q")
    assert '"lake"' not in out.splitlines()[0]
    out, _ = told(capsys, "query", "analyses-by-condition", "--format", "csv", "-q", "--columns", "lake,kind")
    assert out.splitlines()[:2] == ['"lake","kind"', '"facility","map"']


def test_a_group_is_kept_used_and_forgotten(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(capsys, "use", "facility", "epma")
    told(capsys, "use", "--embedded")
    assert "Group sites: facility, " in told(capsys, "use", "--group", "sites", "facility", "./site-b")[1]
    assert {row["lake"] for row in document(capsys, "ls", "--lake", "sites")} == {"facility", "site-b"}
    assert "sites" in told(capsys, "use")[0]
    monkeypatch.setenv("SXESLAKE_LAKE", "sites")
    assert {row["lake"] for row in document(capsys, "ls")} == {"facility", "site-b"}
    told(capsys, "stats", code=2)
    monkeypatch.delenv("SXESLAKE_LAKE")
    assert "one lake" in told(capsys, "stats", "--lake", "sites", code=2)[1]
    assert "cannot be the lake in use" in told(capsys, "use", "sites", code=2)[1]
    for words in (["--group", "sites"], ["--group", "sites", "x", "--forget"], ["a", "b", "c"]):
        told(capsys, "use", *words, code=2)
    told(capsys, "use", "--group", "other", "nobody", code=3)
    told(capsys, "use", "--group", "sites", "--forget")
    told(capsys, "use", "--group", "sites", "--forget", code=3)


def test_a_lake_that_is_away_ends_the_command_or_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--storage-option", "endpoint_url=http://127.0.0.1:9", "--storage-option", "key=k",
               "--storage-option", "secret=s", "--retry-for", "0")  # fmt: skip
    both = ("--lake", "s3://lake/away", "--lake", "epma", *options)
    for words in (["ls"], ["find", "map"], ["query", "analyses-by-condition"]):
        out, err = told(capsys, *words, *both, code=6)
        assert not out
        assert "lake away: " in err
        out, err = told(capsys, *words, *both, "--skip-unreachable")
        assert "epma" in out
        assert "warning    lake away: " in err
    assert told(capsys, "ls", "--lake", "none", "--lake", "epma", code=3)[1].startswith("sxeslake: lake none: ")


def test_files_of_one_sample_in_each_lake_that_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    (name,) = {str(row["sample"]) for row in document(capsys, "ls", "--lake", "epma")}
    out, _ = told(capsys, "ls", name, "--lake", "epma", "--lake", "site-b")
    assert "\nlake " in out
    assert "metadata.json" in out
    out, _ = told(capsys, "ls", f"{name}@1", "--lake", "epma", "--lake", "site-b")
    assert "epma" in out
    assert told(capsys, "ls", "nothing", "--lake", "epma", "--lake", "site-b")[0] == ""
