"""`conditions`: which values occur, to choose filters from."""

from __future__ import annotations

from typing import Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.filters import filter_options, filter_words
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.results import deliver, output_options


@click.command(
    "conditions",
    cls=LakeCommand,
    params=[*output_options(), *filter_options()],
    example="sxeslake conditions\nsxeslake conditions --instrument JXA-8530F",
)
@pass_app
def command(
    app: App, /, format_name: str | None, out: str | None, force: bool | None, limit: int | None, raw: bool | None,
    **filters: Any,
) -> None:  # fmt: skip
    """Count the values of each condition: voltages, currents, gratings, spectrometers, instruments, accumulations.

    `sxeslake query conditions-in-use` shows which of them occur together.
    """
    with app.open_lake() as lake:
        result = lake.query("condition-values", filter_words(filters), limit=limit, stream=True)
        deliver(app, result, format_name, out, raw=raw, force=force)
