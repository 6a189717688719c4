"""Certificates and proxies of the S3 store, against a server with one of its own making."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.scripted_s3 import SECRETS, ScriptedS3

from sxeslake.errors import UnreachableError
from sxeslake.storage.address import parse
from sxeslake.storage.retry import RetryPolicy
from sxeslake.storage.s3 import S3Store
from sxeslake.storage.s3.options import settings_from

openssl = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(openssl is None, reason="openssl makes the certificate")


class Authority(NamedTuple):
    """A certificate that proves itself, for localhost."""

    certificate: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = [openssl or "openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    made += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Authority(certificate, context)


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def secured(authority: Authority) -> Iterator[ScriptedS3]:
    server = ScriptedS3(authority.server)
    server.objects = {"/b/lake/p": b"0123456789" * 100_000}
    yield server
    server.stop()


def opened(endpoint: str, **options: str) -> S3Store:
    settings = settings_from(parse("s3://b/lake"), {**SECRETS, "endpoint_url": endpoint, **options})
    return S3Store(parse("s3://b/lake"), settings, RetryPolicy(first_s=0.001), read_timeout_s=2)


@needs_openssl
def test_an_authority_of_ones_own(secured: ScriptedS3, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    named = opened(secured.endpoint, verify=str(authority.certificate))
    assert named.get("p") == secured.objects["/b/lake/p"]
    named.create("q", b"over TLS")
    assert secured.headers[-1]["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "content-md5" in secured.headers[-1]
    named.close()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.certificate))
    by_variable = opened(secured.endpoint)
    assert by_variable.size("p") == 1_000_000
    by_variable.close()


@needs_openssl
def test_a_certificate_that_proves_nothing_is_refused_unless_told(secured: ScriptedS3, tmp_path: Path) -> None:
    careful = opened(secured.endpoint)
    with pytest.raises(UnreachableError, match=r"certificate of 127\.0\.0\.1 is not trusted.*.verify.: FILE"):
        careful.get("p")
    careful.close()
    trusting = opened(secured.endpoint, verify="no")
    assert trusting.size("p") == 1_000_000
    trusting.close()
    astray = opened(secured.endpoint, verify=str(tmp_path / "none.pem"))
    with pytest.raises(UnreachableError, match="is not trusted"):
        astray.get("p")
    astray.close()


def test_http_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ScriptedS3()
    proxy.objects = {"/b/lake/p": b"1"}
    monkeypatch.setenv("http_proxy", proxy.endpoint.replace("http://", "http://me:pass%20word@"))
    store = opened("http://storage.example:9000")
    assert store.get("p") == b"1"
    assert proxy.targets == ["http://storage.example:9000/b/lake/p"]
    assert proxy.headers[0]["host"] == "storage.example:9000"
    assert proxy.headers[0]["Proxy-Authorization"] == "Basic bWU6cGFzcyB3b3Jk"
    store.close()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    beside = opened(proxy.endpoint)
    assert beside.get("p") == b"1"
    assert proxy.targets[-1] == "/b/lake/p"
    beside.close()
    proxy.stop()


@needs_openssl
def test_https_goes_through_a_tunnel(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ScriptedS3(authority.server, is_proxy=True)
    proxy.objects = {"/b/lake/p": b"1"}
    monkeypatch.setenv("https_proxy", proxy.endpoint.replace("http://", "http://me:word@"))
    store = opened("https://localhost:9443", verify=str(authority.certificate))
    assert store.get("p") == b"1"
    assert store.get("p") == b"1"
    assert proxy.connects == [("localhost:9443", "Basic bWU6d29yZA==")]
    assert "Proxy-Authorization" not in proxy.headers[0]
    store.close()
    proxy.stop()
