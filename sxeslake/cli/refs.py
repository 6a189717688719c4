"""Arguments that name samples."""

from __future__ import annotations

import click

from sxeslake.cli.completion import suggest

sample_argument = click.argument("ref", metavar="SAMPLE[@V]", shell_complete=suggest.sample)
samples_argument = click.argument("refs", nargs=-1, metavar="SAMPLE[@V]...", shell_complete=suggest.sample)
