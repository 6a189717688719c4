"""`publish tables` to Azure and to Google Cloud Storage: read back by other programs, by every kind of credentials."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from deltalake import DeltaTable
from support.google_xml import xml_uploads
from support.store_servers import StoreServer

import sxeslake
from sxeslake import storage
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.catalog.open_tables.delta import AddedFile, DeltaLog
from sxeslake.errors import StorageError, UsageError
from sxeslake.lake import Lake
from sxeslake.storage.object_store import ObjectStorePlace, object_store_place

PUBLISHERS = 4
ROUNDS = 6
JOINED = "SELECT count(*) FROM positions JOIN analyses USING (analysis_uuid)"
UNSIGNED = json.dumps({"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": True})


@dataclass(frozen=True)
class Bucket:
    """Where tables go, how sxeslake reaches it, and how delta-rs does."""

    url: str
    options: Mapping[str, str]
    environment: Mapping[str, str]
    known: dict[str, str]
    delta: str

    def tables(self, name: str) -> str:
        return f"{self.url}/{name}"

    def table(self, name: str, table: str) -> DeltaTable:
        return DeltaTable(f"{self.delta}/{name}/{table}", storage_options=self.known)


class AccessToken(NamedTuple):
    """As azure-identity gives it."""

    token: str


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE_", "GOOGLE_", "STORAGE_EMULATOR", "CLOUDSDK"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def azure(azure_server: StoreServer) -> Bucket:
    said = azure_server.options
    known = {"account_name": said["account_name"], "account_key": said["account_key"]}
    return Bucket(
        azure_server.root, said, azure_server.environment,
        {**known, "endpoint": said["endpoint_url"], "allow_http": "true"}, "az://lake",
    )  # fmt: skip


@pytest.fixture
def google(gcs_server: StoreServer) -> Iterator[Bucket]:
    with xml_uploads(gcs_server.options["endpoint_url"]) as front:
        known = {"google_base_url": front, "allow_http": "true", "google_service_account_key": UNSIGNED}
        yield Bucket(gcs_server.root, {"endpoint_url": front}, {"STORAGE_EMULATOR_HOST": front}, known, "gs://lake")


@pytest.fixture(params=["azure", "google"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    found: Bucket = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    synthetic_facility(tmp_path / "in", seed=1, nx=3, ny=2)
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        lake.ingest(tmp_path / "in" / "2019")
        yield lake


def joined(bucket: Bucket, name: str) -> set[int]:
    """How many rows positions and analyses have together: by delta-rs and DuckDB, and by polars."""
    positions, analyses = (bucket.table(name, each).to_pyarrow_table() for each in ("positions", "analyses"))
    with duckdb.connect() as connection:
        connection.register("positions", positions)
        connection.register("analyses", analyses)
        (counted,) = connection.execute(JOINED).fetchall()
    one, other = (
        polars.read_delta(f"{bucket.delta}/{name}/{each}", storage_options=bucket.known)
        for each in ("positions", "analyses")
    )
    return {counted[0], one.join(other, on="analysis_uuid").height}


def in_catalogue(lake: Lake) -> set[int]:
    return set(lake.sql(JOINED).arrow().column(0).to_pylist())


def test_other_programs_read_the_catalogue_there(bucket: Bucket, lake: Lake, tmp_path: Path) -> None:
    name = f"open/{secrets.token_hex(6)}"
    before = in_catalogue(lake)
    lake.publish_tables(bucket.tables(name), storage_options=bucket.options)
    assert joined(bucket, name) == before
    (more,) = lake.ingest(tmp_path / "in" / "2020").archives
    again = lake.publish_tables(bucket.tables(name), storage_options=bucket.options)
    assert joined(bucket, name) == in_catalogue(lake) != before
    assert {each.table: each.added for each in again.tables}["positions"] == 1
    lake.forget(str(more.sample))
    lake.publish_tables(bucket.tables(name), storage_options=bucket.options)
    assert joined(bucket, name) == before
    store = storage.open_store(bucket.tables(name), options=bucket.options)
    keys = [info.key for info in store.list("")]
    live = {Path(path).name for path in bucket.table(name, "positions").file_uris()}
    assert {Path(key).name for key in keys if key.startswith("positions/") and "_delta_log" not in key} == live
    assert not [key for key in keys if key.startswith("probe/")]
    store.close()


def test_a_lake_that_is_there_holds_its_tables(
    bucket: Bucket, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By variables alone; and its tables go into a folder as well."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    folder = f"lakes/{secrets.token_hex(6)}"
    with sxeslake.init(bucket.tables(folder)) as there:
        there.ingest(tmp_path / "in" / "2019")
        there.publish_tables()
        assert joined(bucket, f"{folder}/tables") == in_catalogue(lake)
        report = there.publish_tables(str(tmp_path / "open"))
    rows = {each.table: each.rows for each in report.tables}["positions"]
    assert DeltaTable(tmp_path / "open" / "positions").to_pyarrow_table().num_rows == rows > 0


def test_one_of_many_publishers_at_once_wins(bucket: Bucket) -> None:
    """Each time on the same state; the others are told, and no transaction is lost."""
    place = object_store_place(bucket.tables(f"race/{secrets.token_hex(6)}"), bucket.options)
    columns = pa.schema([("a", pa.int64())])
    logs = [DeltaLog(place, "table", "a table", columns, "1" * 32) for _ in range(PUBLISHERS)]
    assert logs[0].commit(None, [AddedFile("first.parquet", 1, 1)], [], 0)
    expected = {"first.parquet"}
    for number in range(1, ROUNDS + 1):
        barrier = threading.Barrier(PUBLISHERS)

        def publish(log: DeltaLog, name: str, number: int = number, at: threading.Barrier = barrier) -> bool:
            state = log.state()
            at.wait()
            return log.commit(state, [AddedFile(name, 1, 1)], [], number)

        names = [f"{number}-{turn}.parquet" for turn in range(PUBLISHERS)]
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            won = list(pool.map(publish, logs, names))
        assert sum(won) == 1
        expected.add(names[won.index(True)])
    state = logs[0].state()
    assert state is not None
    assert (state.version, state.files) == (ROUNDS, frozenset(expected))


@pytest.mark.parametrize("kind", ["key", "token", "connection string", "connection string with a token"])
def test_azure_takes_every_kind_of_credentials(kind: str, azure: Bucket) -> None:
    from azure.storage.blob import generate_container_sas  # noqa: PLC0415 - of the extra `azure`

    account, key, endpoint = (azure.options[name] for name in ("account_name", "account_key", "endpoint_url"))
    token = generate_container_sas(
        account, "lake", account_key=key, permission="racwdl", expiry=datetime.now(UTC) + timedelta(hours=1)
    )
    options = {
        "key": azure.options,
        "token": {"account_name": account, "endpoint_url": endpoint, "sas_token": f"?{token}"},
        "connection string": {
            "connection_string": azure.environment["AZURE_STORAGE_CONNECTION_STRING"], "account_name": "other",
        },
        "connection string with a token": {
            "connection_string": f"BlobEndpoint={endpoint};SharedAccessSignature={token}"
        },
    }[kind]  # fmt: skip
    place = object_store_place(azure.tables(f"credentials/{secrets.token_hex(6)}"), options)
    log = DeltaLog(place, "table", "a table", pa.schema([("a", pa.int64())]), "1" * 32)
    assert log.commit(None, [AddedFile("a.parquet", 1, 1)], [], 1)
    assert (state := log.state()) is not None
    assert state.files == {"a.parquet"}
    assert not [word for word in (key, token, "sig=") if word in repr(place)]


def test_azure_without_the_right_identity(azure: Bucket, lake: Lake) -> None:
    wrong = secrets.token_hex(16)
    for other in ({"account_key": wrong}, {"account_key": f"{wrong}!"}, {"account_key": "", "anon": "yes"}):
        with pytest.raises((StorageError, UsageError)) as caught:
            lake.publish_tables(azure.tables("closed"), storage_options={**azure.options, **other})
        assert wrong not in f"{caught.value!r} {caught.value} {caught.value.hint}"
        assert caught.value.__suppress_context__


def test_the_address_may_name_the_account() -> None:
    place = object_store_place("abfss://lake@facility.dfs.core.windows.net/a/b", {"account_key": "a2V5"})
    assert (place.uri, dict(place.options)) == ("az://lake/a/b", {
        "azure_storage_endpoint": "https://facility.blob.core.windows.net", "azure_storage_account_name": "facility",
        "allow_http": "false", "azure_storage_use_emulator": "false", "azure_skip_signature": "false",
        "azure_storage_account_key": "a2V5",
    })  # fmt: skip
    principal = {"account_name": "facility", "tenant_id": "t", "client_id": "c", "client_secret": "s"}
    options = object_store_place("az://lake", principal).options
    assert {name: value for name, value in options.items() if value in principal.values()} == {
        "azure_storage_account_name": "facility", "azure_storage_tenant_id": "t", "azure_storage_client_id": "c",
        "azure_storage_client_secret": "s",
    }  # fmt: skip


def test_who_is_signed_in_at_azure_publishes_by_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    import azure.identity  # noqa: PLC0415 - of the extra `azure`
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - as above

    word = secrets.token_hex(16)

    class SignedIn:
        def __init__(self, **options: object) -> None:
            self._options = options

        def __enter__(self) -> SignedIn:
            return self

        def __exit__(self, *trouble: object) -> None:
            """Nothing is open."""

        def get_token(self, scope: str) -> AccessToken:
            assert (scope, self._options["exclude_interactive_browser_credential"]) == (
                "https://storage.azure.com/.default", True,
            )  # fmt: skip
            return AccessToken(word)

    class SignedOut(SignedIn):
        def get_token(self, scope: str) -> AccessToken:
            raise ClientAuthenticationError(f"none of them knows {word}")

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", SignedIn)
    place = object_store_place("az://lake/a", {"account_name": "facility"})
    assert place.options["azure_storage_token"] == word
    assert word not in repr(place)
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", SignedOut)
    with pytest.raises(StorageError, match="found no credentials that Azure takes") as caught:
        object_store_place("az://lake/a", {"account_name": "facility"})
    assert word not in f"{caught.value!r} {caught.value.hint}"


def test_a_server_without_uploads_by_xml_is_refused(gcs_server: StoreServer, lake: Lake) -> None:
    name = f"plain/{secrets.token_hex(6)}"
    with pytest.raises(StorageError, match=r"does not take uploads by Google's XML API.*\(400\)"):
        lake.publish_tables(gcs_server.url(name), storage_options=gcs_server.options)
    store = storage.open_store(gcs_server.url(name), options=gcs_server.options)
    assert list(store.list("")) == []
    store.close()


def test_a_server_that_lets_several_publishers_win_is_refused(gcs_server: StoreServer, lake: Lake) -> None:
    name = f"careless/{secrets.token_hex(6)}"
    with xml_uploads(gcs_server.options["endpoint_url"], honest=False) as front:
        with pytest.raises(StorageError, match="one would lose its transaction"):
            lake.publish_tables(gcs_server.url(name), storage_options={"endpoint_url": front})
        store = storage.open_store(gcs_server.url(name), options={"endpoint_url": front})
        assert list(store.list("")) == []
        store.close()


def test_a_server_that_is_away(lake: Lake) -> None:
    with pytest.raises(StorageError, match="cannot be asked"):
        lake.publish_tables("gs://lake/away", storage_options={"endpoint_url": "http://127.0.0.1:9"})


def test_google_s_own_kinds_of_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of Google: it keeps its word."""
    file = tmp_path / "user.json"
    file.write_text(
        json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"})
    )
    at_google = {
        "google_base_url": "https://storage.googleapis.com", "google_skip_signature": "false", "allow_http": "false",
    }  # fmt: skip
    key = tmp_path / "key.json"
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.write_text(
        json.dumps({
            "type": "service_account", "client_email": "a@b.test", "token_uri": "https://oauth2.googleapis.com/token",
            "private_key_id": "1", "private_key": pem.decode(),
        })
    )  # fmt: skip
    for name in ("key_file", "token"):
        assert object_store_place("gs://b/t", {name: str(key)}) == ObjectStorePlace(
            "gs://b/t", at_google | {"google_service_account": str(key)}
        )
    with pytest.raises(UsageError, match="no key of a service account"):
        object_store_place("gs://b/t", {"key_file": str(file)})
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert object_store_place("gs://b/t", {}).options == {
        **at_google, "google_application_credentials": str(file),
    }  # fmt: skip
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    file.rename(tmp_path / "application_default_credentials.json")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    found = object_store_place("gs://b/t", {}).options["google_application_credentials"]
    assert found == str(tmp_path / "application_default_credentials.json")


def test_google_s_credentials_that_deltalake_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    word = secrets.token_hex(16)
    for options in ({"token": word}, {"token": "cloud"}, {"anon": "yes", "user_project": "p"}):
        with pytest.raises(UsageError, match="cannot be used to publish") as caught:
            object_store_place("gs://b/t", options)
        assert word not in f"{caught.value} {caught.value.hint}"
    file = tmp_path / "federated.json"
    file.write_text(
        json.dumps({
            "type": "external_account_authorized_user", "audience": "//iam.googleapis.com/locations/global/x",
            "refresh_token": word, "token_url": "https://sts.test", "client_id": "c", "client_secret": word,
        })
    )  # fmt: skip
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(UsageError, match="credentials of the kind external_account_authorized_user") as caught:
        object_store_place("gs://b/t", {})
    assert word not in f"{caught.value} {caught.value.hint}"


def test_an_address_that_deltalake_would_decode_is_refused() -> None:
    for url in ("az://lake/a%20b", "gs://lake/a%20b", "s3://lake/a%20b"):
        with pytest.raises(UsageError, match="a % in it"):
            object_store_place(url, {})
