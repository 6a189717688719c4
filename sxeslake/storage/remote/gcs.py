"""Google Cloud Storage, by its JSON API. Every object is one upload request; create-only is `ifGenerationMatch=0`.

google-auth finds the credentials, aiohttp makes the requests. gcsfs would not do: it tries a create again after a lost
reply, and then answers "exists" to its own success; it logs whole tracebacks; and it asks by gRPC about each bucket,
past a server of one's own.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import aiohttp
import google.auth
from google.auth import compute_engine
from google.auth import exceptions as auth
from google.auth.transport.requests import Request
from google.oauth2 import credentials as oauth2
from yarl import URL

from sxeslake.errors import UsageError
from sxeslake.version import __version__

from ..address import Address
from ..interface import ObjectInfo
from ..retry import DEFAULT_POLICY, RetryPolicy
from .client import (
    CONNECT_TIMEOUT_S,
    CONNECTIONS,
    NONCE,
    READ_TIMEOUT_S,
    Kind,
    ObjectFacts,
    Page,
    Reply,
    Verb,
    Verdict,
    scrubbed,
)
from .options import GivenOptions
from .store import RemoteStore

_LOG = logging.getLogger(__name__)

OPTIONS = ("anon", "endpoint_url", "key_file", "token", "user_project")
GOOGLE = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_SET = (
    "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service "
    "account; --storage-option anon=yes is for public buckets."
)
_KINDS: Final[Mapping[int, Kind]] = {
    304: "taken", 401: "no credentials", 403: "denied", 404: "missing", 408: "busy", 409: "undecided", 412: "taken",
    416: "short", 429: "busy",
}  # fmt: skip
_BUSY = frozenset(("rateLimitExceeded", "userRateLimitExceeded", "backendError"))


def open_gcs(address: Address, options: Mapping[str, str], policy: RetryPolicy = DEFAULT_POLICY) -> RemoteStore:
    """The store at `gs://bucket/prefix`; nothing is asked of the server yet."""
    settings = GcsSettings(address, options)
    return RemoteStore(address.public, settings.root, lambda _loop: GcsClient(settings), policy)


class GcsSettings:
    """Where the bucket is and how to sign in: options, else what `gcloud` and Google's machines provide."""

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        said = GivenOptions("Google Cloud Storage", address, options, OPTIONS)
        self.bucket, _, self.root = address.path.partition("/")
        emulator = os.environ.get("STORAGE_EMULATOR_HOST") or None
        if emulator and "://" not in emulator:
            emulator = f"http://{emulator}"
        self.endpoint = said.url("endpoint_url") or (emulator or GOOGLE).rstrip("/")
        self.token, self.key_file = said.get("token"), said.get("key_file")
        if self.token in ("anon", "cloud", "google_default"):  # in the words of gcsfs
            self.how: str | None = self.token
            self.token = None
        else:
            self.how = "anon" if said.flag("anon") else None
        if self.token and os.path.isfile(self.token):  # noqa: PTH113 - a token may be longer than a path can be
            self.key_file, self.token = self.token, None
        self.user_project = said.get("user_project")
        # A server of one's own knows no accounts of Google's.
        self.is_anonymous = self.how == "anon" or (
            self.how is None and self.endpoint != GOOGLE and not (self.token or self.key_file)
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return (self.token,) if self.token else ()

    def credentials(self) -> Any:
        """What signs the requests; None signs none. May ask the network, and takes a while."""
        if self.is_anonymous:
            return None
        if self.token:
            return oauth2.Credentials(self.token)
        if self.how == "cloud":
            return compute_engine.Credentials()
        if self.key_file:
            try:
                return google.auth.load_credentials_from_file(self.key_file, scopes=[_SCOPE])[0]
            except (auth.DefaultCredentialsError, ValueError, OSError):  # their words may quote the file
                raise UsageError("this file holds no credentials of Google's", where=self.key_file, hint=_SET) from None
        return google.auth.default(scopes=[_SCOPE])[0]


class _GcsAnswer(NamedTuple):
    """A server's reply, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class GcsReplyError(Exception):
    """A reply that is no success."""

    def __init__(self, answer: _GcsAnswer) -> None:
        """Reads Google's reason and message from the body, where they are."""
        self.status, self.headers = answer.status, answer.headers
        self.reason, self.message = "", answer.body[:500].decode(errors="replace").strip()
        try:
            said = json.loads(answer.body)["error"]
            self.message = str(said["message"])
            self.reason = str(said["errors"][0]["reason"])
        except (ValueError, KeyError, TypeError, IndexError):
            pass
        self.no_bucket = self.status == 404 and "bucket does not exist" in self.message
        super().__init__(f"{self.status} {self.reason}")


class _TruncatedError(Exception):
    """A reply's body ended before its announced length."""


class GcsClient:
    """Requests to one bucket."""

    bucket_word = "bucket"
    needs: Mapping[Verb, str] = {
        "read": "storage.objects.get and storage.objects.list (role Storage Object Viewer)",
        "list": "storage.objects.list (role Storage Object Viewer)",
        "write": "storage.objects.create (role Storage Object Creator)",
        "delete": "storage.objects.delete (role Storage Object User)",
    }
    reads_tails = True

    def __init__(self, settings: GcsSettings) -> None:
        self._settings = settings
        self.host = urlsplit(settings.endpoint).hostname or "Google Cloud Storage"
        bucket = quote(settings.bucket, safe="")
        self._objects = f"{settings.endpoint}/storage/v1/b/{bucket}/o"
        self._downloads = f"{settings.endpoint}/download/storage/v1/b/{bucket}/o"
        self._uploads = f"{settings.endpoint}/upload/storage/v1/b/{bucket}/o"
        self._session: aiohttp.ClientSession | None = None
        self._credentials: Any = None
        self._is_signed_in = False
        self._signing = asyncio.Lock()
        self._bucket_is_there = False
        logging.getLogger("google").addHandler(logging.NullHandler())  # what it warns of, our errors say
        _LOG.debug("new client for bucket %s at %s", settings.bucket, self.host)

    async def read(self, path: str, start: int | None, end: int | None) -> Reply:
        """One GET of the media."""
        return await self._media(path, None if start is None or end is None else f"{start}-{end - 1}")

    async def read_tail(self, path: str, size: int) -> Reply:
        """One GET with a range from the end."""
        return await self._media(path, f"-{size}")

    async def put(self, path: str, body: bytes, nonce: str | None) -> None:
        """One multipart upload: metadata and media in a single request; the server proves the body by its MD5."""
        described: dict[str, Any] = {
            "name": path,
            "md5Hash": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        }
        params = {"uploadType": "multipart"}
        if nonce is not None:
            described["metadata"] = {NONCE: nonce}
            params["ifGenerationMatch"] = "0"
        boundary = secrets.token_hex(24)  # by chance never in the body
        whole = b"".join((
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
            json.dumps(described).encode(),
            f"\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(),
            body,
            f"\r\n--{boundary}--\r\n".encode(),
        ))  # fmt: skip
        headers = {"Content-Type": f"multipart/related; boundary={boundary}"}
        await self._ask("POST", self._uploads, params, headers, io.BytesIO(whole))

    async def is_mine(self, path: str, nonce: str) -> bool:
        """By the nonce in the object's metadata."""
        return (await self.head(path)).nonce == nonce

    async def head(self, path: str) -> ObjectFacts:
        """The object's resource."""
        answer = await self._ask("GET", self._object(path), {"fields": "size,metadata"})
        said = json.loads(answer.body)
        return ObjectFacts(int(said["size"]), (said.get("metadata") or {}).get(NONCE))

    async def page(self, prefix: str, after: str, mark: object) -> Page:
        """Up to 1,000 objects."""
        params = {"prefix": prefix, "maxResults": "1000", "fields": "items(name,size,updated),nextPageToken"}
        params |= {"startOffset": after} if after else {}
        params |= {"pageToken": str(mark)} if mark else {}
        said = json.loads((await self._ask("GET", self._objects, params)).body)
        self._bucket_is_there = True
        objects = [
            ObjectInfo(item["name"], int(item["size"]), datetime.fromisoformat(item["updated"]).timestamp())
            for item in said.get("items", ())
        ]
        return Page(objects, said.get("nextPageToken") or None)

    async def delete(self, path: str) -> None:
        """DELETE the object; in a bucket with versions, its live version."""
        await self._ask("DELETE", self._object(path), {})

    async def now(self, path: str) -> float | None:
        """The Date of any reply."""
        try:
            return parsedate_to_datetime((await self._any_reply(path))["date"]).timestamp()
        except (KeyError, ValueError):
            return None

    async def sweep(self, root: str, older_than_s: float) -> int:  # noqa: ARG002 - an upload leaves nothing unless it succeeds
        """Nothing to remove: 0."""
        return 0

    async def settle(self, paths: Sequence[str]) -> None:
        """An acknowledged object lasts."""

    async def describe(self) -> str:
        """By the name that the server gives itself."""
        server = (await self._any_reply("lake.json")).get("server")
        named = f"Google Cloud Storage{f' ({server})' if server else ''}"
        return f"{named} at {self.host}, bucket {self._settings.bucket}; ifGenerationMatch=0 in one upload request"

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def judge(self, error: Exception) -> Verdict:  # noqa: PLR0911 - a table of kinds
        """By the status and Google's reason."""
        if isinstance(error, GcsReplyError):
            return self._judge_reply(error)
        if isinstance(error, auth.TransportError):
            return Verdict("unreachable", "the server of Google's accounts", "Check the network.")
        if isinstance(error, auth.GoogleAuthError):
            return Verdict("no credentials", f"found no credentials that Google takes ({type(error).__name__})", _SET)
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return Verdict("untrusted")
        if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
            return Verdict("unreachable")
        if isinstance(error, TimeoutError):
            return Verdict("stalled")
        if isinstance(error, aiohttp.ClientError | ConnectionError | _TruncatedError):
            return Verdict("cut off")
        return Verdict("refused", scrubbed(f"{type(error).__name__}: {error}", self._settings.secrets))

    def _judge_reply(self, error: GcsReplyError) -> Verdict:
        said = scrubbed(": ".join(filter(None, (error.reason, error.message))), self._settings.secrets)
        if error.no_bucket:
            return Verdict("no bucket", said)
        if error.reason in _BUSY:
            return Verdict("busy", said)
        kind = _KINDS.get(error.status)
        if kind == "no credentials":
            return Verdict(kind, f"the server does not take these credentials ({said})", _SET)
        if kind is None:
            kind = "busy" if error.status >= 500 and error.status != 501 else "refused"
        return Verdict(kind, said or str(error.status))

    def _object(self, path: str) -> str:
        return f"{self._objects}/{quote(path, safe='')}"

    async def _media(self, path: str, byte_range: str | None) -> Reply:
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={byte_range}"} if byte_range else {})
        answer = await self._ask("GET", f"{self._downloads}/{quote(path, safe='')}", {"alt": "media"}, headers)
        _, _, whole = answer.headers.get("Content-Range", "").rpartition("/")
        return Reply(answer.body, int(whole) if whole.isdigit() else len(answer.body))

    async def _any_reply(self, path: str) -> Mapping[str, str]:
        try:
            headers = (await self._ask("GET", self._object(path), {"fields": "size"})).headers
        except GcsReplyError as error:
            if error.status != 404 or error.no_bucket:
                raise
            headers = error.headers
        return {name.lower(): value for name, value in headers.items()}

    async def _ask(
        self,
        method: str,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        body: io.BytesIO | None = None,
    ) -> _GcsAnswer:
        """The reply; GcsReplyError where it is no success."""
        signed = await self._signed(headers or {})
        if self._settings.user_project:
            params = {**params, "userProject": self._settings.user_project}
        session = self._open_session()
        # Percent signs of a quoted name must stay as they are.
        target = URL(url, encoded=True).update_query(params)
        async with session.request(method, target, headers=signed, data=body) as reply:
            content = await reply.read()
            answer = _GcsAnswer(reply.status, reply.headers, content)
            announced = reply.headers.get("Content-Length")
        if 200 <= answer.status < 300:
            if announced is not None and method == "GET" and int(announced) != len(content):
                raise _TruncatedError
            return answer
        error = GcsReplyError(answer)
        if error.status == 404:
            error.no_bucket = error.no_bucket or method == "POST" or await self._misses_bucket(url)
        raise error

    async def _misses_bucket(self, url: str) -> bool:
        """After a 404: whether it is the bucket that is not there. Servers say so in different words, or in none."""
        if url == self._objects:
            return True
        if self._bucket_is_there:
            return False
        try:
            await self.page("", "", None)
        except GcsReplyError as error:
            return error.no_bucket
        return False

    async def _signed(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers, with the token in them, renewed where it runs out."""
        async with self._signing:
            if not self._is_signed_in:
                self._credentials = await asyncio.to_thread(self._settings.credentials)
                self._is_signed_in = True
            signed = {"User-Agent": f"sxeslake/{__version__}", **headers}
            found = self._credentials
            if found is None:
                return signed
            if not found.valid and not self._settings.token:
                await asyncio.to_thread(found.refresh, Request())
            found.apply(signed)
            return signed

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S)
            connector = aiohttp.TCPConnector(limit=CONNECTIONS)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=True)
        return self._session
