"""`version`: which sxeslake this is."""

from __future__ import annotations

import platform

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.options import LakeCommand
from sxeslake.version import __version__


@click.command("version", cls=LakeCommand, example="sxeslake version --json")
@pass_app
def command(app: App) -> None:
    """Print the version of sxeslake, as --version does."""
    if app.as_json:
        app.emit({"version": __version__, "python": platform.python_version()})
    else:
        app.print(f"sxeslake {__version__}")
