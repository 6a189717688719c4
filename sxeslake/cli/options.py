"""Options that every command takes, the class that adds them to a command; options and arguments that several share."""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App
from sxeslake.cli.completion import suggest
from sxeslake.cli.logs import keep, show
from sxeslake.errors import UsageError
from sxeslake.model import PRESETS
from sxeslake.storage.throttle import parse_rate

SHARED = ("--lake, --json, -v, -q ...", "Options of every command: `sxeslake help options`.")


tree_option = click.option("--tree", is_flag=True, help="Take each folder as one archive of all its files.")

form_option = click.option(
    "--as",
    "as_",
    type=click.Choice(["auto", "vendor", "tree"]),
    default="auto",
    show_default=True,
    help="What folders are: archives and files of instruments, told by content; vendor: convert all; tree: as --tree.",
)

links_option = click.option(
    "--links",
    type=click.Choice(["follow", "keep", "skip"]),
    default="keep",
    show_default=True,
    help="Symbolic links in folders: read all, only those that stay in the searched folders, or none.",
)

preset_option = click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="balanced",
    show_default=True,
    help="How much time compression may take; fast also leaves the search of --exact auto to `sxeslake exact`.",
)

DRY_RUN = ("-n", "--dry-run")
OUT = ("-o", "--out", "--output")
JOBS = ("-j", "--jobs")
"""How these are written in every command that has them."""

PATH = click.Path(readable=False)
"""A file or folder that shells complete; whether it can be read, the command finds and says itself."""

jobs_option = click.option(
    *JOBS, type=click.IntRange(min=1), metavar="N", help="Number of threads.  [default: all processors]"
)

sample_argument = click.argument("ref", metavar="SAMPLE[@V]", shell_complete=suggest.sample)
samples_argument = click.argument("refs", nargs=-1, metavar="SAMPLE[@V]...", shell_complete=suggest.sample)

raw_option = click.option("--raw", is_flag=True, help="Leave names as they are that a spreadsheet takes for formulas.")


def global_options() -> list[click.Parameter]:
    """Fresh copies of the options that stand before or after the command's name."""
    return [
        click.Option(
            ["--lake"],
            metavar="URL",
            multiple=True,
            shell_complete=suggest.lake,
            expose_value=False,
            callback=keep_lake,
            help="The lake: a folder, a URL (s3://bucket/prefix) or a name from `sxeslake use`. "
            "Else $SXESLAKE_LAKE, else the lake in use, else an embedded one. "
            "ls, find, query and serve take several, or a group.",
        ),
        click.Option(
            ["--storage-option"],
            metavar="NAME=VALUE",
            multiple=True,
            expose_value=False,
            callback=_keep_storage_options,
            help="A setting of the storage, such as endpoint_url or profile. Repeat for more.",
        ),
        _limit("up"),
        _limit("down"),
        click.Option(
            ["--retry-for"],
            metavar="TIME",
            expose_value=False,
            callback=_keep_retry_for,
            help="Try again for so long when the storage is away or busy: 90s, 5min; 0 tries once.  "
            "[default: $SXESLAKE_RETRY_FOR, else 60s]",
        ),
        _flag("--json", "as_json", "One JSON document on stdout; words and progress on stderr."),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_keep_verbose,
            help="Show details, decisions, and where an error came from; -vv shows every request, too.",
        ),
        _flag("-q/--quiet", "quiet", "Print only results and errors."),
        click.Option(
            ["--log-format"],
            type=click.Choice(["text", "json"]),
            expose_value=False,
            callback=_keep_log_format,
            help="With json, the log is one JSON object a line: the file of --log-file, else all of stderr.  "
            "[default: text]",
        ),
        click.Option(
            ["--log-file"],
            metavar="FILE",
            type=PATH,
            expose_value=False,
            callback=_keep_log_file,
            help="Append words, warnings and decisions to a file, too; with -vv requests as well.",
        ),
    ]


