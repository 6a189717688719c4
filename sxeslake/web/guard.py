"""What every request passes before a page is asked for: method, host, prefix, user; and the headers of every answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from sxeslake.text.safe import visible
from sxeslake.web.options import ServeOptions

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG: Final = logging.getLogger("sxeslake.web")
_METHODS: Final = ("GET", "HEAD")
_LONGEST_USER: Final = 100
_LONGEST_PATH: Final = 300  # of a line of the log

HEADERS: Final = (
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Guard:
    """The outermost layer of the application."""

    def __init__(
        self, app: ASGIApp, options: ServeOptions, observe: Callable[[str, int, float], None] | None = None
    ) -> None:
        self._app, self._options, self._observe = app, options, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is refused; pass on the rest with its prefix removed and its user noted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = {name.lower() for name, _ in message.get("headers", ())}
                message = {
                    **message,
                    "headers": [*message.get("headers", ()), *(each for each in HEADERS if each[0] not in given)],
                }
            await send(message)

        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        user = self._user(scope, headers)
        try:
            if scope["method"] not in _METHODS:
                await _refuse(sending, 405, "This server only shows: GET and HEAD.", [(b"allow", b"GET, HEAD")])
            elif not self._options.is_known_host(headers.get(b"host", "")):
                await _refuse(sending, 421, "This server is not known by that name. Ask its operator for --allow-host.")
            elif self._options.prefix and scope["path"] == self._options.prefix:
                place = f"{self._options.prefix.rpartition('/')[2]}/".encode()
                await _refuse(sending, 307, "The pages are one level below.", [(b"location", place)])
            else:
                await self._app({**self._without_prefix(scope), "state": {"user": user}}, receive, sending)
        finally:
            took = (time.monotonic() - started) * 1000
            if self._observe is not None:
                self._observe(self._without_prefix(scope)["path"], status, took / 1000)
            path = visible(scope["path"])[:_LONGEST_PATH]
            LOG.info("%s %s %s %d %.0f ms", user or "-", scope["method"], path, status, took)

    def _user(self, scope: Scope, headers: dict[bytes, str]) -> str | None:
        """Who asks, as the trusted proxy says; None from anywhere else."""
        client = scope.get("client")
        if self._options.trust_header is None or not self._options.trusts(client[0] if client else None):
            return None
        return visible(headers.get(self._options.trust_header.lower().encode("latin-1"), ""))[:_LONGEST_USER] or None

    def _without_prefix(self, scope: Scope) -> dict[str, Any]:
        """The scope as the pages know it, whether the proxy has removed its prefix or not."""
        prefix, path = self._options.prefix, scope["path"]
        if prefix and path.startswith(prefix + "/"):
            return {**scope, "path": path[len(prefix) :], "raw_path": b""}
        return dict(scope)


async def _refuse(send: Send, status: int, words: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = f"{words}\n".encode()
    head = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*head, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
