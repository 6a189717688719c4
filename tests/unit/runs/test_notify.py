"""Notices of failed runs: by HTTP and by command; what never arrives costs a warning and some time, no more."""

from __future__ import annotations

import base64
import json
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from sxeslake.errors import UsageError
from sxeslake.runs import notify
from sxeslake.runs.record import RunRecord

DOCUMENT = {"event": "run_failed", "text": "map\udce9.plzip"}


class Receiver:
    """An HTTP server that answers with these statuses in turn, and keeps what it got."""

    def __init__(self, *statuses: int, location: str = "/elsewhere") -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        left = list(statuses)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), body))
                self.send_response(left.pop(0) if left else 200)
                self.send_header("Location", location)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    @contextmanager
    def running(self) -> Iterator[Receiver]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def test_a_document_arrives() -> None:
    with Receiver().running() as receiver:
        assert notify.send(f"http://epma:open%20sesame@127.0.0.1:{receiver.port}/hook?k=1", DOCUMENT) is None
    ((path, headers, body),) = receiver.got
    assert path == "/hook?k=1"
    assert json.loads(body) == DOCUMENT
    assert headers["Content-Type"] == "application/json"
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"epma:open sesame"
    assert "@" not in headers["Host"]


def test_a_busy_server_is_asked_three_times() -> None:
    with Receiver(503, 429).running() as receiver:
        assert notify.send(f"http://127.0.0.1:{receiver.port}/", DOCUMENT, waits_s=(0.0, 0.0)) is None
    assert len(receiver.got) == 3
    with Receiver(500, 500, 500).running() as receiver:
        said = notify.send(f"http://127.0.0.1:{receiver.port}/", DOCUMENT, waits_s=(0.0, 0.0))
    assert said == "the server answered 500, 3 times"


def test_a_refusal_is_not_asked_again() -> None:
    with Receiver(404).running() as receiver:
        assert notify.send(f"http://127.0.0.1:{receiver.port}/secret", DOCUMENT) == "the server answered 404"
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with Receiver().running() as other, Receiver(status, location=f"http://127.0.0.1:{other.port}/").running() as one:
        said = notify.send(f"http://u:p@127.0.0.1:{one.port}/", DOCUMENT)
    assert said == f"the server answered {status}"
    assert other.got == []


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        said = notify.send(f"http://127.0.0.1:{free.getsockname()[1]}/secret", DOCUMENT, waits_s=(0.0, 0.0))
    assert said is not None
    assert "3 times" in said
    assert "secret" not in said


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = notify.send(f"http://127.0.0.1:{silent.getsockname()[1]}/", DOCUMENT, waits_s=())
    assert said is not None
    assert "timed out" in said


def test_a_server_that_never_ends_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "TOTAL_S", 0.3)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as slow:

        def drip() -> None:
            connection, _ = slow.accept()
            with connection:
                while not over.wait(0.05):
                    connection.sendall(b"H")

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            said = notify.send(f"http://127.0.0.1:{slow.getsockname()[1]}/", DOCUMENT, waits_s=())
        finally:
            over.set()
            thread.join()
    assert said == "it took more than 0 s"


def python(script: str) -> str:
    return shlex.join([sys.executable, "-c", script])


def test_a_command_gets_the_document(tmp_path: Path) -> None:
    got = tmp_path / "got $(id).json"
    script = f"import sys; open({str(got)!r}, 'w').write(sys.stdin.read())"
    assert notify.send(python(script), DOCUMENT) is None
    assert json.loads(got.read_text()) == DOCUMENT


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    assert notify.send(f"{python('')} ; touch {tmp_path / 'owned'} $(touch {tmp_path / 'owned'})", DOCUMENT) is None
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_says_why() -> None:
    said = notify.send(python("import sys; print('no route', file=sys.stderr); sys.exit(3)"), DOCUMENT)
    assert said == "the command ended with exit code 3: no route"
    assert "cannot be run" in str(notify.send("/no/such/program", DOCUMENT))


def test_a_command_that_reads_nothing_is_well() -> None:
    assert notify.send(python(""), {"text": "x" * 1_000_000}) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "COMMAND_S", 1.0)
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(2.5); pathlib.Path({str(mark)!r}).touch()"
    script = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    assert notify.send(python(script), DOCUMENT) == "the command took more than 1 s"
    time.sleep(2.5)
    assert not mark.exists()


@pytest.mark.parametrize("where", ["", " ", "ftp://x/y", "slack://x", "https://", "http://h:port/", "say 'it"])
def test_what_is_neither_url_nor_command_is_refused(where: str) -> None:
    with pytest.raises(UsageError):
        notify.check(where)


@pytest.mark.parametrize("where", ["https://x/y", "HTTP://x", "tell --url https://x", "/usr/bin/tell 'a b'"])
def test_urls_and_commands(where: str) -> None:
    assert notify.check(where) == where


def test_the_words_of_a_failed_run() -> None:
    record = RunRecord(
        id="i", command="copy", lake="/lake", target="/copy", host="epma", pid=1, sxeslake_version="1",
        started_at="", updated_at="", exit_code=6,
    )  # fmt: skip
    record.fail("storage is away")
    document = notify.run_failed(record)
    assert document["text"] == "sxeslake copy of /lake to /copy failed on epma (exit code 6): storage is away"
    assert document["failures"] == 1


def test_where_a_notice_goes_is_shown_without_its_secret() -> None:
    assert notify.shown_place("https://u:p@chat.example.org/hooks/abc?x=1") == "https://chat.example.org/…"
    assert notify.shown_place("/usr/bin/tell") == "/usr/bin/tell"
