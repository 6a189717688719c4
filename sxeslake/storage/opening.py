"""From a URL to a store: the one table of schemes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from ..errors import UsageError
from ..extras import load
from .address import AZURE, GOOGLE, SSH, Address, parse
from .interface import Store
from .local import LocalStore
from .memory import MemoryStore
from .retry import RetryPolicy, policy_of

_LOG = logging.getLogger(__name__)

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


def open_store(url: str, *, options: Mapping[str, str] = NO_OPTIONS, retry_for_s: float | None = None) -> Store:
    """The store at `/path`, `file://…`, `s3://bucket/prefix`, `abfs://container/prefix`, `gs://bucket/prefix`,
    `sftp://user@host/folder`, `memory://name`, or any other fsspec protocol.

    Nothing is asked of the store yet. `options` are settings of the backend (`endpoint_url`, `profile` …). A store
    that is away or busy is tried again for `retry_for_s` seconds, by default for up to a minute.
    """
    address = parse(url)
    _LOG.debug("store at %s", address.public)
    if address.scheme == "file":
        _refuse_options(address, options)
        return LocalStore(Path(address.path))
    if address.scheme == "memory":
        _refuse_options(address, options)
        return MemoryStore(address.path)
    # All the others load a client, which is slow; local lakes need none of it.
    return _remote(address.scheme)(address, options, policy_of(retry_for_s))


def _remote(scheme: str) -> Callable[[Address, Mapping[str, str], RetryPolicy], Store]:
    """What opens stores of this scheme; MissingExtraError where its client is not installed."""
    opener: Callable[[Address, Mapping[str, str], RetryPolicy], Store]
    if scheme in ("s3", "s3a"):
        from .s3 import open_s3  # noqa: PLC0415

        opener = open_s3
    elif scheme in AZURE:
        load("azure.storage.blob.aio", "azure", "a lake on Azure")
        load("azure.identity", "azure", "a lake on Azure")
        from .remote.azure import open_azure  # noqa: PLC0415

        opener = open_azure
    elif scheme in GOOGLE:
        load("google.auth", "gcs", "a lake on Google Cloud Storage")
        load("requests", "gcs", "a lake on Google Cloud Storage")
        from .remote.gcs import open_gcs  # noqa: PLC0415

        opener = open_gcs
    elif scheme in SSH:
        load("asyncssh", "sftp", "a lake on an SFTP server")
        from .remote.sftp import open_sftp  # noqa: PLC0415

        opener = open_sftp
    else:
        from .generic import open_generic  # noqa: PLC0415

        opener = open_generic
    return opener


def _refuse_options(address: Address, options: Mapping[str, str]) -> None:
    if options:
        names = ", ".join(sorted(options))
        raise UsageError(f"this kind of storage has no options, but was given: {names}", where=address.public)
