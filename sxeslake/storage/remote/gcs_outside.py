"""Settings of a connection to Google Cloud Storage for libraries that do not use our client.

They speak the XML API, of which servers other than Google's often have only a part.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import requests
from google.auth import compute_engine, environment_vars
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from sxeslake.errors import StorageError, UsageError

from ..address import join
from ..probe import PREFIX
from .client import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from .gcs import GOOGLE, GcsSettings

_UNSIGNED: Final[Mapping[str, str]] = {
    "google_skip_signature": "true",  # object_store 0.13 heeds it where it reads, not where it writes
    "google_service_account_key": json.dumps(
        {"private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": True}
    ),
}
_KNOWN: Final = (service_account.Credentials, oauth2.Credentials, compute_engine.Credentials)
_HINT: Final = "Name the key file of a service account: --storage-option key_file=PATH."

_TIMEOUT_S: Final = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
_ELSEWHERE: Final = "Publish into a folder with --to, and copy that folder."


def object_store_options(settings: GcsSettings) -> dict[str, str]:
    """In the words of the Rust crate `object_store`; UsageError where it has none."""
    if settings.token or settings.how == "cloud":
        raise UsageError("token=… cannot be used to publish tables.", hint=_HINT)
    if settings.user_project:
        raise UsageError("user_project cannot be used to publish tables.")
    return {
        # Stated, so that environment variables of these names, which our own client ignores, do not apply.
        "google_base_url": settings.endpoint,
        "google_skip_signature": "false",
        "allow_http": str(settings.endpoint.startswith("http://")).lower(),
        **(_UNSIGNED if settings.is_anonymous else _signed(settings)),
    }


def _signed(settings: GcsSettings) -> dict[str, str]:
    """The crate finds a machine's identity and the file of `gcloud` by itself, unless that is in another place."""
    try:
        credentials = settings.credentials()
    except auth.GoogleAuthError as error:
        raise StorageError(f"found no credentials that Google takes ({type(error).__name__}).", hint=_HINT) from None
    if not isinstance(credentials, _KNOWN):
        kind = type(credentials).__module__.rpartition(".")[2]
        raise UsageError(f"credentials of the kind {kind} cannot be used to publish tables.", hint=_HINT)
    if settings.key_file:
        return {"google_service_account": settings.key_file}
    if file := os.environ.get(environment_vars.CREDENTIALS):
        return {"google_application_credentials": file}
    folder = os.environ.get(environment_vars.CLOUD_SDK_CONFIG_DIR)
    moved = Path(folder or "") / "application_default_credentials.json"
    return {"google_application_credentials": str(moved)} if folder and moved.is_file() else {}


def check_create_only(settings: GcsSettings, where: str) -> None:
    """StorageError where the server, unless it is Google's, does not keep `x-goog-if-generation-match: 0` on uploads.

    Of two publishers at once, one would lose a transaction.
    """
    if settings.endpoint == GOOGLE:
        return
    name = join(settings.root, f"{PREFIX}{secrets.token_hex(12)}")
    url = f"{settings.endpoint}/{quote(settings.bucket)}/{quote(name)}"
    try:
        with AuthorizedSession(settings.credentials() or AnonymousCredentials()) as session:
            first, second = (_create(session, url) for _ in range(2))
            if first < 300:
                session.delete(url, timeout=_TIMEOUT_S)
    except (requests.RequestException, auth.GoogleAuthError) as error:
        raise StorageError(f"the server cannot be asked ({type(error).__name__}).", where=where) from None
    if first >= 300:
        raise StorageError(
            f"the server does not take uploads by Google's XML API, as deltalake makes them ({first}).", where=where,
            hint=_ELSEWHERE,
        )  # fmt: skip
    if second != requests.codes.precondition_failed:
        raise StorageError(
            f"the server does not keep x-goog-if-generation-match: 0 on uploads ({second}): "
            "of two publishers at once, one would lose its transaction.", where=where, hint=_ELSEWHERE,
        )  # fmt: skip


def _create(session: AuthorizedSession, url: str) -> int:
    """Upload an empty object as object_store does where it must not overwrite; the status."""
    return int(
        session.put(url, data=b"", headers={"x-goog-if-generation-match": "0"}, timeout=_TIMEOUT_S).status_code
    )  # fmt: skip
