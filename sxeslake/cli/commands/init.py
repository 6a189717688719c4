"""`init`: make a lake."""

from __future__ import annotations

from pathlib import Path

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.options import LakeCommand
from sxeslake.errors import UsageError


@click.command(
    "init",
    cls=LakeCommand,
    example="sxeslake init s3://epma-archive/lake --storage-option profile=epma",
)
@click.argument("url", required=False, shell_complete=suggest.folder)
@pass_app
def command(app: App, url: str | None) -> None:
    """Make a lake in an empty folder or bucket.

    The storage is probed first: it must be able to create an object only where none exists, also when two
    writers race. The embedded lake needs no `init`. Without URL it is the lake in use, whose folder must have a parent.
    """
    from sxeslake.lake import init  # noqa: PLC0415  (start-up time of --help)

    app.word = url or app.word
    if app.word is None:
        _check_place(*app.resolve())
    with init(app.word, storage_options=app.storage_options, retry_for_s=app.retry_for_s) as lake:
        if app.as_json:
            app.emit({"lake": lake.url, "created": True})
        else:
            app.print(f"Made a lake at {lake.url}")
            app.say("Put archives in with: sxeslake ingest PATH" + (f" --lake {lake.url}" if url else ""))


def _check_place(url: str, how: str) -> None:
    """A whole tree of folders is made only where it was named in this call: a lake in use may be misspelt."""
    from sxeslake.storage.address import parse  # noqa: PLC0415  (start-up time of --help)

    address = parse(url)
    if how != "default" and address.scheme == "file" and not Path(address.path).parent.is_dir():
        raise UsageError(
            "the lake in use is in a folder that does not exist; nothing was made.",
            where=url,
            hint=f"`sxeslake init {url}` makes it nevertheless.",
        )
