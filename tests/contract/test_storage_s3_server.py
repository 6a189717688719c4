"""The S3 store on a real server, beyond the common contract: configuration, large objects, paging, a quiet exit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support import seaweed

from sxeslake.errors import AccessDeniedError, LakeNotFoundError, ObjectExistsError, StorageError, SxeslakeError
from sxeslake.storage import Store, Versioned, open_store
from sxeslake.storage.address import parse
from sxeslake.storage.retry import RetryPolicy
from sxeslake.storage.s3 import S3Store
from sxeslake.storage.s3.options import settings_from

pytestmark = pytest.mark.s3

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(s3_server: seaweed.Seaweed, request: pytest.FixtureRequest) -> Iterator[Store]:
    store = open_store(f"s3://lake/server/{request.node.name}", options=s3_server.options())
    yield store
    store.close()


def test_a_large_object_is_one_request_and_create_only(store: Store) -> None:
    large = bytes(101 << 20)  # where many clients upload in parts, and the condition is racy
    store.create("packs/large", large)
    assert store.counters.requests == {"PUT": 1}
    with pytest.raises(ObjectExistsError):
        store.create("packs/large", large)
    assert store.get_tail("packs/large", 3) == (b"\0\0\0", 101 << 20)


def test_a_listing_of_many_pages(store: Store) -> None:
    keys = [f"log/{number:020d}.json" for number in range(1050)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.create(key, b"{}"), keys))
    before = store.counters.requests.get("LIST", 0)
    listing = store.list("log/")
    assert store.counters.requests.get("LIST", 0) == before, "nothing is asked before the first is taken"
    assert sorted(info.key for info in listing) == keys
    assert store.counters.requests["LIST"] - before == 2


def test_a_missing_bucket_is_not_an_empty_lake(s3_server: seaweed.Seaweed) -> None:
    store = open_store("s3://no-such-bucket/x", options=s3_server.options())
    for call in (lambda: store.get("lake.json"), lambda: store.create("lake.json", b""), lambda: list(store.list(""))):
        with pytest.raises(LakeNotFoundError, match="no such bucket"):
            call()
    store.close()


def test_wrong_secrets_are_refused_and_not_shown(s3_server: seaweed.Seaweed) -> None:
    key, _ = s3_server.credentials["reader"]
    options = {"endpoint_url": s3_server.endpoint}
    for url, words in ((f"s3://{key}:WRONG/SECRET@lake/x", "secret key"), ("s3://NOBODY:WRONG@lake/x", "access key")):
        store = open_store(url, options=options)
        with pytest.raises(AccessDeniedError, match=words) as caught:
            store.get("lake.json")
        assert "WRONG" not in f"{caught.value} {caught.value!r} {store!r} {store.url}"
        store.close()


def test_the_usual_aws_variables(s3_server: seaweed.Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://lake/server/variables")
    store.replace("p", b"1")
    assert store.get("p") == b"1"
    store.close()


def test_a_profile_with_an_endpoint(
    s3_server: seaweed.Seaweed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key, secret = s3_server.credentials["reader"]
    config = tmp_path / "config"
    config.write_text(
        f"[profile facility]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        f"endpoint_url = {s3_server.endpoint}\nregion = us-east-1\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    store = open_store("s3://lake/server/profile", options={"profile": "facility"})
    assert list(store.list("")) == []
    with pytest.raises(AccessDeniedError, match="s3:PutObject"):
        store.create("p", b"")
    store.close()
    unknown = open_store("s3://lake/server/profile", options={"profile": "nobody"})
    with pytest.raises(SxeslakeError, match="no such profile"):
        unknown.get("p")
    unknown.close()


@pytest.mark.parametrize("closing", ["store.close()", "store.close(); store.close()", "del store", "pass"])
def test_a_process_ends_without_a_word(s3_server: seaweed.Seaweed, closing: str) -> None:
    script = (
        "from sxeslake.storage import open_store\n"
        "store = open_store('s3://lake/server/quiet')\n"
        "store.replace('p', b'1'); store.get_ranges([('p', 0, 1)])\n"
        f"{closing}\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", script],
        env=os.environ | s3_server.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    # The loop's own debug mode reports slow steps of a busy machine; everything else is a finding.
    assert [line for line in run.stderr.splitlines() if not line.startswith("Executing <")] == []


class FlippingProxy:
    """Passes bytes on to a server, and turns one bit of what clients send while `mark` is in it."""

    def __init__(self, endpoint: str, mark: bytes) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._beyond, self._mark = (host, int(port)), mark
        self.turned = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._beyond)
                threading.Thread(target=self._pass, args=(client, server, self._mark), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, b""), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, mark: bytes) -> None:
        with source, suppress(OSError):
            while data := source.recv(1 << 16):
                if mark and mark in data:
                    self.turned += 1
                    data = data.replace(mark, bytes([mark[0] ^ 1]) + mark[1:])
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


def test_what_changes_on_the_way_is_not_stored(s3_server: seaweed.Seaweed, store: Store) -> None:
    proxy = FlippingProxy(s3_server.endpoint, b"the bytes that change")
    address = parse(store.url)
    settings = settings_from(address, {**s3_server.options(), "endpoint_url": proxy.endpoint})
    through = S3Store(address, settings, RetryPolicy(busy_attempts=3, first_s=0.01))
    with pytest.raises(StorageError):
        through.create("packs/p", b"x" * 5000 + b"the bytes that change" + b"x" * 5000)
    assert proxy.turned >= 1
    assert store.size("packs/p") is None
    through.create("packs/p", b"bytes that arrive as they are")
    assert store.get("packs/p") == b"bytes that arrive as they are"
    through.close()
    proxy.close()


def test_keeping_versions_is_asked_of_the_bucket(store: Store) -> None:
    assert isinstance(store, Versioned)
    assert store.keeps_versions() is False
    assert store.counters.requests == {"GET": 1}
