"""A place in the words of the Rust crate `object_store`, which deltalake and polars reach storage by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from .address import AZURE, GOOGLE, SSH, Address, parse


@dataclass(frozen=True, slots=True)
class ObjectStorePlace:
    """A folder or bucket prefix, and the settings to reach it; these may be secret."""

    uri: str
    options: Mapping[str, str] = field(repr=False)

    def below(self, name: str) -> ObjectStorePlace:
        """The same with one more folder at its end."""
        return ObjectStorePlace(f"{self.uri.rstrip('/')}/{name}", self.options)


def object_store_place(url: str, options: Mapping[str, str]) -> ObjectStorePlace:
    """The same place and the same credentials that `open_store` would use; UsageError where the crate has no words.

    A server of Google's API that is not Google's is asked whether it keeps writers apart; StorageError where not.
    """
    address = parse(url)
    if address.scheme == "file":
        return ObjectStorePlace(str(Path(address.path)), {})
    if "%" in address.path:  # the crate would decode it: the log would be in another place than its files
        raise UsageError("tables cannot be published to an address with a % in it.", where=address.public)
    if address.scheme in ("s3", "s3a"):
        return _s3(address, options)
    if address.scheme in AZURE:
        return _azure(address, options)
    if address.scheme in GOOGLE:
        return _google(address, options)
    if address.scheme in SSH:
        raise UsageError(
            "tables cannot be published to an SFTP server: deltalake has no client for it.", where=address.public,
            hint="Publish into a folder with --to, and copy that folder to the server.",
        )  # fmt: skip
    raise UsageError(
        "tables are published into a folder, S3, Azure or Google Cloud Storage.", where=address.public,
        hint="Name one with --to URL.",
    )  # fmt: skip


# Tables are published rarely: their modules load clients.


def _s3(address: Address, options: Mapping[str, str]) -> ObjectStorePlace:
    from .s3.options import settings_from  # noqa: PLC0415
    from .s3.outside import object_store_options  # noqa: PLC0415

    return ObjectStorePlace(f"s3://{address.path}", object_store_options(settings_from(address, options)))


def _azure(address: Address, options: Mapping[str, str]) -> ObjectStorePlace:
    from .remote.azure import AzureSettings  # noqa: PLC0415
    from .remote.azure_outside import object_store_options  # noqa: PLC0415

    settings = AzureSettings(address, options)
    return ObjectStorePlace(f"az://{settings.container}/{settings.root}", object_store_options(settings))


def _google(address: Address, options: Mapping[str, str]) -> ObjectStorePlace:
    from .remote.gcs import GcsSettings  # noqa: PLC0415
    from .remote.gcs_outside import check_create_only, object_store_options  # noqa: PLC0415

    settings = GcsSettings(address, options)
    place = ObjectStorePlace(f"gs://{settings.bucket}/{settings.root}", object_store_options(settings))
    check_create_only(settings, address.public)
    return place
