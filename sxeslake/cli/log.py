"""`log`: who did what, and when."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import LOG, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.refs import complete_sample
from sxeslake.cli.words import local_time, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sxeslake.lake import Lake
    from sxeslake.upkeep.history import LogRow

_NAMES = 3  # archives in a line; --json has all


@click.command("log", cls=LakeCommand, example="sxeslake log ti-grains")
@click.argument("sample", required=False, shell_complete=complete_sample)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The newest N only.")
@pass_app
def command(app: App, sample: str | None, limit: int | None) -> None:
    """Tell the history of the lake, or of one SAMPLE (a name, NAME@V or a glob), newest first."""
    with app.open_lake() as lake:
        rows = _history(lake, sample, limit)
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


def _history(lake: Lake, sample: str | None, limit: int | None) -> Iterator[LogRow]:
    """The commits that concern a sample, or one version of it; an error for a name that never was."""
    rows = iter(lake.log(sample, limit=limit))
    first = next(rows, None)
    if first is not None or sample is None:
        return chain(() if first is None else (first,), rows)
    (version, *_) = lake.resolve([sample])
    name = version.rpartition("@")[0]
    return islice((row for row in lake.log(name) if not {name, version}.isdisjoint(row.archives)), limit)


def _names(archives: list[str]) -> str:
    more = f" … and {len(archives) - _NAMES:,} more" if len(archives) > _NAMES else ""
    return ", ".join(archives[:_NAMES]) + more
