"""The command `sxeslake`: what commands there are, each loaded when it is called."""

from __future__ import annotations

import difflib
from importlib import import_module

import click

from sxeslake.cli.options import global_options, split_options
from sxeslake.version import __version__

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("demo", "init", "use", "doctor")),
    ("Put archives in", ("ingest", "exact", "audit")),
    ("Look", ("ls", "show", "members", "cat", "stats", "log", "diff")),
    ("Ask", ("query", "find", "conditions", "schema", "annotate")),
    ("Take archives out", ("pull", "sync")),
    ("Keep or forget", ("forget", "restore", "hold", "release", "tag", "gc")),
    ("Keep it right", ("verify", "repair", "copy", "checkpoint", "catalog")),
    ("Shell", ("completion",)),
)
"""Every command under its heading. The command `show` is `command` in the module `cli/show.py`."""


class Root(click.Group):
    """A group that imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for _, names in SECTIONS for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{__package__}.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if not ctx.resilient_parsing and args[0] not in known and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], known, n=2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, names in SECTIONS:
            rows = [
                (name, command.get_short_help_str(90)) for name in names if (command := self.get_command(ctx, name))
            ]
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=14)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        split_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(
    cls=Root,
    invoke_without_command=True,
    params=global_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  sxeslake ingest map.plzip\n  sxeslake ls\n  sxeslake pull map -o map.pl7z",
)
@click.version_option(__version__, message="sxeslake %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """A data lake for electron-microprobe archives: store once, ask, pull.

    Archives (.plzip, .pl7z, any zip or 7z, folders) go into a bucket or a folder, where equal content is kept once;
    every version comes back with every byte, name and time. `sxeslake COMMAND --help` says more and ends with an
    example.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
