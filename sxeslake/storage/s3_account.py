"""Who asks, and where the bucket is: options first, then AWS variables, then profiles, roles and instances.

Variables alone are read here. Everything else is botocore's: configuration files, single sign-on, assumed roles,
programs that hand out keys, containers and instances. It is loaded where one of them may be meant: that takes a while.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AccessDeniedError, UsageError
from .s3_options import S3Settings
from .s3_signature import Credentials
from .s3_wire import Origin, origin_of

DEFAULT_REGION = "us-east-1"

_SET_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_SET_PROFILE = "See AWS_PROFILE and --storage-option profile=NAME."
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
}


@dataclass(frozen=True, slots=True)
class Account:
    """What one store needs to know; `credentials` gives fresh ones, None for requests that nobody signs."""

    credentials: Callable[[], Credentials | None]
    endpoint_url: str | None
    region: str | None
    addressing_style: str | None
    verify: bool | str | None
    is_fips: bool = False
    is_dualstack: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket answers: the server, and the path before a key."""

    origin: Origin
    path: str


def account_of(settings: S3Settings, environment: Mapping[str, str] = os.environ) -> Account:
    """What the user, the variables and the configuration say; asks botocore where variables are not all."""
    said = _by_variables(settings, environment)
    if said is not None and not _has_files(settings, environment):
        return said
    return _by_session(settings, environment)


def place_of(account: Account, bucket: str, region: str | None) -> Place:
    """`https://bucket.s3.eu-central-1.amazonaws.com`; a server of one's own has the bucket in the path."""
    style = account.addressing_style
    if account.endpoint_url is not None:
        origin = origin_of(account.endpoint_url)
        base = account.endpoint_url.partition("://")[2].partition("/")[2].partition("?")[0].rstrip("/")
        before = f"/{base}" if base else ""
        if style == "virtual":
            return Place(origin._replace(host=f"{bucket}.{origin.host}"), before)
        return Place(origin, f"{before}/{bucket}")
    host = _aws_host(region or DEFAULT_REGION, is_fips=account.is_fips, is_dualstack=account.is_dualstack)
    is_name_of_host = bucket == bucket.lower() and "." not in bucket and "_" not in bucket
    if style == "path" or not is_name_of_host:
        return Place(Origin("https", host, 443), f"/{bucket}")
    return Place(Origin("https", f"{bucket}.{host}", 443), "")


