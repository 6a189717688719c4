"""Google's XML API in front of fake-gcs-server, which takes no uploads by it, and lists past `start-after`.

object_store, by which deltalake reaches Google, uploads with `PUT /bucket/name` and `x-goog-if-generation-match: 0`.
fake-gcs-server answers that with 400; by its JSON API it keeps the same condition. The front is a process of its own:
`DeltaTable.is_deltatable` keeps Python's lock while it waits for the server.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit
from xml.sax.saxutils import unescape

_OWN_HEADERS = frozenset(("connection", "content-length", "host", "transfer-encoding"))
_BOUNDARY = "c2d0e1a4f7b84b6d9b35e0f1a6d27c58"
_PART, _END = f"\r\n--{_BOUNDARY}\r\nContent-Type: %s\r\n\r\n".encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()
_KEY = re.compile(rb"<Contents><Key>(.*?)</Key>.*?</Contents>")
_CONDITION = "x-goog-if-generation-match"


@contextlib.contextmanager
def xml_uploads(behind: str, *, honest: bool = True) -> Iterator[str]:
    """The address of the front of the server at `behind`; a dishonest one takes the condition and ignores it."""
    line = [sys.executable, __file__, behind, "honest" if honest else "careless"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # 40 ms a reply otherwise: headers and body are two writes
    behind = ""
    honest = True

    def _pass(self) -> None:
        """Ask the server behind the same, an upload by its JSON API."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        condition = headers.pop(_CONDITION, None)
        method, path = self.command, self.path
        is_upload = method == "PUT" and not path.startswith(("/storage/", "/upload/"))
        if is_upload:
            bucket, _, name = path[1:].partition("/")
            params = {"uploadType": "multipart"}  # of its uploads, the one where fake-gcs-server keeps the condition
            if condition is not None and self.honest:
                params["ifGenerationMatch"] = condition
            method, path = "POST", f"/upload/storage/v1/b/{bucket}/o?{urlencode(params)}"
            headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            headers["Content-Type"] = f"multipart/related; boundary={_BOUNDARY}"
            described = json.dumps({"name": unquote(name)}).encode()
            body = b"".join((
                _PART % b"application/json", described, _PART % b"application/octet-stream", body, _END,
            ))  # fmt: skip
        link = http.client.HTTPConnection(self.behind, timeout=30)
        link.request(method, path, body, headers | {"Host": self.behind})
        with contextlib.closing(link), link.getresponse() as reply:
            content, answered = reply.read(), reply.getheaders()
            length = reply.headers.get("content-length") if method == "HEAD" else None
            if is_upload and reply.status == 200:
                said = json.loads(content)
                content, answered = b"", [("ETag", said["etag"]), ("x-goog-generation", said["generation"])]
            elif after := parse_qs(urlsplit(path).query).get("start-after"):
                content = _KEY.sub(lambda found: found[0] if unescape(found[1].decode()) > after[0] else b"", content)
            self.send_response(reply.status)
            for name, value in answered:
                if name.lower() not in _OWN_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _pass  # noqa: N815 - the names are http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: object_store hangs up when it has what it wants."""


def _serve(behind: str, honest: str) -> None:
    _Front.behind, _Front.honest = urlsplit(behind).netloc, honest == "honest"
    with _Server(("127.0.0.1", 0), _Front) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
