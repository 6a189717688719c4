"""The command line on real servers of Azure, Google Cloud Storage and SFTP: sessions, and errors by kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import store_servers
from support.small_lakes import counts, zip_of
from support.store_servers import StoreServer

from sxeslake.cli.run import run
from sxeslake.lake import init, open_lake
from sxeslake.storage import open_store

KINDS = ("azure", "gcs", "sftp")
VARIABLES = ("AZURE_", "GOOGLE_", "STORAGE_EMULATOR_HOST", "SXESLAKE_")


@dataclass(frozen=True)
class StoreAnswer:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        return json.loads(self.out)


Call = Callable[..., StoreAnswer]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> StoreServer:
    found: StoreServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line with settings of its own, and no variables of a cloud but those given."""
    for name in [name for name in os.environ if name.startswith(VARIABLES)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object, environment: Mapping[str, str] | None = None) -> StoreAnswer:
        with monkeypatch.context() as patch:
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            code = run([str(argument) for argument in arguments])
        return StoreAnswer(code, *capsys.readouterr())

    return call


def options_of(server: StoreServer, **other: str) -> list[str]:
    """The server's options as words of the command line."""
    return [word for pair in {**server.options, **other}.items() for word in ("--storage-option", "=".join(pair))]


def test_a_session(server: StoreServer, call: Call, tmp_path: Path) -> None:
    url = server.url(f"cli-{tmp_path.name}")
    zip_of(tmp_path / "map.zip", {"a.bin": counts(1, 50_000), "b.json": b'{"kv":5}'})
    there = server.environment
    assert call("init", url, environment=there).code == 0
    assert call("init", url, environment=there).code == 7
    added = call("ingest", "map.zip", "--lake", url, "--json", environment=there).document
    assert added["archives"][0]["status"] == "added"
    assert call("ls", "--lake", url, "--json", environment=there).document[0]["sample"] == "map"
    assert call("pull", "map", "-o", "out.zip", "--lake", url, environment=there).code == 0
    assert (tmp_path / "out.zip").read_bytes() == (tmp_path / "map.zip").read_bytes()
    assert call("copy", url, f"{url}-copy", environment=there).code == 3  # there is no lake yet
    assert call("forget", "map", "--yes", "--lake", url, environment=there).code == 0
    assert call("gc", "--grace", "0", "--lake", url, "--json", environment=there).code == 0
    assert call("verify", "--data", "--lake", url, "--json", environment=there).document["ok"] is True
    doctor = call("doctor", "--lake", url, "--json", environment=there)
    checks = {check["name"]: check for check in doctor.document["checks"]}
    assert (doctor.code, checks["create-only writes"]["detail"]) == (
        0,
        "one winner in each of 4 races between 4 writers",
    )
    words = {"abfs": "If-None-Match: *", "gs": "ifGenerationMatch=0", "sftp": "OpenSSH"}
    assert words[url.partition(":")[0]] in checks["storage"]["detail"]


def test_settings_by_option_and_by_name(server: StoreServer, call: Call, tmp_path: Path) -> None:
    url = server.url(f"named-{tmp_path.name}")
    secret = {name: value for name, value in server.options.items() if name == "account_key"}
    open_options = {name: value for name, value in server.options.items() if name not in secret}
    words = [word for pair in open_options.items() for word in ("--storage-option", "=".join(pair))]
    hidden = [word for pair in secret.items() for word in ("--storage-option", "=".join(pair))]
    assert call("init", url, *words, *hidden).code == 0
    assert call("use", "facility", url, *words).code == 0
    assert call("ls", "--json", *hidden).document == []
    if secret:
        refused = call("use", "other", url, *hidden)
        assert refused.code == 2
        assert secret["account_key"] not in refused.out + refused.err
    unknown = call("ls", "--lake", url, *words, "--storage-option", "colour=red")
    assert unknown.code == 2
    assert "unknown storage option: colour" in unknown.err


@pytest.mark.parametrize(
    ("kind", "place", "words"),
    [("azure", "abfs://nowhere/lake", "no such container"), ("gcs", "gs://nowhere/lake", "no such bucket")],
)
def test_no_such_bucket_is_3(kind: str, place: str, words: str, call: Call, request: pytest.FixtureRequest) -> None:
    server: StoreServer = request.getfixturevalue(f"{kind}_server")
    for command in (["init", place], ["ls", "--lake", place]):
        answer = call(*command, *options_of(server))
        assert (answer.code, words in answer.err) == (3, True), answer.err


def test_no_lake_there_is_3(server: StoreServer, call: Call, tmp_path: Path) -> None:
    answer = call("ls", "--lake", server.url(f"none-{tmp_path.name}"), *options_of(server))
    assert (answer.code, "there is no lake here" in answer.err) == (3, True), answer.err


WRONG = "d3JvbmcgYW5kIHNlY3JldA=="


