"""Reader, ingester and steward on the deployed S3 server, by commands: what each may, what each is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import deployed, seaweed
from support.deployed import INFRA

from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.cli.run import run

pytestmark = pytest.mark.s3

LAKE = f"s3://{seaweed.BUCKET}/main"
Answer = tuple[int, str]
As = Callable[..., Answer]


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweed.Seaweed]:
    with deployed.s3_server(tmp_path_factory.mktemp("roles")) as running:
        yield running.front


@pytest.fixture
def as_role(
    front: seaweed.Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> As:
    """Run a command with the keys of a role, as files hold them; gives its exit code and all it printed."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "SXESLAKE_"))]:
        monkeypatch.delenv(name)
    for name in ("config", "cache", "state"):
        monkeypatch.setenv(f"SXESLAKE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("AWS_ENDPOINT_URL", front.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)

    def as_role(role: str, *words: object) -> Answer:
        keys = tmp_path / role
        key, secret = front.credentials[role]
        keys.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
        code = run([str(word) for word in words])
        return code, "".join(capfd.readouterr())

    return as_role


def objects(front: seaweed.Seaweed) -> dict[str, str]:
    """Every object of the lake with its tag, as the server tells them."""
    import botocore.session  # noqa: PLC0415 - it is slow to load

    key, secret = front.credentials["reader"]
    client = botocore.session.Session().create_client(
        "s3", endpoint_url=front.endpoint, aws_access_key_id=key, aws_secret_access_key=secret, region_name="us-east-1"
    )
    listed = client.list_objects_v2(Bucket=seaweed.BUCKET, Prefix="main/")
    assert not listed["IsTruncated"]
    return {each["Key"]: each["ETag"] for each in listed.get("Contents", [])}


def test_each_role_does_its_work_and_is_told_what_it_lacks(front: seaweed.Seaweed, as_role: As, tmp_path: Path) -> None:
    first = write_archive(tmp_path / "first.plzip", map_members(MapPlan(3, 2, 2)))
    second = write_archive(tmp_path / "second.plzip", map_members(MapPlan(2, 2, 2)))

    def done(role: str, *words: object) -> str:
        code, said = as_role(role, *words, "--lake", LAKE)
        assert code == 0, f"{role}: {words}: {said}"
        return said

    def refused(role: str, permission: str, *words: object) -> None:
        before = objects(front)
        code, said = as_role(role, *words, "--lake", LAKE)
        assert code == 6, f"{role}: {words}: {said}"
        assert re.search(rf"^sxeslake: s3://lake/main\S+: no permission; it needs {permission} ", said, re.MULTILINE)
        assert "Traceback" not in said
        assert objects(front) == before, f"{role}: {words}"

    assert as_role("steward", "init", LAKE)[0] == 0
    refused("reader", "s3:PutObject", "ingest", first)
    assert "stored     first@1" in done("ingester", "ingest", first, second)
    done("ingester", "checkpoint")
    assert "first" in done("reader", "ls")
    done("reader", "pull", "first", "-o", "reader.plzip")
    done("ingester", "verify", "--data")
    assert "s3:DeleteObject" in done("ingester", "doctor")
    refused("reader", "s3:PutObject", "forget", "second")
    before = objects(front)
    done("ingester", "forget", "second")
    refused("reader", "s3:DeleteObject", "gc", "--grace", "0")
    refused("ingester", "s3:DeleteObject", "gc", "--grace", "0")
    done("ingester", "restore", "second")
    done("ingester", "forget", "second")
    assert before.items() <= objects(front).items(), "the ingester's commands only add"
    assert "collected  second@1" in done("steward", "gc", "--grace", "0")
    assert not before.keys() <= objects(front).keys()
    assert "No problems found" in done("reader", "verify")


def night(front: seaweed.Seaweed, place: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A night of the deployment: `nightly.sh` with the secrets of this server."""
    secrets = deployed.made_secrets(place / "secrets")
    for role, (key, secret) in front.credentials.items():
        (secrets / role).write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    (secrets / "copy").write_text((secrets / "reader").read_text())
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(place),
        "SXESLAKE_CACHE": str(place / "cache"),
        "SXESLAKE_CONFIG": str(place / "config"),
        "SXESLAKE_STATE": str(place / "state"),
        "AWS_ENDPOINT_URL": front.endpoint,
        "AWS_REGION": "us-east-1",
        "SECRETS": str(secrets),
        **settings,
    }
    command = ["/bin/sh", str(INFRA / "compose" / "nightly.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize(
    ("ends", "code", "told"),
    [
        ({"verify": 4}, 0, ""),
        ({"verify": 5}, 5, "nightly: verify failed with exit code 5"),
        ({"gc": 6, "copy": 3}, 6, "nightly: gc failed with exit code 6"),
        ({"gc": 4}, 4, "nightly: gc failed with exit code 4"),
    ],
)
def test_a_step_of_the_night_that_fails_stops_no_other(
    tmp_path: Path, ends: dict[str, int], code: int, told: str
) -> None:
    """The script alone, with a program in the place of sxeslake that ends as it is told."""
    cases = "".join(f"{command}) exit {end};; " for command, end in ends.items())
    program = tmp_path / "sxeslake"
    program.write_text(
        f'#!/bin/sh\necho "ran $1 with $AWS_SHARED_CREDENTIALS_FILE"\ncase $1 in {cases}*) exit 0;; esac\n'
    )
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SECRETS": "/s", "LAKE": "l", "SECOND": "/second"}
    environment["TIMEFILE"] = str(tmp_path / "time")
    command = ["/bin/sh", str(INFRA / "compose" / "nightly.sh")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert told in ran.stderr
    assert re.findall(r"^ran (\w+) with /s/(\w+)$", ran.stdout, re.MULTILINE) == [
        ("verify", "reader"),
        ("gc", "steward"),
        ("checkpoint", "ingester"),
        ("copy", "copy"),
    ]
    assert (tmp_path / "time").exists()


def test_a_night_verifies_collects_publishes_and_copies(front: seaweed.Seaweed, as_role: As, tmp_path: Path) -> None:
    lake, second = f"s3://{seaweed.BUCKET}/nightly", tmp_path / "second"
    (tmp_path / "inbox").mkdir()
    archive = write_archive(tmp_path / "inbox" / "first.plzip", map_members(MapPlan(2, 2, 2)))
    assert as_role("steward", "init", lake)[0] == 0
    code, said = as_role("ingester", "watch", tmp_path / "inbox", "--once", "--settle", "0s", "--lake", lake)
    assert code == 0, said
    assert as_role("steward", "init", second)[0] == 0
    ran = night(front, tmp_path, LAKE=lake, SECOND=str(second))
    assert ran.returncode == 0, ran.stderr
    assert "Published" in ran.stdout
    code, said = as_role("reader", "health", "--lake", lake, "--max-age", "verify=1d", "--max-age", "copy=1d")
    assert code == 0, said
    code, said = as_role("reader", "pull", "first", "-o", "back.plzip", "--exact", "--lake", second)
    assert code == 0, said
    assert (tmp_path / "back.plzip").read_bytes() == archive.read_bytes()
