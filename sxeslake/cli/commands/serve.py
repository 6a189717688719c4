"""`serve`: a read-only web page for lakes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import SERVE, document
from sxeslake.cli.options import LakesCommand, keep_lake

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from sxeslake.lake import Lake
    from sxeslake.web.options import ServeOptions

_WAIT_FOR_STORAGE_S = 5.0
"""A page says that storage is away; nobody watches an empty window for a minute."""


class _ServeCommand(LakesCommand):
    """`--lake` has another default here: every lake of `use` is shown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [param for param in self.params if param.name != "lake"]
        self.params.append(
            click.Option(
                ["--lake", "shown"], metavar="URL", multiple=True, shell_complete=suggest.lake,
                expose_value=False, callback=keep_lake,
                help="A lake to show, or a group of `use`; repeat for more.  "
                "[default: all lakes of `sxeslake use`, else the embedded one]",
            )
        )  # fmt: skip


@click.command(
    "serve",
    cls=_ServeCommand,
    example="sxeslake serve --open\n"
    "sxeslake serve --lake epma --lake s3://old/lake --port 8321\n"
    "sxeslake serve --prefix /lake --allow-host lab.example.org \\\n"
    "  --trust-header X-Remote-User --trusted-proxy 127.0.0.1",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), show_default=True, help="The port; 0 takes any.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@click.option("--prefix", default="", metavar="/PATH", help="The path below which a proxy publishes the page.")
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A host name under which browsers reach it.")
@click.option("--trust-header", metavar="NAME", help="The header in which a proxy names the user: X-Remote-User.")
@click.option(
    "--trusted-proxy", "proxies", multiple=True, metavar="ADDRESS", help="Where that header counts from: 127.0.0.1."
)
@pass_app
def command(
    app: App,
    host: str,
    port: int,
    open_browser: bool,
    prefix: str,
    hosts: tuple[str, ...],
    trust_header: str | None,
    proxies: tuple[str, ...],
    skip_unreachable: bool | None,
) -> None:
    """Show lakes in a browser, read-only, until Ctrl-C.

    Find measurements by their conditions, see maps and spectra, compare them with your own standards, and take away
    what matters. Listens to this machine only, unless --host says otherwise; there are no passwords: behind a proxy,
    let it decide who may enter. With -v every request is a line on stderr.
    """
    from sxeslake.settings import named_lakes  # noqa: PLC0415
    from sxeslake.web.options import ServeOptions  # noqa: PLC0415  (start-up time of --help, here and below)

    own = (host,) if host not in ("0.0.0.0", "::") else ()
    options = ServeOptions(
        prefix=prefix,
        hosts=(*own, *hosts),
        trust_header=trust_header,
        trusted_proxies=proxies,
        named=frozenset(named_lakes()),
    )
    app.retry_for_s = _WAIT_FOR_STORAGE_S if app.retry_for_s is None else app.retry_for_s
    with ExitStack() as opened:
        lakes = _open_all(app, app.words or _used(app), opened, skip_unreachable=bool(skip_unreachable))
        serve_lakes(app, lakes, options, host, port, open_browser=open_browser)


def serve_lakes(
    app: App,
    lakes: Mapping[str, Lake],
    options: ServeOptions,
    host: str,
    port: int,
    *,
    open_browser: bool,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve lakes that are open, and say where."""
    from sxeslake.web.server import listening, serve  # noqa: PLC0415

    listener: socket.socket = listening(host, port)

    def told(address: str) -> None:
        if app.as_json:
            app.emit(document({"url": address, "lakes": list(lakes)}, SERVE))
        else:
            app.print(f"Open {address} in a browser. Ctrl-C ends.")

    with listener:
        serve(
            lakes,
            options,
            listener,
            ready=ready or told,
            open_browser=open_browser,
            log=app.verbose > 0 and app.log is None,
        )


def _used(app: App) -> tuple[str, ...]:
    """All lakes that `use` knows, unless the environment names one."""
    from sxeslake.settings import named_lakes  # noqa: PLC0415

    return () if app.resolve()[1] == "environment" else tuple(named_lakes())


def _open_all(
    app: App, words: tuple[str, ...], opened: ExitStack, *, skip_unreachable: bool
) -> Mapping[str, Lake]:  # fmt: skip
    """The lakes by the names that people read."""
    if not words:
        return {"lake": opened.enter_context(app.open_lake())}
    from sxeslake.lakes import opened_as_one  # noqa: PLC0415

    return opened.enter_context(opened_as_one(words, app.open_one_of, skip_unreachable=skip_unreachable, tell=app.warn))
