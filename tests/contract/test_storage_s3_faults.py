"""The S3 store against a server that throttles, stumbles, cuts replies short and loses them, by script."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sxeslake.errors import (
    AccessDeniedError,
    LakeNotFoundError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    SxeslakeError,
    UnreachableError,
)
from sxeslake.storage import Counters
from sxeslake.storage.address import parse
from sxeslake.storage.retry import RetryPolicy
from sxeslake.storage.s3 import S3Store
from sxeslake.storage.s3_options import settings_from

QUICK = RetryPolicy(first_s=0.001, cap_s=0.002, unreachable_budget_s=1.0)
SECRETS = {"key": "AKIA_SECRET_KEY_ID", "secret": "sEcReT/with+signs", "token": "tOkEn=="}


class ScriptedS3:
    """A server of one bucket. `script` holds what to do with the next requests: `ok` or a fault."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.script: list[str] = []
        self.seen: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet a reply: header and body apart wait for an acknowledgement

            def log_message(self, *arguments: object) -> None:
                """Quiet."""

            def handle_expect_100(self) -> bool:
                go_on = super().handle_expect_100()
                self.wfile.flush()
                return go_on

            def do_GET(self) -> None:
                outer.serve(self)

            do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815 - names that http.server asks for

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request as the script says."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.seen.append(request.command)
        step = self.script.pop(0) if self.script else "ok"
        if step == "hang up":
            request.close_connection = True
        elif step == "silence":
            time.sleep(1.0)
            request.close_connection = True
        elif step == "short body":
            content = self.objects[request.path]
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content[: len(content) // 2])
            request.close_connection = True
        elif step.startswith("done, then "):
            self._put(request, body)
            if step.endswith("hang up"):
                request.close_connection = True
            else:
                self._refuse(request, 500, "InternalError")
        elif step != "ok":
            status, _, code = step.partition(" ")
            self._refuse(request, int(status), code)
        elif request.command == "PUT":
            if self._put(request, body):
                self._reply(request, 200, b"")
            else:
                self._refuse(request, 412, "PreconditionFailed")
        elif request.path in self.objects:
            self._reply(request, 200, self.objects[request.path])
        else:
            self._refuse(request, 404, "NoSuchKey")

    def _put(self, request: BaseHTTPRequestHandler, body: bytes) -> bool:
        if request.headers.get("If-None-Match") == "*" and request.path in self.objects:
            return False
        self.objects[request.path] = body
        self.metadata[request.path] = {
            name: value for name, value in request.headers.items() if name.lower().startswith("x-amz-meta-")
        }
        return True

    def _refuse(self, request: BaseHTTPRequestHandler, status: int, code: str) -> None:
        words = f"Said about {SECRETS['key']} and {SECRETS['secret']} and {SECRETS['token']}"
        self._reply(request, status, f"<Error><Code>{code}</Code><Message>{words}</Message></Error>".encode())

    def _reply(self, request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in self.metadata.get(request.path, {}).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)


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
    server.script = [fault] * 50
    with pytest.raises(UnreachableError, match=r"s3://b/lake/p: .*also after retries"):
        store.get("p")
    attempts = 2 * QUICK.busy_attempts if fault == "hang up" else QUICK.busy_attempts  # aiohttp repeats by itself
    assert len(server.seen) == attempts


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
        ("403 RequestTimeTooSkewed", AccessDeniedError, "clock"),
        ("403 InvalidAccessKeyId", AccessDeniedError, "access key"),
        ("403 SignatureDoesNotMatch", AccessDeniedError, "secret key"),
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


def test_a_host_without_address() -> None:
    store = opened("http://no-such-host.invalid")
    with pytest.raises(UnreachableError, match=r"no-such-host\.invalid"):
        store.size("p")
    store.close()
