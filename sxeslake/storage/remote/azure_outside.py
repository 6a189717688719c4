"""Settings of a connection to Azure for libraries that do not use Microsoft's client."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

import azure.identity
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from sxeslake.errors import StorageError, UsageError

from .azure import SIGN_IN, AzureSettings

_SCOPE: Final = "https://storage.azure.com/.default"


class _Account(NamedTuple):
    endpoint: str
    name: str
    key: str | None
    token: str | None


def object_store_options(settings: AzureSettings) -> dict[str, str]:
    """In the words of the Rust crate `object_store`, which knows no connection strings."""
    account = _account(settings)
    return {
        "azure_storage_endpoint": account.endpoint,
        "azure_storage_account_name": account.name,
        "allow_http": str(account.endpoint.startswith("http://")).lower(),
        # Stated, so that environment variables of these names, which our own client ignores, do not apply.
        "azure_storage_use_emulator": "false",
        "azure_skip_signature": "false",
        **_credentials(settings, account),
    }


def _account(settings: AzureSettings) -> _Account:
    name = settings.account
    try:
        if settings.connection_string and not (settings.key or settings.token):
            name = None  # the string's own
            client = BlobServiceClient.from_connection_string(settings.connection_string)
        else:
            client = BlobServiceClient(settings.endpoint or "")
    except ValueError:  # its words may quote the key
        raise UsageError("the connection string or the account's address cannot be read", hint=SIGN_IN) from None
    url = urlsplit(client.url)
    return _Account(
        f"{url.scheme}://{url.netloc}{url.path}".rstrip("/"),
        name or client.account_name or "",
        settings.key or getattr(client.credential, "account_key", None),
        settings.token or url.query or None,
    )


def _credentials(settings: AzureSettings, account: _Account) -> dict[str, str]:
    """One kind alone, in the order of our own client."""
    if account.key:
        return {"azure_storage_account_key": account.key}
    if account.token:
        return {"azure_storage_sas_key": account.token}
    if settings.is_anonymous:
        return {"azure_skip_signature": "true"}
    tenant, client, secret = settings.principal
    if tenant and client and secret:
        return {
            "azure_storage_tenant_id": tenant, "azure_storage_client_id": client, "azure_storage_client_secret": secret,
        }  # fmt: skip
    # The crate looks in fewer places than `DefaultAzureCredential`; a token lasts for an hour or more.
    try:
        with azure.identity.DefaultAzureCredential(exclude_interactive_browser_credential=True) as found:
            return {"azure_storage_token": found.get_token(_SCOPE).token}
    except AzureError as error:
        raise StorageError(f"found no credentials that Azure takes ({type(error).__name__}).", hint=SIGN_IN) from None