class LakeCommand(click.Command):
    """A command with the global options, whose help ends with an example."""

    takes_several = False  # lakes

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        self.params.extend(global_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, for the lakes that were named; the log says whose lines they are."""
        app = ctx.ensure_object(App)
        app.command = ctx.command_path.partition(" ")[2] or ctx.command_path
        app.choose_lakes(several=self.takes_several, command=self.name or "")
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        split_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


class LakesCommand(LakeCommand):
    """A command that only reads, and reads several lakes as one."""

    takes_several = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--skip-unreachable"],
                is_flag=True,
                default=None,
                help="Of several lakes, leave out those that do not answer, with a warning.",
            )
        )


class LakeGroup(LakeCommand, click.Group):
    """A command of several, each a `LakeCommand`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def split_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the command's own options; the shared ones are explained once, by `sxeslake help options`."""
    shared = {option.name for option in global_options()}
    records = [
        record
        for param in command.get_params(ctx)
        if isinstance(param, click.Option) and param.name not in shared and (record := param.get_help_record(ctx))
    ]
    with formatter.section("Options"):
        formatter.write_dl([*records, SHARED], col_max=26)


def write_shared_options(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write what the options of every command mean."""
    with formatter.section("Options of every command"):
        formatter.write_dl(
            [record for option in global_options() if (record := option.get_help_record(ctx))], col_max=26
        )


def _flag(names: str, attribute: str, text: str) -> click.Option:
    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(ctx.ensure_object(App), attribute, True)

    return click.Option([*names.split("/"), attribute], is_flag=True, expose_value=False, callback=keep, help=text)


def _limit(way: str) -> click.Option:
    def keep(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        if value:
            try:
                parse_rate(value)
            except UsageError as error:
                raise click.BadParameter(str(error), ctx, param) from error
            setattr(ctx.ensure_object(App), f"limit_{way}", value)

    return click.Option(
        [f"--limit-{way}"],
        metavar="RATE",
        expose_value=False,
        callback=keep,
        help=f"Bytes a second {way}, such as 5MB/s.  [default: $SXESLAKE_LIMIT_{way.upper()}]",
    )


def _keep_verbose(ctx: click.Context, _: click.Parameter, value: int) -> None:
    if value:
        app = ctx.ensure_object(App)
        app.verbose += value
        show(app)


def _keep_log_format(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        app = ctx.ensure_object(App)
        app.log_format = value
        keep(app)


def _keep_log_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    if not value or "\0" in value:
        raise click.BadParameter("name a file, such as /var/log/sxeslake.log", ctx, param)
    app = ctx.ensure_object(App)
    app.log_file = value
    keep(app)


def keep_lake(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> None:
    """Lakes behind a command's name replace those before it."""
    if value:
        app = ctx.ensure_object(App)
        app.words = tuple(filter(None, value))
        app.word = app.words[0] if len(app.words) == 1 else None


def _keep_retry_for(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        from sxeslake.settings import parse_retry_for  # noqa: PLC0415  (start-up time of --help)

        try:
            ctx.ensure_object(App).retry_for_s = parse_retry_for(value, "--retry-for")
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from error


def _keep_storage_options(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> None:
    ctx.ensure_object(App).storage_options.update(_settings_of(ctx, param, values))


def _settings_of(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """`profile=epma` → `profile`: `epma`. What cannot be read is never echoed: it may be a secret."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, setting = value.partition("=")
        if not equals or not key.strip():
            raise click.BadParameter("write NAME=VALUE, such as endpoint_url=https://s3.example.org", ctx, param)
        found[key.strip()] = setting
    return found


def other_storage_option(side: str, which: str) -> click.Option:
    """`--from-storage-option NAME=VALUE`, for a lake that is not the one of --lake; `which` names it in the help."""

    def keep(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        found = _settings_of(ctx, param, values)
        ctx.ensure_object(App).other_options.append(found)
        return found

    return click.Option(
        [f"--{side}-storage-option", f"{side}_options"],
        metavar="NAME=VALUE",
        multiple=True,
        callback=keep,
        help=f"A setting of the storage of {which}. Repeat for more.",
    )
