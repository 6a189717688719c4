"""Running the application by uvicorn: an address to print, a browser to open, an end that is asked for once."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

from sxeslake.errors import StorageError, SxeslakeError, UsageError
from sxeslake.extras import load
from sxeslake.web.guard import LOG
from sxeslake.web.options import ServeOptions

if TYPE_CHECKING:
    from sxeslake.lake import Lake

_BACKLOG: Final = 256
_END_S: Final = 3  # for answers that are under way when the end is asked for


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any. UsageError for an address that this machine does not have."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise UsageError(f"this host has no address: {error.strerror}.", where=f"--host {host}") from None
    except OSError as error:
        raise StorageError(
            f"cannot listen there: {error.strerror}.", where=f"{host}:{port}", hint="Another --port, or 0 for any."
        ) from None


def address_of(listener: socket.socket, prefix: str) -> str:
    """`http://127.0.0.1:8321/lake/`."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{prefix}/"


def serve(
    lakes: Mapping[str, Lake],
    options: ServeOptions,
    listener: socket.socket,
    *,
    ready: Callable[[str], None],
    open_browser: bool = False,
    log: bool = False,
) -> None:
    """Serve until somebody asks for the end by Ctrl-C or a signal; then finish what is under way.

    Raises MissingExtraError where the extra `web` is not installed.
    """
    uvicorn = load("uvicorn", "web", "the web page")
    for module in ("starlette", "jinja2"):
        load(module, "web", "the web page")
    from sxeslake.web.app import create_app  # noqa: PLC0415 - needs the extra

    if log:
        _log_requests()
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancelled_answer)
    config = uvicorn.Config(
        create_app(lakes, options), log_config=None, access_log=False, log_level="warning", server_header=False,
        date_header=True, lifespan="off", timeout_graceful_shutdown=_END_S, proxy_headers=False, ws="none",
    )  # fmt: skip
    address = address_of(listener, options.prefix)
    ready(address)
    threading.Thread(target=_warm, args=(list(lakes.values()),), daemon=True).start()
    if open_browser:
        webbrowser.open(address)
    with listener, suppress(KeyboardInterrupt):  # uvicorn ends in good order, then raises the signal once more
        uvicorn.Server(config).run(sockets=[listener])


def _warm(lakes: Sequence[Lake]) -> None:
    """Load what the first page would wait for: libraries, and the catalogue of each lake."""
    from sxeslake.web.render import prepare  # noqa: PLC0415 - needs the extra

    prepare()
    for module in ("sxeslake.archive.sxes.group", "sxeslake.catalog.measurement", "sxeslake.catalog.query.measured"):
        import_module(module)
    for lake in lakes:
        try:
            lake.query("analyses-by-condition", limit=1)
        except SxeslakeError as error:  # the page that needs it says the same to whoever asks
            LOG.warning("a lake cannot be read now: %s", error.what)


def _is_no_cancelled_answer(record: logging.LogRecord) -> bool:
    """Whether a record of uvicorn says anything: an answer that the end of the server cuts off is no fault."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _log_requests() -> None:
    """A line a request, on stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
