"""From arguments to exit codes, one line of error and one JSON document."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from sxeslake import errors
from sxeslake.cli.app import App
from sxeslake.cli.run import run

SECRET = "hunter22-very-secret"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Every command that opens a lake fails with the given error."""

    def fail_with(error: BaseException) -> None:
        def open_lake(self: App, *, create_default: bool = False) -> object:
            raise error

        monkeypatch.setattr(App, "open_lake", open_lake)

    return fail_with


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.SampleNotFoundError("x"), 3),
        (errors.LakeNotFoundError("x"), 3),
        (errors.DamagedArchiveError("x"), 4),
        (errors.DamagedLakeError("x"), 5),
        (errors.UnreachableError("x"), 6),
        (errors.AlreadyExistsError("x"), 7),
        (errors.SxeslakeError("x"), 1),
        (ValueError("x"), 1),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.BadParameter("x"), 2),
    ],
)
def test_every_error_has_its_exit_code(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    failing(error)
    assert run(["ls"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_an_error_is_a_document_under_json(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(errors.SampleNotFoundError("no such sample", where="mpa", hint="Near: map."))
    assert run(["ls", "--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": {"kind": "SampleNotFoundError", "message": "mpa: no such sample. Near: map.", "exit_code": 3}
    }
    assert err == "sxeslake: mpa: no such sample. Near: map.\n"


def test_a_usage_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--nonsense", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == 2


def test_verbose_shows_where_an_error_came_from(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failing(ValueError("x"))
    assert run(["ls", "-v"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("verbose", [[], ["-v"]])
def test_no_secret_is_ever_shown(
    failing: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verbose: list[str],
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET + "-env")
    failing(ValueError(f"s3://AK:{SECRET}-url@bucket: {SECRET}-option, {SECRET}-env, https://u:{SECRET}-else@host"))
    arguments = [
        "ls",
        "--json",
        "--lake",
        f"s3://AK:{SECRET}-url@bucket",
        "--storage-option",
        f"secret={SECRET}-option",
    ]
    assert run(arguments + verbose) == 1
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert "***" in err


def test_a_storage_option_that_cannot_be_read_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", "--storage-option", SECRET]) == 2
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert "NAME=VALUE" in err


def test_an_unknown_command_is_answered_with_near_misses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["igest"]) == 2
    assert "Did you mean ingest?" in capsys.readouterr().err


def test_a_command_without_a_lake_says_how_to_get_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["ls"]) == 3
    assert "sxeslake ingest" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_closed_pipe_is_quiet() -> None:
    program = "from sxeslake.cli import run; import sys; sys.exit(run(['--help']))"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stream:
        assert stream.read() == b""
    assert process.wait() in (0, 141)


@pytest.mark.parametrize("has_lines", [False, True])
def test_no_error_steers_the_terminal_or_looks_like_two(
    failing: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], has_lines: bool
) -> None:
    error = errors.UsageError("a\x1b]0;x\x07\x9b\u202e\u2028\udc8e\nsxeslake: all is well", where="p\x7f")
    error.has_lines = has_lines
    failing(error)
    assert run(["-v", "ls"]) == 2
    err = capsys.readouterr().err
    assert all(line.isprintable() for line in err.splitlines())
    said = err[err.index("sxeslake: p\\x7f: a\\x1b]0;x\\x07\\x9b\\u202e\\u2028\\udc8e") :]
    assert said.endswith("\n  sxeslake: all is well\n" if has_lines else "\\nsxeslake: all is well\n")


def test_what_is_said_and_printed_is_visible(capsys: pytest.CaptureFixture[str]) -> None:
    app = App()
    for speak in (app.say, app.complain, app.print):
        speak("a\x1b[31m\x9b\u202e\nb")
    app.emit({"a": "\x1b\x7f\x9b"})
    app.print_data("a\x1b")
    out, err = capsys.readouterr()
    assert err == 2 * "a\\x1b[31m\\x9b\\u202e\nb\n"
    assert out == "a\\x1b[31m\\x9b\\u202e\nb\n" + '{\n  "a": "\\u001b\\u007f\\u009b"\n}\n' + "a\x1b\n"
