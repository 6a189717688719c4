"""What `sxeslake --help` shows, what it loads, and what the shell completes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import sxeslake.cli
from sxeslake.cli.root import SECTIONS, root
from sxeslake.cli.run import run

HEAVY = {
    "numpy",
    "pyarrow",
    "duckdb",
    "fsspec",
    "botocore",
    "asyncio",
    "rich",
    "py7zr",
    "pcodec",
    "ssl",
    "sxeslake.lake",
}


def test_every_command_file_is_listed_once() -> None:
    sources = {path.stem: path.read_text(encoding="utf-8") for path in Path(sxeslake.cli.__file__).parent.glob("*.py")}
    files = [name for name, source in sources.items() if "\ndef command(" in source]
    listed = [name.replace("-", "_") for _, names in SECTIONS for name in names]
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
    for _, names in SECTIONS:
        for name in names:
            assert f"\n  {name} " in out
    assert out.rstrip().endswith("sxeslake pull map -o map.pl7z")


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"sxeslake {sxeslake.__version__}\n"


def test_python_m_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "sxeslake", "nonsense"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("sxeslake: There is no command")


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"), [([], "ing", ["ingest"]), (["pull"], "--as", ["--as-source"])]
)
def test_the_shell_completes_commands_and_options(words: list[str], incomplete: str, expected: list[str]) -> None:
    completer = ShellComplete(root, {}, "sxeslake", "_SXESLAKE_COMPLETE")
    assert [item.value for item in completer.get_completions(words, incomplete)] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_shells_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert "_SXESLAKE_COMPLETE" in out
    assert shell in err


def test_completion_asks_which_shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run(["completion"]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


def test_commands_load_only_when_called() -> None:
    program = "import sys, sxeslake.cli; print(*[m for m in sys.modules if m.startswith('sxeslake.cli.')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "sxeslake.cli.ingest" not in result.stdout.split()
    assert isinstance(root.get_command(click.Context(root), "ingest"), click.Command)
