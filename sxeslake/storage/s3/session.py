"""The connection of one store: s3fs finds credentials, endpoint and region; its client makes the requests."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any
from urllib.parse import urlsplit

import s3fs
from botocore import exceptions as boto

from sxeslake.errors import AccessDeniedError, UsageError

from ..loop import Loop
from .options import S3Settings

_LOG = logging.getLogger(__name__)

_SET_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_SET_PROFILE = "See AWS_PROFILE and --storage-option profile=NAME."
_SET_ENDPOINT = "See AWS_ENDPOINT_URL and the profile."
_SET_REGION = "See AWS_REGION and --storage-option region=NAME."
_UNREADABLE = (boto.ConfigParseError, boto.ConfigNotFound)
_NO_CREDENTIALS = (boto.BotoCoreError, boto.ClientError, JSONDecodeError, OSError)
"""Also what comes of programs that are absent, or print something else."""


@dataclass(slots=True)
class S3Connection:
    """s3fs, and its client when a request has asked for it."""

    fs: Any
    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    client: Any = None


class Session(Loop[S3Connection]):
    """Made at the first request, and rebuilt in the child of a fork."""

    def __init__(self, settings: S3Settings, read_timeout_s: float, where: str) -> None:
        """`where` is the store's URL, for people."""
        self._settings, self._read_timeout_s = settings, read_timeout_s
        self._host = urlsplit(settings.endpoint_url or "").hostname or "the S3 endpoint"
        self._words = dict.fromkeys(settings.secrets)
        super().__init__(self._connection, _close, where)

    @property
    def host(self) -> str:
        """The server's name, for people."""
        return self._host

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: what the user gave, and what was found."""
        return tuple(self._words)

    async def client(self) -> Any:
        """aiobotocore's client, ready for a request."""
        ready = self.connection
        try:
            async with (
                ready.starting
            ):  # two first requests at once would make two clients, of which one is never closed
                ready.client = await ready.fs.set_session()
            self._host = urlsplit(ready.client.meta.endpoint_url).hostname or self._host
            if not self._settings.anon and not self._settings.key:
                self._words |= dict.fromkeys(await _credentials(ready.fs.session))
        except boto.ProfileNotFound:
            raise UsageError("no such profile in the AWS configuration", hint=_SET_PROFILE) from None
        except _UNREADABLE as error:
            what = f"the AWS configuration cannot be read ({type(error).__name__})"
            raise UsageError(what, hint=_SET_PROFILE) from None
        except boto.InvalidRegionError:
            raise UsageError("the region has no valid name", hint=_SET_REGION) from None
        except _NO_CREDENTIALS as error:
            # What it says may quote commands and tokens.
            what = f"the AWS configuration gives no credentials ({type(error).__name__})"
            raise AccessDeniedError(what, hint=_SET_CREDENTIALS) from None
        except ValueError:
            raise UsageError("the endpoint starts with http:// or https://", hint=_SET_ENDPOINT) from None
        return ready.client

    def _connection(self, loop: asyncio.AbstractEventLoop) -> S3Connection:
        _LOG.debug("new S3 client for %s", self._where)
        return S3Connection(
            s3fs.S3FileSystem(
                **self._settings.s3fs_arguments(self._read_timeout_s),
                asynchronous=True,
                loop=loop,
                use_listings_cache=False,
                skip_instance_cache=True,
            )
        )


async def _close(connection: S3Connection) -> None:
    if connection.client is not None:
        await connection.client.close()


async def _credentials(session: Any) -> tuple[str, ...]:
    """The words of the credentials that the next request is signed with; renewed where they run out."""
    found = await session.get_credentials()
    if found is None:
        raise AccessDeniedError("found no credentials", hint=_SET_CREDENTIALS)
    return tuple(word for word in await found.get_frozen_credentials() if word)
