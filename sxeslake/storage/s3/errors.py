"""What S3 servers and their client answer when something is wrong: whether to try again, and how to say it."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from http import HTTPStatus

import aiohttp
from botocore import exceptions as boto

from sxeslake.errors import (
    AccessDeniedError,
    DamagedLakeError,
    LakeNotFoundError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    SxeslakeError,
    UnreachableError,
)

from ..retry import Trouble

_TAKEN = frozenset(("PreconditionFailed", "412"))
_MISSING = frozenset(("NoSuchKey", "NotFound", "404"))
# AWS says 409 while another write of the key is under way; it says nothing about who wins, so ask again.
_UNDECIDED = frozenset(("ConditionalRequestConflict", "OperationAborted", "409"))
_BUSY = frozenset(("SlowDown", "Throttling", "RequestLimitExceeded", "RequestTimeout", "InternalError", "BadDigest"))
_BAD_RANGE = frozenset(("InvalidRange", "416"))
_CREDENTIALS = {
    "InvalidAccessKeyId": "the server does not know this access key",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "ExpiredToken": "the session token has expired",
    "InvalidToken": "the session token is not valid",
    "TokenRefreshRequired": "the session token has expired",
    "RequestTimeTooSkewed": "this machine's clock is more than 15 minutes off, so the server refuses its signatures",
}
_REGION = frozenset(("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"))
_UNREACHED = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError)
_CUT_OFF = (
    boto.ConnectionClosedError,
    boto.IncompleteReadError,
    boto.ResponseStreamingError,
    aiohttp.ClientError,
    ConnectionError,
)
_SET_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_SET_CLOCK = "Set it, and keep it right by NTP."
_SET_VERIFY = "Name its authority's file with --storage-option verify=FILE."
_SET_ENDPOINT = "Check the network and the endpoint (AWS_ENDPOINT_URL or --storage-option endpoint_url=URL)."


class TruncatedBodyError(Exception):
    """A reply's body ended before its announced length."""


def code_of(error: BaseException) -> str:
    """S3's code, `NoSuchKey`, or of a reply without a body the HTTP status, `404`; empty where nobody refused."""
    if not isinstance(error, boto.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code") or _status_of(error))


def is_taken(error: BaseException) -> bool:
    """The create-only condition failed: the key is taken."""
    return code_of(error) in _TAKEN or _status_of(error) == HTTPStatus.PRECONDITION_FAILED


def is_missing(error: BaseException) -> bool:
    """There is no such object (the bucket exists, as far as the reply says)."""
    return code_of(error) in _MISSING


def is_bad_range(error: BaseException) -> bool:
    """The range starts behind the object's end."""
    return code_of(error) in _BAD_RANGE


def classify(error: Exception) -> Trouble:
    """Whether another attempt may help."""
    if isinstance(error, boto.ClientError):
        code, status = code_of(error), _status_of(error)
        retry = code in _BUSY or code in _UNDECIDED or status in (408, 429) or (status >= 500 and status != 501)
        return "busy" if retry else "final"
    if _is_untrusted(error):
        return "final"
    if isinstance(error, _UNREACHED):
        return "unreachable"
    if isinstance(error, boto.ReadTimeoutError | TimeoutError):
        return "stalled"
    is_cut_off = isinstance(error, (*_CUT_OFF, TruncatedBodyError)) or isinstance(_cause_of(error), _CUT_OFF)
    return "busy" if is_cut_off else "final"


def translate(error: Exception, where: str, action: str, host: str, secrets: Iterable[str]) -> SxeslakeError:
    """The error for people, without secrets. `action` is the permission that the request needs: `s3:GetObject`."""
    if isinstance(error, SxeslakeError):
        return error if error.where else type(error)(error.what, where=where, hint=error.hint)
    if isinstance(error, boto.ClientError):
        return _translate_reply(error, where, action, secrets)
    reason = "sends truncated replies" if isinstance(error, TruncatedBodyError) else "does not answer"
    lost = classify(error) in ("busy", "stalled")
    for matches, what, hint in (
        (_is_untrusted(error), f"the certificate of {host} is not trusted", _SET_VERIFY),
        (isinstance(error, _UNREACHED), f"{host} cannot be reached", _SET_ENDPOINT),
        (lost, f"{host} {reason}, also after retries", None),
    ):
        if matches:
            return UnreachableError(what, where=where, hint=hint)
    return StorageError(_scrub(f"{type(error).__name__}: {error}", secrets), where=where)


def _translate_reply(error: boto.ClientError, where: str, action: str, secrets: Iterable[str]) -> SxeslakeError:
    code, status = code_of(error), _status_of(error)
    words = _scrub(str(error.response.get("Error", {}).get("Message") or ""), secrets)
    said = f"{code}: {words}" if words and words != code else code
    for matches, kind, what, hint in (
        (is_taken(error), ObjectExistsError, "exists already", None),
        (is_missing(error), ObjectNotFoundError, "there is no such object", None),
        (code == "NoSuchBucket", LakeNotFoundError, "there is no such bucket", "Check its name and the endpoint."),
        (code == "RequestTimeTooSkewed", AccessDeniedError, _CREDENTIALS.get(code, ""), _SET_CLOCK),
        (code in _CREDENTIALS, AccessDeniedError, _CREDENTIALS.get(code, ""), _SET_CREDENTIALS),
        (is_bad_range(error), DamagedLakeError, "truncated: the object ends before the requested bytes", None),
        (status in (401, 403), AccessDeniedError, f"no permission; it needs {action} ({said})", None),
        (code in _REGION, StorageError, f"the bucket is in another region ({said})", "Set AWS_REGION to the bucket's."),
        (status == 501, StorageError, f"the server cannot do {action} with this condition", "See infra/ for servers."),
        (code in _UNDECIDED, StorageError, "another write of the same object is under way", "Run the same again."),
        (classify(error) == "busy", UnreachableError, f"the server is too busy, also after retries ({said})", None),
    ):
        if matches:
            return kind(what, where=where, hint=hint)
    return StorageError(f"the server refused {action} ({said})", where=where)


def _status_of(error: BaseException) -> int:
    """The HTTP status of a refusal, else 0."""
    metadata = error.response.get("ResponseMetadata", {}) if isinstance(error, boto.ClientError) else {}
    return int(metadata.get("HTTPStatusCode", 0))


def _cause_of(error: BaseException) -> object:
    """What the client says was behind an error that it has no word for."""
    return error.kwargs.get("error") if isinstance(error, boto.BotoCoreError) else None


def _is_untrusted(error: BaseException) -> bool:
    """The server's certificate does not hold, or the file that should prove it cannot be read."""
    if type(error) is boto.HTTPClientError:
        return isinstance(_cause_of(error), ssl.SSLError | FileNotFoundError | PermissionError | IsADirectoryError)
    return isinstance(error, boto.SSLError) and isinstance(_cause_of(error), aiohttp.ClientConnectorCertificateError)


def _scrub(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
