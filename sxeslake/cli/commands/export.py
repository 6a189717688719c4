"""`export`: spectra in the formats of other programs; without a format, what `pull` does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.commands import pull
from sxeslake.cli.documents import EXPORT, document
from sxeslake.cli.options import LakeCommand, global_options, raw_option
from sxeslake.cli.parts import part_words
from sxeslake.cli.words import count, shown, size
from sxeslake.machine.processes import let_pandas_in

if TYPE_CHECKING:
    from sxeslake.exports.report import ExportReport
    from sxeslake.exports.run import Format

_FORMATS = ("csv", "xlsx", "msa", "hmsa", "zarr", "hspy", "ro-crate")
_ROI = re.compile(r"\s*([\d.]+)\s*\.\.\s*([\d.]+)\s*(\D*?)\s*")
_SHARED = {option.name for option in global_options()}
_TAKEN = {"refs", "out", "every", "force"}
"""Words of `pull` that an export to a format takes, beside the choice of positions."""


@click.command(
    "export",
    cls=LakeCommand,
    params=[option for option in pull.command.params if option.name not in _SHARED],
    example="sxeslake export map --position 1..5 --to csv -o map.csv\n"
    "sxeslake export map --roi 390..400eV --to xlsx -o nitrogen.xlsx\n"
    "sxeslake export map --position 3 --to msa -o spot.msa\n"
    "sxeslake export map@2 --to ro-crate -o map.eln --author 'A. Author'",
)
@click.option("--to", "to", type=click.Choice(_FORMATS), help="The format. Without it, export does what pull does.")
@click.option("--roi", metavar="RANGE", help="With csv, xlsx: counts in a region, 390..400eV, a row a position.")
@click.option("--license", "license_url", metavar="URL", help="With ro-crate: the licence of the data.")
@click.option("--author", "authors", metavar="NAME[;ORCID]", multiple=True, help="With ro-crate. Repeat for more.")
@raw_option
@pass_app
@click.pass_context
def command(
    ctx: click.Context,
    app: App,
    /,
    to: Format | None,
    roi: str | None,
    license_url: str | None,
    authors: tuple[str, ...],
    raw: bool,
    **values: Any,
) -> int:
    """Write spectra as CSV, Excel, EMSA/MAS, HMSA, Zarr, HyperSpy file or RO-Crate (.eln).

    Positions are chosen as for pull: by sample, --position, --analysis, --where or a filter. --types names the data,
    qlw or spectrum. An RO-Crate holds whole archives, or CSV and MSA files of a selection. Nothing half-written is
    left, and nothing is replaced without --force.

    Without --to, this is `sxeslake pull`.
    """
    if to is None:
        if roi or license_url or authors or raw:
            raise click.UsageError("--roi, --license, --author and --raw go with --to FORMAT.")
        return int(ctx.invoke(pull.command.callback, **values) or 0)  # type: ignore[arg-type]
    words = _words(ctx, values)
    if values["out"] in (None, "-"):
        raise click.UsageError(f"name a file or folder: -o OUT for {to}.")
    if to in ("zarr", "hspy"):
        let_pandas_in()
    with app.open_lake() as lake:
        refs = lake.resolve(values["refs"], everything=values["every"]) if values["refs"] or values["every"] else None
        report = lake.export(
            refs,
            values["out"],
            to=to,
            roi=None if roi is None else _roi(roi),
            raw=raw,
            force=values["force"],
            license_url=license_url,
            authors=authors,
            progress=app.progress(),
            **words,
        )
    _tell(app, report)
    return 0


def _words(ctx: click.Context, values: dict[str, Any]) -> dict[str, Any]:
    """Which positions and data, as `Lake.export` takes it. UsageError for options of archives."""
    part = part_words(values)
    words: dict[str, Any] = {**part.words, **part.filters}
    refused: list[str] = [
        name for name in ("query", "sql", "queries", "members", "max_positions", "max_bytes") if name in words
    ]
    refused += ["merge"] * part.merge + ["dry_run"] * part.dry_run
    own = [param for param in ctx.command.params if isinstance(param, click.Option) and param.name in values]
    refused += [
        str(param.name)
        for param in own
        if not str(param.name).startswith(("part_", "filter_"))
        and param.name not in _TAKEN
        and values[str(param.name)] not in (None, False, ())
    ]
    if refused:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in refused)
        raise click.UsageError(f"{named}: for archives, without --to.")
    if not (values["refs"] or values["every"] or words):
        raise click.UsageError("name a sample or a filter, or give --all.")
    for several, one, option in (("analyses", "analysis", "--analysis"), ("types", "data_type", "--types")):
        found = words.pop(several, [])
        if len(found) > 1 or any("," in each for each in found if one == "data_type"):
            raise click.UsageError(f"{option}: an export takes one.")
        if found:
            words[one] = found[0]
    if "positions" in words:
        words["positions"] = ",".join(words["positions"])
    return words


def _roi(text: str) -> tuple[float, float, str]:
    match = _ROI.fullmatch(text)
    try:
        if match is not None:
            return float(match[1]), float(match[2]), match[3] or "eV"
    except ValueError:
        pass
    raise click.UsageError(f"--roi: {text!r} is not a region; write 390..400eV, 31..32Å or 10..20channel.")


def _tell(app: App, report: ExportReport) -> None:
    for warning in report.warnings:
        app.complain(f"warning    {shown(warning)}")
    if app.as_json:
        app.emit(document(report, EXPORT))
        return
    written = sum(each.bytes_written for each in report.files)
    extent = f"{count(report.positions, 'position')}, {count(len(report.files), 'file')}, {size(written)}"
    app.print(f"exported   {shown(report.path)}  {extent}")
