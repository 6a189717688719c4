"""`conditions`: which values occur, to choose filters from."""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.filters import filter_options, filter_words
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.results import RowOutput, deliver, output_options


@click.command(
    "conditions",
    cls=LakeCommand,
    params=[*output_options(), *filter_options()],
    example="sxeslake conditions\nsxeslake conditions --instrument JXA-8530F",
)
@pass_app
def command(app: App, /, limit: int | None, **words: Any) -> None:
    """Count the values of each condition: voltages, currents, gratings, spectrometers, instruments, accumulations.

    `sxeslake query conditions-in-use` shows which of them occur together.
    """
    output = RowOutput.of(words)
    with app.open_lake() as lake:
        result = lake.query("condition-values", filter_words(words), limit=limit, stream=True)
        deliver(app, result, output)
