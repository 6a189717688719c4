"""The S3 store against a server that throttles, stumbles, cuts replies short and loses them, by script."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.scripted_s3 import SECRETS, ScriptedS3

from sxeslake.errors import (
    AccessDeniedError,
    LakeNotFoundError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    SxeslakeError,
    UnreachableError,
)
from sxeslake.storage import Counters, cancel_requests
from sxeslake.storage.address import parse
from sxeslake.storage.retry import RetryPolicy
from sxeslake.storage.s3 import S3Store
from sxeslake.storage.s3.options import settings_from

ROOT = Path(__file__).parents[2]
MANY = 8
QUICK = RetryPolicy(first_s=0.001, cap_s=0.002, first_contact_s=1.0, retry_for_s=2.0, busy_attempts=MANY)


@pytest.fixture(scope="module")
def running_server() -> Iterator[ScriptedS3]:
    server = ScriptedS3()
    yield server
    server.stop()


@pytest.fixture
def server(running_server: ScriptedS3) -> ScriptedS3:
    running_server.objects = {"/b/lake/p": b"0123456789" * 1000}
    running_server.metadata = {}
    running_server.script = []
    running_server.seen = []
    running_server.headers = []
    return running_server


def opened(endpoint: str, *, policy: RetryPolicy = QUICK, read_timeout_s: float = 0.3) -> S3Store:
    """A store with a short patience."""
    address = parse("s3://b/lake")
    options = SECRETS | {"endpoint_url": endpoint, "region": "us-east-1", "addressing_style": "path"}
    return S3Store(address, settings_from(address, options), policy, read_timeout_s=read_timeout_s)


@pytest.fixture(scope="module")
def connected(running_server: ScriptedS3) -> Iterator[S3Store]:
    store = opened(running_server.endpoint)
    yield store
    store.close()


@pytest.fixture
def store(connected: S3Store) -> S3Store:
    connected.counters = Counters()
    return connected


@pytest.mark.parametrize(
    "fault",
    [
        "503 SlowDown",
        "429 TooManyRequests",
        "500 InternalError",
        "502 x",
        "400 RequestTimeout",
        "short body",
    ],
)
def test_a_passing_trouble_is_mended_by_trying_again(server: ScriptedS3, store: S3Store, fault: str) -> None:
    server.script = [fault, fault, fault]
    assert store.get("p") == server.objects["/b/lake/p"]
    assert server.seen == ["GET"] * 4
    assert store.counters.requests["GET"] == 4


def test_a_server_that_hangs_up_is_asked_again(server: ScriptedS3, store: S3Store) -> None:
    server.script = ["hang up"] * 3
    assert store.get("p") == server.objects["/b/lake/p"]


def test_silence_is_asked_once_more(server: ScriptedS3, store: S3Store) -> None:
    server.script = ["silence"]
    assert store.get("p") == server.objects["/b/lake/p"]


@pytest.mark.parametrize("fault", ["503 SlowDown", "hang up", "short body"])
def test_a_lasting_trouble_is_an_error(server: ScriptedS3, store: S3Store, fault: str) -> None:
    assert store.size("p") == 10_000
    server.seen.clear()
    server.script = [fault] * 50
    with pytest.raises(UnreachableError, match=r"s3://b/lake/p: .*also after retries"):
        store.get("p")
    sent_by_client = 2 if fault == "hang up" else 1  # aiohttp sends a request once more where the server hangs up
    assert len(server.seen) == MANY * sent_by_client


def test_a_connection_that_was_closed_while_idle_costs_no_attempt(server: ScriptedS3) -> None:
    impatient = opened(server.endpoint, policy=RetryPolicy(busy_attempts=1))
    assert impatient.size("p") == 10_000
    server.script = ["hang up"]
    assert impatient.get("p") == server.objects["/b/lake/p"]
    impatient.close()


def test_a_refusal_before_the_body_is_read_is_heard(server: ScriptedS3, store: S3Store) -> None:
    server.script = ["early 403 AccessDenied"]
    with pytest.raises(AccessDeniedError, match="s3:PutObject"):
        store.create("packs/large", bytes(64 << 20))
    assert server.seen == ["PUT"]


@pytest.mark.parametrize("fault", ["done, then hang up", "done, then 500"])
def test_a_lost_reply_to_create_is_recognised_as_ours(server: ScriptedS3, store: S3Store, fault: str) -> None:
    server.script = [fault]
    store.create("log/1", b"my transaction")
    assert server.objects["/b/lake/log/1"] == b"my transaction"


def test_a_lost_reply_does_not_claim_what_another_wrote(server: ScriptedS3, store: S3Store) -> None:
    server.objects["/b/lake/log/1"] = b"another transaction"
    server.script = ["hang up"]
    with pytest.raises(ObjectExistsError):
        store.create("log/1", b"my transaction")
    assert server.objects["/b/lake/log/1"] == b"another transaction"


def test_the_same_bytes_of_another_are_a_conflict(server: ScriptedS3, store: S3Store) -> None:
    server.objects["/b/lake/log/1"] = b"same"
    with pytest.raises(ObjectExistsError):
        store.create("log/1", b"same")
    assert server.seen == ["PUT", "HEAD"]


def test_an_undecided_race_is_asked_again(server: ScriptedS3, store: S3Store) -> None:
    server.script = ["409 ConditionalRequestConflict"]
    store.create("log/1", b"mine")
    assert server.objects["/b/lake/log/1"] == b"mine"
    server.script = ["409 ConditionalRequestConflict"]
    with pytest.raises(ObjectExistsError):
        store.create("log/1", b"other")


@pytest.mark.parametrize("code", ["PreconditionFailed", "412", ""])
def test_every_servers_word_for_taken(server: ScriptedS3, store: S3Store, code: str) -> None:
    server.script = [f"412 {code}"]
    with pytest.raises(ObjectExistsError):
        store.create("log/1", b"mine")


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        ("403 AccessDenied", AccessDeniedError, r"s3://b/lake/p: .*s3:GetObject"),
        ("403 InvalidAccessKeyId", AccessDeniedError, "access key"),
        ("403 SignatureDoesNotMatch", AccessDeniedError, "secret key"),
        ("403 RequestTimeTooSkewed", AccessDeniedError, "more than 15 minutes off.*keep it right by NTP"),
        ("400 ExpiredToken", AccessDeniedError, "expired"),
        ("404 NoSuchKey", ObjectNotFoundError, "no such object"),
        ("404 NoSuchBucket", LakeNotFoundError, "no such bucket"),
        ("400 AuthorizationHeaderMalformed", StorageError, "AWS_REGION"),
        ("400 SomethingNew", StorageError, "SomethingNew"),
        ("501 NotImplemented", StorageError, "cannot do"),
    ],
)
def test_refusals_are_said_in_words(
    server: ScriptedS3, store: S3Store, reply: str, kind: type[SxeslakeError], words: str
) -> None:
    server.script = [reply]
    with pytest.raises(kind, match=words) as caught:
        store.get("p")
    assert type(caught.value) is kind
    assert server.seen == ["GET"]


def test_a_403_is_never_an_absence(server: ScriptedS3, store: S3Store) -> None:
    server.script = ["403 "]
    with pytest.raises(AccessDeniedError, match="s3:ListBucket"):
        store.size("log/00000002.json")


@pytest.mark.parametrize("reply", ["403 AccessDenied", "400 SomethingNew", "400 AuthorizationHeaderMalformed", "503 x"])
@pytest.mark.parametrize(
    "call",
    [lambda store: store.get("p"), lambda store: store.create("q", b"1"), lambda store: list(store.list(""))],
    ids=["get", "create", "list"],
)
def test_secrets_stay_secret(
    server: ScriptedS3, store: S3Store, reply: str, call: Callable[[S3Store], object], caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [reply] * 20
    with pytest.raises(SxeslakeError) as caught:
        call(store)
    shown = f"{caught.value} {caught.value!r} {store!r} {store.url} {caught.getrepr(style='short')} {caplog.text}"
    assert not [word for word in SECRETS.values() if word in shown]
    assert caught.value.__cause__ is None or caught.value.__suppress_context__


def test_an_interrupted_request_is_not_made_again_behind_ones_back(server: ScriptedS3) -> None:
    store = opened(server.endpoint, policy=RetryPolicy(busy_attempts=1), read_timeout_s=20)
    assert store.size("p") == 10_000  # so that there is a connection which may have been closed while it was idle
    server.script = ["silence"] * 5
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(store.get, "p")
        while server.seen != ["HEAD", "GET"]:
            time.sleep(0.01)
        cancel_requests()
        with pytest.raises(UnreachableError):
            waiting.result(0.8)
    assert server.seen == ["HEAD", "GET"]
    store.close()


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        store = opened(f"http://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 cannot be reached.*AWS_ENDPOINT_URL"):
            store.get("p")
        store.close()


@pytest.mark.parametrize("call", [lambda store: store.get("p"), lambda store: store.create("p", b"1")])
def test_somebody_listens_and_never_answers(call: Callable[[S3Store], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        store = opened(f"http://127.0.0.1:{held.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(UnreachableError, match="does not answer"):
            call(store)
        assert time.monotonic() - started < 10
        store.close()


def test_an_upload_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sxeslake.storage.s3.store.SLOWEST_BYTES_PER_S", 64 << 20)
    with socket.create_server(("127.0.0.1", 0)) as held, ThreadPoolExecutor(1) as threads:
        store = opened(f"http://127.0.0.1:{held.getsockname()[1]}")
        waiting = threads.submit(store.create, "packs/large", bytes(32 << 20))
        try:
            with pytest.raises(UnreachableError, match="does not answer"):
                waiting.result(10)
        finally:
            cancel_requests()
            store.close()


def test_a_reply_that_is_no_xml_is_told_by_its_status(server: ScriptedS3, store: S3Store) -> None:
    server.script = ["page 502", "page 403"]
    with pytest.raises(AccessDeniedError, match=r"s3:GetObject .*403: Forbidden"):
        store.get("p")
    assert server.seen == ["GET", "GET"]


def test_a_host_without_address() -> None:
    store = opened("http://no-such-host.invalid")
    with pytest.raises(UnreachableError, match=r"no-such-host\.invalid"):
        store.size("p")
    store.close()


def test_a_bucket_of_another_region_is_asked_with_its_region(server: ScriptedS3) -> None:
    store = opened(server.endpoint)
    server.script = ["400 AuthorizationHeaderMalformed eu-north-1"]
    assert store.get("p") == server.objects["/b/lake/p"]
    assert store.size("p") == 10_000
    scopes = [headers["authorization"].split("/")[2] for headers in server.headers]
    assert scopes == ["us-east-1", "eu-north-1", "eu-north-1"]
    store.close()


def test_a_put_says_what_the_server_is_to_check(server: ScriptedS3, store: S3Store) -> None:
    store.create("packs/q", [b"one", b" and ", b"two"])
    sent = server.headers[0]
    assert server.objects["/b/lake/packs/q"] == b"one and two"
    assert sent["content-md5"] == base64.b64encode(hashlib.md5(b"one and two").digest()).decode()
    assert sent["x-amz-content-sha256"] == hashlib.sha256(b"one and two").hexdigest()
    assert sent["if-none-match"] == "*"
    assert all(name in sent["authorization"] for name in ("content-md5", "if-none-match", "x-amz-meta-put-nonce"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_store_serves_the_child_of_a_fork_too(server: ScriptedS3) -> None:
    """With what it holds at that moment: connections, threads that wait, and locks."""
    script = f"""
