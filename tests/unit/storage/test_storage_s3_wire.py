"""Bodies in parts, and which server an address means; the rest of the wire is in tests/contract."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.storage import s3_wire
from sxeslake.storage.s3_wire import Origin, origin_of, proxy_for


@given(st.lists(st.binary(max_size=30), max_size=30))
def test_parts_keep_their_bytes_and_their_measure(body: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(s3_wire, "_SENT_AT_ONCE", 10)
        sent = [bytes(part) for part in s3_wire._batched(body)]
    assert b"".join(sent) == b"".join(body)
    assert all(0 < len(part) < 20 for part in sent)
    small = [len(part) for part in sent if len(part) < 10]
    large = sum(len(part) >= 10 for part in body)
    assert len(small) <= 2 * large + 1, "what is small goes together"


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://host", Origin("http", "host", 80), "host"),
        ("https://host:443/x", Origin("https", "host", 443), "host"),
        ("http://HOST:9000", Origin("http", "host", 9000), "host:9000"),
        ("http://me:word@[::1]:8333/", Origin("http", "::1", 8333), "[::1]:8333"),
    ],
)
def test_an_address_means_a_server(url: str, origin: Origin, authority: str) -> None:
    assert origin_of(url) == origin
    assert origin.authority == authority


def test_proxies_are_those_of_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    host = Origin("https", "s3.example", 443)
    assert proxy_for(host) is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    proxy = proxy_for(host)
    assert proxy is not None
    assert proxy.origin == Origin("http", "proxy.example", 3128)
    assert proxy.headers == {}
    assert proxy_for(Origin("http", "s3.example", 80)) is None
    monkeypatch.setenv("NO_PROXY", ".example")
    assert proxy_for(host) is None
