"""A server of one bucket that does by script what real ones do when they are busy, broken, elsewhere or behind TLS."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
SECRETS = {"key": "AKIA_SECRET_KEY_ID", "secret": "sEcReT/with+signs", "token": "tOkEn=="}


class ScriptedS3:
    """A server of one bucket. `script` holds what to do with the next requests: `ok` or a fault."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, is_proxy: bool = False) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.script: list[str] = []
        self.silent_for: dict[str, str] = {}  # step for every PUT whose path has this text: `silence 60`
        self.silent_reads_of: dict[str, str] = {}  # the same for every GET and HEAD
        self.silences: list[str] = []
        self.seen: list[str] = []
        self.headers: list[Message] = []  # names in any case
        self.targets: list[str] = []
        self.connects: list[tuple[str, str]] = []
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

            def do_CONNECT(self) -> None:
                """Be a proxy before ourselves."""
                outer.connects.append((self.path, self.headers.get("Proxy-Authorization", "")))
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                assert tls is not None
                self.connection = tls.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb")
                self.close_connection = False

            def finish(self) -> None:
                super().finish()
                self.connection.close()  # that of a tunnel is not the one that the server knows

            do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815 - names that http.server asks for

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None and not is_proxy:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        scheme = "https" if tls is not None and not is_proxy else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """The variables by which a child process finds it, and the lake in its bucket."""
        return {
            "SXESLAKE_LAKE": "s3://bucket/lake", "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": SECRETS["key"], "AWS_SECRET_ACCESS_KEY": SECRETS["secret"],
        }  # fmt: skip

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request as the script says."""
        self.targets.append(request.path)
        address = urlsplit(request.path)  # a proxy is given the whole address
        request.path, asked = address.path, dict(parse_qsl(address.query))
        step = self.script.pop(0) if self.script else "ok"
        silent = self.silent_for if request.command == "PUT" else self.silent_reads_of
        step = next((then for text, then in silent.items() if text in request.path), step)
        self.seen.append(request.command)
        self.headers.append(request.headers)
        if step.startswith("early "):
            status, _, code = step.removeprefix("early ").partition(" ")
            request.close_connection = True
            self._refuse(request, int(status), code)
            time.sleep(0.5)  # closed at once, unread bytes would reset the connection, and the reply with it
            return
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if step == "ok" and asked.get("list-type") == "2":
            self._list(request, asked.get("prefix", ""))
            return
        self._perform(step, request, body)

    def _list(self, request: BaseHTTPRequestHandler, prefix: str) -> None:
        root = request.path.rstrip("/") + "/"
        found = [
            f"<Contents><Key>{path.removeprefix(root)}</Key><Size>{len(data)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for path, data in sorted(self.objects.items())
            if path.startswith(root + prefix)
        ]
        self._reply(request, 200, f"<ListBucketResult>{''.join(found)}</ListBucketResult>".encode())

    def _perform(self, step: str, request: BaseHTTPRequestHandler, body: bytes) -> None:
        if step == "hang up":
            request.close_connection = True
        elif step.startswith("silence"):
            self.silences.append(request.path)
            time.sleep(float(step.removeprefix("silence") or 1.0))
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
        elif step.startswith("page "):
            self._reply(request, int(step.removeprefix("page ")), b"<html><br>What a proxy says")
        elif step != "ok":
            status, _, code = step.partition(" ")
            self._refuse(request, int(status), code)
        else:
            self._do(request, body)

    def _do(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """What the request asks for."""
        if request.command == "PUT":
            if self._put(request, body):
                self._reply(request, 200, b"")
            else:
                self._refuse(request, 412, "PreconditionFailed")
        elif request.command == "DELETE":
            self.objects.pop(request.path, None)
            self._reply(request, 204, b"")
        elif request.path in self.objects:
            self._read(request, self.objects[request.path])
        else:
            self._refuse(request, 404, "NoSuchKey")

    def _read(self, request: BaseHTTPRequestHandler, content: bytes) -> None:
        first, _, last = request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(content) - int(last))
        part = content[start : int(last) + 1 if first and last else len(content)]
        if len(part) == len(content):
            self._reply(request, 200, content)
        elif not part:
            self._refuse(request, 416, "InvalidRange")
        else:
            where = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
            self._reply(request, 206, part, {"Content-Range": where})

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
        code, _, region = code.partition(" ")
        where = f"<Region>{region}</Region>" if region else ""
        self._reply(request, status, f"<Error><Code>{code}</Code><Message>{words}</Message>{where}</Error>".encode())

    def _reply(
        self, request: BaseHTTPRequestHandler, status: int, body: bytes, more: Mapping[str, str] = NOTHING_MORE
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in {**self.metadata.get(request.path, {}), **more}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
