"""From a URL to a store: the one table of schemes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ..errors import UsageError
from .address import Address, parse
from .interface import Store
from .local import LocalStore
from .memory import MemoryStore
from .retry import policy_of

_LOG = logging.getLogger(__name__)

NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


def open_store(url: str, *, options: Mapping[str, str] = NO_OPTIONS, retry_for_s: float | None = None) -> Store:
    """The store at `/path`, `file://…`, `s3://bucket/prefix`, `memory://name`, or any other fsspec protocol.

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
    # Both import fsspec, which is slow to load; local lakes need none of it.
    if address.scheme in ("s3", "s3a"):
        from .s3 import open_s3  # noqa: PLC0415

        return open_s3(address, options, policy_of(retry_for_s))
    from .generic import open_generic  # noqa: PLC0415

    return open_generic(address, options)


def _refuse_options(address: Address, options: Mapping[str, str]) -> None:
    if options:
        names = ", ".join(sorted(options))
        raise UsageError(f"this kind of storage has no options, but was given: {names}", where=address.public)
