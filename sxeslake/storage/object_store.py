"""A place in the words of the Rust crate `object_store`, which deltalake and polars reach storage by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import UsageError
from .address import parse


class ObjectStorePlace(NamedTuple):
    """A folder or bucket prefix, and the settings to reach it; these may be secret."""

    uri: str
    options: Mapping[str, str]

    def below(self, name: str) -> ObjectStorePlace:
        """The same with one more folder at its end."""
        return ObjectStorePlace(f"{self.uri.rstrip('/')}/{name}", self.options)


def object_store_place(url: str, options: Mapping[str, str]) -> ObjectStorePlace:
    """The same place and the same credentials that `open_store` would use; UsageError where the crate has no words."""
    address = parse(url)
    if address.scheme == "file":
        return ObjectStorePlace(str(Path(address.path)), {})
    if address.scheme not in ("s3", "s3a"):
        raise UsageError(
            "tables are published into a folder or an S3 bucket.", where=address.public, hint="Name one with --to URL."
        )
    from .s3.options import settings_from  # noqa: PLC0415 - tables are published rarely
    from .s3.outside import object_store_options  # noqa: PLC0415 - as above

    return ObjectStorePlace(f"s3://{address.path}", object_store_options(settings_from(address, options)))
