"""`--log-format` and `--log-file`: a record a line, with the run's id, without secrets; a full disk costs no work."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.answers import Answer
from support.small_lakes import group, zip_of

from sxeslake.cli.run import run
from sxeslake.runs.folder import newest_first, runs_dir

Call = Callable[..., Answer]
KEYS = ["time", "level", "logger", "message", "command", "lake", "run"]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command in a folder with an archive and the lake `lake`."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    zip_of(tmp_path / "map.plzip", group(1))

    def call(*words: str) -> Answer:
        return Answer(run(words), *capsysbinary.readouterr())

    call("init", "lake")
    return call


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_stderr_is_a_log_for_programs(call: Call, tmp_path: Path) -> None:
    answer = call("ingest", "map.plzip", "nosuch.zip", "--log-format", "json", "--json")
    assert answer.code == 3
    assert json.loads(answer.out)["error"]["exit_code"] == 3
    records = lines(answer.err)
    assert all([*record][:7] == KEYS for record in records)
    assert {record["command"] for record in records} == {"ingest"}
    assert records[-2]["level"] == "error"
    assert records[-2]["message"].startswith("nosuch.zip: ")
    (kept,) = newest_first(runs_dir(), str(tmp_path / "lake"), "ingest")
    assert {record["run"] for record in records} == {kept.id}
    assert {record["lake"] for record in records} == {str(tmp_path / "lake")}


def test_a_file_has_the_decisions_and_is_appended_to(call: Call) -> None:
    plain = call("ingest", "map.plzip", "nosuch.zip")
    answer = call("ingest", "map.plzip", "nosuch.zip", "--log-file", "log", "--log-format", "json")
    assert (answer.code, answer.err, answer.out) == (plain.code, plain.err, plain.out)
    assert "nosuch.zip" in answer.err
    call("--log-file=log", "--log-format=json", "verify")
    records = lines(Path("log").read_text())
    assert [record["command"] for record in records if "ended with" in record["message"]] == ["ingest", "verify"]
    assert {"sxeslake.settings", "sxeslake.cli", "sxeslake.maintenance.verify.run"} <= {
        each["logger"] for each in records
    }
    assert len({record["run"] for record in records}) == 2
    assert not any(record["level"] == "debug" for record in records)


def test_requests_are_kept_where_they_are_asked_for(call: Call) -> None:
    assert "debug" not in call("verify", "--log-file", "log").err
    assert " debug " not in Path("log").read_text()
    assert call("-vv", "verify", "--log-file", "more").code == 0
    assert " debug " in Path("more").read_text()


def test_a_record_is_a_line_whatever_is_in_it(call: Call) -> None:
    name = "two\nlines \x1b[31m.zip"
    call("ingest", name, "--log-file", "log")
    call("ingest", name, "--log-file", "json", "--log-format", "json")
    text = Path("log").read_text()
    assert "\x1b" not in text
    assert "two\\nlines" in text
    assert all(line.startswith("20") for line in text.splitlines())
    assert any(name in record["message"] for record in lines(Path("json").read_text()))


def test_no_secret_is_kept(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    monkeypatch.setenv("SXESLAKE_NOTIFY", f"{sys.executable} -c 0 token-abc-123")
    words = ["verify", "--lake", "s3://AK:open-sesame@bucket/lake?sig=abcdef", "--log-file", "log", "-vv"]
    answer = call(*words, "--storage-option", "secret_key=sw0rdfish", "--retry-for", "0")
    assert answer.code != 0
    call(*words, "--log-format", "json", "--notify", "tell token-abc-123")
    kept = Path("log").read_text() + "".join(path.read_text() for path in runs_dir().rglob("*.json"))
    assert kept.count('"level"') > 1
    for secret in ("hunter2", "open-sesame", "sw0rdfish", "token-abc-123", "abcdef"):
        assert secret not in kept


def test_a_file_that_cannot_be_opened_ends_the_command(call: Call) -> None:
    answer = call("verify", "--log-file", "no/such/log")
    assert answer.code == 2
    assert "no/such" in answer.err
    assert call("verify", "--log-file", ".").code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_costs_the_log_and_not_the_work(call: Call) -> None:
    answer = call("ingest", "map.plzip", "--log-file", "/dev/full")
    assert answer.code == 0
    assert answer.err.count("the log cannot be written") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be moved there")
def test_a_log_that_is_moved_away_goes_on_in_a_new_file(tmp_path: Path) -> None:
    import logging  # noqa: PLC0415

    from sxeslake.cli.app import App  # noqa: PLC0415
    from sxeslake.cli.logs import keep, logging_to_stderr  # noqa: PLC0415

    app = App(log_file=str(tmp_path / "log"))
    with logging_to_stderr(app):
        keep(app)
        logging.getLogger("sxeslake.test").info("one")
        (tmp_path / "log").rename(tmp_path / "log.1")
        logging.getLogger("sxeslake.test").info("two")
    assert "one" in (tmp_path / "log.1").read_text()
    assert "two" in (tmp_path / "log").read_text()


def test_completion_opens_no_log(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SXESLAKE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "sxeslake --log-file new ls ")
    monkeypatch.setenv("COMP_CWORD", "4")
    call()
    assert not Path("new").exists()
