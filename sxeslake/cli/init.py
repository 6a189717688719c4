"""`init`: make a lake."""

from __future__ import annotations

import click

from sxeslake.cli import suggest
from sxeslake.cli.app import App, pass_app
from sxeslake.cli.options import LakeCommand


@click.command(
    "init",
    cls=LakeCommand,
    example="sxeslake init s3://epma-archive/lake --storage-option profile=epma",
)
@click.argument("url", required=False, shell_complete=suggest.folder)
@pass_app
def command(app: App, url: str | None) -> None:
    """Make a lake in an empty folder or bucket.

    The storage is probed first: it must be able to create an object only where there is none, also when two
    writers race. The embedded lake needs no `init`.
    """
    from sxeslake.lake import init  # noqa: PLC0415  (start-up time of --help)

    app.word = url or app.word
    with init(app.word, storage_options=app.storage_options, retry_for_s=app.retry_for_s) as lake:
        if app.as_json:
            app.emit({"lake": lake.url, "created": True})
        else:
            app.print(f"Made a lake at {lake.url}")
            app.say("Put archives in with: sxeslake ingest PATH" + (f" --lake {lake.url}" if url else ""))
