"""`completion`: commands, options, file names and what lakes hold by the Tab key."""

from __future__ import annotations

import os
import sys
from pathlib import PurePath

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion.shells import SCRIPTS
from sxeslake.cli.options import LakeCommand

_INSTALL = {
    "bash": 'eval "$(sxeslake completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(sxeslake completion zsh)"  # in ~/.zshrc',
    "fish": "sxeslake completion fish > ~/.config/fish/completions/sxeslake.fish",
    "powershell": "iex (sxeslake completion powershell | Out-String)  # in $PROFILE",
}
_SAME = {"pwsh": "powershell"}


@click.command("completion", cls=LakeCommand, example="\n".join(_INSTALL.values()))
@click.argument("shell", type=click.Choice(list(_INSTALL)), required=False)
@pass_app
def command(app: App, shell: str | None) -> None:
    """Print the completion script of a shell: bash (4.4 or newer), zsh, fish or powershell.

    Without SHELL, that of $SHELL. Completed are file names, samples, versions, tags, files of archives, lakes, tables,
    questions and values, those that this machine has seen: nothing is fetched for it. The script for PowerShell
    has not been run in PowerShell.
    """
    name = shell or PurePath(os.environ.get("SHELL", "")).name
    name = _SAME.get(name, name)
    if name not in _INSTALL:
        raise click.UsageError(f"name the shell: {', '.join(_INSTALL)}.")
    if app.as_json:
        app.emit({"shell": name, "install": _INSTALL[name], "script": SCRIPTS[name]})
        return
    app.print_data(SCRIPTS[name])
    if sys.stdout.isatty():  # a shell that starts must not say it each time
        app.say(f"To install: {_INSTALL[name]}")
