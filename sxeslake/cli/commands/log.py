"""`log`: who did what, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import LOG, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import local_time, table

if TYPE_CHECKING:
    from sxeslake.lake import Lake

_NAMES = 3  # archives in a line; --json has all


@click.command("log", cls=LakeCommand, example="sxeslake log ti-grains\nsxeslake log '2018/*' ti-grains@2 --limit 10")
@click.argument("samples", nargs=-1, metavar="[SAMPLE[@V]]...", shell_complete=suggest.sample)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The newest N only.")
@pass_app
def command(app: App, samples: tuple[str, ...], limit: int | None) -> None:
    """Tell the history of the lake, or of some samples (names, NAME@V or globs), newest first."""
    with app.open_lake() as lake:
        _check_known(lake, samples)
        rows = lake.log(samples, limit=limit)
        if app.as_json:
            app.emit_rows(document(row, LOG) for row in rows)
            return
        cells = [
            (
                row.number,
                local_time(row.time),
                f"{row.who}@{row.host}",
                ", ".join(row.what),
                _names(row.archives),
                row.message or "",
            )
            for row in rows
        ]
    for line in table(("commit", "time", "who", "what", "archives", "message"), cells):
        app.print(line)


def _check_known(lake: Lake, samples: tuple[str, ...]) -> None:
    """Refuse a name that never was."""
    for sample in samples:
        if next(iter(lake.log(sample, limit=1)), None) is None:
            lake.resolve([sample])


def _names(archives: list[str]) -> str:
    more = f" … and {len(archives) - _NAMES:,} more" if len(archives) > _NAMES else ""
    return ", ".join(archives[:_NAMES]) + more
