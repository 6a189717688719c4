"""`query`: questions to the whole lake, those of the library, one's own, or free SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.filters import filter_options, filter_words
from sxeslake.cli.options import LakesCommand
from sxeslake.cli.results import RowOutput, deliver, output_options
from sxeslake.cli.words import shown, table
from sxeslake.errors import SxeslakeError

if TYPE_CHECKING:
    from sxeslake.catalog.query.header import Parameter, Query
    from sxeslake.catalog.query.library import Library
    from sxeslake.catalog.query.sandbox import SandboxLimits

_QUERY = "sxeslake.query"
_PREFIX = "parameter_"


class QueryCommand(LakesCommand):
    """A command whose options follow from the query that is named: its parameters, and the filters if it takes them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        name, folders = self._peek(ctx, args)
        if name is not None:
            try:
                ctx.meta[_QUERY] = _library(folders).get(name)
            except SxeslakeError:
                if not ctx.resilient_parsing:
                    raise
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        params = super().get_params(ctx)
        query: Query | None = ctx.meta.get(_QUERY)
        if query is None:
            return [*params, *filter_options(hidden=True)]
        own = [_parameter_option(parameter) for parameter in query.parameters]
        filters = filter_options(hidden=query.over is None, without=[parameter.name for parameter in query.parameters])
        taken = {flag for option in own for flag in option.opts}
        return [*own, *filters, *(param for param in params if not taken & set(param.opts))]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        query: Query | None = ctx.meta.get(_QUERY)
        if query is None:
            super().format_help_text(ctx, formatter)
            return
        with formatter.indentation():
            for text in (f"{query.title}.", query.help):
                formatter.write_paragraph()
                formatter.write_text(text)

    def _peek(self, ctx: click.Context, args: Sequence[str]) -> tuple[str | None, list[str]]:
        """The query's name and the folders of queries, before any option is known."""
        known = {flag: param for param in self.get_params(ctx) for flag in param.opts}
        names: list[str] = []
        folders: list[str] = []
        waiting = iter(args)
        for word in waiting:
            if not word.startswith("-") or word == "-":
                names.append(word)
                continue
            if word[1] != "-" and len(word) > len("-v"):
                continue  # `-vv`, `-oFILE`
            flag, equals, value = word.partition("=")
            option = known.get(flag)
            if equals or (isinstance(option, click.Option) and (option.is_flag or option.count)):
                pass
            else:
                value = next(waiting, "")
            if flag == "--queries":
                folders.append(value)
        return (names[0] if names else None), folders


def _library(folders: Sequence[str]) -> Library:
    from pathlib import Path  # noqa: PLC0415  (start-up time of --help, here and below)

    from sxeslake.catalog.query import library  # noqa: PLC0415

    return library.load([Path(folder) for folder in folders])


def _parameter_option(parameter: Parameter) -> click.Option:
    """`radius number [mm] = 0.1: …` → `--radius NUMBER`."""
    flag = parameter.name.replace("_", "-")
    unit = f" {parameter.unit}" if parameter.unit else ""
    fact = "required" if parameter.required else f"default: {parameter.default}{unit}" if parameter.default else unit
    text = f"{parameter.help}  [{fact.strip()}]" if fact else parameter.help
    if parameter.type == "flag":
        return click.Option([f"--{flag}/--no-{flag}", _PREFIX + parameter.name], default=None, help=text)
    return click.Option(
        [f"--{flag}", _PREFIX + parameter.name],
        metavar=parameter.type.upper(),
        help=text,
        shell_complete=suggest.values(parameter.name),
    )


