"""`find`: words, wherever they stand."""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.filters import filter_options, filter_words
from sxeslake.cli.options import LakesCommand
from sxeslake.cli.results import RowOutput, deliver, output_options


@click.command(
    "find",
    cls=LakesCommand,
    params=[*output_options(), *filter_options(without=["text"])],
    example="sxeslake find CuFeS2\nsxeslake find iron oxide --kv 5 --since 2018\n"
    "sxeslake find CuFeS2 --lake epma --lake site-b",
)
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@pass_app
def command(app: App, /, words: tuple[str, ...], limit: int | None, skip_unreachable: bool | None, **more: Any) -> None:
    """Find words in names, comments, operators, projects, source paths, annotations and JSON documents.

    All words must occur in one text, in any order and case. Filters narrow it to archives with an analysis that fits.
    """
    output = RowOutput.of(more)
    with app.open_reading(skip_unreachable=bool(skip_unreachable)) as lake:
        chosen = {**filter_words(more), "text": " ".join(words)}
        result = lake.query("find-text", chosen, limit=limit, stream=True)
        deliver(app, result, output, is_question=True)
