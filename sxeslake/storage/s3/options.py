"""Settings of an S3 connection: the usual AWS variables and profiles, or `--storage-option k=v`, which win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sxeslake.errors import UsageError
from sxeslake.version import __version__

from ..address import Address

CONNECT_TIMEOUT_S = 4
READ_TIMEOUT_S = 20.0
CONNECTIONS = 64

_TRUE = frozenset(("1", "true", "yes", "on"))
_FALSE = frozenset(("0", "false", "no", "off"))
_STYLES = frozenset(("path", "virtual", "auto"))
OPTIONS = ("addressing_style", "anon", "endpoint_url", "key", "profile", "region", "secret", "token", "verify")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """What the user said; None leaves it to AWS variables, profiles and instance roles."""

    endpoint_url: str | None = None
    key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    profile: str | None = None
    region: str | None = None
    anon: bool = False
    addressing_style: str | None = None
    verify: bool | str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(word for word in (self.secret, self.token, self.key) if word)

    def s3fs_arguments(self, read_timeout_s: float) -> dict[str, Any]:
        """The same in s3fs's words."""
        config: dict[str, Any] = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": read_timeout_s,
            "max_pool_connections": CONNECTIONS,
            "retries": {"total_max_attempts": 1},  # retries are ours: a create must know of them
            # Checksum trailers, the client's default, are refused by many servers; Content-MD5 is understood by all.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "user_agent_extra": f"sxeslake/{__version__}",
        }
        if self.addressing_style:
            config["s3"] = {"addressing_style": self.addressing_style}
        client = {"region_name": self.region, "verify": self.verify}
        arguments = {
            "endpoint_url": self.endpoint_url,
            "key": self.key,
            "secret": self.secret,
            "token": self.token,
            "profile": self.profile,
            "anon": self.anon,
            "client_kwargs": {name: value for name, value in client.items() if value is not None},
            "config_kwargs": config,
        }
        return {name: value for name, value in arguments.items() if value is not None}


def settings_from(address: Address, options: Mapping[str, str]) -> S3Settings:
    """Check the options; a key and secret in the URL count too. Errors never quote a value that may be secret."""
    unknown = sorted(set(options) - set(OPTIONS))
    if unknown:
        hint = f"S3 knows: {', '.join(OPTIONS)}."
        raise UsageError(f"unknown storage option: {', '.join(unknown)}", where=address.public, hint=hint)
    key, secret = options.get("key") or address.user, options.get("secret") or address.secret
    if bool(key) != bool(secret):
        raise UsageError("a key and its secret go together; one of them is missing", where=address.public)
    style = options.get("addressing_style")
    if style is not None and style not in _STYLES:
        raise UsageError(f"addressing_style is one of {', '.join(sorted(_STYLES))}", where=address.public)
    endpoint = options.get("endpoint_url")
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise UsageError("endpoint_url starts with http:// or https://", where=address.public)
    return S3Settings(
        endpoint_url=endpoint,
        key=key,
        secret=secret,
        token=options.get("token"),
        profile=options.get("profile"),
        region=options.get("region"),
        anon=_flag(address, "anon", options.get("anon", "no")),
        addressing_style=style,
        verify=_verify(options.get("verify")),
    )


def _flag(address: Address, name: str, value: str) -> bool:
    if value.lower() not in _TRUE | _FALSE:
        raise UsageError(f"{name} is yes or no", where=address.public)
    return value.lower() in _TRUE


def _verify(value: str | None) -> bool | str | None:
    """`no` trusts any certificate; a path is a bundle of trusted ones."""
    if value is None:
        return None
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    return value
