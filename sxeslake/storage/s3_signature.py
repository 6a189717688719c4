"""AWS Signature Version 4 for requests whose parts are known beforehand. Pure: the time is handed in."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

NO_BODY = hashlib.sha256().hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
"""For bodies that TLS and Content-MD5 protect already."""

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks; a token where the key is a temporary one."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def words(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(word for word in (self.secret, self.token, self.key) if word)


def signed(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload: str,
    credentials: Credentials,
    region: str,
    now_s: float,
) -> dict[str, str]:
    """The headers (names in lower case, `host` among them) with those that prove who asks.

    `path` and `query` are quoted as they are sent; `payload` is the body's SHA-256 in hex, or `UNSIGNED`.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    full = {**headers, "x-amz-content-sha256": payload, "x-amz-date": moment}
    if credentials.token:
        full["x-amz-security-token"] = credentials.token
    names = sorted(full)
    lines = (method, path, query, *(f"{name}:{full[name].strip()}" for name in names), "", ";".join(names), payload)
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()))
    key = _signing_key(credentials.secret, moment[:8], region)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    full["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return full


def quoted_path(path: str) -> str:
    """A path as S3 signs it: all but unreserved characters and slashes as %XX."""
    return quote(path, safe="/-_.~")


def quoted_query(query: Sequence[tuple[str, str]]) -> str:
    """A query as S3 signs it: all but unreserved characters as %XX, then sorted."""
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


def sha256_of(body: Iterable[bytes | bytearray | memoryview]) -> str:
    """SHA-256 in hex of a body in parts."""
    digest = hashlib.sha256()
    for part in body:
        digest.update(part)
    return digest.hexdigest()


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key
