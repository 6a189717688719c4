"""What `sxeslake --help` shows, what it loads, and what the shell completes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

import sxeslake.cli
from sxeslake.cli.root import MEANINGS, SECTIONS, root
from sxeslake.cli.run import run

HEAVY = {
    "numpy",
    "pyarrow",
    "duckdb",
    "fsspec",
    "s3fs",
    "aiobotocore",
    "botocore",
    "aiohttp",
    "asyncio",
    "rich",
    "py7zr",
    "pcodec",
    "ssl",
    "sxeslake.lake",
}


def test_every_command_file_is_listed_once() -> None:
    commands = Path(sxeslake.cli.__file__).parent / "commands"
    sources = {path.stem: path.read_text(encoding="utf-8") for path in commands.glob("*.py")}
    files = [name for name, source in sources.items() if "\ndef command(" in source]
    listed = [name.replace("-", "_") for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(files)


def test_help_loads_nothing_heavy() -> None:
    program = "import sys; from sxeslake.cli import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY & set(result.stderr.split()) == set()
    assert "ingest" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == 0
    out = capsys.readouterr().out
    for names in SECTIONS.values():
        for name in names:
            assert f"\n  {name} " in out
    assert out.rstrip().endswith("sxeslake pull map -o map.pl7z")


def test_every_summary_fits_its_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for names in SECTIONS.values():
        for name, summary in names.items():
            assert any(line.split(maxsplit=1) == [name, summary] for line in lines), name


def test_no_example_is_wider_than_80_columns() -> None:
    context = click.Context(root)
    for name in root.list_commands(context):
        for line in getattr(root.get_command(context, name), "example", "").splitlines():
            assert len(line) <= 78, f"{name}: {line}"


@pytest.mark.parametrize(("word", "meant"), MEANINGS.items())
def test_a_word_of_another_program_runs_the_command_of_that_meaning(
    capsys: pytest.CaptureFixture[str], word: str, meant: str
) -> None:
    assert word not in root.list_commands(click.Context(root))
    assert run([word, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: sxeslake {meant} ")


@pytest.mark.parametrize("word", ["forgt", "forget-all", "gcc", "realease", "releas", "rmm", "delet", "prun", "dele"])
def test_no_slip_is_answered_with_a_destructive_command(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert run([word]) == 2
    err = capsys.readouterr().err
    assert "There is no command" in err
    suggested = err.partition("Did you mean")[2]
    assert not {"forget", "gc", "release"} & set(suggested.replace("?", " ").split())


@pytest.mark.parametrize(("word", "near"), [("ingst", "ingest"), ("lss", "ls"), ("serch", "find"), ("verfy", "verify")])
def test_a_slip_is_answered_with_what_is_near(capsys: pytest.CaptureFixture[str], word: str, near: str) -> None:
    assert run([word]) == 2
    assert f"Did you mean {near}" in capsys.readouterr().err


def test_help_explains_commands_options_and_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    topics = {
        "pull": "Usage: sxeslake pull",
        "get": "Usage: sxeslake pull",
        "options": "--lake URL",
        "tasks": "sxeslake ls",
    }
    for topic, expected in topics.items():
        assert run(["help", topic]) == 0
        assert expected in capsys.readouterr().out
    assert run(["help"]) == 0
    plain = capsys.readouterr().out
    assert run(["--help"]) == 0
    assert capsys.readouterr().out == plain
    assert run(["help", "nonsense"]) == 2


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"sxeslake {sxeslake.__version__}\n"
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"sxeslake {sxeslake.__version__}\n"
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == sxeslake.__version__


def test_python_m_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "sxeslake", "nonsense"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("sxeslake: There is no command")


def test_completion_asks_which_shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run(["completion"]) == 2
    assert "bash, zsh, fish, powershell" in capsys.readouterr().err


def test_commands_load_only_when_called() -> None:
    program = "import sys, sxeslake.cli; print(*[m for m in sys.modules if m.startswith('sxeslake.cli.')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "sxeslake.cli.commands.ingest" not in result.stdout.split()
    assert isinstance(root.get_command(click.Context(root), "ingest"), click.Command)
