"""Addresses: what they mean, and that their secrets never show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sxeslake.errors import UsageError
from sxeslake.storage import open_store, redact
from sxeslake.storage.address import check_key, check_prefix, parse
from sxeslake.storage.s3.options import settings_from

POSIX = pytest.mark.skipif(os.name == "nt", reason="paths of this form mean something else on Windows")


@pytest.mark.parametrize(
    ("url", "scheme", "path"),
    [
        ("s3://bucket", "s3", "bucket"),
        ("s3://bucket/a/b/", "s3", "bucket/a/b"),
        ("S3://bucket/x", "s3", "bucket/x"),
        ("memory://name", "memory", "name"),
        ("memory://", "memory", ""),
        ("gs://bucket/x", "gs", "bucket/x"),
        ("C:\\lakes\\one", "file", "C:\\lakes\\one"),
        ("D:/lakes/one", "file", "D:/lakes/one"),
        pytest.param("/data/lake", "file", "/data/lake", marks=POSIX),
        pytest.param("/data/a b#c?d@e", "file", "/data/a b#c?d@e", marks=POSIX),
        pytest.param("file:///data/a%20b", "file", "/data/a b", marks=POSIX),
        ("file:///C:/x%20y", "file", "C:/x y"),
        pytest.param("file://localhost/data", "file", "/data", marks=POSIX),
    ],
)
def test_addresses_are_understood(url: str, scheme: str, path: str) -> None:
    address = parse(url)
    assert (address.scheme, address.path) == (scheme, path)


def test_a_relative_folder_is_made_absolute() -> None:
    assert parse("lakes/one").path == str(Path.cwd() / "lakes" / "one")
    assert parse("~/lake").path == str(Path.home() / "lake")


@pytest.mark.parametrize(
    ("url", "path", "user", "secret", "public"),
    [
        ("s3://AK:SK@bucket/p", "bucket/p", "AK", "SK", "s3://bucket/p"),
        ("s3://AK:S/K+x@bucket/p", "bucket/p", "AK", "S/K+x", "s3://bucket/p"),
        ("s3://AK:S%2FK%40@bucket", "bucket", "AK", "S/K@", "s3://bucket"),
        ("s3://bucket/mail@home/p", "bucket/mail@home/p", None, None, "s3://bucket/mail@home/p"),
        ("sftp://me:pw@host/p", "host/p", "me", "pw", "sftp://host/p"),
    ],
)
def test_keys_in_an_address_are_taken_out(
    url: str, path: str, user: str | None, secret: str | None, public: str
) -> None:
    address = parse(url)
    assert (address.path, address.user, address.secret, address.public) == (path, user, secret, public)
    assert secret is None or secret not in repr(address)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://AK:SK@bucket/p", "s3://***@bucket/p"),
        ("s3://AK:S/K@bucket/p", "s3://***@bucket/p"),
        ("s3://bucket/p?secret=x", "s3://bucket/p?***"),
        ("s3://AK:S?K@bucket/p", "s3://***@bucket/p"),
        ("s3://bucket/p#secret", "s3://bucket/p#***"),
        ("s3://AK:SK/bucket", "s3://***"),
        ("https://host:80/p?mail=a@b", "https://***@b"),
        ("s3://bucket/p", "s3://bucket/p"),
        ("/data/lake", "/data/lake"),
        ("https://me:pw@host/p?sig=abc", "https://***@host/p?***"),
    ],
)
def test_redaction(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://",
        "s3:///x",
        "s3://bucket/a/../b",
        "s3://bucket//b",
        "s3://bucket/x?key=SECRETWORD",
        "s3://bucket/x#SECRETWORD",
        "s3://AK:SECRETWORD/bucket",
        "s3://AK:SECRETWORD@",
        "s3://AK:SECRETWORD@bucket/../x",
        "nosuch://AK:SECRETWORD@host/x",
        "s3://:SECRETWORD@bucket/x",
    ],
)
def test_nonsense_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "SECRETWORD" not in f"{caught.value} {caught.value!r}"


def test_keys_and_prefixes() -> None:
    assert check_key("packs/ab/0f-_=+.pack") == "packs/ab/0f-_=+.pack"
    assert check_prefix("") == ""
    assert check_prefix("log/") == "log/"
    assert check_prefix("log/000") == "log/000"


def test_s3_options_reach_the_connection_and_never_the_repr() -> None:
    options = {"key": "AK", "secret": "SECRETWORD", "token": "TOKENWORD", "endpoint_url": "http://h:1", "region": "x"}
    settings = settings_from(parse("s3://b/p"), options | {"anon": "no", "verify": "no", "addressing_style": "path"})
    told = settings.s3fs_arguments(20)
    assert (told["key"], told["secret"], told["token"]) == ("AK", "SECRETWORD", "TOKENWORD")
    assert (told["endpoint_url"], told["client_kwargs"]) == ("http://h:1", {"region_name": "x", "verify": False})
    assert told["config_kwargs"]["s3"] == {"addressing_style": "path"}
    assert told["config_kwargs"]["retries"] == {"total_max_attempts": 1}, "a create must know of every attempt"
    assert "WORD" not in repr(settings)


@pytest.mark.parametrize(
    "options",
    [
        {"sceret": "SECRETWORD"},
        {"secret": "SECRETWORD"},
        {"key": "SECRETWORD"},
        {"anon": "SECRETWORD"},
        {"addressing_style": "SECRETWORD"},
        {"endpoint_url": "SECRETWORD"},
    ],
)
def test_wrong_options_are_refused_without_their_values(options: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        settings_from(parse("s3://b/p"), options)
    assert next(iter(options)) in str(caught.value)
    assert "SECRETWORD" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("url", ["/tmp/lake", "memory://x"])
def test_folders_have_no_options(url: str) -> None:
    with pytest.raises(UsageError, match="endpoint_url"):
        open_store(url, options={"endpoint_url": "http://SECRETWORD"})
