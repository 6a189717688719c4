"""placeholder"""

import click

from .options import LakeCommand


@click.command("demo", cls=LakeCommand, example="sxeslake demo")
def command():
    """Demo."""
