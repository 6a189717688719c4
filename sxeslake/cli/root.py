"""The command `sxeslake`: what commands there are, each loaded when it is called."""

from __future__ import annotations

import difflib
from importlib import import_module

import click

from sxeslake.cli.options import global_options, split_options
from sxeslake.version import __version__

SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "demo": "Demonstrate sxeslake on synthetic data.",
        "init": "Create a lake in an empty folder or bucket.",
        "use": "Name a lake and make it the default.",
        "doctor": "Check software, settings and lake, and suggest fixes.",
    },
    "Put archives in": {
        "report": "Tell how much of a folder is duplicate before storing it.",
        "plan": "Plan an ingest by several workers or machines.",
        "ingest": "Store archives: files, and folders searched for them.",
        "watch": "Store archives as they appear in folders and shares.",
        "convert": "Turn files of instruments into one archive.",
        "exact": "Find recipes that rebuild original files bit for bit.",
        "audit": "Check which files the lake already holds.",
        "identify": "Tell what files and folders of an instrument are.",
        "formats": "List the vendor formats that `identify` recognises.",
    },
    "Look": {
        "ls": "List samples, or the files of one sample.",
        "show": "Show what a version holds and where it comes from.",
        "members": "List the files of an archive in their order.",
        "cat": "Write one file of an archive to stdout.",
        "stats": "Show the size of the lake and what deduplication saves.",
        "log": "Show the history of the lake or of some samples.",
        "diff": "Compare two archives.",
        "plot": "Draw spectra, maps, the stage and camera images.",
        "serve": "Show lakes in a browser, read-only.",
    },
    "Ask": {
        "query": "Answer a question about the whole lake, or run SQL.",
        "find": "Find words in names, comments and JSON documents.",
        "conditions": "Count the values of each measurement condition.",
        "schema": "Show the tables and columns of the catalogue.",
        "compare": "Rank spectra by likeness; find your own standards.",
        "lines": "List X-ray lines of elements, or lines near an energy.",
        "calibration": "Register wavelength and energy axes of spectra.",
        "annotate": "Attach KEY=VALUE to a sample, analysis or position.",
    },
    "Take archives out": {
        "pull": "Pull archives, or parts of them, to this machine.",
        "export": "Write spectra as CSV, Excel, MSA, HMSA, Zarr, hspy, RO-Crate.",
        "originals": "Give back the vendor's files of a converted archive.",
        "sync": "Update an unpacked folder; transfer only what differs.",
    },
    "Keep or forget": {
        "forget": "Mark versions as forgotten, by name or by rule.",
        "restore": "Bring back forgotten versions.",
        "hold": "Protect versions from being forgotten.",
        "release": "Remove the protection of `hold`.",
        "rename": "Give a sample another name.",
        "migrate": "Bring older archives to the newest form of the format.",
        "interpret": "Read stored files of instruments; make them an archive.",
        "tidy": "Join samples that are copies of one another.",
        "tag": "Give a version a name, such as paper-2026.",
        "gc": "Free the space of forgotten versions and failed uploads.",
        "repack": "Compress what is stored again, in fewer bytes.",
    },
    "Check and maintain": {
        "verify": "Check the log, the manifests and, with --data, every byte.",
        "health": "Tell when commands last ran unattended, and how it ended.",
        "drill": "Pull a random sample of files and compare them.",
        "repair": "Repair the lake from copies, caches and archives.",
        "copy": "Copy a lake, or some samples, into another lake.",
        "checkpoint": "Publish log and catalogue, so that new machines start fast.",
        "publish": "Publish the catalogue as Delta tables and Parquet.",
        "catalog": "Rebuild the local catalogue and compare it.",
    },
    "Help": {
        "help": "Explain a command, the shared options, or common tasks.",
        "version": "Print the version.",
        "completion": "Print the completion script of a shell.",
    },
}
"""Every command under its heading, with its summary. The command `show` is `command` in the module `cli/show.py`."""

MEANINGS = {
    "get": "pull", "extract": "pull", "download": "pull", "checkout": "pull", "fetch": "pull",
    "unpack": "pull",
    "check": "verify", "fsck": "verify", "scrub": "verify",
    "rm": "forget", "delete": "forget", "remove": "forget", "del": "forget",
    "list": "ls", "dir": "ls",
    "add": "ingest", "backup": "ingest", "put": "ingest", "store": "ingest", "import": "ingest", "upload": "ingest",
    "push": "ingest",
    "search": "find", "grep": "find",
    "prune": "gc",
    "recompress": "repack",
    "info": "show", "inspect": "show", "status": "show",
    "history": "log",
    "undelete": "restore",
    "create": "init",
    "mirror": "copy",
    "label": "annotate",
    "draw": "plot",
    "ask": "query", "sql": "query",
}  # fmt: skip
"""Words of other programs, each with the command of that meaning. They run it; help does not list them."""

DESTRUCTIVE = frozenset({"forget", "gc", "release", "rename", "repair", "tidy"})
"""Never suggested for a misspelt word: a slip must not end in a command that takes away or changes what is there."""


class Root(click.Group):
    """A group that imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = MEANINGS.get(cmd_name, cmd_name)
        if name not in self.list_commands(ctx):
            return None
        module = import_module(f"{__package__}.commands.{name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if not ctx.resilient_parsing and not word.startswith("-") and self.get_command(ctx, word) is None:
            near = near_commands(word)
            hint = f" Did you mean {' or '.join(near)}?" if near else " `sxeslake help tasks` lists what it can do."
            raise click.UsageError(f"There is no command {word!r}.{hint}", ctx)
        _, command, rest = super().resolve_command(ctx, args)
        return (None if command is None else command.name), command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()), col_max=14)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        split_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)


def near_commands(word: str) -> list[str]:
    """The commands that a misspelt word may mean, none of them destructive: `lss` → `["ls"]`."""
    harmless = [name for commands in SECTIONS.values() for name in commands if name not in DESTRUCTIVE]
    other = [name for name, meant in MEANINGS.items() if meant not in DESTRUCTIVE]
    found = _near(word, harmless) or _near(word, other)
    return list(dict.fromkeys(MEANINGS.get(name, name) for name in found))


def _near(word: str, names: list[str]) -> list[str]:
    return difflib.get_close_matches(word.casefold(), names, n=2, cutoff=0.7)


@click.group(
    cls=Root,
    invoke_without_command=True,
    params=global_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  sxeslake ingest map.plzip\n  sxeslake ls\n  sxeslake pull map -o map.pl7z",
    short_help="Store electron-microprobe archives once; query and pull them.",
)
@click.version_option(__version__, message="sxeslake %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """A data lake for electron-microprobe archives: store once, query, pull.

    Archives (.plzip, .pl7z, any zip or 7z, folders) go into a bucket or a folder, where identical content is stored
    once; every version comes back with every byte, name and time. `sxeslake COMMAND --help` explains a command and
    ends with an example; `sxeslake help tasks` starts from what you want to do.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
