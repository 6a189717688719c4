"""`completion`: commands, options and sample names by the Tab key."""

from __future__ import annotations

import os
from pathlib import PurePath

import click
from click.shell_completion import get_completion_class

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.options import LakeCommand

_INSTALL = {
    "bash": 'eval "$(sxeslake completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(sxeslake completion zsh)"  # in ~/.zshrc',
    "fish": "sxeslake completion fish > ~/.config/fish/completions/sxeslake.fish",
}


@click.command("completion", cls=LakeCommand, example="\n".join(_INSTALL.values()))
@click.argument("shell", type=click.Choice(list(_INSTALL)), required=False)
@click.pass_context
@pass_app
def command(app: App, ctx: click.Context, shell: str | None) -> None:
    """Print the completion script of a shell: bash, zsh or fish.

    Without SHELL, that of $SHELL.
    """
    name = shell or PurePath(os.environ.get("SHELL", "")).name
    completer = get_completion_class(name)
    if name not in _INSTALL or completer is None:
        raise click.UsageError(f"say which shell: {', '.join(_INSTALL)}.")
    script = _quoting(completer(ctx.find_root().command, {}, "sxeslake", "_SXESLAKE_COMPLETE").source())
    if app.as_json:
        app.emit({"shell": name, "install": _INSTALL[name], "script": script})
        return
    app.print_data(script)
    app.say(f"To install: {_INSTALL[name]}")


_REPLACED = {
    "for completion in $response; do": "local -; set -f\n    for completion in $response; do",
    "read type value": "read -r type value",
    "COMPREPLY+=($value)": """COMPREPLY+=("$(printf '%q' "$value")")""",
}


def _quoting(script: str) -> str:
    """Click's script with candidates quoted for bash, for a sample may be called `map$(date)`; zsh and fish quote."""
    for before, after in _REPLACED.items():
        script = script.replace(before, after)
    return script
