"""`ls`: what is in the lake."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import LS, LS_LONG, document
from sxeslake.cli.options import LakesCommand
from sxeslake.cli.words import clock, count, local_time, numbers, size, table, texts
from sxeslake.errors import NotFoundError
from sxeslake.text import table as texttable

if TYPE_CHECKING:
    from sxeslake.catalog.measurement import Conditions
    from sxeslake.lake import Lake
    from sxeslake.views import SampleRow


_Version = tuple[str, str, int]
"""Lake, empty where one is asked, sample, number."""

_OPTIONAL = ("from", "stored at", "files")
"""Columns of --long that a narrow window does without, this first."""


@click.command(
    "ls",
    cls=LakesCommand,
    example='sxeslake ls\nsxeslake ls "2018/*" ti-grains --long\nsxeslake ls --lake epma --lake s3://other/lake',
)
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...", shell_complete=suggest.sample)
@click.option("--all-versions", is_flag=True, help="Every version, not only the newest of each sample.")
@click.option("-l", "--long", "is_long", is_flag=True, help="Also voltages, currents, gratings, and when acquired.")
@pass_app
def command(
    app: App, patterns: tuple[str, ...], all_versions: bool, is_long: bool, skip_unreachable: bool | None
) -> None:
    """List samples, the newest version of each; of one sample also its files.

    PATTERN is a name, or a glob in which `*` also crosses `/`. NAME and NAME@V list the files of that version.
    With --lake twice or more, or a group of `sxeslake use --group`, the samples of all these lakes.
    """
    with app.open_reading(skip_unreachable=bool(skip_unreachable)) as opened:
        rows = opened.ls(patterns or "*", all_versions=all_versions)
        lakes: Mapping[str, Lake] = opened if isinstance(opened, Mapping) else {"": opened}
        conditions = {
            (name, *version): found
            for name, lake in (lakes.items() if is_long and rows else ())
            for version, found in lake.conditions_of_samples().items()
        }
        names_one = len(patterns) == 1 and not any(lake.is_pattern(patterns[0]) for lake in lakes.values())
        single = patterns[0] if names_one else None
        files = [] if single is None or app.as_json else _files(lakes, single, rows)
        there = 0 if rows or files else len(opened.ls())
        title = app.lake_title() if app.as_json and rows and not rows[0].lake else ""
    if app.as_json:
        app.emit([_document(row, conditions if is_long else None, title) for row in rows])
    elif rows:
        for line in _long(rows, conditions) if is_long else _short(rows):
            app.print(line)
    if files:
        if rows:
            app.print()
        for line in _of_lakes([lake for lake, *_ in files], ("bytes", "modified", "file"), [row for _, *row in files]):
            app.print(line)
    elif not rows:
        app.say(_nothing(patterns, there, single))


def _files(lakes: Mapping[str, Lake], single: str, rows: Sequence[SampleRow]) -> list[tuple[str, int, str, str]]:
    """The files of one version, in each lake that has it."""
    having = {row.lake for row in rows}
    return [
        (name, row.size, str(row.modified or ""), row.path + ("/" if row.kind == "directory" else ""))
        for name, lake in lakes.items()
        if name in having or ("@" in single and (len(lakes) == 1 or _has(lake, single)))
        for row in lake.members(single)
    ]


def _has(lake: Lake, ref: str) -> bool:
    try:
        return lake.resolve(ref) != []
    except NotFoundError:
        return False


def _of_lakes(lakes: Sequence[str], heads: tuple[str, ...], cells: Sequence[Sequence[Any]]) -> list[str]:
    """A table, with a first column `lake` where several are asked."""
    if not any(lakes):
        return table(heads, [tuple(row) for row in cells])
    return table(("lake", *heads), [(lake, *row) for lake, row in zip(lakes, cells, strict=True)])


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
    heads = ("sample", "version", "kind", "files", "archive", "stored at", "from")
    return _of_lakes([row.lake for row in rows], heads, cells)


def _long(rows: Sequence[SampleRow], conditions: Mapping[_Version, Conditions]) -> list[str]:
    """The same with what was measured; a narrow window does without the least of it."""
    lines = [(row, conditions.get((row.lake, row.sample, row.version))) for row in rows]
    lakes = [row.lake for row in rows]
    columns: dict[str, list[Any]] = {"lake": lakes} if any(lakes) else {}
    columns |= {
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


def _document(row: SampleRow, conditions: Mapping[_Version, Conditions] | None, title: str) -> dict[str, Any]:
    made = document(row, LS) | {"lake": row.lake or title}
    if conditions is not None:
        found = conditions.get((row.lake, row.sample, row.version))
        made |= document(found, LS_LONG) if found else dict.fromkeys(LS_LONG)
    return made
