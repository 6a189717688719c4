"""Arguments that name samples, and their completion in the shell."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from sxeslake.cli.app import App
from sxeslake.errors import SxeslakeError


def complete_sample(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The samples whose names start as the word does."""
    given = ctx.find_object(App) or App()
    try:
        with App(given.word, given.storage_options, quiet=True).open_lake() as lake:
            names = sorted({row.sample for row in lake.ls()})
    except SxeslakeError:  # no lake, no network: nothing to offer, and a prompt is no place for an error
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


sample_argument = click.argument("ref", metavar="SAMPLE[@V]", shell_complete=complete_sample)
samples_argument = click.argument("refs", nargs=-1, metavar="SAMPLE[@V]...", shell_complete=complete_sample)
