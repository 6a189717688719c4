"""Who asks an S3 server, and where: options, variables, profiles, programs and containers that hand out keys."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from support.scripted_s3 import SECRETS, ScriptedS3

from sxeslake.errors import AccessDeniedError, SxeslakeError, UsageError
from sxeslake.storage.address import parse
from sxeslake.storage.retry import RetryPolicy
from sxeslake.storage.s3 import S3Store
from sxeslake.storage.s3.options import settings_from

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}
CONFIG = """
[default]
region = eu-west-3
[profile facility]
region = eu-north-1
endpoint_url = http://127.0.0.1:9
services = ours
[services ours]
s3 =
  endpoint_url = {endpoint}/below
[profile program]
credential_process = {program}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no AWS variables."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path


@pytest.fixture
def server() -> Iterator[ScriptedS3]:
    made = ScriptedS3()
    made.objects = {"/b/lake/p": b"1", "/below/b/lake/p": b"below"}
    yield made
    made.stop()


def ask(server: ScriptedS3, options: Mapping[str, str] | None = None, *, elsewhere: bool = False) -> bytes:
    """What a new store gets of the server; the configuration says where that is, if it is `elsewhere`."""
    endpoint = {} if elsewhere else {"endpoint_url": server.endpoint}
    settings = settings_from(parse("s3://b/lake"), {**endpoint, **(options or {})})
    store = S3Store(parse("s3://b/lake"), settings, RetryPolicy(retry_for_s=0), read_timeout_s=5)
    try:
        return store.get("p")
    finally:
        store.close()


def asked(server: ScriptedS3) -> tuple[str, str, str | None]:
    """The key, the region and the token of the last request."""
    scope = server.headers[-1]["authorization"].partition("Credential=")[2].split("/")
    return scope[0], scope[2], server.headers[-1]["x-amz-security-token"]


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_variables_give_keys_and_options_win(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3) -> None:
    set_all(monkeypatch, KEYS | {"AWS_SESSION_TOKEN": "T"})
    ask(server)
    assert asked(server) == ("AK", "us-east-1", "T")
    ask(server, {"key": "mine", "secret": "own", "region": "x-1"})
    assert asked(server) == ("mine", "x-1", None)
    ask(server, {"anon": "yes"})
    assert "authorization" not in server.headers[-1]


def test_variables_name_the_server(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3) -> None:
    nowhere = "http://127.0.0.1:9"
    set_all(monkeypatch, KEYS | {"AWS_ENDPOINT_URL": server.endpoint})
    assert ask(server, elsewhere=True) == b"1"
    set_all(monkeypatch, {"AWS_ENDPOINT_URL": nowhere, "AWS_ENDPOINT_URL_S3": f"{server.endpoint}/below/"})
    assert ask(server, elsewhere=True) == b"below"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", nowhere)
    assert ask(server) == b"1", "an option wins"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "storage.example")
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL"):
        ask(server, elsewhere=True)


def test_a_server_of_ones_own_has_the_bucket_in_the_path(home: Path, server: ScriptedS3) -> None:
    """Also where it has a name, in front of which the bucket's could stand."""
    endpoint = server.endpoint.replace("127.0.0.1", "localhost")
    assert ask(server, {"key": "k", "secret": "s", "endpoint_url": endpoint}) == b"1"
    assert server.targets == ["/b/lake/p"]


def test_a_profile_says_everything(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3) -> None:
    (home / ".aws" / "config").write_text(CONFIG.format(endpoint=server.endpoint, program="none"))
    (home / ".aws" / "credentials").write_text(
        "[facility]\naws_access_key_id = FK\naws_secret_access_key = FS\n[default]\naws_access_key_id = DK\n"
        "aws_secret_access_key = DS\n"
    )
    assert ask(server, {"profile": "facility"}, elsewhere=True) == b"below"
    assert asked(server) == ("FK", "eu-north-1", None)
    set_all(monkeypatch, KEYS)
    ask(server, {"profile": "facility"}, elsewhere=True)
    assert asked(server)[0] == "FK", "named, it wins over variables"
    ask(server)
    assert asked(server)[:2] == ("AK", "eu-west-3"), "the default one does not"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    ask(server)
    assert asked(server)[1] == "eu-south-1"


