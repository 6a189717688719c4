"""Runs of commands leave a record whatever ends them; health tells; nothing that only watches changes an exit code."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.answers import Answer
from support.small_lakes import group, zip_of

from sxeslake.cli.run import run
from sxeslake.runs.folder import commands, newest_first, runs_dir
from sxeslake.runs.record import RunRecord

Call = Callable[..., Answer]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command in a folder with an archive and the lake `lake`."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.delenv("SXESLAKE_NOTIFY", raising=False)
    monkeypatch.chdir(tmp_path)
    zip_of(tmp_path / "map.plzip", group(1))

    def call(*words: str) -> Answer:
        return Answer(run(words), *capsysbinary.readouterr())

    call("init", "lake")
    return call


@pytest.fixture
def got(tmp_path: Path) -> tuple[str, Callable[[], dict[str, Any]]]:
    """A command that keeps what it is told, and what it kept."""
    path = tmp_path / "notice.json"
    script = f"import sys; open({str(path)!r}, 'x').write(sys.stdin.read())"
    return shlex.join([sys.executable, "-c", script]), lambda: json.loads(path.read_text())


def last(command: str, lake: Path | str | None = None) -> RunRecord:
    return next(newest_first(runs_dir(), str(lake or Path("lake").absolute()), command))


def test_each_command_leaves_a_record(call: Call, tmp_path: Path) -> None:
    call("init", "second")
    for words in (("ingest", "map.plzip"), ("verify", "--data"), ("copy", "lake", "second"), ("gc",), ("checkpoint",),
                  ("repair",), ("repack",)):  # fmt: skip
        assert call(*words).code == 0
        record = last(words[0])
        assert (record.result, record.exit_code, record.arguments) == ("ok", 0, list(words))
    lake = str(tmp_path / "lake")
    assert commands(runs_dir(), lake) == ["checkpoint", "copy", "gc", "ingest", "repack", "repair", "verify"]
    assert last("ingest").bytes_read == (tmp_path / "map.plzip").stat().st_size
    assert last("ingest").archives == last("copy").archives == 1
    assert last("ingest").bytes_written > 0
    assert last("verify").bytes_read > 0
    assert last("copy").target == str(tmp_path / "second")
    assert last("copy").bytes_written > 0
    assert last("checkpoint").bytes_written > 0
    assert call("health", "--max-age", "verify=1d,copy=1d").code == 0


@pytest.mark.parametrize("words", [("watch", ".", "--once", "--settle", "0s"), ("ingest", ".", "--workers", "2")])
def test_archives_are_counted_once_whoever_takes_them(call: Call, words: tuple[str, ...]) -> None:
    folder = Path("in")
    folder.mkdir()
    Path("map.plzip").rename(folder / "map.plzip")
    (folder / "bad.zip").write_text("junk")
    assert call(words[0], "in", *words[2:]).code == 4
    record = last(words[0])
    assert (record.archives, record.failures) == (1, 1)
    assert record.bytes_read == (folder / "map.plzip").stat().st_size
    assert record.bytes_written > 0


def test_other_commands_leave_none(call: Call, tmp_path: Path) -> None:
    call("ingest", "map.plzip")
    call("ls")
    call("stats")
    call("health")
    assert commands(runs_dir(), str(tmp_path / "lake")) == ["ingest"]


def test_several_lakes_are_refused_and_not_recorded(call: Call, tmp_path: Path) -> None:
    call("init", "second")
    assert call("verify", "--lake", "lake", "--lake", "second").code == 2
    assert call("health", "--lake", "lake", "--lake", "second").code == 2
    assert commands(runs_dir(), str(tmp_path / "lake")) == []


def test_a_batch_with_a_bad_archive_has_failed(call: Call) -> None:
    Path("bad.zip").write_text("junk")
    assert call("ingest", "map.plzip", "bad.zip").code == 4
    record = last("ingest")
    assert (record.result, record.exit_code, record.failures, record.archives) == ("failed", 4, 1, 1)
    assert "bad.zip" in record.messages[0]
    health = call("health")
    assert health.code == 4
    assert "WRONG  ingest" in health.out
    assert "bad.zip" in health.out


def test_damage_is_a_failure(call: Call) -> None:
    call("ingest", "map.plzip")
    pack = next(path for path in Path("lake/packs").rglob("*") if path.is_file())
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:-1])
    code = call("verify", "--data").code
    assert code == 5
    assert last("verify").exit_code == 5
    assert last("verify").failures > 0


def test_a_check_whose_time_is_up_is_well_and_no_success(call: Call) -> None:
    call("ingest", "map.plzip")
    assert call("verify", "--data", "--max-duration", "0s").code == 4
    record = last("verify")
    assert (record.result, record.exit_code, record.complete) == ("ok", 4, False)
    assert call("health").code == 0
    assert call("health", "--max-age", "verify=1d").code == 4


def test_a_copy_of_some_samples_and_a_dry_run_are_no_second_copy(call: Call) -> None:
    call("ingest", "map.plzip")
    call("init", "second")
    call("copy", "lake", "second", "--dry-run")
    assert (last("copy").dry_run, last("copy").bytes_written) == (True, 0)
    call("copy", "lake", "second", "map")
    assert call("health").code == 0
    assert call("health", "--max-age", "copy=1d").code == 4
    call("copy", "lake", "second")
    assert call("health", "--max-age", "copy=1d").code == 0


def test_an_unwritable_state_folder_is_a_warning(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("taken").write_text("a file")
    monkeypatch.setenv("SXESLAKE_STATE", str(Path("taken").absolute()))
    answer = call("ingest", "map.plzip", "--metrics-file", "m.prom")
    assert answer.code == 0
    assert answer.err.count("this run is not recorded") == 1
    assert 'result="ok"' in Path("m.prom").read_text()
    assert call("health").code == 0


# --- killed and interrupted --------------------------------------------------------------------------------------


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[Callable[..., subprocess.Popen[bytes]], str]]:
    """What starts a command that waits for a silent server, and the lake that it asks."""
    children: list[subprocess.Popen[bytes]] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        own = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}", "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true",
            "SXESLAKE_CONFIG": str(tmp_path / "settings"),
        }  # fmt: skip
        lake = "s3://bucket/lake"

        def start(*words: str) -> subprocess.Popen[bytes]:
            child = subprocess.Popen(
                [sys.executable, "-m", "sxeslake", *words, "--lake", lake], env={**os.environ, **own},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            children.append(child)
            until = time.monotonic() + 60
            while not list(newest_first(runs_dir(), lake, words[0])):
                assert time.monotonic() < until
                assert child.poll() is None
                time.sleep(0.02)
            return child

        yield start, lake
        for child in children:
            child.kill()
            child.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_killed_run_has_died_and_health_reports_it(
    call: Call, hanging: tuple[Callable[..., subprocess.Popen[bytes]], str], got: tuple[str, Callable[[], Any]]
) -> None:
    start, lake = hanging
    child = start("verify")
    health = call("health", "--lake", lake, "--json")
    assert (health.code, health.document["commands"][2]["result"]) == (0, "running")
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert last("verify", lake).result == "running"
    health = call("health", "--lake", lake, "--notify", got[0])
    assert health.code == 4
    assert "died" in health.out
    notice = got[1]()
    assert (notice["event"], notice["commands"][0]["result"]) == ("unwell", "died")


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interrupted_run_says_so_and_reports_nothing(
    hanging: tuple[Callable[..., subprocess.Popen[bytes]], str], got: tuple[str, Callable[[], Any]]
) -> None:
    start, lake = hanging
    child = start("gc", "--notify", got[0])
    time.sleep(0.5)
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 130
    assert last("gc", lake).result == "interrupted"
    assert last("gc", lake).exit_code == 130
    with pytest.raises(FileNotFoundError):
        got[1]()


# --- notices -----------------------------------------------------------------------------------------------------


def test_a_failure_is_reported_with_the_record(call: Call, got: tuple[str, Callable[[], Any]]) -> None:
    command, notice = got
    assert call("ingest", "map.plzip", "--notify", command).code == 0
    with pytest.raises(FileNotFoundError):
        notice()
    answer = call("ingest", "nosuch", "--notify", command, "--storage-option", "secret_key=hunter2hunter2")
    assert answer.code != 0
    found = notice()
    assert found["event"] == "run_failed"
    assert found["id"] == last("ingest").id
    assert found["exit_code"] == answer.code
    assert found["text"].startswith("sxeslake ingest of ")
    assert "hunter2" not in json.dumps(found)
    assert command not in json.dumps(found)


def test_the_environment_and_the_configuration_name_it_too(
    call: Call, got: tuple[str, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("use", "--notify", "false").code == 0
    assert "not reported" in call("ingest", "nosuch").err
    monkeypatch.setenv("SXESLAKE_NOTIFY", got[0])
    assert call("ingest", "nosuch").err.count("reported") == 0
    assert got[1]()["command"] == "ingest"
    monkeypatch.delenv("SXESLAKE_NOTIFY")
    assert call("use", "--notify", "", "--json").document["notify"] is None
    assert "reported" not in call("ingest", "nosuch").err


def test_no_secret_is_kept_in_the_configuration(call: Call) -> None:
    answer = call("use", "--notify", "https://u:sesame@chat.example.org/x")
    assert answer.code == 2
    assert "sesame" not in answer.err
    assert "SXESLAKE_NOTIFY" in answer.err


def test_a_notice_that_never_arrives_changes_no_exit_code(call: Call) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        answer = call("ingest", "nosuch", "--notify", f"http://127.0.0.1:{free.getsockname()[1]}/hooks/abc", "--json")
    assert answer.code == 3
    assert answer.document["error"]["exit_code"] == 3
    assert "the failure was not reported: cannot be reached" in answer.err
    assert "abc" not in answer.err


def test_a_damaged_configuration_changes_no_exit_code_either(call: Call) -> None:
    Path("settings").mkdir(exist_ok=True)
    Path("settings/config.json").write_text('{"notify": 7}')
    answer = call("ingest", "nosuch")
    assert answer.code == 3
    assert "the failure was not reported: " in answer.err


def test_a_lake_that_cannot_be_found_is_reported_too(call: Call, got: tuple[str, Callable[[], Any]]) -> None:
    Path("settings").mkdir(exist_ok=True)
    Path("settings/config.json").write_text("{")
    assert call("verify", "--lake", "epma", "--notify", got[0]).code == 2
    assert got[1]()["exit_code"] == 2
    assert "settings" in got[1]()["text"]


def test_ctrl_c_while_a_notice_waits_ends_the_wait_only(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sxeslake.runs.notify.send", interrupted)
    answer = call("ingest", "nosuch", "--notify", "https://chat.example.org/x")
    assert answer.code == 3
    assert "the failure was not reported: interrupted" in answer.err


@pytest.mark.parametrize("where", ["ftp://host/x", "", "'"])
def test_what_is_neither_url_nor_command_is_refused_first(call: Call, where: str) -> None:
    assert call("ingest", "map.plzip", "--notify", where).code == 2
    assert call("stats", "--json").document["archives"] == 0


# --- metrics and words -------------------------------------------------------------------------------------------


def test_metrics_need_their_package_before_any_work(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = call("ingest", "map.plzip", "--metrics-file", "m.prom")
    assert answer.code == 2
    assert 'pip install "sxeslake[metrics]"' in answer.err
    assert call("stats", "--json").document["archives"] == 0


def test_metrics_of_several_commands_share_a_file(call: Call) -> None:
    call("ingest", "map.plzip", "--metrics-file", "m.prom")
    call("verify", "--metrics-file", "m.prom")
    text = Path("m.prom").read_text()
    assert 'command="ingest"' in text
    assert 'command="verify"' in text
    assert text.endswith("# EOF\n")
    assert "end in .prom" in call("verify", "--metrics-file", "m.txt").err


@pytest.mark.parametrize("age", ["verify", "verify=", "verify=soon", "nothing=1d", "=1d", "verify=8mo"])
def test_ages_that_cannot_be_read(call: Call, age: str) -> None:
    assert call("health", "--max-age", age).code == 2


def test_health_of_a_lake_that_nothing_ran_on(call: Call) -> None:
    answer = call("health", "--lake", "elsewhere", "--json")
    assert answer.code == 0
    assert [each["result"] for each in answer.document["commands"]] == ["never"] * 6
    assert call("health", "--lake", "elsewhere", "--max-age", "watch=10m").code == 4
