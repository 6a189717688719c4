"""Requests to Amazon's own servers, which are not asked here: where they go, and what follows from the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.client import HTTPMessage

import pytest

from sxeslake.storage.address import parse
from sxeslake.storage.s3_client import S3Client
from sxeslake.storage.s3_errors import RefusalError
from sxeslake.storage.s3_options import settings_from
from sxeslake.storage.s3_wire import Origin, Reply, Wire

OPTIONS = {"key": "AK", "secret": "SECRETWORD", "token": "TOKENWORD"}


class Amazon:
    """Answers by script; notes where requests went and for which region they were signed."""

    def __init__(self, replies: Sequence[tuple[int, Mapping[str, str], bytes]]) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str, str]] = []

    def exchange(
        self, origin: Origin, method: str, target: str, headers: Mapping[str, str], body: Sequence[bytes] = ()
    ) -> Reply:
        region = headers["authorization"].split("/")[2]
        self.asked.append((f"{method} {origin.authority}{target}", region, headers["x-amz-security-token"]))
        status, fields, content = self.replies.pop(0)
        message = HTTPMessage()
        for name, value in fields.items():
            message[name] = value
        return Reply(status, message, content)


def client(monkeypatch: pytest.MonkeyPatch, amazon: Amazon) -> S3Client:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setattr(Wire, "exchange", lambda self, *arguments: amazon.exchange(*arguments))
    return S3Client("b", settings_from(parse("s3://b/p"), OPTIONS), 1)


@pytest.mark.parametrize("status", [301, 307, 400])
def test_a_bucket_of_another_region_is_found_there(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """HEAD, too, whose reply has no body that could say so."""
    amazon = Amazon([(status, {"x-amz-bucket-region": "eu-north-1"}, b""), (200, {}, b""), (200, {}, b"")])
    asking = client(monkeypatch, amazon)
    assert asking.exchange("HEAD", "p/a b").status == 200
    asking.exchange("GET", query=(("list-type", "2"), ("prefix", "p/")))
    there = "b.s3.eu-north-1.amazonaws.com"
    assert amazon.asked == [
        ("HEAD b.s3.us-east-1.amazonaws.com/p/a%20b", "us-east-1", "TOKENWORD"),
        (f"HEAD {there}/p/a%20b", "eu-north-1", "TOKENWORD"),
        (f"GET {there}/?list-type=2&prefix=p%2F", "eu-north-1", "TOKENWORD"),
    ]
    assert asking.host == there


@pytest.mark.parametrize("region", ["us-east-1", "", "evil.example/"])
def test_a_reply_that_names_no_other_region_is_a_refusal(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    amazon = Amazon([(301, {"x-amz-bucket-region": region}, b"<Error><Code>PermanentRedirect</Code></Error>")])
    with pytest.raises(RefusalError, match=r"^301 PermanentRedirect$"):
        client(monkeypatch, amazon).exchange("GET", "k")


def test_a_refusal_shows_nothing_that_the_server_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"<Error><Code>AccessDenied</Code><Message>SECRETWORD TOKENWORD</Message></Error>"
    asking = client(monkeypatch, Amazon([(403, {}, body)]))
    with pytest.raises(RefusalError) as caught:
        asking.exchange("GET", "k")
    assert "WORD" not in f"{caught.value} {caught.value!r}"
    assert caught.value.message == "SECRETWORD TOKENWORD"
    assert {"SECRETWORD", "TOKENWORD"} <= set(asking.secrets)


def test_a_body_that_is_no_xml_is_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusalError, match=r"^502 502$"):
        client(monkeypatch, Amazon([(502, {}, b"<html><br>Bad gateway")])).exchange("GET", "k")
