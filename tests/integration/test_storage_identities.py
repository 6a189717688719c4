"""What infra/ deploys, booted: identities with the policies of AWS on a real S3 server, nginx in front of it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from support import deployed, seaweed
from support.deployed import INFRA, ROLES, Deployed

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.errors import AccessDeniedError, ObjectExistsError
from sxeslake.storage import Store, open_store, probe

pytestmark = pytest.mark.s3


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with deployed.s3_server(tmp_path_factory.mktemp("infra")) as running:
        yield running


@pytest.fixture
def as_identity(servers: Deployed) -> Iterator[Callable[[str], Store]]:
    opened: list[Store] = []

    def opener(identity: str) -> Store:
        opened.append(open_store("s3://lake/main", options=servers.front.options(identity)))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


def client_of(server: seaweed.Seaweed, identity: str) -> Any:
    """The client of AWS, which does what it is told."""
    key, secret = server.credentials[identity]
    return botocore.session.Session().create_client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


def refusal(call: Callable[[], object]) -> str:
    """The code with which the server refuses; empty where it does not."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


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
    with pytest.raises(AccessDeniedError, match=r"s3://lake/main/log/1: .*s3:PutObject.*Only the steward"):
        ingester.replace("log/1", b"second")
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


def test_nobody_gets_nothing(servers: Deployed) -> None:
    store = open_store("s3://lake/main", options={"endpoint_url": servers.front.endpoint, "anon": "yes"})
    for call in (lambda: store.get("log/1"), lambda: store.size("log/1"), lambda: store.create("x", b"")):
        with pytest.raises(AccessDeniedError):
            call()
    store.close()


def test_nobody_enters_the_page_without_a_password_and_metrics_stay_inside(servers: Deployed) -> None:
    trusted = ssl.create_default_context(cafile=servers.secrets / "tls.crt")
    answers = {}
    for path in ("/", "/lake/", "/lake/metrics"):
        link = http.client.HTTPSConnection(servers.page, context=trusted, timeout=20)
        link.request("GET", path)
        answers[path] = link.getresponse().status
        link.close()
    assert answers == {"/": 302, "/lake/": 401, "/lake/metrics": 404}