import os
from concurrent.futures import ThreadPoolExecutor
from sxeslake.storage import open_store
options = {{"endpoint_url": {server.endpoint!r}, "key": "k", "secret": "s", "addressing_style": "path"}}
store = open_store("s3://b/lake", options=options)
def read():
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(store.size, ["p"] * 4)) == [10_000] * 4
read()
child = os.fork()
read()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=20, cwd=ROOT)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
@pytest.mark.parametrize("call", ["store.get('p')", "store.get_ranges([('p', 0, 1), ('q', 0, 1), ('r', 0, 1)])"])
def test_ctrl_c_gets_through_to_a_process_that_waits(call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        script = f"""
from sxeslake.storage import open_store
options = {{"endpoint_url": "http://127.0.0.1:{held.getsockname()[1]}", "key": "k", "secret": "s"}}
store = open_store("s3://b/lake", options=options)
print("ready", flush=True)
{call}
"""
        command = [sys.executable, "-c", script]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            held.settimeout(10)
            with held.accept()[0] as connection:
                connection.recv(1)  # it has asked, and waits
                time.sleep(0.1)
                interrupted = time.monotonic()
                process.send_signal(signal.SIGINT)
                _, shown = process.communicate(timeout=15)
        assert time.monotonic() - interrupted < 5, "20 s would be the time limit of a read"
        assert "KeyboardInterrupt" in shown


@pytest.mark.parametrize(("status", "keeps"), [("Enabled", True), ("Suspended", False)])
def test_a_bucket_says_whether_it_keeps_versions(server: ScriptedS3, store: S3Store, status: str, keeps: bool) -> None:
    names = "http://s3.amazonaws.com/doc/2006-03-01/"
    server.objects["/b"] = f'<VersioningConfiguration xmlns="{names}"><Status>{status}</Status>'.encode()
    server.objects["/b"] += b"</VersioningConfiguration>"
    assert store.keeps_versions() is keeps
    assert server.targets[-1].removesuffix("=") == "/b?versioning"
    server.script = ["403 AccessDenied"]
    assert store.keeps_versions() is False


def test_a_store_that_goes_away_is_waited_for_and_that_is_said_once(
    server: ScriptedS3, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "sxeslake")
    store = opened(server.endpoint, policy=RetryPolicy(retry_for_s=30, cap_s=0.3, busy_attempts=None))
    assert store.size("p") == 10_000
    server.script = ["503 x"] * 12  # 0.1 + 0.2 + 0.3 … s: more than a hiccup
    assert len(store.get("p")) == 10_000
    said = [record.getMessage() for record in caplog.records]
    assert said == ["s3://b/lake is busy; trying again for up to 30 s."]
    store.close()


def test_no_patience_ends_at_once(server: ScriptedS3) -> None:
    store = opened(server.endpoint, policy=RetryPolicy(retry_for_s=0))
    assert store.size("p") == 10_000
    server.seen.clear()
    server.script = ["503 x"] * 5
    with pytest.raises(UnreachableError):
        store.get("p")
    assert len(server.seen) == 1
    store.close()