def _aws_host(region: str, *, is_fips: bool, is_dualstack: bool) -> str:
    domain = next((domain for start, domain in _DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    return ".".join(("s3-fips" if is_fips else "s3", *(("dualstack",) if is_dualstack else ()), region, domain))


def _by_variables(settings: S3Settings, environment: Mapping[str, str]) -> Account | None:
    """What options and variables say by themselves; None where they do not say who asks."""
    if settings.profile is not None:
        return None
    found = _given(settings)
    if found is None and not settings.anon:
        key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
        if not key or not secret or environment.get("AWS_CREDENTIAL_EXPIRATION"):
            return None
        token = environment.get("AWS_SECURITY_TOKEN") or environment.get("AWS_SESSION_TOKEN")
        found = Credentials(key, secret, token or None)
    verify = settings.verify
    return Account(
        credentials=lambda: found,
        endpoint_url=settings.endpoint_url or _endpoint(environment, {}, {}),
        region=settings.region or _region(environment),
        addressing_style=settings.addressing_style,
        verify=_authorities(environment, None) if verify is None else verify,
        is_fips=_is_yes(environment.get("AWS_USE_FIPS_ENDPOINT")),
        is_dualstack=_is_yes(environment.get("AWS_USE_DUALSTACK_ENDPOINT")),
    )


def _by_session(settings: S3Settings, environment: Mapping[str, str]) -> Account:
    """What botocore finds in its files, and whoever hands out keys that it knows."""
    from botocore import exceptions as boto  # noqa: PLC0415 - see above
    from botocore.session import Session  # noqa: PLC0415

    session = Session(profile=settings.profile)
    try:
        scoped = session.get_scoped_config()
        region = settings.region or _region(environment) or session.get_config_variable("region")
        is_fips = bool(session.get_config_variable("use_fips_endpoint"))
        is_dualstack = bool(session.get_config_variable("use_dualstack_endpoint"))
        services = session.full_config.get("services", {})
    except boto.ProfileNotFound:
        raise UsageError("no such profile in the AWS configuration", hint=_SET_PROFILE) from None
    except boto.BotoCoreError as error:
        raise UsageError(f"the AWS configuration cannot be read ({type(error).__name__})", hint=_SET_PROFILE) from None
    s3 = scoped.get("s3") if isinstance(scoped.get("s3"), dict) else {}
    verify = _authorities(environment, scoped.get("ca_bundle")) if settings.verify is None else settings.verify
    return Account(
        credentials=_from_session(session, settings),
        endpoint_url=settings.endpoint_url or _endpoint(environment, scoped, services),
        region=region,
        addressing_style=settings.addressing_style or s3.get("addressing_style"),
        verify=verify,
        is_fips=is_fips,
        is_dualstack=is_dualstack or _is_yes(s3.get("use_dualstack_endpoint")),
    )


def _from_session(session: Any, settings: S3Settings) -> Callable[[], Credentials | None]:
    """Credentials that are looked for once, at the first request, and renewed by botocore when they run out."""
    from botocore import exceptions as boto  # noqa: PLC0415 - loaded by now

    given = _given(settings)
    if given is not None or settings.anon:
        return lambda: given
    lock = threading.Lock()
    kept: list[Any] = []

    def current() -> Credentials:
        try:
            with lock:
                if not kept:
                    kept.append(session.get_credentials())
            found = kept[0].get_frozen_credentials() if kept[0] is not None else None
        except (boto.BotoCoreError, boto.ClientError) as error:
            # What it says may quote commands and tokens.
            what = f"the AWS configuration gives no credentials ({type(error).__name__})"
            raise AccessDeniedError(what, hint=_SET_CREDENTIALS) from None
        if found is None:
            kept.clear()
            raise AccessDeniedError("found no credentials", hint=_SET_CREDENTIALS)
        return Credentials(found.access_key, found.secret_key, found.token)

    return current


def _given(settings: S3Settings) -> Credentials | None:
    if settings.anon or not settings.key or not settings.secret:
        return None
    return Credentials(settings.key, settings.secret, settings.token)


def _has_files(settings: S3Settings, environment: Mapping[str, str]) -> bool:
    """Whether there are configuration files, or a profile that should be in one."""
    if settings.profile or environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE"):
        return True
    return any(
        Path(environment.get(name) or default).expanduser().exists()
        for name, default in (
            ("AWS_CONFIG_FILE", "~/.aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        )
    )


def _endpoint(environment: Mapping[str, str], scoped: Mapping[str, Any], services: Mapping[str, Any]) -> str | None:
    """The endpoint that variables name, then the profile's section for services, then the profile."""
    ignores = environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", scoped.get("ignore_configured_endpoint_urls"))
    if _is_yes(ignores):
        return None
    service = services.get(scoped.get("services", ""), {}).get("s3", {})
    places: tuple[Any, ...] = (
        environment.get("AWS_ENDPOINT_URL_S3"),
        environment.get("AWS_ENDPOINT_URL"),
        service.get("endpoint_url") if isinstance(service, dict) else None,
        scoped.get("endpoint_url"),
    )
    found = next((str(place) for place in places if place), None)
    if found is not None and not found.startswith(("http://", "https://")):
        raise UsageError("the endpoint starts with http:// or https://", hint="See AWS_ENDPOINT_URL and the profile.")
    return found


def _region(environment: Mapping[str, str]) -> str | None:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None


def _authorities(environment: Mapping[str, str], configured: str | None) -> str | None:
    return environment.get("AWS_CA_BUNDLE") or configured or environment.get("REQUESTS_CA_BUNDLE") or None


def _is_yes(word: object) -> bool:
    return str(word).lower() == "true"
