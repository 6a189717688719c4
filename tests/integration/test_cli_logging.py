"""`-v` shows what was decided, `-vv` every request, on a local lake and over S3; no secret in either."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.part_lakes import Session, Spot, contents
from support.scripted_s3 import SECRETS, ScriptedS3
from support.small_lakes import group, zip_of

from sxeslake.cli.app import App
from sxeslake.cli.logs import logging_to_stderr
from sxeslake.cli.run import run

Call = Callable[..., str]

LINE = re.compile(r"(?:info |debug)  \d+\.\d{3} s  ([a-z0-9_.]+): .+")
PASSWORD = "correct horse battery"


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a lake that is not there yet."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    if request.param == "local":
        yield str(tmp_path / "lake")
        return
    server = ScriptedS3()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    try:
        yield "s3://bucket/lake"
    finally:
        server.stop()


@pytest.fixture
def call(lake: str, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command that succeeds; what it said on stderr."""
    options = [f"--storage-option=token={SECRETS['token']}"] if lake.startswith("s3:") else []

    def call(*words: object) -> str:
        code = run([*map(str, words), "--lake", lake, *options])
        err = capsys.readouterr().err
        assert code == 0, err
        return err

    return call


def modules(err: str) -> set[str]:
    return {match[1] for line in err.splitlines() if (match := LINE.fullmatch(line))}


def test_requests_and_decisions_and_no_secret(call: Call, lake: str, tmp_path: Path) -> None:
    store = "storage.s3.store" if lake.startswith("s3:") else "storage.local"
    secrets = tmp_path / "passwords"
    secrets.write_text(PASSWORD + "\n")
    secrets.chmod(0o600)
    archive, other = zip_of(tmp_path / "map.zip", group(1)), tmp_path / "other"
    call("init")
    told = {
        "ingest": call("ingest", archive, "--password-file", secrets, "-vv"),
        "again": call("ingest", archive, "-vv"),
        "pull": call("pull", "map", "-o", tmp_path / "out.7z", "--password-file", secrets, "-vv"),
        "query": call("query", "maps-by-beam-condition", "-vv"),
        "forget": call("forget", "map", "-vv"),
        "gc": call("gc", "--grace", "0", "-vv"),
    }
    call("ingest", archive)
    run(["init", str(other)])
    told["copy"] = call("copy", lake, other, "-vv")
    decided = {
        "ingest": {store, "ingest.discovery", "ingest.engine", "archive.container", "vault.log.commit"},
        "again": {store, "ingest.known", "ingest.engine"},
        "pull": {store, "pull.whole", "pull.publish", "vault.blobs.reader"},
        "query": {store, "catalog.store.sync"},
        "forget": {store, "vault.log.commit"},
        "gc": {store, "maintenance.gc.run", "vault.log.commit"},
        "copy": {store, "maintenance.copy.run", "vault.log.commit"},
    }  # fmt: skip
    for command, expected in decided.items():
        assert expected <= modules(told[command]), command
        for secret in (PASSWORD, *SECRETS.values()):
            assert secret not in told[command], command


def test_every_engine_tells_what_it_decides(call: Call, lake: str, tmp_path: Path) -> None:
    call("init")
    for number in (1, 2):
        call("ingest", zip_of(tmp_path / f"map{number}.zip", contents([Session(1, [Spot(number, number)])])))
    call("hold", "map2")
    told = {
        "query": call("query", "maps-by-beam-condition", "-vv"),
        "part": call("pull", "map1", "--types", "qlw", "-o", tmp_path / "part.zip", "-vv"),
        "merge": call("pull", "--all", "--types", "qlw", "-o", tmp_path / "merged.pl7z", "-vv"),
        "limit": call("pull", "map1", "--limit-down", "1GB", "-o", tmp_path / "whole.zip", "-vv"),
        "doctor": call("doctor", "-vv"),
        "tag": call("tag", "map1", "paper", "-vv"),
        "forget": call("forget", "map*", "--keep-within", "1d", "-vv"),
        "tidy": call("tidy", "-vv"),
        "rename": call("rename", "map1", "ti-grains", "-vv"),
    }
    retention = "maintenance.retention"
    decided = {
        "query": {"settings", "catalog.build.update"},
        "part": {"pull.part.run", "pull.part.selection"},
        "merge": {"pull.part.run", "pull.merge.run", "pull.merge.copying"},
        "limit": {"storage.throttle"},
        "doctor": {"maintenance.doctor", "storage.probe"},
        "tag": {f"{retention}.tags"},
        "forget": {f"{retention}.forget", f"{retention}.clock"},
        "tidy": {f"{retention}.tidy"},
        "rename": {f"{retention}.rename"},
    }
    for command, expected in decided.items():
        assert expected <= modules(told[command]), (command, told[command])
        assert not any(secret in told[command] for secret in SECRETS.values()), command


def test_one_v_shows_decisions_alone(call: Call, tmp_path: Path) -> None:
    call("init")
    told = call("ingest", zip_of(tmp_path / "map.zip", group(1)), "-v")
    assert {"ingest.engine", "vault.log.commit"} <= modules(told)
    assert not any(name.startswith("storage") for name in modules(told))
    assert "debug" not in told
    assert not modules(call("ls"))
    assert logging.getLogger("sxeslake").level == logging.NOTSET


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET https://host/key?X-Amz-Signature=abc&X-Amz-Credential=me failed", "GET https://host/key?*** failed"),
        ("s3://user:hunter2@bucket/lake is busy", "s3://***@bucket/lake is busy"),
        ("key AKIA_SECRET_KEY_ID of sEcReT/with+signs", "key *** of ***"),
        ("Is the address right: https://host? Try again", "Is the address right: https://host? Try again"),
    ],
)
def test_what_a_record_may_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, left: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SECRETS["key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["secret"])
    with logging_to_stderr(App()):
        logging.getLogger("sxeslake.storage").warning("%s", text)
    assert capsys.readouterr().err == f"sxeslake: {left}\n"
