"""`ls`: what is in the lake."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import LS, LS_LONG, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import clock, count, local_time, numbers, size, table, texts
from sxeslake.text import table as texttable

if TYPE_CHECKING:
    from sxeslake.catalog.measurement import Conditions
    from sxeslake.views import SampleRow


_OPTIONAL = ("from", "stored at", "files")
"""Columns of --long that a narrow window does without, this first."""


@click.command(
    "ls", cls=LakeCommand, example='sxeslake ls\nsxeslake ls "2018/*" ti-grains --long\nsxeslake ls ti-grains'
)
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=suggest.sample)
@click.option("--all-versions", is_flag=True, help="Every version, not only the newest of each sample.")
@click.option("-l", "--long", "is_long", is_flag=True, help="Also voltages, currents, gratings, and when acquired.")
@pass_app
def command(app: App, patterns: tuple[str, ...], all_versions: bool, is_long: bool) -> None:
    """List samples, the newest version of each; of one sample also its files.

    PATTERN is a name, or a glob in which `*` also crosses `/`. NAME and NAME@V list the files of that version.
    """
    with app.open_lake() as lake:
        rows = lake.ls(patterns or "*", all_versions=all_versions)
        conditions = lake.conditions_of_samples() if is_long and rows else {}
        single = patterns[0] if len(patterns) == 1 and not lake.is_pattern(patterns[0]) else None
        members = lake.members(single) if single is not None and (rows or "@" in single) and not app.as_json else ()
        files = [
            (row.size, str(row.modified or ""), row.path + ("/" if row.kind == "directory" else "")) for row in members
        ]
        there = 0 if rows or files else len(lake.ls())
    if app.as_json:
        app.emit([_document(row, conditions if is_long else None) for row in rows])
    elif rows:
        for line in _long(rows, conditions) if is_long else _short(rows):
            app.print(line)
    if files:
        if rows:
            app.print()
        for line in table(("bytes", "modified", "file"), files):
            app.print(line)
    elif not rows:
        app.say(_nothing(patterns, there, single))


def _nothing(patterns: tuple[str, ...], there: int, single: str | None) -> str:
    """Why there is nothing to list."""
    if not there:
        return "The lake is empty; `sxeslake ingest PATH` stores archives."
    if single is not None:
        return f"No sample is called {single!r}; `sxeslake ls` lists all {there:,}."
    fits = " or ".join(map(repr, patterns))
    return f"No sample fits {fits}: none of {count(there, 'sample')}; `sxeslake ls` lists all."


def _short(rows: Sequence[SampleRow]) -> list[str]:
    cells = [
        (
            row.sample, str(row.version), row.kind, row.members, size(row.bytes_source),
            local_time(row.ingested_at), row.name,
        )
        for row in rows
    ]  # fmt: skip
    return table(("sample", "version", "kind", "files", "archive", "stored at", "from"), cells)


def _long(rows: Sequence[SampleRow], conditions: Mapping[tuple[str, int], Conditions]) -> list[str]:
    """The same with what was measured; a narrow window does without the least of it."""
    lines = [(row, conditions.get((row.sample, row.version))) for row in rows]
    columns: dict[str, list[Any]] = {
        "sample": [row.sample for row, _ in lines],
        "version": [str(row.version) for row, _ in lines],
        "kind": [row.kind for row, _ in lines],
        "kV": [numbers(found.accelerating_voltages_kv, "") if found else "" for _, found in lines],
        "nA": [numbers(found.probe_currents_na, "") if found else "" for _, found in lines],
        "grating": [texts(found.gratings) if found else "" for _, found in lines],
        "acquired": [clock(found.acquired_local) if found and found.acquired_local else "" for _, found in lines],
        "files": [row.members for row, _ in lines],
        "archive": [size(row.bytes_source) for row, _ in lines],
        "stored at": [local_time(row.ingested_at) for row, _ in lines],
        "from": [row.name for row, _ in lines],
    }
    window = texttable.window(sys.stdout)
    for name in ("", *_OPTIONAL):
        columns.pop(name, None)
        cells = [[str(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
        fixed = [name not in ("sample", "from") for name in columns]
        if texttable.fitting(list(columns), cells, fixed, window) is not None:
            break
    return table(list(columns), list(zip(*columns.values(), strict=True)))


def _document(row: SampleRow, conditions: Mapping[tuple[str, int], Conditions] | None) -> dict[str, Any]:
    made = document(row, LS)
    if conditions is not None:
        found = conditions.get((row.sample, row.version))
        made |= document(found, LS_LONG) if found else dict.fromkeys(LS_LONG)
    return made
