"""One S3 request: addressed, signed, sent, and sent again where the bucket is in another region than it was said."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from xml.etree import ElementTree

from ..version import __version__
from .s3_account import DEFAULT_REGION, Account, account_of, place_of
from .s3_errors import RefusalError
from .s3_options import CONNECT_TIMEOUT_S, S3Settings
from .s3_signature import NO_BODY, UNSIGNED, Credentials, quoted_path, quoted_query, sha256_of, signed
from .s3_wire import Buffer, Patience, Reply, Wire

_REGION = re.compile(r"[a-z0-9-]{2,40}")
_MOVED = frozenset((HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT, 308))


class S3Client:
    """A bucket. Nothing is looked up, loaded or asked before the first request."""

    def __init__(self, bucket: str, settings: S3Settings, read_timeout_s: float) -> None:
        self._bucket, self._settings = bucket, settings
        self._patience = Patience(CONNECT_TIMEOUT_S, read_timeout_s)
        self._lock = threading.Lock()
        self._account: Account | None = None
        self._wire: Wire | None = None
        self._region: str | None = None
        self._words: tuple[str, ...] = settings.secrets

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: what the user gave, and what was found."""
        return self._words

    @property
    def host(self) -> str:
        """The server's name, for people."""
        account = self._account
        return place_of(account, self._bucket, self._region).origin.host if account else "the S3 endpoint"

    def exchange(
        self,
        method: str,
        key: str = "",
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: Sequence[Buffer] = (),
    ) -> Reply:
        """The server's reply; `RefusalError` unless it is a success. Header names are in lower case."""
        account, wire = self._ready()
        reply = self._send(account, wire, method, key, query, headers or {}, body)
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES and self._follow(account, reply):
            reply = self._send(account, wire, method, key, query, headers or {}, body)
        if reply.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(reply)
        return reply

    def interrupt(self) -> None:
        """End what other threads have under way."""
        if self._wire is not None:
            self._wire.interrupt()

    def close(self) -> None:
        """Let go of connections."""
        if self._wire is not None:
            self._wire.close()

    def begin_anew(self) -> None:
        """In the child of a fork: a lock of the parent's may be held for ever."""
        self._lock = threading.Lock()
        if self._wire is not None:
            self._wire.begin_anew()

    def _ready(self) -> tuple[Account, Wire]:
        with self._lock:
            if self._account is None or self._wire is None:
                account = account_of(self._settings)
                self._wire = Wire(self._patience, account.verify)
                self._region = account.region
                self._account = account
            return self._account, self._wire

    def _send(
        self,
        account: Account,
        wire: Wire,
        method: str,
        key: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: Sequence[Buffer],
    ) -> Reply:
        place = place_of(account, self._bucket, self._region)
        path, asked = quoted_path(f"{place.path}/{key}" if key or not place.path else place.path), quoted_query(query)
        full = {"host": place.origin.authority, **headers}
        credentials = account.credentials()
        if credentials is not None:
            self._remember(credentials)
            payload = _payload(place.origin.scheme, body)
            region = self._region or DEFAULT_REGION
            full = signed(method, path, asked, full, payload, credentials, region, time.time())
        if method == "PUT":
            full["content-length"] = str(sum(memoryview(part).nbytes for part in body))
        full["accept-encoding"] = "identity"  # what is stored, not what a proxy makes of it
        full["user-agent"] = f"sxeslake/{__version__}"
        return wire.exchange(place.origin, method, f"{path}?{asked}" if asked else path, full, body)

    def _remember(self, credentials: Credentials) -> None:
        if credentials.secret not in self._words or (credentials.token or credentials.secret) not in self._words:
            self._words = tuple(dict.fromkeys((*self._words, *credentials.words)))

    def _follow(self, account: Account, reply: Reply) -> bool:
        """Whether the reply says that the bucket is in another region, which is then used from now on."""
        if reply.status not in (*_MOVED, HTTPStatus.BAD_REQUEST):
            return False
        region = reply.headers.get("x-amz-bucket-region") or _error_of(reply.body).get("Region", "")
        if not _REGION.fullmatch(region) or region == (self._region or DEFAULT_REGION):
            return False
        if account.endpoint_url is not None and reply.status in _MOVED:
            return False  # the user said where to ask
        self._region = region
        return True


def tree_of(reply: Reply) -> ElementTree.Element:
    """The document of a reply, its names without their namespace."""
    try:
        tree = ElementTree.fromstring(reply.body)
    except ElementTree.ParseError:
        raise RefusalError(reply.status, "MalformedReply", "the reply is no XML") from None
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    return tree


def _refusal(reply: Reply) -> RefusalError:
    said = _error_of(reply.body)
    return RefusalError(reply.status, said.get("Code") or str(reply.status), said.get("Message", ""))


def _error_of(body: bytes) -> dict[str, str]:
    """`{"Code": "NoSuchKey", "Message": …}`; empty where the body is something else."""
    try:
        tree = ElementTree.fromstring(body) if body else None
    except ElementTree.ParseError:
        tree = None
    return {} if tree is None else {item.tag.rpartition("}")[2]: (item.text or "").strip() for item in tree}


def _payload(scheme: str, body: Sequence[Buffer]) -> str:
    """What the signature says of the body. Over TLS nobody can change it, and Content-MD5 finds accidents."""
    if not body:
        return NO_BODY
    return UNSIGNED if scheme == "https" else sha256_of(body)
