"""`formats`: which files of instruments are recognised, and how the reader of each was verified."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import FORMATS
from sxeslake.cli.options import LakeCommand


@click.command("formats", cls=LakeCommand, example="sxeslake formats\nsxeslake formats --json")
@pass_app
def command(app: App) -> None:
    """List the vendor formats that `identify` recognises.

    Each line says how its reader was verified: on real files of an instrument, or from a description alone. Files are
    recognised by their content, never by their suffix alone. Needs no lake.
    """
    from sxeslake.vendor.readers import READERS  # noqa: PLC0415  (start-up time of --help)

    if app.as_json:
        app.emit([{key: getattr(reader, key) for key in FORMATS} for reader in READERS])
        return
    for reader in READERS:
        app.print(f"{reader.name:<18}{reader.title}")
        app.print(f"{'':<18}Verified: {reader.verified}")
