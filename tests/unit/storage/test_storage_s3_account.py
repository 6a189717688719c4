"""Who asks and where the bucket is: options, variables, profiles, programs and containers that hand out keys."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sxeslake.errors import AccessDeniedError, UsageError
from sxeslake.storage.address import parse
from sxeslake.storage.s3_account import Account, account_of, place_of
from sxeslake.storage.s3_options import settings_from
from sxeslake.storage.s3_signature import Credentials

KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK"}


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


def account(options: Mapping[str, str] | None = None) -> Account:
    return account_of(settings_from(parse("s3://b/p"), options or {}))


def origin(found: Account, bucket: str = "b") -> str:
    place = place_of(found, bucket, found.region)
    return f"{place.origin.scheme}://{place.origin.authority}{place.path}"


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "options", "place"),
    [
        ({}, {}, "https://b.s3.us-east-1.amazonaws.com"),
        ({"AWS_REGION": "eu-north-1"}, {}, "https://b.s3.eu-north-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, {"region": "cn-north-1"}, "https://b.s3.cn-north-1.amazonaws.com.cn"),
        ({}, {"addressing_style": "path"}, "https://s3.us-east-1.amazonaws.com/b"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, {}, "https://b.s3-fips.us-east-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, {}, "https://b.s3.dualstack.us-east-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://h:9000"}, {}, "http://h:9000/b"),
        ({"AWS_ENDPOINT_URL": "http://h", "AWS_ENDPOINT_URL_S3": "https://s3.h/x/"}, {}, "https://s3.h/x/b"),
        ({"AWS_ENDPOINT_URL": "http://h"}, {"endpoint_url": "http://[::1]:80"}, "http://[::1]/b"),
        ({"AWS_ENDPOINT_URL": "http://h:1"}, {"addressing_style": "virtual"}, "http://b.h:1"),
        ({"AWS_ENDPOINT_URL": "http://h", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, {"region": "x-1"},
         "https://b.s3.x-1.amazonaws.com"),
    ],
)  # fmt: skip
def test_where_a_bucket_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], options: dict[str, str], place: str
) -> None:
    set_all(monkeypatch, KEYS | variables)
    assert origin(account(options)) == place


def test_a_bucket_that_is_no_name_of_a_host_stands_in_the_path(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KEYS)
    assert origin(account(), "a.b") == "https://s3.us-east-1.amazonaws.com/a.b"


def test_variables_give_keys_and_options_win(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KEYS | {"AWS_SESSION_TOKEN": "T"})
    assert account().credentials() == Credentials("AK", "SK", "T")
    assert account({"key": "mine", "secret": "own"}).credentials() == Credentials("mine", "own")
    assert account({"anon": "yes"}).credentials() is None


CONFIG = """
[default]
region = eu-west-3
[profile facility]
region = eu-north-1
endpoint_url = http://general:1
services = ours
ca_bundle = /etc/ours.pem
s3 =
  addressing_style = virtual
[services ours]
s3 =
  endpoint_url = http://special:2
[profile program]
credential_process = {program}
"""


def test_a_profile_says_everything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws" / "config").write_text(CONFIG)
    (home / ".aws" / "credentials").write_text(
        "[facility]\naws_access_key_id = FK\naws_secret_access_key = FS\n[default]\naws_access_key_id = DK\n"
        "aws_secret_access_key = DS\n"
    )
    found = account({"profile": "facility"})
    assert found.credentials() == Credentials("FK", "FS")
    assert (found.region, found.verify, origin(found)) == ("eu-north-1", "/etc/ours.pem", "http://b.special:2")
    set_all(monkeypatch, KEYS)
    assert account({"profile": "facility"}).credentials() == Credentials("FK", "FS"), "named, it wins over variables"
    assert account().credentials() == Credentials("AK", "SK"), "the default one does not"
    assert account().region == "eu-west-3"
    monkeypatch.setenv("AWS_PROFILE", "facility")
    assert account().region == "eu-north-1"
    monkeypatch.setenv("AWS_REGION", "eu-south-1")
    assert account().region == "eu-south-1"


def test_keys_from_a_program_are_fresh(home: Path) -> None:
    program = home / "keys.py"
    count = home / "count"
    program.write_text(
        f"import json, pathlib\nfile = pathlib.Path({str(count)!r})\n"
        "n = int(file.read_text()) + 1 if file.exists() else 1\nfile.write_text(str(n))\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'K{n}', 'SecretAccessKey': 'S', 'SessionToken': 'T',"
        "'Expiration': '2001-01-01T00:00:00Z' if n < 2 else '2199-01-01T00:00:00Z'}))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    line = f"{Path(sys.executable).as_posix()} {program.as_posix()}"
    (home / ".aws" / "config").write_text(CONFIG.format(program=line))
    found = account({"profile": "program"})
    assert not count.exists(), "nobody is asked before the first request"
    assert found.credentials() == Credentials("K2", "S", "T"), "the first keys had run out"
    assert found.credentials() == Credentials("K2", "S", "T")
    assert count.read_text() == "2"


@pytest.fixture
def container() -> Iterator[str]:
    """What hands out keys in a container."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            is_known = self.headers.get("Authorization") == "let me in"
            keys = {"AccessKeyId": "CK", "SecretAccessKey": "CS", "Token": "CT", "Expiration": "2199-01-01T00:00:00Z"}
            body = json.dumps(keys if is_known else {}).encode()
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


def test_keys_from_a_container(home: Path, monkeypatch: pytest.MonkeyPatch, container: str) -> None:
    set_all(
        monkeypatch,
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": container, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me in"},
    )
    assert account().credentials() == Credentials("CK", "CS", "CT")


def test_no_keys_at_all(home: Path) -> None:
    with pytest.raises(AccessDeniedError, match=r"found no credentials.*AWS_ACCESS_KEY_ID"):
        account().credentials()


def test_a_program_that_fails_is_not_quoted(home: Path) -> None:
    line = f"{Path(sys.executable).as_posix()} -c SECRETWORD"
    (home / ".aws" / "config").write_text(CONFIG.format(program=line))
    with pytest.raises(AccessDeniedError, match="gives no credentials") as caught:
        account({"profile": "program"}).credentials()
    assert "SECRETWORD" not in f"{caught.value} {caught.value!r} {caught.getrepr(style='short')}"


def test_a_profile_that_is_not_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, KEYS | {"AWS_PROFILE": "nobody"})
    with pytest.raises(UsageError, match="no such profile"):
        account()


def test_a_half_pair_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    with pytest.raises(AccessDeniedError, match="gives no credentials"):
        account().credentials()
