"""The command line against a real S3 server: settings by variable, option and name; no secret comes out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.seaweed import BUCKET, Seaweed

from sxeslake.archive.container import open_container
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.cli.run import run

pytestmark = pytest.mark.s3


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        return json.loads(self.out)


Call = Callable[..., Answer]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"s3://{BUCKET}/cli-{tmp_path.name}"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line with settings of its own and no AWS variables but those given."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SXESLAKE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, environment: Mapping[str, str] | None = None) -> Answer:
        with monkeypatch.context() as patch:
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            code = run([str(argument) for argument in arguments])
        return Answer(code, *capsys.readouterr())

    return call


def test_a_lake_in_a_bucket(s3_server: Seaweed, call: Call, url: str, tmp_path: Path) -> None:
    environment = s3_server.environment("steward")
    source = write_archive(tmp_path / "map.plzip", map_members(MapPlan(3, 2, 2)))
    assert call("init", url, environment=environment).code == 0
    assert call("init", url, environment=environment).code == 7
    ingest = call("ingest", source, "--lake", url, "--json", environment=environment).document
    assert ingest["lake"] == url
    assert ingest["archives"][0]["status"] == "added"
    assert call("pull", "map", "-o", "out.pl7z", "--lake", url, environment=environment).code == 0
    with open_container(source) as before, open_container(tmp_path / "out.pl7z") as after:
        assert [(m.path, before.read(i)) for i, m in enumerate(before.members)] == [
            (m.path, after.read(i)) for i, m in enumerate(after.members)
        ]
    assert call("verify", "--data", "--lake", url, "--json", environment=environment).document["ok"] is True


def test_settings_by_option_and_by_name(s3_server: Seaweed, call: Call, url: str, tmp_path: Path) -> None:
    key, secret = s3_server.credentials["steward"]
    endpoint = ("--storage-option", f"endpoint_url={s3_server.endpoint}", "--storage-option", "region=us-east-1")
    credentials = ("--storage-option", f"key={key}", "--storage-option", f"secret={secret}")
    assert call("init", url, *endpoint, *credentials).code == 0
    assert call("use", "facility", url, *endpoint).code == 0
    listed = call("ls", "--json", *credentials)
    assert listed.document == []
    assert url in listed.err
    refused = call("use", "other", url, *credentials)
    assert refused.code == 2
    assert secret not in refused.out + refused.err
    assert all(secret not in path.read_text() for path in (tmp_path / "config").iterdir())


def test_a_refusal_is_6_and_keeps_its_secrets(s3_server: Seaweed, tmp_path: Path, url: str) -> None:
    """In a process of its own: also what libraries log or warn goes to stderr."""
    wrong = "WRONG_SECRET_0123456789"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SXESLAKE_"))},
        "SXESLAKE_CACHE": str(tmp_path / "cache"),
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "AWS_REGION": "us-east-1",
    }
    with_secret = url.replace("s3://", f"s3://AK_STEWARD:{wrong}@")
    result = subprocess.run(
        [sys.executable, "-m", "sxeslake", "ls", "-v", "--json", "--lake", with_secret],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 6
    assert json.loads(result.stdout)["error"]["exit_code"] == 6
    assert "Traceback" in result.stderr
    assert wrong not in result.stdout + result.stderr


def test_a_server_that_is_not_there_is_6(call: Call, url: str) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    answer = call("ls", "--lake", url, environment=environment)
    assert answer.code == 6
    assert answer.err.startswith("sxeslake: ")


def test_two_lakes_have_settings_of_their_own(s3_server: Seaweed, call: Call, url: str, tmp_path: Path) -> None:
    key, secret = s3_server.credentials["steward"]
    there = [f"endpoint_url={s3_server.endpoint}", "region=us-east-1", f"key={key}", f"secret={secret}"]
    local, second = str(tmp_path / "local"), str(tmp_path / "second")
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.txt", "a" * 100)

    def options(name: str) -> list[str]:
        return [word for setting in there for word in (name, setting)]

    assert call("init", "--lake", url, *options("--storage-option")).code == 0
    assert call("ingest", archive, "--lake", url, *options("--storage-option")).code == 0
    for folder, name in ((local, "--from-storage-option"), (second, "--storage-option")):
        assert call("init", "--lake", folder).code == 0
        done = call("copy", url, folder, *options(name))
        assert done.code == 0, done.err
    for pack in Path(local, "packs").rglob("*.pack"):
        pack.unlink()
    done = call("repair", "--lake", local, "--from", url, *options("--from-storage-option"))
    assert done.code == 0, done.err
    assert call("verify", "--data", "--lake", local).code == 0
    done = call("copy", url, url, *options("--storage-option"))
    assert done.code == 2
    assert secret not in done.err + done.out
