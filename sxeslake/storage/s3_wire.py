"""HTTP/1.1 for many threads: connections that are kept, proxies, certificates, patience. It knows nothing of S3."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import select
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

Buffer = bytes | bytearray | memoryview

_IDLE = 32
"""Connections kept for later; there may be more while as many threads ask."""
_IDLE_S = 15.0
"""Servers and address translators forget idle connections, some without a word."""
_SENT_AT_ONCE = 256 * 1024
"""The time limit holds for each part: the slowest upload that is let go on has 13 KiB/s."""


class UnreachedError(Exception):
    """No connection: no address, refused, or no answer while connecting."""


class UntrustedError(Exception):
    """The server's certificate does not prove who it is."""


class CutOffError(Exception):
    """The connection ended before a whole reply, or what came was no HTTP."""


class TruncatedBodyError(Exception):
    """A reply's body ended before its announced length."""

    def __init__(self, received: int) -> None:
        super().__init__(f"ended after {received} bytes")
        self.received = received


class Origin(NamedTuple):
    """A server: scheme, host, port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As in the Host header: `localhost:8333`, `s3.amazonaws.com`, `[::1]:8333`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _port(self.scheme) else f"{host}:{self.port}"


class Reply(NamedTuple):
    """What the server said."""

    status: int
    headers: http.client.HTTPMessage
    """Names are found in any case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for a connection, and for the next bytes."""

    connect_s: float
    read_s: float


class Wire:
    """Requests over kept connections, from any thread."""

    def __init__(self, patience: Patience, verify: bool | str | None = None) -> None:
        """`verify`: a file of trusted authorities; False trusts anybody."""
        self._patience, self._verify = patience, verify
        self._tls: ssl.SSLContext | None = None
        self._is_closed = False
        self._begin()

    def exchange(
        self, origin: Origin, method: str, target: str, headers: Mapping[str, str], body: Sequence[Buffer] = ()
    ) -> Reply:
        """One request and its reply. `target` is a path with its query, quoted; the body may be sent twice."""
        while True:
            connection, is_kept = self._take(origin)
            try:
                reply = self._talk(connection, origin, method, target, headers, body)
            except CutOffError:
                if self._drop(connection) or not is_kept:
                    raise
                self._forget(origin)  # it hung up while nobody asked, on the others too
            except BaseException:
                self._drop(connection)
                raise
            else:
                self._give_back(origin, connection)
                return reply

    def interrupt(self) -> None:
        """End what is under way in all threads, each with a `CutOffError`."""
        with self._lock:
            self._interrupted |= self._busy
            busy = list(self._busy)
        for connection in busy:
            with contextlib.suppress(OSError, TypeError):  # closed meanwhile
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of idle connections, and keep none of those that are still busy."""
        with self._lock:
            self._is_closed = True
        for origin in list(self._idle):
            self._forget(origin)

    # --- connections ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[tuple[float, http.client.HTTPConnection]]] = {}
        self._busy: set[http.client.HTTPConnection] = set()
        self._interrupted: set[http.client.HTTPConnection] = set()

    def begin_anew(self) -> None:
        """In the child of a fork: the connections are the parent's, and its locks may be held for ever."""
        idle = self._idle
        self._begin()
        for connections in idle.values():
            for _, connection in connections:
                connection.close()

    def _take(self, origin: Origin) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it has served before: the one used last, for it is the likeliest to live."""
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                if not idle:
                    break
                since, connection = idle.pop()
            if time.monotonic() - since < _IDLE_S and not _has_news(connection):
                with self._lock:
                    self._busy.add(connection)
                return connection, True
            connection.close()
        connection = self._connected(origin)
        with self._lock:
            self._busy.add(connection)
        return connection, False

    def _give_back(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
            self._interrupted.discard(connection)
            idle = self._idle.setdefault(origin, [])
            if connection.sock is not None and len(idle) < _IDLE and not self._is_closed:
                idle.append((time.monotonic(), connection))
                return
        connection.close()

    def _drop(self, connection: http.client.HTTPConnection) -> bool:
        """Close a connection; says whether `interrupt` ended it."""
        with self._lock:
            self._busy.discard(connection)
            is_interrupted = connection in self._interrupted
            self._interrupted.discard(connection)
        connection.close()
        return is_interrupted

    def _forget(self, origin: Origin) -> None:
        with self._lock:
            idle = self._idle.pop(origin, [])
        for _, connection in idle:
            connection.close()

    def _connected(self, origin: Origin) -> http.client.HTTPConnection:
        connection = self._unconnected(origin)
        try:
            connection.connect()
            connection.sock.settimeout(self._patience.read_s)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise UntrustedError(str(error.verify_message)) from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise UnreachedError(type(error).__name__) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _unconnected(self, origin: Origin) -> http.client.HTTPConnection:
        timeout, proxy = self._patience.connect_s, proxy_for(origin)
        via = proxy.origin if proxy else origin
        if origin.scheme == "http" and via.scheme == "http":
            return http.client.HTTPConnection(via.host, via.port, timeout=timeout)
        secured = http.client.HTTPSConnection(via.host, via.port, timeout=timeout, context=self._context())
        if proxy and origin.scheme == "https":
            secured.set_tunnel(origin.host, origin.port, dict(proxy.headers))
        return secured

    def _context(self) -> ssl.SSLContext:
        """Made once: reading the authorities takes some 20 ms."""
        with self._lock:
            if self._tls is None:
                self._tls = _tls(self._verify)
            return self._tls

    # --- one exchange --------------------------------------------------------------------------------------------

    def _talk(
        self,
        connection: http.client.HTTPConnection,
        origin: Origin,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Sequence[Buffer],
    ) -> Reply:
        proxy = proxy_for(origin) if origin.scheme == "http" else None
        try:
            connection.putrequest(
                method,
                f"http://{origin.authority}{target}" if proxy else target,
                skip_host=True,
                skip_accept_encoding=True,
            )
            for name, value in (*headers.items(), *(proxy.headers.items() if proxy else ())):
                connection.putheader(name, value)
            refused_early = _send(connection, body)
            return _received(connection, only_refusal=refused_early)
        except TimeoutError:
            raise
        except http.client.IncompleteRead as error:
            raise TruncatedBodyError(len(error.partial)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: closed in the midst of reading
            raise CutOffError(type(error).__name__) from None


def _send(connection: http.client.HTTPConnection, body: Sequence[Buffer]) -> bool:
    """Send head and body; True where the server stopped listening, which it may do to say no at once."""
    connection.endheaders()
    try:
        for part in _batched(body):
            connection.send(part)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def _received(connection: http.client.HTTPConnection, *, only_refusal: bool) -> Reply:
    response = connection.getresponse()
    with response:
        reply = Reply(response.status, response.headers, response.read())
    if only_refusal:
        connection.close()
        if reply.status < HTTPStatus.BAD_REQUEST:
            raise CutOffError("the request was not taken")
    return reply


def _batched(body: Sequence[Buffer]) -> Iterator[Buffer]:
    """The same bytes in parts that are neither tiny nor huge."""
    waiting: list[Buffer] = []
    size = 0
    for part in body:
        view = memoryview(part).cast("B")
        if len(view) < _SENT_AT_ONCE:
            waiting.append(view)
            size += len(view)
            if size < _SENT_AT_ONCE:
                continue
            view = memoryview(b"")
        if size:
            yield b"".join(waiting)
            waiting, size = [], 0
        for start in range(0, len(view), _SENT_AT_ONCE):
            yield view[start : start + _SENT_AT_ONCE]
    if size:
        yield b"".join(waiting)


def _has_news(connection: http.client.HTTPConnection) -> bool:
    """An idle connection that has something to read was closed by the server, or is out of step."""
    try:
        if sys.platform == "win32":
            return bool(select.select([connection.sock], [], [], 0)[0])
        poll = select.poll()
        poll.register(connection.sock, select.POLLIN)
        return bool(poll.poll(0))
    except (OSError, ValueError, TypeError):
        return True


# --- proxies and certificates ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proxy:
    """Who passes requests on, and what it wants to hear."""

    origin: Origin
    headers: Mapping[str, str]


def proxy_for(origin: Origin) -> Proxy | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, NO_PROXY or the system's settings name for a server."""
    has_settings = sys.platform in ("win32", "darwin")
    if not has_settings and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - loads much, and proxies are rare

    url = getproxies().get(origin.scheme)
    if not url or proxy_bypass(origin.authority):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    headers = {}
    if parts.username is not None:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(words.encode()).decode()}"
    return Proxy(origin_of(url if "://" in url else f"http://{url}"), headers)


def origin_of(url: str) -> Origin:
    """`https://host/path` → https, host, 443."""
    parts = urlsplit(url)
    return Origin(parts.scheme, parts.hostname or "", parts.port or _port(parts.scheme))


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _tls(verify: bool | str | None) -> ssl.SSLContext:
    if isinstance(verify, str):
        is_folder = Path(verify).is_dir()
        try:
            return ssl.create_default_context(
                cafile=None if is_folder else verify, capath=verify if is_folder else None
            )
        except (OSError, ssl.SSLError):
            raise UntrustedError(f"{verify} holds no certificates of authorities") from None
    context = ssl.create_default_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif not context.cert_store_stats()["x509_ca"] and ssl.get_default_verify_paths().capath is None:
        context.load_verify_locations(_bundled_authorities())  # a Python that found none on this system
    return context


def _bundled_authorities() -> str:
    import botocore  # noqa: PLC0415 - light by itself, and needed on few systems

    return str(Path(botocore.__file__).with_name("cacert.pem"))
