"""Signatures against those that Amazon publishes, and against botocore's for requests at random."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.storage.s3_signature import (
    NO_BODY,
    Credentials,
    quoted_path,
    quoted_query,
    sha256_of,
    signed,
)

EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
MOMENT_S = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
HOST = {"host": "examplebucket.s3.amazonaws.com"}


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "signature"),
    [
        (
            *("GET", "/test.txt", [], {"range": "bytes=0-9"}, b""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            *("PUT", "/test$file.text", []),
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            *("GET", "/", [("lifecycle", "")], {}, b""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            *("GET", "/", [("prefix", "J"), ("max-keys", "2")], {}, b""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_examples_of_amazons_documentation(
    method: str, path: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes, signature: str
) -> None:
    payload = sha256_of([body]) if body else NO_BODY
    found = signed(
        method,
        quoted_path(path),
        quoted_query(query),
        HOST | headers,
        payload,
        EXAMPLE,
        "us-east-1",
        MOMENT_S,
    )
    assert found["authorization"].endswith(f"Signature={signature}")


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20)


@given(path=WORDS, query=st.dictionaries(WORDS.filter(bool), WORDS, max_size=3), token=st.sampled_from([None, "T+/="]))
def test_botocore_signs_alike(path: str, query: dict[str, str], token: str | None) -> None:
    target, asked = quoted_path(f"/{path}"), quoted_query(list(query.items()))
    who = Credentials(EXAMPLE.key, EXAMPLE.secret, token)
    url = f"http://{HOST['host']}{target}" + (f"?{asked}" if asked else "")
    request = AWSRequest("GET", url, headers={"range": "bytes=0-9"})
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(MOMENT_S))
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(MOMENT_S, UTC)):
        S3SigV4Auth(BotoCredentials(who.key, who.secret, who.token), "s3", "us-east-1").add_auth(request)
    ours = signed("GET", target, asked, HOST | {"range": "bytes=0-9"}, NO_BODY, who, "us-east-1", MOMENT_S)
    assert ours["authorization"] == request.headers["Authorization"]


def test_nothing_of_the_credentials_is_in_the_repr() -> None:
    shown = repr(Credentials("KEYWORD", "SECRETWORD", "TOKENWORD"))
    assert "WORD" not in shown