@click.command(
    "query",
    cls=QueryCommand,
    params=output_options(),
    example="sxeslake query maps-by-beam-condition --kv 5 --current-na 90..110\n"
    "sxeslake query positions-by-condition --current-na ..99.7 -o positions.csv\n"
    'sxeslake query --sql "SELECT grating, count(*) FROM positions GROUP BY ALL"\n'
    "sxeslake query maps-by-beam-condition --kv 5 --lake epma --lake site-b",
)
@click.argument("name", required=False, shell_complete=suggest.question)
@click.option(
    "--sql", metavar="SELECT", help="Free SQL over the catalogue instead; `sxeslake schema` shows the tables."
)
@click.option(
    "--queries",
    "folders",
    metavar="DIR",
    multiple=True,
    shell_complete=suggest.folder,
    help="A folder of your own queries, .sql files.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Seconds that --sql or a query of your own may take.  [default: 30]",
)
@click.option("--memory", metavar="SIZE", help="Memory that it may take, such as 4GiB.  [default: 2 GiB]")
@pass_app
def command(
    app: App,
    /,
    name: str | None = None,
    sql: str | None = None,
    folders: tuple[str, ...] = (),
    timeout: float | None = None,
    memory: str | None = None,
    limit: int | None = None,
    skip_unreachable: bool | None = None,
    **words: Any,
) -> None:
    """Ask the whole lake: questions of the library, your own, or free SQL.

    Without NAME it lists the questions; `sxeslake query NAME --help` shows one's parameters. A range is a..b, ..b or
    a..; a single voltage or current means that value within a tolerance, which is printed and can be set. An
    analysis matches when all its positions do, with --match any when one does.
    """
    output = RowOutput.of(words)
    given = filter_words(words) | _parameters(words)
    app.kept = lambda: "The lake is unchanged; run the same command again."
    if sql is not None:
        if name or given:
            raise click.UsageError("--sql cannot be combined with a query's name, parameters or filters.")
        limits = _limits(timeout, memory, limit)
        with app.open_reading(skip_unreachable=bool(skip_unreachable)) as lake:
            # All rows first: a query that fails halfway must not leave half a document.
            deliver(app, lake.sql(sql, limits=limits), output)
    elif name is not None:
        known: Query | None = click.get_current_context().meta.get(_QUERY)  # absent where NAME stands behind `--`
        trusted = (known if known is not None and known.name == name else _library(folders).get(name)).trusted
        if trusted and (timeout is not None or memory is not None):
            raise click.UsageError("--timeout and --memory go with --sql and queries of your own.")
        limits = _limits(timeout, memory, limit)
        with app.open_reading(skip_unreachable=bool(skip_unreachable)) as lake:
            result = lake.query(name, given, limit=limit, queries=folders, limits=limits, stream=trusted)
            deliver(app, result, output, is_question=True)
    elif timeout is not None or memory is not None:
        raise click.UsageError("--timeout and --memory go with --sql and queries of your own.")
    elif given:
        raise click.UsageError("which question? `sxeslake query` lists them.")
    else:
        _list(app, list(_library(folders)))


def _parameters(words: dict[str, Any]) -> dict[str, object]:
    found = {name.removeprefix(_PREFIX): value for name, value in words.items() if name.startswith(_PREFIX)}
    return {name: value for name, value in found.items() if value is not None}


def _limits(timeout: float | None, memory: str | None, rows: int | None) -> SandboxLimits:
    from dataclasses import replace  # noqa: PLC0415

    from sxeslake.catalog.query.quantity import parse_number  # noqa: PLC0415
    from sxeslake.catalog.query.sandbox import SandboxLimits  # noqa: PLC0415

    limits = SandboxLimits(rows=rows)
    if timeout is not None:
        limits = replace(limits, seconds=timeout)
    if memory is not None:
        limits = replace(limits, memory_bytes=int(parse_number(memory, "B", "--memory")))
    return limits


def _list(app: App, queries: list[Query]) -> None:
    if app.as_json:
        app.emit([_document(query) for query in queries])
        return
    for line in table(("query", "answers"), [(query.name, query.title) for query in queries]):
        app.print(line)
    app.say("`sxeslake query NAME --help` shows a question's parameters; --sql asks anything else.")


def _document(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "title": query.title,
        "help": query.help,
        "parameters": [
            {
                "name": parameter.name, "type": parameter.type, "unit": parameter.unit,
                "default": parameter.default, "required": parameter.required, "help": parameter.help,
            }
            for parameter in query.parameters
        ],
        "filters": query.over,
        "source": shown(query.source),
    }  # fmt: skip
