"""What errors of the clients mean: tried again or not, the exit code, and no secret in the words."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from sxeslake.storage.address import parse
from sxeslake.storage.remote.client import Kind, Verdict, explain

azure = pytest.importorskip("sxeslake.storage.remote.azure", reason="pip install azure-storage-blob azure-identity")
gcs = pytest.importorskip("sxeslake.storage.remote.gcs", reason="pip install google-auth")
sftp = pytest.importorskip("sxeslake.storage.remote.sftp", reason="pip install asyncssh")

SECRET = "c2VjcmV0IGtleSBvZiBhbiBhY2NvdW50"


def made(kind: str) -> Any:
    """A client that asks nobody; those of aiohttp want a loop around them."""

    async def make() -> Any:
        if kind == "azure":
            address = parse("abfs://lake/x")
            return azure.AzureClient(azure.AzureSettings(address, {"account_name": "epma", "account_key": SECRET}))
        if kind == "gcs":
            return gcs.GcsClient(gcs.GcsSettings(parse("gs://lake/x"), {"token": SECRET}))
        return sftp.SftpClient(sftp.SftpSettings(parse(f"sftp://me:{SECRET}@nas/lake"), {}))

    return asyncio.run(make())


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "BlobAlreadyExists", "taken"),
        (412, "ConditionNotMet", "taken"),
        (403, "UnauthorizedBlobOverwrite", "taken"),
        (412, "LeaseIdMissing", "refused"),
        (409, "BlobBeingRehydrated", "undecided"),
        (404, "BlobNotFound", "missing"),
        (404, "ContainerNotFound", "no bucket"),
        (403, "AuthenticationFailed", "no credentials"),
        (403, "AuthorizationPermissionMismatch", "denied"),
        (401, "", "no credentials"),
        (416, "InvalidRange", "short"),
        (429, "", "busy"),
        (500, "InternalError", "busy"),
        (503, "ServerBusy", "busy"),
        (501, "", "refused"),
    ],
)
def test_azure_says_by_code_and_status(status: int, code: str, kind: Kind) -> None:
    error = azure.azure.HttpResponseError("words")
    error.status_code, error.error_code, error.reason = status, code, f"because of {SECRET}"
    verdict = made("azure").judge(error)
    assert verdict.kind == kind
    assert SECRET not in verdict.said


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", "taken"),
        (404, "notFound", "No such object: lake/x", "missing"),
        (404, "notFound", "The specified bucket does not exist.", "no bucket"),
        (401, "required", "Anonymous caller does not have storage.objects.get access", "no credentials"),
        (403, "forbidden", "probe does not have storage.objects.create access", "denied"),
        (403, "rateLimitExceeded", "slow down", "busy"),
        (429, "rateLimitExceeded", "slow down", "busy"),
        (416, "requestedRangeNotSatisfiable", "", "short"),
        (503, "backendError", "", "busy"),
        (400, "invalid", f"the token {SECRET} is bad", "refused"),
    ],
)
def test_google_says_by_status_and_reason(status: int, reason: str, message: str, kind: Kind) -> None:
    body = json.dumps({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}).encode()
    verdict = made("gcs").judge(gcs.GcsReplyError(gcs._GcsAnswer(status, {}, body)))
    assert verdict.kind == kind
    assert SECRET not in verdict.said


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "text"}'])
def test_a_reply_without_words_of_googles_is_no_crash(body: bytes) -> None:
    assert made("gcs").judge(gcs.GcsReplyError(gcs._GcsAnswer(502, {}, body))).kind == "busy"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sftp.asyncssh.SFTPNoSuchFile("x"), "missing"),
        (sftp.asyncssh.SFTPPermissionDenied("x"), "denied"),
        (sftp.asyncssh.SFTPFailure(SECRET), "refused"),
        (sftp.asyncssh.SFTPConnectionLost("x"), "cut off"),
        (sftp.asyncssh.ConnectionLost("x"), "cut off"),
        (sftp.asyncssh.PermissionDenied("x"), "no credentials"),
        (sftp.asyncssh.HostKeyNotVerifiable("x"), "untrusted"),
        (ConnectionRefusedError(), "unreachable"),
        (TimeoutError(), "unreachable"),
        (ValueError(SECRET), "refused"),
    ],
)
def test_sftp_says_by_kind(error: Exception, kind: Kind) -> None:
    verdict = made("sftp").judge(error)
    assert verdict.kind == kind
    assert SECRET not in verdict.said


@pytest.mark.parametrize(
    ("kind", "exit_code", "trouble", "words"),
    [
        ("taken", 7, "final", "exists already"),
        ("missing", 3, "final", "no such object"),
        ("no bucket", 3, "final", "no such bucket"),
        ("short", 5, "final", "truncated"),
        ("no credentials", 6, "final", "found no credentials"),
        ("denied", 6, "final", "no permission; it needs storage.objects.create"),
        ("undecided", 6, "busy", "another write"),
        ("busy", 6, "busy", "too busy, also after retries"),
        ("cut off", 6, "busy", "breaks off"),
        ("stalled", 6, "stalled", "does not answer"),
        ("unreachable", 6, "unreachable", "cannot be reached"),
        ("untrusted", 6, "final", "not trusted"),
        ("refused", 6, "final", "refused to write"),
    ],
)
def test_each_kind_has_its_exit_code(kind: Kind, exit_code: int, trouble: str, words: str) -> None:
    verdict = Verdict(kind)
    client: Any = SimpleNamespace(
        host="server", bucket_word="bucket", needs={"write": "storage.objects.create"}, judge=lambda _error: verdict
    )
    error = explain(Exception(), client, "write", "gs://lake/x")
    assert (error.exit_code, verdict.trouble) == (exit_code, trouble)
    assert words in str(error)
    assert error.where == "gs://lake/x"
