"""URLs and keys: what a lake's address means, and its form for people without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from ..errors import StorageError, UsageError

TEMPORARY = ".tmp-"
"""How names of unfinished local files start; no key's segment may."""

AZURE = frozenset(("abfs", "abfss", "az"))
GOOGLE = frozenset(("gs", "gcs"))
SSH = frozenset(("sftp", "ssh"))
_BUCKETS = {
    "s3": "Write s3://bucket/prefix.",
    **dict.fromkeys(AZURE, "Write abfs://container/prefix."),
    **dict.fromkeys(GOOGLE, "Write gs://bucket/prefix."),
}
"""Schemes whose first part is a bucket, and how to write one."""

_WINDOWS_PATH = re.compile(r"^[A-Za-z]:[\\/]")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://(.*)$", re.DOTALL)
_SEGMENT = re.compile(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]{0,199}")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL: `s3://bucket/a/b` → scheme `s3`, path `bucket/a/b`; user and secret never in the repr."""

    scheme: str
    path: str
    user: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)

    @property
    def public(self) -> str:
        """The URL for people: `s3://bucket/a/b`."""
        return self.path if self.scheme == "file" else f"{self.scheme}://{self.path}"


def parse(url: str) -> Address:
    """What a lake's URL means; `UsageError` (without its secrets) where it means nothing."""
    if _WINDOWS_PATH.match(url):
        return Address("file", url)
    match = _SCHEME.match(url)
    if match is None:
        if not url or "\0" in url:
            raise UsageError("a lake's address is a folder or a URL such as s3://bucket/prefix; this one is empty")
        return Address("file", str(Path(url).expanduser().absolute()))
    scheme, rest = match[1].lower(), match[2]
    if scheme in ("file", "local"):
        return Address("file", _file_path(url))
    user, secret, path = _split_userinfo(scheme, rest)
    if "?" in path or "#" in path:
        raise UsageError(
            "an address has no ? or # part", where=redact(url), hint="Give such settings with --storage-option k=v."
        )
    path = path.rstrip("/")
    if any("\ud800" <= sign <= "\udfff" for sign in rest):
        raise UsageError("this address is not UTF-8 text", where=redact(url))
    if scheme in _BUCKETS and (not path or path.startswith("/")):
        raise UsageError("the address names no bucket", where=redact(url), hint=_BUCKETS[scheme])
    if any(segment in ("", ".", "..") for segment in path.split("/")) and path:
        raise UsageError("the address has an empty, . or .. part", where=redact(url))
    return Address(scheme, path, user, secret)


def is_remote(url: str) -> bool:
    """Whether reading there goes over a network: not for `/folder` and `memory://name`."""
    return parse(url).scheme not in ("file", "memory")


def redact(url: str) -> str:
    """The URL without user, password and query: `s3://AK:SK@bucket/x?token=y` → `s3://***@bucket/x?***`."""
    match = _SCHEME.match(url)
    if match is None or match[1].lower() == "file":
        return url
    userinfo, rest = _cut_userinfo(match[1].lower(), match[2])
    if userinfo is None and match[1].lower() == "s3" and ":" in rest.partition("/")[0]:
        return f"{match[1]}://{_HIDDEN}"
    query = re.search(r"[?#]", rest)
    shown = f"{rest[: query.end()]}{_HIDDEN}" if query else rest
    return f"{match[1]}://{shown}" if userinfo is None else f"{match[1]}://{_HIDDEN}@{shown}"


def without_userinfo(url: str) -> str:
    """The URL without user and password: `s3://AK:SK@bucket/x` → `s3://bucket/x`; a folder or a name as it is."""
    match = _SCHEME.match(url)
    if match is None or match[1].lower() == "file":
        return url
    userinfo, rest = _cut_userinfo(match[1].lower(), match[2])
    return url if userinfo is None else f"{match[1]}://{rest}"


def check_key(key: str) -> str:
    """The key, if it is one on every backend: `packs/ab/ab12.pack`; not `../x`, `a//b`, `.tmp-1`."""
    segments = key.split("/")
    if len(key) > 900 or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise StorageError("is not a name an object can have", where=repr(key))
    return key


def check_prefix(prefix: str) -> str:
    """The prefix, if keys can start with it: ``, `log/`, `packs/a`."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def _split_userinfo(scheme: str, rest: str) -> tuple[str | None, str | None, str]:
    userinfo, path = _cut_userinfo(scheme, rest)
    if userinfo is None:
        if scheme == "s3" and ":" in rest.partition("/")[0]:
            raise UsageError(
                "the bucket's name cannot be read", where=f"{scheme}://{_HIDDEN}", hint="Write s3://bucket/prefix."
            )
        return None, None, path
    user, _, secret = userinfo.partition(":")
    return unquote(user), unquote(secret) or None, path


def _cut_userinfo(scheme: str, rest: str) -> tuple[str | None, str]:
    """Split at the @: `AK:SK@b/p` → (`AK:SK`, `b/p`). A secret may hold a slash: `AK:S/K@b/p` → (`AK:S/K`, `b/p`).

    Azure's container in front of its account, and a user of SSH without a password, are no secrets, and stay.
    """
    authority, _, _ = rest.partition("/")
    if scheme in AZURE | SSH and "@" in authority and ":" not in authority.partition("@")[0]:
        return None, rest
    if "@" in authority:
        userinfo, _, _ = authority.rpartition("@")
        return userinfo, rest[len(userinfo) + 1 :]
    if ":" in authority and "@" in rest:
        userinfo, _, path = rest.partition("@")
        return userinfo, path
    return None, rest


def _file_path(url: str) -> str:
    """`file:///a%20b` → `/a b`; `file:///C:/x` → `C:/x`; `file://a/b`, a common slip, is the relative `a/b`."""
    path = unquote(url.partition("://")[2], errors="surrogateescape")
    path = path.removeprefix("localhost") if path.startswith("localhost/") else path
    if _WINDOWS_PATH.match(path[1:]):
        return path[1:]
    return str(Path(path).absolute())


def join(root: str, key: str) -> str:
    """`bucket/prefix`, `log/1.json` → `bucket/prefix/log/1.json`."""
    return str(PurePosixPath(root) / key) if root else key
