"""`cat`: one file of an archive."""

from __future__ import annotations

import sys

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import named
from sxeslake.cli.options import LakeCommand, sample_argument
from sxeslake.cli.words import kept_of_output


@click.command("cat", cls=LakeCommand, example="sxeslake cat map metadata.json")
@sample_argument
@click.argument("member", shell_complete=suggest.member)
@pass_app
def command(app: App, ref: str, member: str) -> None:
    """Write one file of an archive to stdout, byte for byte.

    With --json the content is in the document: as text where it is UTF-8, else as base64.
    """
    app.kept = lambda: kept_of_output(to_stdout=True)
    with app.open_lake() as lake:
        if app.as_json:
            (version,) = lake.resolve([ref])
            app.emit({**named(version), "path": member} | _content(lake.read(version, member)))
            return
        out = sys.stdout.buffer
        for block in lake.stream(ref, member):
            if sys.stdout.isatty() and b"\0" in block:
                raise click.UsageError("this file is binary; send it somewhere: > FILE")
            out.write(block)
        out.flush()


def _content(data: bytes) -> dict[str, object]:
    try:
        return {"size": len(data), "bytes_raw": len(data), "encoding": "utf-8", "data": data.decode()}
    except UnicodeDecodeError:
        from base64 import b64encode  # noqa: PLC0415  (start-up time)

        return {
            "size": len(data),
            "bytes_raw": len(data),
            "encoding": "base64",
            "data": b64encode(data).decode("ascii"),
        }
