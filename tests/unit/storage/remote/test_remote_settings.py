"""Options, variables and addresses of the stores on Azure, Google Cloud Storage and SFTP servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sxeslake.errors import UsageError
from sxeslake.storage.address import parse, redact, without_userinfo

azure = pytest.importorskip("sxeslake.storage.remote.azure", reason="pip install azure-storage-blob azure-identity")
gcs = pytest.importorskip("sxeslake.storage.remote.gcs", reason="pip install google-auth")
sftp = pytest.importorskip("sxeslake.storage.remote.sftp", reason="pip install asyncssh")

KEY = "c2VjcmV0IGtleSBvZiBhbiBhY2NvdW50"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE_", "GOOGLE_", "STORAGE_EMULATOR_HOST"))]:
        monkeypatch.delenv(name)


def test_azure_by_options() -> None:
    settings = azure.AzureSettings(parse("abfs://lake/a/b"), {"account_name": "epma", "account_key": KEY})
    assert (settings.container, settings.root, settings.endpoint) == (
        "lake",
        "a/b",
        "https://epma.blob.core.windows.net",
    )
    assert settings.secrets == (KEY,)


@pytest.mark.parametrize("kind", ["dfs", "blob"])
def test_azure_with_the_account_in_the_address(kind: str) -> None:
    url = f"abfss://lake@epma.{kind}.core.windows.net/a"
    address = parse(url)
    settings = azure.AzureSettings(address, {"account_key": KEY})
    assert (settings.container, settings.root, settings.endpoint) == ("lake", "a", "https://epma.blob.core.windows.net")
    assert (address.public, redact(url), without_userinfo(url)) == (url, url, url)


def test_azure_by_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=epma;AccountKey={KEY};EndpointSuffix=core")
    settings = azure.AzureSettings(parse("az://lake"), {})
    assert settings.root == ""
    assert KEY in settings.secrets
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "no such thing")
    with pytest.raises(UsageError, match="connection string cannot be read") as caught:
        azure.AzureSettings(parse("az://lake"), {}).container_client()
    assert "no such thing" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("abfs://lake", {}, "names no storage account"),
        ("abfs://lake", {"colour": "red"}, "unknown storage option: colour"),
        ("abfs://lake", {"account_name": "a", "endpoint_url": "localhost"}, "endpoint_url starts with http"),
        ("abfs://lake", {"account_name": "a", "anon": "perhaps"}, "anon is yes or no"),
    ],
)
def test_azure_refuses(url: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        azure.AzureSettings(parse(url), options)


@pytest.mark.parametrize("url", ["abfs://", "abfs:///x", "gs://", "gs:///x", "az://"])
def test_an_address_names_a_bucket(url: str) -> None:
    with pytest.raises(UsageError, match="names no bucket"):
        parse(url)


def test_google_signs_unless_the_server_is_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = parse("gs://lake/a/b")
    settings = gcs.GcsSettings(address, {})
    assert (settings.bucket, settings.root, settings.endpoint) == ("lake", "a/b", gcs.GOOGLE)
    assert not settings.is_anonymous
    assert gcs.GcsSettings(address, {"anon": "yes"}).is_anonymous
    assert gcs.GcsSettings(address, {"token": "anon"}).is_anonymous
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "localhost:4443")
    own = gcs.GcsSettings(address, {})
    assert (own.endpoint, own.is_anonymous) == ("http://localhost:4443", True)
    token = gcs.GcsSettings(address, {"token": "ya29.secret"})
    assert (token.is_anonymous, token.secrets) == (False, ("ya29.secret",))
    (tmp_path / "key.json").write_text('{"type":"nothing"}')
    file = gcs.GcsSettings(address, {"token": str(tmp_path / "key.json")})
    assert (file.key_file, file.secrets) == (str(tmp_path / "key.json"), ())
    with pytest.raises(UsageError, match="holds no key"):
        file.credentials()


@pytest.mark.parametrize(
    ("url", "options", "expected"),
    [
        ("sftp://nas/volume1/lake", {}, ("nas", None, None, None, "/volume1/lake")),
        ("sftp://me@nas:2222/lake", {}, ("nas", 2222, "me", None, "/lake")),
        ("sftp://me:pass%20word@nas/lake", {}, ("nas", None, "me", "pass word", "/lake")),
        ("ssh://nas/~/lake", {"username": "me", "port": "22"}, ("nas", 22, "me", None, "lake")),
    ],
)
def test_an_sftp_server(url: str, options: dict[str, str], expected: tuple[object, ...]) -> None:
    found = sftp.SftpSettings(parse(url), options)
    assert (found.host, found.port, found.username, found.password, found.root) == expected


def test_a_user_is_no_secret_and_a_password_is() -> None:
    assert redact("sftp://me@nas/lake") == without_userinfo("sftp://me@nas/lake") == parse("sftp://me@nas/lake").public
    assert redact("sftp://me:word@nas/lake") == "sftp://***@nas/lake"
    assert parse("sftp://me:word@nas/lake").public == "sftp://nas/lake"


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("sftp://nas", {}, "names no folder"),
        ("sftp://nas:x/lake", {}, "names no server"),
        ("sftp://nas/lake", {"port": "x"}, "port is a number"),
        ("sftp://nas/lake", {"trust": "all"}, "unknown storage option: trust"),
    ],
)
def test_sftp_refuses(url: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        sftp.SftpSettings(parse(url), options)
