"""Azure Blob Storage, by Microsoft's client. Every object is one Put Blob; create-only is `If-None-Match: *`.

The client's own retries are off: after a lost reply they would answer "exists" to their own success. So is the division
of large blobs into blocks. adlfs, which wraps the same client, leaves both on, and ends its connections by a loop that
all file systems share; options and variables have the names that it gave them.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from azure.core import exceptions as azure
from azure.storage.blob.aio import ContainerClient

from sxeslake.errors import UsageError
from sxeslake.version import __version__

from ..address import Address
from ..interface import ObjectInfo
from ..retry import DEFAULT_POLICY, RetryPolicy
from .client import (
    CONNECT_TIMEOUT_S,
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

OPTIONS = (
    "account_host", "account_key", "account_name", "anon", "client_id", "client_secret", "connection_string",
    "endpoint_url", "sas_token", "tenant_id",
)  # fmt: skip
_ACCOUNT_HOST = re.compile(r"(?P<container>[^@/]+)@(?P<host>(?P<account>[^./@]+)\.(?:dfs|blob)\.[^/]+)")
_LARGEST_PUT = 5000 * 1024 * 1024  # bytes of one Put Blob; more would be blocks
for _name in ("azure", "msal"):  # what they warn of, our errors say; whoever collects their logs still gets them
    logging.getLogger(_name).addHandler(logging.NullHandler())

SIGN_IN = (
    "Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or "
    "AZURE_STORAGE_SAS_TOKEN, or sign in with `az login`."
)
_KINDS: Final[Mapping[str, Kind]] = {
    "BlobAlreadyExists": "taken",
    "ConditionNotMet": "taken",
    "TargetConditionNotMet": "taken",
    "UnauthorizedBlobOverwrite": "taken",  # of a token that may only create
    "BlobNotFound": "missing",
    "ContainerNotFound": "no bucket",
    "ContainerBeingDeleted": "no bucket",
    "ContainerDisabled": "no bucket",
    "InvalidRange": "short",
    "AuthenticationFailed": "no credentials",
    "InvalidAuthenticationInfo": "no credentials",
    "NoAuthenticationInformation": "no credentials",
    "PublicAccessNotPermitted": "no credentials",
    "BlobImmutableDueToPolicy": "denied",
}


def open_azure(address: Address, options: Mapping[str, str], policy: RetryPolicy = DEFAULT_POLICY) -> RemoteStore:
    """The store at `abfs://container/prefix`; nothing is asked of the server yet."""
    settings = AzureSettings(address, options)
    return RemoteStore(address.public, settings.root, lambda _loop: AzureClient(settings), policy)


class AzureSettings:
    """Where the container is and how to sign in: options, else the variables `AZURE_STORAGE_*`, else `az login`."""

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        said = GivenOptions("Azure", address, options, OPTIONS)
        first, _, self.root = address.path.partition("/")
        named = _ACCOUNT_HOST.fullmatch(first)
        self.container = named["container"] if named else first
        account = named["account"] if named else said.get("account_name", "AZURE_STORAGE_ACCOUNT_NAME")
        self.connection_string = None if named else said.get("connection_string", "AZURE_STORAGE_CONNECTION_STRING")
        self.key = said.get("account_key", "AZURE_STORAGE_ACCOUNT_KEY")
        self.token = said.get("sas_token", "AZURE_STORAGE_SAS_TOKEN")
        self.principal = tuple(
            said.get(name, f"AZURE_STORAGE_{name.upper()}") for name in ("tenant_id", "client_id", "client_secret")
        )
        self.is_anonymous = said.flag("anon", "AZURE_STORAGE_ANON")
        self.account = account
        host = said.get("account_host") or (named["host"].replace(".dfs.", ".blob.") if named else None)
        endpoint = said.url("endpoint_url")
        if endpoint is None and (host or account):
            endpoint = f"https://{host or f'{account}.blob.core.windows.net'}"
        if endpoint is None and self.connection_string is None:
            raise UsageError("the address names no storage account", where=address.public, hint=SIGN_IN)
        self.endpoint = endpoint

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        parts = (self.connection_string or "").split(";")
        found = [part.partition("=")[2] for part in parts if part.lower().startswith(("accountkey", "sharedaccess"))]
        words = (self.connection_string, self.key, self.token, self.principal[2], *found)
        return tuple(word for word in words if word)

    def container_client(self) -> tuple[ContainerClient, Any]:
        """The client, and the credential that must be closed with it, where there is one."""
        words: dict[str, Any] = {
            **dict.fromkeys(("retry_total", "retry_connect", "retry_read", "retry_status"), 0),
            "connection_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "max_single_put_size": _LARGEST_PUT,
            "max_single_get_size": _LARGEST_PUT,  # one Get Blob, of any size
            "user_agent": f"sxeslake/{__version__}",
        }
        if self.connection_string and not (self.key or self.token):
            try:
                whole = ContainerClient.from_connection_string(self.connection_string, self.container, **words)
            except ValueError:  # its words may quote the key
                raise UsageError("the connection string cannot be read", hint=SIGN_IN) from None
            return whole, None
        credential, to_close = self._credential()
        try:
            client = ContainerClient(self.endpoint or "", self.container, credential, **words)
        except ValueError:  # as above
            raise UsageError("the account's address or key has no valid form", hint=SIGN_IN) from None
        return client, to_close

    def _credential(self) -> tuple[Any, Any]:
        if self.key:
            return ({"account_name": self.account, "account_key": self.key} if self.account else self.key), None
        if self.token:
            return self.token.removeprefix("?"), None
        if self.is_anonymous:
            return None, None
        # It takes a while to load, and needs the network.
        from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415

        tenant, client, secret = self.principal
        found: Any = (
            ClientSecretCredential(tenant, client, secret)
            if tenant and client and secret
            else DefaultAzureCredential(exclude_interactive_browser_credential=True)
        )
        return found, found


class _TakenError(Exception):
    """There is a blob of that name, and this token may not overwrite it."""


class AzureClient:
    """Requests to one container."""

    bucket_word = "container"
    needs: Mapping[Verb, str] = {
        "read": "the permission to read blobs (role Storage Blob Data Reader)",
        "list": "the permission to list blobs (role Storage Blob Data Reader)",
        "write": "the permission to write blobs (role Storage Blob Data Contributor)",
        "delete": "the permission to delete blobs (role Storage Blob Data Contributor)",
    }
    reads_tails = False  # the service knows no ranges from the end

    def __init__(self, settings: AzureSettings) -> None:
        self._settings = settings
        self._client, self._credential = settings.container_client()
        self.host = urlsplit(self._client.url).hostname or "Azure"
        self._secrets = settings.secrets
        _LOG.debug("new Azure client for container %s at %s", settings.container, self.host)

    async def read(self, path: str, start: int | None, end: int | None) -> Reply:
        """One Get Blob."""
        length = None if start is None or end is None else end - start
        stream = await self._client.get_blob_client(path).download_blob(offset=start, length=length)
        body: bytes = await stream.readall()
        return Reply(body, stream.properties.size)

    async def read_tail(self, path: str, size: int) -> Reply:
        """As far as the service has it: by the size."""
        head = await self.head(path)
        return await self.read(path, max(0, head.size - size), head.size)

    async def put(self, path: str, body: bytes, nonce: str | None) -> None:
        """One Put Blob; the service proves the body by its MD5."""
        try:
            await self._client.get_blob_client(path).upload_blob(
                body, length=len(body), overwrite=nonce is None, validate_content=True, max_concurrency=1,
                metadata=None if nonce is None else {NONCE: nonce}, raw_request_hook=_in_pieces,
            )  # fmt: skip
        except azure.HttpResponseError as error:
            # Whoever may only create is told of a missing permission where the blob exists.
            if nonce is None or error.status_code != 403 or not await self._client.get_blob_client(path).exists():
                raise
            raise _TakenError from None

    async def is_mine(self, path: str, nonce: str) -> bool:
        """By the nonce in the blob's metadata."""
        return (await self.head(path)).nonce == nonce

    async def head(self, path: str) -> ObjectFacts:
        """Get Blob Properties."""
        found = await self._client.get_blob_client(path).get_blob_properties()
        return ObjectFacts(int(found.size), (found.metadata or {}).get(NONCE))

    async def page(self, prefix: str, after: str, mark: object) -> Page:
        """List Blobs, up to 5,000."""
        pages = self._client.list_blobs(name_starts_with=prefix or None).by_page(continuation_token=mark)
        async for page in pages:
            objects = [
                ObjectInfo(blob.name, int(blob.size), blob.last_modified.timestamp())
                async for blob in page
                if blob.name > after
            ]
            return Page(objects, pages.continuation_token or None)
        return Page((), None)

    async def delete(self, path: str) -> None:
        """Delete Blob, with its snapshots."""
        await self._client.get_blob_client(path).delete_blob(delete_snapshots="include")

    async def now(self, path: str) -> float | None:
        """The Date of any reply."""
        return _time_of((await self._any_reply(path)).get("date"))

    async def sweep(self, root: str, older_than_s: float) -> int:  # noqa: ARG002 - a Put Blob leaves nothing unless it succeeds
        """Nothing to remove: 0."""
        return 0

    async def settle(self, paths: Sequence[str]) -> None:
        """An acknowledged blob lasts."""

    async def keeps_versions(self) -> bool:
        """Not known: it is a setting of the account, which a container's client cannot read."""
        return False

    async def describe(self) -> str:
        """By the name that the server gives itself."""
        server = (await self._any_reply("lake.json")).get("server", "Azure Blob Storage")
        return f"{server} at {self.host}, container {self._settings.container}; If-None-Match: * in one Put Blob"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        if self._credential is not None:
            await self._credential.close()

    def judge(self, error: Exception) -> Verdict:  # noqa: PLR0911 - a table of kinds
        """By the service's code, else by the status."""
        if isinstance(error, azure.HttpResponseError) and error.status_code:
            return self._judge_reply(error)
        if isinstance(error, _TakenError):
            return Verdict("taken")
        if isinstance(error, azure.ClientAuthenticationError):
            return Verdict("no credentials", "found no credentials that Azure takes", SIGN_IN)
        if _is_untrusted(error):
            return Verdict("untrusted")
        if isinstance(error, azure.ServiceResponseTimeoutError | TimeoutError | asyncio.TimeoutError):
            return Verdict("stalled")
        if isinstance(error, azure.ServiceRequestError):
            return Verdict("unreachable")
        if isinstance(error, azure.ServiceResponseError | azure.IncompleteReadError | aiohttp.ClientError):
            return Verdict("cut off")
        if isinstance(error, azure.HttpResponseError | ConnectionError):  # without a status: the body broke off
            return Verdict("cut off")
        return Verdict("refused", f"{type(error).__name__}: {scrubbed(str(error), self._secrets)}")

    def _judge_reply(self, error: azure.HttpResponseError) -> Verdict:
        status = int(error.status_code or 0)
        code = getattr(error, "error_code", None)  # an enumeration's member where the client knows it
        code = str(getattr(code, "value", code) or "")
        said = code or scrubbed(str(error.reason or status), self._secrets)
        kind = _KINDS.get(code)
        if kind == "no credentials":
            return Verdict(kind, f"the server does not take these credentials ({said})", SIGN_IN)
        if kind is not None:
            return Verdict(kind, said)
        by_status: Mapping[int, Kind] = {
            401: "no credentials", 403: "denied", 404: "missing", 409: "undecided", 416: "short", 429: "busy",
        }  # fmt: skip
        if status in by_status:
            return Verdict(by_status[status], said, SIGN_IN if status == 401 else None)
        return Verdict("busy" if status >= 500 and status != 501 else "refused", said)

    async def _any_reply(self, path: str) -> Mapping[str, str]:
        """The headers of the reply to a question about a blob, whether or not it is there."""
        seen: dict[str, str] = {}

        def note(reply: Any) -> None:
            seen.update({name.lower(): value for name, value in reply.http_response.headers.items()})

        with contextlib.suppress(azure.ResourceNotFoundError):
            await self._client.get_blob_client(path).get_blob_properties(raw_response_hook=note)
        return seen


def _in_pieces(request: Any) -> None:
    """Sent as one run of bytes, a large body would hold up the requests of the other threads."""
    request.http_request.data = io.BytesIO(request.http_request.data)


def _time_of(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _is_untrusted(error: BaseException) -> bool:
    """The server's certificate does not hold."""
    inner = getattr(error, "inner_exception", None) or error.__cause__
    return isinstance(inner, aiohttp.ClientConnectorCertificateError)