def hands_out(home: Path, server: ScriptedS3, answers: list[dict[str, object]]) -> None:
    """A program that gives one set of keys after the other, in the profile `program`."""
    program = home / "keys.py"
    program.write_text(
        f"import json, pathlib\nfile = pathlib.Path({str(home / 'count')!r})\n"
        "n = int(file.read_text()) + 1 if file.exists() else 1\nfile.write_text(str(n))\n"
        f"print(json.dumps(({answers!r})[n - 1]))\n"
    )
    line = f"{Path(sys.executable).as_posix()} {program.as_posix()}"
    (home / ".aws" / "config").write_text(CONFIG.format(endpoint=server.endpoint, program=line))


def keys(key: str, secret: str, token: str, until: str) -> dict[str, object]:
    end = f"{until}-01-01T00:00:00Z"
    return {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": end, "Version": 1}


def test_keys_from_a_program_are_fresh(home: Path, server: ScriptedS3) -> None:
    hands_out(home, server, [keys("K1", "S", "T", "2001"), keys("K2", "S", "T", "2199")])
    for _ in range(2):
        (home / "count").unlink(missing_ok=True)
        ask(server, {"profile": "program"})
        assert asked(server) == ("K2", "us-east-1", "T"), "the first keys had run out"
        assert (home / "count").read_text() == "2"


@pytest.mark.parametrize("reply", ["403 AccessDenied", "403 SignatureDoesNotMatch", "400 SomethingNew"])
def test_keys_from_a_program_stay_secret(
    home: Path, server: ScriptedS3, reply: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The server quotes them in its refusal."""
    hands_out(home, server, [keys(SECRETS["key"], SECRETS["secret"], SECRETS["token"], "2199")])
    server.script = [reply]
    with pytest.raises(SxeslakeError) as caught:
        ask(server, {"profile": "program"})
    assert asked(server)[0] == SECRETS["key"]
    shown = f"{caught.value} {caught.value!r} {caught.getrepr(style='short')} {caplog.text}"
    assert not [word for word in SECRETS.values() if word in shown]
    assert reply.split()[1] in shown or "secret key" in shown


@pytest.fixture
def container() -> Iterator[str]:
    """What hands out keys in a container."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            is_known = self.headers.get("Authorization") == "let me in"
            found = {"AccessKeyId": "CK", "SecretAccessKey": "CS", "Token": "CT", "Expiration": "2199-01-01T00:00:00Z"}
            body = json.dumps(found if is_known else {}).encode()
            self.send_response(200 if is_known else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/keys"
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_from_a_container(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3, container: str) -> None:
    set_all(
        monkeypatch,
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": container, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in"},
    )
    ask(server)
    assert asked(server) == ("CK", "us-east-1", "CT")


def test_no_keys_at_all(home: Path, server: ScriptedS3) -> None:
    with pytest.raises(AccessDeniedError, match=r"s3://b/lake/p: found no credentials.*AWS_ACCESS_KEY_ID"):
        ask(server)
    assert server.seen == []


@pytest.mark.parametrize("program", ["PYTHON -c SECRETWORD", "PYTHON -c print('SECRETWORD')", "/no/SECRETWORD"])
def test_a_program_that_fails_is_not_quoted(home: Path, server: ScriptedS3, program: str) -> None:
    line = program.replace("PYTHON", Path(sys.executable).as_posix())
    (home / ".aws" / "config").write_text(CONFIG.format(endpoint=server.endpoint, program=line))
    with pytest.raises(AccessDeniedError, match="gives no credentials") as caught:
        ask(server, {"profile": "program"})
    assert "SECRETWORD" not in f"{caught.value} {caught.value!r} {caught.getrepr(style='short')}"


def test_a_profile_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3) -> None:
    set_all(monkeypatch, KEYS | {"AWS_PROFILE": "nobody"})
    with pytest.raises(UsageError, match="no such profile"):
        ask(server)


def test_a_configuration_that_cannot_be_read(home: Path, server: ScriptedS3) -> None:
    (home / ".aws" / "config").write_text("[default\n")
    with pytest.raises(UsageError, match="cannot be read"):
        ask(server)


def test_a_region_that_cannot_be_one(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3) -> None:
    set_all(monkeypatch, KEYS | {"AWS_DEFAULT_REGION": "not a region"})
    with pytest.raises(UsageError, match="AWS_REGION"):
        ask(server)


def test_a_half_pair_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedS3) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    with pytest.raises(AccessDeniedError, match="gives no credentials"):
        ask(server)