@pytest.mark.parametrize("role", ["reader", "ingester"])
def test_stolen_keys_change_nothing_that_is_there(servers: Deployed, role: str) -> None:
    """Every way to overwrite or delete that S3 has, by a client that is not ours."""
    front, bare = servers.front, servers.bare
    place: dict[str, Any] = {"Bucket": seaweed.BUCKET, "Key": f"stolen/{role}"}
    steward, thief = client_of(front, "steward"), client_of(front, role)
    steward.put_object(**place, Body=b"whole")
    upload = steward.create_multipart_upload(**place)["UploadId"]
    part = steward.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    parts = {"Parts": [{"ETag": part, "PartNumber": 1}]}
    listed = {"Objects": [{"Key": place["Key"]}]}
    source = {"CopySource": f"{seaweed.BUCKET}/stolen/{role}", "MetadataDirective": "REPLACE"}
    tries: dict[str, Callable[[], object]] = {
        "overwrite": lambda: thief.put_object(**place, Body=b"junk"),
        "overwrite if it has another tag": lambda: thief.put_object(**place, Body=b"junk", IfNoneMatch='"0"'),
        "begin an upload in parts": lambda: thief.create_multipart_upload(**place),
        "complete an upload in parts": lambda: thief.complete_multipart_upload(
            **place, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*"
        ),
        "copy over it": lambda: thief.copy_object(**place, **source),
        "delete": lambda: thief.delete_object(**place),
        "delete many": lambda: thief.delete_objects(Bucket=seaweed.BUCKET, Delete=listed),
        "delete the bucket": lambda: thief.delete_bucket(Bucket=seaweed.BUCKET),
        "tag": lambda: thief.put_object_tagging(**place, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
        "let objects expire": lambda: thief.put_bucket_lifecycle_configuration(
            Bucket=seaweed.BUCKET, LifecycleConfiguration=json.loads((INFRA / "aws" / "lifecycle.json").read_text())
        ),
        "give itself rights": lambda: thief.put_bucket_policy(Bucket=seaweed.BUCKET, Policy="{}"),
    }
    assert {name: refusal(call) for name, call in tries.items()} == dict.fromkeys(tries, "AccessDenied")
    taken = refusal(lambda: thief.put_object(**place, Body=b"junk", IfNoneMatch="*"))
    assert taken == ("AccessDenied" if role == "reader" else "PreconditionFailed")
    for server in (front, bare):
        assert client_of(server, "reader").get_object(**place)["Body"].read() == b"whole"


def test_the_stewards_name_alone_opens_nothing(servers: Deployed) -> None:
    """A header that names the steward beside the key that signed is refused, and so is the name with a wrong secret."""
    front, bare = servers.front, servers.bare
    place: dict[str, Any] = {"Bucket": seaweed.BUCKET, "Key": "forged"}
    client_of(front, "steward").put_object(**place, Body=b"whole")

    def forged(add: str, *, before: bool) -> Callable[[], object]:
        client = client_of(front, "ingester")

        def change(request: Any, **_: object) -> None:
            signed = request.headers["Authorization"]
            if isinstance(signed, bytes):
                signed = signed.decode()
            scheme, _, rest = signed.partition(" ")
            del request.headers["Authorization"]
            request.headers["Authorization"] = f"{scheme} {add}, {rest}" if before else f"{signed}, {add}"

        client.meta.events.register("before-send.s3.PutObject", change)
        return lambda: client.put_object(**place, Body=b"junk")

    steward = "Credential=SXESLAKE-STEWARD/20260101/us-east-1/s3/aws4_request"
    for before in (True, False):
        assert refusal(forged(steward, before=before)) not in ("", "PreconditionFailed")
    wrong = seaweed.Seaweed(front.endpoint, front.process, {"steward": ("SXESLAKE-STEWARD", "wrong")})
    assert refusal(lambda: client_of(wrong, "steward").put_object(**place, Body=b"junk")) == "SignatureDoesNotMatch"
    assert client_of(bare, "reader").get_object(**place)["Body"].read() == b"whole"


@pytest.mark.parametrize("value", ["", "a|b", "a b", "$(id)", 'a"b'])
def test_the_start_script_refuses_odd_keys(tmp_path: Path, value: str) -> None:
    secrets = deployed.made_secrets(tmp_path / "secrets")
    (secrets / "reader").write_text(f"[default]\naws_access_key_id = R\naws_secret_access_key = {value}\n")
    environment = os.environ | {
        "POLICIES": str(INFRA / "aws"),
        "SECRETS": str(secrets),
        "S3_CONFIG": str(tmp_path / "s3.json"),
    }
    command = ["/bin/sh", str(INFRA / "compose" / "start-s3.sh"), "version"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "reader: aws_secret_access_key" in run.stderr
    assert not (tmp_path / "s3.json").exists()


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    secrets = deployed.made_secrets(tmp_path / "secrets")
    names = {path.name for path in secrets.iterdir()}
    assert names == {*ROLES, "copy", "lake.users", "tls.crt", "tls.key"}
    assert secrets.stat().st_mode & 0o077 == 0
    before = {name: (secrets / name).read_bytes() for name in names}
    (secrets / "ingester").unlink()
    deployed.made_secrets(secrets)
    after = {name: (secrets / name).read_bytes() for name in names}
    assert {name for name in names if before[name] != after[name]} == {"ingester"}


def test_a_reader_reads_a_lake_of_another_site_as_one_with_its_own(
    servers: Deployed, as_identity: Callable[[str], Store], tmp_path: Path
) -> None:
    archives = synthetic_facility(tmp_path / "archives", nx=2, ny=2)
    url = "s3://lake/main/site-b"
    with sxeslake.init(url, storage_options=servers.front.options("steward")) as there:
        there.ingest(archives[-1])
    with sxeslake.init(str(tmp_path / "own")) as here:
        here.ingest(archives[0])
    reader = as_identity("reader")
    before = set(reader.list("site-b/"))
    with pytest.raises(AccessDeniedError):
        reader.create("site-b/cursor", b"1")
    options = servers.front.options("reader")
    with sxeslake.open_lakes([str(tmp_path / "own"), url], storage_options=options) as lakes:
        assert list(lakes) == ["own", "site-b"]
        assert {row.lake for row in lakes.ls()} == {"own", "site-b"}
        assert {row["lake"] for row in lakes.positions(copies=True)} == {"own", "site-b"}
        assert {row["lake"] for row in lakes.sql("SELECT DISTINCT lake FROM documents")} == {"own", "site-b"}
    assert set(reader.list("site-b/")) == before