def test_a_wrong_key_is_6_and_stays_secret(azure_server: StoreServer, tmp_path: Path) -> None:
    """In a process of its own: also what libraries log or warn goes to stderr."""
    url = azure_server.url("refused")
    words = options_of(azure_server, account_key=WRONG)
    result = in_a_child("ls", "-v", "--json", "--lake", url, *words, folder=tmp_path)
    assert result.returncode == 6
    error = json.loads(result.stdout)["error"]
    assert error["exit_code"] == 6
    assert "permission" in error["message"] or "credentials" in error["message"]
    assert WRONG not in result.stdout + result.stderr
    connection = azure_server.environment["AZURE_STORAGE_CONNECTION_STRING"].replace(
        azure_server.options["account_key"], WRONG
    )
    result = in_a_child("ls", "--lake", url, folder=tmp_path, AZURE_STORAGE_CONNECTION_STRING=connection)
    assert result.returncode == 6
    assert WRONG not in result.stdout + result.stderr
    assert len(result.stderr.splitlines()) <= 2, result.stderr


def test_a_stranger_at_the_ssh_server(sftp_server: StoreServer, call: Call, tmp_path: Path) -> None:
    url = sftp_server.url("strange")
    (tmp_path / "none known").write_text("")
    unknown = call("ls", "--lake", url, *options_of(sftp_server, known_hosts=str(tmp_path / "none known")))
    assert (unknown.code, "host key of 127.0.0.1 is unknown" in unknown.err) == (6, True), unknown.err
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    nobody = call(
        "ls", "--lake", url, *options_of(sftp_server, identity_file=str(tmp_path / "other")),
        environment={"SSH_AUTH_SOCK": ""},
    )  # fmt: skip
    assert (nobody.code, "does not take this user's key" in nobody.err) == (6, True), nobody.err
    absent = call("ls", "--lake", url, *options_of(sftp_server, identity_file=str(tmp_path / "absent")))
    assert (absent.code, "key cannot be read" in absent.err) == (6, True), absent.err


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_not_there_is_6(kind: str, call: Call, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    url, words = {
        "azure": ("abfs://lake/x", {"account_name": "a", "account_key": WRONG, "endpoint_url": f"{nowhere}/a"}),
        "gcs": ("gs://lake/x", {"endpoint_url": nowhere}),
        "sftp": ("sftp://me@127.0.0.1:9/lake", {}),
    }[kind]
    settings = [word for pair in words.items() for word in ("--storage-option", "=".join(pair))]
    answer = call("ls", "--lake", url, "--retry-for", "0", *settings, environment={"HOME": str(tmp_path)})
    assert (answer.code, "127.0.0.1 cannot be reached" in answer.err) == (6, True), answer.err
    assert WRONG not in answer.err


def test_nobody_signed_in_is_said(call: Call, tmp_path: Path) -> None:
    empty = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "PATH": ""}
    google = call("ls", "--lake", "gs://bucket/lake", "--retry-for", "0", environment=empty)
    assert (google.code, "GOOGLE_APPLICATION_CREDENTIALS" in google.err) == (6, True), google.err
    azure = call("ls", "--lake", "abfs://container/lake", environment=empty)
    assert (azure.code, "names no storage account" in azure.err) == (2, True), azure.err


def in_a_child(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(VARIABLES)}
    return subprocess.run(
        [sys.executable, "-m", "sxeslake", *arguments], capture_output=True, text=True, check=False,
        env={**kept, "SXESLAKE_CACHE": str(folder / "cache"), "SXESLAKE_CONFIG": str(folder / "config"), **variables},
    )  # fmt: skip


@pytest.fixture
def careless(tmp_path: Path) -> Iterator[StoreServer]:
    pytest.importorskip("gcp_storage_emulator", reason="pip install gcp-storage-emulator==2026.7.19")
    with store_servers.careless_gcs(tmp_path) as server:
        yield server


def test_a_server_that_lets_several_writers_win_is_refused(careless: StoreServer, call: Call, tmp_path: Path) -> None:
    """`init` makes no lake there, and `doctor` refuses one that was carried there."""
    url, words = careless.url("lake"), options_of(careless)
    made = call("init", url, *words)
    assert (made.code, "does not keep create-only writes apart" in made.err) == (7, True), made.err
    local = str(tmp_path / "lake")
    init(local).close()
    source, target = open_store(local), open_store(url, options=careless.options)
    for info in source.list(""):
        target.replace(info.key, source.get(info.key))
    target.close()
    with open_lake(url, storage_options=dict(careless.options)) as carried:
        assert list(carried.ls()) == []
    doctor = call("doctor", "--lake", url, "--json", *words)
    checks = {check["name"]: check for check in doctor.document["checks"]}
    assert doctor.code == 6
    assert (checks["create-only writes"]["ok"], "Do not write here" in checks["create-only writes"]["hint"]) == (
        False,
        True,
    )
